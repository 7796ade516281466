//! A small folder of evidence, and everything that can be wrong with one. A real run's is in `tests/it/journal`.

mod attacks;
mod damage;
mod signatures;
mod writing;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::bundle::{Bundle, EvidenceRefused, Written};
use super::folder::NotVerified;
use super::verification::{Verified, verify};
use crate::engine::fixtures::{NEW, OLD, TestRun, firmware, numbered, pending, version};
use crate::engine::{DeviceFact, KeptFile, LogSource, Mode, PendingInstall, Sought};
use crate::hem::audit::{self, Delivery, LogReader, Login, UpgradeMark};
use crate::journal::LogFiles;
use crate::journal::RunRecord;
use crate::journal::fixtures::record;
use crate::model::{
    AuditReport, Component, Failure, FailureKind, LinkTrust, LogId, Outcome, OutcomeKind, Stage,
    Touched,
};

fn vector(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/audit");
    fs::read(dir.join(name)).unwrap()
}

/// A run, its log files, and a place for folders.
struct Sample {
    home: TempDir,
    files: LogFiles,
    record: RunRecord,
    messages: Vec<String>,
}

impl Sample {
    /// `vault-01` is upgraded and its log confirms it; that of `vault-02`, which rolled back, says ERROR; `vault-03` is not
    /// reached.
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let files = LogFiles::beside(&home.path().join("journal.db"));
        let mut run = TestRun::new(Mode::Go, numbered(3), firmware(1000));
        run.begin();
        upgrade(&mut run, 0, &files, "upgrade-ok.log", Outcome::Upgraded);
        upgrade(
            &mut run,
            1,
            &files,
            "upgrade-error.log",
            Outcome::RolledBack,
        );
        run.finish(
            2,
            Outcome::Failed(Failure {
                stage: Stage::Probe,
                kind: FailureKind::Panicked {
                    what: "something\u{1b}[2J".to_owned(),
                },
                touched: Touched::Nothing,
            }),
        );
        run.end();
        let messages = run.messages.iter();
        Self {
            messages: messages
                .map(|m| serde_json::to_string(m).unwrap())
                .collect(),
            record: record(run.fleet.facts().clone()),
            files,
            home,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write_as(&self, name: &str, key: Option<&Path>) -> Result<Written, EvidenceRefused> {
        let made = "2026-11-29T12:00:00Z".parse().unwrap();
        let out = self.path(name);
        let mut bundle = Bundle::begin(&out, self.record.clone(), &self.files, made)?;
        for message in &self.messages {
            bundle.message(message)?;
        }
        bundle.finish(key)
    }

    /// The folder, written.
    fn folder(&self) -> PathBuf {
        self.write_as("evidence", None).unwrap();
        self.path("evidence")
    }
}

/// A device is upgraded, says in its log what this file says, and ends so.
fn upgrade(run: &mut TestRun, device: usize, files: &LogFiles, log: &str, outcome: Outcome) {
    let mark = UpgradeMark {
        login: Login::Secret,
        issued: Vec::new(),
        earlier: 0,
    };
    run.planned_upgrade(device, &[]);
    let fact = DeviceFact::InstallBegun {
        pending: Box::new(PendingInstall {
            fws_expected: Some(NEW),
            mark: Some(mark.clone()),
            ..pending()
        }),
    };
    run.tell(device, fact);
    let fws = if outcome == Outcome::Upgraded {
        NEW
    } else {
        OLD
    };
    let fact = DeviceFact::Returned {
        component: Component::Firmware,
        version: Box::new(version(fws)),
        outcome: Some(outcome.clone()),
    };
    run.tell(device, fact);
    run.tell(device, audited(files, log, mark, outcome.kind()));
    run.finish(device, outcome);
}

fn audited(files: &LogFiles, log: &str, mark: UpgradeMark, judged: OutcomeKind) -> DeviceFact {
    let (bytes, key_answer) = (vector(log), vector("made.key.json"));
    let key = audit::prove_key(&audit::parse_key_answer(&key_answer).unwrap()).unwrap();
    let sought = Sought::Upgrade(mark);
    let mut reader = LogReader::new(&key, Some(sought.search()));
    reader.feed(&bytes);
    let (read, found) = reader.finish(Delivery::Whole);
    let report = Box::new(AuditReport {
        verdict: found.unwrap().verdict,
        judged,
        link: LinkTrust::Pinned,
        file: LogId::new("62310ba5"),
        log: Some(Arc::new(read)),
    });
    let file = keep(files, &bytes);
    let source = Some(Ok(Box::new(LogSource {
        file,
        key_answer: String::from_utf8(key_answer).unwrap(),
        sought,
    })));
    DeviceFact::Audited { report, source }
}

fn keep(files: &LogFiles, bytes: &[u8]) -> KeptFile {
    let mut coming = files.begin().unwrap();
    coming.write(bytes).unwrap();
    coming.keep(true).unwrap()
}

/// What is wrong with a folder.
fn wrong(dir: &Path) -> String {
    match verify(dir, None) {
        Err(NotVerified::Wrong(fault)) => fault.to_string(),
        Ok(_) => "nothing".to_owned(),
        Err(NotVerified::Unreadable(path, e)) => panic!("{}: {e}", path.display()),
    }
}

fn good(dir: &Path) -> Verified {
    match verify(dir, None) {
        Ok(verified) => verified,
        Err(other) => panic!("{other:?}"),
    }
}

/// All files of a folder.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn read(dir: &Path, within: &str, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{within}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                read(&entry.path(), &format!("{name}/"), files);
            } else {
                files.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    read(dir, "", &mut files);
    files
}

/// Writes a manifest that fits all files, as whoever changed them would.
fn write_manifest(dir: &Path) {
    let files = contents(dir).into_iter();
    let line = |(name, bytes): (String, Vec<u8>)| {
        let hash = crate::model::hex(&Sha256::digest(&bytes));
        format!("{hash}  {name}\n")
    };
    let text: String = files
        .filter(|(name, _)| !name.starts_with("MANIFEST"))
        .map(line)
        .collect();
    fs::write(dir.join("MANIFEST.sha256"), text).unwrap();
}

/// Changes a text file.
fn edit(dir: &Path, name: &str, change: impl FnOnce(String) -> String) {
    let path = dir.join(name);
    let text = fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text, "nothing was changed in {name}");
    fs::write(path, changed).unwrap();
}
