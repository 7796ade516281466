//! A run that another process goes on with: who is taken up again, and how.

use std::collections::BTreeMap;

use super::*;
use crate::engine::Reopened;
use crate::engine::fixtures::pending;

pub(super) fn reopened(mode: Mode) -> Message {
    reopened_without(mode, &[])
}

fn reopened_without(mode: Mode, gone: &[usize]) -> Message {
    Message::Event(Event {
        at: Timestamp::UNIX_EPOCH,
        fact: Fact::RunReopened(Box::new(Reopened {
            by: "ann on desk, process 7".to_owned(),
            mode,
            concurrency: 2,
            max_failures: None,
            gone: gone.iter().map(|&n| id(n)).collect(),
            earlier: BTreeMap::new(),
            refused: BTreeMap::new(),
        })),
    })
}

fn announced() -> DeviceFact {
    DeviceFact::InstallAnnounced {
        pending: Box::new(pending()),
    }
}

fn outcome(fleet: &Fleet, n: usize) -> Option<&Outcome> {
    fleet.devices()[n].outcome()
}

/// Every way in which a process can leave a device, and what its successor does with it.
#[test]
fn each_device_is_taken_up_where_its_last_event_left_it() {
    let mut fleet = fleet(Mode::Go, 8, 8);
    wish(&mut fleet, Intent::Begin);
    let done = Outcome::Upgraded;
    tell(&mut fleet, 0, 1, started(Stage::Upload));
    tell(&mut fleet, 1, 1, install_begun());
    tell(&mut fleet, 2, 1, finished(done.clone()));
    let failed = Outcome::Failed(unplugged());
    tell(&mut fleet, 3, 1, finished(failed.clone()));
    tell(&mut fleet, 4, 1, announced());
    // The stage's start may have reached the disk without what followed it.
    tell(&mut fleet, 5, 1, announced());
    tell(&mut fleet, 5, 1, started(Stage::Install));
    // The last look found it changed: nothing was sent.
    tell(&mut fleet, 6, 1, announced());
    tell(&mut fleet, 6, 1, started(Stage::Probe));
    tell(&mut fleet, 7, 1, install_begun());
    tell(&mut fleet, 7, 1, finished(Outcome::Lost));
    assert_eq!(fleet.update(&reopened(Mode::Go)), []);
    let watching = Outcome::Unknown(Doubt::StoppedWatching);
    assert_eq!(
        outcome(&fleet, 0),
        Some(&Outcome::Cancelled(Touched::ImageSent))
    );
    for n in [1, 4, 5] {
        assert_eq!(outcome(&fleet, n), Some(&watching), "{n}");
    }
    assert_eq!(outcome(&fleet, 2), Some(&done));
    assert_eq!(outcome(&fleet, 3), Some(&failed));
    assert_eq!(
        outcome(&fleet, 6),
        Some(&Outcome::Cancelled(Touched::Nothing))
    );
    assert_eq!(fleet.unfinished(), 6);
    let of_the_lost = 2;
    assert_eq!(
        fleet.harm(),
        of_the_lost,
        "a process that died does no harm"
    );
    let mut commands = wish(&mut fleet, Intent::Begin);
    // Two at once: those that are only watched come first.
    for n in [1, 4, 5, 7] {
        commands.extend(tell(&mut fleet, n, 2, finished(Outcome::Upgraded)));
    }
    let taken_up = commands.iter().map(|command| match command {
        Command::Start {
            device,
            attempt: 2,
            resume,
            ..
        } => (device.to_string(), resume.is_some()),
        other => unreachable!("{other:?}"),
    });
    let taken_up: Vec<_> = taken_up.collect();
    let wanted = [
        (1, true),
        (4, true),
        (5, true),
        (7, true),
        (0, false),
        (6, false),
    ];
    assert_eq!(
        taken_up,
        wanted.map(|(n, watch)| (id(n).to_string(), watch))
    );
}

