//! `hemfleet config example`, `check` and `schema`. `hemfleet config init` is in `config_init`.

use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::args::Check;
use crate::cli::output::plain_stdout::{plain_stdout, print_json};
use crate::cli::{CliError, load};
use crate::config::{self, Fault, Overrides};
use crate::model::counted;
use crate::report::Exit;

/// `hemfleet config example`.
pub(in crate::cli) fn example() -> Result<ExitCode, CliError> {
    plain_stdout().write_all(config::EXAMPLE.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// `hemfleet config schema`.
pub(in crate::cli) fn schema() -> Result<ExitCode, CliError> {
    let mut text = serde_json::to_vec_pretty(&config::schema()).map_err(std::io::Error::from)?;
    text.push(b'\n');
    plain_stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What `hemfleet config check --json` prints: one object with these fields.
#[derive(Serialize)]
struct CheckAnswer<'a> {
    /// The inventory.
    file: String,
    /// Whether nothing is wrong.
    ok: bool,
    /// How many devices there are, where nothing is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<usize>,
    /// All that is wrong, in the order of the file.
    faults: Vec<Fault<'a>>,
    /// What is allowed and still worth a word.
    warnings: Vec<String>,
}

/// `hemfleet config check`.
pub(in crate::cli) fn check(args: &Check) -> Result<ExitCode, CliError> {
    let path = &args.inventory.config;
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
    if args.format.is_json() {
        let ok = loaded.faults.is_empty();
        let settings = loaded.settings.as_ref().filter(|_| ok);
        print_json(&CheckAnswer {
            file: path.to_string_lossy().into_owned(),
            ok,
            devices: settings.map(|s| s.devices.len()),
            faults: loaded.faults.in_order().map(Fault::from).collect(),
            warnings,
        })?;
        return Ok(if ok {
            ExitCode::SUCCESS
        } else {
            Exit::Usage.into()
        });
    }
    let settings = load::settings_of(loaded)?;
    let mut out = plain_stdout();
    writeln!(
        out,
        "{}: {}, nothing wrong",
        path.display(),
        counted(settings.devices.len(), "device", "devices")
    )?;
    for warning in warnings {
        writeln!(out, "WARNING: {warning}")?;
    }
    Ok(ExitCode::SUCCESS)
}
