//! The file: old, moved away, refused, pruned, and read while it is written.

use std::fs;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::super::fixtures::{TestJournal, of_test_run, record_all};
use super::super::{Journal, JournalError};
use crate::engine::fixtures::{TestRun, firmware, numbered};
use crate::engine::{Event, Fact, Intent, Message, Mode, Recorder as _};
use crate::model::{DeviceSpec, Outcome, Reach, RunId};

fn of_one_device() -> TestRun {
    let mut run = TestRun::new(Mode::Go, numbered(1), firmware(1000));
    run.begin();
    run.planned_upgrade(0, &[]);
    run.install_begun(0);
    run
}

/// Waits for the writer's answer, which comes from a thread.
fn on_disk(writer: &super::super::RunWriter) -> Result<(), String> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut answer = writer.on_disk();
    for _ in 0..1000 {
        if let Poll::Ready(said) = answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            return said;
        }
        thread::park_timeout(Duration::from_secs(60));
    }
    panic!("waited for the disk");
}

#[test]
fn what_is_on_disk_is_what_was_recorded_before() {
    let kept = TestJournal::new();
    let (record, messages) = of_test_run(1, &of_one_device());
    let writer = kept.journal.begin(&record).unwrap();
    record_all(&writer, &record, &messages);
    // Nothing has been awaited, so nothing is promised yet; asking does not block either.
    let _ = writer.on_disk().now_or_never();
    on_disk(&writer).unwrap();
    let run = &record.facts.run;
    assert_eq!(
        kept.journal.load(run).unwrap().messages.len(),
        messages.len()
    );
    // Also where nothing has been recorded since.
    on_disk(&writer).unwrap();
    drop(kept.journal);
    let synced = Connection::open(kept.dir.path().join("journal.db")).unwrap();
    let synced: u64 = synced
        .query_row("SELECT synced FROM run", [], |row| row.get(0))
        .unwrap();
    assert_eq!(synced, messages.len() as u64);
}

#[test]
fn a_journal_that_is_moved_away_and_back_misses_nothing() {
    let kept = TestJournal::new();
    let (record, messages) = of_test_run(1, &of_one_device());
    let writer = kept.journal.begin(&record).unwrap();
    record_all(&writer, &record, &messages[..3]);
    on_disk(&writer).unwrap();
    let away = kept.dir.path().join("away.db");
    fs::rename(kept.path(), &away).unwrap();
    record_all(&writer, &record, &messages[3..]);
    let said = on_disk(&writer).unwrap_err();
    assert!(said.contains("was removed while it was in use"), "{said}");
    assert_eq!(writer.waiting(), messages.len() - 3);
    fs::rename(&away, kept.path()).unwrap();
    on_disk(&writer).unwrap();
    assert_eq!(writer.waiting(), 0);
    let loaded = kept.journal.load(&record.facts.run).unwrap();
    assert_eq!(loaded.messages.len(), messages.len());
}

#[test]
fn what_cannot_be_written_at_the_end_is_counted() {
    let kept = TestJournal::new();
    let (record, messages) = of_test_run(1, &of_one_device());
    let writer = kept.journal.begin(&record).unwrap();
    fs::remove_file(kept.path()).unwrap();
    let fleet = record_all(&writer, &record, &messages);
    let error = writer.finish(&fleet).unwrap_err();
    let JournalError::Unwritten { waiting, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*waiting, messages.len());
    assert!(error.hint().contains("move the file back"));
    // Nobody waits for a writer that is gone.
    assert!(on_disk(&writer).is_err());
}

