//! The reducer by itself: no task, no clock, no device. Each test is a table of messages and of what
//! follows from them. What procedures do is in `tests`.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{
    AuditObstacle, AuditReport, AuditVerdict, Component, DeviceId, Doubt, Failure, FailureKind,
    LinkFault, LinkTrust, MaxFailures, Outcome, OutcomeKind, Payload, Rollout, RunId, Skip, Stage,
    Touched, Unproven, Verdict, VerdictKind,
};

use super::counts::FleetCounts;
use crate::engine::fixtures::{
    DeviceName as _, NEW, finished, install_begun, seed, started, version,
};
use crate::engine::tests::fake_device::image;
use crate::engine::{
    Audits, Command, DeviceFact, DevicePhase, Event, Fact, Fleet, Intent, Message, Mode, Phase,
    Resume, Stop, TaskEnd,
};

fn id(n: usize) -> DeviceId {
    n.id()
}

fn fleet(mode: Mode, concurrency: usize, devices: usize) -> Fleet {
    let seeds = (0..devices).map(|n| seed(n, LinkTrust::Ca));
    let run = RunId::from_random([0; 4]);
    Fleet::new(
        run,
        Payload::from(image()).facts(),
        mode,
        concurrency,
        seeds,
    )
}

/// One device, begun.
fn one(mode: Mode) -> Fleet {
    let mut fleet = fleet(mode, 1, 1);
    wish(&mut fleet, Intent::Begin);
    fleet
}

fn wish(fleet: &mut Fleet, intent: Intent) -> Vec<Command> {
    fleet.update(&Message::Intent(intent))
}

fn tell(fleet: &mut Fleet, n: usize, attempt: u32, fact: DeviceFact) -> Vec<Command> {
    fleet.update(&Message::Event(Event {
        at: Timestamp::UNIX_EPOCH,
        fact: Fact::Device {
            device: id(n),
            attempt,
            fact,
        },
    }))
}

fn lost(fleet: &mut Fleet, attempt: u32, how: TaskEnd) -> Vec<Command> {
    fleet.update(&Message::TaskLost {
        device: id(0),
        attempt,
        how,
    })
}

/// What the session makes of [`Command::Finish`]; the other commands are handed back.
fn carry_out_finishes(fleet: &mut Fleet, commands: Vec<Command>) -> Vec<Command> {
    let mut others = Vec::new();
    for command in commands {
        if let Command::Finish {
            device,
            attempt,
            outcome,
        } = command
        {
            others.extend(fleet.update(&Message::Event(Event {
                at: Timestamp::UNIX_EPOCH,
                fact: Fact::Device {
                    device,
                    attempt,
                    fact: finished(outcome),
                },
            })));
        } else {
            others.push(command);
        }
    }
    others
}

fn ended(stage: Stage, failure: Option<FailureKind>) -> DeviceFact {
    DeviceFact::StageFinished {
        stage,
        try_no: 1,
        took: Duration::ZERO,
        status: None,
        note: String::new(),
        failure,
    }
}

fn planned(verdict: Verdict) -> DeviceFact {
    DeviceFact::Planned {
        seen: None,
        verdict,
    }
}

fn to_upgrade() -> DeviceFact {
    planned(Verdict::Upgrade { notes: Vec::new() })
}

fn unplugged() -> Failure {
    Failure {
        stage: Stage::Probe,
        kind: FailureKind::Link(LinkFault::Reset),
        touched: Touched::Nothing,
    }
}

fn plan(n: usize, attempt: u32) -> Command {
    Command::Plan {
        device: id(n),
        attempt,
    }
}

fn start(n: usize, attempt: u32) -> Command {
    Command::Start {
        device: id(n),
        attempt,
        resume: None,
    }
}

fn cancel(n: usize) -> Command {
    Command::Cancel { device: id(n) }
}

fn abort(n: usize) -> Command {
    Command::Abort { device: id(n) }
}

fn finish_command(n: usize, attempt: u32, outcome: Outcome) -> Command {
    Command::Finish {
        device: id(n),
        attempt,
        outcome,
    }
}

fn state(fleet: &Fleet, n: usize) -> &DevicePhase {
    &fleet.devices()[n].state
}

/// Every outcome, and what a further attempt is: none, from the probe, or only watching.
fn outcomes() -> Vec<(Outcome, Option<bool>)> {
    vec![
        (Outcome::Upgraded, None),
        (Outcome::Current, None),
        (Outcome::Skipped(Skip::Epa), None),
        (Outcome::Failed(unplugged()), Some(false)),
        (Outcome::RolledBack, Some(false)),
        (Outcome::Unproven(Unproven::NoSignature), Some(false)),
        (Outcome::Cancelled(Touched::ImageStaged), Some(false)),
        (Outcome::Lost, Some(true)),
        (Outcome::Unknown(Doubt::AnswerLost), Some(true)),
        (Outcome::Unknown(Doubt::StoppedWatching), Some(true)),
        (Outcome::Unproven(Unproven::RebootNotSeen), Some(true)),
    ]
}

#[test]
fn beginning_starts_what_the_mode_says_up_to_the_limit_and_only_once() {
    for (mode, phase, first, second) in [
        (Mode::Plan, Phase::Planning, plan(0, 1), plan(1, 1)),
        (Mode::Confirm, Phase::Planning, plan(0, 1), plan(1, 1)),
        (Mode::Go, Phase::Upgrading, start(0, 1), start(1, 1)),
    ] {
        let mut fleet = fleet(mode, 2, 5);
        assert_eq!(wish(&mut fleet, Intent::Begin), [first, second], "{mode:?}");
        assert_eq!(fleet.phase(), phase);
        assert_eq!(wish(&mut fleet, Intent::Begin), []);
        assert_eq!((fleet.counts().running, fleet.counts().waiting), (2, 3));
    }
}

