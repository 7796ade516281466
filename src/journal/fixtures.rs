//! A journal for tests, in a folder of its own, with runs of [`TestRun`] in it.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{DeviceContext, Journal, RunContext, RunRecord, RunWriter};
use crate::engine::fixtures::TestRun;
use crate::engine::{Fleet, Message, Recorder as _, RunFacts};
use crate::model::{DeviceSpec, Reach, RunId};

/// A journal in a folder that goes with it.
pub(crate) struct TestJournal {
    dir: TempDir,
    pub(crate) journal: Journal,
}

impl TestJournal {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.db")).unwrap();
        Self { dir, journal }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("journal.db")
    }

    /// Keeps a run of this number that ends in order.
    pub(crate) fn keep(&self, number: u8, run: &TestRun) -> RunId {
        let (record, messages) = of_test_run(number, run);
        let writer = self.journal.begin(&record).unwrap();
        let fleet = record_all(&writer, &record, &messages);
        writer.finish(&fleet).unwrap();
        record.facts.run
    }

    /// Keeps a run of this number whose process was killed.
    pub(crate) fn keep_killed(&self, number: u8, run: &TestRun) -> RunId {
        let (record, messages) = of_test_run(number, run);
        let writer = self.journal.begin(&record).unwrap();
        record_all(&writer, &record, &messages);
        drop(writer);
        record.facts.run
    }
}

/// Records the messages; the fleet that they lead to.
pub(crate) fn record_all(writer: &RunWriter, record: &RunRecord, messages: &[Message]) -> Fleet {
    let mut fleet = Fleet::of(record.facts.clone());
    for message in messages {
        writer.record(message);
        fleet.update(message);
    }
    fleet
}

/// What a run of this number was made from, and its messages.
pub(crate) fn of_test_run(number: u8, run: &TestRun) -> (RunRecord, Vec<Message>) {
    let facts = RunFacts {
        run: RunId::from_random([0, 0, 0, number]),
        ..run.fleet.facts().clone()
    };
    (record(facts), run.messages.clone())
}

/// What a run of these facts was made from; a device called `vault-01` is reached at `vault-01.example`.
pub(crate) fn record(facts: RunFacts) -> RunRecord {
    let devices = facts.devices.iter().map(|seed| {
        let name = seed.id.as_str();
        DeviceContext {
            id: seed.id.clone(),
            reach: Reach::of(&DeviceSpec::plain(name, &format!("{name}.example"), 443)),
            url: format!("https://{name}.example"),
            trust: "the system's certificate authorities".to_owned(),
            auth: "passphrase".to_owned(),
        }
    });
    RunRecord {
        context: RunContext {
            user: "ada".to_owned(),
            host: "bastion".to_owned(),
            pid: 4711,
            version: "0.1.0".to_owned(),
            inventory: "/etc/hemfleet/fleet.toml".to_owned(),
            firmware: Some("/srv/images/fw.bin".to_owned()),
            app: None,
            devices: devices.collect(),
            policy: crate::model::Policy::default(),
        },
        facts,
    }
}
