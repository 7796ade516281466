//! What the summary says, in which order, and how it folds.

use super::*;
use crate::engine::fixtures::TestRun;
use crate::engine::{Intent, Mode};
use crate::model::{
    AuditObstacle, Charset, Doubt, Failure, FailureKind, LinkFault, Outcome, Skip, Stage, Touched,
    Unproven, Verdict,
};
use crate::report::fixtures::{self, unplugged};

fn written(run: &TestRun, color: bool) -> String {
    let exit = Some(Exit::of(&run.fleet));
    let mut out = Vec::new();
    let look = LineLook {
        color,
        ..LineLook::default()
    };
    let style = Summary {
        look,
        width: None,
        exit,
    };
    print_summary(&run.fleet, run.now, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn who_could_not_be_asked_is_named_and_explains_the_exit_code() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.leave_out(&[fixtures::id(7)]);
    run.begin();
    fixtures::upgrade(&mut run, 0);
    run.end();
    let said = written(&run, false);
    let wanted = "left out (could not be asked what is offered to them): vault-08\n";
    assert!(said.contains(wanted), "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("exit code 1: some device could not be asked"),
        "{last}"
    );
}

#[test]
fn what_a_device_out_of_reach_runs_by_now_is_not_claimed() {
    let mut run = fixtures::run(Mode::Go, 2);
    run.begin();
    for (n, kind) in [(0, unplugged()), (1, FailureKind::WrongSecret)] {
        run.planned_upgrade(n, &[]);
        let failure = Failure {
            stage: Stage::Login,
            kind,
            touched: Touched::Nothing,
        };
        run.finish(n, Outcome::Failed(failure));
    }
    run.end();
    let said = written(&run, false);
    let touched: Vec<&str> = said.lines().filter(|l| l.contains("touched:")).collect();
    let [gone, there] = touched[..] else {
        panic!("{said}")
    };
    assert!(gone.ends_with(" when it was last seen"), "{gone}");
    assert!(there.contains("; still runs "), "{there}");
}

#[test]
fn all_well_is_two_lines() {
    let mut run = fixtures::run(Mode::Go, 2);
    run.begin();
    fixtures::upgrade(&mut run, 0);
    run.planned(1, Verdict::Current);
    run.finish(1, Outcome::Current);
    run.end();
    insta::assert_snapshot!(written(&run, false));
}

#[test]
fn what_the_logs_say_is_told_even_where_every_device_is_upgraded() {
    let mut run = fixtures::run(Mode::Go, 6);
    run.begin();
    let broker = || fixtures::unavailable(AuditObstacle::NoBroker);
    for (n, report) in [
        fixtures::confirmed(),
        fixtures::contradicted(),
        fixtures::unverified(),
        broker(),
        fixtures::missing(),
        broker(),
    ]
    .into_iter()
    .enumerate()
    {
        fixtures::upgrade_to_log(&mut run, n);
        run.audit(n, report);
        run.finish(n, Outcome::Upgraded);
    }
    run.end();
    insta::assert_snapshot!(written(&run, false));
}

#[test]
fn a_log_that_contradicts_comes_before_everything_else() {
    let mut run = fixtures::run(Mode::Go, 3);
    run.begin();
    run.finish(0, Outcome::Lost);
    fixtures::refuse(&mut run, 1);
    fixtures::upgrade_to_log(&mut run, 2);
    run.audit(2, fixtures::contradicted());
    run.finish(2, Outcome::Upgraded);
    run.end();
    let text = written(&run, false);
    let first: Vec<&str> = text.lines().take(2).collect();
    assert_eq!(
        first[0],
        "LOG CONTRADICTS: the audit log of 1 device contradicts its upgrade"
    );
    assert!(
        first[1].starts_with("  vault-03 (upgraded): file 62310ba5, "),
        "{text}"
    );
    assert_eq!(text.matches("vault-03").count(), 1, "{text}");
}

#[test]
fn every_outcome() {
    let mut run = fixtures::run(Mode::Go, 9);
    run.begin();
    fixtures::upgrade(&mut run, 0);
    fixtures::refuse(&mut run, 1);
    for n in [2, 3, 4, 5, 8] {
        run.planned_upgrade(n, &[]);
    }
    run.finish(2, Outcome::Lost);
    run.finish(3, Outcome::RolledBack);
    run.finish(4, Outcome::Unknown(Doubt::AnswerLost));
    run.returned(5);
    let now = "bm90IHRo".to_owned();
    run.finish(5, Outcome::Unproven(Unproven::OtherSignature { now }));
    run.finish(6, Outcome::Skipped(Skip::Epa));
    run.finish(7, Verdict::from(unplugged()).outcome().unwrap());
    run.finish(8, Outcome::Cancelled(Touched::ImageStaged));
    run.end();
    insta::assert_snapshot!(written(&run, false));
}

#[test]
fn an_interrupted_run_with_a_device_under_way() {
    let mut run = fixtures::run(Mode::Go, 3);
    run.begin();
    run.start(0, crate::model::Stage::Reboot, 1);
    run.intend(Intent::Interrupt);
    run.intend(Intent::Interrupt);
    run.finish(1, Outcome::Cancelled(Touched::Nothing));
    run.pass(2500);
    insta::assert_snapshot!(written(&run, false));
}

#[test]
fn a_plan_that_nobody_confirmed_is_two_lines_and_a_code() {
    let mut run = fixtures::run(Mode::Confirm, 40);
    run.begin();
    for n in 0..40 {
        run.planned_upgrade(n, &[]);
    }
    run.intend(Intent::Interrupt);
    for n in 0..40 {
        run.finish(n, Outcome::Cancelled(Touched::Nothing));
    }
    run.end();
    insta::assert_snapshot!(written(&run, false));
}

/// Twelve devices with long names: five refuse the connection, three the secret, two are lost, one is in doubt.
fn rack() -> TestRun {
    let names = (1..=12).map(|n| format!("hsm-waw-dc2-r{n:02}-production-u{n:02}"));
    let names: Vec<String> = names.collect();
    let seeds = names
        .iter()
        .map(|name| crate::engine::fixtures::seed(name.as_str(), crate::model::LinkTrust::Ca));
    let payload = crate::engine::fixtures::firmware(3_000_000);
    let mut run = TestRun::new(Mode::Go, seeds.collect(), payload);
    run.begin();
    for (n, name) in names.iter().enumerate() {
        let name = name.as_str();
        if n > 2 {
            run.planned_upgrade(name, &[]);
        }
        let failed = |stage, kind| {
            Outcome::Failed(Failure {
                stage,
                kind,
                touched: Touched::Nothing,
            })
        };
        let outcome = match n {
            0..5 => {
                let target = format!("10.1.2.{n}:443");
                failed(
                    Stage::Probe,
                    FailureKind::Link(LinkFault::Refused { target }),
                )
            }
            5..8 => failed(Stage::Login, FailureKind::WrongSecret),
            8..10 => Outcome::Lost,
            10 => Outcome::Unknown(Doubt::AnswerLost),
            _ => Outcome::Upgraded,
        };
        run.finish(name, outcome);
    }
    run.end();
    run
}

fn folded_at(run: &TestRun, width: usize, charset: Charset) -> String {
    let mut out = Vec::new();
    let style = Summary {
        look: LineLook {
            color: false,
            charset,
        },
        width: Some(width),
        exit: Some(Exit::of(&run.fleet)),
    };
    print_summary(&run.fleet, run.now, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn devices_that_failed_alike_are_one_group_with_one_hint_80() {
    let text = folded_at(&rack(), 80, Charset::Unicode);
    insta::assert_snapshot!(text);
}

#[test]
fn ascii_is_all_that_is_written_where_the_locale_is_not_utf_8() {
    let text = folded_at(&rack(), 60, Charset::Ascii);
    assert!(text.is_ascii(), "{text}");
    assert!(
        text.contains("5x FAILED at probe: connection refused by ..."),
        "{text}"
    );
}

#[test]
fn everybody_who_needs_a_look_is_named_once_and_no_line_is_too_long() {
    let run = rack();
    let text = folded_at(&run, 80, Charset::Unicode);
    let (_, text) = text.split_once("\n\n").unwrap();
    for device in &run.fleet.devices()[..11] {
        assert_eq!(text.matches(device.id.as_str()).count(), 1, "{}", device.id);
    }
    assert_eq!(text.matches("Is the device plugged in").count(), 1);
    for line in text.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "{line}");
    }
}

#[test]
fn a_long_list_of_devices_that_were_left_alone_is_cut_with_a_count() {
    let mut run = fixtures::run(Mode::Go, 30);
    run.begin();
    fixtures::upgrade(&mut run, 0);
    for n in 1..30 {
        run.finish(n, Outcome::Skipped(Skip::Epa));
    }
    run.end();
    let said = written(&run, false);
    let line = said.lines().find(|l| l.starts_with("skipped")).unwrap();
    assert!(line.ends_with("vault-13 and 17 more"), "{line}");
}

#[test]
fn colour_only_where_wanted() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.begin();
    run.finish(0, Outcome::Lost);
    assert!(!written(&run, false).contains('\x1b'));
    assert!(written(&run, true).starts_with("\x1b[31mIN DOUBT"));
}

#[test]
fn a_code_that_somebody_else_explains_is_left_to_them() {
    let mut run = fixtures::run(Mode::Go, 1);
    run.begin();
    run.finish(0, Outcome::Upgraded);
    let mut out = Vec::new();
    let style = Summary {
        look: LineLook::default(),
        width: None,
        exit: None,
    };
    print_summary(&run.fleet, run.now, style, &mut out).unwrap();
    assert!(!String::from_utf8(out).unwrap().contains("exit code"));
}
