//! Removes the files that nobody needs any more. Which ones runs refer to is in `log_references`.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::{LogFiles, hash_of};

/// How long a file to which no run refers is left alone: a run that is going on may be about to refer to it.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// What [`LogFiles::remove_unused`] removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    /// How many files.
    pub files: usize,
    /// How much room they took, in bytes.
    pub bytes: u64,
}

impl LogFiles {
    /// Removes the files that are not among `used`, and what killed processes left.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or a file not be removed.
    pub fn remove_unused(&self, used: &HashSet<[u8; 32]>, now: Timestamp) -> io::Result<Removed> {
        let before = SystemTime::from(now) - GRACE;
        let mut removed = Removed::default();
        self.each(&mut |path, meta| {
            let wanted = hash_of(path).is_some_and(|sha256| used.contains(&sha256));
            if wanted || meta.modified()? > before {
                return Ok(());
            }
            match fs::remove_file(path) {
                // Somebody else prunes as well.
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            }
            removed.files += 1;
            removed.bytes += meta.len();
            Ok(())
        })?;
        // Counted anew.
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(removed)
    }
}
