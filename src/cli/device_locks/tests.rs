//! Locks of several runs in one folder. Each open file has its own lock, so that one process can play all runs.

use super::*;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Barrier;
use std::thread;

fn fleet(names: &[&str]) -> Vec<DeviceSpec> {
    let one = |name: &&str| DeviceSpec::plain(name, &format!("{name}.example"), 443);
    names.iter().map(one).collect()
}

fn claim(folder: &Path, run: u8, devices: &[DeviceSpec]) -> Arc<DeviceLocks> {
    let run = RunId::from_random([0, 0, 0, run]);
    DeviceLocks::within(folder.to_path_buf(), &run, devices)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = folder.read_dir().unwrap();
    entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn text(refused: &LocksRefused) -> String {
    refused.message("nothing was sent to any device")
}

#[test]
fn a_device_is_held_by_one_run_however_it_is_spelled() {
    let dir = tempfile::tempdir().unwrap();
    let first = claim(dir.path(), 1, &[DeviceSpec::plain("a", "localhost", 8443)]);
    first.take_now().unwrap();
    first.take_now().expect("a claim that is held stays so");
    let second = claim(dir.path(), 2, &[DeviceSpec::plain("b", "127.0.0.1", 8443)]);
    let said = text(&second.take_now().unwrap_err());
    assert!(said.contains("b: run 00000001 of "), "{said}");
    assert!(
        said.contains(&format!("process {}", std::process::id())),
        "{said}"
    );
    assert!(second.refused().is_some() && first.refused().is_none());
    drop(first);
    second.take_now().unwrap();
    assert!(second.refused().is_none());
}

#[test]
fn it_is_all_devices_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let held = claim(dir.path(), 1, &fleet(&["c", "d"]));
    held.take_now().unwrap();
    let wider = claim(dir.path(), 2, &fleet(&["a", "b", "c", "d", "e"]));
    match wider.take_now().unwrap_err() {
        LocksRefused::Busy(busy) => {
            let busy: Vec<_> = busy.iter().map(|(id, _)| id.as_str()).collect();
            assert_eq!(busy, ["c", "d"]);
        }
        other => panic!("{other:?}"),
    }
    let others = claim(dir.path(), 3, &fleet(&["a", "b", "e"]));
    others.take_now().expect("the refused run kept nothing");
}

#[test]
fn many_devices_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<String> = (0..40).map(|n| format!("d{n:02}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let held = claim(dir.path(), 1, &fleet(&all));
    held.take_now().unwrap();
    let refused = claim(dir.path(), 2, &fleet(&all)).take_now().unwrap_err();
    let said = text(&refused);
    assert!(said.starts_with("40 devices are held by another hemfleet; nothing was sent"));
    assert!(said.contains("\n  d04: run") && !said.contains("d05"));
    assert!(said.ends_with("\n  and 35 more"), "{said}");
    assert!(
        refused
            .line()
            .starts_with("d00 and 39 more are held, by run 00000001")
    );
}

#[test]
fn of_runs_that_want_the_same_at_once_exactly_one_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let all: Vec<String> = (0..20).map(|n| format!("r{round}d{n}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let start = Barrier::new(4);
        let claims: Vec<_> = (0..4).map(|n| claim(dir.path(), n, &fleet(&all))).collect();
        let got = thread::scope(|scope| {
            let take = |claim: &Arc<DeviceLocks>| {
                let claim = Arc::clone(claim);
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    claim.take_now().is_ok()
                })
            };
            let tasks: Vec<_> = claims.iter().map(take).collect();
            let got = tasks.into_iter().map(|task| task.join().unwrap());
            got.filter(|&got| got).count()
        });
        assert_eq!(got, 1, "round {round}");
    }
}

/// While one run gives its devices up, others want them: never do two hold one.
#[test]
fn a_lock_of_a_removed_file_is_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    let holders = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        for n in 0..4 {
            let (dir, holders) = (&dir, &holders);
            scope.spawn(move || {
                for _ in 0..200 {
                    let claim = claim(dir.path(), n, &fleet(&["a", "b"]));
                    if claim.take_now().is_ok() {
                        let before = holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        assert_eq!(before, 0, "two hold the same");
                        holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(names(dir.path()), ["gate".to_owned()].into());
}

#[test]
fn nothing_piles_up_and_only_locks_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("deep/locks");
    let killed = folder.join(format!("{}.lock", "0a".repeat(16)));
    claim(&folder, 1, &fleet(&["a"])).take_now().unwrap();
    assert_eq!(names(&folder), ["gate".to_owned()].into());
    std::fs::write(&killed, "what a killed run left").unwrap();
    std::fs::write(folder.join("notes.txt"), "").unwrap();
    let held = claim(&folder, 2, &fleet(&["a"]));
    held.take_now().unwrap();
    assert!(!killed.exists());
    let left = names(&folder);
    assert_eq!(left.len(), 3, "{left:?}");
    for name in left.iter().filter(|name| lock_folder::is_lock(name)) {
        let mode = folder.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mode = folder.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_a_holder_says_of_itself_is_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let held = claim(dir.path(), 1, &fleet(&["a"]));
    held.take_now().unwrap();
    let file = names(dir.path());
    let file = file.iter().find(|name| lock_folder::is_lock(name)).unwrap();
    let other = claim(dir.path(), 2, &fleet(&["a"]));
    std::fs::write(dir.path().join(file), "no JSON").unwrap();
    let said = text(&other.take_now().unwrap_err());
    assert!(said.contains("a: another hemfleet, which"), "{said}");
    let line =
        r#"{"run":"\u001b[2J","user":"u","host":"h","pid":1,"since":"2026-01-02T03:04:05Z"}"#;
    std::fs::write(dir.path().join(file), line).unwrap();
    let said = text(&other.take_now().unwrap_err());
    assert!(
        said.contains("run \\u{1b}[2J of u on h, process 1"),
        "{said}"
    );
}

#[test]
fn locks_that_do_not_work_are_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = claim(&file, 1, &fleet(&["a"])).take_now().unwrap_err();
    let said = text(&refused);
    assert!(said.contains("cannot be locked in"), "{said}");
    let exhausted = io::Error::from(rustix::io::Errno::MFILE);
    let all: Vec<String> = (0..3000).map(|n| format!("d{n}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let refused = claim(&file, 1, &fleet(&all)).broken(&exhausted, 1000);
    let said = text(&refused);
    assert!(
        said.starts_with("1000 of 3000 devices could be locked"),
        "{said}"
    );
    assert!(refused.hint().contains("to 4024 with ulimit -n"));
}
