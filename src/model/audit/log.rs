//! The audit log as values (protocol page, section 9): entries, and how far a file verifies. Files are read and verified
//! in `hem::audit`; what they say of an upgrade is in `verdict`.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::model::printable;

/// The name of one log file, as `GET /api/logger/list` has it: hexadecimal digits. It is the time of
/// the power-up, or a small number where the clock was not set then: never a date to sort by.
///
/// It takes no memory beside itself: a run holds many of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogId {
    digits: [u8; LogId::MAX],
    len: u8,
}

impl LogId {
    const MAX: usize = 16;

    /// Eight digits by the page; from 1 to 16 are taken, and nothing else, for it becomes part of a path.
    pub fn new(text: &str) -> Option<Self> {
        let is_one = text.bytes().all(|b| b.is_ascii_hexdigit()) && !text.is_empty();
        let mut digits = [0; Self::MAX];
        let len = u8::try_from(text.len()).ok()?;
        digits
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        is_one.then_some(Self { digits, len })
    }

    /// The digits as the device wrote them.
    pub fn as_str(&self) -> &str {
        let digits = self.digits.get(..usize::from(self.len));
        // Digits are text, always.
        digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .unwrap_or_default()
    }
}

impl From<LogId> for String {
    fn from(id: LogId) -> Self {
        id.as_str().to_owned()
    }
}

impl TryFrom<String> for LogId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("no name of a log file")
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When an entry was written, by the device's own clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditTime {
    /// Seconds since the power-up: the clock was not set yet.
    SinceBoot(u64),
    /// Unix seconds.
    Unix(u64),
}

impl AuditTime {
    /// The number as it stands in the file.
    pub fn seconds(self) -> u64 {
        match self {
            Self::SinceBoot(s) | Self::Unix(s) => s,
        }
    }
}

impl fmt::Display for AuditTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SinceBoot(s) => f.pad(&format!("boot + {s} s")),
            Self::Unix(s) => f.pad(&date(s)),
        }
    }
}

fn date(unix: u64) -> String {
    i64::try_from(unix)
        .ok()
        .and_then(|s| jiff::Timestamp::from_second(s).ok())
        .map_or_else(|| format!("unix {unix}"), |t| t.to_string())
}

/// The type of an entry, a number that later firmware may add to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct AuditType(pub u64);

impl AuditType {
    /// A new key for the MACs of the lines that follow.
    pub const KEY: Self = Self(0x0);
    /// An upgrade, of the firmware or of the management app.
    pub const UPGRADE: Self = Self(0x4);
    /// A request whose token had the wrong scope or role (403).
    pub const FAILED_SCOPE_CHECK: Self = Self(0xc);
    /// A token was issued for a secret.
    pub const TOKEN: Self = Self(0xd);
    /// A token was issued on a phone's approval.
    pub const TOKEN_MOBILE: Self = Self(0xe);
    /// The clock was set.
    pub const CLOCK_SET: Self = Self(0x13);

    /// The type in words, where the page knows it.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x0 => "key",
            0x1 => "startup",
            0x2 => "reboot",
            0x3 => "shutdown",
            0x4 => "upgrade",
            0x5 => "entropy test failed",
            0x6 => "TLS error",
            0x7 => "self-test passed",
            0x8 => "non-secure state",
            0x9 => "log listed",
            0xa => "log deleted",
            0xb => "log read",
            0xc => "failed scope check",
            0xd => "token issued",
            0xe => "token issued (mobile)",
            0xf => "mobile paired",
            0x12 => "config updated",
            0x13 => "clock set",
            0x14 => "key generated",
            0x15 => "key deleted",
            0x16 => "key imported",
            0x17 => "key used",
            0x18 => "key integrity",
            0x19 => "key attributes changed",
            0x1a => "key derived",
            0x1d => "initialised",
            0x1e..=0x2a => "crypto operation",
            _ => return None,
        })
    }
}

impl fmt::Display for AuditType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("type {:x}", self.0)),
        }
    }
}

/// The result field of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    /// 0.
    Ok,
    /// 1.
    Failed,
    /// 2.
    Error,
    /// A number that the page does not know; never taken for success.
    Other(u64),
}

impl From<u64> for AuditResult {
    fn from(number: u64) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::Failed,
            2 => Self::Error,
            n => Self::Other(n),
        }
    }
}

impl AuditResult {
    /// The number as it stands in the file.
    pub fn number(self) -> u64 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Error => 2,
            Self::Other(n) => n,
        }
    }
}

impl fmt::Display for AuditResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.pad("OK"),
            Self::Failed => f.pad("FAILED"),
            Self::Error => f.pad("ERROR"),
            Self::Other(n) => f.pad(&format!("result {n:x}")),
        }
    }
}

/// What the extra field of an entry holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditExtra {
    /// Nothing; key lines too, whose signature says nothing to people.
    None,
    /// Printable text, such as the scope of a token.
    Text(String),
    /// The time that the clock was set to, in unix seconds (type 13).
    Clock(u32),
    /// Bytes that are no text, or too many: how many.
    Bytes(usize),
    /// Not base64url; as it stands in the file, made printable.
    Undecoded(String),
}

impl AuditExtra {
    /// The text, where it is text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for AuditExtra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad(""),
            Self::Text(text) => f.pad(text),
            Self::Clock(unix) => f.pad(&date(u64::from(*unix))),
            Self::Bytes(n) => f.pad(&format!("{n} bytes")),
            Self::Undecoded(text) => f.pad(&format!("not base64url: {}", printable(text, 32))),
        }
    }
}

