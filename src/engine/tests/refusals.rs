//! A refusal that the device wrote down is looked up where that harms nobody.

use super::*;
use crate::engine::procedure::refusal_in_log::agreed;
use crate::model::{
    AuditMode, AuditObstacle, AuditPolicy, AuditResult, AuditVerdict, Contradiction, Failure,
    LogFault,
};

use super::fake_device::Phone;

fn verdict(run: &FleetRun) -> Option<&AuditVerdict> {
    only(run).audit.as_ref().map(|report| &report.verdict)
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_looked_up_and_stays_the_outcome() {
    for status in [403, 406, 409] {
        let fake = Fake::new().with(|w| w.install = Install::Refused(status));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(
            failed(&run),
            (
                Stage::Install,
                FailureKind::InstallRefused { status },
                Touched::ImageStaged
            )
        );
        let busy = AuditVerdict::Unavailable(AuditObstacle::Busy);
        assert_eq!(verdict(&run), Some(&busy));
        let last = only(&run).timeline.last().unwrap();
        assert!(last.note.contains("next reboot"), "{}", last.note);
        assert_eq!(fake.count("login for the log"), 1);
        // Where the running file can be read all the same.
        let open = Fake::new().with(|w| {
            w.install = Install::Refused(status);
            w.log.open = true;
        });
        let (run, _) = upgrade(&open).await;
        assert_eq!(failed(&run).0, Stage::Install);
        let Some(AuditVerdict::Refused { what: why, .. }) = verdict(&run) else {
            panic!("{status}: {:?}", verdict(&run));
        };
        assert_eq!(*why == Contradiction::ScopeCheck, status == 403);
        // It agrees with the outcome: no alarm.
        assert!(!only(&run).log_contradicts());
    }
    for stage in ["upload", "check"] {
        let fake = Fake::new().with(|w| {
            let kind = FailureKind::Status { status: 403 };
            if stage == "upload" {
                w.uploads.push_back((0, kind));
            } else {
                w.checks.push_back(Err(kind));
            }
        });
        let (run, _) = upgrade(&fake).await;
        assert_eq!(failed(&run).1, FailureKind::Status { status: 403 });
        assert!(verdict(&run).is_some(), "{stage}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_bothered_for_it_and_nothing_else_is_looked_up() {
    let refuses = || Fake::new().with(|w| w.install = Install::Refused(409));
    let mobile = refuses().with(|w| {
        w.credentials = Credentials::Mobile;
        w.phone.push_back(Ok(Phone::Approves));
    });
    let token = refuses().with(|w| w.credentials = Credentials::Token);
    let fresh = refuses().with(|w| w.initialised = false);
    let bad_image = Fake::new().with(|w| w.checks.push_back(Ok(406)));
    for fake in [mobile, token, fresh, bad_image] {
        let (run, _) = upgrade(&fake).await;
        assert_eq!(verdict(&run), None);
        assert_eq!(fake.count("login for the log"), 0);
        assert!(fake.count("request") <= 1);
    }
    let off = refuses();
    let policy = Policy {
        audit: AuditPolicy {
            mode: AuditMode::Off,
            files: 3,
        },
        ..Policy::default()
    };
    let (run, _) = upgrade_by(&off, policy).await;
    assert_eq!(verdict(&run), None);
    // One login, whatever comes of it.
    let sick = refuses().with(|w| w.panic_at = None);
    let mut run = begin(&sick).await;
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    sick.world()
        .logins
        .extend(vec![LoginError::Failed(reset()); 5]);
    run_to_end(&mut run).await;
    assert_eq!(failed(&run).0, Stage::Install);
    assert_eq!(sick.count("login for the log"), 1);
}

#[tokio::test(start_paused = true)]
async fn stopped_in_the_look_up_it_is_refused_and_not_in_doubt() {
    for wishes in 1..=2 {
        let fake = Fake::new().with(|w| {
            w.install = Install::Refused(409);
            w.log
                .faults
                .extend(vec![("log key", reset()), ("log key", reset())]);
        });
        let mut run = begin(&fake).await;
        until_started(&mut run, Stage::Audit).await;
        for _ in 0..wishes {
            run.intend(Intent::Interrupt);
        }
        run_to_end(&mut run).await;
        assert_eq!(
            failed(&run),
            (
                Stage::Install,
                FailureKind::InstallRefused { status: 409 },
                Touched::ImageStaged
            )
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_the_look_up_the_refusal_is_the_outcome() {
    let refused = || {
        Fake::new().with(|w| {
            let kind = FailureKind::Status { status: 403 };
            w.checks.push_back(Err(kind));
            w.log.faults.push_back(("log key", reset()));
        })
    };
    let stopped = refused();
    let mut run = begin(&stopped).await;
    until_started(&mut run, Stage::Audit).await;
    run.intend(Intent::Interrupt);
    run.intend(Intent::Interrupt);
    run_to_end(&mut run).await;
    let broken = refused().with(|w| w.panic_at = Some("log key"));
    let (other, _) = upgrade(&broken).await;
    for run in [run, other] {
        assert_eq!(
            failed(&run),
            (
                Stage::Check,
                FailureKind::Status { status: 403 },
                Touched::ImageStaged
            )
        );
    }
}

/// Only the entry that such a refusal leaves agrees with it: nothing else is talked away.
#[test]
fn an_entry_of_another_kind_than_the_refusal_still_contradicts() {
    let logged = Contradiction::Logged(AuditResult::Error);
    let scope = Contradiction::ScopeCheck;
    let spoiled = Contradiction::NotVerified(LogFault::BadMac);
    let by_install = |status| FailureKind::InstallRefused { status };
    let by_upload = |status| FailureKind::Status { status };
    for (kind, why, agrees) in [
        (by_install(406), logged, true),
        (by_install(409), logged, true),
        (by_install(403), scope, true),
        (by_upload(403), scope, true),
        (by_install(403), logged, false),
        (by_upload(403), logged, false),
        (by_install(406), scope, false),
        (by_install(409), spoiled, false),
        (by_install(403), spoiled, false),
        (
            by_install(406),
            Contradiction::Logged(AuditResult::Ok),
            false,
        ),
    ] {
        let failure = Failure {
            stage: Stage::Install,
            kind,
            touched: Touched::ImageStaged,
        };
        let verdict = AuditVerdict::Contradicted {
            line: 7,
            counter: Some(6),
            why,
        };
        let judged = agreed(&failure, verdict.clone());
        if agrees {
            assert_eq!(judged.as_str(), "refused", "{failure:?} {why}");
            assert_eq!((judged.line(), judged.counter()), (Some(7), Some(6)));
        } else {
            assert_eq!(judged, verdict, "{failure:?} {why}");
        }
    }
}
