//! `hemfleet evidence`.

use std::process::ExitCode;

use crate::cli::CliError;
use crate::cli::args::journal::Evidence;

/// `hemfleet evidence`.
pub(in crate::cli) fn evidence(args: &Evidence) -> Result<ExitCode, CliError> {
    let _ = args;
    Err(std::io::Error::other("not built yet").into())
}
