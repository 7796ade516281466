//! The private folder of a demo. It is marked while its demo lives; a later demo removes the folders of killed ones, and
//! touches nothing but demo folders of this user.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use tempfile::TempDir;

/// How the names of these folders begin; six letters and digits follow.
const PREFIX: &str = "hemfleet-demo-";

/// The file that the living demo holds a lock of.
const ALIVE: &str = "alive";

/// No demo makes its folder for that long without marking it: it was killed on the way.
const UNMARKED: Duration = Duration::from_secs(24 * 60 * 60);

/// Removed when dropped.
pub(super) struct DemoFolder {
    dir: TempDir,
    _alive: File,
}

impl DemoFolder {
    /// Makes one among the system's temporary files, and removes those that killed demos left there.
    pub(super) fn make() -> io::Result<Self> {
        Self::make_in(&std::env::temp_dir())
    }

    fn make_in(base: &Path) -> io::Result<Self> {
        sweep(base);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)?;
        // Locked before it has its name: nobody ever finds the mark of a living demo unlocked.
        let unnamed = dir.path().join("starting");
        let alive = File::create_new(&unnamed)?;
        alive.try_lock()?;
        fs::rename(unnamed, dir.path().join(ALIVE))?;
        Ok(Self { dir, _alive: alive })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn sweep(base: &Path) {
    let Ok(entries) = base.read_dir() else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let path = entry.path();
        if is_demo_folder(&name.to_string_lossy())
            && let Some(_left) = leftover(&path)
        {
            match fs::remove_dir_all(&path) {
                Ok(()) => {
                    tracing::info!(folder = %path.display(), "removed what a killed demo left");
                }
                Err(error) => {
                    tracing::warn!(folder = %path.display(), %error, "cannot remove what a killed demo left");
                }
            }
        }
    }
}

fn is_demo_folder(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|tail| tail.len() == 6 && tail.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// What a killed demo left: its lock, where it got as far as having one, held so that nobody else removes it.
struct Leftover {
    _lock: Option<File>,
}

/// Whether a folder belongs to no living demo any more.
fn leftover(folder: &Path) -> Option<Leftover> {
    let found = folder.symlink_metadata().ok()?;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if !found.is_dir() || !ours || found.mode() & 0o077 != 0 {
        return None;
    }
    let nofollow = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let alive = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(nofollow).ok()?)
        .open(folder.join(ALIVE));
    match alive {
        Ok(alive) => {
            alive.try_lock().ok()?;
            Some(Leftover { _lock: Some(alive) })
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let age = found.modified().ok()?.elapsed().ok()?;
            (age > UNMARKED).then_some(Leftover { _lock: None })
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_a_killed_demo_left_goes_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        let folder = |name: &str, mark: bool| {
            fs::create_dir_all(at(name).join("deep")).unwrap();
            fs::set_permissions(at(name), Permissions::from_mode(0o700)).unwrap();
            if mark {
                fs::write(at(name).join(ALIVE), "").unwrap();
            }
        };
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("kept"), "").unwrap();
        let living = DemoFolder::make_in(base.path()).unwrap();
        folder("hemfleet-demo-killed", true);
        symlink(elsewhere.path(), at("hemfleet-demo-killed/link")).unwrap();
        folder("hemfleet-demo-young1", false);
        folder("hemfleet-demo-too-long-a-name", true);
        folder("hemfleet-AAAAAA", true);
        folder("hemfleet-demo-shared", true);
        fs::set_permissions(at("hemfleet-demo-shared"), Permissions::from_mode(0o777)).unwrap();
        fs::write(elsewhere.path().join(ALIVE), "").unwrap();
        symlink(elsewhere.path(), at("hemfleet-demo-linked")).unwrap();
        folder("hemfleet-demo-linkin", false);
        symlink(
            elsewhere.path().join(ALIVE),
            at("hemfleet-demo-linkin").join(ALIVE),
        )
        .unwrap();

        let second = DemoFolder::make_in(base.path()).unwrap();
        assert!(!at("hemfleet-demo-killed").exists());
        for kept in [
            "hemfleet-demo-young1",
            "hemfleet-demo-too-long-a-name",
            "hemfleet-AAAAAA",
            "hemfleet-demo-shared",
            "hemfleet-demo-linked",
            "hemfleet-demo-linkin",
        ] {
            assert!(at(kept).exists(), "{kept} is gone");
        }
        assert!(elsewhere.path().join("kept").exists());
        assert!(living.path().exists() && second.path().exists());
    }
}
