//! The lock of a run: who holds it is at work on the run, and nobody else writes the run's messages. It dies with its
//! process.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::database_file::DatabaseFile;
use super::error::JournalError;
use super::lock_file::{self, HeldLock, LockAttempt};
use crate::model::RunId;

/// How often a lock is tried that somebody else may only be looking at, and the time between.
const TRIES: u32 = 25;
const BETWEEN: Duration = Duration::from_millis(20);

/// Held until dropped.
#[derive(Debug)]
pub(super) struct RunLock {
    _held: HeldLock,
}

impl RunLock {
    /// Takes the lock of `run`.
    pub(super) fn take(file: &DatabaseFile, run: &RunId) -> Result<Self, JournalError> {
        let path = file.lock_of(run);
        let refused = |source| JournalError::Lock {
            path: path.clone(),
            source,
        };
        for _ in 0..TRIES {
            if let LockAttempt::Ours(mut held) = LockAttempt::of(&path).map_err(refused)? {
                let pid = std::process::id().to_string();
                // A process that was killed may have left its own number.
                let said = held.file().set_len(0);
                said.and_then(|()| held.file().write_all(pid.as_bytes()))
                    .map_err(refused)?;
                return Ok(Self { _held: held });
            }
            pause();
        }
        Err(JournalError::Alive {
            run: run.clone(),
            pid: Self::holder(file, run),
        })
    }

    /// Whether a process is at work on `run`.
    pub(super) fn is_held(file: &DatabaseFile, run: &RunId) -> bool {
        lock_file::is_held(&file.lock_of(run))
    }

    /// The process that took the lock of `run` last, by its own word: whether it still holds it is [`Self::is_held`].
    pub(super) fn holder(file: &DatabaseFile, run: &RunId) -> Option<u32> {
        let said = fs::read_to_string(file.lock_of(run)).ok()?;
        said.parse().ok()
    }

    /// Removes the files of processes that were killed. What cannot be removed stays: it does no harm.
    pub(super) fn sweep(file: &DatabaseFile) {
        let Some(folder) = file.path().parent() else {
            return;
        };
        let Ok(entries) = folder.read_dir() else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if is_lock_of(file.path(), &path)
                && let Ok(LockAttempt::Ours(left)) = LockAttempt::of(&path)
            {
                drop(left);
            }
        }
    }
}

/// Whether a file of this name is the lock of a run in this journal.
fn is_lock_of(journal: &Path, path: &Path) -> bool {
    let (Some(journal), Some(name)) = (journal.file_name(), path.file_name()) else {
        return false;
    };
    let (journal, name) = (journal.to_string_lossy(), name.to_string_lossy());
    let run = name
        .strip_prefix(&*journal)
        .and_then(|name| name.strip_prefix("-run-"))
        .and_then(|name| name.strip_suffix(".lock"));
    run.is_some_and(|run| RunId::parse(run).is_some())
}

#[expect(
    clippy::disallowed_methods,
    reason = "half a second at the most before a run begins; no event tells that a lock is free"
)]
fn pause() {
    std::thread::sleep(BETWEEN);
}
