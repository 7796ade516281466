//! What is counted and measured: harm, time, persons that are waited for, and the bar.

use super::*;
use crate::engine::UsualTimes;
use crate::engine::fixtures::{OLD, TestRun, firmware, numbered, version};

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

#[test]
fn the_time_until_a_retry_is_no_time_of_the_run() {
    let mut fleet = one(Mode::Go);
    tell_at(&mut fleet, 0, 100, started(Stage::Probe));
    tell_at(&mut fleet, 0, 160, finished(Outcome::Failed(unplugged())));
    wish(&mut fleet, Intent::Retry(id(0)));
    assert_eq!(seconds(&fleet, 3600), Some(60));
    let begun = Fact::Device {
        device: id(0),
        attempt: 2,
        fact: started(Stage::Probe),
    };
    let at = Timestamp::from_second(4000).unwrap();
    fleet.update(&Message::Event(Event { at, fact: begun }));
    assert_eq!(seconds(&fleet, 4010), Some(70));
}

/// What the reducer asks to be announced happens at so many seconds.
fn announce_at(fleet: &mut Fleet, seconds: i64, commands: Vec<Command>) {
    let at = Timestamp::from_second(seconds).unwrap();
    for command in commands {
        let fact = match command {
            Command::AnnounceHalted(halt) => Fact::RunHalted(Box::new(halt)),
            Command::AnnounceResumed { harm, max_failures } => {
                Fact::RunResumed { harm, max_failures }
            }
            _ => continue,
        };
        fleet.update(&Message::Event(Event { at, fact }));
    }
}

#[test]
fn while_a_halted_run_waits_for_a_person_its_time_stands_still() {
    let max_failures = MaxFailures::Number(1);
    let mut fleet = fleet(Mode::Go, 2, 3).with_rollout(Rollout { max_failures });
    wish(&mut fleet, Intent::Begin);
    for n in 0..2 {
        tell_at(&mut fleet, n, 100, started(Stage::Probe));
    }
    tell_at(&mut fleet, 0, 110, install_begun());
    let halted = tell(&mut fleet, 0, 1, returned(Outcome::RolledBack));
    announce_at(&mut fleet, 120, halted);
    tell_at(&mut fleet, 0, 120, finished(Outcome::RolledBack));
    assert_eq!(seconds(&fleet, 130), Some(30), "a device still works");
    tell_at(&mut fleet, 1, 140, DeviceFact::PermitAsked);
    assert!(fleet.is_halted());
    assert_eq!(seconds(&fleet, 5000), Some(40));
    let resumed = wish(&mut fleet, Intent::GoOn(MaxFailures::Number(5)));
    announce_at(&mut fleet, 6000, resumed);
    assert_eq!(seconds(&fleet, 6010), Some(50));
}

#[test]
fn the_end_of_the_last_device_under_way_can_halt_the_run_and_its_time() {
    let max_failures = MaxFailures::Number(1);
    let mut fleet = fleet(Mode::Go, 1, 2).with_rollout(Rollout { max_failures });
    wish(&mut fleet, Intent::Begin);
    tell_at(&mut fleet, 0, 100, started(Stage::Probe));
    tell_at(&mut fleet, 0, 110, install_begun());
    let halted = tell(&mut fleet, 0, 1, finished(Outcome::RolledBack));
    assert!(fleet.is_halted());
    announce_at(&mut fleet, 120, halted);
    assert_eq!(seconds(&fleet, 5000), Some(20));
}

fn left(fleet: &Fleet, now: i64) -> (u64, u64) {
    let left = fleet.eta(Timestamp::from_second(now).unwrap()).unwrap();
    (left.least.as_secs(), left.most.as_secs())
}

/// A stage ends at so many seconds, and took so many.
fn end_at(fleet: &mut Fleet, n: usize, seconds: i64, stage: Stage, took: u64) {
    let mut fact = ended(stage, None);
    if let DeviceFact::StageFinished { took: known, .. } = &mut fact {
        *known = Duration::from_secs(took);
    }
    tell_at(fleet, n, seconds, fact);
}

