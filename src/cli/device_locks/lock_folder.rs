//! The folder of the lock files: one for each way to a device. How a file is locked is in `journal::lock_file`.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::journal::lock_file::{LockAttempt, open};
use crate::model::Reach;

/// Held while locks are being taken, so that one process at a time does it: of two that want the same
/// devices exactly one gets them, and sweeping does not look like holding.
const GATE: &str = "gate";

/// How the files of locks end.
const ENDING: &str = ".lock";

/// How long the gate may be closed: 20,000 locks on a busy machine take seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is tried.
const RETRY: Duration = Duration::from_millis(20);

/// The folder of the locks, entered by this process alone until it is dropped.
pub(super) struct Folder {
    path: PathBuf,
    _gate: File,
}

impl Folder {
    /// Makes the folder where it is not there, and waits at its gate.
    ///
    /// # Errors
    ///
    /// The folder is somebody else's or cannot be written to, or the gate stays closed.
    pub(super) fn enter(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let found = path.metadata()?;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("the folder belongs to somebody else"));
        }
        if found.mode() & 0o077 != 0 {
            std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
        }
        let gate = open(&path.join(GATE))?;
        for _ in 0..PATIENCE.as_millis() / RETRY.as_millis() {
            match gate.try_lock() {
                Ok(()) => {
                    return Ok(Self {
                        path: path.to_path_buf(),
                        _gate: gate,
                    });
                }
                Err(TryLockError::WouldBlock) => pause(),
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
        Err(io::Error::other(format!(
            "another hemfleet has been locking devices for {} s; is it stopped?",
            PATIENCE.as_secs()
        )))
    }

    /// Locks the device at `same_device`, unless another process does.
    pub(super) fn lock(&self, reach: &Reach) -> io::Result<LockAttempt> {
        LockAttempt::of(&self.path.join(file_name(reach)))
    }

    /// Removes the files of runs that were killed. What cannot be removed stays: it does no harm.
    pub(super) fn sweep(&self) {
        let Ok(entries) = self.path.read_dir() else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if is_lock(&name.to_string_lossy())
                && let Ok(LockAttempt::Ours(left)) = LockAttempt::of(&entry.path())
            {
                drop(left);
            }
        }
    }
}

/// Whether no more files can be opened, by this process or by the system.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    is(Errno::MFILE) || is(Errno::NFILE)
}

/// A name that no spelling of a host can be anything else than a name by.
fn file_name(reach: &Reach) -> String {
    use std::fmt::Write as _;
    let mut name = String::new();
    for byte in &Sha256::digest(reach.as_str().as_bytes())[..16] {
        let _ = write!(name, "{byte:02x}");
    }
    name + ENDING
}

/// Whether a file of this name is a lock.
pub(super) fn is_lock(name: &str) -> bool {
    name.strip_suffix(ENDING)
        .is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "on a thread for blocking work, at a gate that no event tells of"
)]
fn pause() {
    std::thread::sleep(RETRY);
}
