//! The verifier against the vectors, which other software made, against files of our own writer, and against any
//! bytes at all.

mod any_bytes;
mod files;
mod keys;
mod log_reader;
mod search;

use std::path::Path;

use super::*;
use crate::model::{
    AuditExtra, AuditLog, AuditObstacle, AuditResult, AuditTime, AuditType, AuditVerdict,
    Contradiction, LogEnd, LogFault,
};

const SEED: [u8; 32] = [3; 32];
const MAC: [u8; 32] = [5; 32];

fn vector(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/audit");
    std::fs::read(dir.join(name)).unwrap()
}

fn key_of(name: &str) -> LogKey {
    prove_key(&parse_key_answer(&vector(name)).unwrap()).unwrap()
}

fn made(name: &str) -> AuditLog {
    verify(&vector(name), &key_of("made.key.json"), Delivery::Whole)
}

fn own_key() -> LogKey {
    prove_key(&answer_key(&SEED, b"nonce")).unwrap()
}

fn own(file: &[u8]) -> AuditLog {
    verify(file, &own_key(), Delivery::Whole)
}

fn failed(line: usize, counter: Option<u64>, fault: LogFault) -> LogEnd {
    LogEnd::Failed {
        line,
        counter,
        fault,
    }
}

/// A file in the making: lines with a rising counter, under the last key.
struct File {
    text: String,
    counter: u64,
    time: u64,
}

impl File {
    fn new() -> Self {
        let text = format!(
            "# Encedo nGINE FW v1.2.2\n{}\n",
            key_line(0, 6, &MAC, &SEED)
        );
        Self {
            text,
            counter: 1,
            time: 0x68b9_a540,
        }
    }

    fn add(mut self, kind: u64, result: u64, subject: &str, extra: &[u8]) -> Self {
        let entry = NewEntry {
            counter: self.counter,
            time: self.time,
            kind: AuditType(kind),
            result: AuditResult::from(result),
            subject,
            extra,
        };
        self.text.push_str(&sign_line(&entry, &MAC));
        self.text.push('\n');
        self.counter += 1;
        self.time += 10;
        self
    }

    fn raw(mut self, line: &str) -> Self {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }

    fn token(self) -> Self {
        self.add(0xd, 0, "U", b"system:upgrade")
    }

    fn log(&self) -> AuditLog {
        own(self.text.as_bytes())
    }
}

fn mark() -> UpgradeMark {
    UpgradeMark {
        login: Login::Secret,
        issued: Vec::new(),
        earlier: 0,
    }
}

/// The mark of a run whose token was issued as the `n`th entry behind the key line of a [`File`].
fn mark_at(n: u64) -> UpgradeMark {
    let time = 0x68b9_a540 + 10 * n;
    UpgradeMark {
        issued: vec![time - 2..=time + 2],
        ..mark()
    }
}

#[test]
fn the_vendors_sample_verifies() {
    let log = verify(
        &vector("vendor-sample.log"),
        &key_of("vendor-sample.key.json"),
        Delivery::Whole,
    );
    assert_eq!(log.end, LogEnd::Whole);
    assert_eq!(
        log.firmware.as_deref(),
        Some("Encedo HEM v0.9.77 (#ff0a263)")
    );
    assert_eq!(log.entries.len(), 7);
    assert_eq!(log.entries[3].extra, AuditExtra::Clock(0x6231_0b35));
    assert_eq!(log.entries[4].subject, "M");
    // Its clock had outlived the boot: dates from the first line on.
    assert_eq!(log.entries[0].time, AuditTime::Unix(0x6231_0ba5));
}

#[test]
fn the_made_files_are_as_their_page_says() {
    let log = made("upgrade-ok.log");
    assert_eq!((log.end, log.entries.len()), (LogEnd::Whole, 7));
    assert_eq!(log.entries[1].time, AuditTime::SinceBoot(7));
    assert_eq!(log.entries[5].time, AuditTime::Unix(0x68b9_a557));
    assert_eq!(log.entries[5].extra.text(), Some("system:upgrade"));
    assert_eq!(
        find_upgrade(&log, &mark()),
        AuditVerdict::Confirmed {
            line: 8,
            counter: 6,
            cut_line: None
        }
    );
    assert_eq!(
        find_upgrade(&made("upgrade-error.log"), &mark()),
        AuditVerdict::Contradicted {
            line: 8,
            counter: Some(6),
            why: Contradiction::Logged(AuditResult::Error)
        }
    );
    let log = made("no-upgrade.log");
    assert_eq!(log.end, LogEnd::Whole);
    assert_eq!(
        find_upgrade(&log, &mark()),
        AuditVerdict::Missing {
            token_line: None,
            other_line: None
        }
    );

    let log = made("tampered-line.log");
    assert_eq!(log.end, failed(8, Some(6), LogFault::BadMac));
    assert_eq!(log.entries.len(), 6);
    assert!(matches!(
        find_upgrade(&log, &mark()),
        AuditVerdict::Contradicted {
            line: 8,
            counter: Some(6),
            why: Contradiction::NotVerified(_)
        }
    ));
    let log = made("gap.log");
    assert_eq!(
        log.end,
        failed(
            5,
            Some(4),
            LogFault::Gap {
                expected: 3,
                found: 4
            }
        )
    );
    assert_eq!(log.entries.len(), 3);
}

#[test]
fn another_devices_key_verifies_nothing() {
    let log = verify(
        &vector("upgrade-ok.log"),
        &key_of("vendor-sample.key.json"),
        Delivery::Whole,
    );
    assert_eq!(log.end, failed(2, Some(0), LogFault::BadKeySignature));
    assert_eq!(log.entries, []);
}

#[test]
fn the_writer_makes_the_vectors_lines() {
    let text = String::from_utf8(vector("upgrade-ok.log")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let fields: Vec<&str> = lines[1].split('|').collect();
    let mac_key = log_line::Fields::split(lines[1].as_bytes())
        .unwrap()
        .new_key()
        .unwrap();
    assert_eq!(fields[2], "0");
    let entry = |counter, time, kind, result, subject, extra| NewEntry {
        counter,
        time,
        kind: AuditType(kind),
        result,
        subject,
        extra,
    };
    let clock = 0x68b9_a540_u32.to_le_bytes();
    for (line, entry) in [
        (3, entry(2, 8, 0x18, AuditResult::Ok, "", &b""[..])),
        (
            5,
            entry(4, 0x68b9_a540, 0x13, AuditResult::Ok, "", &clock[..]),
        ),
        (
            6,
            entry(5, 0x68b9_a557, 0xd, AuditResult::Ok, "U", b"system:upgrade"),
        ),
        (7, entry(6, 0x68b9_a56e, 0x4, AuditResult::Ok, "U", b"")),
    ] {
        assert_eq!(sign_line(&entry, &mac_key), lines[line]);
    }
}
