//! Why the journal cannot be used, and what to do about it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::model::{RunId, printable};

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its folder cannot be made or entered.
    #[error("folder {} of the journal", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A folder, a pipe or a device stands there.
    #[error("the journal {} is no file", .0.display())]
    NotAFile(PathBuf),
    /// It belongs to somebody else.
    #[error("the journal {} belongs to another user (uid {owner})", path.display())]
    NotYours {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// It cannot be opened.
    #[error("the journal {} cannot be opened", path.display())]
    Unopened {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It, its folder or its file system cannot be written to.
    #[error("the journal {} is read-only", .0.display())]
    ReadOnly(PathBuf),
    /// It is another program's file.
    #[error("{} is no journal of hemfleet", .0.display())]
    NotAJournal(PathBuf),
    /// A newer hemfleet wrote it.
    #[error(
        "the journal {} has format {version}, and this hemfleet knows formats up to {known}", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: i64,
        /// The newest one that is known here.
        known: usize,
    },
    /// What stands in it is damaged.
    #[error("the journal {} is damaged: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A message of a run cannot be read.
    #[error("the journal's message {seq} of run {run} cannot be read")]
    Message {
        /// The run.
        run: RunId,
        /// The message's number.
        seq: u64,
        /// Why not.
        source: serde_json::Error,
    },
    /// Another process has been writing it for too long.
    #[error("the journal {} is locked by another process", .0.display())]
    Locked(PathBuf),
    /// The disk is full.
    #[error("no room for the journal {}: the disk or a quota is full", .0.display())]
    Full(PathBuf),
    /// The system refuses to read or write it.
    #[error("the journal {} cannot be read or written: {what}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
    /// It was removed or moved away while it was in use.
    #[error("the journal {} was removed while it was in use", .0.display())]
    Removed(PathBuf),
    /// Another file took its place while it was in use.
    #[error("the journal {} was replaced while it was in use", .0.display())]
    Replaced(PathBuf),
    /// A write to it was lost: what the disk holds is not known any more.
    #[error("the disk has lost a write to the journal {}: {what}", path.display())]
    Unsynced {
        /// The file.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
    /// The lock of a run cannot be taken.
    #[error("the lock {} of a run", path.display())]
    Lock {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process is at work on the run.
    #[error("run {run} is going on in process {}", pid.map_or("unknown".to_owned(), |p| p.to_string()))]
    Alive {
        /// The run.
        run: RunId,
        /// The process, where that is known.
        pid: Option<u32>,
    },
    /// A run of this name is there already.
    #[error("the journal has a run {0} already")]
    Exists(RunId),
    /// There is no such run.
    #[error("the journal has no run {}", printable(.0, 40))]
    NoSuchRun(String),
    /// Several runs begin like this.
    #[error("{} could be any of {}", printable(prefix, 40), named(runs))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The runs.
        runs: Vec<RunId>,
    },
    /// At the end of a run there were messages that could not be written.
    #[error("{waiting} messages of the run are not in the journal")]
    Unwritten {
        /// How many.
        waiting: usize,
        /// Why.
        source: Box<Self>,
    },
    /// A bug.
    #[error("the journal {}", path.display())]
    Bug {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
}

fn named(runs: &[RunId]) -> String {
    let names: Vec<_> = runs.iter().take(5).map(RunId::as_str).collect();
    let more = runs.len().saturating_sub(names.len());
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

impl JournalError {
    /// What SQLite says of the journal at `path`.
    pub(super) fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen) => Self::Unopened {
                path,
                source: error.into(),
            },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(path),
            Some(ErrorCode::NotADatabase) => Self::NotAJournal(path),
            Some(ErrorCode::DatabaseCorrupt) => Self::corrupt(path, &error.to_string()),
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Locked(path),
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::SystemIoFailure) => {
                let fsync = [
                    rusqlite::ffi::SQLITE_IOERR_FSYNC,
                    rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC,
                ];
                let what = error.to_string();
                if fsync
                    .map(Some)
                    .contains(&error.sqlite_extended_error_code())
                {
                    Self::Unsynced { path, what }
                } else {
                    Self::Io { path, what }
                }
            }
            _ => match error {
                // What is stored is of another type or size than what is ever written.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..) => Self::corrupt(path, &error.to_string()),
                error => Self::Bug {
                    path,
                    source: error.into(),
                },
            },
        }
    }

    /// What SQLite says of damage, which may be of several lines.
    pub(super) fn corrupt(path: PathBuf, said: &str) -> Self {
        let lines: Vec<&str> = said.lines().collect();
        let what = printable(&lines.join("; "), 200);
        Self::Corrupt { path, what }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let other = "or name another journal with --journal FILE";
        let without = "--no-journal runs without one, and then nobody knows after a crash what became of which device";
        match self {
            Self::Folder { .. } => {
                format!("make the folder yours and writable, {other}; {without}")
            }
            Self::NotAFile(_) => {
                format!("--journal wants a file, such as journal.db in that folder; {without}")
            }
            Self::NotYours { .. } => {
                format!("run hemfleet as the user who ran it before, {other}; {without}")
            }
            Self::Unopened { .. } => {
                format!("look at the rights of the file and of its folder, {other}; {without}")
            }
            Self::ReadOnly(_) => {
                format!(
                    "make the file, its folder and its file system writable, {other}; {without}"
                )
            }
            Self::NotAJournal(_) => {
                format!(
                    "the file is left as it is: name another one with --journal FILE; {without}"
                )
            }
            Self::Newer { .. } => format!("upgrade hemfleet, {other}; {without}"),
            Self::Corrupt { path, .. } => format!(
                "keep a copy, move {0}, {0}-wal and {0}-shm away, and a new journal is begun; check the disk; {without}",
                path.display()
            ),
            Self::Message { .. } => {
                format!("a newer hemfleet may have written it: try that one, {other}; {without}")
            }
            Self::Locked(path) => format!(
                "a program has it open and is writing or stopped (fuser {} names it): end that one, {other}; {without}",
                path.display()
            ),
            Self::Full(_) => format!("make room, {other} on another disk; {without}"),
            Self::Io { .. } | Self::Unsynced { .. } => {
                format!("look at the disk (dmesg), {other} on another disk; {without}")
            }
            Self::Removed(path) | Self::Replaced(path) => format!(
                "move the file back to {}; until then no install is sent",
                path.display()
            ),
            Self::Lock { .. } => {
                format!("make the file and its folder yours and writable, {other}; {without}")
            }
            Self::Alive { .. } => {
                "hemfleet attach shows it; wait until it has ended, or stop it".to_owned()
            }
            Self::Exists(_) => "start again: a run has a random name".to_owned(),
            Self::NoSuchRun(_) | Self::Ambiguous { .. } => {
                "hemfleet history lists the runs; the beginning of a name is enough".to_owned()
            }
            Self::Unwritten { source, .. } => source.hint(),
            Self::Bug { .. } => format!("this is a bug; please report it; {without}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_in_one_line() {
        let said = "*** in database main ***\nTree 3 page 5: btreeInitPage() returns error code 11\n\u{1b}[2J\n";
        let error = JournalError::corrupt(PathBuf::from("j.db"), said);
        assert_eq!(
            error.to_string(),
            "the journal j.db is damaged: *** in database main ***; Tree 3 page 5: btreeInitPage() returns error code \
             11; \\u{1b}[2J"
        );
    }
}
