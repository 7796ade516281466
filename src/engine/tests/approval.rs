//! Approvals on the owner's phone.

use std::sync::Arc;

use super::*;
use crate::model::{ApprovalPolicy, Scope};

use super::fake_device::Phone;

fn owned(phone: &[Phone]) -> Fake {
    Fake::new().with(|w| {
        w.credentials = Credentials::Mobile;
        w.phone.extend(phone.iter().map(|p| Ok(*p)));
    })
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_asked_for_waited_for_and_traded_for_a_token() {
    let fake = owned(&[Phone::Silent, Phone::Silent, Phone::Approves]);
    fake.world().phone.insert(1, Err(reset()));
    let (run, events) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let asked: Vec<_> = facts(&events)
        .filter_map(|f| match f {
            DeviceFact::ApprovalRequested { scope, note, .. } => Some((*scope, note.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(asked[0].0, Scope::Upgrade);
    assert_eq!(
        asked[0].1,
        "hemfleet run 01020304: install firmware 1.2.3 (sha256 00000000) on vault-01"
    );
    assert_eq!(fake.count("redeem"), 1);
    let mut steps = only(&run).timeline.iter();
    let login = steps.find(|s| s.stage == Stage::Login).unwrap();
    assert_eq!(
        login.note,
        "system:upgrade, approved on the phone, valid 15:00"
    );
}

#[tokio::test(start_paused = true)]
async fn refused_expired_and_unanswered_are_told_apart_and_nothing_is_left_on_the_phone() {
    for (phone, kind, withdrawn) in [
        (&[Phone::Denies][..], FailureKind::ApprovalDenied, 0),
        (&[Phone::Expires], FailureKind::ApprovalExpired, 0),
        (
            &[],
            FailureKind::ApprovalTimeout {
                after: Duration::from_secs(300),
                left_open: false,
            },
            1,
        ),
    ] {
        let fake = owned(phone);
        let (run, _) = upgrade(&fake).await;
        assert_eq!(failed(&run), (Stage::Login, kind, Touched::Nothing));
        assert_eq!(
            (fake.count("request"), fake.count("withdraw")),
            (1, withdrawn)
        );
        assert_eq!(fake.world().out.lock().unwrap().0, 0);
    }
    let broken = owned(&[]);
    let refused = FailureKind::Broker(crate::model::BrokerFault::Status { status: 403 });
    broken.world().phone.push_back(Err(refused.clone()));
    let (run, _) = upgrade(&broken).await;
    assert_eq!(failed(&run).1, unheard(&refused, false));
    assert_eq!(broken.count("withdraw"), 1);
}

fn unheard(why: &FailureKind, left_open: bool) -> FailureKind {
    let what = why.to_string();
    FailureKind::ApprovalUnheard { what, left_open }
}

#[tokio::test(start_paused = true)]
async fn an_owner_who_could_not_be_heard_is_not_said_to_be_silent() {
    let fake = owned(&[]);
    fake.world().phone.extend(vec![Err(reset()); 1000]);
    let (run, _) = upgrade(&fake).await;
    assert_eq!(failed(&run).1, unheard(&reset(), false));
    assert_eq!((fake.count("request"), fake.count("withdraw")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_is_repeated_and_what_stays_open_is_told() {
    let refused = || FailureKind::Status { status: 403 };
    for (faults, tries, left_open) in [
        (vec![reset(), FailureKind::Status { status: 500 }], 3, false),
        (vec![reset(); 9], 4, true),
        (vec![refused()], 1, true),
    ] {
        let fake = owned(&[]).with(|w| w.withdrawals.extend(faults));
        let (run, _) = upgrade(&fake).await;
        let after = Duration::from_secs(300);
        let kind = FailureKind::ApprovalTimeout { after, left_open };
        assert_eq!(failed(&run).1, kind);
        assert_eq!(fake.count("withdraw"), tries);
    }
}

#[tokio::test(start_paused = true)]
async fn the_brokers_401_has_a_check_in_of_its_own_whatever_came_before() {
    let apart = || LoginError::ClockApart { seconds: 0 };
    // Right after the check-in that an unset clock asks for, and after the reboot once more.
    let fake = owned(&[Phone::Approves, Phone::Approves]).with(|w| {
        w.clock_set = false;
        w.requests.push_back(apart());
        w.requests_after_boot.push_back(apart());
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let report = only(&run).audit.as_ref().unwrap();
    assert_eq!(report.verdict.as_str(), "confirmed", "{:?}", report.verdict);
    assert_eq!((fake.count("request"), fake.count("checkin")), (4, 4));
    // The second in a row is the end of it, and says why; a person's retry begins anew.
    let ahead = FailureKind::Broker(crate::model::BrokerFault::ClockAhead);
    let always = owned(&[]).with(|w| w.requests.extend(vec![apart(); 9]));
    let (mut run, _) = upgrade(&always).await;
    assert_eq!(failed(&run).1, ahead);
    assert_eq!((always.count("request"), always.count("checkin")), (2, 1));
    retry(&mut run).await;
    assert_eq!((always.count("request"), always.count("checkin")), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_withdraws() {
    for (wish, twice) in [(Intent::Interrupt, false), (Intent::Interrupt, true)] {
        let fake = owned(&[]);
        let mut run = begin(&fake).await;
        until(&mut run, |f| {
            matches!(f, DeviceFact::ApprovalRequested { .. })
        })
        .await;
        run.intend(wish.clone());
        if twice {
            run.intend(wish);
        }
        run_to_end(&mut run).await;
        assert_eq!(outcome(&run), &Outcome::Cancelled(Touched::Nothing));
        // An abort leaves it to a task of its own.
        while fake.count("withdraw") == 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_the_broker_does_not_believe_is_checked_in_once() {
    for error in [
        LoginError::ClockUnset,
        LoginError::ClockApart { seconds: 90 },
    ] {
        let fake = owned(&[Phone::Approves]).with(|w| w.requests.push_back(error.clone()));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded, "{error:?}");
        let twice = owned(&[]).with(|w| w.requests.extend([error.clone(), error.clone()]));
        let (run, _) = upgrade(&twice).await;
        assert_eq!(failed(&run).0, Stage::Login);
        assert_eq!((twice.count("request"), twice.count("checkin")), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_offered_again_rather_than_asked_for_again() {
    let fake = owned(&[Phone::Approves]).with(|w| {
        w.redeems.push_back(LoginError::Failed(reset()));
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let stubborn = owned(&[Phone::Approves]).with(|w| {
        w.redeems.extend(vec![LoginError::Failed(reset()); 9]);
    });
    let (run, _) = upgrade(&stubborn).await;
    assert_eq!(failed(&run).1, reset());
    assert_eq!(
        (stubborn.count("request"), stubborn.count("redeem")),
        (1, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn phones_are_asked_in_turn_and_a_turn_is_for_nothing_else() {
    let out = Arc::default();
    let fakes: Vec<Fake> = (0..8)
        .map(|_| owned(&[Phone::Silent, Phone::Approves]).with(|w| w.out = Arc::clone(&out)))
        .collect();
    let policy = Policy {
        approval: ApprovalPolicy {
            at_once: 2,
            ..ApprovalPolicy::default()
        },
        audit: crate::model::AuditPolicy {
            mode: crate::model::AuditMode::Off,
            ..Default::default()
        },
        ..Policy::default()
    };
    let mut run = run_with(&fakes, Mode::Go, 8, image().into(), policy);
    run.intend(Intent::Begin);
    let events = run_to_end(&mut run).await;
    assert_eq!(run.fleet().counts().of(OutcomeKind::Upgraded), 8);
    assert_eq!(*out.lock().unwrap(), (0, 2));
    let queued = facts(&events).any(|f| {
        matches!(
            f,
            DeviceFact::StageProgress {
                progress: Progress::Queued,
                ..
            }
        )
    });
    assert!(queued);
}

#[tokio::test(start_paused = true)]
async fn the_owner_is_asked_again_only_when_the_token_is_about_to_die() {
    // The upload may take longer than the token lives by its limits; it does not in fact.
    let fake = owned(&[Phone::Approves]);
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(
        fake.world()
            .notes
            .iter()
            .filter(|n| n.contains("install"))
            .count(),
        1
    );
    // It did: once more, before the check.
    let slow = owned(&[Phone::Approves, Phone::Approves])
        .with(|w| w.upload_takes = Duration::from_secs(16 * 60));
    let (run, _) = upgrade(&slow).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(
        slow.world()
            .notes
            .iter()
            .filter(|n| n.contains("install"))
            .count(),
        2
    );
    // In the middle of the check, between two polls.
    let long = owned(&[Phone::Approves, Phone::Approves]).with(|w| {
        w.upload_takes = Duration::from_secs(12 * 60);
        w.checks.extend(vec![Ok(202); 60]);
    });
    let (run, _) = upgrade(&long).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(
        long.world()
            .notes
            .iter()
            .filter(|n| n.contains("install"))
            .count(),
        2
    );
}

/// While one owner is waited for, the others' devices wait for their turn, however long.
#[tokio::test(start_paused = true)]
async fn a_device_that_waits_for_its_turn_before_the_upgrade_outwaits_silent_owners() {
    let fakes = [owned(&[]), owned(&[]), owned(&[Phone::Approves])];
    let policy = Policy {
        approval: ApprovalPolicy {
            at_once: 1,
            ..ApprovalPolicy::default()
        },
        audit: crate::model::AuditPolicy {
            mode: crate::model::AuditMode::Off,
            ..Default::default()
        },
        ..Policy::default()
    };
    let mut run = run_with(&fakes, Mode::Go, 3, image().into(), policy);
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    let ends: Vec<_> = run
        .fleet()
        .devices()
        .iter()
        .map(|r| r.outcome().unwrap().code())
        .collect();
    assert_eq!(ends, ["approval_timeout", "approval_timeout", "upgraded"]);
}

/// Its task died while the owner was waited for: nobody is to approve what nobody waits for.
#[tokio::test(start_paused = true)]
async fn a_request_whose_task_dies_is_withdrawn() {
    let fake = owned(&[]).with(|w| w.panic_at = Some("poll"));
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run).code(), "panicked");
    let withdrawn = async {
        while fake.count("withdraw") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let withdrawn = tokio::time::timeout(Duration::from_secs(60), withdrawn).await;
    assert!(withdrawn.is_ok(), "the request stays on the phone");
}

#[tokio::test(start_paused = true)]
async fn between_two_withdrawals_there_is_a_pause() {
    let fake = owned(&[]).with(|w| w.withdrawals.extend(vec![reset(); 9]));
    upgrade(&fake).await;
    let world = fake.world();
    let asked: Vec<_> = std::iter::zip(&world.asked, &world.asked_at)
        .filter(|(what, _)| **what == "withdraw")
        .map(|(_, at)| *at)
        .collect();
    assert_eq!(asked.len(), 4);
    for two in asked.windows(2) {
        let apart = two[1] - two[0];
        let pause = Duration::from_millis(200);
        assert!(apart >= world.request_takes + pause, "{apart:?}");
    }
}
