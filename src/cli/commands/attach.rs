//! `hemfleet attach`.

use std::process::ExitCode;

use crate::cli::CliError;
use crate::cli::args::Cli;
use crate::cli::args::journal::Attach;

/// `hemfleet attach`.
pub(in crate::cli) fn attach(cli: &Cli, args: &Attach) -> Result<ExitCode, CliError> {
    let _ = (cli, args);
    Err(std::io::Error::other("not built yet").into())
}
