//! Verifies a log file line by line as it comes: keys, MACs, counters, and where it ends ([section
//! 9](crate::hem#9-audit-log)).
//!
//! Entries are kept by `log_reader` and searched by `upgrade_search`.

use super::log_key::LogKey;
use super::log_line::{Fields, MAC_CHARS, MacKey, Numbers};
use crate::model::{
    AuditEntry, AuditExtra, AuditLog, AuditResult, AuditType, LogEnd, LogFault, printable,
};

/// Longest text of the first line that is kept.
const MAX_FIRMWARE: usize = 128;

/// The longest line that is read, in bytes. One with every field at its longest has some hundreds; a file
/// without line endings would otherwise be held in memory as a whole.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Whether the body of the answer came to its end (section 13: a file may be cut short by an I/O error).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As many bytes as `Content-Length` says; or a saved file, whose length nobody knows.
    Whole,
    /// Fewer bytes.
    Short,
}

/// A line of a log file that is not empty and no comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// An entry that verifies.
    Entry(AuditEntry),
    /// Another shape, which is allowed and covered by no MAC: its number.
    Other(usize),
}

/// Verifies a whole log file as section 9 says, up to its end or to the first line that does not verify.
/// Every entry is kept; [`LogReader`](super::LogReader) keeps few.
pub fn verify(file: &[u8], key: &LogKey, delivery: Delivery) -> AuditLog {
    let mut verifier = Verifier::new(key);
    let (mut entries, mut other_lines) = (Vec::new(), Vec::new());
    let mut see = |line| match line {
        LogLine::Entry(entry) => entries.push(entry),
        LogLine::Other(line) => other_lines.push(line),
    };
    verifier.feed(file, &mut see);
    let end = verifier.finish(delivery, &mut see);
    AuditLog {
        firmware: end.firmware,
        count: entries.len(),
        before: 0,
        entries,
        end: end.end,
        others: other_lines.len(),
        other_lines,
    }
}

/// Verifies a log file as it comes, in pieces of any size. It holds one line at most.
#[derive(Debug)]
pub struct Verifier {
    state: State,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    /// Lines that came whole.
    lines: usize,
    end: Option<LogEnd>,
}

/// The result of a [`Verifier`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The firmware that wrote the file, from its first line.
    pub firmware: Option<String>,
    /// How far the file verifies.
    pub end: LogEnd,
}

impl Verifier {
    /// Of a file whose keys are signed by `key`.
    pub fn new(key: &LogKey) -> Self {
        Self {
            state: State {
                log_key: key.clone(),
                mac_key: None,
                counter: None,
                clock_set: false,
                firmware: None,
                has_entries: false,
            },
            rest: Vec::new(),
            lines: 0,
            end: None,
        }
    }

