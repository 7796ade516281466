//! Opens a secret file, and refuses one that others may read. `secret_store` reads it.

use std::fs::File;
use std::path::Path;

use crate::config::diagnostic::shown_path;
use crate::config::environment::unreadable;
use crate::config::toml::single_values::{ValueError, ValueResult};

/// Opens a secret file, and refuses one that others may read or that is no plain file. The open
/// file is what is judged, so that nobody can put another in its place in between.
pub(in crate::config) fn open(path: &Path) -> ValueResult<File> {
    let cannot = |e: &std::io::Error| unreadable(path, "secret file", e);
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