#[test]
fn what_the_logs_say_is_counted_and_forgotten_with_a_new_attempt() {
    let verdicts = [
        AuditVerdict::Confirmed {
            line: 8,
            counter: 6,
            cut_line: None,
        },
        AuditVerdict::Missing {
            token_line: None,
            other_line: None,
        },
        AuditVerdict::Unavailable(AuditObstacle::Busy),
        AuditVerdict::Unavailable(AuditObstacle::Epa),
    ];
    let mut fleet = fleet(Mode::Go, 4, 5);
    wish(&mut fleet, Intent::Begin);
    for (n, verdict) in verdicts.into_iter().enumerate() {
        let report = Box::new(AuditReport {
            verdict,
            judged: OutcomeKind::Upgraded,
            link: LinkTrust::Pinned,
            file: None,
            log: None,
        });
        tell(&mut fleet, n, 1, DeviceFact::Audited { report });
    }
    let wanted = Audits {
        confirmed: 1,
        missing: 1,
        unavailable: 2,
        ..Audits::default()
    };
    assert_eq!((fleet.audits(), fleet.audits().total()), (wanted, 4));
    tell(&mut fleet, 1, 1, finished(Outcome::RolledBack));
    wish(&mut fleet, Intent::Retry(id(1)));
    assert_eq!(fleet.audits().missing, 0);
}

fn returned(judged: Outcome) -> DeviceFact {
    DeviceFact::Returned {
        component: Component::Firmware,
        version: Box::new(version(NEW)),
        outcome: Some(judged),
    }
}

/// Upgraded and proven, but not confirmed by its log, and that is required.
fn unconfirmed() -> Outcome {
    Outcome::Failed(Failure {
        stage: Stage::Audit,
        kind: FailureKind::NotConfirmed {
            what: "missing".to_owned(),
        },
        touched: Touched::InstallSent,
    })
}

#[test]
fn what_is_not_confirmed_is_only_read_again_until_it_is() {
    let resume = |commands: &[Command]| match commands {
        [Command::Start { resume, .. }] => resume.clone(),
        other => panic!("{other:?}"),
    };
    let mut fleet = one(Mode::Go);
    tell(&mut fleet, 0, 1, started(Stage::Install));
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 0, 1, ended(Stage::Verify, None));
    tell(&mut fleet, 0, 1, returned(unconfirmed()));
    tell(&mut fleet, 0, 1, finished(unconfirmed()));
    let commands = wish(&mut fleet, Intent::Retry(id(0)));
    // What it was proven to run is still what it runs.
    assert!(fleet.devices()[0].to_label().is_some());
    let read_again = Some(Resume::Log {
        mark: None,
        judged: Outcome::Upgraded,
    });
    assert_eq!(resume(&commands), read_again);
    // Aborted, panicked, or not confirmed once more: it stays what it is.
    tell(&mut fleet, 0, 2, started(Stage::Audit));
    let commands = lost(&mut fleet, 2, TaskEnd::Panicked("bug".to_owned()));
    carry_out_finishes(&mut fleet, commands);
    assert!(matches!(fleet.devices()[0].outcome(), Some(Outcome::Failed(f)) if f.is_about_log()));
    let commands = wish(&mut fleet, Intent::RetryAll(vec![id(0)]));
    assert_eq!(resume(&commands), read_again);
    tell(&mut fleet, 0, 3, finished(unconfirmed()));
    let commands = wish(&mut fleet, Intent::Retry(id(0)));
    assert_eq!(resume(&commands), read_again);
    tell(&mut fleet, 0, 4, finished(Outcome::Upgraded));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
}

#[test]
fn what_is_not_confirmed_stays_so_when_its_retry_is_cancelled_in_line() {
    let mut fleet = fleet(Mode::Go, 1, 2);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 0, 1, finished(unconfirmed()));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
    let commands = wish(&mut fleet, Intent::Cancel(id(0)));
    carry_out_finishes(&mut fleet, commands);
    tell(&mut fleet, 1, 1, finished(Outcome::Upgraded));
    let again = wish(&mut fleet, Intent::Retry(id(0)));
    assert!(matches!(
        &again[..],
        [Command::Start {
            resume: Some(Resume::Log { .. }),
            ..
        }]
    ));
}

#[test]
fn a_task_that_dies_in_the_audit_leaves_what_was_judged() {
    for how in [TaskEnd::Aborted, TaskEnd::Panicked("bug".to_owned())] {
        for judged in [Outcome::Upgraded, Outcome::RolledBack, unconfirmed()] {
            let mut fleet = one(Mode::Go);
            tell(&mut fleet, 0, 1, started(Stage::Install));
            tell(&mut fleet, 0, 1, install_begun());
            tell(&mut fleet, 0, 1, returned(judged.clone()));
            tell(&mut fleet, 0, 1, started(Stage::Audit));
            let commands = lost(&mut fleet, 1, how.clone());
            assert_eq!(commands, [finish_command(0, 1, judged)]);
        }
    }
}

