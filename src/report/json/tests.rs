//! What the lines of JSON promise, line by line.

use serde_json::Value;

use super::*;
use crate::engine::fixtures::TestRun;
use crate::engine::{DeviceFact, Intent, Progress};
use crate::model::{
    AuditObstacle, Derivation, Doubt, FailureKind, LinkFault, LinkTrust, Outcome, Scope, Skip,
    Stage, Touched, Verdict,
};
use crate::report::fixtures::{self, unplugged};

fn written(run: &TestRun) -> String {
    let mut out = Vec::new();
    fixtures::report(run, &mut JsonLines::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

fn lines(run: &TestRun) -> Vec<Value> {
    written(run)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn named<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

fn full_run() -> TestRun {
    let mut run = fixtures::run_with_links(
        Mode::Go,
        &[LinkTrust::Pinned, LinkTrust::Http, LinkTrust::Ca],
    );
    run.begin();
    fixtures::upgrade(&mut run, 0);
    fixtures::refuse(&mut run, 1);
    run.start(2, Stage::Install, 1);
    run.install_begun(2);
    run.finish(2, Outcome::Unknown(Doubt::AnswerLost));
    run.end();
    run
}

#[test]
fn every_line_is_an_object_with_the_four_fields() {
    let text = written(&full_run());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["schema"], 1, "{line}");
        assert_eq!(value["run"], "7f3a0001", "{line}");
        let ts = value["ts"].as_str().unwrap();
        assert!(
            ts.parse::<Timestamp>().is_ok() && ts.len() == 24 && ts.ends_with('Z'),
            "{ts}"
        );
        assert!(line.starts_with(r#"{"schema":1,"ts":""#), "{line}");
        let event = value["event"].as_str().unwrap();
        if !event.starts_with("run_") {
            assert!(
                value["device"].is_string() && value["attempt"] == 1,
                "{line}"
            );
        }
        assert!(
            !line.contains("null"),
            "what does not fit is absent: {line}"
        );
    }
}

#[test]
fn the_events_are_those_that_are_promised() {
    let lines = lines(&full_run());
    let mut names: Vec<&str> = lines.iter().map(|l| l["event"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names,
        [
            "device_finished",
            "device_planned",
            "retry_scheduled",
            "run_finished",
            "run_started",
            "stage_finished",
            "stage_progress",
            "stage_started"
        ]
    );
}

#[test]
fn lines_of_a_device_whose_image_is_refused() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.begin();
    fixtures::refuse(&mut run, 0);
    run.end();
    insta::assert_snapshot!(written(&run));
}

#[test]
fn a_proof_says_from_and_to() {
    let lines = lines(&full_run());
    let done = named(&lines, "device_finished")[0];
    assert_eq!(done["outcome"], "upgraded");
    assert_eq!(
        (&done["from"], &done["to"]),
        (&"1.2.2".into(), &"1.2.3".into())
    );
    assert_ne!(done["from_fws"], done["to_fws"]);
    assert_eq!(done["to_fws"], lines[0]["image"]["fws"]);
    assert_eq!(done["touched"], "install_sent");
    assert_eq!(done["link"], "pinned");
    assert!(done["took_ms"].as_u64().unwrap() > 70_000);
}

#[test]
fn progress_has_the_numbers_of_its_stage() {
    let lines = lines(&full_run());
    let progress = named(&lines, "stage_progress");
    let of = |stage: &str| *progress.iter().find(|line| line["stage"] == stage).unwrap();
    assert_eq!(of("upload")["bytes"], 100_000);
    assert_eq!(of("upload")["total"], 3_000_000);
    assert_eq!(of("check")["polls"], 1);
    assert_eq!(of("check")["status"], 202);
    assert_eq!(of("reboot")["seen"], "connection refused");
    assert_eq!(of("reboot")["normal_ms"], 60_000);
}

#[test]
fn the_last_line_counts_every_outcome_and_names_the_doubtful() {
    let lines = lines(&full_run());
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "run_finished");
    let counts = last["counts"].as_object().unwrap();
    let names: Vec<&str> = counts.keys().map(String::as_str).collect();
    let mut all = OutcomeKind::ALL.map(OutcomeKind::as_str);
    all.sort_unstable();
    assert_eq!(names, all);
    assert_eq!(counts["upgraded"], 1);
    assert_eq!(counts["lost"], 0);
    assert_eq!(last["in_doubt"], serde_json::json!(["vault-03"]));
    assert_eq!(last["interrupted"], false);
    assert_eq!(last["exit_code"], 1);
    assert!(last.get("verdicts").is_none());
}

#[test]
fn a_plan_ends_with_its_verdicts() {
    let mut run = fixtures::run(Mode::Plan, 4);
    run.begin();
    run.planned_upgrade(0, &["clock unset: check-in first"]);
    run.planned(1, Verdict::Current);
    run.planned(2, Verdict::Skip(Skip::Epa));
    run.stage_failed(3, Stage::Probe, 5000, unplugged());
    run.planned(3, Verdict::from(unplugged()));
    run.end();
    insta::assert_snapshot!(written(&run));
}

#[test]
fn an_interrupted_run_says_so() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.begin();
    run.intend(Intent::Interrupt);
    run.finish(0, Outcome::Cancelled(Touched::Nothing));
    run.end();
    let lines = lines(&run);
    let last = lines.last().unwrap();
    assert_eq!(last["interrupted"], true);
    assert_eq!(last["exit_code"], 130);
    assert_eq!(last["counts"]["cancelled"], 1);
}

#[test]
fn a_second_attempt_is_told_apart() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.begin();
    run.stage_failed(0, Stage::Probe, 5000, FailureKind::Link(LinkFault::Reset));
    run.finish(0, Verdict::from(unplugged()).outcome().unwrap());
    run.intend(Intent::RetryAll(vec![fixtures::id(0)]));
    fixtures::upgrade(&mut run, 0);
    let lines = lines(&run);
    let attempts: Vec<_> = named(&lines, "device_finished")
        .iter()
        .map(|line| (line["attempt"].clone(), line["outcome"].clone()))
        .collect();
    assert_eq!(
        attempts,
        [(1.into(), "failed".into()), (2.into(), "upgraded".into())]
    );
}

