//! Runs that are old enough to go.

use std::collections::HashSet;

use jiff::Timestamp;

use super::database::Journal;
use super::error::JournalError;
use super::run_entry::RunEntry;
use crate::model::RunId;

impl Journal {
    /// Removes the runs that were begun and ended before `older_than`, and says which; with `dry_run` it only says so. One
    /// that goes on, is unfinished or is in doubt stays, however old it is, and so does one that saw what became of the
    /// install of another: without it that would be in doubt again.
    pub fn prune(
        &self,
        older_than: Timestamp,
        dry_run: bool,
    ) -> Result<Vec<RunEntry>, JournalError> {
        let old = self.rows("started < ?1", [older_than.as_millisecond()])?;
        let settling = self.settling()?;
        // Also of devices that an inventory no longer has.
        let holding: HashSet<RunId> = self.open_installs()?.into_iter().map(|o| o.run).collect();
        let mut gone = Vec::new();
        for (row, entry) in old.iter().zip(self.entries(&old)?) {
            let is_old = entry.ended.unwrap_or(entry.started) < older_than;
            let is_needed = settling.contains(&row.n) || holding.contains(&entry.run);
            if !is_old || entry.unfinished || entry.is_alive || is_needed {
                continue;
            }
            if !dry_run {
                let remove = self.conn().execute("DELETE FROM run WHERE n = ?1", [row.n]);
                self.file().sql(remove)?;
            }
            gone.push(entry);
        }
        if !dry_run && !gone.is_empty() {
            // What was taken by them goes back to the system.
            let free = self.conn().execute_batch("PRAGMA incremental_vacuum");
            self.file().sql(free)?;
            // What stays takes room, and does no harm.
            if let Err(error) = self.prune_logs(Timestamp::now()) {
                tracing::warn!(error = %crate::model::chain(&error), "log files of removed runs stay");
            }
        }
        Ok(gone)
    }
}
