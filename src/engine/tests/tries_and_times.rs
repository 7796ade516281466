//! The time and the tries that each step gets, and what is written down of it.

use super::*;
use crate::engine::procedure::retry::backoff;
use crate::model::{AuditMode, AuditPolicy, Component, FirmwareImage, OnExpired, Timeouts};

/// Upgrades one device with this in hand.
async fn upgrade_with(fake: &Fake, payload: Payload, policy: Policy) -> (FleetRun, Vec<Event>) {
    let fakes = std::slice::from_ref(fake);
    let mut run = run_with(fakes, Mode::Go, 1, payload, policy);
    run.intend(Intent::Begin);
    let events = run_to_end(&mut run).await;
    (run, events)
}

fn retries(events: &[Event]) -> usize {
    let scheduled = |f: &&DeviceFact| matches!(f, DeviceFact::RetryScheduled { .. });
    facts(events).filter(scheduled).count()
}

#[tokio::test(start_paused = true)]
async fn the_timeline_says_what_each_step_met_and_how_long_it_took() {
    for (initialised, clock_set, word) in [
        (false, false, "fresh"),
        (true, true, "clock set"),
        (true, false, "clock not set"),
    ] {
        let fake = Fake::new().with(|w| (w.initialised, w.clock_set) = (initialised, clock_set));
        let (run, _) = upgrade(&fake).await;
        let step = |stage| {
            let mut steps = only(&run).timeline.iter();
            steps.find(|s| s.stage == stage).unwrap()
        };
        let probe = &step(Stage::Probe).note;
        let wanted = format!("Encedo nGINE FW v1.2.2 · PPA rev 2.2 · healthy · {word}");
        assert_eq!(*probe, wanted);
        // The question, and the sending behind it.
        let upload = step(Stage::Upload);
        assert_eq!(upload.took, Duration::from_millis(4100));
        assert_eq!(upload.note, "1000 B, 243 B/s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_behind_a_renewed_certificate_is_the_second_one() {
    let fake = Fake::new().with(|w| w.expired = true);
    let policy = Policy {
        on_expired: OnExpired::Checkin,
        ..Policy::default()
    };
    let (_, events) = upgrade_by(&fake, policy).await;
    let tries: Vec<_> = facts(&events)
        .filter_map(|f| match f {
            DeviceFact::StageStarted { stage, try_no } => Some((*stage, *try_no)),
            _ => None,
        })
        .take(3)
        .collect();
    assert_eq!(
        tries,
        [(Stage::Probe, 1), (Stage::Checkin, 1), (Stage::Probe, 2)]
    );
}

#[test]
fn the_first_wait_is_the_one_of_the_inventory() {
    let first = Duration::from_secs(2);
    for (try_no, wait) in [(1, 2), (2, 4), (3, 8)] {
        let wait = Duration::from_secs(wait);
        for _ in 0..20 {
            let got = backoff(first, try_no);
            assert!(
                got >= wait * 3 / 4 && got <= wait * 5 / 4,
                "{try_no}: {got:?}"
            );
        }
    }
}

/// A poll that breaks may be repeated, as often as any other question.
#[tokio::test(start_paused = true)]
async fn a_check_whose_link_breaks_is_asked_again_and_given_up() {
    for (breaks, wanted) in [(2, None), (3, Some(reset()))] {
        let fake = Fake::new().with(|w| {
            w.checks.clear();
            w.checks.push_back(Ok(201));
            w.checks.extend(vec![Err(reset()); breaks]);
        });
        let (run, events) = upgrade(&fake).await;
        match wanted {
            None => assert_eq!(outcome(&run), &Outcome::Upgraded),
            Some(kind) => assert_eq!(failed(&run), (Stage::Check, kind, Touched::ImageStaged)),
        }
        assert_eq!(retries(&events), 2);
    }
}

/// The last poll is cut short by the end of the check's time, which is no fault of the link.
#[tokio::test(start_paused = true)]
async fn a_check_that_outlasts_its_time_ends_as_such() {
    let fake = Fake::new().with(|w| {
        w.checks = [Err(reset())].into();
        w.slow_once = Some(("check", Duration::from_secs(60)));
    });
    let after = Duration::from_secs(30);
    let policy = Policy {
        timeouts: Timeouts {
            check: after,
            ..Timeouts::default()
        },
        ..Policy::default()
    };
    let (run, events) = upgrade_by(&fake, policy).await;
    let timeout = FailureKind::CheckTimeout { polls: 0, after };
    assert_eq!(failed(&run).1, timeout);
    assert_eq!(retries(&events), 0);
}

/// As the vendor's client: the app is left alone at first, then asked every five seconds (section 8).
#[tokio::test(start_paused = true)]
async fn the_check_of_the_app_is_polled_every_five_seconds() {
    let fake = Fake::new().with(|w| w.checks.push_back(Ok(202)));
    let app = Payload {
        firmware: None,
        ..management_app::both()
    };
    let (run, _) = upgrade_with(&fake, app, Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::AppInstalled);
    let world = fake.world();
    let asked: Vec<_> = std::iter::zip(&world.asked, &world.asked_at)
        .filter(|(what, _)| **what == "check app")
        .map(|(_, at)| *at)
        .collect();
    let gaps: Vec<_> = asked
        .windows(2)
        .map(|two| (two[1] - two[0]).as_secs())
        .collect();
    assert_eq!(gaps, [20, 5, 5]);
}

/// One login does for everything up to the install, at least for an hour and at most for eight.
#[tokio::test(start_paused = true)]
async fn a_token_lives_as_long_as_the_steps_may_take() {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    for (upload, check, request, life) in [
        (20, 10, 1, "1:00:00"),
        (60, 30, 10, "2:00:00"),
        (9 * 60, 30, 10, "8:00:00"),
    ] {
        let fake = Fake::new();
        let policy = Policy {
            timeouts: Timeouts {
                upload: minutes(upload),
                check: minutes(check),
                request: minutes(request),
                ..Timeouts::default()
            },
            ..Policy::default()
        };
        let (run, _) = upgrade_by(&fake, policy).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        let mut steps = only(&run).timeline.iter();
        let login = steps.find(|s| s.stage == Stage::Login).unwrap();
        assert_eq!(login.note, format!("system:upgrade, pbkdf2, valid {life}"));
        assert_eq!(fake.count("login"), 1, "{upload}");
    }
}

/// What clocks that are apart mean for a secret is not what they mean for a phone.
#[tokio::test(start_paused = true)]
async fn a_secret_that_is_refused_with_clocks_apart_fails_as_the_secret() {
    let apart = || LoginError::ClockApart { seconds: 300 };
    let fake = Fake::new().with(|w| w.logins.extend([apart(), apart()]));
    let (run, _) = upgrade(&fake).await;
    assert_eq!(failed(&run).1, FailureKind::WrongSecret);
    let tries: Vec<_> = only(&run)
        .timeline
        .iter()
        .filter(|s| s.stage == Stage::Login)
        .map(|s| s.failure.clone())
        .collect();
    assert_eq!(tries, vec![Some(FailureKind::WrongSecret); 2]);
}

/// What the plan says of each device before anything is sent: each note where it is true, and nowhere else.
#[tokio::test(start_paused = true)]
async fn the_notes_of_the_plan_are_said_where_they_are_true() {
    const FAULT: &str = "--force in spite of fault";
    const FRESH: &str = "fresh: needs no login";
    const SIGNER: &str = "signed by another key";
    const ONLY_APP: &str = "firmware is this very image: only the app";
    const LATER: &str = "readable only after the next reboot";
    const TWICE: &str = "asks the owner's phone twice";
    const SAME: &str = "same version, another build";
    const UNKNOWN: &str = "unknown whether it is the same build";
    let firmware = || Payload::from(FirmwareImage::clone(&image()));
    let app = || Payload {
        firmware: None,
        ..management_app::both()
    };
    let policy = |mode| Policy {
        force: true,
        audit: AuditPolicy { mode, files: 3 },
        ..Policy::default()
    };
    let mobile = |fake: Fake| fake.with(|w| w.credentials = Credentials::Mobile);
    let wanted = AuditMode::Wanted;
    for (fake, payload, mode, said) in [
        (Fake::new(), firmware(), wanted, &[][..]),
        (Fake::new(), firmware(), AuditMode::Required, &[]),
        (
            Fake::new(),
            management_app::both(),
            AuditMode::Required,
            &[],
        ),
        (Fake::new(), app(), wanted, &[]),
        (Fake::new(), app(), AuditMode::Required, &[LATER]),
        (
            Fake::new().with(|w| w.fls_state = 8),
            firmware(),
            wanted,
            &[FAULT],
        ),
        (
            Fake::new().with(|w| w.initialised = false),
            firmware(),
            wanted,
            &[FRESH],
        ),
        (
            Fake::new().with(|w| w.fwk.0[0] = 8),
            firmware(),
            wanted,
            &[SIGNER],
        ),
        (
            Fake::new().with(|w| w.fws = Some(NEW)),
            management_app::both(),
            wanted,
            &[ONLY_APP],
        ),
        (
            Fake::new().with(|w| w.version = "1.2.3"),
            firmware(),
            wanted,
            &[SAME],
        ),
        (
            Fake::new().with(|w| (w.version, w.fws) = ("1.2.3", None)),
            firmware(),
            wanted,
            &[UNKNOWN],
        ),
        (mobile(Fake::new()), firmware(), wanted, &[TWICE]),
        (mobile(Fake::new()), firmware(), AuditMode::Off, &[]),
        (mobile(Fake::new()), app(), wanted, &[]),
        (
            mobile(Fake::new()).with(|w| w.initialised = false),
            firmware(),
            wanted,
            &[FRESH],
        ),
    ] {
        let fakes = [fake];
        let mut run = run_with(&fakes, Mode::Plan, 1, payload, policy(mode));
        run.intend(Intent::Begin);
        run_to_end(&mut run).await;
        let notes = notes(&run);
        for note in [FAULT, FRESH, SIGNER, ONLY_APP, LATER, TWICE, SAME, UNKNOWN] {
            assert_eq!(
                notes.contains(note),
                said.contains(&note),
                "{note}: {notes}"
            );
        }
    }
}

/// What refuses a device is told from what only should be known of it.
#[tokio::test(start_paused = true)]
async fn a_refused_downgrade_is_told_as_refused() {
    for allow_downgrade in [false, true] {
        let fake = Fake::new().with(|w| w.version = "2.0");
        let policy = Policy {
            allow_downgrade,
            ..Policy::default()
        };
        let (_, events) = upgrade_by(&fake, policy).await;
        let mut told = events.iter().filter_map(|e| e.fact.headline());
        let told = told.find(|t| t.contains("plan: ")).unwrap();
        assert_eq!(told.contains("refused"), !allow_downgrade, "{told}");
    }
}

/// A refused install of the app is told of the app.
#[tokio::test(start_paused = true)]
async fn what_is_looked_at_after_a_refusal_is_told_of_what_was_refused() {
    for (payload, component) in [
        (image().into(), Component::Firmware),
        (management_app::both(), Component::Ui),
    ] {
        let refused = Install::Refused(409);
        let fake = Fake::new().with(|w| (w.install, w.install_app) = (refused, refused));
        let (_, events) = upgrade_with(&fake, payload, Policy::default()).await;
        let told: Vec<_> = facts(&events)
            .filter_map(|f| match f {
                DeviceFact::Returned { component, .. } => Some(*component),
                _ => None,
            })
            .collect();
        assert_eq!(told, [component]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_finished_once_and_what_is_there_already_is_handed_out() {
    let fake = Fake::new();
    let mut run = run_of(std::slice::from_ref(&fake), Mode::Go, 1);
    let first = run.try_next().map(|e| e.fact);
    assert!(matches!(first, Some(Fact::RunStarted { .. })));
    assert!(run.try_next().is_none());
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(run.fleet().ended(), None);
    run.finish();
    run.finish();
    let mut ends = 0;
    while let Some(event) = run.try_next() {
        ends += usize::from(matches!(event.fact, Fact::RunFinished { .. }));
    }
    assert_eq!(ends, 1);
    assert!(run.fleet().ended().is_some());
}
