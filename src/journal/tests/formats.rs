//! What is stored, letter by letter: a journal of today is read for years. Who changes one of these texts reads the old one
//! as well, or adds a migration.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::Connection;

use super::super::fixtures::{TestJournal, of_test_run};
use super::super::message_kind::kind_of;
use super::super::schema::MIGRATIONS;
use super::super::{Journal, JournalError};
use crate::engine::fixtures::{TestRun, audit_report, firmware, numbered, pending};
use crate::engine::{
    DeviceFact, Event, Fact, Intent, Message, Mode, Progress, Reopened, RunHalt, TaskEnd,
};
use crate::model::{
    AuditObstacle, AuditVerdict, Derivation, DeviceId, Doubt, FailureKind, LinkTrust, MaxFailures,
    Outcome, Scope, Secret, Stage,
};

/// Each format that was ever released, by what it held.
const FORMER: [&str; 1] = [include_str!("format_1.sql")];

#[test]
fn a_journal_of_each_former_format_is_brought_to_todays() {
    assert_eq!(
        FORMER.len() + 1,
        MIGRATIONS.len(),
        "a migration without its test"
    );
    for (n, rows) in FORMER.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let old = Connection::open(&path).unwrap();
        for migration in &MIGRATIONS[..=n] {
            old.execute_batch(migration).unwrap();
        }
        old.pragma_update(None, "application_id", 0x6865_6d66)
            .unwrap();
        old.pragma_update(None, "user_version", n + 1).unwrap();
        old.execute_batch(rows).unwrap();
        drop(old);
        let journal = Journal::open(&path).unwrap();
        let runs = journal.runs().unwrap();
        assert_eq!(runs.len(), 1, "format {}", n + 1);
        journal.load(&runs[0].run).unwrap();
        let open = journal.open_installs().unwrap();
        assert_eq!(open.len(), 1, "format {}", n + 1);
        assert_eq!(open[0].device.as_str(), "vault-02");
        let refused = journal.refusals().unwrap();
        assert_eq!(refused.len(), 1, "format {}", n + 1);
        assert_eq!(refused[0].device.as_str(), "vault-01");
        assert!(refused[0].image.starts_with("b9486ee2"));
    }
}

#[test]
fn the_tables_are_those_that_are_written_down() {
    let kept = TestJournal::new();
    let mut sql = String::new();
    let mut select = kept
        .journal
        .conn()
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .unwrap();
    let texts = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for text in texts {
        sql += &text.unwrap();
        sql += ";\n\n";
    }
    insta::assert_snapshot!("tables", sql);
    let pragma = |name: &str| -> i64 {
        let value = kept
            .journal
            .conn()
            .pragma_query_value(None, name, |row| row.get(0));
        value.unwrap()
    };
    assert_eq!(
        pragma("user_version"),
        i64::try_from(MIGRATIONS.len()).unwrap()
    );
    assert_eq!(pragma("auto_vacuum"), 2, "incremental");
    assert_eq!(
        pragma("foreign_keys"),
        1,
        "what belongs to a run goes with it"
    );
}

#[test]
fn a_newer_format_is_left_alone() {
    let kept = TestJournal::new();
    let newer = MIGRATIONS.len() + 1;
    kept.journal
        .conn()
        .pragma_update(None, "user_version", newer)
        .unwrap();
    for refused in [
        Journal::open(&kept.path()).unwrap_err(),
        Journal::open_existing(&kept.path()).unwrap_err(),
    ] {
        assert!(matches!(refused, JournalError::Newer { .. }), "{refused}");
    }
}

