//! `hemfleet history`.

use std::process::ExitCode;

use crate::cli::CliError;
use crate::cli::args::journal::History;

/// `hemfleet history`.
pub(in crate::cli) fn history(args: &History) -> Result<ExitCode, CliError> {
    let _ = args;
    Err(std::io::Error::other("not built yet").into())
}
