//! One transaction of a run's messages.

use std::collections::VecDeque;
use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::database_file::{DatabaseFile, FileMark};
use super::error::JournalError;
use super::fault_point;
use super::run_entry::Summaries;
use super::summaries;
use super::write_queue::Row;

/// What is written at once.
pub(super) struct Batch<'a> {
    pub(super) rows: &'a VecDeque<Row>,
    /// Whether it must outlive a power cut, and everything before it.
    pub(super) sync: bool,
    /// What the run came to with the last of these messages.
    pub(super) finished: Option<&'a Summaries>,
}

/// Writes the batches of one run.
pub(super) struct BatchWriter {
    conn: Connection,
    file: DatabaseFile,
    /// Beside the journal, where new commits stand first.
    wal: Option<FileMark>,
    run: i64,
    /// The number of the last message that was written.
    last_seq: u64,
    is_full: bool,
    /// The system lost a write once: what the disk holds cannot be known any more.
    unsynced: Option<String>,
}

impl BatchWriter {
    /// A writer of the run with this number, by a connection that nobody else uses.
    pub(super) fn new(conn: Connection, file: DatabaseFile, run: i64, last_seq: u64) -> Self {
        let wal = file.wal();
        Self {
            conn,
            file,
            wal,
            run,
            last_seq,
            is_full: false,
            unsynced: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes a batch, or nothing of it.
    pub(super) fn write(&mut self, batch: &Batch<'_>) -> Result<(), JournalError> {
        let written = self.try_write(batch);
        if let Err(JournalError::Unsynced { what, .. }) = &written {
            self.unsynced.get_or_insert_with(|| what.clone());
        }
        if written.is_ok()
            && let Some(row) = batch.rows.back()
        {
            self.last_seq = row.seq;
        }
        written
    }

    fn try_write(&mut self, batch: &Batch<'_>) -> Result<(), JournalError> {
        self.is_in_place()?;
        fault_point::step();
        // Without it a commit waits for nothing, and outlives a crash of hemfleet, but not of the machine.
        if self.is_full != batch.sync {
            let level = if batch.sync { "FULL" } else { "NORMAL" };
            let set = self.conn.pragma_update(None, "synchronous", level);
            self.file.sql(set)?;
            self.is_full = batch.sync;
        }
        let change = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate);
        let change = self.file.sql(change)?;
        self.file.sql(self.fill(&change, batch))?;
        fault_point::step();
        self.file.sql(change.commit())?;
        if batch.sync {
            // A file that was removed meanwhile keeps nothing.
            self.is_in_place()?;
            if let Some(what) = &self.unsynced {
                return Err(JournalError::Unsynced {
                    path: self.file.path().to_path_buf(),
                    what: what.clone(),
                });
            }
        }
        fault_point::step();
        Ok(())
    }

    fn fill(&self, change: &Transaction<'_>, batch: &Batch<'_>) -> rusqlite::Result<()> {
        // One that is there already was written by a commit of which nobody knew whether it came about.
        let mut insert = change.prepare(
            "INSERT OR IGNORE INTO message (run, seq, at, device, kind, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for row in batch.rows {
            insert.execute(params![
                self.run, row.seq, row.at, row.device, row.kind, row.body
            ])?;
        }
        let last = batch.rows.back().map_or(self.last_seq, |row| row.seq);
        if batch.sync {
            // An empty commit is no commit, and what was written before it would not be on disk.
            let sync = "UPDATE run SET synced = ?2 WHERE n = ?1";
            change.execute(sync, params![self.run, last])?;
        }
        if let Some(finished) = batch.finished {
            summaries::store(change, self.run, last, finished)?;
        }
        Ok(())
    }

    fn is_in_place(&self) -> Result<(), JournalError> {
        self.file.is_there()?;
        if self.wal.is_some() && self.file.wal() != self.wal {
            return Err(JournalError::Removed(self.file.beside("-wal")));
        }
        Ok(())
    }
}
