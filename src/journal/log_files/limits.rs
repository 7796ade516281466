//! How much is kept, and whether there is room for more.

use std::io;
use std::sync::PoisonError;

use super::{LogFiles, hash_of};
use crate::model::human_bytes;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct LogLimits {
    /// The largest file, in bytes as it came.
    pub file: u64,
    /// The same, compressed.
    pub compressed: u64,
    /// All files together, compressed. Processes that write at once may each count without the other.
    pub total: u64,
    /// What stays free on the disk, for the journal itself: an install waits for that one.
    pub free: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            file: 64 * MIB,
            compressed: 16 * MIB,
            total: 2048 * MIB,
            free: 64 * MIB,
        }
    }
}

impl LogFiles {
    /// Whether so many bytes more may be kept.
    pub(super) fn ensure_room(&self, more: u64) -> io::Result<()> {
        let disk = rustix::fs::statvfs(&*self.dir)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.limits.free.saturating_add(more) {
            return Err(io::Error::other("the disk is nearly full"));
        }
        let used = self.used()?;
        if used.saturating_add(more) > self.limits.total {
            return Err(io::Error::other(format!(
                "log files take {} already, and no more is kept; hemfleet history prune makes room",
                human_bytes(used)
            )));
        }
        Ok(())
    }

    /// Takes room for a file.
    pub(super) fn count(&self, more: u64) -> io::Result<()> {
        self.ensure_room(more)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.map(|used| used + more);
        Ok(())
    }

    fn used(&self) -> io::Result<u64> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = *used {
            return Ok(used);
        }
        let mut sum = 0;
        self.each(&mut |path, meta| {
            sum += hash_of(path).map_or(0, |_| meta.len());
            Ok(())
        })?;
        *used = Some(sum);
        Ok(sum)
    }
}
