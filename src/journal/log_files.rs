//! The log files that decided verdicts, beside the journal: compressed, each named by the SHA-256 of its bytes, whole or
//! not there, for their owner alone. Which run refers to which file stands in the run's messages
//! (`engine::LogSource`).

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::engine::KeptFile;
use crate::model::{hex, human_bytes};

/// What a file's name begins with before it is whole.
const PARTIAL: &str = ".partial-";
/// How long a file to which no run refers is left alone: a run that is going on may be about to refer to it.
const GRACE: Duration = Duration::from_secs(24 * 3600);

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

/// The folder of kept log files.
#[derive(Clone, Debug)]
pub struct LogFiles {
    dir: Arc<PathBuf>,
    limits: LogLimits,
    /// How much is kept, once it has been counted.
    used: Arc<Mutex<Option<u64>>>,
}

/// What [`LogFiles::remove_unused`] removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    /// How many files.
    pub files: usize,
    /// How much room they took, in bytes.
    pub bytes: u64,
}

/// Why a kept file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LogFileError {
    /// It cannot be read, or what it is copied to cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what it was.
    #[error("the kept file is damaged")]
    Damaged,
}

impl LogFiles {
    /// The folder beside this journal. It is made with the first file.
    pub fn beside(journal: &Path) -> Self {
        let mut name = OsString::from(journal);
        name.push(".logs");
        Self::within(name.into(), LogLimits::default())
    }

    /// This folder, with other limits.
    pub fn within(dir: PathBuf, limits: LogLimits) -> Self {
        Self {
            dir: Arc::new(dir),
            limits,
            used: Arc::default(),
        }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// A file that is about to come.
    ///
    /// # Errors
    ///
    /// There is no room for it, or the folder cannot be written to.
    pub fn begin(&self) -> io::Result<ComingLog> {
        private_folder(&self.dir)?;
        self.ensure_room(0)?;
        let file = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempfile_in(&*self.dir)?;
        let bounded = Bounded {
            file,
            written: 0,
            limit: self.limits.compressed,
        };
        Ok(ComingLog {
            files: self.clone(),
            to: GzEncoder::new(bounded, Compression::default()),
            hash: Sha256::new(),
            bytes: 0,
        })
    }

    /// Copies a kept file, piece by piece.
    ///
    /// # Errors
    ///
    /// It is not there, or is not what it was; a part of it may have been copied then.
    pub fn copy(&self, kept: &KeptFile, to: &mut impl Write) -> Result<(), LogFileError> {
        let mut from = MultiGzDecoder::new(File::open(self.path(&kept.sha256))?);
        let (mut hash, mut left) = (Sha256::new(), kept.bytes);
        let mut piece = vec![0; 64 * 1024];
        loop {
            let n = match from.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                // What gzip calls wrong in various ways.
                Err(e) if e.raw_os_error().is_none() => return Err(LogFileError::Damaged),
                Err(e) => return Err(e.into()),
            };
            // A damaged file may unpack to anything.
            left = left.checked_sub(n as u64).ok_or(LogFileError::Damaged)?;
            hash.update(&piece[..n]);
            to.write_all(&piece[..n])?;
        }
        let same = left == 0 && <[u8; 32]>::from(hash.finalize()) == kept.sha256;
        same.then_some(()).ok_or(LogFileError::Damaged)
    }

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

    /// Shows each file that is kept or was about to be, and no other.
    fn each(&self, see: &mut impl FnMut(&Path, &fs::Metadata) -> io::Result<()>) -> io::Result<()> {
        for entry in entries(&self.dir)? {
            if entry.file_type()?.is_dir() {
                for kept in entries(&entry.path())? {
                    if hash_of(&kept.path()).is_some() {
                        see_if_there(&kept, see)?;
                    }
                }
            } else if entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(PARTIAL.as_bytes())
            {
                see_if_there(&entry, see)?;
            }
        }
        Ok(())
    }

    /// Two digits of the hash name a folder, so that none becomes too long to look through.
    fn path(&self, sha256: &[u8; 32]) -> PathBuf {
        let name = hex(sha256);
        let (folder, file) = name.split_at(2);
        self.dir.join(folder).join(format!("{file}.gz"))
    }

