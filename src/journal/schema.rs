//! The tables of the journal, and how an older journal becomes one of today.
//!
//! What a run was made from (`run_record`) and its messages (`message`) are the journal. Everything else is an index, or
//! derived from these by the reducer (`run.folded`, `run.summary`, and what `device` says beside names): whatever the run
//! has more messages than were folded, it counts for nothing.

use rusqlite::{Connection, TransactionBehavior};

use super::database_file::DatabaseFile;
use super::error::JournalError;

/// What each format adds to the one before. One that has been released is never changed.
pub(super) const MIGRATIONS: &[&str] = &[V1, V2];

/// In the file's header, so that no other program's database is taken for a journal: `hemf`.
const APPLICATION: i32 = 0x6865_6d66;

const V1: &str = "
CREATE TABLE run (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    -- Grows with each begin and each resume: which of two runs was at work last, whatever the clock says.
    turn INTEGER NOT NULL,
    -- Milliseconds since 1970.
    started INTEGER NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    inventory TEXT NOT NULL,
    version TEXT NOT NULL,
    hemfleet TEXT NOT NULL,
    image TEXT,
    image_fws TEXT,
    devices INTEGER NOT NULL,
    -- The last message that was known to be on disk when this was written.
    synced INTEGER NOT NULL DEFAULT 0,
    -- The last message of which summary and the table device know.
    folded INTEGER,
    summary TEXT
) STRICT;

CREATE TABLE run_record (
    run INTEGER PRIMARY KEY REFERENCES run (n) ON DELETE CASCADE,
    record TEXT NOT NULL
) STRICT;

CREATE TABLE message (
    run INTEGER NOT NULL REFERENCES run (n) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    -- Milliseconds since 1970, by a clock that may be set at any time: seq is the order.
    at INTEGER NOT NULL,
    -- The device's number in the run.
    device INTEGER,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_of_device ON message (run, device, at)
    WHERE kind IN ('planned', 'install_announced', 'install_begun', 'returned', 'audited', 'finished');

-- The log files that are referred to (log_references): a derived column, kept by SQLite itself.
CREATE INDEX message_log_file
    ON message (json_extract(body, '$.event.fact.device.fact.audited.source.Ok.file.sha256'))
    WHERE kind = 'audited';

CREATE TABLE device (
    run INTEGER NOT NULL REFERENCES run (n) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    name TEXT NOT NULL,
    reach TEXT NOT NULL,
    -- Whether an install is in doubt.
    open INTEGER NOT NULL DEFAULT 0,
    -- Whether an install before is no longer in doubt.
    settled INTEGER NOT NULL DEFAULT 0,
    -- Whether its bootloader refused the image of the run.
    refused INTEGER NOT NULL DEFAULT 0,
    outcome TEXT,
    summary TEXT,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX device_by_reach ON device (reach, run);
CREATE INDEX device_by_name ON device (name, run);
CREATE INDEX device_in_doubt ON device (reach) WHERE open = 1;
CREATE INDEX device_refused ON device (reach) WHERE refused = 1;
";

const V2: &str = "
-- Milliseconds since 1970: when its last attempt ended, when an install before was no longer in doubt, and when it last proved
-- what it runs.
ALTER TABLE device ADD COLUMN ended INTEGER;
ALTER TABLE device ADD COLUMN settled_at INTEGER;
ALTER TABLE device ADD COLUMN proved_at INTEGER;
ALTER TABLE device DROP COLUMN settled;
";

/// Brings the journal to the format of today.
pub(super) fn migrate(conn: &Connection, file: &DatabaseFile) -> Result<(), JournalError> {
    if !is_old(conn, file)? {
        return Ok(());
    }
    let change = rusqlite::Transaction::new_unchecked(conn, TransactionBehavior::Immediate);
    let change = file.sql(change)?;
    // Another process may have done it meanwhile.
    if is_old(&change, file)? {
        let from = usize::try_from(file.sql(version(&change))?).unwrap_or_default();
        for migration in &MIGRATIONS[from..] {
            file.sql(change.execute_batch(migration))?;
        }
        file.sql(change.pragma_update(None, "application_id", APPLICATION))?;
        file.sql(change.pragma_update(None, "user_version", MIGRATIONS.len()))?;
    }
    file.sql(change.commit())
}

/// What can only be set before anything is written; afterwards this changes nothing.
pub(super) fn set_up_new(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")
}

fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether the journal is of an older format, or empty.
///
/// # Errors
///
/// It is of a newer one, or no journal.
pub(super) fn is_old(conn: &Connection, file: &DatabaseFile) -> Result<bool, JournalError> {
    let count = "SELECT count(*) FROM sqlite_schema";
    let version = file.sql(version(conn))?;
    let application: i32 =
        file.sql(conn.pragma_query_value(None, "application_id", |row| row.get(0)))?;
    let tables: i64 = file.sql(conn.query_row(count, [], |row| row.get(0)))?;
    let is_empty = tables == 0 && application == 0 && version == 0;
    if !is_empty && (application != APPLICATION || version < 1) {
        return Err(JournalError::NotAJournal(file.path().to_path_buf()));
    }
    let known = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(version) if version <= known => Ok(version < known),
        _ => Err(JournalError::Newer {
            path: file.path().to_path_buf(),
            version,
            known,
        }),
    }
}
