//! `hemfleet completions` and `hemfleet man`: what a shell and `man` are told of the command line. Both are made from
//! `cli::args`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::CliError;
use crate::cli::args::Cli;
use crate::cli::output::plain_stdout::plain_stdout;

/// `hemfleet completions`.
pub(in crate::cli) fn completions(shell: Shell) -> Result<ExitCode, CliError> {
    let mut command = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "hemfleet", &mut script);
    plain_stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// `hemfleet man`. Pages are for everybody, and those of an older hemfleet are replaced.
pub(in crate::cli) fn man(dir: Option<&Path>) -> Result<ExitCode, CliError> {
    let command = Cli::command();
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        plain_stdout().write_all(&page)?;
        return Ok(ExitCode::SUCCESS);
    };
    let folder = |source| CliError::Folder {
        path: dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(folder)?;
    clap_mangen::generate_to(command, dir).map_err(folder)?;
    Ok(ExitCode::SUCCESS)
}
