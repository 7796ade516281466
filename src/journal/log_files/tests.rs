//! Files that come back, do not fit, are damaged, and go.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::{LogFileError, LogFiles, LogLimits, Removed, entries, hash_of};
use crate::engine::KeptFile;

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
