//! Which file the journal is, and a run's part of it from its beginning to its end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::CliError;
use super::args::journal::{JournalFile, Keep};
use super::args::{INVENTORY_HERE, inventory_of_environment};
use super::kept_logs::KeptLogs;
use super::output::stderr_and_log;
use super::process::private_file;
use super::wiring::Kept;
use crate::config::{self, JournalSettings, Overrides};
use crate::engine::{Fleet, LogHolder, NotRecorded, Recorder, RunFacts};
use crate::journal::{Journal, RunContext, RunRecord, RunWriter};
use crate::model::{chain, printable};

/// The option that names the journal of this process, where it is not the user's own.
static NAMED: OnceLock<String> = OnceLock::new();

/// The journal that is there; nothing where there is none. For commands without an inventory: where one is to be found, it
/// says which journal.
pub(super) fn existing(args: &JournalFile) -> Result<Option<Journal>, CliError> {
    existing_by(args, None)
}

/// The same for commands that may name an inventory.
pub(super) fn existing_by(
    args: &JournalFile,
    inventory: Option<&Path>,
) -> Result<Option<Journal>, CliError> {
    let settings = match (&args.path, inventory) {
        (Some(_), _) => JournalSettings::default(),
        (None, Some(inventory)) => of_inventory(inventory)?,
        (None, None) => of_inventory_here()?,
    };
    existing_of(args, &settings)
}

/// The same for commands that have read an inventory.
pub(super) fn existing_of(
    args: &JournalFile,
    settings: &JournalSettings,
) -> Result<Option<Journal>, CliError> {
    Ok(Journal::open_existing(&path(args, settings)?)?)
}

/// What the inventory says of the journal that is found without `-c`; the defaults where there is no such inventory.
///
/// # Errors
///
/// It does not tell: another journal would be read than the one that its runs write.
pub(super) fn of_inventory_here() -> Result<JournalSettings, CliError> {
    let inventory = inventory_here();
    inventory.map_or_else(
        || Ok(JournalSettings::default()),
        |inventory| of_inventory(&inventory),
    )
}

/// The inventory that is found without `-c`.
pub(super) fn inventory_here() -> Option<PathBuf> {
    let here = || Some(PathBuf::from(INVENTORY_HERE)).filter(|path| path.exists());
    inventory_of_environment().or_else(here)
}

fn of_inventory(inventory: &Path) -> Result<JournalSettings, CliError> {
    let loaded = config::load(inventory, &Overrides::default(), &config::process_env);
    loaded.journal.ok_or(CliError::Faults(loaded.faults))
}

/// The journal that a run is kept in; nothing where the command line wants none, which is said loudly.
///
/// # Errors
///
/// It cannot be written to: nothing is to be touched then.
pub(super) fn for_run(
    args: &Keep,
    settings: &JournalSettings,
) -> Result<Option<Journal>, CliError> {
    if args.no_journal {
        stderr_and_log::say(
            "WARNING: no journal is kept: after a crash nobody knows what became of which device\n",
        );
        return Ok(None);
    }
    Ok(Some(Journal::open(&path(&args.journal, settings)?)?))
}

fn path(args: &JournalFile, settings: &JournalSettings) -> Result<PathBuf, CliError> {
    let Some(path) = args.path.as_ref().or(settings.path.as_ref()) else {
        return Ok(private_file::state_folder_path()?.join("journal.db"));
    };
    let full = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    // Each command has one journal.
    let _ = NAMED.set(format!(" --journal {}", quoted(&full.to_string_lossy())));
    Ok(path.clone())
}

/// What a command has to be called with to find the journal of this one, beginning with a space; nothing where it is the
/// user's own.
pub(super) fn option() -> &'static str {
    NAMED.get().map_or("", String::as_str)
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", printable(word, 4096).replace('\'', r"'\''"))
}

/// Removes the runs that are older than `keep`. Nobody asked for it, so that what stands in the way is only logged.
pub(super) fn prune(journal: &Journal, keep: Duration) {
    let Ok(older_than) = Timestamp::now().checked_sub(keep) else {
        return;
    };
    match journal.prune(older_than, false) {
        Ok(gone) if gone.is_empty() => {}
        Ok(gone) => tracing::info!(runs = gone.len(), "old runs are removed from the journal"),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "old runs are not removed from the journal");
        }
    }
}

/// A run that is kept, or not.
pub(super) struct RunJournal {
    facts: RunFacts,
    writer: Option<RunWriter>,
}

impl RunJournal {
    /// Begins a run in the journal, where there is one: then it knows what stages took in earlier runs.
    pub(super) fn begin(
        journal: Option<&Journal>,
        mut facts: RunFacts,
        context: RunContext,
    ) -> Result<Self, CliError> {
        match journal.map(|journal| journal.usual_times(&context.inventory)) {
            Some(Ok(usual)) => facts.usual = usual,
            // An estimate is no reason not to begin.
            Some(Err(error)) => {
                tracing::debug!(%error, "earlier runs do not tell how long stages take");
            }
            None => {}
        }
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

    /// Writes what the run has come to; whether that was possible. What cannot be written is said.
    pub(super) fn finish(&self, fleet: &Fleet) -> bool {
        let Some(writer) = &self.writer else {
            return true;
        };
        let Err(error) = writer.finish(fleet) else {
            return true;
        };
        let (run, why, hint) = (fleet.run(), chain(&error), error.hint());
        stderr_and_log::say(&format!(
            "WARNING: the end of run {run} is not in the journal: {why}\nhint: {hint}\n"
        ));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("/srv/j-1.db"), "/srv/j-1.db");
        assert_eq!(quoted("/srv/My Fleets/j.db"), "'/srv/My Fleets/j.db'");
        assert_eq!(quoted("/srv/$(reboot)'s"), r"'/srv/$(reboot)'\''s'");
    }
}
