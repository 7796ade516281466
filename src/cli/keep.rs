//! Files that outlive a command: private, whole or not there at all, and never over another one.
//! Must not: know what is in them.

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Makes a folder that nobody else may enter; one that is there already stays as it is.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes `bytes` to a new file, for its owner alone.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] where the name is taken.
pub(super) fn new_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty());
    // 0600 by its own making, and whole before it has its name.
    let mut file = tempfile::NamedTempFile::new_in(dir.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// Writes `bytes` to `{stem}.{ending}`, or to `{stem}.2.{ending}` and so on where that name has other
/// contents. The path, and whether the file is new.
pub(super) fn beside_others(
    dir: &Path,
    stem: &str,
    ending: &str,
    bytes: &[u8],
) -> io::Result<(PathBuf, bool)> {
    let mut n = 1;
    loop {
        let name = match n {
            1 => format!("{stem}.{ending}"),
            n => format!("{stem}.{n}.{ending}"),
        };
        let path = dir.join(name);
        match new_file(&path, bytes) {
            Ok(()) => return Ok((path, true)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                if std::fs::read(&path).is_ok_and(|there| there == bytes) {
                    return Ok((path, false));
                }
                n += 1;
            }
            Err(e) => return Err(e),
        }
    }
}

/// A folder's or file's name for any text: what is no letter, digit, `-`, `_` or inner dot is written
/// `%XX`, so that no name leads out of its folder and no two become one.
pub(super) fn file_name(text: &str) -> String {
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
        let keep = |bytes: &[u8]| beside_others(dir.path(), "62310ba5", "log", bytes).unwrap();
        assert_eq!(keep(b"a"), (path("62310ba5.log"), true));
        assert_eq!(keep(b"ab"), (path("62310ba5.2.log"), true));
        assert_eq!(keep(b"a"), (path("62310ba5.log"), false));
        assert_eq!(keep(b"ab"), (path("62310ba5.2.log"), false));
        let mode = std::fs::metadata(path("62310ba5.log"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
