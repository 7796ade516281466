//! What stands before the install: the first look, the clock, the upload and the check. Logins are in `login`.

use super::*;

#[tokio::test(start_paused = true)]
async fn devices_that_need_nothing_are_left_alone() {
    let epa = Fake::new().with(|w| w.hwv = "EPA rev 1.0 @x");
    let (run, _) = upgrade(&epa).await;
    assert_eq!(outcome(&run), &Outcome::Skipped(Skip::Epa));
    let current = Fake::new().with(|w| w.fws = Some(NEW));
    let (run, _) = upgrade(&current).await;
    assert_eq!(outcome(&run), &Outcome::Current);
    for fake in [epa, current] {
        assert_eq!(fake.count("login") + fake.count("upload"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_latched_fault_and_a_missing_login_fail_before_anything_is_sent() {
    let fault = Fake::new().with(|w| w.fls_state = 2);
    let (run, _) = upgrade(&fault).await;
    assert!(matches!(
        failed(&run),
        (Stage::Probe, FailureKind::FaultLatched(_), Touched::Nothing)
    ));
    let locked = Fake::new().with(|w| w.credentials = Credentials::None);
    let (run, _) = upgrade(&locked).await;
    assert!(matches!(
        failed(&run),
        (Stage::Probe, FailureKind::NoCredential, _)
    ));
    let fresh = Fake::new().with(|w| {
        w.credentials = Credentials::None;
        w.initialised = false;
        w.clock_set = false;
    });
    let (run, _) = upgrade(&fresh).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fresh.count("checkin") + fresh.count("login"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unset_clock_is_set_first_and_only_for_a_login() {
    let fake = Fake::new().with(|w| w.clock_set = false);
    let (run, events) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(stages(&events)[1], Stage::Checkin);
    let token = Fake::new().with(|w| {
        w.clock_set = false;
        w.credentials = Credentials::Token;
        w.logins.clear();
    });
    let mut run = begin(&token).await;
    until_started(&mut run, Stage::Login).await;
    assert_eq!(token.count("checkin"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_order_of_the_backend_to_lock_stops_the_attempt() {
    let order = |action: &str| {
        Ok(CheckinReport {
            action: Some(action.to_owned()),
            ..CheckinReport::default()
        })
    };
    let fake = Fake::new().with(|w| {
        w.clock_set = false;
        w.checkins.push_back(order("L"));
    });
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        failed(&run),
        (Stage::Checkin, FailureKind::BackendAction { .. }, _)
    ));
    let report = Fake::new().with(|w| {
        w.clock_set = false;
        w.checkins.push_back(order("R"));
    });
    let (run, _) = upgrade(&report).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert!(
        only(&run)
            .timeline
            .iter()
            .any(|s| s.note.contains("ORDERS: R"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_repeated_and_no_more() {
    let fake = Fake::new().with(|w| {
        w.probes.extend([reset(), reset()]);
        w.logins.push_back(LoginError::Failed(reset()));
        w.uploads.push_back((500, reset()));
        w.checks.push_back(Err(FailureKind::Status { status: 503 }));
    });
    let (run, events) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let scheduled = events
        .iter()
        .filter(|e| {
            matches!(
                &e.fact,
                Fact::Device {
                    fact: DeviceFact::RetryScheduled { .. },
                    ..
                }
            )
        })
        .count();
    assert_eq!(scheduled, 5);
    let thrice = Fake::new().with(|w| w.uploads.extend(vec![(500, reset()); 3]));
    let (run, _) = upgrade(&thrice).await;
    assert_eq!(failed(&run), (Stage::Upload, reset(), Touched::ImageSent));
    assert_eq!(thrice.count("upload"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_upload_touches_nothing() {
    for status in [401, 403, 404, 409, 413, 795] {
        let fake = Fake::new().with(|w| w.uploads.push_back((0, FailureKind::Status { status })));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(
            failed(&run),
            (
                Stage::Upload,
                FailureKind::Status { status },
                Touched::Nothing
            )
        );
        assert_eq!(fake.count("upload"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_image_is_not_installed() {
    for status in [400, 406, 409] {
        let fake = Fake::new().with(|w| w.checks.push_back(Ok(status)));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(
            failed(&run),
            (
                Stage::Check,
                FailureKind::ImageRefused { status },
                Touched::ImageStaged
            )
        );
        assert_eq!(fake.count("install"), 0);
    }
    for status in [401, 403, 404, 795] {
        let fake = Fake::new().with(|w| w.checks.push_back(Ok(status)));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(failed(&run).1, FailureKind::Status { status });
        assert_eq!(fake.count("install"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_without_end_is_given_up() {
    let fake = Fake::new().with(|w| w.checks.extend(vec![Ok(202); 10_000]));
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        failed(&run),
        (
            Stage::Check,
            FailureKind::CheckTimeout {
                polls: 140..=150,
                ..
            },
            _
        )
    ));
    assert_eq!(fake.count("install"), 0);
}

#[tokio::test(start_paused = true)]
async fn untrusted_tls_is_not_asked_again() {
    let kind = FailureKind::Link(LinkFault::Tls(TlsFault::UnknownIssuer));
    let fake = Fake::new().with(|w| w.probes.push_back(kind.clone()));
    let (run, _) = upgrade(&fake).await;
    assert_eq!(failed(&run), (Stage::Probe, kind, Touched::Nothing));
    assert_eq!(fake.count("version"), 1);
}

#[tokio::test(start_paused = true)]
async fn without_trusted_time_no_clock_is_needed() {
    let fake = Fake::new().with(|w| {
        w.clock_set = false;
        w.trusted_time = false;
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fake.count("checkin"), 0);
}
