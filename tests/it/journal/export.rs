//! `hemfleet history export`: a run as a file, and the same without names.

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt as _;

use hemfleet::journal::{JournalledRun, read_run};

use super::history::{after_a_run, kept, said};

fn read(path: &std::path::Path) -> JournalledRun {
    read_run(BufReader::new(File::open(path).unwrap())).unwrap()
}

#[test]
fn an_exported_run_is_whole_private_and_the_same_run() {
    let (lab, run) = after_a_run();
    let (plain, bare) = (
        lab.dir.path().join("run.jsonl"),
        lab.dir.path().join("bare.jsonl"),
    );
    assert_eq!(
        said(kept(&lab, &["history", "export", &run, "-o"]).arg(&plain)),
        ""
    );
    let mut command = kept(&lab, &["history", "export", "--anonymise", "-o"]);
    assert_eq!(said(command.arg(&bare)), "");
    for path in [&plain, &bare] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let to_stdout = said(&mut kept(&lab, &["history", "export", "--anonymise"]));
    let text = std::fs::read_to_string(&bare).unwrap();
    assert_eq!(to_stdout.lines().count(), text.lines().count());
    let original = std::fs::read_to_string(&plain).unwrap();
    let (first, second) = (read(&plain), read(&bare));
    let context = &first.record.context;
    let mut names: Vec<String> = [
        "warsaw",
        "berlin",
        "blue-rack",
        "rack-c1",
        "127.0.0.1",
        "my.ence.do",
        "passphrase\"x",
    ]
    .map(str::to_owned)
    .into();
    names.retain(|name| original.contains(name));
    assert!(names.len() >= 5, "{names:?}");
    names.extend([
        context.inventory.clone(),
        lab.dir.path().to_string_lossy().into_owned(),
    ]);
    let fleet = first.fold();
    for device in fleet.devices() {
        names.push(device.id.to_string());
        let Some(seen) = &device.seen else { continue };
        names.extend(seen.version.fws.map(|fws| fws.to_string()));
        names.extend(seen.version.fwk.map(|fwk| fwk.to_string()));
        names.extend(seen.version.uis.clone());
        names.extend(seen.version.sd_cid.clone());
    }
    for name in names {
        assert!(!text.contains(&name), "{name} is left");
    }
    let outcomes = |run: &JournalledRun| {
        let fleet = run.fold();
        let devices = fleet.devices().iter();
        devices
            .map(|device| (device.outcome_kind(), device.timeline.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&first), outcomes(&second));
    assert_eq!(first.messages.len(), second.messages.len());
}
