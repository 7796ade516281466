//! `hemfleet replay`.

use std::process::ExitCode;

use crate::cli::CliError;
use crate::cli::args::Cli;
use crate::cli::args::journal::Replay;

/// `hemfleet replay`.
pub(in crate::cli) fn replay(cli: &Cli, args: &Replay) -> Result<ExitCode, CliError> {
    let _ = (cli, args);
    Err(std::io::Error::other("not built yet").into())
}