    /// Whether so many bytes more may be kept.
    fn ensure_room(&self, more: u64) -> io::Result<()> {
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
    fn count(&self, more: u64) -> io::Result<()> {
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

/// A file on its way. Dropped before it is kept, nothing of it is left.
#[derive(Debug)]
pub struct ComingLog {
    files: LogFiles,
    to: GzEncoder<Bounded>,
    hash: Sha256,
    bytes: u64,
}

impl ComingLog {
    /// Takes in the next bytes.
    ///
    /// # Errors
    ///
    /// It becomes too large, or cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.files.limits.file {
            return Err(too_large(self.files.limits.file));
        }
        self.hash.update(bytes);
        self.to.write_all(bytes)
    }

    /// Keeps it, of which all came or not. Once this returns, it outlives a power cut.
    ///
    /// # Errors
    ///
    /// There is no room for it, or it cannot be written.
    pub fn keep(self, whole: bool) -> io::Result<KeptFile> {
        let Bounded { file, written, .. } = self.to.finish()?;
        let sha256 = self.hash.finalize().into();
        let path = self.files.path(&sha256);
        let folder = path.parent().unwrap_or(&self.files.dir);
        if !path.exists() {
            self.files.count(written)?;
        }
        private_folder(folder)?;
        file.as_file().sync_all()?;
        // One of that name has the same bytes, unless it was damaged; and it is used again as of now.
        file.persist(&path)?;
        for dir in [folder, &self.files.dir] {
            // A file system that cannot promise that a name outlives a power cut has done what it can.
            let _ = File::open(dir).and_then(|dir| dir.sync_all());
        }
        Ok(KeptFile {
            sha256,
            bytes: self.bytes,
            whole,
        })
    }
}

/// A file that does not grow beyond its limit.
#[derive(Debug)]
struct Bounded {
    file: NamedTempFile,
    written: u64,
    limit: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written.saturating_add(bytes.len() as u64) > self.limit {
            return Err(too_large(self.limit));
        }
        let n = self.file.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::other(format!(
        "larger than the {} that are kept",
        human_bytes(limit)
    ))
}

/// Makes a folder that nobody else may enter; one that is there already stays as it is.
fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// What is in a folder; nothing where it is not there.
fn entries(dir: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read?.collect(),
    }
}

