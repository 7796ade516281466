//! Which file the journal is, and a run's part of it from its beginning to its end.

use std::path::PathBuf;
use std::sync::Arc;

use super::CliError;
use super::args::journal::{JournalFile, Keep};
use super::kept_logs::KeptLogs;
use super::output::stderr_and_log;
use super::process::private_file;
use super::wiring::Kept;
use crate::engine::{Fleet, LogHolder, NotRecorded, Recorder, RunFacts};
use crate::journal::{Journal, RunContext, RunRecord, RunWriter};
use crate::model::chain;

/// The journal that is there; nothing where there is none.
pub(super) fn existing(args: &JournalFile) -> Result<Option<Journal>, CliError> {
    Ok(Journal::open_existing(&path(args)?)?)
}

/// The journal that a run is kept in; nothing where the command line wants none, which is said loudly.
pub(super) fn for_run(args: &Keep) -> Result<Option<Journal>, CliError> {
    if args.no_journal {
        stderr_and_log::say(
            "WARNING: no journal is kept: after a crash nobody knows what became of which device\n",
        );
        return Ok(None);
    }
    Ok(Some(Journal::open(&path(&args.journal)?)?))
}

fn path(args: &JournalFile) -> Result<PathBuf, CliError> {
    match &args.path {
        Some(path) => Ok(path.clone()),
        None => Ok(private_file::state_folder()?.join("journal.db")),
    }
}

/// A run that is kept, or not.
pub(super) struct RunJournal {
    facts: RunFacts,
    writer: Option<RunWriter>,
}

impl RunJournal {
    /// Begins a run in the journal, where there is one.
    pub(super) fn begin(
        journal: Option<&Journal>,
        facts: RunFacts,
        context: RunContext,
    ) -> Result<Self, CliError> {
        let record = RunRecord { facts, context };
        let writer = journal.map(|journal| journal.begin(&record)).transpose()?;
        let facts = record.facts;
        Ok(Self { facts, writer })
    }

    /// A run that is gone on with.
    pub(super) fn of(facts: RunFacts, writer: RunWriter) -> Self {
        let writer = Some(writer);
        Self { facts, writer }
    }

    /// The fleet before anything has happened.
    pub(super) fn fleet(&self) -> Fleet {
        Fleet::of(self.facts.clone())
    }

    /// Where the session's messages go.
    pub(super) fn kept(&self) -> Kept {
        let recorder: Arc<dyn Recorder> = match &self.writer {
            Some(writer) => Arc::new(writer.clone()),
            None => Arc::new(NotRecorded),
        };
        let logs = self.writer.as_ref().map(RunWriter::log_files).cloned();
        Kept {
            recorder,
            deciding: logs.map(|logs| Arc::new(KeptLogs(logs)) as Arc<dyn LogHolder>),
            ..Kept::nowhere()
        }
    }

    /// Writes what the run has come to. What cannot be written is said.
    pub(super) fn finish(&self, fleet: &Fleet) {
        let Some(writer) = &self.writer else { return };
        if let Err(error) = writer.finish(fleet) {
            let why = chain(&error);
            stderr_and_log::say(&format!(
                "WARNING: the end of run {} is not in the journal: {why}\n",
                fleet.run()
            ));
        }
    }
}
