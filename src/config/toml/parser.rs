//! Text → TOML document, with all faults of the syntax, and as much of the rest as can be read.
//! Must not: know the inventory's keys.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::reader::Reader;
use super::redact;
use super::source::Source;
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place, shown_path};
use crate::config::environment::reason;

/// The largest inventory that is read: some 50,000 devices.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// One fault of the syntax.
struct Slip {
    span: Range<usize>,
    message: String,
}

/// A text whose unreadable lines are blanked, so that the rest can be read and judged.
pub(in crate::config) struct Healed {
    text: String,
    slips: Vec<Slip>,
    masks: Vec<Range<usize>>,
    /// Where the parser lost the thread for good.
    lost_from: Option<usize>,
}

impl Healed {
    /// The document, as far as it can be read. Its spans are those of the file.
    pub(in crate::config) fn document(&self) -> DeTable<'_> {
        DeTable::parse_recoverable(&self.text).0.into_inner()
    }

    /// The collector for this document, with its slips already in it and its secrets hidden.
    pub(in crate::config) fn reader(&self, path: &Path, text: &str) -> Reader {
        let source = Source::new(path, text, self.masks.clone());
        let mut reader = Reader::new(source, path.parent().unwrap_or(Path::new("")));
        for slip in &self.slips {
            reader.syntax(slip.span.clone(), &slip.message, hint_for(&slip.message));
        }
        if let Some(from) = self.lost_from {
            reader.lost_from(from);
        }
        reader
    }
}

/// The whole inventory, or why it cannot be read.
pub(in crate::config) fn read_file(path: &Path) -> Result<String, Diagnostics> {
    let refuse = |message: String, hint: &str| {
        let place = Place::File(path.to_path_buf());
        Diagnostics::from(Diagnostic::new(message).place(place).hint(hint))
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|e| {
            let hint = match e.kind() {
                std::io::ErrorKind::NotFound => {
                    "name it with -c; to begin one: hemfleet config example > fleet.toml"
                }
                _ => "name a file that you may read with -c",
            };
            let shown = shown_path(path);
            refuse(
                format!("cannot read the inventory {shown}: {}", reason(&e)),
                hint,
            )
        })?;
    if bytes.len() as u64 > LARGEST_FILE {
        let message = "the inventory is over 16 MiB".to_owned();
        return Err(refuse(message, "is it the right file?"));
    }
    String::from_utf8(bytes).map_err(|e| {
        let readable = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = readable.split(|b| *b == b'\n').count();
        let message = format!("the inventory is not UTF-8 text: line {line}");
        refuse(message, "save it as UTF-8 in your editor")
    })
}

/// Finds the slips of `text`. The line of each is blanked and the rest parsed again, because the
/// parser gives up at some slips and reads on as if inside brackets at others.
pub(in crate::config) fn heal(text: &str) -> Healed {
    const ROUNDS: usize = 32;
    let mut healed = Healed {
        text: text.to_owned(),
        slips: Vec::new(),
        masks: Vec::new(),
        lost_from: None,
    };
    for round in 0..=ROUNDS {
        let (table, errors) = DeTable::parse_recoverable(&healed.text);
        if round == 0 {
            healed.masks = redact::secrets_in(text, table.get_ref(), !errors.is_empty());
        }
        let mut found: Vec<Slip> = errors
            .iter()
            .map(|e| Slip {
                span: e.span().unwrap_or_default(),
                message: said(e.message()),
            })
            .collect();
        // A string that swallows a bracket leaves the bracket open: the string comes first.
        found.sort_by_key(|s| (s.span.start, !s.message.contains("string")));
        let Some(first) = found.first() else {
            return healed;
        };
        let first = first.span.start;
        if let Some(opening) = never_closed(&healed.text, &found) {
            let line = line_of(text, opening.span.start).start;
            found.retain(|s| s.span.start < line);
            found.push(opening);
        }
        let before = healed.text.clone();
        for slip in found {
            let line = line_of(text, slip.span.start);
            let written = text[line.clone()].trim_start();
            // What follows a header belongs to its table, and the parser guesses which one that is.
            if !written.starts_with('[') {
                blank(&mut healed.text, line.clone());
            }
            // Later rounds also stumble over the remains of what an earlier one blanked.
            let is_header = written.starts_with('[') && slip.message.contains("table");
            let is_new = !healed.slips.iter().any(|s| line.contains(&s.span.start));
            if is_new && (round == 0 || written.contains('=') || is_header) {
                healed.slips.push(slip);
            }
        }
        if healed.text == before {
            return healed;
        }
        if round == ROUNDS {
            healed.lost_from = Some(first);
        }
    }
    healed
}