#[test]
fn an_audit_run_audits_and_a_retry_audits_again() {
    let audit = |attempt| Command::Audit {
        device: id(0),
        attempt,
        all: true,
    };
    let mut fleet = fleet(Mode::Audit { all: true }, 1, 1);
    assert_eq!(wish(&mut fleet, Intent::Begin), [audit(1)]);
    tell(&mut fleet, 0, 1, finished(Outcome::Failed(unplugged())));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), [audit(2)]);
    tell(&mut fleet, 0, 2, finished(Outcome::Audited { files: 2 }));
    assert!(fleet.is_over());
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
}

#[test]
fn a_free_place_is_taken_by_the_next_in_line_and_by_nobody_else() {
    let mut fleet = fleet(Mode::Go, 2, 4);
    wish(&mut fleet, Intent::Begin);
    assert_eq!(tell(&mut fleet, 1, 1, started(Stage::Probe)), []);
    let next = tell(&mut fleet, 1, 1, finished(Outcome::Lost));
    assert_eq!(next, [start(2, 1)]);
    // The retried device queues behind those that have not had their turn.
    assert_eq!(wish(&mut fleet, Intent::Retry(id(1))), []);
    let next = tell(&mut fleet, 0, 1, finished(Outcome::Upgraded));
    assert_eq!(next, [start(3, 1)]);
    let next = tell(&mut fleet, 2, 1, finished(Outcome::Upgraded));
    assert_eq!(next, [start(1, 2)]);
}

#[test]
fn messages_of_another_attempt_or_after_the_end_change_nothing() {
    let mut fleet = one(Mode::Go);
    tell(&mut fleet, 0, 1, started(Stage::Probe));
    tell(&mut fleet, 0, 1, finished(Outcome::Failed(unplugged())));
    for late in [
        started(Stage::Install),
        install_begun(),
        ended(Stage::Install, None),
        to_upgrade(),
        finished(Outcome::Upgraded),
    ] {
        assert_eq!(tell(&mut fleet, 0, 1, late), []);
    }
    assert_eq!(fleet.devices()[0].outcome_kind(), Some(OutcomeKind::Failed));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), [start(0, 2)]);
    for attempt in [0, 1, 3] {
        tell(&mut fleet, 0, attempt, finished(Outcome::Upgraded));
        tell(&mut fleet, 0, attempt, install_begun());
        tell(&mut fleet, 0, attempt, started(Stage::Reboot));
        assert_eq!(lost(&mut fleet, attempt, TaskEnd::Aborted), []);
        assert!(
            matches!(state(&fleet, 0), DevicePhase::Starting),
            "{attempt}"
        );
    }
    let row = &fleet.devices()[0];
    assert!(row.pending.is_none() && row.timeline.is_empty());
    // A device that nobody knows.
    assert_eq!(tell(&mut fleet, 7, 2, finished(Outcome::Upgraded)), []);
    assert_eq!(wish(&mut fleet, Intent::Retry(id(7))), []);
    assert_eq!(wish(&mut fleet, Intent::Cancel(id(7))), []);
}

#[test]
fn a_retry_enters_where_the_last_attempt_allows() {
    for (outcome, retry) in outcomes() {
        let mut fleet = one(Mode::Go);
        tell(&mut fleet, 0, 1, started(Stage::Install));
        tell(&mut fleet, 0, 1, install_begun());
        tell(&mut fleet, 0, 1, finished(outcome.clone()));
        assert!(fleet.is_over());
        let commands = wish(&mut fleet, Intent::Retry(id(0)));
        match retry {
            None => assert_eq!(commands, [], "{outcome:?}"),
            Some(only_watches) => {
                let [
                    Command::Start {
                        attempt: 2, resume, ..
                    },
                ] = &commands[..]
                else {
                    panic!("{outcome:?}: {commands:?}");
                };
                assert_eq!(resume.is_some(), only_watches, "{outcome:?}");
            }
        }
        // A second press while it runs starts nothing more.
        assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
        assert_eq!(wish(&mut fleet, Intent::RetryAll(vec![id(0)])), []);
    }
}

#[test]
fn retry_all_means_those_named_as_far_as_they_may_be_retried() {
    for (outcome, again) in outcomes() {
        let mut fleet = one(Mode::Go);
        tell(&mut fleet, 0, 1, finished(outcome.clone()));
        let all = Intent::RetryAll(vec![id(7), id(0), id(0)]);
        let started = wish(&mut fleet, all).len();
        assert_eq!(started, usize::from(again.is_some()), "{outcome:?}");
    }
    let mut fleet = fleet(Mode::Go, 2, 2);
    wish(&mut fleet, Intent::Begin);
    for n in 0..2 {
        tell(&mut fleet, n, 1, finished(Outcome::Failed(unplugged())));
    }
    let commands = wish(&mut fleet, Intent::RetryAll(vec![id(1)]));
    assert_eq!(commands, [start(1, 2)]);
}

