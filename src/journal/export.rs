//! A run as a file of JSON lines, for reports of faults and for `hemfleet replay`: the first line says what the run was made
//! from, each further one is a message, in order. `cli` opens the file; what `--anonymise` replaces is in `anonymise`.
//!
//! A file that is read may be anybody's: its size is bounded, its text is made safe to show, and it is refused where it is
//! not whole.

use std::collections::HashSet;
use std::io::{self, BufRead, Read as _, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::anonymise::Anonymiser;
use super::record::{JournalledRun, RunRecord};
use crate::engine::Message;
use crate::model::{DeviceId, human_bytes, printable};

/// The format of the file. Within one, fields are added, and never get another meaning.
pub const FORMAT: u32 = 1;

/// How large a file is read at all, in bytes: some thousands of devices.
const MAX_FILE: u64 = 256 * 1024 * 1024;
/// How long its first line may be, in bytes: it names all devices.
const MAX_HEAD: u64 = 16 * 1024 * 1024;
/// How long a message may be, in bytes. The longest hold a part of an audit log, or the names of all devices.
const MAX_LINE: u64 = 4 * 1024 * 1024;
/// How many messages are read.
const MAX_MESSAGES: usize = 2_000_000;

/// How much of a stranger's words an error repeats.
const SHOWN: usize = 120;

/// Why a file is not read as a run.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The system refused to read it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its first line is something else.
    #[error("it is no exported run: {why}")]
    NoRun {
        /// What is wrong with that line.
        why: String,
    },
    /// It is written in another format.
    #[error("it has format {found}, and this hemfleet reads format {FORMAT}")]
    Format {
        /// The format it says.
        found: u64,
    },
    /// Two devices have one name.
    #[error("two of its devices are called {0}")]
    TwoOfOneName(String),
    /// A line is longer than any that is written.
    #[error("line {line} is longer than {}", human_bytes(*limit))]
    LongLine {
        /// The line, counted from 1.
        line: usize,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A line is no message.
    #[error("line {line} is no message: {why}")]
    NoMessage {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A message is missing, or stands elsewhere.
    #[error("line {line} has message {found}, where message {expected} should stand")]
    OutOfPlace {
        /// The line, counted from 1.
        line: usize,
        /// The message that stands there.
        found: usize,
        /// The one that should.
        expected: usize,
    },
    /// It ends before its last message.
    #[error("it is cut short: {found} of {wanted} messages are there")]
    CutShort {
        /// How many messages there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// Something follows its last message.
    #[error("line {line} follows the last message")]
    TooLong {
        /// The line, counted from 1.
        line: usize,
    },
    /// It is larger than any file that is read.
    #[error(
        "it is larger than is read: {MAX_MESSAGES} messages, {} in all",
        human_bytes(MAX_FILE)
    )]
    TooLarge,
}

impl ImportError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Io(_) | Self::TwoOfOneName(_) => return None,
            Self::NoRun { .. } => "hemfleet history export RUN -o FILE writes one",
            Self::Format { .. } => {
                "read it with the version of hemfleet that wrote it, or a newer one"
            }
            Self::CutShort { .. }
            | Self::OutOfPlace { .. }
            | Self::TooLong { .. }
            | Self::NoMessage { .. } => "ask for the file once more: it is not as it was written",
            Self::LongLine { .. } | Self::TooLarge => {
                "hemfleet writes no such file: ask whoever sent it where it comes from"
            }
        })
    }
}

/// The first line.
#[derive(Serialize)]
struct Head<'a, R> {
    hemfleet_run: u32,
    messages: usize,
    /// Whether names, hosts and keys are others than they were.
    anonymised: bool,
    record: &'a R,
}

/// The same as it is read.
#[derive(Deserialize)]
struct ReadHead {
    messages: usize,
    record: RunRecord,
}

/// What tells such a file from others.
#[derive(Deserialize)]
struct Format {
    hemfleet_run: u64,
}

/// A message with its place.
#[derive(Serialize)]
struct Line<'a, M> {
    n: usize,
    message: &'a M,
}

/// The same as it is read.
#[derive(Deserialize)]
struct ReadLine {
    n: usize,
    message: Message,
}

/// Writes `run`; with other names, hosts, serials and keys where it is to be anonymised.
///
/// # Errors
///
/// The error of the writer.
pub fn write_run(run: &JournalledRun, anonymised: bool, out: &mut impl Write) -> io::Result<()> {
    let names = if anonymised {
        Some(Anonymiser::of(run)?)
    } else {
        None
    };
    let head = Head {
        hemfleet_run: FORMAT,
        messages: run.messages.len(),
        anonymised,
        record: &run.record,
    };
    write_line(&head, names.as_ref(), out)?;
    for (n, message) in run.messages.iter().enumerate() {
        let line = Line { n: n + 1, message };
        write_line(&line, names.as_ref(), out)?;
    }
    Ok(())
}