/// What the parser says of a bracket or a multi-line string that is never closed stands at the end
/// of the text; what is wrong is where it opens.
fn never_closed(text: &str, slips: &[Slip]) -> Option<Slip> {
    let at = |start: usize, len: usize, message: &str| {
        Some(Slip {
            span: start..start + len,
            message: message.to_owned(),
        })
    };
    let says = |what: &str| slips.iter().any(|s| s.message.contains(what));
    if says("unclosed array,") || says("unclosed inline table") {
        let first = slips.iter().find(|s| is_in_brackets(&s.message))?;
        let mut end = line_of(text, first.span.start).end;
        while end > 0 {
            let line = line_of(text, end - 1);
            let opens = |open: char, close: char| {
                let count = |c| text[line.clone()].matches(c).count();
                (count(open) > count(close)).then(|| text[line.clone()].rfind(open))?
            };
            let has_key = text[line.clone()].contains('=');
            if let Some(n) = opens('{', '}')
                .or_else(|| opens('[', ']'))
                .filter(|_| has_key)
            {
                return at(line.start + n, 1, "a bracket that is never closed");
            }
            end = line.start;
        }
    }
    if says("multi-line") {
        let quotes = ["\"\"\"", "'''"];
        let open = quotes.iter().filter_map(|q| text.rfind(q)).max()?;
        return at(open, 3, "a multi-line string that is never closed");
    }
    None
}

/// The bytes of the line around `byte`, with its end.
fn line_of(text: &str, byte: usize) -> Range<usize> {
    let byte = byte.min(text.len());
    let bytes = text.as_bytes();
    let start = bytes[..byte]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |n| n + 1);
    let end = bytes[byte..]
        .iter()
        .position(|b| *b == b'\n')
        .map_or(text.len(), |n| byte + n + 1);
    start..end
}

/// Overwrites a line with blanks, so that every other byte keeps its place.
fn blank(text: &mut String, line: Range<usize>) {
    let blank: String = text[line.clone()]
        .bytes()
        .map(|b| if b == b'\n' { '\n' } else { ' ' })
        .collect();
    text.replace_range(line, &blank);
}

fn is_in_brackets(message: &str) -> bool {
    let inside = ["array", "inline table", "missing comma"];
    inside.iter().any(|w| message.contains(w)) && !message.contains("array table")
}

/// The parser's words, but where they would mislead.
fn said(message: &str) -> String {
    // It takes any word for a misspelt `true` or `false`.
    if message.starts_with("invalid boolean") || message.contains("must be quoted") {
        "a value that is no number, no true or false, and has no quotes".to_owned()
    } else {
        message.to_owned()
    }
}

fn hint_for(message: &str) -> &'static str {
    if message.contains("no quotes") {
        "text stands in quotes: key = \"text\""
    } else if message.starts_with("duplicate key") {
        "each key stands once in its table; each device begins with [[device]]"
    } else if message.contains("multi-line") {
        "close it with the three quotes that opened it"
    } else if message.contains("string") {
        "close the string with the quote that opened it, on the same line"
    } else if is_in_brackets(message) || message.contains("bracket") {
        "close the bracket, and put a comma between two items"
    } else if message.contains("table") {
        "a header is [table], or [[device]] for each device"
    } else if message.starts_with("unexpected key or value") {
        "one key to a line"
    } else {
        "write key = value, with text in quotes"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line and message of each slip, and the keys that could be read all the same.
    fn healed(text: &str) -> (Vec<(usize, String)>, Vec<String>) {
        let healed = heal(text);
        let mut slips: Vec<(usize, String)> = healed
            .slips
            .iter()
            .map(|s| {
                (
                    text[..s.span.start].matches('\n').count() + 1,
                    s.message.clone(),
                )
            })
            .collect();
        slips.sort();
        let keys = healed
            .document()
            .keys()
            .map(|k| k.get_ref().to_string())
            .collect();
        (slips, keys)
    }

    #[test]
    fn every_slip_is_found_and_the_rest_is_read() {
        let (slips, keys) =
            healed("a = 1\nfoo bar\nb = \"x\nc = 2\nd = 5s\ne = 1\ne = 2\n[f\ng = 1\n[h]\n");
        let lines: Vec<usize> = slips.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 5, 7, 8], "{slips:?}");
        // The keys below a broken header belong to nobody knows what.
        assert_eq!(keys, ["a", "c", "e", "h"]);
    }

    #[test]
    fn what_is_never_closed_is_shown_where_it_opens() {
        let (slips, keys) = healed("a = 1\nb = [\n  \"x\",\n  \"y\"\n[c]\nd = \n[e]\n");
        assert_eq!(slips[0], (2, "a bracket that is never closed".to_owned()));
        assert_eq!(
            slips.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [2, 6]
        );
        assert_eq!(keys, ["a", "c", "e"]);
        let (slips, keys) = healed("a = 1\nb = { x = 1\n[c]\n");
        assert_eq!(slips, [(2, "a bracket that is never closed".to_owned())]);
        assert_eq!(keys, ["a", "c"]);
        let (slips, keys) = healed("a = 1\nb = \"\"\"\nxx\n[c]\n");
        assert_eq!(
            slips,
            [(2, "a multi-line string that is never closed".to_owned())]
        );
        assert_eq!(keys, ["a", "c"]);
    }
}