#[test]
fn a_cancel_does_what_the_state_allows() {
    let nothing = || Outcome::Cancelled(Touched::Nothing);
    // Waiting in line: settled, once.
    let mut waiting = fleet(Mode::Go, 1, 2);
    wish(&mut waiting, Intent::Begin);
    let commands = wish(&mut waiting, Intent::Cancel(id(1)));
    assert_eq!(commands, [finish_command(1, 1, nothing())]);
    assert_eq!(wish(&mut waiting, Intent::Cancel(id(1))), []);
    carry_out_finishes(&mut waiting, commands);
    assert_eq!(waiting.devices()[1].outcome(), Some(&nothing()));
    // Its place in line is gone too.
    assert_eq!(tell(&mut waiting, 0, 1, finished(Outcome::Upgraded)), []);
    assert!(waiting.is_over());
    // With a task: asked, as often as it is wished; past the install too, where the task goes on.
    let mut busy = one(Mode::Go);
    assert_eq!(wish(&mut busy, Intent::Cancel(id(0))), [cancel(0)]);
    tell(&mut busy, 0, 1, started(Stage::Install));
    tell(&mut busy, 0, 1, install_begun());
    assert_eq!(wish(&mut busy, Intent::Cancel(id(0))), [cancel(0)]);
    tell(&mut busy, 0, 1, finished(Outcome::Upgraded));
    assert_eq!(busy.devices()[0].outcome(), Some(&Outcome::Upgraded));
    // Ended: nothing.
    assert_eq!(wish(&mut busy, Intent::Cancel(id(0))), []);
    assert_eq!(wish(&mut busy, Intent::CancelAll), []);
}

#[test]
fn what_is_in_doubt_stays_in_doubt_when_its_retry_is_cancelled_in_line() {
    let mut fleet = fleet(Mode::Go, 1, 2);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 0, 1, finished(Outcome::Lost));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
    let doubt = Outcome::Unknown(Doubt::StoppedWatching);
    let commands = wish(&mut fleet, Intent::Cancel(id(0)));
    assert_eq!(commands, [finish_command(0, 2, doubt)]);
    carry_out_finishes(&mut fleet, commands);
    tell(&mut fleet, 1, 1, finished(Outcome::Upgraded));
    let again = wish(&mut fleet, Intent::Retry(id(0)));
    let [
        Command::Start {
            attempt: 3,
            resume: Some(_),
            ..
        },
    ] = &again[..]
    else {
        panic!("{again:?}");
    };
}

#[test]
fn the_first_interrupt_drains_the_second_aborts_and_nothing_starts_any_more() {
    let mut fleet = fleet(Mode::Go, 2, 4);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, started(Stage::Upload));
    tell(&mut fleet, 1, 1, started(Stage::Install));
    tell(&mut fleet, 1, 1, install_begun());
    let commands = wish(&mut fleet, Intent::Interrupt);
    let none = || Outcome::Cancelled(Touched::Nothing);
    assert_eq!(
        commands,
        [
            cancel(0),
            cancel(1),
            finish_command(2, 1, none()),
            finish_command(3, 1, none())
        ]
    );
    assert_eq!(
        carry_out_finishes(&mut fleet, commands),
        [cancel(0), cancel(1)]
    );
    assert_eq!(fleet.stop(), Some(Stop::Draining));
    let stopped = finished(Outcome::Cancelled(Touched::ImageSent));
    assert_eq!(tell(&mut fleet, 0, 1, stopped), []);
    assert!(!fleet.is_over(), "one is still being watched");
    for wished in [
        Intent::Retry(id(0)),
        Intent::RetryAll(vec![id(0)]),
        Intent::Begin,
        Intent::Confirm,
    ] {
        assert_eq!(wish(&mut fleet, wished), []);
    }
    assert_eq!(wish(&mut fleet, Intent::Interrupt), [abort(1)]);
    assert_eq!(fleet.stop(), Some(Stop::Aborting));
    let commands = lost(&mut fleet, 1, TaskEnd::Aborted);
    assert_eq!(commands, [], "another device's task");
    let gone = Message::TaskLost {
        device: id(1),
        attempt: 1,
        how: TaskEnd::Aborted,
    };
    let commands = fleet.update(&gone);
    let doubt = Outcome::Unknown(Doubt::StoppedWatching);
    assert_eq!(commands, [finish_command(1, 1, doubt)]);
    carry_out_finishes(&mut fleet, commands);
    assert!(fleet.is_over());
}

/// The Ctrl-C that is meant for hemfleet also ends the `tee` behind it; which of the two is noticed first
/// is chance.
#[test]
fn a_reader_that_is_gone_and_an_interrupt_are_one_wish_in_either_order() {
    for wishes in [
        [Intent::Drain, Intent::Interrupt],
        [Intent::Interrupt, Intent::Drain],
        [Intent::Drain, Intent::Drain],
    ] {
        let mut fleet = one(Mode::Go);
        tell(&mut fleet, 0, 1, started(Stage::Upload));
        let [first, second] = wishes.clone();
        assert_eq!(wish(&mut fleet, first), [cancel(0)]);
        assert_eq!(wish(&mut fleet, second), [], "{wishes:?}");
        assert_eq!(fleet.stop(), Some(Stop::Draining), "{wishes:?}");
        wish(&mut fleet, Intent::Interrupt);
        let aborted = wish(&mut fleet, Intent::Interrupt);
        assert_eq!(aborted, [abort(0)], "{wishes:?}");
    }
}

#[test]
fn an_interrupt_before_anything_began_leaves_no_device_without_an_end() {
    let mut fleet = fleet(Mode::Go, 1, 2);
    let commands = wish(&mut fleet, Intent::Interrupt);
    assert_eq!(commands.len(), 2);
    assert_eq!(carry_out_finishes(&mut fleet, commands), []);
    assert_eq!(fleet.counts().of(OutcomeKind::Cancelled), 2);
    assert!(fleet.is_over());
    assert_eq!(wish(&mut fleet, Intent::Begin), []);
}