#[test]
fn the_unfinished_are_asked_what_they_are_before_anybody_confirms() {
    let mut fleet = fleet(Mode::Go, 8, 3);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 2, 1, finished(Outcome::Upgraded));
    fleet.update(&reopened(Mode::Confirm));
    let asked = wish(&mut fleet, Intent::Begin);
    assert!(
        matches!(
            &asked[..],
            [
                Command::Plan {
                    resume: Some(_),
                    ..
                },
                Command::Plan { resume: None, .. },
            ]
        ),
        "{asked:?}"
    );
    let watch = planned(Verdict::Watch {
        notes: Vec::new(),
        goes_on: false,
    });
    tell(&mut fleet, 0, 2, watch);
    tell(&mut fleet, 1, 2, to_upgrade());
    assert_eq!(fleet.phase(), Phase::Planned);
    assert_eq!(fleet.to_confirm(), 1, "a watch sends nothing");
    let started = wish(&mut fleet, Intent::Confirm);
    assert!(
        matches!(
            &started[..],
            [
                Command::Start {
                    resume: Some(_),
                    ..
                },
                Command::Start { resume: None, .. },
            ]
        ),
        "{started:?}"
    );
}

/// Interrupted, halted or drained by a hang-up: that run can be gone on with as well.
#[test]
fn a_run_that_was_stopped_goes_on() {
    let mut fleet = fleet(Mode::Go, 1, 3);
    wish(&mut fleet, Intent::Begin);
    let settled = wish(&mut fleet, Intent::Interrupt);
    carry_out_finishes(&mut fleet, settled);
    lost(&mut fleet, 1, TaskEnd::Aborted);
    fleet.update(&reopened(Mode::Go));
    assert_eq!(fleet.stop(), None);
    assert_eq!(fleet.unfinished(), 3);
    assert_eq!(wish(&mut fleet, Intent::Begin).len(), 2);
    assert_eq!(fleet.counts().waiting, 1);
}

#[test]
fn devices_that_the_inventory_lost_are_left_alone() {
    let mut fleet = fleet(Mode::Go, 1, 3);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, install_begun());
    fleet.update(&reopened_without(Mode::Go, &[0, 1]));
    assert_eq!(fleet.unfinished(), 1);
    let started = wish(&mut fleet, Intent::Begin);
    assert!(
        matches!(&started[..], [Command::Start { device, .. }] if *device == id(2)),
        "{started:?}"
    );
    tell(&mut fleet, 2, 2, finished(Outcome::Upgraded));
    assert!(fleet.is_over());
}

/// A plan that nobody had confirmed is made anew, and a run that had not begun begins.
#[test]
fn what_was_only_planned_is_planned_again() {
    let mut planning = fleet(Mode::Confirm, 8, 2);
    wish(&mut planning, Intent::Begin);
    tell(&mut planning, 0, 1, to_upgrade());
    for mut fleet in [planning, fleet(Mode::Confirm, 8, 2)] {
        fleet.update(&reopened(Mode::Confirm));
        let asked = wish(&mut fleet, Intent::Begin);
        assert_eq!(asked.len(), 2);
        assert_eq!(fleet.phase(), Phase::Planning);
    }
}

/// The end of a device that needs no task is ordered and told; the process may die in between.
#[test]
fn an_end_that_was_ordered_and_not_told_is_kept() {
    let mut fleet = fleet(Mode::Confirm, 8, 2);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, planned(Verdict::Current));
    tell(&mut fleet, 1, 1, to_upgrade());
    wish(&mut fleet, Intent::Confirm);
    fleet.bury();
    assert_eq!(outcome(&fleet, 0), Some(&Outcome::Current));
}

#[test]
fn an_image_that_was_refused_before_is_sent_again_only_where_a_person_asks_for_that() {
    let mut seed = seed(0, LinkTrust::Ca);
    seed.refused = Some(crate::engine::EarlierRefusal {
        run: RunId::from_random([1; 4]),
        at: Timestamp::UNIX_EPOCH,
        image: None,
        device: None,
    });
    let facts = Payload::from(image()).facts();
    let run = RunId::from_random([0; 4]);
    let mut fleet = Fleet::new(run, facts, Mode::Go, 1, [seed]);
    let knows = |commands: &[Command]| match commands {
        [Command::Start { refused, .. }] => !refused.is_empty(),
        other => unreachable!("{other:?}"),
    };
    assert!(knows(&wish(&mut fleet, Intent::Begin)));
    // Some other failure says nothing of it.
    tell(&mut fleet, 0, 1, finished(Outcome::Failed(unplugged())));
    assert!(knows(&wish(&mut fleet, Intent::Retry(id(0)))));
    let refused = FailureKind::RefusedBefore {
        run: "01010101".to_owned(),
        on: "1970-01-01".to_owned(),
    };
    let refused = Failure {
        kind: refused,
        ..unplugged()
    };
    tell(&mut fleet, 0, 2, finished(Outcome::Failed(refused)));
    assert!(!knows(&wish(&mut fleet, Intent::Retry(id(0)))));
}

