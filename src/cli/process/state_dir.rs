//! The folder in which hemfleet keeps what outlives a run, for this user alone.
//! Must not: know what is kept there.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

/// `$XDG_STATE_HOME/hemfleet`, or `~/.local/state/hemfleet`; made where it is not there.
pub(in crate::cli) fn folder() -> io::Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))
        .ok_or_else(|| io::Error::other("no home folder, and no XDG_STATE_HOME"))?;
    let dir = state.join("hemfleet");
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    Ok(dir)
}