/// What an attempt has done by the time its task is lost.
#[test]
fn a_lost_task_is_judged_by_what_was_told_before() {
    let reset = || Some(FailureKind::Link(LinkFault::Reset));
    let upload = || [started(Stage::Upload), ended(Stage::Upload, None)];
    let table: Vec<(Vec<DeviceFact>, Touched)> = vec![
        (vec![], Touched::Nothing),
        (vec![started(Stage::Login)], Touched::Nothing),
        (vec![started(Stage::Upload)], Touched::ImageSent),
        // A login anew between two tries of the upload.
        (
            vec![
                started(Stage::Upload),
                ended(Stage::Upload, reset()),
                started(Stage::Login),
            ],
            Touched::ImageSent,
        ),
        // A login anew before the check, or the last look before the install.
        (
            upload()
                .into_iter()
                .chain([started(Stage::Login)])
                .collect(),
            Touched::ImageStaged,
        ),
        (
            upload()
                .into_iter()
                .chain([started(Stage::Probe)])
                .collect(),
            Touched::ImageStaged,
        ),
        (
            upload()
                .into_iter()
                .chain([started(Stage::Check)])
                .collect(),
            Touched::ImageStaged,
        ),
        (
            upload()
                .into_iter()
                .chain([started(Stage::Install)])
                .collect(),
            Touched::ImageStaged,
        ),
    ];
    for (facts, touched) in table {
        let mut aborted = one(Mode::Go);
        let mut panicked = one(Mode::Go);
        for fact in &facts {
            tell(&mut aborted, 0, 1, fact.clone());
            tell(&mut panicked, 0, 1, fact.clone());
        }
        let outcome = Outcome::Cancelled(touched);
        let commands = lost(&mut aborted, 1, TaskEnd::Aborted);
        assert_eq!(commands, [finish_command(0, 1, outcome)], "{facts:?}");
        // A second word about the same loss says nothing.
        assert_eq!(lost(&mut aborted, 1, TaskEnd::Aborted), []);
        let commands = lost(&mut panicked, 1, TaskEnd::Panicked("oh".to_owned()));
        let [
            Command::Finish {
                outcome: Outcome::Failed(failure),
                ..
            },
        ] = &commands[..]
        else {
            panic!("{commands:?}");
        };
        assert_eq!(failure.touched, touched, "{facts:?}");
    }
    // Of an earlier attempt's upload nothing counts.
    let mut fleet = one(Mode::Go);
    for fact in upload() {
        tell(&mut fleet, 0, 1, fact);
    }
    tell(&mut fleet, 0, 1, finished(Outcome::Failed(unplugged())));
    wish(&mut fleet, Intent::Retry(id(0)));
    let commands = lost(&mut fleet, 2, TaskEnd::Aborted);
    let nothing = Outcome::Cancelled(Touched::Nothing);
    assert_eq!(commands, [finish_command(0, 2, nothing)]);
}

#[test]
fn a_task_lost_past_the_install_leaves_doubt() {
    for (how, doubt) in [
        (TaskEnd::Aborted, Doubt::StoppedWatching),
        (
            TaskEnd::Panicked("oh".to_owned()),
            Doubt::Panicked("oh".to_owned()),
        ),
    ] {
        let mut fleet = one(Mode::Go);
        tell(&mut fleet, 0, 1, started(Stage::Install));
        tell(&mut fleet, 0, 1, install_begun());
        let commands = lost(&mut fleet, 1, how);
        assert_eq!(commands, [finish_command(0, 1, Outcome::Unknown(doubt))]);
        carry_out_finishes(&mut fleet, commands);
        assert!(fleet.devices()[0].pending.is_some());
    }
}

/// Three devices, looked at: to be upgraded, current, cannot.
fn shown_plan(mode: Mode) -> Fleet {
    let mut fleet = fleet(mode, 3, 3);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, to_upgrade());
    tell(&mut fleet, 1, 1, planned(Verdict::Current));
    assert_eq!(fleet.phase(), Phase::Planning);
    tell(&mut fleet, 2, 1, planned(Verdict::Cannot(unplugged())));
    assert_eq!(fleet.phase(), Phase::Planned);
    fleet
}

#[test]
fn a_plan_alone_is_never_carried_out() {
    let mut fleet = shown_plan(Mode::Plan);
    assert!(fleet.is_over());
    assert_eq!(wish(&mut fleet, Intent::Confirm), []);
    assert_eq!(fleet.phase(), Phase::Planned);
}

#[test]
fn a_confirmation_starts_what_the_plan_says_and_counts_only_once() {
    let mut fleet = shown_plan(Mode::Confirm);
    assert!(!fleet.is_over());
    let failed = Outcome::Failed(unplugged());
    let commands = wish(&mut fleet, Intent::Confirm);
    assert_eq!(
        commands,
        [
            finish_command(1, 1, Outcome::Current),
            finish_command(2, 1, failed),
            start(0, 1)
        ]
    );
    assert_eq!(wish(&mut fleet, Intent::Confirm), []);
    carry_out_finishes(&mut fleet, commands);
    tell(&mut fleet, 0, 1, finished(Outcome::Upgraded));
    assert!(fleet.is_over());
    // Not before the plan is complete.
    let mut early = one(Mode::Confirm);
    assert_eq!(wish(&mut early, Intent::Confirm), []);
    assert_eq!(early.phase(), Phase::Planning);
}

