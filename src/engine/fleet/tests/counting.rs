//! What is counted and measured: harm, time, persons that are waited for, and the bar.

use super::*;

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
