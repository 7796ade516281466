//! A log file that does not grow for ever: once it is full it becomes `FILE.1`, what was `FILE.1` becomes `FILE.2`, and so
//! on up to the last one that is kept. Several processes may write to the same log.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// A file of this size, in bytes, is full.
const FULL: u64 = 10 * 1024 * 1024;

/// How many full files are kept beside the one that is written to.
const KEPT: u32 = 4;

/// The file.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    full: u64,
    /// Whether what was written last ended its line: a file ends with a whole one.
    at_line_end: bool,
}

impl LogFile {
    /// Opens it at its end; a new one is for its owner alone.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_size(path, FULL)
    }

    fn with_size(path: &Path, full: u64) -> io::Result<Self> {
        let file = append(path, 0o600)?;
        // A link stays one: what it leads to is what becomes full.
        let path = path.canonicalize()?;
        Ok(Self {
            path,
            file,
            full,
            at_line_end: true,
        })
    }

    /// The open file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes sure that `file` is the one of this name, and not full. Where that cannot be, what is open is written to:
    /// a line in a file that is too large is better than a lost one.
    fn turn(&mut self) -> io::Result<()> {
        let open = self.file.metadata()?;
        if !open.is_file() {
            return Ok(());
        }
        if !self.is_named(&open) {
            // Another process has turned it, or somebody has moved it away.
            self.file = append(&self.path, mode(&open))?;
            return self.turn_if_full();
        }
        self.turn_if_full()
    }

    fn turn_if_full(&mut self) -> io::Result<()> {
        let open = self.file.metadata()?;
        if open.len() < self.full {
            return Ok(());
        }
        // Of several processes one turns it; the others find out before their next line.
        if flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(());
        }
        if self.is_named(&open) {
            for n in (1..KEPT).rev() {
                match std::fs::rename(self.numbered(n), self.numbered(n + 1)) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
            std::fs::rename(&self.path, self.numbered(1))?;
        }
        // The lock goes with the file that it is on.
        self.file = append(&self.path, mode(&open))?;
        Ok(())
    }

    /// Whether this open file is the one that has the name.
    fn is_named(&self, open: &Metadata) -> bool {
        let same = |named: Metadata| (named.dev(), named.ino()) == (open.dev(), open.ino());
        std::fs::metadata(&self.path).is_ok_and(same)
    }

    fn numbered(&self, n: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{n}"));
        name.into()
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.at_line_end && self.turn().is_err() {
            // Not before each line: it will hardly go better then.
            self.full = self.full.saturating_add(FULL);
            let _ = flock(&self.file, FlockOperation::Unlock);
        }
        let n = self.file.write(bytes)?;
        self.at_line_end = bytes[..n].ends_with(b"\n");
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(mode)
        .open(path)
}

fn mode(of: &Metadata) -> u32 {
    of.permissions().mode() & 0o777
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_makes_room_and_only_so_many_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogFile::with_size(&path, 10).unwrap();
        for n in 0..8 {
            writeln!(log, "line {n} of many").unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("log"), "line 7 of many\n");
        assert_eq!(read("log.1"), "line 6 of many\n");
        assert_eq!(read("log.4"), "line 3 of many\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 5);
        for file in ["log", "log.4"] {
            let meta = std::fs::metadata(dir.path().join(file)).unwrap();
            assert_eq!(mode(&meta), 0o600);
        }
    }

    #[test]
    fn two_writers_lose_nothing_and_tear_no_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        // Few enough to be kept all, whoever turns the file.
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let mut log = LogFile::with_size(&path, 4000).unwrap();
                std::thread::spawn(move || {
                    for n in 0..400 {
                        let line = format!("writer {writer} line {n:03}\n");
                        log.write_all(line.as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        let files = std::fs::read_dir(dir.path()).unwrap();
        let text: String = files
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 800);
        assert!(
            lines
                .iter()
                .all(|line| line.len() == "writer 0 line 000".len())
        );
        assert!(dir.path().join("log.1").is_file());
    }

    #[test]
    fn a_line_that_comes_in_pieces_stays_in_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogFile::with_size(&path, 10).unwrap();
        log.write_all(b"a long line, ").unwrap();
        log.write_all(b"and its end\n").unwrap();
        log.write_all(b"next\n").unwrap();
        let whole = std::fs::read_to_string(dir.path().join("log.1")).unwrap();
        assert_eq!(whole, "a long line, and its end\n");
    }

    #[test]
    fn where_it_cannot_be_turned_it_is_written_to_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        // A folder stands where the oldest file would go.
        std::fs::create_dir(dir.path().join("log.4")).unwrap();
        std::fs::write(dir.path().join("log.3"), "").unwrap();
        let mut log = LogFile::with_size(&path, 1).unwrap();
        for n in 0..3 {
            writeln!(log, "{n}").unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "0\n1\n2\n");
    }
}
