//! Hands the log files that decide verdicts from the engine to the folder beside the journal.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::device::RawLog;
use crate::engine::{HeldLog, KeptFile, LogHolder};
use crate::journal::{ComingLog, LogFiles};
use crate::model::{DeviceId, LogId};

/// Keeps the files that decide in this folder.
#[derive(Debug)]
pub(super) struct KeptLogs(pub(super) LogFiles);

impl LogHolder for KeptLogs {
    fn hold(&self, _: &DeviceId, _: &LogId, _: &Bytes) -> (Box<dyn RawLog>, Box<dyn HeldLog>) {
        let place = Arc::new(Mutex::new(Place::Wanted(self.0.clone())));
        (Box::new(Coming(Arc::clone(&place))), Box::new(Held(place)))
    }
}

/// Where a file is on its way to the disk.
enum Place {
    /// Nothing has come. The file is made with the first byte, by who may block.
    Wanted(LogFiles),
    Coming(ComingLog),
    /// It has come, whole or cut short.
    Here(ComingLog, bool),
    Gone,
}

impl Place {
    fn begun(self) -> io::Result<ComingLog> {
        match self {
            Self::Wanted(files) => files.begin(),
            Self::Coming(log) => Ok(log),
            Self::Here(..) | Self::Gone => Err(io::Error::other("it has come already")),
        }
    }
}

type Shared = Arc<Mutex<Place>>;

fn take(place: &Shared) -> Place {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    mem::replace(&mut *place, Place::Gone)
}

fn put(place: &Shared, now: Place) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

/// The end that the bytes come in at.
struct Coming(Shared);

impl RawLog for Coming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut log = take(&self.0).begun()?;
        log.write(bytes)?;
        put(&self.0, Place::Coming(log));
        Ok(())
    }

    fn keep(self: Box<Self>, whole: bool) -> io::Result<()> {
        // An empty file decides as well: it verifies nothing.
        let log = take(&self.0).begun()?;
        put(&self.0, Place::Here(log, whole));
        Ok(())
    }
}

/// The end that is told to keep them.
struct Held(Shared);

impl HeldLog for Held {
    fn keep(self: Box<Self>) -> io::Result<KeptFile> {
        match take(&self.0) {
            Place::Here(log, whole) => log.keep(whole),
            _ => Err(io::Error::other("it did not come to its end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_if_it_decides_and_else_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal.db");
        let files = LogFiles::beside(&journal);
        let logs = KeptLogs(files.clone());
        let id = LogId::new("62310ba5").unwrap();
        let new = || logs.hold(&DeviceId::new("a"), &id, &Bytes::new());
        let left = || std::fs::read_dir(dir.path().join("journal.db.logs")).unwrap();

        let (mut raw, held) = new();
        raw.write(b"one ").unwrap();
        raw.write(b"two").unwrap();
        raw.keep(false).unwrap();
        let kept = held.keep().unwrap();
        assert_eq!((kept.bytes, kept.whole), (7, false));
        let mut back = Vec::new();
        files.copy(&kept, &mut back).unwrap();
        assert_eq!(back, b"one two");
        assert_eq!(left().count(), 1);

        // Read, and not decided.
        let (mut raw, held) = new();
        raw.write(b"other").unwrap();
        raw.keep(true).unwrap();
        drop(held);
        // Broken off.
        let (mut raw, held) = new();
        raw.write(b"other").unwrap();
        drop(raw);
        assert!(held.keep().is_err());
        assert_eq!(left().count(), 1);

        let (raw, held) = new();
        raw.keep(true).unwrap();
        assert_eq!(held.keep().unwrap().bytes, 0);
    }
}