#[test]
fn there_is_a_time_left_from_the_first_stage_on_and_it_falls_with_what_is_done() {
    let mut fleet = fleet(Mode::Go, 2, 2);
    assert_eq!(fleet.eta(Timestamp::from_second(0).unwrap()), None);
    wish(&mut fleet, Intent::Begin);
    for n in 0..2 {
        tell_at(&mut fleet, n, 0, started(Stage::Probe));
    }
    // 1 + 2 + 8 + 30 + 2 + 45 + 1 seconds by experience, and from 0.7 to 1.5 times that.
    assert_eq!(left(&fleet, 0), (62, 133));
    for n in 0..2 {
        tell_at(&mut fleet, n, 10, started(Stage::Check));
    }
    assert_eq!(left(&fleet, 10), (54, 117));
    // Time that passes counts, and a check that takes longer than usual leaves the rest.
    assert_eq!(left(&fleet, 20), (44, 107));
    assert_eq!(left(&fleet, 500), (33, 72));
    // What was measured counts: 50 seconds, of which 10 are gone on the other device.
    end_at(&mut fleet, 0, 60, Stage::Check, 50);
    tell_at(&mut fleet, 0, 60, started(Stage::Reboot));
    tell_at(&mut fleet, 1, 60, started(Stage::Check));
    assert_eq!(left(&fleet, 70), (35 + 33, 45 + 72));
    end_at(&mut fleet, 0, 80, Stage::Reboot, 20);
    tell_at(&mut fleet, 0, 80, finished(Outcome::Upgraded));
    tell_at(&mut fleet, 1, 80, started(Stage::Verify));
    assert_eq!(left(&fleet, 80), (0, 1));
    tell_at(&mut fleet, 1, 81, finished(Outcome::Upgraded));
    assert_eq!(fleet.eta(Timestamp::from_second(81).unwrap()), None);
}

/// What earlier runs took, all of them the same.
fn earlier(hwv: &str, stage: Stage, took: u64) -> Vec<(String, Stage, Duration)> {
    vec![(hwv.to_owned(), stage, Duration::from_secs(took)); 3]
}

#[test]
fn before_a_run_has_measured_earlier_runs_tell_how_long_each_model_takes() {
    let model = version(OLD).hwv;
    let known = [
        earlier(&model, Stage::Check, 100),
        earlier("PPA rev 9", Stage::Check, 1000),
        earlier(&model, Stage::Reboot, 40),
    ];
    let usual = UsualTimes::of(known.concat());
    let mut run = TestRun::new(Mode::Go, numbered(1), firmware(3_000_000));
    run.remember(usual);
    run.begin();
    run.start(0, Stage::Probe, 1);
    run.planned_upgrade(0, &[]);
    run.start(0, Stage::Reboot, 1);
    let left = run.fleet.eta(run.now).unwrap();
    // A tenth less and more of 40, and what is usual of the verification.
    assert_eq!(
        (left.least.as_millis(), left.most.as_millis()),
        (36_700, 45_500)
    );
    let said = Duration::from_secs(60);
    let silence = |run: &TestRun| {
        run.fleet
            .normal_silence(&run.fleet.devices()[0], said)
            .as_secs()
    };
    assert_eq!(silence(&run), 60, "40 and half of that");
    run.stage_done(0, Stage::Reboot, 80_000, 200, "");
    assert_eq!(silence(&run), 120, "the run's own measurement takes over");
    let check = run
        .fleet
        .usual(&run.fleet.devices()[0], Stage::Check)
        .unwrap();
    assert_eq!(check.p95.as_secs(), 100, "of its own model");
}

#[test]
fn nobody_is_told_early_that_a_silent_device_is_late() {
    let mut run = TestRun::new(Mode::Go, numbered(1), firmware(3_000_000));
    run.begin();
    run.start(0, Stage::Reboot, 1);
    let silence = |run: &TestRun| {
        let said = Duration::from_secs(60);
        run.fleet
            .normal_silence(&run.fleet.devices()[0], said)
            .as_secs()
    };
    assert_eq!(silence(&run), 60);
    run.stage_done(0, Stage::Reboot, 500, 200, "");
    assert_eq!(silence(&run), 20);
}

#[test]
fn a_stage_that_took_for_ever_is_no_panic() {
    let mut run = TestRun::new(Mode::Go, numbered(2), firmware(3_000_000));
    run.begin();
    run.start(0, Stage::Reboot, 1);
    run.stage_done(0, Stage::Reboot, u64::MAX, 200, "");
    run.start(1, Stage::Probe, 1);
    assert!(run.fleet.eta(run.now).is_some());
}

#[test]
fn what_waits_is_shared_by_the_slots() {
    let mut fleet = fleet(Mode::Go, 4, 40);
    wish(&mut fleet, Intent::Begin);
    let (least, most) = left(&fleet, 0);
    assert_eq!((least, most), (623, 1335));
}

#[test]
fn the_rate_of_all_uploads_is_their_sum_and_ends_with_them() {
    let mut fleet = fleet(Mode::Go, 3, 3);
    wish(&mut fleet, Intent::Begin);
    let rate = |fleet: &Fleet, now| fleet.upload_rate(Timestamp::from_second(now).unwrap());
    let sent = |sent| DeviceFact::StageProgress {
        stage: Stage::Upload,
        progress: crate::engine::Progress::Bytes { sent, total: 9000 },
    };
    assert_eq!(rate(&fleet, 0), None);
    for n in 0..2 {
        tell_at(&mut fleet, n, 0, started(Stage::Upload));
        tell_at(&mut fleet, n, 2, sent(2000));
    }
    assert_eq!(rate(&fleet, 2).map(f64::round), Some(2000.0));
    for n in 0..2 {
        tell_at(&mut fleet, n, 9, sent(9000));
    }
    assert_eq!(rate(&fleet, 9), None);
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