#[test]
fn people_logins_and_logs_have_events_of_their_own() {
    let mut run = fixtures::run_of(
        Mode::Go,
        &[LinkTrust::Pinned, LinkTrust::Ca],
        fixtures::both(),
    );
    run.begin();
    run.start(0, Stage::Login, 1);
    run.tell(0, DeviceFact::SecretWanted);
    run.tell(
        0,
        DeviceFact::LoggedIn {
            scope: Scope::Upgrade,
            derivation: Some(Derivation::Argon2d),
        },
    );
    run.start(1, Stage::Login, 1);
    run.progress(1, Stage::Login, Progress::Queued);
    fixtures::ask_phone(&mut run, 1, Scope::Log);
    run.tell(
        1,
        DeviceFact::LoggedIn {
            scope: Scope::Log,
            derivation: None,
        },
    );
    let doing = "reading 62310ba5".to_owned();
    run.progress(0, Stage::Audit, Progress::Step { what: doing });
    run.audit(0, fixtures::confirmed());
    run.finish(0, Outcome::Upgraded);
    run.audit(1, fixtures::contradicted());
    run.finish(1, Outcome::Upgraded);
    insta::assert_snapshot!(written(&run));
}

#[test]
fn logs_that_say_less_say_why() {
    let reports = [
        (fixtures::unverified(), "contradicted", "bad_mac"),
        (fixtures::missing(), "missing", "missing"),
        (
            fixtures::unavailable(AuditObstacle::NoBroker),
            "unavailable",
            "no_broker",
        ),
    ];
    let mut run = fixtures::run(Mode::Go, reports.len());
    run.begin();
    for (n, (report, ..)) in reports.iter().enumerate() {
        run.start(n, Stage::Audit, 1);
        run.audit(n, report.clone());
    }
    let lines = lines(&run);
    for (line, (_, verdict, code)) in named(&lines, "device_audited").iter().zip(&reports) {
        assert_eq!(
            (&line["verdict"], &line["code"]),
            (&(*verdict).into(), &(*code).into())
        );
        assert!(line["reason"].is_string() && line["link"] == "ca", "{line}");
    }
}

#[test]
fn a_log_that_contradicts_is_in_the_runs_exit_code() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.begin();
    run.start(0, Stage::Audit, 1);
    run.audit(0, fixtures::contradicted());
    run.finish(0, Outcome::Upgraded);
    run.end();
    let lines = lines(&run);
    assert_eq!(named(&lines, "run_finished")[0]["exit_code"], 1);
    assert_eq!(
        named(&lines, "run_finished")[0]["audits"]["contradicted"],
        1
    );
}

#[test]
fn an_audit_tells_of_each_file() {
    let mut run = fixtures::run_of(
        Mode::Audit { all: true },
        &[LinkTrust::Http],
        fixtures::no_payload(),
    );
    run.begin();
    run.log_read(0, "62310ba5", Ok(fixtures::log()));
    run.log_read(0, "62310c00", Ok(fixtures::spoiled_log()));
    run.log_read(0, "62310d00", Err(AuditObstacle::Busy));
    run.finish(0, Outcome::Audited { files: 2 });
    run.end();
    insta::assert_snapshot!(written(&run));
}

/// A pipe whose reader is gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_the_callers_business() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.begin();
    let error = fixtures::report(&run, &mut JsonLines::new(Closed)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn the_end_of_a_halted_run_says_so_and_one_that_went_on_does_not() {
    let mut run = fixtures::run(Mode::Go, 3);
    run.begin();
    for n in 0..2 {
        run.install_begun(n);
        run.finish(n, Outcome::Lost);
    }
    run.intend(Intent::Halt);
    run.finish(2, Outcome::Halted(Touched::Nothing));
    run.end();
    let finished = lines(&run).pop().unwrap();
    assert_eq!(
        (&finished["halted"], &finished["exit_code"]),
        (&true.into(), &4.into())
    );
    let mut run = fixtures::run(Mode::Go, 3);
    run.begin();
    for n in 0..2 {
        run.install_begun(n);
        run.finish(n, Outcome::Lost);
    }
    run.intend(Intent::GoOn(crate::model::MaxFailures::Number(9)));
    run.finish(2, Outcome::Upgraded);
    run.end();
    assert_eq!(lines(&run).pop().unwrap()["halted"], false);
}
