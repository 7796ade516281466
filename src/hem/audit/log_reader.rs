//! Reads a log file as it comes: verifies it, searches it, and keeps a window of its entries in memory.
//!
//! The verification is in `verifier`, the search in `upgrade_search`.

use std::collections::VecDeque;

use super::log_key::LogKey;
use super::upgrade_search::{Found, Search};
use super::verifier::{Delivery, LogLine, Verifier};
use crate::model::{AuditEntry, AuditLog, LogEnd};

/// How many entries are kept on either side of the one in question; of a file with none in question the
/// last ones, twice as many. A fleet's run keeps them for each device until it is left.
pub const WINDOW: usize = 32;

/// How many lines that are no entries are kept by their number.
const MAX_OTHERS: usize = 8;

/// Reads a log file as it comes. However long the file is, it holds a window of entries and one line.
#[derive(Debug)]
pub struct LogReader {
    verifier: Verifier,
    digest: Digest,
}

impl LogReader {
    /// Of a file whose keys are signed by `key`, in which `search` looks for something.
    pub fn new(key: &LogKey, search: Option<Search>) -> Self {
        Self {
            verifier: Verifier::new(key),
            digest: Digest::new(search),
        }
    }

    /// Takes in the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.verifier
            .feed(bytes, &mut |line| self.digest.line(line));
    }

    /// Ends the file: returns it as far as it is kept, and what was found in all of it.
    pub fn finish(mut self, delivery: Delivery) -> (AuditLog, Option<Found>) {
        let verified = self
            .verifier
            .finish(delivery, &mut |line| self.digest.line(line));
        self.digest.finish(verified.firmware, verified.end)
    }
}

/// What is kept of the lines of a file, and looked for in them.
#[derive(Debug)]
pub struct Digest {
    search: Option<Search>,
    count: usize,
    /// The last entries.
    tail: VecDeque<AuditEntry>,
    /// Those around the last entry that the search wants to be seen.
    around: Option<Around>,
    others: usize,
    other_lines: Vec<usize>,
}

#[derive(Debug)]
struct Around {
    /// Entries of the file before the first one here.
    before: usize,
    entries: Vec<AuditEntry>,
    /// How many more are to come.
    open: usize,
}

impl Digest {
    /// With nothing in it.
    pub fn new(search: Option<Search>) -> Self {
        Self {
            search,
            count: 0,
            tail: VecDeque::new(),
            around: None,
            others: 0,
            other_lines: Vec::new(),
        }
    }

    /// Takes in the next line.
    pub fn line(&mut self, line: LogLine) {
        match line {
            LogLine::Entry(entry) => self.entry(entry),
            LogLine::Other(line) => {
                self.others += 1;
                if self.other_lines.len() < MAX_OTHERS {
                    self.other_lines.push(line);
                }
                if let Some(search) = &mut self.search {
                    search.other(line);
                }
            }
        }
    }

    fn entry(&mut self, entry: AuditEntry) {
        self.count += 1;
        let matters = self.search.as_mut().is_some_and(|s| s.entry(&entry));
        if self.tail.len() > 2 * WINDOW {
            self.tail.pop_front();
        }
        self.tail.push_back(entry);
        if matters {
            let shown = self.tail.len().min(WINDOW + 1);
            let from = self.tail.len() - shown;
            self.around = Some(Around {
                before: self.count - shown,
                entries: self.tail.iter().skip(from).cloned().collect(),
                open: WINDOW,
            });
        } else if let Some(around) = self.around.as_mut().filter(|a| a.open > 0) {
            around.entries.extend(self.tail.back().cloned());
            around.open -= 1;
        }
    }

    /// Nothing more comes.
    pub fn finish(self, firmware: Option<String>, end: LogEnd) -> (AuditLog, Option<Found>) {
        let tail_before = self.count - self.tail.len();
        // Where the file does not verify, the line in question follows the last one that does. A short file is
        // shown whole.
        let (before, entries) = match self.around {
            Some(around) if tail_before > 0 && !matches!(end, LogEnd::Failed { .. }) => {
                (around.before, around.entries)
            }
            _ => (tail_before, self.tail.into()),
        };
        let log = AuditLog {
            firmware,
            count: self.count,
            before,
            entries,
            end,
            others: self.others,
            other_lines: self.other_lines,
        };
        (log, self.search.map(|search| search.finish(end)))
    }
}