/// One entry whose line was verified: its MAC fits and its counter follows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its line in the file, counted from 1.
    pub line: usize,
    /// Its counter.
    pub counter: u64,
    /// When it was written.
    pub time: AuditTime,
    /// What happened.
    pub kind: AuditType,
    /// How it went.
    pub result: AuditResult,
    /// Who: `U` user, `M` master, a key id, or empty. Made printable; empty for key lines.
    pub subject: String,
    /// More, by type.
    pub extra: AuditExtra,
}

/// A number of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogNumber {
    /// The first field.
    Counter,
    /// The second.
    Time,
    /// The third.
    Type,
    /// The fourth.
    Result,
}

impl fmt::Display for LogNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Counter => "counter",
            Self::Time => "time",
            Self::Type => "type",
            Self::Result => "result",
        })
    }
}

/// Why a line of a log file does not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFault {
    /// No line of the file is an entry.
    #[error("no entry in this file: it verifies nothing")]
    Empty,
    /// An entry stands before any key line.
    #[error("entry before any key line")]
    NoKey,
    /// A number cannot be read.
    #[error("its {field} is not a hexadecimal number")]
    BadNumber {
        /// Which one.
        field: LogNumber,
    },
    /// A key line holds no key.
    #[error("its key is not 32 bytes of base64url")]
    BadKey,
    /// A key line's key is not signed by the log key.
    #[error("its key is not signed by the log key")]
    BadKeySignature,
    /// The line was changed, or another key's.
    #[error("its MAC does not fit: the line was changed")]
    BadMac,
    /// A line goes on and on.
    #[error("it is longer than 64 KiB")]
    LongLine,
    /// Lines are missing.
    #[error("counter {found:x} stands where {expected:x} should")]
    Gap {
        /// The counter that should have come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
}

impl LogFault {
    /// The spelling of JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoKey => "no_key",
            Self::BadNumber { .. } => "bad_number",
            Self::BadKey => "bad_key",
            Self::BadKeySignature => "bad_key_signature",
            Self::BadMac => "bad_mac",
            Self::LongLine => "long_line",
            Self::Gap { .. } => "gap",
        }
    }
}

/// How far a log file verifies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogEnd {
    /// To its end.
    Whole,
    /// All whole lines verify; the file was cut short in this line (an I/O error of the device, section 13).
    CutShort {
        /// The line that is not whole, or the first one that never came.
        line: usize,
    },
    /// Up to a line that does not.
    Failed {
        /// The line, counted from 1.
        line: usize,
        /// Its counter, where it could be read.
        counter: Option<u64>,
        /// What is wrong with it.
        fault: LogFault,
    },
}

impl fmt::Display for LogEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("verifies"),
            Self::CutShort { line } => write!(f, "cut short in line {line}"),
            Self::Failed { line, fault, .. } => write!(f, "does not verify: line {line}: {fault}"),
        }
    }
}

/// A log file as far as it was verified, and of its entries those that stay in memory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditLog {
    /// The firmware that wrote it, from its first line; made printable, covered by no MAC.
    pub firmware: Option<String>,
    /// How many entries verify, key lines among them.
    pub count: usize,
    /// How many of them stand before the first one in `entries`.
    pub before: usize,
    /// Those that are kept, without a gap and in the order of the file: a window around the one in question,
    /// or else the last ones.
    pub entries: Vec<AuditEntry>,
    /// How far they go.
    pub end: LogEnd,
    /// How many lines are neither entries nor comments nor empty. They are allowed (section 9) and covered by
    /// no MAC; one of them may be an entry that lost a separator.
    pub others: usize,
    /// The numbers of the first few of them.
    pub other_lines: Vec<usize>,
}

impl AuditLog {
    /// Whether the file verifies to its end.
    pub fn verifies(&self) -> bool {
        self.end == LogEnd::Whole
    }

    /// How many entries stand behind the last one that is kept.
    pub fn after(&self) -> usize {
        self.count.saturating_sub(self.before + self.entries.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_digits_and_nothing_else() {
        assert_eq!(LogId::new("62310ba5").unwrap().to_string(), "62310ba5");
        assert!(LogId::new("7").is_some());
        for text in [
            "",
            "../key",
            "6231 ba5",
            "0x12",
            "62310ba5/",
            "12345678901234567",
        ] {
            assert_eq!(LogId::new(text), None, "{text}");
        }
    }

    #[test]
    fn entries_are_told_in_words() {
        assert_eq!(AuditTime::SinceBoot(8).to_string(), "boot + 8 s");
        assert_eq!(
            AuditTime::Unix(1_756_996_942).to_string(),
            "2025-09-04T14:42:22Z"
        );
        assert_eq!(
            AuditTime::Unix(u64::MAX).to_string(),
            format!("unix {}", u64::MAX)
        );
        assert_eq!(AuditType(0x20).to_string(), "crypto operation");
        assert_eq!(AuditType(0xff).to_string(), "type ff");
        assert_eq!(AuditResult::from(2), AuditResult::Error);
        assert_eq!(AuditResult::from(9).to_string(), "result 9");
        assert_eq!(AuditExtra::Bytes(3).to_string(), "3 bytes");
    }
}
