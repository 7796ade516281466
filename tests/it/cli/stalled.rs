//! Output that nobody reads: the run goes on to its end, and a signal still ends it.

use std::fmt::Write as _;

use super::program::{Lab, hemfleet, json, of, text, wait_for_file};

/// More devices than a pipe has room for their events.
pub(super) fn many(devices: usize) -> Lab {
    let mut scenario = "tempo = 0.01\nclient = { quick = true, concurrency = 60 }\n\
                        [image]\nsize = 20000\n"
        .to_owned();
    for n in 0..devices {
        writeln!(
            scenario,
            "[[device]]\nname = \"vault-{n}-in-the-third-room-on-the-left\""
        )
        .unwrap();
    }
    Lab::serve_text(&scenario)
}

#[test]
fn a_standard_error_that_nobody_reads_holds_nothing_up() {
    let lab = many(40);
    let mut run = lab.run();
    let run = run.arg("-vv").env("RUST_LOG", "trace").start().unwrap();
    let out = run.stdout.all();
    assert_eq!(run.end().code(), Some(0));
    let events = json(&out);
    assert_eq!(events.last().unwrap()["event"], "run_finished");
    assert_eq!(of(&events, "device_finished").len(), 40);
    // What the pipe had room for, and not a torn line of it lost in between.
    let err = run.stderr.all();
    assert!(err.len() > 60_000, "{}", err.len());
}

#[test]
fn a_standard_output_that_nobody_reads_stops_no_device_and_loses_nothing() {
    let lab = many(60);
    let log = lab.dir.path().join("run.log");
    let run = lab.run().arg("--log").arg(&log).start().unwrap();
    run.stderr.read();
    wait_for_file(&log, "the run is over", &run);
    // It waits for its reader, who gets everything.
    let events = json(&run.stdout.all());
    assert_eq!(run.end().code(), Some(0));
    assert_eq!(events.last().unwrap()["event"], "run_finished");
    assert_eq!(of(&events, "device_finished").len(), 60);
}

#[test]
fn a_signal_ends_a_run_whose_output_nobody_reads() {
    for signal in ["TERM", "INT"] {
        let lab = many(60);
        let log = lab.dir.path().join("run.log");
        let run = lab.run().arg("--log").arg(&log).start().unwrap();
        wait_for_file(&log, "the run is over", &run);
        // Whoever sits at the terminal learns what is waited for, and what ends it.
        let waits = "waiting for the reader of standard output";
        run.stderr
            .wait_for(&[waits, "as long as it takes", "Ctrl-C"]);
        run.signal(signal);
        // Every device ended well; that it was not read is said where somebody may still read.
        assert_eq!(run.end().code(), Some(0));
        let err = run.stderr.all();
        assert!(text(&err).contains("60 upgraded"), "{}", text(&err));
    }
}

#[test]
fn a_signal_in_the_middle_of_a_run_that_nobody_reads_brings_it_to_a_safe_point() {
    let lab = Lab::serve("check-slow.toml");
    let log = lab.dir.path().join("run.log");
    let mut run = lab.run();
    let run = run.args(["-vv", "--log"]).arg(&log).start().unwrap();
    wait_for_file(&log, "/check", &run);
    run.signal("TERM");
    assert_eq!(run.end().code(), Some(130));
    let err = run.stderr.all();
    assert!(
        text(&err).contains("stopping: nothing new starts"),
        "{}",
        text(&err)
    );
}

#[test]
fn a_plan_that_nobody_reads_is_ended_by_a_signal() {
    let lab = many(1150);
    let log = lab.dir.path().join("plan.log");
    let mut plan = hemfleet();
    plan.arg("plan").arg("-c").arg(lab.inventory());
    let plan = plan.arg("--log").arg(&log).start().unwrap();
    wait_for_file(&log, "the run is over", &plan);
    plan.signal("TERM");
    assert_eq!(plan.end().code(), Some(0));
    // It was full, and it was not all.
    let said = plan.stdout.all();
    assert!(said.len() >= 65_536, "{}", said.len());
    assert!(text(&said).lines().count() < 1150);
}