#[test]
fn a_disk_that_hangs_holds_up_no_end_and_is_told_of() {
    let kept = TestJournal::new();
    let (record, messages) = of_test_run(1, &of_one_device());
    let writer = kept.journal.begin(&record).unwrap();
    let other = Connection::open(kept.path()).unwrap();
    // As long as this is open, the writer's thread is stuck in its write.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fleet = record_all(&writer, &record, &messages);
    let error = writer.finish_within(&fleet, Duration::ZERO).unwrap_err();
    let JournalError::Unwritten { waiting, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*waiting, messages.len());
    let said = crate::model::chain(&error);
    assert!(said.contains("no answer from the disk in 0.0 s"), "{said}");
    assert!(error.hint().contains("look at the disk"));
    // What hangs may still be written: nobody else goes on with the run meanwhile.
    assert!(kept.journal.runs().unwrap()[0].is_alive);
    // The end was waited for once.
    writer.finish(&fleet).unwrap();
    other.execute_batch("ROLLBACK").unwrap();
}

/// Only news from inside a stage may be missing after a disk was full.
#[test]
fn while_nothing_can_be_written_progress_is_dropped_and_nothing_else() {
    use crate::engine::Progress;
    use crate::model::Stage;
    let kept = TestJournal::new();
    let mut run = TestRun::new(Mode::Go, numbered(1), firmware(1000));
    run.begin();
    run.start(0, Stage::Upload, 1);
    let before = run.messages.len();
    for sent in 0..10 {
        run.progress(0, Stage::Upload, Progress::Bytes { sent, total: 10 });
    }
    run.finish(0, Outcome::Current);
    run.end();
    let (record, messages) = of_test_run(1, &run);
    let writer = kept.journal.begin(&record).unwrap();
    let away = kept.dir.path().join("away.db");
    fs::rename(kept.path(), &away).unwrap();
    let fleet = record_all(&writer, &record, &messages);
    on_disk(&writer).unwrap_err();
    fs::rename(&away, kept.path()).unwrap();
    writer.finish(&fleet).unwrap();
    let loaded = kept.journal.load(&record.facts.run).unwrap();
    assert_eq!(loaded.messages.len(), messages.len() - 10);
    assert!(before > 0 && loaded.fold().ended().is_some());
}

#[test]
fn a_clock_that_is_set_back_changes_no_order() {
    let kept = TestJournal::new();
    let mut run = of_one_device();
    run.now -= SignedDuration::from_hours(1);
    run.returned(0);
    run.finish(0, Outcome::Upgraded);
    run.end();
    let id = kept.keep(1, &run);
    let loaded = kept.journal.load(&id).unwrap();
    let before = format!("{:?}", run.messages);
    let times = |messages: &[Message]| -> Vec<Option<Timestamp>> {
        messages
            .iter()
            .map(|message| match message {
                Message::Event(event) => Some(event.at),
                _ => None,
            })
            .collect()
    };
    assert_eq!(times(&loaded.messages), times(&run.messages), "{before}");
    let entry = kept.journal.find(id.as_str()).unwrap();
    assert!(!entry.unfinished && entry.in_doubt == 0);
    assert_eq!(entry.ended, run.fleet.ended());
}

