//! What is kept of a run, and what lists say of it.

use super::super::fixtures::{TestJournal, of_test_run, record_all};
use super::super::{DeviceSummary, Journal, JournalError, RunEntry, WhichDevice};
use crate::engine::Mode;
use crate::engine::fixtures::{TestRun, firmware, numbered};
use crate::model::{Doubt, Outcome, OutcomeKind, Reach, RunId};

/// Three devices: one upgraded, one rolled back, one in doubt.
fn three() -> TestRun {
    let mut run = TestRun::new(Mode::Go, numbered(3), firmware(1000));
    run.begin();
    for n in 0..3 {
        run.planned_upgrade(n, &[]);
        run.install_begun(n);
    }
    run.returned(0);
    run.finish(0, Outcome::Upgraded);
    run.finish(1, Outcome::RolledBack);
    run.finish(2, Outcome::Unknown(Doubt::AnswerLost));
    run.end();
    run
}

#[test]
fn a_run_is_read_as_it_was_and_listed_as_it_ended() {
    let kept = TestJournal::new();
    let run = three();
    let id = kept.keep(1, &run);
    let loaded = kept.journal.load(&id).unwrap();
    assert_eq!(loaded.messages.len(), run.messages.len());
    assert_eq!(loaded.fold().counts(), run.fleet.counts());
    let runs = kept.journal.runs().unwrap();
    let [entry] = &runs[..] else {
        panic!("{runs:?}");
    };
    let tally = entry.tally.as_ref().unwrap();
    for kind in [
        OutcomeKind::Upgraded,
        OutcomeKind::RolledBack,
        OutcomeKind::Unknown,
    ] {
        assert_eq!(tally.of(kind), 1, "{kind}");
    }
    assert_eq!((tally.done(), tally.open, entry.in_doubt), (3, 0, 1));
    assert!(entry.unfinished && !entry.is_alive);
    assert_eq!(entry.ended, run.fleet.ended());
    assert_eq!((entry.user.as_str(), entry.devices), ("ada", 3));
}

#[test]
fn a_killed_run_is_listed_like_one_that_ended_there() {
    let kept = TestJournal::new();
    let mut run = TestRun::new(Mode::Go, numbered(2), firmware(1000));
    run.begin();
    run.planned_upgrade(0, &[]);
    run.install_begun(0);
    let id = kept.keep_killed(7, &run);
    for _ in 0..2 {
        // The second time it need not be folded.
        let entry = kept.journal.find("00000007").unwrap();
        assert!(entry.unfinished && entry.ended.is_none() && !entry.is_alive);
        let tally = entry.tally.unwrap();
        let ended = (
            tally.of(OutcomeKind::Unknown),
            tally.of(OutcomeKind::Cancelled),
        );
        assert_eq!((entry.in_doubt, ended, tally.open), (1, (1, 1), 0));
    }
    let open = kept.journal.open_installs().unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((&open[0].run, open[0].device.as_str()), (&id, "vault-01"));
}

#[test]
fn a_run_has_one_process_at_a_time() {
    let kept = TestJournal::new();
    let (record, messages) = of_test_run(1, &three());
    let writer = kept.journal.begin(&record).unwrap();
    let again = Journal::open(&kept.path()).unwrap();
    let refused = again.go_on(&record.facts.run).unwrap_err();
    let pid = Some(std::process::id());
    assert!(matches!(refused, JournalError::Alive { pid: said, .. } if said == pid));
    let entry = &again.runs().unwrap()[0];
    assert!(entry.is_alive && entry.holder == pid);
    record_all(&writer, &record, &messages[..4]);
    drop(writer);
    let entry = &again.runs().unwrap()[0];
    assert!(!entry.is_alive && entry.holder.is_none());
    // One that was killed leaves its name behind.
    let left = format!("journal.db-run-{}.lock", record.facts.run);
    std::fs::write(kept.dir.path().join(left), "1").unwrap();
    assert_eq!(again.runs().unwrap()[0].holder, None);
    let writer = again.go_on(&record.facts.run).unwrap();
    record_all(&writer, &record, &messages[4..]);
    drop(writer);
    let loaded = again.load(&record.facts.run).unwrap();
    assert_eq!(loaded.messages.len(), messages.len());
    let seqs: Vec<_> = again
        .messages_after(&record.facts.run, 4)
        .unwrap()
        .into_iter()
        .map(|(seq, _)| seq)
        .collect();
    assert_eq!(seqs, (5..=messages.len() as u64).collect::<Vec<_>>());
}

#[test]
fn runs_are_found_by_the_beginning_of_their_names() {
    let kept = TestJournal::new();
    kept.keep(0x21, &three());
    kept.keep(0x22, &three());
    assert_eq!(
        kept.journal.find("00000022").unwrap().run.as_str(),
        "00000022"
    );
    let several = kept.journal.find("0000002").unwrap_err();
    assert_eq!(
        several.to_string(),
        "0000002 could be any of 00000022, 00000021"
    );
    for none in ["", "3", "00000023", "%", "0000002_"] {
        let said = kept.journal.find(none).unwrap_err();
        assert!(matches!(said, JournalError::NoSuchRun(_)), "{none}");
    }
    let exists = kept.journal.begin(&of_test_run(0x21, &three()).0);
    assert!(matches!(exists.unwrap_err(), JournalError::Exists(_)));
    let unknown = RunId::from_random([9; 4]);
    assert!(kept.journal.load(&unknown).is_err());
}

#[test]
fn the_history_of_a_device_is_told_newest_run_first() {
    let kept = TestJournal::new();
    kept.keep(1, &three());
    let mut idle = TestRun::new(Mode::Go, numbered(3), firmware(1000));
    idle.begin();
    kept.keep_killed(2, &idle);
    let mut later = TestRun::new(Mode::Go, numbered(3), firmware(1000));
    later.begin();
    later.finish(2, Outcome::Current);
    later.end();
    kept.keep(3, &later);
    let history = kept.journal.device_history(WhichDevice::Named("vault-03"));
    let history = history.unwrap();
    let outcomes: Vec<_> = history
        .iter()
        .map(|(_, d)| d.outcome.as_ref().map(Outcome::kind))
        .collect();
    let unknown = Some(OutcomeKind::Unknown);
    let cancelled = Some(OutcomeKind::Cancelled);
    assert_eq!(outcomes, [Some(OutcomeKind::Current), cancelled, unknown]);
    let reach: Reach = history[0].1.reach.clone();
    let by_reach = kept.journal.device_history(WhichDevice::At(&reach));
    let runs = |found: &[(RunEntry, DeviceSummary)]| -> Vec<_> {
        found.iter().map(|(run, _)| run.clone()).collect()
    };
    assert_eq!(runs(&by_reach.unwrap()), runs(&history));
}

/// Nobody had confirmed anything: there is nothing to go on with.
#[test]
fn a_plan_whose_process_was_killed_is_no_unfinished_run() {
    let kept = TestJournal::new();
    for (number, mode, unfinished) in [(1, Mode::Confirm, false), (2, Mode::Go, true)] {
        let mut run = TestRun::new(mode, numbered(2), firmware(1000));
        run.begin();
        let id = kept.keep_killed(number, &run);
        let entry = kept.journal.find(id.as_str()).unwrap();
        assert_eq!(entry.unfinished, unfinished, "{mode:?}");
    }
    // Nor is it kept for ever.
    let later = jiff::Timestamp::now() + std::time::Duration::from_secs(60);
    let gone = kept.journal.prune(later, false).unwrap();
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].run.as_str(), "00000001");
}
