//! What the model of a report takes over from a run.

use serde_json::Value;

use super::*;
use crate::engine::Intent;
use crate::engine::fixtures::TestRun;
use crate::model::{Doubt, Outcome, OutcomeKind, Skip, Touched, Verdict};
use crate::report::fixtures::{self, unplugged};

fn of(run: &TestRun) -> RunReport {
    let exit = RunExit::of(Exit::of(&run.fleet), &run.fleet);
    RunReport::of(&run.fleet, run.now, exit)
}

#[test]
fn a_run_took_until_its_last_attempt_ended_however_long_the_screen_stood_open() {
    let mut run = fixtures::run(Mode::Confirm, 1);
    run.begin();
    run.planned_upgrade(0, &[]);
    run.wait(3600);
    run.intend(Intent::Confirm);
    let before = run.now;
    fixtures::upgrade(&mut run, 0);
    let ended = run.now;
    let took = ended.duration_since(before);
    run.wait(7200);
    run.end();
    let wanted = u64::try_from(took.as_millis()).unwrap();
    let report = of(&run);
    assert_eq!(report.ended, ended);
    // The first stage is the first news of it.
    assert!(report.took_ms.unwrap() <= wanted && report.took_ms.unwrap() > wanted - 1000);
    assert!(wanted < 120_000, "the test itself takes that long");
}

#[test]
fn a_plan_takes_as_long_as_the_looks_and_one_that_nobody_confirmed_says_nothing_of_time() {
    let mut run = fixtures::run(Mode::Plan, 1);
    run.begin();
    run.pass(2500);
    run.planned_upgrade(0, &[]);
    run.end();
    assert_eq!(of(&run).took_ms, Some(2500));
    let mut run = fixtures::run(Mode::Confirm, 1);
    run.begin();
    run.planned_upgrade(0, &[]);
    run.wait(3600);
    run.intend(Intent::Interrupt);
    run.end();
    assert_eq!(of(&run).took_ms, None);
}

#[test]
fn what_was_left_out_of_a_plan_that_nobody_confirmed_is_not_to_be_upgraded() {
    let mut run = fixtures::run(Mode::Confirm, 2);
    run.begin();
    run.planned_upgrade(0, &[]);
    run.planned_upgrade(1, &[]);
    run.intend(Intent::LeaveOut(vec![fixtures::id(0)]));
    run.end();
    let report = of(&run);
    let [out, other] = &report.devices[..] else {
        panic!("two devices");
    };
    assert_eq!((out.words(), &out.to), ("skipped", &None));
    assert_eq!(out.code.as_deref(), Some("left_out"));
    assert_eq!(out.reason.as_deref(), Some("left out of the plan by hand"));
    assert_eq!(other.words(), "to be upgraded");
}

#[test]
fn a_run_that_is_stopped_at_once_took_until_then() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.begin();
    run.start(0, crate::model::Stage::Reboot, 1);
    run.wait(5);
    run.end();
    run.wait(60);
    assert_eq!(of(&run).took_ms, Some(5000));
}

#[test]
fn each_device_says_where_it_stands() {
    let mut run = fixtures::run(Mode::Go, 6);
    run.begin();
    fixtures::upgrade(&mut run, 0);
    run.start(1, crate::model::Stage::Upload, 1);
    run.start(2, crate::model::Stage::Reboot, 1);
    run.finish(3, Outcome::Skipped(Skip::Epa));
    run.finish(4, Outcome::Unknown(Doubt::AnswerLost));
    run.intend(Intent::Interrupt);
    run.intend(Intent::Interrupt);
    let report = of(&run);
    let words: Vec<&str> = report.devices.iter().map(DeviceReport::words).collect();
    let wanted = [
        "upgraded",
        "left running",
        "left running",
        "skipped",
        "unknown",
        "left running",
    ];
    assert_eq!(words, wanted);
    let doubt: Vec<bool> = report.devices.iter().map(|d| d.in_doubt).collect();
    assert_eq!(doubt, [false, false, true, false, true, false]);
    let left = report.devices[2].reason.as_deref();
    assert_eq!(
        left,
        Some("left while the install or the reboot was watched")
    );
    assert_eq!((report.exit_code, report.how()), (Some(130), "stopped"));
    assert_eq!(report.devices[0].to.as_deref(), Some("1.2.3"));
    assert_ne!(report.devices[0].to_fws, report.devices[0].from_fws);
}

