//! Text → TOML document: reads the file, reports the first syntax error, and recovers as much of the rest as it can.
//! Values are read by `reader`.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::reader::Reader;
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place, shown_path};
use crate::config::environment::reason;

/// The largest inventory that is read: some 50,000 devices.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// One fault of the syntax.
pub(in crate::config) struct SyntaxError {
    span: Range<usize>,
    message: String,
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

/// The document, as far as the parser can read it, and what it stumbled over, in the order of the text.
pub(in crate::config) fn parse(text: &str) -> (DeTable<'_>, Vec<SyntaxError>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut found: Vec<SyntaxError> = errors
        .iter()
        .map(|e| SyntaxError {
            span: e.span().unwrap_or_default(),
            message: clearer(e.message()),
        })
        .collect();
    // A string that swallows a bracket leaves the bracket open, so the string comes first.
    found.sort_by_key(|s| (s.span.start, !s.message.contains("string")));
    if let Some(opening) = never_closed(text, &found) {
        let line = line_of(text, opening.span.start).start;
        found.retain(|s| s.span.start < line);
        found.push(opening);
    }
    (table.into_inner(), found)
}

/// Reports the first syntax error. Returns `text` without the lines that have one, so that the rest can be read and
/// checked.
pub(in crate::config) fn recover(
    reader: &mut Reader,
    text: &str,
    mut errors: Vec<SyntaxError>,
) -> String {
    // The parser stops at some errors and reads on as if inside brackets at others, so that blanking a line may
    // bring up the next one.
    const PASSES: usize = 4;
    let mut readable = text.to_owned();
    for _ in 0..PASSES {
        let before = readable.clone();
        for error in &errors {
            reader.syntax_error(error.span.clone(), &error.message, hint_for(&error.message));
            let line = line_of(text, error.span.start);
            // What follows a header belongs to its table, and the parser guesses which one that is.
            if !text[line.clone()].trim_start().starts_with('[') {
                blank(&mut readable, line);
            }
        }
        if readable == before {
            return readable;
        }
        errors = parse(&readable).1;
    }
    if let Some(next) = errors.first() {
        reader.lost_from(next.span.start);
    }
    readable
}

/// Finds where a bracket or a multi-line string opens that is never closed. The parser reports it at the end of the
/// text, but the place to mend is where it opens.
fn never_closed(text: &str, errors: &[SyntaxError]) -> Option<SyntaxError> {
    let at = |start: usize, len: usize, message: &str| {
        Some(SyntaxError {
            span: start..start + len,
            message: message.to_owned(),
        })
    };
    let says = |what: &str| errors.iter().any(|s| s.message.contains(what));
    if says("unclosed array,") || says("unclosed inline table") {
        let first = errors.iter().find(|s| is_in_brackets(&s.message))?;
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

/// The parser's message, or a clearer one where it would mislead.
fn clearer(message: &str) -> String {
    // The parser takes any word for a misspelt `true` or `false`.
    if message.starts_with("invalid boolean") || message.contains("must be quoted") {
        "a value without quotes that is neither a number nor true or false".to_owned()
    } else {
        message.to_owned()
    }
}

fn hint_for(message: &str) -> &'static str {
    if message.contains("without quotes") {
        "write text in quotes: key = \"text\""
    } else if message.starts_with("duplicate key") {
        "write each key once in its table; each device begins with [[device]]"
    } else if message.contains("multi-line") {
        "close it with the three quotes that opened it"
    } else if message.contains("string") {
        "close the string with the quote that opened it, on the same line"
    } else if is_in_brackets(message) || message.contains("bracket") {
        "close the bracket, and put a comma between two items"
    } else if message.contains("table") {
        "a header is [table], or [[device]] for each device"
    } else if message.starts_with("unexpected key or value") {
        "write one key on each line"
    } else {
        "write key = value, with text in quotes"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml::source::Source;

    /// Line and message of the errors that are shown, and the keys that can be read all the same.
    fn recovered(text: &str) -> (Vec<(usize, String)>, Vec<String>) {
        let (_, errors) = parse(text);
        let source = Source::new(Path::new("f"), text, vec![]);
        let mut reader = Reader::new(source, Path::new(""));
        let readable = recover(&mut reader, text, errors);
        let keys = parse(&readable).0;
        let keys = keys.keys().map(|k| k.get_ref().to_string()).collect();
        let shown = reader.into_diagnostics();
        let shown = shown
            .iter()
            .map(|f| (f.location().unwrap().line(), f.message().to_owned()))
            .collect();
        (shown, keys)
    }

    #[test]
    fn the_first_error_is_shown_and_the_rest_is_read() {
        let (shown, keys) =
            recovered("a = 1\nfoo bar\nb = \"x\nc = 2\nd = 5s\ne = 1\ne = 2\n[f\ng = 1\n[h]\n");
        let lines: Vec<usize> = shown.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2], "{shown:?}");
        // The keys below a broken header belong to an unknown table.
        assert_eq!(keys, ["a", "c", "e", "h"]);
    }

    #[test]
    fn what_is_never_closed_is_shown_where_it_opens() {
        let bracket = [(2, "a bracket that is never closed".to_owned())];
        let (shown, keys) = recovered("a = 1\nb = [\n  \"x\",\n  \"y\"\n[c]\nd = \n[e]\n");
        assert_eq!(shown, bracket);
        assert_eq!(keys, ["a", "c", "e"]);
        let (shown, keys) = recovered("a = 1\nb = { x = 1\n[c]\n");
        assert_eq!(shown, bracket);
        assert_eq!(keys, ["a", "c"]);
        let (shown, keys) = recovered("a = 1\nb = \"\"\"\nxx\n[c]\n");
        let string = "a multi-line string that is never closed".to_owned();
        assert_eq!(shown, [(2, string)]);
        assert_eq!(keys, ["a", "c"]);
    }
}
