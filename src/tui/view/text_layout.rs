//! Text in columns: cut, padded and wrapped by the width that it takes on a screen; and clocks. Text that plain lines
//! need too is in `model::text`.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::{counted, padded};
use crate::tui::theme::Tone;

/// At most `width` columns of `text`; what does not fit shows as `…`.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if w > room {
            break;
        }
        room -= w;
        out.push(c);
    }
    while out.ends_with(' ') {
        out.pop();
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// What must be read of a device in doubt, also where the rest has no room.
const WARNING: &str = "do not unplug";

/// `text` with its warning in front, where that would be lost in `width` columns.
pub(super) fn warning_first(text: &str, width: usize) -> String {
    let Some((before, after)) = text.split_once(WARNING) else {
        return text.to_owned();
    };
    if text.width() <= width || before.width() + WARNING.width() < width {
        return text.to_owned();
    }
    let joint = |c: char| " :·,;".contains(c);
    let rest = [
        before.trim_end_matches(joint),
        after.trim_start_matches(joint),
    ];
    let rest = rest.into_iter().filter(|part| !part.is_empty());
    let parts: Vec<&str> = std::iter::once(WARNING).chain(rest).collect();
    parts.join(" · ")
}

/// As many whole `names` as `width` columns have room for, and how many more there are. No name is cut: what is left of
/// it could be another one's.
pub(super) fn list(names: &[&str], width: usize) -> String {
    let all = names.join(", ");
    if all.width() <= width {
        return all;
    }
    let of = |shown: usize| {
        let more = names.len() - shown;
        match shown {
            0 => counted(more, "device", "devices"),
            _ => format!("{} and {more} more", names[..shown].join(", ")),
        }
    };
    let fitting = (1..names.len())
        .map(of)
        .take_while(|text| text.width() <= width);
    fitting.last().unwrap_or_else(|| of(0))
}

/// Exactly `width` columns, text to the left.
pub(super) fn left(text: &str, width: usize) -> String {
    padded(&cut(text, width), width)
}

/// Exactly `width` columns, text to the right.
pub(super) fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let mut out = " ".repeat(width.saturating_sub(text.width()));
    out.push_str(&text);
    out
}

/// `text` in lines of at most `width` columns, broken between words where that is possible.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if width == 0 {
        return lines;
    }
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        while word.width() > width {
            let head = head(&word, width);
            let rest = word.split_off(head);
            lines.push(std::mem::replace(&mut word, rest));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// `text` in lines of at most `width` columns beside a margin of four, with `mark` in the margin of the first line.
pub(super) fn with_mark(mark: &str, text: &str, width: usize, style: Style) -> Vec<Line<'static>> {
    let lines = wrap(text, width).into_iter().enumerate();
    lines
        .map(|(n, line)| {
            let mark = if n == 0 { mark } else { " " };
            Line::from(span(format!("  {mark} {line}"), style))
        })
        .collect()
}

/// How many bytes of `text` take at most `width` columns; at least one character.
fn head(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && at > 0 {
            return at;
        }
    }
    text.len()
}

/// A duration as a clock: `0:09`, `3:41`, `1:02:03`.
pub(super) fn clock(d: Duration) -> String {
    let s = d.as_secs();
    if s < 3600 {
        format!("{}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
    }
}

/// The time of day: `12:04:10`.
pub(in crate::tui) fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// How long it is from `from` to `to`; zero where the clock was set back.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// `left` and `right` at the two ends of a line; the left end gives way.
pub(super) fn ends(
    left: Vec<Span<'static>>,
    right: Vec<Span<'static>>,
    width: usize,
) -> Line<'static> {
    let taken: usize = right.iter().map(Span::width).sum();
    let gap = usize::from(taken > 0);
    let mut line = fit(left, width.saturating_sub(taken + gap));
    let used: usize = line.iter().map(Span::width).sum();
    let space = width.saturating_sub(used + taken);
    line.push(Span::raw(" ".repeat(space)));
    line.extend(right);
    Line::from(line)
}

/// At most `width` columns of `spans`.
pub(super) fn fit(spans: Vec<Span<'static>>, width: usize) -> Vec<Span<'static>> {
    let mut room = width;
    let mut out = Vec::new();
    for span in spans {
        if span.width() <= room {
            room -= span.width();
            out.push(span);
        } else {
            let text = cut(&span.content, room);
            out.push(Span::styled(text, span.style));
            break;
        }
    }
    out
}

/// A rule across the screen with a title at its left and one at its right end.
pub(super) fn rule(
    title: Vec<Span<'static>>,
    end: Vec<Span<'static>>,
    width: usize,
) -> Line<'static> {
    let dull = Tone::Dull.style();
    let mut head = vec![Span::styled("─ ", dull)];
    head.extend(fit(title, width.saturating_sub(4)));
    head.push(Span::styled(" ", dull));
    let mut tail = Vec::new();
    if !end.is_empty() {
        tail.push(Span::styled(" ", dull));
        tail.extend(end);
        tail.push(Span::styled(" ─", dull));
    }
    let used: usize = head.iter().map(Span::width).sum();
    let taken: usize = tail.iter().map(Span::width).sum();
    if used + taken > width {
        tail.clear();
    }
    let taken: usize = tail.iter().map(Span::width).sum();
    let fill = width.saturating_sub(used + taken);
    head.push(Span::styled("─".repeat(fill), dull));
    head.extend(tail);
    Line::from(head)
}

/// A span with a style.
pub(super) fn span(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(text.into(), style)
}

/// The lines of a box, each at most `width` columns wide.
pub(super) struct BoxText {
    pub(super) width: usize,
    pub(super) lines: Vec<Line<'static>>,
}

impl BoxText {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            lines: Vec::new(),
        }
    }

    pub(super) fn say(&mut self, what: &str, tone: Tone) {
        for line in wrap(what, self.width) {
            self.line(&line, tone);
        }
    }

    pub(super) fn line(&mut self, what: &str, tone: Tone) {
        let what = cut(what, self.width);
        self.lines.push(Line::from(span(what, tone.style())));
    }

    pub(super) fn keys(&mut self, keys: &[(&'static str, &'static str)]) {
        self.lines.push(Line::default());
        let width = keys.iter().map(|(key, _)| key.len() + 1).max().unwrap_or(0);
        for (key, what) in keys {
            self.lines.push(Line::from(vec![
                span(left(key, width.max(5)), Tone::Plain.bold()),
                span(*what, Tone::Plain.style()),
            ]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_the_width_that_it_takes() {
        assert_eq!(cut("vault", 5), "vault");
        assert_eq!(cut("vault-01", 5), "vaul…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("a bc", 3), "a…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(left("日本", 6), "日本  ");
        assert_eq!(right("9", 3), "  9");
    }

    #[test]
    fn of_a_list_the_names_that_fit_are_whole() {
        let names = ["vault-01", "vault-02", "vault-03"];
        assert_eq!(list(&names, 28), "vault-01, vault-02, vault-03");
        assert_eq!(list(&names, 27), "vault-01 and 2 more");
        assert_eq!(list(&names, 18), "3 devices");
    }

    #[test]
    fn words_are_wrapped_and_long_ones_broken() {
        assert_eq!(wrap("ab cd ef", 5), ["ab cd", "ef"]);
        assert_eq!(wrap("x abcdefgh", 3), ["x", "abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 1), ["日", "本", "語"]);
        assert!(wrap("ab", 0).is_empty());
    }

    #[test]
    fn clocks() {
        assert_eq!(clock(Duration::from_secs(9)), "0:09");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }
}