fn write_line(
    line: &impl Serialize,
    names: Option<&Anonymiser>,
    out: &mut impl Write,
) -> io::Result<()> {
    match names {
        Some(names) => serde_json::to_writer(&mut *out, &names.renamed(line))?,
        None => serde_json::to_writer(&mut *out, line)?,
    }
    out.write_all(b"\n")
}

/// Reads what [`write_run`] wrote.
///
/// # Errors
///
/// It cannot be read, or is not such a file, whole and in order.
pub fn read_run(file: impl BufRead) -> Result<JournalledRun, ImportError> {
    let mut lines = Lines {
        file,
        left: MAX_FILE,
        line: 0,
        text: Vec::new(),
    };
    let ReadHead { messages, record } = head(&mut lines)?;
    let mut names: HashSet<&DeviceId> = HashSet::new();
    for device in &record.facts.devices {
        if !names.insert(&device.id) {
            return Err(ImportError::TwoOfOneName(shown(device.id.as_str())));
        }
    }
    if messages > MAX_MESSAGES {
        return Err(ImportError::TooLarge);
    }
    // The file may promise what it does not hold.
    let mut read = Vec::with_capacity(messages.min(10_000));
    while let Some(text) = lines.next(MAX_LINE)? {
        let parsed = parse::<ReadLine>(text);
        let line = lines.line;
        let ReadLine { n, message } = parsed.map_err(|why| ImportError::NoMessage { line, why })?;
        let expected = read.len() + 1;
        if expected > messages {
            return Err(ImportError::TooLong { line });
        }
        if n != expected {
            return Err(ImportError::OutOfPlace {
                line,
                found: n,
                expected,
            });
        }
        read.push(message);
    }
    if read.len() < messages {
        return Err(ImportError::CutShort {
            found: read.len(),
            wanted: messages,
        });
    }
    Ok(JournalledRun {
        record,
        messages: read,
    })
}

fn head(lines: &mut Lines<impl BufRead>) -> Result<ReadHead, ImportError> {
    let no_run = |why: String| ImportError::NoRun { why };
    let text = match lines.next(MAX_HEAD) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(no_run("it is empty".to_owned())),
        // Whatever has such a first line is something else.
        Err(ImportError::LongLine { .. }) => {
            return Err(no_run("its first line has no end".to_owned()));
        }
        Err(other) => return Err(other),
    };
    let format: Format = parse(text).map_err(no_run)?;
    if format.hemfleet_run != u64::from(FORMAT) {
        return Err(ImportError::Format {
            found: format.hemfleet_run,
        });
    }
    parse(text).map_err(no_run)
}

/// The lines of a file, none of them longer than is allowed, nor all of them together.
struct Lines<F> {
    file: F,
    left: u64,
    line: usize,
    text: Vec<u8>,
}

impl<F: BufRead> Lines<F> {
    /// The next line without its end; nothing behind the last one.
    fn next(&mut self, limit: u64) -> Result<Option<&[u8]>, ImportError> {
        self.text.clear();
        self.line += 1;
        // One more, which tells a line of that length from a longer one.
        let mut piece = (&mut self.file).take(limit.min(self.left) + 1);
        let read = piece.read_until(b'\n', &mut self.text)? as u64;
        if read > self.left {
            return Err(ImportError::TooLarge);
        }
        if read > limit {
            let line = self.line;
            return Err(ImportError::LongLine { line, limit });
        }
        self.left -= read;
        if self.text.last() == Some(&b'\n') {
            self.text.pop();
        }
        Ok((read > 0).then_some(self.text.as_slice()))
    }
}

/// A value of a line of JSON, whose text is safe to show. Else what is wrong with the line.
fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    let words = |e: serde_json::Error| shown(&e.to_string());
    if is_plain(json) {
        return serde_json::from_slice(json).map_err(words);
    }
    let mut value: serde_json::Value = serde_json::from_slice(json).map_err(words)?;
    make_printable(&mut value);
    serde_json::from_value(value).map_err(words)
}

/// Whether no text in it can hold anything but printable ASCII: nothing is escaped.
fn is_plain(json: &[u8]) -> bool {
    json.iter()
        .all(|b| (b' '..=b'~').contains(b) && *b != b'\\')
}

fn make_printable(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => {
            let safe = printable(text, usize::MAX);
            if safe != *text {
                *text = safe;
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(make_printable),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(make_printable),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

fn shown(text: &str) -> String {
    printable(text, SHOWN)
}

#[cfg(test)]
mod tests;
