//! What the audit log of a device says, and the part of it that says so.

use serde::Serialize;

use crate::engine::audit_hint;
use crate::model::{AuditLog, AuditReport, AuditVerdict, AuditWord, LogId};

/// What the audit log of a device says of the last attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceAudit {
    /// As JSON spells it: `confirmed`.
    pub verdict: String,
    /// What people read beside how the device ended.
    #[serde(skip)]
    pub words: String,
    /// What exactly stands behind it, for scripts.
    pub code: String,
    /// What it says, in one line.
    pub reason: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The counter of that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<u64>,
    /// The link that it was read over.
    pub link: String,
    /// What that link makes it worth, in words; absent where no file was read.
    #[serde(skip)]
    pub over: Option<String>,
    /// What the file holds, as far as it verifies; absent where none was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<DeviceLog>,
}

/// A log file, and of its entries that verify those around the one in question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceLog {
    /// The firmware that wrote it, by its own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// How many of its entries verify.
    pub verified: usize,
    /// How far the file verifies, in words.
    pub end: String,
    /// Entries that verify, in the order of the file, without a gap.
    pub lines: Vec<LogLine>,
}

/// An entry of a log whose line verifies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LogLine {
    /// Its line in the file.
    pub line: usize,
    /// Its counter.
    pub counter: u64,
    /// When it was written, by the device's own clock.
    pub time: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// How it went.
    pub result: String,
    /// Who.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// More.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub extra: String,
    /// Whether the verdict rests on it.
    pub decides: bool,
}

impl DeviceAudit {
    /// Whether it contradicts the upgrade (section 9).
    pub(in crate::report) fn contradicts(&self) -> bool {
        self.verdict == AuditWord::Contradicted.short()
    }
}

impl From<&AuditReport> for DeviceAudit {
    fn from(report: &AuditReport) -> Self {
        let verdict: &AuditVerdict = &report.verdict;
        Self {
            verdict: verdict.as_str().to_owned(),
            words: report.word().words().to_owned(),
            code: verdict.code().to_owned(),
            reason: verdict.to_string(),
            hint: audit_hint(verdict).map(str::to_owned),
            file: report.file.as_ref().map(LogId::to_string),
            line: verdict.line(),
            counter: verdict.counter(),
            link: report.link.as_str().to_owned(),
            over: report.over().map(str::to_owned),
            log: report
                .log
                .as_ref()
                .map(|log| DeviceLog::of(log, verdict.line())),
        }
    }
}

impl DeviceLog {
    fn of(log: &AuditLog, decides: Option<usize>) -> Self {
        let lines = log.entries.iter().map(|entry| LogLine {
            line: entry.line,
            counter: entry.counter,
            time: entry.time.to_string(),
            kind: entry.kind.to_string(),
            result: entry.result.to_string(),
            subject: entry.subject.clone(),
            extra: entry.extra.to_string(),
            decides: decides == Some(entry.line),
        });
        Self {
            firmware: log.firmware.clone(),
            verified: log.count,
            end: log.end.to_string(),
            lines: lines.collect(),
        }
    }
}
