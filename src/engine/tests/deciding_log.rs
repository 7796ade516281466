//! The log file that decided is kept, with what the verdict was made from; no other is, and a disk never changes a verdict.

use std::io;
use std::sync::Mutex;

use bytes::Bytes;

use super::*;
use crate::device::RawLog;
use crate::engine::{HeldLog, KeptFile, LogSource, Sought};
use crate::model::{AuditMode, AuditResult, AuditVerdict, LogId};

use super::audit::{policy, report};
use super::fake_audit_log::LogEntry;

/// What became of the files that were read.
#[derive(Default)]
struct Counts {
    begun: Vec<String>,
    kept: Vec<String>,
    dropped: usize,
}

/// Keeps nothing but counts.
#[derive(Clone, Default)]
struct Shelf {
    counts: Arc<Mutex<Counts>>,
    full: bool,
    takes_nothing: bool,
}

struct Coming(bool);

struct Handle {
    shelf: Shelf,
    file: String,
    kept: bool,
}

impl LogHolder for Shelf {
    fn hold(
        &self,
        device: &DeviceId,
        file: &LogId,
        key: &Bytes,
    ) -> (Box<dyn RawLog>, Box<dyn HeldLog>) {
        let file = format!("{device} {file} {}", String::from_utf8_lossy(key));
        self.counts.lock().unwrap().begun.push(file.clone());
        let handle = Handle {
            shelf: self.clone(),
            file,
            kept: false,
        };
        (Box::new(Coming(self.takes_nothing)), Box::new(handle))
    }
}

impl RawLog for Coming {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        if self.0 {
            return Err(io::Error::other("no disk"));
        }
        Ok(())
    }

    fn keep(self: Box<Self>, _: bool) -> io::Result<()> {
        Ok(())
    }
}

impl HeldLog for Handle {
    fn keep(mut self: Box<Self>) -> io::Result<KeptFile> {
        if self.shelf.full {
            return Err(io::Error::other("no room"));
        }
        self.kept = true;
        let file = self.file.clone();
        self.shelf.counts.lock().unwrap().kept.push(file);
        Ok(KeptFile {
            sha256: [7; 32],
            bytes: 3,
            whole: true,
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.kept {
            self.shelf.counts.lock().unwrap().dropped += 1;
        }
    }
}

async fn upgrade_holding(fake: &Fake, shelf: &Shelf, mode: AuditMode) -> (FleetRun, Vec<Event>) {
    let mut run = run_holding(
        std::slice::from_ref(fake),
        Mode::Go,
        1,
        image().into(),
        policy(mode),
        (Rollout::default(), None, Some(Arc::new(shelf.clone()))),
    );
    run.intend(Intent::Begin);
    let events = run_to_end(&mut run).await;
    (run, events)
}

type Source<'a> = Option<&'a Result<Box<LogSource>, String>>;

fn source(events: &[Event]) -> Source<'_> {
    let mut all = facts(events).filter_map(|f| match f {
        DeviceFact::Audited { source, .. } => Some(source.as_ref()),
        _ => None,
    });
    let source = all.next().expect("no verdict");
    assert!(all.next().is_none(), "more than one verdict");
    source
}

fn kept(events: &[Event]) -> &LogSource {
    source(events).unwrap().as_ref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_file_that_decided_is_kept_with_its_key_and_its_mark() {
    let (fake, shelf) = (Fake::new(), Shelf::default());
    let (run, events) = upgrade_holding(&fake, &shelf, AuditMode::Required).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let source = kept(&events);
    assert_eq!((source.file.bytes, source.key_answer.as_str()), (3, "key"));
    let pending = facts(&events).find_map(|f| match f {
        DeviceFact::InstallBegun { pending } => pending.mark.clone(),
        _ => None,
    });
    assert_eq!(source.sought, Sought::Upgrade(pending.unwrap()));
    let counts = shelf.counts.lock().unwrap();
    let file = report(&run).file.as_ref().unwrap();
    assert_eq!(counts.kept, [format!("vault-01 {file} key")]);
    // The running session's file was begun as well, and is in use.
    assert_eq!((counts.begun.len(), counts.dropped), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn of_several_that_are_read_only_one_is_kept() {
    let fake = Fake::new().with(|w| w.log.upgrade = LogEntry::Tampered);
    let shelf = Shelf::default();
    let (run, events) = upgrade_holding(&fake, &shelf, AuditMode::Wanted).await;
    assert!(matches!(
        report(&run).verdict,
        AuditVerdict::Contradicted { .. }
    ));
    kept(&events);
    let counts = shelf.counts.lock().unwrap();
    let file = report(&run).file.as_ref().unwrap();
    assert_eq!(counts.kept, [format!("vault-01 {file} key")]);
    assert!(counts.begun.len() > 2, "{:?}", counts.begun);
    assert_eq!(counts.begun.len(), counts.dropped + 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusals_file_is_kept_as_one() {
    let fake = Fake::new().with(|w| {
        w.install = Install::Refused(409);
        w.log.open = true;
    });
    let shelf = Shelf::default();
    let (run, events) = upgrade_holding(&fake, &shelf, AuditMode::Wanted).await;
    assert_eq!(failed(&run).0, Stage::Install);
    assert!(matches!(kept(&events).sought, Sought::Refusal(_)));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_kept_is_a_remark_and_changes_nothing() {
    let full = Shelf {
        full: true,
        ..Shelf::default()
    };
    let broken = Shelf {
        takes_nothing: true,
        ..Shelf::default()
    };
    for (shelf, why) in [(full, "no room"), (broken, "no disk")] {
        let fake = Fake::new();
        let (run, events) = upgrade_holding(&fake, &shelf, AuditMode::Required).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        assert_eq!(source(&events), Some(&Err(why.to_owned())));
        let note = &only(&run).timeline.last().unwrap().note;
        assert!(
            note.contains(&format!("the log file is not kept: {why}")),
            "{note}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_kept_nothing_is_said() {
    let fake = Fake::new();
    let (_, events) = upgrade_by(&fake, policy(AuditMode::Wanted)).await;
    assert_eq!(source(&events), None);
    // Nor where no file decided.
    let fake = Fake::new().with(|w| w.log.upgrade = LogEntry::Says(AuditResult::Ok));
    fake.world().log.always = Some(("log page", FailureKind::Status { status: 403 }));
    let shelf = Shelf::default();
    let (_, events) = upgrade_holding(&fake, &shelf, AuditMode::Wanted).await;
    assert_eq!(source(&events), None);
}
