//! What the audit log says of an upgrade, what follows from it, and what stands in its way. `hemfleet audit` is in
//! `audit_run`.

use super::*;

use crate::model::{
    AuditMode, AuditObstacle, AuditPolicy, AuditReport, AuditResult, AuditType, AuditVerdict,
    AuditWord, Contradiction, LinkTrust, LogEnd, LogFault,
};

use super::fake_audit_log::LogEntry;

pub(super) fn policy(mode: AuditMode) -> Policy {
    Policy {
        audit: AuditPolicy { mode, files: 3 },
        ..Policy::default()
    }
}

pub(super) fn report(run: &FleetRun) -> &AuditReport {
    only(run).audit.as_ref().unwrap()
}

pub(super) fn unavailable(run: &FleetRun) -> AuditObstacle {
    match &report(run).verdict {
        AuditVerdict::Unavailable(why) => why.clone(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn not_confirmed(run: &FleetRun) -> String {
    match failed(run) {
        (Stage::Audit, FailureKind::NotConfirmed { what }, Touched::InstallSent) => what,
        other => panic!("{other:?}"),
    }
}

pub(super) fn auditor(fake: &Fake, all: bool) -> FleetRun {
    let fakes = std::slice::from_ref(fake);
    let mut run = run_with(
        fakes,
        Mode::Audit { all },
        1,
        Payload::default(),
        policy(AuditMode::Wanted),
    );
    run.intend(Intent::Begin);
    run
}

pub(super) async fn audited(fake: &Fake, all: bool) -> (FleetRun, Vec<Event>) {
    let mut run = auditor(fake, all);
    let events = run_to_end(&mut run).await;
    (run, events)
}

pub(super) fn booted(fake: Fake, times: usize) -> Fake {
    fake.with(|w| (0..times).for_each(|_| w.log.boot()))
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_confirmed_by_its_own_entry_and_the_link_is_told() {
    let fake = Fake::new();
    let (run, events) = upgrade_by(&fake, policy(AuditMode::Required)).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let report = report(&run);
    assert!(matches!(report.verdict, AuditVerdict::Confirmed { .. }));
    assert_eq!(report.link, LinkTrust::Pinned);
    assert!(report.file.is_some() && report.log.is_some());
    assert_eq!(run.fleet().audits().confirmed, 1);
    let told: Vec<_> = facts(&events)
        .filter(|f| matches!(f, DeviceFact::Audited { .. } | DeviceFact::Finished { .. }))
        .collect();
    assert!(matches!(
        told[..],
        [DeviceFact::Audited { .. }, DeviceFact::Finished { .. }]
    ));
    // The first closed file holds the token: no other is read. The running one is in use.
    assert_eq!(fake.count("log file"), 2);
    assert_eq!(fake.count("login for the log"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_log_says_changes_an_upgrade_only_where_it_is_required() {
    for (entry, word) in [
        (LogEntry::Says(AuditResult::Error), "contradicted"),
        (LogEntry::Tampered, "contradicted"),
        (LogEntry::LeftOut, "missing"),
        (LogEntry::CutShort, "unavailable"),
    ] {
        let fake = || Fake::new().with(|w| w.log.upgrade = entry);
        let (run, _) = upgrade_by(&fake(), policy(AuditMode::Wanted)).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded, "{entry:?}");
        assert_eq!(report(&run).verdict.as_str(), word);
        let (run, _) = upgrade_by(&fake(), policy(AuditMode::Required)).await;
        let what = not_confirmed(&run);
        assert!(what.starts_with(word), "{what}");
        let off = fake();
        let (run, events) = upgrade_by(&off, policy(AuditMode::Off)).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        assert!(only(&run).audit.is_none());
        assert!(!stages(&events).contains(&Stage::Audit));
        assert_eq!(off.count("login for the log") + off.count("checkin"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn every_install_whose_reboot_was_seen_is_looked_up_and_no_other() {
    for (install, read) in [
        (Install::Runs(OLD), true),
        (Install::Runs(OTHER), true),
        (Install::LostButRuns(NEW), true),
        (Install::Dies, false),
        (Install::LostAndIdle, false),
        (Install::AcceptedAndIdle, false),
        (Install::OtherKey(NEW), false),
    ] {
        let fake = Fake::new().with(|w| w.install = install);
        let mut wanted = upgrade_by(&fake, policy(AuditMode::Off)).await.0;
        let fake = Fake::new().with(|w| w.install = install);
        let (run, _) = upgrade_by(&fake, policy(AuditMode::Required)).await;
        assert_eq!(only(&run).audit.is_some(), read, "{install:?}");
        if let Some(report) = &only(&run).audit {
            // What the device accepted says nothing of what it runs.
            let word = match install {
                Install::LostButRuns(NEW) => AuditWord::Confirmed,
                _ => AuditWord::Accepted,
            };
            assert_eq!(report.word(), word, "{install:?}");
        }
        if install != Install::LostButRuns(NEW) {
            assert_eq!(outcome(&run).kind(), outcome(&wanted).kind());
        }
        wanted.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn another_sessions_entry_is_nobodys_proof() {
    // The file of this upgrade is not among those that are read; an older one tells of another run's.
    let fake = Fake::new().with(|w| w.log.upgrade = LogEntry::LeftOut);
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Missing {
            token_line: Some(_),
            ..
        }
    ));
    // Another run's token stands between this run's and the entry.
    let fake = Fake::new().with(|w| w.upload_takes = Duration::from_secs(200));
    let mut run = begin(&fake).await;
    until_started(&mut run, Stage::Check).await;
    fake.world()
        .log
        .write(AuditType::TOKEN, AuditResult::Ok, "system:upgrade");
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert!(matches!(report(&run).verdict, AuditVerdict::Missing { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_rebooted_twice_is_found_in_an_older_file() {
    let fake = Fake::new().with(|w| w.install = Install::Flaps(NEW, NEW));
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Confirmed { .. }
    ));
    assert_eq!(fake.count("log file"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_running_file_that_is_not_listed_hides_no_closed_one() {
    // The newest that is listed is the one that tells of the upgrade.
    let fake = Fake::new().with(|w| w.log.lists_running = false);
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Confirmed { .. }
    ));
    assert_eq!(fake.count("log file"), 1);
    let fake = booted(Fake::new(), 2).with(|w| w.log.lists_running = false);
    let (run, _) = audited(&fake, false).await;
    assert_eq!(outcome(&run), &Outcome::Audited { files: 3 });
}

#[tokio::test(start_paused = true)]
async fn listed_names_that_are_no_ids_are_told() {
    let fake = Fake::new().with(|w| w.log.unusable = 2);
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Confirmed { .. }
    ));
    let told = &only(&run).timeline.last().unwrap().note;
    assert!(told.contains("2 listed names are no log ids"), "{told}");
    // What was read verifies, but not all was read.
    let fake = booted(Fake::new(), 2).with(|w| w.log.unusable = 1);
    let (run, events) = audited(&fake, true).await;
    let what = "1 listed name is no log id".to_owned();
    assert_eq!(failed(&run).1, FailureKind::LogUnread { what });
    let read = facts(&events).filter(|f| match f {
        DeviceFact::LogRead { read } => read.log.is_ok(),
        _ => false,
    });
    assert_eq!(read.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_newer_file_that_cannot_be_read_hides_nothing() {
    // The newest closed file is busy, and the older one that verifies is another run's: not missing.
    let fake = Fake::new().with(|w| {
        let busy = FailureKind::Status { status: 406 };
        w.log
            .faults
            .extend([("log file", busy.clone()), ("log file", busy)]);
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(unavailable(&run), AuditObstacle::Busy);
    // Nor does an older one that cannot be read hide that the newest does not verify.
    let spoiled = Fake::new().with(|w| w.log.upgrade = LogEntry::Tampered);
    let gone = FailureKind::Status { status: 404 };
    spoiled.world().log.always = Some(("oldest log file", gone));
    let (run, _) = upgrade(&spoiled).await;
    assert_eq!(report(&run).verdict.as_str(), "contradicted");
    // A file of the boot before that does not verify is not this upgrade's.
    let old = Fake::new().with(|w| {
        let end = LogEnd::Failed {
            line: 1,
            counter: None,
            fault: LogFault::Empty,
        };
        w.log.ends(0, end);
    });
    let (run, _) = upgrade(&old).await;
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Confirmed { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn stopping_the_audit_ends_the_audit_alone() {
    let auditing = |f: &DeviceFact| {
        matches!(
            f,
            DeviceFact::StageStarted {
                stage: Stage::Audit,
                ..
            }
        )
    };
    for wishes in 1..=2 {
        let fake = Fake::new().with(|w| w.log.faults.extend(vec![("log key", reset()); 2]));
        let mut run = begin(&fake).await;
        until(&mut run, auditing).await;
        for _ in 0..wishes {
            run.intend(Intent::Interrupt);
        }
        run_to_end(&mut run).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded, "{wishes}");
        if wishes == 1 {
            assert_eq!(unavailable(&run), AuditObstacle::Stopped);
        }
    }
    // Required: not confirmed then, and a retry reads the log.
    for wishes in 1..=2 {
        let fake = Fake::new().with(|w| w.log.faults.extend(vec![("log key", reset()); 2]));
        let fakes = std::slice::from_ref(&fake);
        let required = policy(AuditMode::Required);
        let mut run = run_with(fakes, Mode::Go, 1, image().into(), required);
        run.intend(Intent::Begin);
        until(&mut run, auditing).await;
        let id = only(&run).id.clone();
        if wishes == 1 {
            run.intend(Intent::Cancel(id));
            run_to_end(&mut run).await;
            assert!(not_confirmed(&run).contains("stopped"));
            retry(&mut run).await;
            assert_eq!(outcome(&run), &Outcome::Upgraded);
            assert_eq!(fake.count("upload"), 1);
        } else {
            run.intend(Intent::Interrupt);
            run.intend(Intent::Interrupt);
            run_to_end(&mut run).await;
            assert!(not_confirmed(&run).contains("stopped"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_audit_leaves_the_upgrade() {
    let fake = Fake::new().with(|w| w.panic_at = Some("log page"));
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_the_unconfirmed_reads_the_log_and_does_nothing_else() {
    let fake = Fake::new().with(|w| {
        w.log.always = Some(("log key", FailureKind::Status { status: 403 }));
    });
    let (mut run, _) = upgrade_by(&fake, policy(AuditMode::Required)).await;
    assert!(not_confirmed(&run).contains("permission"));
    let before = fake.world().asked.len();
    // Still refused, then stopped in line, then readable.
    retry(&mut run).await;
    not_confirmed(&run);
    fake.world().log.always = None;
    let events = retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(stages(&events), [Stage::Audit]);
    let world = fake.world();
    for asked in &world.asked[before..] {
        let read = [
            "status",
            "login for the log",
            "log key",
            "log page",
            "log file",
        ];
        assert!(read.contains(asked), "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_read_again_is_no_reboot_that_nobody_saw() {
    let fake = Fake::new().with(|w| w.install = Install::LostAndIdle);
    let (mut run, _) = upgrade_by(&fake, policy(AuditMode::Required)).await;
    assert_eq!(outcome(&run), &Outcome::Unknown(Doubt::AnswerLost));
    // It runs the image now, and nobody knows since when.
    fake.world().fws = Some(NEW);
    retry(&mut run).await;
    not_confirmed(&run);
    {
        let mut world = fake.world();
        world.log.upgraded();
        world.log.boot();
    }
    retry(&mut run).await;
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Confirmed { .. }
    ));
    assert_eq!(outcome(&run), &Outcome::Current);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_was_lost_is_looked_up_once_it_is_proven() {
    let fake = Fake::new().with(|w| w.install = Install::Dies);
    let (mut run, _) = upgrade_by(&fake, policy(AuditMode::Required)).await;
    assert_eq!(outcome(&run), &Outcome::Lost);
    {
        let mut world = fake.world();
        world.away.clear();
        world.booted = tokio::time::Instant::now();
        world.fws = Some(NEW);
        world.clock_set = false;
        world.log.boot();
    }
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fake.count("install"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_install_of_an_earlier_attempt_is_passed_over() {
    let fake = Fake::new().with(|w| w.install = Install::Refused(409));
    let (mut run, _) = upgrade_by(&fake, policy(AuditMode::Required)).await;
    fake.world().install = Install::Runs(NEW);
    fake.world().log.upgrade = LogEntry::LeftOut;
    retry(&mut run).await;
    // Its ERROR is the first install's, and not what became of this one.
    assert!(matches!(report(&run).verdict, AuditVerdict::Missing { .. }));
}

#[test]
fn what_contradicts_is_told() {
    let why = Contradiction::ScopeCheck.to_string();
    assert_eq!(why, "the device logged a failed scope check");
}

/// The file with this run's token is the one that matters, also where the entry is not in it.
#[tokio::test(start_paused = true)]
async fn behind_the_file_that_holds_the_token_no_older_one_is_read() {
    let fake = Fake::new().with(|w| w.log.upgrade = LogEntry::LeftOut);
    let (run, _) = upgrade(&fake).await;
    assert_eq!(report(&run).verdict.as_str(), "missing");
    assert_eq!(fake.count("log file"), 2, "the running one and this");
}

/// A newer file that cannot be read leaves open what an older one says, unless that one has the token of this
/// very run.
#[tokio::test(start_paused = true)]
async fn an_older_file_decides_past_an_unread_one_only_by_this_runs_token() {
    let unreadable = || {
        let gone = || FailureKind::Status { status: 404 };
        [
            ("log file", FailureKind::Status { status: 406 }),
            ("log file", gone()),
        ]
    };
    // Two boots since the install, and the file of the one in between is gone.
    let ours = Fake::new().with(|w| {
        w.install = Install::Flaps(NEW, NEW);
        w.log.faults.extend(unreadable());
    });
    let (run, _) = upgrade(&ours).await;
    assert_eq!(report(&run).verdict.as_str(), "confirmed");
    // The file of this run is gone, and the one before does not verify.
    let others = Fake::new().with(|w| {
        let fault = LogFault::BadMac;
        let end = LogEnd::Failed {
            line: 1,
            counter: None,
            fault,
        };
        w.log.ends(0, end);
        w.log.faults.extend(unreadable());
    });
    let (run, _) = upgrade(&others).await;
    assert_eq!(unavailable(&run), AuditObstacle::Gone);
}
