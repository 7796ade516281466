//! File descriptors: the limit is raised, or the run refuses to begin; and a device is not blamed if they run out after
//! its install.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use super::program::{Lab, Running, code, hemfleet, of, text};

#[test]
fn a_low_soft_limit_is_raised() {
    let lab = Lab::serve("all-well.toml");
    let output = lab.run().limited("-Sn 9").output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stdout));
}

#[test]
fn a_hard_limit_that_is_too_low_is_said_before_anything_is_sent() {
    let lab = Lab::serve("all-well.toml");
    let output = lab.run().limited("-n 60").output().unwrap();
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

/// What locks no device needs no file for each of them.
#[test]
fn a_plan_needs_no_file_for_each_device() {
    let lab = Lab::serve("all-well.toml");
    let mut plan = hemfleet();
    plan.args(["plan", "-c"]).arg(lab.inventory());
    let output = plan.limited("-n 88").output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let run = lab.run().limited("-n 88").output().unwrap();
    assert_eq!(code(&run), 2, "{}", text(&run.stderr));
}

/// The next event of this kind.
fn until(events: &mut impl Iterator<Item = Value>, wanted: impl Fn(&Value) -> bool, what: &str) {
    let found = events.any(|event| wanted(&event));
    assert!(found, "the run ended without {what}");
}

/// Lets a process open no file whose number is `limit` or more; says what the limit was.
fn limit(run: &Running, limit: Option<u64>) -> Option<u64> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let now = Rlimit {
        current: limit,
        maximum,
    };
    let before = prlimit(Pid::from_raw(run.id.cast_signed()), Resource::Nofile, now);
    before.unwrap().current
}

#[test]
fn without_descriptors_after_the_install_a_healthy_device_is_not_lost() {
    for given_back in [true, false] {
        let lab = Lab::serve("install-lost-happened.toml");
        let run = lab.run().start().unwrap();
        run.stderr.read();
        let mut events = run.stdout.events();
        let is = |event: &Value, kind: &str, stage: &str| {
            event["event"] == kind && event["stage"] == stage
        };
        until(
            &mut events,
            |e| is(e, "stage_started", "reboot"),
            "a reboot",
        );
        let before = limit(&run, Some(3));
        if given_back {
            let missing = |e: &Value| {
                is(e, "stage_progress", "reboot") && e.to_string().contains("file descriptor")
            };
            until(&mut events, missing, "a look without descriptors");
            limit(&run, before);
        }
        let rest: Vec<Value> = events.collect();
        run.end();
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