/// A plan was shown, a device left out of it, and the process died: whoever goes on without a plan sends it nothing.
#[test]
fn a_device_that_was_left_out_stays_out_where_no_plan_is_shown() {
    for (mode, outcome) in [
        (Mode::Go, Some(Outcome::Skipped(Skip::LeftOut))),
        (Mode::Confirm, None),
    ] {
        let mut fleet = fleet(Mode::Confirm, 8, 2);
        wish(&mut fleet, Intent::Begin);
        tell(&mut fleet, 0, 1, to_upgrade());
        tell(&mut fleet, 1, 1, to_upgrade());
        wish(&mut fleet, Intent::LeaveOut(vec![id(0)]));
        fleet.update(&reopened(mode));
        wish(&mut fleet, Intent::Begin);
        assert_eq!(fleet.devices()[0].outcome(), outcome.as_ref());
        if mode == Mode::Confirm {
            tell(&mut fleet, 0, 2, to_upgrade());
            tell(&mut fleet, 1, 2, to_upgrade());
            assert_eq!((fleet.to_confirm(), fleet.left_out()), (1, 1));
        }
    }
}

#[test]
fn a_device_that_is_gone_is_not_tried_again() {
    let mut fleet = fleet(Mode::Go, 8, 1);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, finished(Outcome::Failed(unplugged())));
    fleet.update(&reopened_without(Mode::Go, &[0]));
    wish(&mut fleet, Intent::Begin);
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
    assert!(fleet.is_over());
}

/// What other runs left meanwhile is known to whoever goes on: a device of its own in doubt is watched for that, the others
/// for theirs.
#[test]
fn what_other_runs_have_left_is_watched_and_asked_for() {
    let mut fleet = fleet(Mode::Go, 8, 3);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, started(Stage::Probe));
    tell(&mut fleet, 1, 1, announced());
    let earlier = || crate::engine::EarlierInstall {
        run: RunId::from_random([9; 4]),
        image: None,
        pending: pending(),
    };
    let refused = crate::engine::EarlierRefusal {
        run: RunId::from_random([9; 4]),
        at: Timestamp::UNIX_EPOCH,
        image: None,
        device: None,
    };
    let Message::Event(mut event) = reopened(Mode::Go) else {
        unreachable!("an event")
    };
    if let Fact::RunReopened(reopened) = &mut event.fact {
        reopened.earlier = [(id(0), earlier()), (id(1), earlier())].into();
        reopened.refused = [(id(2), refused)].into();
    }
    fleet.update(&Message::Event(event));
    let commands = wish(&mut fleet, Intent::Begin);
    let resumes = |n: usize| {
        let mut starts = commands.iter();
        starts.find_map(|command| match command {
            Command::Start {
                device,
                resume,
                refused,
                ..
            } if *device == id(n) => Some((resume.clone(), refused.len())),
            _ => None,
        })
    };
    // Those in doubt come first, as many as there is room for.
    assert!(matches!(resumes(1), Some((Some(Resume::Install(_)), 0))));
    assert!(matches!(resumes(0), Some((Some(Resume::Earlier(_)), 0))));
    let commands = tell(&mut fleet, 1, 2, finished(Outcome::Upgraded));
    let [Command::Start { refused, .. }] = &commands[..] else {
        unreachable!("{commands:?}")
    };
    assert_eq!(refused.len(), 1);
}

/// Whoever asked for a refused image asked for one attempt of that process, and knew of no newer refusal.
#[test]
fn a_refused_image_is_asked_for_anew_after_a_death() {
    let mut fleet = fleet(Mode::Go, 8, 1);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, started(Stage::Upload));
    tell(&mut fleet, 0, 1, install_begun());
    tell(&mut fleet, 0, 1, finished(Outcome::RolledBack));
    let refused = |commands: &[Command]| match commands {
        [Command::Start { refused, .. }] => refused.len(),
        other => unreachable!("{other:?}"),
    };
    assert_eq!(refused(&wish(&mut fleet, Intent::Retry(id(0)))), 0);
    tell(&mut fleet, 0, 2, started(Stage::Upload));
    fleet.update(&reopened(Mode::Go));
    assert_eq!(refused(&wish(&mut fleet, Intent::Begin)), 1);
}