#[test]
fn while_the_plan_is_shown_a_retry_is_another_look() {
    let mut fleet = shown_plan(Mode::Confirm);
    assert_eq!(
        wish(&mut fleet, Intent::RetryAll(vec![id(2)])),
        [plan(2, 2)]
    );
    assert_eq!(fleet.phase(), Phase::Planning);
    assert_eq!(wish(&mut fleet, Intent::Confirm), [], "a look is under way");
    tell(&mut fleet, 2, 1, planned(Verdict::Current));
    assert_eq!(
        fleet.phase(),
        Phase::Planning,
        "the first look's word is stale"
    );
    tell(&mut fleet, 2, 2, to_upgrade());
    assert_eq!(fleet.planned(VerdictKind::Upgrade), 2);
    let commands = wish(&mut fleet, Intent::Confirm);
    assert!(commands.contains(&start(0, 1)) && commands.contains(&start(2, 2)));
}

#[test]
fn what_was_cancelled_while_the_plan_is_shown_is_not_upgraded() {
    let mut fleet = shown_plan(Mode::Confirm);
    let commands = wish(&mut fleet, Intent::Cancel(id(0)));
    let nothing = Outcome::Cancelled(Touched::Nothing);
    assert_eq!(commands, [finish_command(0, 1, nothing)]);
    carry_out_finishes(&mut fleet, commands);
    let commands = wish(&mut fleet, Intent::Confirm);
    assert!(!commands.contains(&start(0, 1)), "{commands:?}");
}

/// The look's last word was under way when it was asked to stop.
#[test]
fn a_cancel_that_crosses_the_looks_answer_counts() {
    let nothing = || Outcome::Cancelled(Touched::Nothing);
    for (wished, verdict, outcome) in [
        (Intent::Cancel(id(0)), to_upgrade(), nothing()),
        (Intent::CancelAll, to_upgrade(), nothing()),
        (Intent::Interrupt, to_upgrade(), nothing()),
        (
            Intent::Interrupt,
            planned(Verdict::Current),
            Outcome::Current,
        ),
    ] {
        for starting in [true, false] {
            let mut fleet = one(Mode::Confirm);
            if !starting {
                tell(&mut fleet, 0, 1, started(Stage::Probe));
            }
            assert_eq!(wish(&mut fleet, wished.clone()), [cancel(0)]);
            if starting {
                tell(&mut fleet, 0, 1, started(Stage::Probe));
            }
            let commands = tell(&mut fleet, 0, 1, verdict.clone());
            assert_eq!(
                commands,
                [finish_command(0, 1, outcome.clone())],
                "{wished:?}"
            );
            carry_out_finishes(&mut fleet, commands);
            assert_eq!(fleet.devices()[0].outcome(), Some(&outcome));
        }
    }
}

mod any_messages {
    use proptest::prelude::*;

    use super::*;

    fn fact() -> impl Strategy<Value = DeviceFact> {
        prop_oneof![
            proptest::sample::select(&Stage::ALL[..]).prop_map(started),
            Just(install_begun()),
            Just(DeviceFact::PermitAsked),
            Just(to_upgrade()),
            proptest::sample::select(outcomes()).prop_map(|(o, _)| finished(o)),
        ]
    }

    fn max_failures() -> impl Strategy<Value = MaxFailures> {
        prop_oneof![
            (0..5_u32).prop_map(MaxFailures::Number),
            (1..=100_u8).prop_map(MaxFailures::Share),
        ]
    }

    fn message() -> impl Strategy<Value = Message> {
        let n = 0..3_usize;
        prop_oneof![
            6 => (n.clone(), 0..4_u32, fact()).prop_map(|(n, attempt, fact)| {
                Message::Event(Event {
                    at: Timestamp::UNIX_EPOCH,
                    fact: Fact::Device { device: id(n), attempt, fact },
                })
            }),
            1 => (n.clone(), 0..4_u32).prop_map(|(n, attempt)| Message::TaskLost {
                device: id(n),
                attempt,
                how: TaskEnd::Aborted,
            }),
            3 => n.prop_map(|n| Message::Intent(Intent::Retry(id(n)))),
            1 => (0..3_usize).prop_map(|n| Message::Intent(Intent::Cancel(id(n)))),
            1 => Just(Message::Intent(Intent::RetryAll(vec![id(0), id(2)]))),
            1 => Just(Message::Intent(Intent::Halt)),
            1 => (0..9_u32).prop_map(|n| Message::Intent(Intent::GoOn(MaxFailures::Number(n)))),
            1 => Just(Message::Intent(Intent::Interrupt)),
            1 => Just(Message::Intent(Intent::Confirm)),
            1 => Just(Message::Intent(Intent::CancelAll)),
        ]
    }

