//! A file that the kernel locks as long as its holder lives: it tells which process is at work on a run, or on a device
//! (`cli::device_locks`).
//!
//! The holder removes the file when it gives the lock up. Another process may have opened it before that, so a file is
//! checked once more after it is locked: a lock on a removed file means nothing. Files left by a killed process are removed
//! by the next one.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A lock that is held until dropped.
#[derive(Debug)]
pub(crate) struct HeldLock {
    file: File,
    path: PathBuf,
}

/// What came of trying to lock.
#[derive(Debug)]
pub(crate) enum LockAttempt {
    /// It is held now.
    Ours(HeldLock),
    /// Another one holds it, and says who it is in this file.
    Busy(PathBuf),
}

impl LockAttempt {
    /// Tries to lock the file at `path`, made where it is not there.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Self::Busy(path.to_path_buf())),
                Err(TryLockError::Error(e)) => return Err(e),
            }
            // Its holder may have removed it after it was opened here: then there is another one now.
            if is_at(&file, path) {
                return Ok(Self::Ours(HeldLock {
                    file,
                    path: path.to_path_buf(),
                }));
            }
        }
    }
}

impl HeldLock {
    /// Where the holder says who it is.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }
}

impl Drop for HeldLock {
    /// The file goes first, the lock with the descriptor.
    fn drop(&mut self) {
        if is_at(&self.file, &self.path) {
            // One that stays is removed by the next process.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens the file of a lock, made for its owner alone where it is not there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Whether a living process holds the lock at `path`. The look takes no lock away from anybody: it shares, for a moment.
pub(super) fn is_held(path: &Path) -> bool {
    match File::open(path).map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::WouldBlock)) => true,
        Ok(Ok(()) | Err(TryLockError::Error(_))) | Err(_) => false,
    }
}

/// Whether this very file stands at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    let same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(ours), Ok(there)) => same(&ours, &there),
        _ => false,
    }
}
