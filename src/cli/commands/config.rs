//! `hemfleet config example` and `hemfleet config check`.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::{CliError, load};
use crate::config::{self, Overrides};

/// `hemfleet config example`.
pub(in crate::cli) fn example() -> Result<ExitCode, CliError> {
    io::stdout().lock().write_all(config::EXAMPLE.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// `hemfleet config check`.
pub(in crate::cli) fn check(path: &Path) -> Result<ExitCode, CliError> {
    let mut loaded = config::load(path, &Overrides::default(), &config::process_env);
    if loaded.firmware.is_some()
        && let Err(fault) = load::image(&loaded, false)
    {
        loaded.faults.push(*fault);
    }
    if loaded.app.is_some()
        && let Err(fault) = load::app(&loaded, false)
    {
        loaded.faults.push(*fault);
    }
    let warnings = loaded.warnings();
    let settings = load::settings_of(loaded)?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}: {} devices, nothing wrong",
        path.display(),
        settings.devices.len()
    )?;
    for warning in warnings {
        writeln!(out, "WARNING: {warning}")?;
    }
    Ok(ExitCode::SUCCESS)
}