#[test]
fn a_plan_says_what_would_be_done() {
    let mut run = fixtures::run(Mode::Plan, 3);
    run.begin();
    run.planned_upgrade(0, &["clock unset: check-in first"]);
    run.planned(1, Verdict::Skip(Skip::Epa));
    run.planned(2, Verdict::from(unplugged()));
    run.end();
    let report = of(&run);
    let words: Vec<&str> = report.devices.iter().map(DeviceReport::words).collect();
    assert_eq!(words, ["to be upgraded", "skipped", "cannot be upgraded"]);
    let [first, _, last] = &report.devices[..] else {
        panic!("three devices")
    };
    assert_eq!(first.to.as_deref(), Some("1.2.3"));
    assert_eq!(last.code.as_deref(), Some("connection_refused"));
    assert!(last.to.is_none() && last.hint.is_some());
    let unwell: Vec<Vec<&str>> = report.unwell().iter().map(ReasonGroup::names).collect();
    assert_eq!(unwell, [["vault-03"]]);
}

#[test]
fn the_gravest_comes_first_then_the_most() {
    let mut run = fixtures::run(Mode::Go, 7);
    run.begin();
    run.finish(0, Outcome::Cancelled(Touched::ImageStaged));
    run.finish(1, Outcome::Failed(fixtures::refused_image()));
    for n in [2, 4] {
        run.finish(n, Verdict::from(unplugged()).outcome().unwrap());
    }
    run.finish(3, Outcome::RolledBack);
    run.finish(5, Outcome::Lost);
    run.end();
    let report = of(&run);
    let unwell: Vec<Vec<&str>> = report.unwell().iter().map(ReasonGroup::names).collect();
    let wanted = [
        &["vault-04"][..],
        &["vault-03", "vault-05"],
        &["vault-02"],
        &["vault-01"],
    ];
    assert_eq!(unwell, wanted);
    let doubt: Vec<_> = report
        .in_doubt()
        .iter()
        .map(|g| g.first().outcome)
        .collect();
    assert_eq!(doubt, [Some(OutcomeKind::Lost)]);
}

#[test]
fn the_json_report_uses_the_words_of_the_json_lines() {
    let mut run = fixtures::run_with_links(Mode::Go, &[crate::model::LinkTrust::Pinned; 2]);
    run.begin();
    fixtures::upgrade(&mut run, 0);
    fixtures::refuse(&mut run, 1);
    run.end();
    let mut out = Vec::new();
    fixtures::report(&run, &mut crate::report::JsonLines::new(&mut out)).unwrap();
    let lines: Vec<Value> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let report = serde_json::to_value(of(&run)).unwrap();
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert_eq!(report["image"], first["image"]);
    for field in [
        "schema",
        "run",
        "exit_code",
        "halted",
        "interrupted",
        "took_ms",
    ] {
        assert_eq!(report[field], last[field], "{field}");
    }
    for (kind, n) in last["counts"].as_object().unwrap() {
        assert_eq!(&report["counts"][kind], n, "{kind}");
    }
    let finished = lines.iter().filter(|l| l["event"] == "device_finished");
    for (device, line) in report["devices"].as_array().unwrap().iter().zip(finished) {
        for (field, value) in line.as_object().unwrap() {
            if !["schema", "ts", "run", "event", "attempt"].contains(&field.as_str()) {
                assert_eq!(&device[field], value, "{field}");
            }
        }
    }
}