/// One message of each kind, as it is stored.
#[test]
fn messages_are_stored_like_this() {
    let mut kinds = BTreeMap::new();
    for message in of_each_kind() {
        let mut json = serde_json::to_value(&message).unwrap();
        fixed(&mut json);
        let text = serde_json::to_string(&json).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let read: Message =
            serde_json::from_str(&serde_json::to_string(&message).unwrap()).unwrap();
        assert_eq!(kind_of(&read), kind_of(&message));
        kinds
            .entry(kind_of(&message))
            .or_insert_with(Vec::new)
            .push(text);
    }
    assert_eq!(kinds.len(), KINDS, "a kind of message without its letters");
    let lines = kinds
        .iter()
        .map(|(kind, texts)| format!("{kind}:\n{}\n", texts.join("\n")));
    insta::assert_snapshot!("messages", lines.collect::<Vec<_>>().join("\n"));
}

/// As many as `message_kind` has words for.
const KINDS: usize = 23;

fn of_each_kind() -> Vec<Message> {
    let id = || DeviceId::new("vault-01");
    let mut run = TestRun::new(Mode::Confirm, numbered(2), firmware(1000));
    run.begin();
    run.planned_upgrade(0, &["note"]);
    run.intend(Intent::Confirm);
    run.start(0, Stage::Upload, 1);
    let bytes = Progress::Bytes {
        sent: 7,
        total: 1000,
    };
    run.progress(0, Stage::Upload, bytes);
    run.stage_failed(0, Stage::Upload, 1, FailureKind::WrongSecret);
    for fact in [
        DeviceFact::RetryScheduled {
            stage: Stage::Upload,
            next_try: 2,
            of: 3,
            wait: Duration::from_millis(1500),
            after: FailureKind::WrongSecret,
        },
        DeviceFact::SecretWanted,
        DeviceFact::ApprovalRequested {
            scope: Scope::Upgrade,
            until: run.now,
            note: "7f3a".to_owned(),
        },
        DeviceFact::LoggedIn {
            scope: Scope::Upgrade,
            derivation: Some(Derivation::Pbkdf2),
        },
        DeviceFact::LoginRefused { left: 1 },
        DeviceFact::PermitAsked,
        DeviceFact::InstallAnnounced {
            pending: Box::new(pending()),
        },
        DeviceFact::InstallBegun {
            pending: Box::new(pending()),
        },
    ] {
        run.tell(0, fact);
    }
    run.log_read(0, "62310ba5", Err(AuditObstacle::NoBroker));
    run.returned(0);
    let confirmed = AuditVerdict::Confirmed {
        line: 7,
        counter: 9,
        cut_line: None,
    };
    run.audit(0, audit_report(confirmed, LinkTrust::Ca, None));
    run.finish(0, Outcome::Unknown(Doubt::NoReboot));
    run.end();
    let mut messages = of_test_run(1, &run).1;
    let event = |fact| Message::Event(Event { at: run.now, fact });
    messages.extend([
        event(Fact::RunHalted(Box::new(RunHalt {
            harm: 3,
            allowed: 2,
            max_failures: MaxFailures::Share(5),
            devices: vec![id()],
        }))),
        event(Fact::RunResumed {
            harm: 3,
            max_failures: MaxFailures::Number(5),
        }),
        event(Fact::RunReopened(Box::new(Reopened {
            by: "ada on bastion, process 4711".to_owned(),
            mode: Mode::Confirm,
            concurrency: 8,
            max_failures: None,
            gone: vec![id()],
            earlier: BTreeMap::new(),
            refused: BTreeMap::new(),
        }))),
        Message::Intent(Intent::RetryAll(vec![id()])),
        Message::Intent(Intent::GoOn(MaxFailures::Number(3))),
        Message::Intent(Intent::Answer(id(), Secret::new(b"hunter2".to_vec()))),
        Message::TaskLost {
            device: id(),
            attempt: 1,
            how: TaskEnd::Panicked("what".to_owned()),
        },
    ]);
    messages
}

/// Puts a fixed moment in place of one that differs from test to test.
fn fixed(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if key == "since" {
                    *value = serde_json::json!("a moment");
                } else {
                    fixed(value);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(fixed),
        _ => {}
    }
}
