//! A whole log file, line by line: keys, MACs, counters, and where it ends (section 9).
//! Must not: look for anything in it (that is `search`), or believe a line before its MAC fits.

use super::key::LogKey;
use super::line::{Fields, MAC_CHARS, MacKey, Numbers};
use crate::model::{
    AuditEntry, AuditExtra, AuditLog, AuditResult, AuditType, LogEnd, LogFault, printable,
};

/// Longest text of the first line that is kept.
const MAX_FIRMWARE: usize = 128;

/// Whether the body of the answer came to its end (section 13: a file may be cut short by an I/O error).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As many bytes as `Content-Length` said; or a saved file, of which nobody knows better.
    Whole,
    /// Fewer.
    Short,
}

/// Verifies a log file as section 9 says, up to its end or to the first line that does not verify.
///
/// A last line without its newline is an entry if it verifies as it stands; if it is not even complete,
/// the file was cut short there, which is told apart from a line that was changed.
pub fn verify(file: &[u8], key: &LogKey, delivery: Delivery) -> AuditLog {
    let mut reader = Reader::new(key);
    let mut number = 0;
    for line in file.split_inclusive(|&b| b == b'\n') {
        number += 1;
        let (text, ended) = match line.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (line, false),
        };
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !ended && !is_complete(text) {
            return reader.finish(LogEnd::CutShort { line: number });
        }
        if let Err(end) = reader.line(number, text) {
            return reader.finish(end);
        }
    }
    let ends_with_newline = file.last().is_none_or(|&b| b == b'\n');
    let end = match delivery {
        Delivery::Short => LogEnd::CutShort {
            line: if ends_with_newline {
                number + 1
            } else {
                number
            },
        },
        Delivery::Whole if reader.log.entries.is_empty() => LogEnd::Failed {
            line: number + 1,
            counter: None,
            fault: LogFault::Empty,
        },
        Delivery::Whole => LogEnd::Whole,
    };
    reader.finish(end)
}

/// Whether a line without its newline has everything that belongs to an entry.
fn is_complete(line: &[u8]) -> bool {
    Fields::split(line).is_some_and(|fields| fields.mac.len() >= MAC_CHARS)
}

/// What is known after the lines read so far.
struct Reader<'a> {
    log_key: &'a LogKey,
    mac_key: Option<MacKey>,
    counter: Option<u64>,
    clock_set: bool,
    log: AuditLog,
}

impl<'a> Reader<'a> {
    fn new(log_key: &'a LogKey) -> Self {
        Self {
            log_key,
            mac_key: None,
            counter: None,
            clock_set: false,
            log: AuditLog {
                firmware: None,
                entries: Vec::new(),
                end: LogEnd::Whole,
                other_lines: Vec::new(),
            },
        }
    }

    fn finish(self, end: LogEnd) -> AuditLog {
        AuditLog { end, ..self.log }
    }

    /// Takes one line without its ending.
    fn line(&mut self, line: usize, text: &[u8]) -> Result<(), LogEnd> {
        let Some(fields) = Fields::split(text) else {
            self.other(line, text);
            return Ok(());
        };
        let numbers = fields.numbers();
        let counter = numbers.as_ref().ok().map(|n| n.counter);
        numbers
            .and_then(|numbers| self.entry(line, &fields, &numbers))
            .map_err(|fault| LogEnd::Failed {
                line,
                counter,
                fault,
            })
    }

    fn other(&mut self, line: usize, text: &[u8]) {
        match text.strip_prefix(b"#") {
            Some(comment) if self.log.firmware.is_none() && self.counter.is_none() => {
                let text = String::from_utf8_lossy(comment);
                self.log.firmware = Some(printable(text.trim(), MAX_FIRMWARE));
            }
            Some(_) => {}
            None if text.is_empty() => {}
            None => self.log.other_lines.push(line),
        }
    }

    fn entry(
        &mut self,
        line: usize,
        fields: &Fields<'_>,
        numbers: &Numbers,
    ) -> Result<(), LogFault> {
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
        self.log.entries.push(entry);
        Ok(())
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
