//! `hemfleet resume`.

use crate::cli::CliError;
use crate::cli::args::Cli;
use crate::cli::args::journal::Resume;
use crate::report::Exit;

/// `hemfleet resume`.
pub(in crate::cli) fn resume(cli: &Cli, args: &Resume) -> Result<Exit, CliError> {
    let _ = (cli, args);
    Err(std::io::Error::other("not built yet").into())
}
