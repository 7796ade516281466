//! Files that outlive a command: private, complete or absent, and never written over another file unless that is asked
//! for. Also the folder in which hemfleet keeps its own.

use std::fs::{DirBuilder, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Makes a folder that nobody else may enter; one that is there already stays as it is.
pub(in crate::cli) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The folder for what outlives a run: `$XDG_STATE_HOME/hemfleet`, or `~/.local/state/hemfleet`; made if it is missing.
pub(in crate::cli) fn state_folder() -> io::Result<PathBuf> {
    let dir = state_folder_path()?;
    folder(&dir)?;
    Ok(dir)
}

/// Where that folder is, or would be.
pub(in crate::cli) fn state_folder_path() -> io::Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))
        .ok_or_else(|| io::Error::other("no home folder, and no XDG_STATE_HOME"))?;
    Ok(state.join("hemfleet"))
}

/// Writes `bytes` to a new file, for its owner alone.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] where the name is taken.
pub(in crate::cli) fn new_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut file = PartialFile::new(dir.unwrap_or(Path::new(".")))?;
    file.write(bytes)?;
    file.file.as_file().sync_all()?;
    file.file.persist_noclobber(path)?;
    Ok(())
}

/// A file that has no name of its own before it is whole, for its owner alone; dropped before that it is gone.
#[derive(Debug)]
pub(in crate::cli) struct PartialFile {
    file: NamedTempFile,
    dir: PathBuf,
}

impl PartialFile {
    /// Begins one in `dir`, which is made if it is not there.
    pub(in crate::cli) fn new(dir: &Path) -> io::Result<Self> {
        folder(dir)?;
        Ok(Self {
            // What a killed process leaves says whose it is.
            file: tempfile::Builder::new()
                .prefix(".hemfleet-")
                .tempfile_in(dir)?,
            dir: dir.to_owned(),
        })
    }

    /// Adds to its end.
    pub(in crate::cli) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Another handle of it, for a thread that writes.
    pub(in crate::cli) fn handle(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Names it `path`, in the folder that it was begun in. A file of that name is replaced at once, never half.
    pub(in crate::cli) fn replace(self, path: &Path) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(path)?;
        // The name, too, outlives a power cut; a file system that cannot promise that has done what it can.
        let _ = File::open(&self.dir).and_then(|dir| dir.sync_all());
        Ok(())
    }

    /// Names it `{stem}.{ending}`, or `{stem}.2.{ending}` and so on where that name has other contents. The
    /// path, and whether the file is new; where one has these very contents already, that one's path, and this
    /// is dropped.
    pub(in crate::cli) fn persist_unique(
        self,
        stem: &str,
        ending: &str,
    ) -> io::Result<(PathBuf, bool)> {
        self.file.as_file().sync_all()?;
        let mut file = self.file;
        let mut n = 1;
        loop {
            let name = match n {
                1 => format!("{stem}.{ending}"),
                n => format!("{stem}.{n}.{ending}"),
            };
            let path = self.dir.join(name);
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok((path, true)),
                Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                    if same(e.file.path(), &path).unwrap_or(false) {
                        return Ok((path, false));
                    }
                    file = e.file;
                    n += 1;
                }
                Err(e) => return Err(e.error),
            }
        }
    }
}

/// [`PartialFile::persist_unique`] for bytes that are there already.
pub(in crate::cli) fn persist_unique(
    dir: &Path,
    stem: &str,
    ending: &str,
    bytes: &[u8],
) -> io::Result<(PathBuf, bool)> {
    let mut file = PartialFile::new(dir)?;
    file.write(bytes)?;
    file.persist_unique(stem, ending)
}

/// Whether two files have the same contents; neither is held in memory.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let n = left.len().min(right.len());
        if left[..n] != right[..n] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        one.consume(n);
        other.consume(n);
    }
}

/// A folder's or file's name for any text: what is no letter, digit, `-`, `_` or inner dot is written
/// `%XX`, so that no name leads out of its folder and no two become one.
pub(in crate::cli) fn file_name(text: &str) -> String {
    use std::fmt::Write as _;
    let mut name = String::new();
    for (n, byte) in text.bytes().enumerate() {
        match byte {
            b'.' if n > 0 => name.push('.'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            other => {
                let _ = write!(name, "%{other:02X}");
            }
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        for (text, name) in [
            ("vault-01", "vault-01"),
            ("..", "%2E."),
            ("a/b", "a%2Fb"),
            ("/etc/x", "%2Fetc%2Fx"),
            ("ż 1.2", "%C5%BC%201.2"),
            ("%2E.", "%252E."),
        ] {
            assert_eq!(file_name(text), name);
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let keep = |bytes: &[u8]| {
            let mut file = PartialFile::new(dir.path()).unwrap();
            for piece in bytes.chunks(3) {
                file.write(piece).unwrap();
            }
            file.persist_unique("62310ba5", "log").unwrap()
        };
        assert_eq!(keep(b"a"), (path("62310ba5.log"), true));
        assert_eq!(keep(b"ab"), (path("62310ba5.2.log"), true));
        assert_eq!(keep(b"a"), (path("62310ba5.log"), false));
        assert_eq!(keep(b"ab"), (path("62310ba5.2.log"), false));
        let long = [b"x".repeat(20_000), b"y".to_vec()].concat();
        assert_eq!(keep(&long), (path("62310ba5.3.log"), true));
        assert_eq!(keep(&b"x".repeat(20_001)), (path("62310ba5.4.log"), true));
        assert_eq!(keep(&long), (path("62310ba5.3.log"), false));
        drop(PartialFile::new(dir.path()).unwrap());
        let there = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(there, 4, "nothing else is left behind");
        let mode = std::fs::metadata(path("62310ba5.log"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
