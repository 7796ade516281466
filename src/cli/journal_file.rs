//! Which file the journal is, and its end of a run.

use std::path::PathBuf;

use super::CliError;
use super::args::journal::JournalFile;
use super::output::stderr_and_log;
use super::process::private_file;
use crate::engine::Fleet;
use crate::journal::{Journal, RunWriter};
use crate::model::chain;

/// The journal that is there; nothing where there is none.
pub(super) fn existing(args: &JournalFile) -> Result<Option<Journal>, CliError> {
    Ok(Journal::open_existing(&path(args)?)?)
}

fn path(args: &JournalFile) -> Result<PathBuf, CliError> {
    match &args.path {
        Some(path) => Ok(path.clone()),
        None => Ok(private_file::state_folder()?.join("journal.db")),
    }
}

/// Writes what a run has come to. What cannot be written is said.
pub(super) fn finish(writer: &RunWriter, fleet: &Fleet) {
    if let Err(error) = writer.finish(fleet) {
        let why = chain(&error);
        stderr_and_log::say(&format!(
            "WARNING: the end of run {} is not in the journal: {why}\n",
            fleet.run()
        ));
    }
}