/// One that is gone meanwhile is not shown.
fn see_if_there(
    entry: &fs::DirEntry,
    see: &mut impl FnMut(&Path, &fs::Metadata) -> io::Result<()>,
) -> io::Result<()> {
    match entry.metadata() {
        Ok(meta) if meta.is_file() => see(&entry.path(), &meta),
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// The hash by which a kept file is named.
fn hash_of(path: &Path) -> Option<[u8; 32]> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let file = path.file_name()?.to_str()?.strip_suffix(".gz")?;
    if folder.len() != 2 || file.len() != 62 {
        return None;
    }
    parse_hash(&[folder, file].concat())
}

/// The hash that is written in these 64 digits.
pub(super) fn parse_hash(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 {
        return None;
    }
    let mut sha256 = [0; 32];
    for (byte, pair) in sha256.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(sha256)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn limits() -> LogLimits {
        LogLimits {
            free: 0,
            ..LogLimits::default()
        }
    }

    fn keep(files: &LogFiles, bytes: &[u8]) -> io::Result<KeptFile> {
        let mut log = files.begin()?;
        for piece in bytes.chunks(1000) {
            log.write(piece)?;
        }
        log.keep(true)
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = entries(dir)
            .unwrap()
            .iter()
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Bytes that no compression makes smaller.
    fn noise(n: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24).to_le_bytes()[0]
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn a_file_comes_back_as_it_was_and_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let files = LogFiles::within(home.path().join("journal.db.logs"), limits());
        let text = b"1|2|3|0|U||mac\n".repeat(10_000);
        let kept = keep(&files, &text).unwrap();
        assert_eq!((kept.bytes, kept.whole), (150_000, true));
        let path = files.path(&kept.sha256);
        assert_eq!(hash_of(&path), Some(kept.sha256));
        assert!(fs::metadata(&path).unwrap().len() < 10_000, "compressed");
        assert_eq!((mode(&path), mode(&files.dir)), (0o600, 0o700));
        assert_eq!(mode(path.parent().unwrap()), 0o700);

        let mut back = Vec::new();
        files.copy(&kept, &mut back).unwrap();
        assert!(back == text);
        // The same once more takes no more room.
        assert_eq!(keep(&files, &text).unwrap(), kept);
        assert_eq!(names(&files.dir).len(), 1);
        let empty = keep(&files, b"").unwrap();
        files.copy(&empty, &mut Vec::new()).unwrap();
    }

    #[test]
    fn a_file_that_is_not_kept_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let files = LogFiles::within(home.path().join("logs"), limits());
        let mut log = files.begin().unwrap();
        log.write(b"some").unwrap();
        drop(log);
        assert_eq!(names(&files.dir), [""; 0]);
    }

    #[test]
    fn limits_hold_and_are_named() {
        let home = tempfile::tempdir().unwrap();
        let small = LogLimits {
            file: 300_000,
            compressed: 100_000,
            total: 150_000,
            free: 0,
        };
        let files = LogFiles::within(home.path().join("logs"), small);
        let why = |bytes: &[u8]| keep(&files, bytes).unwrap_err().to_string();
        assert!(why(&b"x".repeat(300_001)).contains("larger than the"));
        assert!(why(&noise(200_000)).contains("larger than the"));
        keep(&files, &noise(90_000)).unwrap();
        assert!(why(&noise(80_000)).contains("hemfleet history prune"));
        // What is there counts in the next process, too.
        let files = LogFiles::within(home.path().join("logs"), small);
        let why = keep(&files, &noise(80_000)).unwrap_err().to_string();
        assert!(why.contains("hemfleet history prune"), "{why}");
        keep(&files, &noise(90_000)).unwrap();
        assert_eq!(names(&files.dir).len(), 1);
        let full = LogLimits {
            free: u64::MAX,
            ..small
        };
        let files = LogFiles::within(home.path().join("logs"), full);
        let why = files.begin().unwrap_err().to_string();
        assert_eq!(why, "the disk is nearly full");
    }

    #[test]
    fn damage_is_found() {
        let home = tempfile::tempdir().unwrap();
        let files = LogFiles::within(home.path().join("logs"), limits());
        let kept = keep(&files, &noise(5000)).unwrap();
        let path = files.path(&kept.sha256);
        let good = fs::read(&path).unwrap();
        let mut damaged = vec![good[..good.len() / 2].to_vec(), Vec::new()];
        for n in [0, 20, good.len() / 2, good.len() - 2] {
            let mut bytes = good.clone();
            bytes[n] ^= 0x10;
            damaged.push(bytes);
        }
        damaged.push([good.clone(), good.clone()].concat());
        for bytes in damaged {
            fs::write(&path, bytes).unwrap();
            let copied = files.copy(&kept, &mut Vec::new());
            assert!(matches!(copied, Err(LogFileError::Damaged)), "{copied:?}");
        }
        fs::remove_file(&path).unwrap();
        let copied = files.copy(&kept, &mut Vec::new());
        assert!(matches!(copied, Err(LogFileError::Io(_))), "{copied:?}");
        // Kept again, it is whole again.
        fs::write(&path, b"").unwrap();
        keep(&files, &noise(5000)).unwrap();
        files.copy(&kept, &mut Vec::new()).unwrap();
    }

    #[test]
    fn what_no_run_refers_to_goes_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let files = LogFiles::within(home.path().join("logs"), limits());
        let remove = |used: &HashSet<_>, now| files.remove_unused(used, now).unwrap();
        let nothing = Removed::default();
        assert_eq!(remove(&HashSet::new(), Timestamp::UNIX_EPOCH), nothing);
        let used = keep(&files, b"used").unwrap();
        let unused = keep(&files, b"unused").unwrap();
        fs::write(files.dir.join("notes.txt"), "a person's").unwrap();
        fs::write(files.dir.join(".partial-x"), "a killed process's").unwrap();
        let runs = HashSet::from([used.sha256]);
        // New ones may be about to be referred to.
        let newest = fs::metadata(files.dir.join(".partial-x")).unwrap();
        let newest = Timestamp::try_from(newest.modified().unwrap()).unwrap();
        assert_eq!(remove(&runs, newest), nothing);
        let tomorrow = newest + Duration::from_secs(25 * 3600);
        assert_eq!(remove(&runs, tomorrow).files, 2);
        assert!(!files.path(&unused.sha256).exists());
        assert!(!files.dir.join(".partial-x").exists());
        assert!(files.dir.join("notes.txt").exists());
        files.copy(&used, &mut Vec::new()).unwrap();
    }
}
