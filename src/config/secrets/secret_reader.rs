//! Reads a secret from a file or a pipe: its first line, up to a bound, into memory that is wiped. A file that others
//! may read is refused. `secret_store` says which sources there are.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::config::diagnostic::shown_path;
use crate::config::environment::unreadable;
use crate::config::toml::single_values::{ValueError, ValueResult};
use crate::model::Secret;

/// More than any passphrase or token; what goes on longer is not one.
pub(super) const LONGEST: usize = 64 * 1024;

/// Opens a secret file, and refuses one that others may read or that is no plain file. The open
/// file is what is judged, so that nobody can put another in its place in between.
pub(in crate::config) fn open(path: &Path) -> ValueResult<File> {
    let cannot = |e: &io::Error| unreadable(path, "secret file", e);
    // Opening a pipe or a device may block or have effects, so that what is plainly none is not opened.
    let seen = std::fs::metadata(path).map_err(|e| cannot(&e))?;
    is_plain(path, &seen)?;
    let file = File::open(path).map_err(|e| cannot(&e))?;
    let opened = file.metadata().map_err(|e| cannot(&e))?;
    is_plain(path, &opened)?;
    is_private(path, &opened)?;
    Ok(file)
}

fn is_plain(path: &Path, metadata: &std::fs::Metadata) -> ValueResult<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() {
        "a folder"
    } else {
        "no plain file"
    };
    Err(
        ValueError::new(format!("the secret file {} is {what}", shown_path(path)))
            .hint("name a file with the secret on its first line, or use { command = […] }"),
    )
}

#[cfg(unix)]
fn is_private(path: &Path, metadata: &std::fs::Metadata) -> ValueResult<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    let shown = shown_path(path);
    Err(ValueError::new(format!(
        "others may read the secret file {shown} (mode {mode:03o})"
    ))
    .hint(format!("keep it to yourself: chmod 600 {shown}")))
}

#[cfg(not(unix))]
fn is_private(_: &Path, _: &std::fs::Metadata) -> ValueResult<()> {
    Ok(())
}

/// The first line, without its end; `None` if there is nothing in it.
pub(super) fn first_line(bytes: &[u8]) -> Option<Secret> {
    let line = bytes.split(|b| *b == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (!line.is_empty()).then(|| Secret::new(line.to_vec()))
}

/// Everything there is, up to a bound, in one buffer that never moves: a buffer that grows would
/// leave copies behind that nobody wipes.
pub(super) fn read_bounded(from: &mut dyn Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; LONGEST + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    if filled > LONGEST {
        return Err(io::Error::other("more than 64 KiB, which is no secret"));
    }
    bytes.truncate(filled);
    Ok(bytes)
}
