//! `hemfleet report`.

use std::process::ExitCode;

use crate::cli::CliError;
use crate::cli::args::journal::Report;

/// `hemfleet report`.
pub(in crate::cli) fn report(args: &Report) -> Result<ExitCode, CliError> {
    let _ = args;
    Err(std::io::Error::other("not built yet").into())
}
