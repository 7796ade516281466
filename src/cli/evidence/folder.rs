//! A folder that a stranger may have made: which files it holds, and their bytes. No link is followed, nothing but plain
//! files is opened, and nothing is read without a limit.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, statat};

use super::documents::LOGS;
use crate::model::printable;

/// Entries that are looked at at most.
const MAX_ENTRIES: usize = 1_000_000;
/// Longest text that is shown of what a stranger wrote.
const MAX_TEXT: usize = 300;

/// What is wrong with a folder, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct Fault {
    file: String,
    line: Option<u64>,
    why: String,
}

impl Fault {
    pub(super) fn file(file: &str, why: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            why: why.into(),
        }
    }

    pub(super) fn line(file: &str, line: u64, why: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::file(file, why)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.file, MAX_TEXT))?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", printable(&self.why, MAX_TEXT))
    }
}

/// Why a folder is not verified.
#[derive(Debug)]
pub(in crate::cli) enum NotVerified {
    /// The first thing that is wrong with it.
    Wrong(Fault),
    /// Something cannot be read, which says nothing of it.
    Unreadable(PathBuf, io::Error),
}

impl From<Fault> for NotVerified {
    fn from(fault: Fault) -> Self {
        Self::Wrong(fault)
    }
}

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, NotVerified> {
        let fd = openat(CWD, path, FOLDER, Mode::empty())
            .map_err(|e| NotVerified::Unreadable(path.to_owned(), e.into()))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// Where a file of it is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn unreadable(&self, name: &str, error: impl Into<io::Error>) -> NotVerified {
        NotVerified::Unreadable(self.path(name), error.into())
    }

    /// The names of all files, with `/` between their parts.
    pub(super) fn names(&self) -> Result<BTreeSet<String>, NotVerified> {
        let mut names = BTreeSet::new();
        let mut left = MAX_ENTRIES;
        self.walk(self.fd.as_fd(), "", &mut names, &mut left)?;
        Ok(names)
    }

    fn walk(
        &self,
        dir: BorrowedFd<'_>,
        within: &str,
        names: &mut BTreeSet<String>,
        left: &mut usize,
    ) -> Result<(), NotVerified> {
        let at = || within.trim_end_matches('/');
        let mut entries = Vec::new();
        for entry in Dir::read_from(dir).map_err(|e| self.unreadable(at(), e))? {
            let entry = entry.map_err(|e| self.unreadable(at(), e))?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                *left = left
                    .checked_sub(1)
                    .ok_or_else(|| Fault::file(at(), "it holds more files than are looked at"))?;
                entries.push(name.to_owned());
            }
        }
        entries.sort();
        for raw in entries {
            // What is no text is no name of the manifest either, and is shown as far as it can be.
            let name = format!("{within}{}", raw.to_string_lossy());
            let stat = statat(dir, &*raw, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|e| self.unreadable(&name, e))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => {
                    names.insert(name);
                }
                FileType::Directory if is_known_folder(&name) => {
                    let inner = openat(dir, &*raw, FOLDER | OFlags::NOFOLLOW, Mode::empty())
                        .map_err(|e| self.unreadable(&name, e))?;
                    let before = names.len();
                    self.walk(inner.as_fd(), &format!("{name}/"), names, left)?;
                    if names.len() == before {
                        return Err(Fault::file(&name, "it is an empty folder").into());
                    }
                }
                FileType::Directory => {
                    return Err(
                        Fault::file(&name, "it is a folder that does not belong here").into(),
                    );
                }
                FileType::Symlink => return Err(Fault::file(&name, "it is a symbolic link").into()),
                _ => return Err(Fault::file(&name, "it is no plain file").into()),
            }
        }
        Ok(())
    }

    /// Opens a file by its name, part by part.
    pub(super) fn file(&self, name: &str) -> Result<File, NotVerified> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let open = || -> rustix::io::Result<OwnedFd> {
            let mut dir: Option<OwnedFd> = None;
            let mut parts = name.split('/').peekable();
            loop {
                let at = dir.as_ref().map_or(self.fd.as_fd(), AsFd::as_fd);
                let part = parts.next().unwrap_or_default();
                if parts.peek().is_none() {
                    return openat(at, part, flags, Mode::empty());
                }
                let inner = openat(at, part, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
                dir = Some(inner);
            }
        };
        let file = open().map_err(|e| self.unreadable(name, e))?;
        let stat = fstat(&file).map_err(|e| self.unreadable(name, e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Fault::file(name, "it is no plain file").into());
        }
        Ok(file.into())
    }

    /// All of a file that is no larger than `limit`.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, NotVerified> {
        let mut bytes = Vec::new();
        let mut file = self.file(name)?.take(limit + 1);
        file.read_to_end(&mut bytes)
            .map_err(|e| self.unreadable(name, e))?;
        if bytes.len() as u64 > limit {
            return Err(Fault::file(name, "it is larger than such a file can be").into());
        }
        Ok(bytes)
    }

    /// Hands a file to `take`, piece by piece; stops where `take` says so.
    pub(super) fn stream(
        &self,
        name: &str,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), NotVerified> {
        let mut file = self.file(name)?;
        let mut piece = vec![0; 64 * 1024];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(n) if take(&piece[..n]) => {}
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.unreadable(name, e)),
            }
        }
    }
}

/// Whether a folder is the one of the logs, or one in it.
fn is_known_folder(name: &str) -> bool {
    match name.split_once('/') {
        None => name == LOGS,
        Some((first, rest)) => first == LOGS && !rest.contains('/'),
    }
}