/// What a person leaves out of the plan of a resume is left as it is: in doubt, if it was.
#[test]
fn an_app_in_doubt_that_is_left_out_stays_in_doubt() {
    let mut fleet = fleet(Mode::Go, 8, 1);
    wish(&mut fleet, Intent::Begin);
    tell(&mut fleet, 0, 1, started(Stage::InstallUi));
    tell(&mut fleet, 0, 1, install_begun());
    fleet.update(&reopened(Mode::Confirm));
    wish(&mut fleet, Intent::Begin);
    let verdict = Verdict::Watch {
        notes: Vec::new(),
        goes_on: true,
    };
    tell(&mut fleet, 0, 2, planned(verdict));
    wish(&mut fleet, Intent::LeaveOut(vec![id(0)]));
    wish(&mut fleet, Intent::Confirm);
    tell(&mut fleet, 0, 2, finished(Outcome::Skipped(Skip::LeftOut)));
    assert!(fleet.devices()[0].pending.is_some() && fleet.devices()[0].is_unfinished());
}

/// A run that was halted, and whose process died: two devices went wrong, one waits.
fn halted() -> Fleet {
    let mut fleet = fleet(Mode::Go, 2, 3).with_rollout(Rollout {
        max_failures: MaxFailures::Number(1),
    });
    wish(&mut fleet, Intent::Begin);
    for n in 0..2 {
        tell(&mut fleet, n, 1, install_begun());
        tell(&mut fleet, n, 1, finished(Outcome::Lost));
    }
    assert!(fleet.is_halted());
    fleet
}

/// A plan sends nothing: it is made although the run is halted, and the question comes once it is confirmed.
#[test]
fn a_halted_run_is_looked_at_and_asks_for_its_budget_once_it_is_confirmed() {
    let mut fleet = halted();
    fleet.update(&reopened(Mode::Confirm));
    let mut commands = wish(&mut fleet, Intent::Begin);
    for n in [0, 1, 2] {
        let verdict = match n {
            2 => Verdict::Upgrade { notes: Vec::new() },
            _ => Verdict::Watch {
                notes: Vec::new(),
                goes_on: false,
            },
        };
        let looks =
            |command: &Command| matches!(command, Command::Plan { device, .. } if *device == id(n));
        assert!(commands.iter().any(looks), "{n}: {commands:?}");
        let attempt = fleet.devices()[n].attempt;
        commands.extend(tell(&mut fleet, n, attempt, planned(verdict)));
    }
    assert_eq!(fleet.phase(), Phase::Planned);
    assert!(!fleet.waits_for_budget());
    let started = wish(&mut fleet, Intent::Confirm);
    let watched = |command: &Command| {
        matches!(
            command,
            Command::Start {
                resume: Some(_),
                ..
            }
        )
    };
    assert!(
        started.len() == 2 && started.iter().all(watched),
        "{started:?}"
    );
    assert!(fleet.waits_for_budget());
}

#[test]
fn a_budget_that_was_given_to_a_plan_that_was_left_is_not_given() {
    let offer = |fleet: &mut Fleet, mode: Mode, max_failures: Option<MaxFailures>| {
        let Message::Event(mut event) = reopened(mode) else {
            unreachable!("an event")
        };
        if let Fact::RunReopened(reopened) = &mut event.fact {
            reopened.max_failures = max_failures;
        }
        fleet.update(&Message::Event(event));
        wish(fleet, Intent::Begin);
    };
    let budget = Some(MaxFailures::Number(20));
    let mut fleet = halted();
    offer(&mut fleet, Mode::Confirm, budget);
    assert!(!fleet.is_halted());
    wish(&mut fleet, Intent::Drain);
    offer(&mut fleet, Mode::Go, None);
    assert!(fleet.is_halted());
    assert_eq!(fleet.max_failures(), MaxFailures::Number(1));
    // What was begun with it has it.
    offer(&mut fleet, Mode::Go, budget);
    offer(&mut fleet, Mode::Go, None);
    assert!(!fleet.is_halted());
}

/// The device that is watched may run the image by now: that is not what it ran before.
#[test]
fn what_a_device_ran_before_its_install_stays_what_it_ran() {
    let mut run = crate::engine::fixtures::TestRun::new(
        Mode::Go,
        vec![seed(0, LinkTrust::Ca)],
        crate::engine::fixtures::firmware(1000),
    );
    run.begin();
    run.planned_upgrade(0, &[]);
    run.install_begun(0);
    let Message::Event(event) = reopened(Mode::Confirm) else {
        unreachable!("an event")
    };
    run.event(event.fact);
    run.intend(Intent::Begin);
    run.planned(0, Verdict::Current);
    assert_eq!(
        run.fleet.devices()[0].from_label().as_deref(),
        Some("1.2.2")
    );
}
