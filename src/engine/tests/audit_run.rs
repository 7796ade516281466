//! `hemfleet audit`: which files are read, what is kept of them, and how it ends. What a log says of an upgrade is in
//! `audit`.

use std::io;

use super::audit::{audited, auditor, booted, policy, report, unavailable};
use super::fake_device::attempt;
use super::*;
use crate::device::RawLog;
use crate::model::{AuditMode, AuditObstacle, AuditPolicy, LogEnd, LogFault, LogId};
use bytes::Bytes;
use std::sync::Mutex;
use tokio::sync::mpsc;

#[tokio::test(start_paused = true)]
async fn an_audit_reads_the_newest_files_or_all_and_changes_nothing() {
    for (all, files, logins) in [(false, 3, 1), (true, 6, 1)] {
        let fake = booted(Fake::new().with(|w| w.clock_set = false), 5);
        let (run, events) = audited(&fake, all).await;
        assert_eq!(outcome(&run), &Outcome::Audited { files });
        let read: Vec<_> = facts(&events)
            .filter_map(|f| match f {
                DeviceFact::LogRead { read } => Some(read),
                _ => None,
            })
            .collect();
        assert_eq!(read.len(), files + 1);
        assert_eq!(read[0].log, Err(AuditObstacle::Busy));
        assert!(read[1..].iter().all(|r| r.log.is_ok() && r.kept.is_none()));
        let mut ids: Vec<_> = read.iter().map(|r| r.id.to_string()).collect();
        ids.dedup();
        assert_eq!(ids.len(), files + 1);
        assert_eq!(
            stages(&events),
            [Stage::Probe, Stage::Checkin, Stage::Login, Stage::Audit]
        );
        assert_eq!(fake.count("login for the log"), logins);
        assert_eq!(fake.count("login") + fake.count("upload"), 0);
        assert_eq!(run.fleet().counts().of(OutcomeKind::Audited), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_audit_fails_by_what_does_not_verify_or_cannot_be_read() {
    let tampered = booted(Fake::new(), 3).with(|w| {
        let end = LogEnd::Failed {
            line: 7,
            counter: Some(5),
            fault: LogFault::BadMac,
        };
        w.log.ends(2, end);
    });
    let (run, events) = audited(&tampered, false).await;
    let (stage, FailureKind::LogNotVerified { what }, Touched::Nothing) = failed(&run) else {
        panic!("{:?}", outcome(&run));
    };
    assert_eq!(stage, Stage::Audit);
    assert!(
        what.contains("line 7") && what.starts_with("file "),
        "{what}"
    );
    // The others are read all the same.
    let read = facts(&events).filter(|f| matches!(f, DeviceFact::LogRead { .. }));
    assert_eq!(read.count(), 4);
    let short = booted(Fake::new(), 1).with(|w| w.log.ends(1, LogEnd::CutShort { line: 3 }));
    let (run, _) = audited(&short, false).await;
    assert!(matches!(failed(&run).1, FailureKind::LogNotVerified { .. }));
    let busy = booted(Fake::new(), 2).with(|w| {
        w.log.always = Some(("log file", FailureKind::Status { status: 406 }));
    });
    let (run, _) = audited(&busy, false).await;
    assert!(matches!(failed(&run).1, FailureKind::LogUnread { .. }));
    // A retry is another audit.
    busy.world().log.always = None;
    let mut run = run;
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Audited { files: 3 });
}

/// Says what it was given, and has no room for some file.
#[derive(Default)]
struct Shelf {
    given: Arc<Mutex<Vec<String>>>,
    refuses: Option<usize>,
}

struct Place(Arc<Mutex<Vec<String>>>, String, bool);

impl LogKeeper for Shelf {
    fn begin(&self, device: &DeviceId, file: &LogId, key: &Bytes) -> Box<dyn RawLog> {
        let key = String::from_utf8_lossy(key);
        let full = self.refuses == Some(self.given.lock().unwrap().len());
        let what = format!("{device} {file} {key}");
        Box::new(Place(Arc::clone(&self.given), what, full))
    }
}

impl RawLog for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.1.push(' ');
        self.1.push_str(&String::from_utf8_lossy(bytes));
        Ok(())
    }

    fn keep(self: Box<Self>, _whole: bool) -> io::Result<()> {
        let mut given = self.0.lock().unwrap();
        given.push(self.1);
        if self.2 {
            return Err(io::Error::other("no room"));
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_read_goes_to_the_keeper_and_what_it_cannot_keep_is_the_devices_end() {
    for refuses in [None, Some(1)] {
        let fake = booted(Fake::new(), 5);
        let shelf = Shelf {
            refuses,
            ..Shelf::default()
        };
        let given = Arc::clone(&shelf.given);
        let mut run = run_keeping(
            std::slice::from_ref(&fake),
            Mode::Audit { all: false },
            1,
            Payload::default(),
            policy(AuditMode::Wanted),
            Some(Arc::new(shelf)),
        );
        run.intend(Intent::Begin);
        let events = run_to_end(&mut run).await;
        let given = given.lock().unwrap();
        assert_eq!(given.len(), 3, "{given:?}");
        let whole = |g: &String| g.starts_with("vault-01 000") && g.ends_with(" key raw");
        assert!(given.iter().all(whole), "{given:?}");
        let kept: Vec<_> = facts(&events)
            .filter_map(|f| match f {
                DeviceFact::LogRead { read } => Some(read.kept.clone()),
                _ => None,
            })
            .collect();
        let no_room = Some(Err("no room".to_owned()));
        if refuses.is_none() {
            assert_eq!(kept, [None, Some(Ok(())), Some(Ok(())), Some(Ok(()))]);
            assert_eq!(outcome(&run), &Outcome::Audited { files: 3 });
        } else {
            assert_eq!(kept, [None, Some(Ok(())), no_room, Some(Ok(()))]);
            let (Stage::Audit, FailureKind::LogNotKept { what }, _) = failed(&run) else {
                panic!("{:?}", outcome(&run));
            };
            assert!(what.ends_with(": no room"), "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_list_the_newest_are_kept_and_all_counted() {
    let fake = booted(Fake::new(), 40);
    let (inbox, _events) = mpsc::channel(1000);
    let attempt = attempt(&fake, Payload::default(), inbox);
    let session = crate::device::Session::anonymous();
    let log = attempt.open_log(&session, 4).await.ok().unwrap();
    assert_eq!((log.listed, log.ids.len()), (42, 4));
    let all = attempt.open_log(&session, usize::MAX).await.ok().unwrap();
    assert!(log.ids.iter().eq(all.ids.iter().skip(38)));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_more_files_than_are_read_is_told_as_such() {
    let endless = || Fake::new().with(|w| (w.log.endless, w.log.page) = (true, 128));
    let (run, _) = audited(&endless(), true).await;
    let (Stage::Audit, FailureKind::LogUnread { what }, Touched::Nothing) = failed(&run) else {
        panic!("{:?}", outcome(&run));
    };
    assert!(what.contains("more than 16384 log files"), "{what}");
    let fake = endless();
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert!(matches!(unavailable(&run), AuditObstacle::TooLarge { .. }));
    // No more is asked for than it takes to know.
    assert!(fake.count("log page") < 140);
}

#[tokio::test(start_paused = true)]
async fn an_audit_lists_within_a_limit_of_its_own() {
    let slow = Fake::new().with(|w| {
        w.log.endless = true;
        w.log.slow = Duration::from_secs(20);
    });
    let (run, _) = audited(&slow, true).await;
    let (Stage::Audit, FailureKind::LogUnread { what }, Touched::Nothing) = failed(&run) else {
        panic!("{:?}", outcome(&run));
    };
    assert!(what.contains("not read within 5:30"), "{what}");
    assert!(slow.count("log page") < 20, "{}", slow.count("log page"));
}

#[tokio::test(start_paused = true)]
async fn an_audit_says_why_there_is_nothing_to_read() {
    for fake in [
        Fake::new().with(|w| w.initialised = false),
        Fake::new().with(|w| w.credentials = Credentials::Token),
        Fake::new().with(|w| w.credentials = Credentials::None),
        Fake::new().with(|w| {
            w.log.always = Some(("log page", FailureKind::Status { status: 404 }));
        }),
    ] {
        let (run, _) = audited(&fake, false).await;
        let (Stage::Audit, FailureKind::LogUnread { what }, Touched::Nothing) = failed(&run) else {
            panic!("{:?}", outcome(&run));
        };
        assert!(!what.contains("reboot"), "{what}");
    }
    let epa = Fake::new().with(|w| w.hwv = "EPA rev 1.0 @x");
    let (run, _) = audited(&epa, false).await;
    assert_eq!(outcome(&run), &Outcome::Skipped(Skip::EpaLog));
    let plain = Fake::new().with(|w| w.may_carry_token = false);
    let (run, _) = audited(&plain, false).await;
    assert_eq!(failed(&run).1, FailureKind::PlainLogin);
    assert_eq!(plain.count("login for the log"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_audit_can_be_stopped() {
    let fake = booted(Fake::new(), 9);
    fake.world().log.faults.push_back(("log file", reset()));
    let mut run = auditor(&fake, true);
    until_started(&mut run, Stage::Audit).await;
    run.intend(Intent::Interrupt);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run).kind(), OutcomeKind::Cancelled);
}

/// Where a device lists no running file, all that are listed are closed, and no more are read than that.
#[tokio::test(start_paused = true)]
async fn no_more_closed_files_are_read_than_the_inventory_says() {
    for (files, lists_running, booted) in [(1, true, 0), (1, false, 9), (2, true, 9), (2, false, 9)]
    {
        let fake = Fake::new().with(|w| w.log.lists_running = lists_running);
        let policy = Policy {
            audit: AuditPolicy {
                mode: AuditMode::Wanted,
                files,
            },
            ..Policy::default()
        };
        let fakes = std::slice::from_ref(&fake);
        let mut run = run_with(fakes, Mode::Go, 1, image().into(), policy);
        run.intend(Intent::Begin);
        until_started(&mut run, Stage::Audit).await;
        (0..booted).for_each(|_| fake.world().log.boot());
        run_to_end(&mut run).await;
        let word = if booted == 0 { "confirmed" } else { "missing" };
        assert_eq!(report(&run).verdict.as_str(), word, "{files}");
        let read = files + usize::from(lists_running);
        assert_eq!(fake.count("log file"), read, "{files} {lists_running}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_audit_is_told_as_stopped_and_what_it_does_is_shown() {
    let fake = Fake::new();
    let mut run = begin(&fake).await;
    let mut shown = Vec::new();
    while shown.len() < 2 {
        if let Fact::Device { fact, .. } = next(&mut run).await.fact
            && let DeviceFact::StageProgress {
                stage: Stage::Audit,
                progress: Progress::Step { what },
            } = fact
        {
            shown.push(what);
        }
    }
    assert!(
        shown[0].contains("checking in") && shown[1].contains("logging in"),
        "{shown:?}"
    );
    run.intend(Intent::Interrupt);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let last = only(&run).timeline.last().unwrap();
    assert_eq!(
        (last.stage, &last.failure),
        (Stage::Audit, &Some(FailureKind::Stopped))
    );
}

#[tokio::test(start_paused = true)]
async fn an_audit_counts_closed_files_and_finds_none_where_only_the_running_one_is() {
    let fake = booted(Fake::new(), 3);
    let (run, _) = audited(&fake, true).await;
    let note = &only(&run).timeline.last().unwrap().note;
    assert_eq!(note, "4 of 4 closed files verify");
    // Names that are no ids are something: what is wrong with them is told.
    let odd = Fake::new().with(|w| {
        w.log.lists_none = true;
        w.log.unusable = 2;
    });
    let (run, _) = audited(&odd, true).await;
    let what = "2 listed names are no log ids".to_owned();
    assert_eq!(failed(&run).1, FailureKind::LogUnread { what });
}

/// Whatever is asked for, it answers with the same page.
#[tokio::test(start_paused = true)]
async fn a_list_that_repeats_itself_is_at_its_end() {
    let fake = booted(Fake::new(), 3).with(|w| w.log.repeats = true);
    let (run, _) = audited(&fake, true).await;
    assert_eq!(outcome(&run), &Outcome::Audited { files: 2 });
    assert_eq!(fake.count("log page"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_as_many_files_as_are_read_is_read() {
    let fake = booted(Fake::new(), 16_384 - 2).with(|w| w.log.page = 100);
    let (inbox, _events) = mpsc::channel(1000);
    let attempt = attempt(&fake, Payload::default(), inbox);
    let session = crate::device::Session::anonymous();
    let log = attempt.open_log(&session, 4).await.ok().unwrap();
    assert_eq!((log.listed, log.ids.len()), (16_384, 4));
    fake.world().log.boot();
    let told = attempt.open_log(&session, 4).await.err();
    assert!(
        matches!(told, Some(AuditObstacle::TooLarge { .. })),
        "{told:?}"
    );
}
