//! How a device is logged in to, and what the plan says of that beforehand.

use super::*;
use crate::model::{Derivation, Fwk, OnExpired, Secret};

fn wrong() -> LoginError {
    LoginError::Failed(FailureKind::WrongSecret)
}

fn other_derivation() -> LoginError {
    LoginError::OtherDerivation {
        refused: Derivation::Pbkdf2,
        next: Derivation::Argon2d,
    }
}

fn prompt(fake: Fake) -> Fake {
    fake.with(|w| {
        w.credentials = Credentials::Prompt;
        w.secret = Some(b"right");
    })
}

async fn answer(run: &mut FleetRun, secret: &[u8]) {
    until(run, |f| matches!(f, DeviceFact::SecretWanted)).await;
    assert!(only(run).wants_secret());
    let id = only(run).id.clone();
    run.intend(Intent::Answer(id, Secret::new(secret.to_vec())));
    assert!(!only(run).wants_secret());
}

#[tokio::test(start_paused = true)]
async fn the_other_derivation_is_tried_once_at_once_and_what_worked_is_told() {
    let fake = Fake::new().with(|w| w.logins.push_back(other_derivation()));
    let (run, events) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    // The check-in is the one before the log is read.
    assert_eq!((fake.count("login"), fake.count("checkin")), (2, 1));
    let tries: Vec<_> = only(&run)
        .timeline
        .iter()
        .filter(|s| s.stage == Stage::Login)
        .map(|s| (s.try_no, s.failure.clone()))
        .collect();
    assert_eq!(tries, [(1, Some(FailureKind::WrongSecret)), (2, None)]);
    let note = &only(&run).timeline[2].note;
    assert_eq!(note, "system:upgrade, pbkdf2, valid 1:00:00");
    assert_eq!(only(&run).derivation, Some(Derivation::Pbkdf2));
    let told = facts(&events).any(|f| {
        matches!(f, DeviceFact::LoggedIn { derivation, .. } if *derivation == Some(Derivation::Pbkdf2))
    });
    assert!(told);
    let both = Fake::new().with(|w| w.logins.extend([other_derivation(), wrong()]));
    let (run, _) = upgrade(&both).await;
    assert_eq!(failed(&run).1, FailureKind::WrongSecret);
    assert_eq!(both.count("login"), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_three_401_in_a_run_however_they_come() {
    let fake = Fake::new().with(|w| {
        w.logins.extend([
            other_derivation(),
            LoginError::ClockApart { seconds: 300 },
            other_derivation(),
            wrong(),
        ]);
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(failed(&run).1, FailureKind::LoginsUsedUp);
    assert_eq!(fake.count("login"), 3);
}

/// Another process has begun the run: what was refused there is refused in this run.
#[tokio::test(start_paused = true)]
async fn refused_logins_count_on_where_a_run_is_gone_on_with() {
    let fake = Fake::new().with(|w| w.logins.extend([other_derivation(), wrong(), wrong()]));
    let (run, _) = upgrade(&fake).await;
    assert_eq!(only(&run).logins_left, Some(1));
    let refused = run.fleet().refused_logins();
    let (id, fleet) = (
        run.fleet().run().clone(),
        Fleet::of(run.fleet().facts().clone()),
    );
    let devices = [(only(&run).id.clone(), fake.clone())];
    let payload = Payload::from(image());
    let mut run = FleetRun::new(fleet, |inbox| {
        Pool::new(id, devices, payload, Policy::default(), inbox).after_refused_logins(&refused)
    });
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(only(&run).logins_left, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_asked_for_when_the_device_is_reached_and_again_if_mistyped() {
    let fake = prompt(Fake::new());
    let mut run = begin(&fake).await;
    answer(&mut run, b"wrong").await;
    answer(&mut run, b"right").await;
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let fake = prompt(Fake::new());
    let mut run = begin(&fake).await;
    for _ in 0..3 {
        answer(&mut run, b"wrong").await;
    }
    run_to_end(&mut run).await;
    assert_eq!(failed(&run).1, FailureKind::LoginsUsedUp);
    // The first login asked for the secret, and each of the others sent one.
    assert_eq!(fake.count("login"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_nobody_waits_for_is_dropped_and_waiting_can_be_stopped() {
    let fake = prompt(Fake::new());
    let mut run = begin(&fake).await;
    let id = only(&run).id.clone();
    let early = Secret::new(b"right".to_vec());
    run.intend(Intent::Answer(id.clone(), early));
    until(&mut run, |f| matches!(f, DeviceFact::SecretWanted)).await;
    run.intend(Intent::Cancel(id));
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Cancelled(Touched::Nothing));
    let last = only(&run).timeline.last().unwrap();
    assert_eq!(
        (last.stage, &last.failure),
        (Stage::Login, &Some(FailureKind::Stopped))
    );
    assert!(fake.world().typed.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_token_never_travels_in_clear_unless_that_is_allowed() {
    for credentials in [
        Credentials::Login,
        Credentials::Prompt,
        Credentials::Token,
        Credentials::Mobile,
    ] {
        let fake = Fake::new().with(|w| {
            w.may_carry_token = false;
            w.credentials = credentials;
        });
        let (run, _) = upgrade(&fake).await;
        assert_eq!(
            failed(&run),
            (Stage::Probe, FailureKind::PlainLogin, Touched::Nothing)
        );
        assert_eq!(fake.count("login") + fake.count("request"), 0);
    }
    let fresh = Fake::new().with(|w| {
        w.may_carry_token = false;
        w.initialised = false;
    });
    let (run, _) = upgrade(&fresh).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn another_signer_is_a_warning_and_with_the_same_key_required_a_refusal() {
    let other = || Fake::new().with(|w| w.fwk = Fwk([8; 32]));
    let (run, _) = upgrade(&other()).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert!(notes(&run).contains("another key"));
    let strict = Policy {
        same_key: true,
        ..Policy::default()
    };
    let (run, _) = upgrade_by(&other(), strict.clone()).await;
    assert_eq!(failed(&run).1, FailureKind::OtherSigner);
    let (run, _) = upgrade_by(&Fake::new(), strict).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn an_older_image_is_refused_unless_it_is_allowed() {
    let device = |version: &'static str| Fake::new().with(|w| w.version = version);
    let allowed = Policy {
        allow_downgrade: true,
        ..Policy::default()
    };
    // The image is 1.2.3.
    for version in ["1.2.10", "1.3.0-DIAG", "2.0"] {
        let fake = device(version);
        let (run, _) = upgrade(&fake).await;
        let (stage, kind, touched) = failed(&run);
        assert_eq!((stage, touched), (Stage::Probe, Touched::Nothing));
        assert_eq!(kind.code(), "downgrade", "{version}");
        assert!(kind.to_string().contains(version), "{kind}");
        assert!(outcome(&run).hint().unwrap().contains("--allow-downgrade"));
        assert_eq!((fake.count("login"), fake.count("upload")), (0, 0));
        let (run, _) = upgrade_by(&device(version), allowed.clone()).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        let verdict = only(&run).verdict.as_ref().unwrap();
        assert_eq!(verdict.kind(), VerdictKind::Downgrade);
    }
    for (version, note) in [
        ("1.2.2", ""),
        ("1.2.3", "same version, another build"),
        ("1.2.3-DIAG", "(-DIAG) into a production"),
        ("next", "unknown whether newer or older"),
    ] {
        let (run, _) = upgrade(&device(version)).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded, "{version}");
        let verdict = only(&run).verdict.as_ref().unwrap();
        assert_eq!(verdict.kind(), VerdictKind::Upgrade);
        assert!(notes(&run).contains(note), "{version}: {}", notes(&run));
    }
    let mut diag = image();
    diag.facts.footer.as_mut().unwrap().name = "Encedo nGINE FW v1.2.3-DIAG".to_owned();
    let fakes = [device("1.2.2")];
    let mut run = run_with(&fakes, Mode::Go, 1, diag.into(), Policy::default());
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert!(notes(&run).contains("into a diagnostic"), "{}", notes(&run));
    // The app alone is no downgrade of the firmware.
    let fakes = [device("9.9.9")];
    let payload = super::management_app::both();
    let app = Payload {
        firmware: None,
        ..payload.clone()
    };
    let mut run = run_with(&fakes, Mode::Go, 1, app, Policy::default());
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::AppInstalled);
    // With the firmware in hand, the app is not sent either.
    let fakes = [device("9.9.9")];
    let mut run = run_with(&fakes, Mode::Go, 1, payload, Policy::default());
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(failed(&run).1.code(), "downgrade");
    assert_eq!(fakes[0].count("upload app"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_expired_certificate_leads_to_one_checkin_in_clear_where_that_is_wanted() {
    let policy = || Policy {
        on_expired: OnExpired::Checkin,
        ..Policy::default()
    };
    let old = || Fake::new().with(|w| w.expired = true);
    let fake = old();
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        failed(&run).1,
        FailureKind::Link(LinkFault::Tls(TlsFault::Expired { .. }))
    ));
    assert_eq!(fake.count("checkin in clear"), 0);
    let fake = old();
    let (run, events) = upgrade_by(&fake, policy()).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(
        stages(&events)[..3],
        [Stage::Probe, Stage::Checkin, Stage::Probe]
    );
    let stays = old().with(|w| w.renews = false);
    let (run, _) = upgrade_by(&stays, policy()).await;
    let (stage, kind, _) = failed(&run);
    assert_eq!(stage, Stage::Probe);
    let FailureKind::StillExpired {
        days: 3, newcrt, ..
    } = kind
    else {
        panic!("{kind:?}");
    };
    assert_eq!(newcrt.as_deref(), Some("OK"));
    assert_eq!(stays.count("checkin in clear"), 1);
    assert_eq!(stays.count("login"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_403_or_clocks_apart_lead_to_one_checkin_and_one_more_login() {
    for error in [
        LoginError::ClockUnset,
        LoginError::ClockApart { seconds: 300 },
    ] {
        let fake = Fake::new().with(|w| w.logins.push_back(error.clone()));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded, "{error:?}");
        // The last check-in is the one before the log is read.
        assert_eq!((fake.count("login"), fake.count("checkin")), (2, 2));
        let twice = Fake::new().with(|w| w.logins.extend([error.clone(), error.clone()]));
        let (run, _) = upgrade(&twice).await;
        assert_eq!(failed(&run).0, Stage::Login);
        assert_eq!((twice.count("login"), twice.count("checkin")), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_never_tried_again_by_itself() {
    let fake = Fake::new().with(|w| {
        w.logins
            .push_back(LoginError::Failed(FailureKind::WrongSecret));
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(
        failed(&run),
        (Stage::Login, FailureKind::WrongSecret, Touched::Nothing)
    );
    assert_eq!(fake.count("login"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_401_with_a_clock_that_the_status_shows_to_be_off_is_checked_in_once() {
    let wrong = || LoginError::Failed(FailureKind::WrongSecret);
    let fake = Fake::new().with(|w| {
        w.clock_offset = 7200;
        w.logins.push_back(wrong());
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let twice = Fake::new().with(|w| {
        w.clock_offset = 7200;
        w.logins.extend([wrong(), wrong()]);
    });
    let (run, _) = upgrade(&twice).await;
    assert_eq!(failed(&run).1, FailureKind::WrongSecret);
    assert_eq!((twice.count("login"), twice.count("checkin")), (2, 1));
}
