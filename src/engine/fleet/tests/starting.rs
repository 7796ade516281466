//! Who starts, when, and with what: the plan, its confirmation and retries.

use super::*;

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
    let device = &fleet.devices()[0];
    assert!(device.pending.is_none() && device.timeline.is_empty());
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

/// A plan of three devices, of which all but the last are to be upgraded.
fn a_plan() -> Fleet {
    let mut fleet = fleet(Mode::Confirm, 3, 3);
    wish(&mut fleet, Intent::Begin);
    for n in 0..2 {
        tell(&mut fleet, n, 1, to_upgrade());
    }
    tell(&mut fleet, 2, 1, planned(Verdict::Current));
    fleet
}

#[test]
fn what_is_left_out_of_the_plan_is_not_to_be_confirmed_and_ends_as_skipped() {
    let mut fleet = a_plan();
    assert_eq!((fleet.to_confirm(), fleet.left_out()), (2, 0));
    assert_eq!(wish(&mut fleet, Intent::LeaveOut(vec![id(0), id(2)])), []);
    // The last one is not to be upgraded anyway.
    assert_eq!((fleet.to_confirm(), fleet.left_out()), (1, 1));
    assert_eq!(fleet.planned(VerdictKind::Upgrade), 1);
    let commands = wish(&mut fleet, Intent::Confirm);
    assert_eq!(commands.len(), 3);
    assert!(commands.contains(&start(1, 1)));
    let left_out = Outcome::Skipped(Skip::LeftOut);
    assert!(commands.contains(&finish_command(0, 1, left_out)));
    assert!(commands.contains(&finish_command(2, 1, Outcome::Current)));
    carry_out_finishes(&mut fleet, commands);
    assert_eq!(fleet.counts().of(OutcomeKind::Skipped), 1);
    // It is no part of what a share of failures is taken of, and no key starts it any more.
    assert_eq!(fleet.counters().wanted, 1);
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), []);
    assert_eq!(wish(&mut fleet, Intent::TakeIn(vec![id(0)])), []);
    assert_eq!(fleet.counts().of(OutcomeKind::Skipped), 1);
}

#[test]
fn what_was_left_out_is_taken_back_in_and_another_look_changes_neither() {
    let mut fleet = a_plan();
    wish(&mut fleet, Intent::LeaveOut(vec![id(0), id(1)]));
    wish(&mut fleet, Intent::TakeIn(vec![id(1)]));
    assert_eq!((fleet.to_confirm(), fleet.left_out()), (1, 1));
    assert_eq!(wish(&mut fleet, Intent::Retry(id(0))), [plan(0, 2)]);
    tell(&mut fleet, 0, 2, to_upgrade());
    assert_eq!((fleet.to_confirm(), fleet.left_out()), (1, 1));
    let commands = wish(&mut fleet, Intent::Confirm);
    assert!(!commands.contains(&start(0, 2)), "{commands:?}");
}

#[test]
fn only_a_plan_that_waits_for_a_confirmation_can_be_changed() {
    let mut going = fleet(Mode::Go, 3, 3);
    wish(&mut going, Intent::Begin);
    let mut shown = fleet(Mode::Plan, 3, 3);
    wish(&mut shown, Intent::Begin);
    tell(&mut shown, 0, 1, to_upgrade());
    let mut stopped = a_plan();
    wish(&mut stopped, Intent::Interrupt);
    for mut fleet in [going, shown, stopped] {
        wish(&mut fleet, Intent::LeaveOut(vec![id(0), id(1)]));
        assert!(!fleet.devices().iter().any(|device| device.left_out));
    }
}