    proptest! {
        /// Whatever comes in whatever order: the limit holds, no device has two tasks, and one whose
        /// install is in doubt is only ever watched. Once the budget is spent no install gets permit, and
        /// none starts, until another one is given. What is counted on the way is what a recount finds.
        #[test]
        fn the_rules_hold(
            mode in proptest::sample::select(&[Mode::Plan, Mode::Confirm, Mode::Go][..]),
            max_failures in max_failures(),
            messages in proptest::collection::vec(message(), 0..60),
        ) {
            let mut fleet = fleet(mode, 2, 3).with_rollout(Rollout { max_failures });
            let mut halted = false;
            let mut pending = wish(&mut fleet, Intent::Begin);
            for message in messages {
                let before: Vec<bool> = fleet.devices().iter().map(crate::engine::DeviceState::has_task).collect();
                let doubts: Vec<bool> = fleet.devices().iter().map(|r| r.pending.is_some()).collect();
                pending.clear();
                pending.extend(fleet.update(&message));
                for command in &pending {
                    let n = |device: &DeviceId| (0..3).find(|&n| id(n) == *device).unwrap();
                    match command {
                        Command::Start { device, resume, .. } => {
                            let freed = matches!(&message, Message::Event(_) | Message::TaskLost { .. });
                            prop_assert!(!before[n(device)] || freed);
                            prop_assert!(mode != Mode::Plan);
                            prop_assert!(resume.is_some() || !doubts[n(device)]);
                        }
                        Command::Plan { .. } => prop_assert!(mode != Mode::Go),
                        _ => {}
                    }
                }
                // What is settled is a message as well, and may lead to more.
                while !pending.is_empty() {
                    for command in &pending {
                        match command {
                            Command::AnnounceHalted(_) => halted = true,
                            Command::AnnounceResumed { .. } => halted = false,
                            Command::GivePermit { .. } | Command::Start { resume: None, .. } => {
                                prop_assert!(!halted, "{command:?}");
                            }
                            _ => {}
                        }
                    }
                    let settles = |c: &Command| matches!(c, Command::Finish { .. });
                    let (settles, _) = pending.drain(..).partition(settles);
                    pending = carry_out_finishes(&mut fleet, settles);
                }
                prop_assert!(fleet.counts().running <= 2);
                prop_assert_eq!(halted, fleet.is_halted());
                prop_assert_eq!(fleet.counters(), &FleetCounts::of(fleet.devices()));
                if fleet.phase() == Phase::Upgrading && fleet.stop().is_none() {
                    prop_assert!(halted || fleet.harm() < fleet.allowed_harm());
                }
                if halted {
                    prop_assert!(fleet.devices().iter().all(|r| !r.permit || r.is_past_install()));
                }
            }
        }
    }
}

#[test]
fn a_rollback_counts_as_soon_as_it_is_seen_and_not_only_once_its_log_was_read() {
    let max_failures = MaxFailures::Number(1);
    let mut fleet = fleet(Mode::Go, 2, 3).with_rollout(Rollout { max_failures });
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 1, 1, started(Stage::Check));
    tell(&mut fleet, 0, 1, install_begun());
    let halted = tell(&mut fleet, 0, 1, returned(Outcome::RolledBack));
    assert!(matches!(&halted[..], [Command::AnnounceHalted(halt)] if halt.devices == [id(0)]));
    assert_eq!(tell(&mut fleet, 1, 1, DeviceFact::PermitAsked), []);
    assert_eq!(tell(&mut fleet, 0, 1, finished(Outcome::RolledBack)), []);
    assert_eq!(fleet.harm(), 1);
}

/// What messages cost in a large fleet; run it by hand: `cargo test --release --lib costs -- --ignored --nocapture`.
#[test]
#[ignore = "measures, asserts nothing"]
fn what_a_message_costs() {
    let devices = 20_000;
    let mut fleet = fleet(Mode::Go, 64, devices);
    let began = Instant::now();
    let mut messages = 0_u32;
    let mut commands = wish(&mut fleet, Intent::Begin);
    while !commands.is_empty() {
        let mut next = Vec::new();
        for command in commands {
            let Command::Start { device, .. } = command else {
                continue;
            };
            let n = device.as_str()[6..].parse().unwrap();
            for fact in [
                started(Stage::Probe),
                ended(Stage::Probe, None),
                to_upgrade(),
                started(Stage::Install),
                install_begun(),
                finished(Outcome::Upgraded),
            ] {
                messages += 1;
                next.extend(tell(&mut fleet, n, 1, fact));
                std::hint::black_box(fleet.is_over());
            }
        }
        commands = next;
    }
    let took = began.elapsed();
    std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!("{devices} devices, {messages} messages: {took:?}\n"),
    )
    .unwrap();
}

/// What stops a device or the run stops its install as well, whatever its task asks for in the same moment.
#[test]
fn a_device_that_is_being_stopped_gets_no_leave() {
    let mut fleet = fleet(Mode::Go, 2, 2);
    wish(&mut fleet, Intent::Begin);
    for n in 0..2 {
        tell(&mut fleet, n, 1, started(Stage::Check));
    }
    assert_eq!(wish(&mut fleet, Intent::Cancel(id(0))), [cancel(0)]);
    assert_eq!(tell(&mut fleet, 0, 1, DeviceFact::PermitAsked), []);
    let permit = Command::GivePermit { device: id(1) };
    assert_eq!(tell(&mut fleet, 1, 1, DeviceFact::PermitAsked), [permit]);
}

/// It runs the image by now, and only its log has not confirmed it: that is no harm any more.
#[test]
fn an_upgrade_that_is_not_confirmed_undoes_the_harm_of_an_earlier_install() {
    let mut fleet = one(Mode::Go);
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 0, 1, finished(Outcome::RolledBack));
    assert_eq!(fleet.harm(), 1);
    wish(&mut fleet, Intent::Retry(id(0)));
    tell(&mut fleet, 0, 2, install_begun());
    tell(&mut fleet, 0, 2, returned(unconfirmed()));
    assert_eq!(fleet.harm(), 0);
}

/// Something happens at so many seconds.
fn tell_at(fleet: &mut Fleet, n: usize, seconds: i64, fact: DeviceFact) {
    fleet.update(&Message::Event(Event {
        at: Timestamp::from_second(seconds).unwrap(),
        fact: Fact::Device {
            device: id(n),
            attempt: 1,
            fact,
        },
    }));
}