#[test]
fn only_runs_that_are_old_and_done_are_pruned() {
    let kept = TestJournal::new();
    let mut done = of_one_device();
    done.finish(0, Outcome::Upgraded);
    done.end();
    let old = kept.keep(1, &done);
    let mut stopped = TestRun::new(Mode::Go, numbered(1), firmware(1000));
    stopped.begin();
    stopped.intend(Intent::Interrupt);
    stopped.end();
    kept.keep(2, &stopped);
    kept.keep_killed(3, &of_one_device());
    let young = kept.keep(4, &done);
    let alive = kept.journal.begin(&of_test_run(5, &done).0).unwrap();
    let long_ago = "UPDATE run SET started = 0 WHERE id <> '00000004'";
    kept.journal.conn().execute(long_ago, []).unwrap();
    // The runs of tests end in 2026.
    let limit: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let names = |gone: Vec<super::super::RunEntry>| -> Vec<RunId> {
        gone.into_iter().map(|entry| entry.run).collect()
    };
    let only = std::slice::from_ref(&old);
    assert_eq!(names(kept.journal.prune(limit, true).unwrap()), only);
    assert_eq!(
        kept.journal.runs().unwrap().len(),
        5,
        "a dry run removes nothing"
    );
    assert_eq!(names(kept.journal.prune(limit, false).unwrap()), only);
    assert_eq!(kept.journal.runs().unwrap().len(), 4);
    assert!(kept.journal.load(&old).is_err() && kept.journal.load(&young).is_ok());
    let left = "SELECT count(*) FROM message WHERE run NOT IN (SELECT n FROM run)";
    let left: i64 = kept
        .journal
        .conn()
        .query_row(left, [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
    drop(alive);
}

#[test]
fn a_run_is_read_while_it_is_written() {
    let kept = TestJournal::new();
    let (record, messages) = of_test_run(1, &of_one_device());
    let writer = kept.journal.begin(&record).unwrap();
    let (path, run) = (kept.path(), record.facts.run.clone());
    let many = 2000;
    let reader = thread::spawn(move || {
        let journal = Journal::open_existing(&path).unwrap().unwrap();
        let (mut last, mut seen) = (0, 0);
        while seen < many {
            for (seq, message) in journal.messages_after(&run, last).unwrap() {
                assert!(seq > last);
                assert!(matches!(message, Message::Event(_)));
                (last, seen) = (seq, seen + 1);
            }
            thread::yield_now();
        }
    });
    let event = messages
        .iter()
        .find(|message| matches!(message, Message::Event(_)));
    for _ in 0..many {
        writer.record(event.unwrap());
    }
    on_disk(&writer).unwrap();
    reader.join().unwrap();
}

#[test]
fn what_there_is_not_is_not_made_by_readers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/journal.db");
    assert!(Journal::open_existing(&path).unwrap().is_none());
    assert!(!path.parent().unwrap().exists());
    // An empty file is one that a killed process left, and has no runs.
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    let journal = Journal::open_existing(&path).unwrap().unwrap();
    assert_eq!(journal.runs().unwrap(), []);
}

#[test]
fn a_message_that_cannot_be_read_hides_no_other_run() {
    let kept = TestJournal::new();
    let odd = kept.keep_killed(1, &of_one_device());
    let well = kept.keep(2, &of_one_device());
    let spoil = "UPDATE message SET body = '{\"event\":{\"from\":\"tomorrow\"}}' \
                 WHERE seq = 2 AND run = (SELECT n FROM run WHERE id = '00000001')";
    kept.journal.conn().execute(spoil, []).unwrap();
    let said = kept.journal.load(&odd).unwrap_err();
    assert!(
        matches!(said, JournalError::Message { seq: 2, .. }),
        "{said}"
    );
    let runs = kept.journal.runs().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs[1].tally.is_none() && runs[1].unfinished);
    assert!(runs[0].run == well && runs[0].tally.is_some());
    assert_eq!(kept.journal.open_installs().unwrap().len(), 1);
    // Whoever is to send installs must know them all.
    let reach = |name: &str| {
        [Reach::of(&DeviceSpec::plain(
            name,
            &format!("{name}.example"),
            443,
        ))]
    };
    kept.journal.check_runs(&reach("elsewhere")).unwrap();
    let said = kept.journal.check_runs(&reach("vault-01")).unwrap_err();
    assert!(
        matches!(&said, JournalError::Message { run, .. } if *run == odd),
        "{said}"
    );
    assert!(said.hint().contains("--journal FILE"));
}

#[test]
fn events_are_kept_to_the_nanosecond() {
    let kept = TestJournal::new();
    let (record, _) = of_test_run(1, &of_one_device());
    let writer = kept.journal.begin(&record).unwrap();
    let at: Timestamp = "2026-11-23T12:00:00.123456789Z".parse().unwrap();
    let fact = Fact::RunFinished { interrupted: true };
    writer.record(&Message::Event(Event { at, fact }));
    drop(writer);
    let loaded = kept.journal.load(&record.facts.run).unwrap();
    assert!(matches!(&loaded.messages[..], [Message::Event(event)] if event.at == at));
}
