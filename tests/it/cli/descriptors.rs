//! File descriptors: enough are made available, or the run says so before it begins; and running out of them
//! after an install is not told as the device's fault.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use super::program::{Lab, code, of, text};

/// The same command under another limit of open files.
fn limited(command: &Command, ulimit: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(format!("ulimit {ulimit}; exec \"$0\" \"$@\""))
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .env_remove("RUST_LOG");
    shell
}

#[test]
fn a_low_soft_limit_is_raised() {
    let lab = Lab::serve("all-well.toml");
    let output = limited(&lab.run(), "-Sn 9").output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stdout));
}

#[test]
fn a_hard_limit_that_is_too_low_is_said_before_anything_is_sent() {
    let lab = Lab::serve("all-well.toml");
    let output = limited(&lab.run(), "-n 60").output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(code(&output), 2, "{said}");
    assert!(
        said.contains("open files, and this machine allows 60"),
        "{said}"
    );
    assert!(
        said.contains("hint: ") && said.contains("ulimit -Hn"),
        "{said}"
    );
    assert!(output.stdout.is_empty());
}

/// The next event of this kind.
fn until(events: &mut impl Iterator<Item = Value>, wanted: impl Fn(&Value) -> bool, what: &str) {
    let found = events.any(|event| wanted(&event));
    assert!(found, "the run ended without {what}");
}

/// Lets a process open no file whose number is `limit` or more; says what the limit was.
fn limit(child: &Child, limit: Option<u64>) -> Option<u64> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let now = Rlimit {
        current: limit,
        maximum,
    };
    let before = prlimit(Some(Pid::from_child(child)), Resource::Nofile, now);
    before.unwrap().current
}

#[test]
fn without_descriptors_after_the_install_a_healthy_device_is_not_lost() {
    for given_back in [true, false] {
        let lab = Lab::serve("install-lost-happened.toml");
        let mut child = lab.run().stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut events = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        let is = |event: &Value, kind: &str, stage: &str| {
            event["event"] == kind && event["stage"] == stage
        };
        until(
            &mut events,
            |e| is(e, "stage_started", "reboot"),
            "a reboot",
        );
        let before = limit(&child, Some(3));
        if given_back {
            let missing = |e: &Value| {
                is(e, "stage_progress", "reboot") && e.to_string().contains("file descriptor")
            };
            until(&mut events, missing, "a look without descriptors");
            limit(&child, before);
        }
        let rest: Vec<Value> = events.collect();
        child.wait().unwrap();
        let finished = of(&rest, "device_finished");
        let [device] = finished.as_slice() else {
            panic!("{rest:?}")
        };
        if given_back {
            assert_eq!(device["outcome"], "upgraded", "{device}");
        } else {
            assert_eq!(device["outcome"], "unknown", "{device}");
            assert_eq!(device["code"], "not_looked_at", "{device}");
            assert!(device.to_string().contains("file descriptor"), "{device}");
        }
    }
}
