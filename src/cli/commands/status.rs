//! `hemfleet status`.

use std::process::ExitCode;

use crate::cli::CliError;
use crate::cli::args::journal::Status;

/// `hemfleet status`.
pub(in crate::cli) fn status(args: &Status) -> Result<ExitCode, CliError> {
    let _ = args;
    Err(std::io::Error::other("not built yet").into())
}
