//! The log files that decided verdicts, beside the journal: compressed, each named by the SHA-256 of its bytes, whole or
//! not there, for their owner alone. Which run refers to which file stands in the run's messages
//! (`engine::LogSource`). What comes in is in `coming_log`, how much of it is kept in `limits`.

mod coming_log;
mod limits;
mod removal;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

pub use self::coming_log::ComingLog;
pub use self::limits::LogLimits;
pub use self::removal::Removed;
use crate::engine::KeptFile;
use crate::model::hex;

/// What a file's name begins with before it is whole.
const PARTIAL: &str = ".partial-";

/// The folder of kept log files.
#[derive(Clone, Debug)]
pub struct LogFiles {
    dir: Arc<PathBuf>,
    limits: LogLimits,
    /// How much is kept, once it has been counted.
    used: Arc<Mutex<Option<u64>>>,
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
