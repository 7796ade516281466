//! What it takes to get at a device's log after an upgrade: the clock, a login, its owner.

use super::audit::{not_confirmed, policy, report, unavailable};
use super::fake_device::Phone;
use super::*;
use crate::model::{AuditMode, AuditObstacle, AuditVerdict, BrokerFault, Secret};

#[tokio::test(start_paused = true)]
async fn what_stands_in_the_way_is_told_by_its_kind() {
    let status = |status| FailureKind::Status { status };
    let key = |what: &str| FailureKind::KeyNotProven {
        what: what.to_owned(),
    };
    for (at, kind, why) in [
        ("log key", status(403), AuditObstacle::NoPermission),
        ("log page", status(403), AuditObstacle::NoPermission),
        ("log file", status(403), AuditObstacle::NoPermission),
        ("log file", status(406), AuditObstacle::Busy),
        ("log file", status(404), AuditObstacle::Gone),
        ("log key", status(404), AuditObstacle::NoLog),
        ("log page", status(404), AuditObstacle::NoFile),
        ("log key", key("no"), AuditObstacle::KeyNotProven),
        (
            "log key",
            status(409),
            AuditObstacle::Unreadable {
                what: status(409).to_string(),
            },
        ),
        (
            "log file",
            reset(),
            AuditObstacle::Link {
                what: "connection reset".to_owned(),
            },
        ),
    ] {
        let fake = Fake::new().with(|w| w.log.always = Some((at, kind.clone())));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        assert_eq!(unavailable(&run), why, "{at} {kind:?}");
    }
    let endless = Fake::new().with(|w| w.log.endless = true);
    let (run, _) = upgrade(&endless).await;
    assert!(matches!(
        unavailable(&run),
        AuditObstacle::Unreadable { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn link_trouble_is_asked_again() {
    let fake = Fake::new().with(|w| {
        for at in ["log key", "log page", "log file"] {
            w.log.faults.extend([(at, reset()), (at, reset())]);
        }
    });
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Confirmed { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn without_a_clock_there_is_no_log_and_the_backends_orders_are_never_hidden() {
    let unreachable = FailureKind::Broker(BrokerFault::Unreachable {
        what: "no route".to_owned(),
    });
    let fake = Fake::new().with(|w| w.checkins.extend(vec![Err(unreachable); 3]));
    let (run, _) = upgrade(&fake).await;
    assert_eq!(unavailable(&run), AuditObstacle::NoBroker);
    assert_eq!(fake.count("checkin"), 3);
    let order = |action: &str| {
        Ok(CheckinReport {
            action: Some(action.to_owned()),
            ..CheckinReport::default()
        })
    };
    let fake = Fake::new().with(|w| w.checkins.push_back(order("W")));
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let AuditObstacle::BackendAction { action } = unavailable(&run) else {
        panic!();
    };
    assert_eq!(action, "W");
    assert_eq!(fake.count("login for the log"), 0);
    let fake = Fake::new().with(|w| w.checkins.push_back(order("R")));
    let (run, _) = upgrade(&fake).await;
    let last = only(&run).timeline.last().unwrap();
    assert!(last.note.contains("ORDERS: R"), "{}", last.note);
}

#[tokio::test(start_paused = true)]
async fn fresh_devices_and_foreign_tokens_leave_nothing_to_read_the_log_with() {
    let fresh = Fake::new().with(|w| w.initialised = false);
    let token = Fake::new().with(|w| w.credentials = Credentials::Token);
    for fake in [fresh, token] {
        let (run, _) = upgrade_by(&fake, policy(AuditMode::Required)).await;
        assert!(notes(&run).contains("will end as not confirmed"));
        assert_eq!(unavailable(&run), AuditObstacle::NoLogin);
        not_confirmed(&run);
        assert_eq!(fake.count("login for the log") + fake.count("checkin"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_owner_is_asked_once_more_for_the_log_and_may_say_no() {
    for (phone, confirmed) in [(Phone::Approves, true), (Phone::Denies, false)] {
        let fake = Fake::new().with(|w| {
            w.credentials = Credentials::Mobile;
            w.phone.extend([Ok(Phone::Approves), Ok(phone)]);
        });
        let (run, _) = upgrade(&fake).await;
        assert!(notes(&run).contains("twice"));
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        assert!(fake.world().notes[1].contains("read the audit log of vault-01"));
        match &report(&run).verdict {
            AuditVerdict::Confirmed { .. } => assert!(confirmed),
            AuditVerdict::Unavailable(AuditObstacle::NoApproval { what }) => {
                assert!(!confirmed && what.contains("refused"), "{what}");
            }
            other => panic!("{other:?}"),
        }
    }
    let silent = Fake::new().with(|w| {
        w.credentials = Credentials::Mobile;
        w.phone.push_back(Ok(Phone::Approves));
    });
    let (run, _) = upgrade(&silent).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert!(matches!(
        unavailable(&run),
        AuditObstacle::NoApproval { .. }
    ));
    assert_eq!(silent.count("withdraw"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_typed_secret_serves_the_log_as_well() {
    let fake = Fake::new().with(|w| w.credentials = Credentials::Prompt);
    let mut run = begin(&fake).await;
    until(&mut run, |f| matches!(f, DeviceFact::SecretWanted)).await;
    let id = only(&run).id.clone();
    run.intend(Intent::Answer(id, Secret::new(b"right".to_vec())));
    let events = run_to_end(&mut run).await;
    assert!(!facts(&events).any(|f| matches!(f, DeviceFact::SecretWanted)));
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Confirmed { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_to_type_once_the_upgrade_is_judged() {
    let fake = Fake::new().with(|w| w.credentials = Credentials::Prompt);
    let mut run = begin(&fake).await;
    until(&mut run, |f| matches!(f, DeviceFact::SecretWanted)).await;
    let id = only(&run).id.clone();
    run.intend(Intent::Answer(id, Secret::new(b"right".to_vec())));
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    let wrong = LoginError::Failed(FailureKind::WrongSecret);
    fake.world().logins.push_back(wrong);
    let events = run_to_end(&mut run).await;
    assert!(!facts(&events).any(|f| matches!(f, DeviceFact::SecretWanted)));
    assert_eq!(unavailable(&run), AuditObstacle::LoginRefused);
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn a_login_for_the_log_is_tried_as_often_as_any_question_and_a_refusal_once() {
    let refused = FailureKind::Status { status: 418 };
    for (kind, faults, logins, confirmed) in [
        (reset(), 2, 3, true),
        (reset(), 9, 3, false),
        (refused, 1, 1, false),
    ] {
        let fake = Fake::new();
        let mut run = begin(&fake).await;
        until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
        let failures = vec![LoginError::Failed(kind); faults];
        fake.world().logins.extend(failures);
        run_to_end(&mut run).await;
        let word = report(&run).verdict.as_str();
        assert_eq!(word == "confirmed", confirmed, "{word}");
        assert_eq!(fake.count("login for the log"), logins);
    }
}
