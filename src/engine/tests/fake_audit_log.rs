//! The audit log of the device in memory: a file for each boot, and everything that can be wrong with them. It is not
//! signed: the fake says itself what verifies.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::device::{LogFile, LogPage, RawLog};
use crate::hem::audit::{Digest, LogLine, Search};
use crate::model::{
    AuditEntry, AuditExtra, AuditResult, AuditTime, AuditType, FailureKind, LogEnd, LogFault, LogId,
};

/// What an accepted firmware install leaves behind.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::engine) enum LogEntry {
    /// UPGRADE with this result.
    Says(AuditResult),
    /// Nothing.
    LeftOut,
    /// UPGRADE OK, in a file that does not verify at that line.
    Tampered,
    /// Nothing any more: the file is cut short before it.
    CutShort,
}

/// The log.
#[expect(
    clippy::struct_excessive_bools,
    reason = "a log can be odd in many ways"
)]
pub(in crate::engine) struct FakeAuditLog {
    started: Instant,
    /// Oldest first; the last is the running session's.
    files: Vec<Vec<AuditEntry>>,
    ends: HashMap<usize, LogEnd>,
    pub(in crate::engine) upgrade: LogEntry,
    /// Failures to come: at which question.
    pub(in crate::engine) faults: VecDeque<(&'static str, FailureKind)>,
    /// A failure that stays.
    pub(super) always: Option<(&'static str, FailureKind)>,
    /// The running session's file is listed with the others.
    pub(super) lists_running: bool,
    /// Listed names that are no ids.
    pub(in crate::engine) unusable: usize,
    /// The list never ends.
    pub(super) endless: bool,
    /// The first page has no usable id.
    pub(super) lists_none: bool,
    /// Every page is the first, and says that another one follows.
    pub(super) repeats: bool,
    /// How many ids a page has.
    pub(in crate::engine) page: usize,
    /// How long a page takes.
    pub(in crate::engine) slow: Duration,
    /// The running session's file can be read.
    pub(super) open: bool,
}

impl FakeAuditLog {
    pub(in crate::engine) fn new() -> Self {
        let mut book = Self {
            started: Instant::now(),
            files: Vec::new(),
            ends: HashMap::new(),
            upgrade: LogEntry::Says(AuditResult::Ok),
            faults: VecDeque::new(),
            always: None,
            lists_running: true,
            unusable: 0,
            endless: false,
            lists_none: false,
            repeats: false,
            page: 2,
            slow: Duration::ZERO,
            open: false,
        };
        book.boot();
        // Another run's upgrade, which is nobody's proof.
        book.write(AuditType::TOKEN, AuditResult::Ok, "system:upgrade");
        book.write(AuditType::UPGRADE, AuditResult::Ok, "");
        book.started = Instant::now()
            .checked_sub(Duration::from_secs(5000))
            .unwrap_or_else(Instant::now);
        book.boot();
        book
    }

    /// The device's clock as its log writes it.
    pub(in crate::engine) fn now(&self) -> u64 {
        1_700_000_000 + self.started.elapsed().as_secs()
    }

    pub(super) fn boot(&mut self) {
        self.files.push(Vec::new());
        self.write(AuditType(1), AuditResult::Ok, "");
    }

    pub(in crate::engine) fn write(&mut self, kind: AuditType, result: AuditResult, extra: &str) {
        let time = AuditTime::Unix(self.now());
        let extra = if extra.is_empty() {
            AuditExtra::None
        } else {
            AuditExtra::Text(extra.to_owned())
        };
        if let Some(file) = self.files.last_mut() {
            file.push(AuditEntry {
                line: file.len() + 2,
                counter: file.len() as u64,
                time,
                kind,
                result,
                subject: "U".to_owned(),
                extra,
            });
        }
    }

    pub(in crate::engine) fn upgraded(&mut self) {
        let running = self.files.len() - 1;
        let line = self.files[running].len() + 2;
        match self.upgrade {
            LogEntry::Says(result) => self.write(AuditType::UPGRADE, result, ""),
            LogEntry::LeftOut => {}
            LogEntry::Tampered => {
                let fault = LogFault::BadMac;
                self.ends.insert(
                    running,
                    LogEnd::Failed {
                        line,
                        counter: None,
                        fault,
                    },
                );
            }
            LogEntry::CutShort => {
                self.ends.insert(running, LogEnd::CutShort { line });
            }
        }
    }

    fn fault(&mut self, at: &str) -> Result<(), FailureKind> {
        if let Some((what, kind)) = &self.always
            && *what == at
        {
            return Err(kind.clone());
        }
        match self.faults.front() {
            Some((what, _)) if *what == at => self
                .faults
                .pop_front()
                .map_or(Ok(()), |(_, kind)| Err(kind)),
            _ => Ok(()),
        }
    }

    pub(in crate::engine) fn key(&mut self) -> Result<(), FailureKind> {
        self.fault("log key")
    }

    /// The last one of a page comes once more with the next.
    pub(in crate::engine) fn page(&mut self, offset: usize) -> Result<LogPage, FailureKind> {
        self.fault("log page")?;
        let files = if self.endless {
            usize::MAX
        } else {
            self.files.len() - usize::from(!self.lists_running)
        };
        if offset >= files {
            return Err(FailureKind::Status { status: 404 });
        }
        let from = offset.saturating_sub(1);
        let to = files.min(offset + self.page);
        let ids: Vec<LogId> = match (self.lists_none, self.repeats) {
            (true, _) => Vec::new(),
            (_, true) => (0..self.page).map(id).collect(),
            _ => (from..to).map(id).collect(),
        };
        Ok(LogPage {
            next: to,
            unusable: if offset == 0 { self.unusable } else { 0 },
            ids,
        })
    }

    pub(in crate::engine) fn file(
        &mut self,
        wanted: &LogId,
        search: Option<Search>,
        raw: Option<Box<dyn RawLog>>,
    ) -> Result<LogFile, FailureKind> {
        self.fault("log file")?;
        let n = (0..self.files.len())
            .find(|&n| id(n) == *wanted)
            .ok_or(FailureKind::Status { status: 404 })?;
        if n == 0 {
            self.fault("oldest log file")?;
        }
        if n + 1 == self.files.len() && !self.open {
            return Err(FailureKind::Status { status: 406 });
        }
        let mut digest = Digest::new(search);
        for entry in &self.files[n] {
            digest.line(LogLine::Entry(entry.clone()));
        }
        let end = self.ends.get(&n).copied().unwrap_or(LogEnd::Whole);
        let (log, found) = digest.finish(None, end);
        let kept = raw.map(|mut raw| {
            let kept = raw.write(b"raw").and_then(|()| raw.keep(true));
            kept.map_err(|e| e.to_string())
        });
        Ok(LogFile { log, found, kept })
    }

    /// What is wrong with the file `n`, the oldest being 0.
    pub(in crate::engine) fn ends(&mut self, n: usize, end: LogEnd) {
        self.ends.insert(n, end);
    }
}

/// Nothing to sort by.
fn id(n: usize) -> LogId {
    LogId::new(&format!("{:08x}", (n * 0x9e37 + 5) & 0xf_ffff)).unwrap()
}
