//! Text for people: device text made safe to show, errors with their causes, plurals, padding, sizes and durations. What only
//! the dashboard needs, such as cutting and wrapping, is in `tui::view::text_layout`.

use std::error::Error;
use std::time::Duration;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_width::UnicodeWidthStr as _;

/// Makes text from a device (or any other stranger) safe for a screen and a log: control and
/// formatting characters are escaped, and the text is cut at `max` characters.
pub fn printable(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == max {
            out.push('…');
            break;
        }
        if is_unseen(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character cannot be seen, or changes how others are seen: bidirectional overrides, zero
/// widths and blank letters can make one text look like another. What Unicode has not assigned, or leaves
/// to private use, looks like anything. Told by Unicode's own properties, of which U+2800, the Braille
/// pattern without dots, has none of these.
fn is_unseen(c: char) -> bool {
    const BLANK_BRAILLE: char = '\u{2800}';
    if (' '..='~').contains(&c) {
        return false;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let unseen = GeneralCategoryGroup::Other
        .union(GeneralCategoryGroup::LineSeparator)
        .union(GeneralCategoryGroup::ParagraphSeparator);
    unseen.contains(category)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || c == BLANK_BRAILLE
}

/// An error and its causes in one line, separated by colons. Some errors repeat their cause, which is then said once.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// A number with its noun: `1 device`, `2 devices`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `text` with blanks behind it up to `width` columns of a screen; longer text stays whole.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// A number of bytes as people say it: `812 B`, `48.0 KB`, `3.0 MB` (powers of 1024, as the
/// protocol page's 3 MiB limit).
#[expect(clippy::cast_precision_loss, reason = "sizes shown with one decimal")]
pub fn human_bytes(bytes: u64) -> String {
    const KIB: f64 = 1024.0;
    let b = bytes as f64;
    if bytes < 1024 {
        format!("{bytes} B")
    } else if b < KIB * KIB {
        format!("{:.1} KB", b / KIB)
    } else {
        format!("{:.1} MB", b / KIB / KIB)
    }
}

/// A duration as people say it: `0.2 s`, `35 s`, `3:41`, `1:02:03`.
pub fn human_duration(d: Duration) -> String {
    let s = d.as_secs();
    if s < 10 {
        format!("{}.{} s", s, d.subsec_millis() / 100)
    } else if s < 60 {
        format!("{s} s")
    } else if s < 3600 {
        format!("{}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
    }
}

/// A time to the part, as people write it: `2 years`, `1 day 12 hours`, `0 seconds`.
pub fn spelled_duration(d: Duration) -> String {
    let parts = humantime::format_duration(d).to_string();
    let parts = parts.split(' ').map(|part| {
        let (n, unit) = part.split_at(part.find(|c: char| !c.is_ascii_digit()).unwrap_or(0));
        let unit = match unit {
            "h" => "hour",
            "m" => "minute",
            "s" => "second",
            // In words already, or a sign that has no plural.
            _ => return format!("{n} {unit}"),
        };
        let s = if n == "1" { "" } else { "s" };
        format!("{n} {unit}{s}")
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// The words that all texts begin and end with; `…` stands for those that differ.
pub fn shared_words(texts: &[&str]) -> String {
    let Some((first, others)) = texts.split_first() else {
        return String::new();
    };
    if others.iter().all(|other| other == first) {
        return (*first).to_owned();
    }
    let words: Vec<Vec<&str>> = texts.iter().map(|text| text.split(' ').collect()).collect();
    let shortest = words.iter().map(Vec::len).min().unwrap_or(0);
    let same = |at: &dyn Fn(&[&str]) -> usize| {
        words
            .iter()
            .all(|text| text[at(text)] == words[0][at(&words[0])])
    };
    let head = (0..shortest).take_while(|&n| same(&|_| n)).count();
    let tail = (0..shortest - head)
        .take_while(|&n| same(&|text| text.len() - 1 - n))
        .count();
    let first = &words[0];
    let mut kept: Vec<&str> = first[..head].to_vec();
    kept.push("…");
    kept.extend(&first[first.len() - tail..]);
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_cut() {
        assert_eq!(printable("a\u{1b}[2Jb", 100), "a\\u{1b}[2Jb");
        assert_eq!(printable("x\u{202e}y", 100), "x\\u{202e}y");
        assert_eq!(printable("żółw", 2), "żó…");
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        for c in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2066}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{e000}',
            '\u{fdd0}',
            '\u{378}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0100}',
            '\u{10ffff}',
            '\u{7f}',
            '\u{85}',
            '\n',
        ] {
            let text = format!("a{c}b");
            let escaped = format!("a\\u{{{:x}}}b", u32::from(c));
            assert_eq!(printable(&text, 100), escaped, "U+{:04X}", u32::from(c));
        }
        for text in [
            "vault-01",
            "żółw",
            "日本 語",
            "Straße 7",
            "a\u{a0}b",
            "⠁⠃",
            "✓ 🔑",
            "e\u{301}",
            "ﷺ",
        ] {
            assert_eq!(printable(text, 100), text);
        }
    }

    #[test]
    fn plurals_and_columns() {
        assert_eq!(counted(1, "entry", "entries"), "1 entry");
        assert_eq!(counted(0, "entry", "entries"), "0 entries");
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("vault", 3), "vault");
    }

    #[test]
    fn sizes_and_durations() {
        assert_eq!(human_bytes(812), "812 B");
        assert_eq!(human_bytes(49152), "48.0 KB");
        assert_eq!(human_bytes(3 * 1024 * 1024), "3.0 MB");
        assert_eq!(human_duration(Duration::from_millis(240)), "0.2 s");
        assert_eq!(human_duration(Duration::from_secs(35)), "35 s");
        assert_eq!(human_duration(Duration::from_secs(221)), "3:41");
        assert_eq!(human_duration(Duration::from_secs(3723)), "1:02:03");
        let spelled = |text: &str| spelled_duration(humantime::parse_duration(text).unwrap());
        for (text, said) in [
            ("2y", "2 years"),
            ("1d", "1 day"),
            ("1month 90m", "1 month 1 hour 30 minutes"),
            ("61s", "1 minute 1 second"),
            ("1500ms", "1 second 500 ms"),
            ("0s", "0 seconds"),
        ] {
            assert_eq!(spelled(text), said);
        }
    }

    #[test]
    fn of_several_texts_the_words_that_differ_are_left_out() {
        for (texts, said) in [
            (&["a b c", "a b c"][..], "a b c"),
            (&["refused by x:1", "refused by y:2"], "refused by …"),
            (
                &["no way to x in 5 s", "no way to y in 5 s"],
                "no way to … in 5 s",
            ),
            (&["a a", "a a a"], "a a …"),
            (&["one", "other"], "…"),
            (&["to x", "to"], "to …"),
            (&[], ""),
        ] {
            assert_eq!(shared_words(texts), said);
        }
    }
}
