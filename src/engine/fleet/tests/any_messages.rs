//! Whatever is said in whatever order: what holds after every message.

use proptest::prelude::*;

use super::reopened::reopened;
use super::*;
use crate::engine::fixtures::pending;

fn fact() -> impl Strategy<Value = DeviceFact> {
    prop_oneof![
        proptest::sample::select(&Stage::ALL[..]).prop_map(started),
        Just(install_begun()),
        Just(DeviceFact::InstallAnnounced {
            pending: Box::new(pending())
        }),
        Just(planned(Verdict::Watch {
            notes: Vec::new(),
            goes_on: false
        })),
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
        1 => Just(Message::Intent(Intent::LeaveOut(vec![id(0), id(1)]))),
        1 => Just(Message::Intent(Intent::TakeIn(vec![id(1)]))),
        1 => Just(Message::Intent(Intent::Halt)),
        1 => (0..9_u32).prop_map(|n| Message::Intent(Intent::GoOn(MaxFailures::Number(n)))),
        1 => Just(Message::Intent(Intent::Interrupt)),
        1 => Just(Message::Intent(Intent::Confirm)),
        1 => Just(Message::Intent(Intent::CancelAll)),
        1 => Just(Message::Intent(Intent::Begin)),
        1 => proptest::sample::select(&[Mode::Confirm, Mode::Go][..]).prop_map(reopened),
    ]
}

proptest! {
    /// Whatever comes in whatever order: the limit holds, no device has two tasks, and one whose
    /// install is in doubt is only ever watched. Once the budget is spent no install gets a permit, and
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
                        prop_assert!(fleet.mode() != Mode::Plan);
                        prop_assert!(resume.is_some() || !doubts[n(device)]);
                        prop_assert!(!fleet.device(device).is_some_and(|r| r.left_out));
                    }
                    Command::Plan { .. } => prop_assert!(fleet.mode() != Mode::Go),
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
