//! An open journal: runs are begun and gone on with here, and read. What lists say of runs is in `summaries`, who holds
//! what in doubt in `open_installs`.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::batch::BatchWriter;
use super::database_file::DatabaseFile;
use super::error::JournalError;
use super::fault_point;
use super::record::{JournalledRun, RunRecord};
use super::run_entry::{DeviceSummary, RunEntry, version_of};
use super::run_lock::RunLock;
use super::run_writer::RunWriter;
use super::schema;
use crate::engine::Message;
use crate::model::{Reach, RunId};

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    conn: Connection,
    file: DatabaseFile,
    read_only: bool,
}

/// Which device is meant.
#[derive(Clone, Copy, Debug)]
pub enum WhichDevice<'a> {
    /// The one that an inventory calls so; each may mean another one.
    Named(&'a str),
    /// The one at the end of this way.
    At(&'a Reach),
}

impl Journal {
    /// Opens the journal at `path`, which is made where there is none, and brought to today's format. Makes sure that it
    /// can be written to.
    ///
    /// # Errors
    ///
    /// It cannot be used: nothing should be begun that has to be recorded.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let file = DatabaseFile::made(path)?;
        let conn = file.connect()?;
        file.check(&conn)?;
        Ok(Self {
            conn,
            file,
            read_only: false,
        })
    }

    /// Opens the journal at `path` for reading, also while runs write it; nothing where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn open_existing(path: &Path) -> Result<Option<Self>, JournalError> {
        let Some(file) = DatabaseFile::found(path)? else {
            return Ok(None);
        };
        let writable = file.connect().and_then(|conn| {
            let read_only = file.sql(conn.is_readonly(rusqlite::MAIN_DB))?;
            if schema::is_old(&conn, &file)? {
                file.check(&conn)?;
            }
            Ok((conn, read_only))
        });
        let (conn, read_only) = match writable {
            Ok(opened) => opened,
            Err(JournalError::ReadOnly(_) | JournalError::Unopened { .. }) => {
                let conn = file.connect_read_only()?;
                if schema::is_old(&conn, &file)? {
                    return Err(JournalError::ReadOnly(file.path().to_path_buf()));
                }
                (conn, true)
            }
            Err(error) => return Err(error),
        };
        Ok(Some(Self {
            conn,
            file,
            read_only,
        }))
    }

    pub(super) fn conn(&self) -> &Connection {
        &self.conn
    }

    pub(super) fn file(&self) -> &DatabaseFile {
        &self.file
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Begins a run, of which `record` is on disk before this returns.
    pub fn begin(&self, record: &RunRecord) -> Result<RunWriter, JournalError> {
        RunLock::sweep(&self.file);
        let run = &record.facts.run;
        let lock = RunLock::take(&self.file, run)?;
        let json = serde_json::to_string(record).map_err(|source| JournalError::Bug {
            path: self.path().to_path_buf(),
            source: source.into(),
        })?;
        let conn = self.file.connect()?;
        let n = self.commit(&conn, |change| insert(change, record, &json))?;
        let n = n.ok_or_else(|| JournalError::Exists(run.clone()))?;
        self.writer(conn, lock, run, record, n, 0)
    }

    /// Goes on with a run: further messages come after those that it has. No other process writes it from here on; what
    /// others ask of it may change once [`Self::at_work_again`] is said.
    ///
    /// # Errors
    ///
    /// Another process is at work on it, or there is no such run.
    pub fn go_on(&self, run: &RunId) -> Result<RunWriter, JournalError> {
        let n = self.row(run)?.n;
        let lock = RunLock::take(&self.file, run)?;
        let record = self.record(run)?;
        let conn = self.file.connect()?;
        let last = "SELECT coalesce(max(seq), 0) FROM message WHERE run = ?1";
        let last = self.file.sql(conn.query_row(last, [n], |row| row.get(0)))?;
        self.writer(conn, lock, run, &record, n, last)
    }

    /// The run is at work again: what it says of a device from here on is newer than what others have said.
    pub fn at_work_again(&self, run: &RunId) -> Result<(), JournalError> {
        let turn = "UPDATE run SET turn = (SELECT max(turn) + 1 FROM run) WHERE id = ?1";
        let conn = self.file.connect()?;
        self.commit(&conn, |change| change.execute(turn, [run.as_str()]))?;
        Ok(())
    }

    fn writer(
        &self,
        conn: Connection,
        lock: RunLock,
        run: &RunId,
        record: &RunRecord,
        n: i64,
        last: u64,
    ) -> Result<RunWriter, JournalError> {
        let writer = BatchWriter::new(conn, self.file.clone(), n, last);
        RunWriter::start(writer, lock, run, record.context.clone(), last + 1)
    }

    /// A change that outlives a power cut.
    fn commit<T>(
        &self,
        conn: &Connection,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        fault_point::step();
        let done = (|| {
            conn.pragma_update(None, "synchronous", "FULL")?;
            let open = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
            let done = change(&open)?;
            fault_point::step();
            open.commit()?;
            conn.pragma_update(None, "synchronous", "NORMAL")?;
            Ok(done)
        })();
        let done = self.file.sql(done)?;
        self.file.is_there()?;
        fault_point::step();
        Ok(done)
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<RunEntry>, JournalError> {
        let rows = self.rows("true", [])?;
        self.entries(&rows)
    }

    /// The run that is called so, or begins so.
    pub fn find(&self, prefix: &str) -> Result<RunEntry, JournalError> {
        let sought = prefix.to_ascii_lowercase();
        let rows = self.rows("?1 <> '' AND substr(id, 1, length(?1)) = ?1", [&sought])?;
        match &rows[..] {
            [] => Err(JournalError::NoSuchRun(prefix.to_owned())),
            [row] => Ok(self.entries([row])?.remove(0)),
            several => Err(JournalError::Ambiguous {
                prefix: prefix.to_owned(),
                runs: several.iter().map(|row| row.run().clone()).collect(),
            }),
        }
    }

    /// What a run was made from.
    pub fn record(&self, run: &RunId) -> Result<RunRecord, JournalError> {
        let n = self.row(run)?.n;
        let select = "SELECT record FROM run_record WHERE run = ?1";
        let json: String = self
            .file
            .sql(self.conn.query_row(select, [n], |row| row.get(0)))?;
        serde_json::from_str(&json).map_err(|source| JournalError::Message {
            run: run.clone(),
            seq: 0,
            source,
        })
    }

    /// A run with all its messages.
    pub fn load(&self, run: &RunId) -> Result<JournalledRun, JournalError> {
        let record = self.record(run)?;
        let messages = self.messages_after(run, 0)?;
        Ok(JournalledRun {
            record,
            messages: messages.into_iter().map(|(_, message)| message).collect(),
        })
    }

    /// The messages of a run that come after the one with this number, each with its number. Numbers grow, but not always
    /// by one.
    pub fn messages_after(
        &self,
        run: &RunId,
        seq: u64,
    ) -> Result<Vec<(u64, Message)>, JournalError> {
        let n = self.row(run)?.n;
        let sql = "SELECT seq, body FROM message WHERE run = ?1 AND seq > ?2 ORDER BY seq";
        let mut select = self.file.sql(self.conn.prepare(sql))?;
        let mut rows = self.file.sql(select.query(params![n, seq]))?;
        let mut messages = Vec::new();
        while let Some(row) = self.file.sql(rows.next())? {
            let seq = self.file.sql(row.get(0))?;
            let body = self.file.sql(row.get_ref(1))?;
            let body = self.file.sql(body.as_str().map_err(Into::into))?;
            let message = serde_json::from_str(body).map_err(|source| JournalError::Message {
                run: run.clone(),
                seq,
                source,
            })?;
            messages.push((seq, message));
        }
        Ok(messages)
    }

    /// What the runs say of a device, newest run first.
    pub fn device_history(
        &self,
        which: WhichDevice<'_>,
    ) -> Result<Vec<(RunEntry, DeviceSummary)>, JournalError> {
        let (column, text) = match which {
            WhichDevice::Named(name) => ("name", name),
            WhichDevice::At(reach) => ("reach", reach.as_str()),
        };
        let filter = format!("n IN (SELECT run FROM device WHERE {column} = ?1)");
        let rows = self.rows(&filter, [text])?;
        let is_it = |device: &DeviceSummary| match which {
            WhichDevice::Named(name) => device.device.as_str() == name,
            WhichDevice::At(reach) => device.reach == *reach,
        };
        let entries = self.entries(&rows)?;
        let found = self.device_summaries(&rows, is_it, column, text)?;
        let with_run = found.into_iter();
        Ok(with_run
            .map(|(n, device)| (entries[n].clone(), device))
            .collect())
    }
}

/// The rows of a new run; nothing where there is one of that name.
fn insert(
    change: &Transaction<'_>,
    record: &RunRecord,
    json: &str,
) -> rusqlite::Result<Option<i64>> {
    let (facts, context) = (&record.facts, &record.context);
    let image = facts.payload.firmware.as_ref();
    let inserted = change.execute(
        "INSERT OR IGNORE INTO run \
         (id, turn, started, user, host, inventory, version, hemfleet, image, image_fws, devices) \
         VALUES (?1, (SELECT coalesce(max(turn), 0) + 1 FROM run), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            facts.run.as_str(),
            Timestamp::now().as_millisecond(),
            context.user,
            context.host,
            context.inventory,
            version_of(record),
            context.version,
            image.map(crate::model::ImageFacts::sha256_hex),
            image
                .and_then(crate::model::ImageFacts::expected_fws)
                .map(|fws| fws.to_string()),
            facts.devices.len(),
        ],
    )?;
    if inserted == 0 {
        return Ok(None);
    }
    let n = change.last_insert_rowid();
    change.execute(
        "INSERT INTO run_record (run, record) VALUES (?1, ?2)",
        params![n, json],
    )?;
    let mut insert =
        change.prepare("INSERT INTO device (run, n, name, reach) VALUES (?1, ?2, ?3, ?4)")?;
    for (number, device) in context.devices.iter().enumerate() {
        insert.execute(params![
            n,
            number,
            device.id.as_str(),
            device.reach.as_str()
        ])?;
    }
    Ok(Some(n))
}