    /// Takes in the next bytes, and hands each line to `see`. Behind a line that does not verify nothing is
    /// looked at any more.
    pub fn feed(&mut self, bytes: &[u8], see: &mut impl FnMut(LogLine)) {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            if self.end.is_some() {
                return;
            }
            if self.rest.len() + piece.len() > MAX_LINE {
                self.fail_long();
                return;
            }
            let Some(text) = piece.strip_suffix(b"\n") else {
                self.rest.extend_from_slice(piece);
                return;
            };
            if self.rest.is_empty() {
                self.line(text, see);
            } else {
                let mut line = std::mem::take(&mut self.rest);
                line.extend_from_slice(text);
                self.line(&line, see);
                line.clear();
                self.rest = line;
            }
        }
    }

    /// Nothing more comes. A last line without its newline is an entry if it verifies as it stands; if it is
    /// not even complete, the file was cut short there, which is told apart from a line that was changed.
    pub fn finish(mut self, delivery: Delivery, see: &mut impl FnMut(LogLine)) -> Verified {
        let rest = std::mem::take(&mut self.rest);
        let open = !rest.is_empty();
        if open && self.end.is_none() {
            if is_complete(without_return(&rest)) {
                self.line(&rest, see);
            } else {
                let line = self.lines + 1;
                self.end = Some(LogEnd::CutShort { line });
            }
        }
        let end = self.end.unwrap_or(match delivery {
            // The file ends between two lines, so that only its length shows that lines are missing.
            Delivery::Short => LogEnd::CutShort {
                line: self.lines + usize::from(!open),
            },
            Delivery::Whole if !self.state.has_entries => LogEnd::Failed {
                line: self.lines + 1,
                counter: None,
                fault: LogFault::Empty,
            },
            Delivery::Whole => LogEnd::Whole,
        });
        Verified {
            firmware: self.state.firmware,
            end,
        }
    }

    fn line(&mut self, text: &[u8], see: &mut impl FnMut(LogLine)) {
        self.lines += 1;
        match self.state.line(self.lines, without_return(text)) {
            Ok(Some(line)) => see(line),
            Ok(None) => {}
            Err(end) => self.end = Some(end),
        }
    }

    fn fail_long(&mut self) {
        self.rest = Vec::new();
        self.end = Some(LogEnd::Failed {
            line: self.lines + 1,
            counter: None,
            fault: LogFault::LongLine,
        });
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a line without its newline has everything that belongs to an entry.
fn is_complete(line: &[u8]) -> bool {
    Fields::split(line).is_some_and(|fields| fields.mac.len() >= MAC_CHARS)
}

/// What is known after the lines read so far.
#[derive(Debug)]
struct State {
    log_key: LogKey,
    mac_key: Option<MacKey>,
    counter: Option<u64>,
    clock_set: bool,
    firmware: Option<String>,
    has_entries: bool,
}

impl State {
    /// Takes one line without its ending.
    fn line(&mut self, line: usize, text: &[u8]) -> Result<Option<LogLine>, LogEnd> {
        let Some(fields) = Fields::split(text) else {
            return Ok(self.other(line, text));
        };
        let numbers = fields.numbers();
        let counter = numbers.as_ref().ok().map(|n| n.counter);
        numbers
            .and_then(|numbers| self.entry(line, &fields, &numbers))
            .map(|entry| Some(LogLine::Entry(entry)))
            .map_err(|fault| LogEnd::Failed {
                line,
                counter,
                fault,
            })
    }

    fn other(&mut self, line: usize, text: &[u8]) -> Option<LogLine> {
        match text.strip_prefix(b"#") {
            Some(comment) if self.firmware.is_none() && self.counter.is_none() => {
                let text = String::from_utf8_lossy(comment);
                self.firmware = Some(printable(text.trim(), MAX_FIRMWARE));
                None
            }
            Some(_) => None,
            None => (!text.is_empty()).then_some(LogLine::Other(line)),
        }
    }

    fn entry(
        &mut self,
        line: usize,
        fields: &Fields<'_>,
        numbers: &Numbers,
    ) -> Result<AuditEntry, LogFault> {
        let key_line = numbers.is_key_line();
        let mac_key = if key_line {
            self.signed_key(fields)?
        } else {
            self.mac_key.ok_or(LogFault::NoKey)?
        };
        if !fields.mac_fits(&mac_key) {
            return Err(LogFault::BadMac);
        }
        self.follows(numbers.counter, key_line)?;
        self.mac_key = Some(mac_key);
        self.counter = Some(numbers.counter);

        let result = AuditResult::from(numbers.result);
        let entry = AuditEntry {
            line,
            counter: numbers.counter,
            time: numbers.time(self.clock_set),
            kind: numbers.kind,
            result,
            // Key and signature have done their work, and say nothing to people.
            subject: if key_line {
                String::new()
            } else {
                fields.subject_text()
            },
            extra: if key_line {
                AuditExtra::None
            } else {
                fields.extra_value(numbers.kind)
            },
        };
        // The line itself still has the old clock, or the new one: its size tells.
        self.clock_set |= numbers.kind == AuditType::CLOCK_SET && result == AuditResult::Ok;
        self.has_entries = true;
        Ok(entry)
    }

    /// The key of a key line, once the log key's signature of its 32 bytes fits.
    fn signed_key(&self, fields: &Fields<'_>) -> Result<MacKey, LogFault> {
        let key = fields.new_key().ok_or(LogFault::BadKey)?;
        let signature = fields.key_signature().ok_or(LogFault::BadKeySignature)?;
        if self.log_key.signed(&key, &signature) {
            Ok(key)
        } else {
            Err(LogFault::BadKeySignature)
        }
    }

    /// Counters rise by one from the first key line; a repeated one is tolerated (section 9). The page does
    /// not say whether a key change inside a file goes on counting or starts again at 0: both are taken,
    /// and anything else is a gap.
    fn follows(&self, found: u64, key_line: bool) -> Result<(), LogFault> {
        let Some(last) = self.counter else {
            return Ok(());
        };
        let expected = last.wrapping_add(1);
        if found == last || found == expected || (key_line && found == 0) {
            Ok(())
        } else {
            Err(LogFault::Gap { expected, found })
        }
    }
}