fn seconds(fleet: &Fleet, now: i64) -> Option<u64> {
    let took = fleet.elapsed(Timestamp::from_second(now).unwrap());
    took.map(|took| took.as_secs())
}

#[test]
fn neither_the_reading_of_the_plan_nor_what_comes_after_the_end_is_time_of_the_run() {
    let mut fleet = one(Mode::Confirm);
    tell_at(&mut fleet, 0, 100, started(Stage::Probe));
    tell_at(&mut fleet, 0, 101, to_upgrade());
    assert_eq!(seconds(&fleet, 500), None);
    wish(&mut fleet, Intent::Confirm);
    tell_at(&mut fleet, 0, 1000, started(Stage::Probe));
    assert_eq!(seconds(&fleet, 1040), Some(40));
    tell_at(&mut fleet, 0, 1060, finished(Outcome::Upgraded));
    assert_eq!(seconds(&fleet, 5000), Some(60));
}

/// The rest of a device that is under way is less than a whole upgrade.
#[test]
fn the_time_left_falls_with_what_is_done() {
    let mut fleet = fleet(Mode::Go, 2, 2);
    wish(&mut fleet, Intent::Begin);
    for n in 0..2 {
        tell_at(&mut fleet, n, 0, started(Stage::Probe));
    }
    tell_at(&mut fleet, 0, 100, finished(Outcome::Upgraded));
    let mut last = Duration::from_secs(101);
    for (stage, wanted) in [
        (Stage::Probe, 100.0),
        (Stage::Check, 65.0),
        (Stage::Audit, 3.0),
    ] {
        tell_at(&mut fleet, 1, 100, started(stage));
        let left = fleet.eta(Timestamp::from_second(100).unwrap()).unwrap();
        assert_eq!(left.least, left.most);
        assert!((left.least.as_secs_f64() - wanted).abs() < 0.01, "{left:?}");
        assert!(left.least < last);
        last = left.least;
    }
}

#[test]
fn those_that_wait_for_a_person_are_counted() {
    let mut fleet = fleet(Mode::Go, 4, 4);
    wish(&mut fleet, Intent::Begin);
    assert_eq!((fleet.secrets_wanted(), fleet.retryable()), (0, 0));
    for n in 0..2 {
        tell(&mut fleet, n, 1, started(Stage::Login));
        tell(&mut fleet, n, 1, DeviceFact::SecretWanted);
    }
    assert_eq!(fleet.secrets_wanted(), 2);
    for n in 2..4 {
        tell(&mut fleet, n, 1, finished(Outcome::Failed(unplugged())));
    }
    assert_eq!(fleet.retryable(), 2);
    wish(&mut fleet, Intent::Retry(id(2)));
    assert_eq!(fleet.retryable(), 1);
}

/// The app is on the device by then, and the firmware is not.
#[test]
fn a_task_that_dies_between_app_and_firmware_has_installed_something() {
    let mut fleet = one(Mode::Go);
    let DeviceFact::Returned { version, .. } = returned(Outcome::AppInstalled) else {
        panic!("what a device returns with");
    };
    for fact in [
        started(Stage::InstallUi),
        install_begun(),
        ended(Stage::InstallUi, None),
        started(Stage::VerifyUi),
        DeviceFact::Returned {
            component: Component::Ui,
            version,
            outcome: None,
        },
        ended(Stage::VerifyUi, None),
        started(Stage::Login),
    ] {
        tell(&mut fleet, 0, 1, fact);
    }
    let commands = lost(&mut fleet, 1, TaskEnd::Panicked("bug".to_owned()));
    let failed = Failure {
        stage: Stage::Login,
        kind: FailureKind::Panicked {
            what: "bug".to_owned(),
        },
        touched: Touched::InstallSent,
    };
    assert_eq!(commands, [finish_command(0, 1, Outcome::Failed(failed))]);
}

/// How far a device is when the upload of the firmware begins.
#[test]
fn a_bar_stands_where_the_attempt_stands() {
    let share = |fleet: &Fleet| fleet.devices()[0].fraction();
    let near = |fleet: &Fleet, wanted: f64| (share(fleet) - wanted).abs() < 1e-9;
    let mut fleet = one(Mode::Go);
    tell(&mut fleet, 0, 1, started(Stage::Upload));
    assert!(near(&fleet, 0.06), "{}", share(&fleet));
    let progress = |sent, total| DeviceFact::StageProgress {
        stage: Stage::Upload,
        progress: crate::engine::Progress::Bytes { sent, total },
    };
    // An image of nothing is no division by nothing.
    tell(&mut fleet, 0, 1, progress(0, 0));
    assert!(near(&fleet, 0.06), "{}", share(&fleet));
    tell(&mut fleet, 0, 1, progress(50, 100));
    assert!(near(&fleet, 0.205), "{}", share(&fleet));
    // Behind the app it is further, in the attempt that has sent one.
    tell(&mut fleet, 0, 1, ended(Stage::UploadUi, None));
    tell(&mut fleet, 0, 1, started(Stage::Upload));
    assert!(near(&fleet, 0.2), "{}", share(&fleet));
    tell(&mut fleet, 0, 1, finished(Outcome::Failed(unplugged())));
    wish(&mut fleet, Intent::Retry(id(0)));
    tell(&mut fleet, 0, 2, started(Stage::Upload));
    assert!(near(&fleet, 0.06), "{}", share(&fleet));
}
