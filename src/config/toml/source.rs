//! The text of an inventory file and places in it. Whatever may be a secret is overwritten before it gets here;
//! `inventory::redact` finds it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is shown for an overwritten stretch; its length says nothing about the secret's.
pub(super) const MASK: &str = "********";

/// One file as typed, for showing its lines.
pub(in crate::config) struct Source {
    file: PathBuf,
    /// Same length as the file, so that every span of the parser still fits.
    text: String,
    masks: Vec<Range<usize>>,
    line_starts: Vec<usize>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Keeps `text` with the stretches `masks` overwritten.
    pub(in crate::config) fn new(
        file: &Path,
        text: &str,
        mut masks: Vec<Range<usize>>,
    ) -> Arc<Self> {
        masks.retain(|m| m.start < m.end && text.get(m.clone()).is_some());
        masks.sort_by_key(|m| (m.start, m.end));
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(masks.len());
        for m in masks {
            match merged.last_mut() {
                Some(last) if m.start <= last.end => last.end = last.end.max(m.end),
                _ => merged.push(m),
            }
        }
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(i, _)| i + 1))
            .collect();
        let mut masked = String::with_capacity(text.len());
        let mut at = 0;
        for m in &merged {
            masked.push_str(&text[at..m.start]);
            masked.extend(text[m.clone()].chars().map(overwritten));
            at = m.end;
        }
        masked.push_str(&text[at..]);
        Arc::new(Self {
            file: file.to_path_buf(),
            text: masked,
            masks: merged,
            line_starts,
        })
    }

    /// Zero-based line of a byte.
    fn line_of(&self, byte: usize) -> usize {
        self.line_starts.partition_point(|&s| s <= byte).max(1) - 1
    }

    /// The bytes of a line, without its end.
    fn line_span(&self, line: usize) -> Range<usize> {
        let start = self
            .line_starts
            .get(line)
            .copied()
            .unwrap_or(self.text.len());
        let end = self
            .line_starts
            .get(line + 1)
            .map_or(self.text.len(), |next| next - 1);
        let text = &self.text[start..end];
        start..start + text.strip_suffix('\r').unwrap_or(text).len()
    }

    /// The lines `first..=last` as they may be shown, and the places of `spans` in them.
    pub(in crate::config) fn excerpt(
        &self,
        first: usize,
        last: usize,
        spans: &[Range<usize>],
    ) -> (String, Vec<Range<usize>>) {
        let start = self.line_span(first).start;
        let end = self.line_span(last).end;
        let mut out = String::new();
        let mut moved: Vec<Range<usize>> = vec![0..0; spans.len()];
        let mut in_mask = None;
        for (i, c) in self.text[start..end]
            .char_indices()
            .map(|(i, c)| (i + start, c))
            .chain([(end, '\0')])
        {
            for (span, to) in spans.iter().zip(&mut moved) {
                // Where a span begins or ends inside a mask, the mask's end stands for it.
                if span.start >= i {
                    to.start = out.len();
                }
                if span.end >= i {
                    to.end = out.len();
                }
            }
            if i == end {
                break;
            }
            let mask = self.masks.partition_point(|m| m.end <= i);
            let masked = self.masks.get(mask).is_some_and(|m| m.contains(&i));
            if !masked || c == '\n' {
                in_mask = None;
                out.push(c);
            } else if in_mask != Some(mask) {
                in_mask = Some(mask);
                out.push_str(MASK);
            }
        }
        for m in &mut moved {
            m.end = m.end.max(m.start);
        }
        (out, moved)
    }
}

/// A character of the same length in UTF-8 that tells nothing else about `c`.
fn overwritten(c: char) -> char {
    match (c, c.len_utf8()) {
        ('\n' | '\r', _) => c,
        (_, 1) => '*',
        (_, 2) => '\u{b7}',
        (_, 3) => '\u{2022}',
        _ => '\u{1f784}',
    }
}

/// A place in an inventory file.
#[derive(Clone, Debug)]
pub struct Location {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Location {
    /// The stretch `span` of `source`, cut at the end of the line on which it begins.
    pub(in crate::config) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let mut start = span.start.min(source.text.len());
        while !source.text.is_char_boundary(start) {
            start -= 1;
        }
        let line = source.line_span(source.line_of(start));
        let mut end = span.end.clamp(start, line.end.max(start));
        while !source.text.is_char_boundary(end) {
            end += 1;
        }
        Self {
            source: Arc::clone(source),
            span: start..end,
        }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.source.file
    }

    /// Line, counted from 1.
    pub fn line(&self) -> usize {
        self.source.line_of(self.span.start) + 1
    }

    /// Column in characters, counted from 1.
    pub fn column(&self) -> usize {
        let line = self.source.line_span(self.source.line_of(self.span.start));
        let upto = self.span.start.clamp(line.start, line.end.max(line.start));
        self.source.text[line.start..upto].chars().count() + 1
    }

    pub(in crate::config) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(in crate::config) fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters() {
        let text = "a = 1\r\nname = \"żółw\" # x\n";
        let source = Source::new(Path::new("f.toml"), text, vec![]);
        let hash = text.find('#').unwrap();
        let at = Location::new(&source, hash..hash + 1);
        assert_eq!((at.line(), at.column()), (2, 15));
        let (shown, spans) = source.excerpt(0, 0, &[0..1, 2..3]);
        assert_eq!((shown.as_str(), spans), ("a = 1", vec![0..1, 2..3]));
    }

    #[test]
    fn masks_hide_text_and_its_length() {
        let text = "s = 'hunter2', k = 1";
        let source = Source::new(Path::new("f.toml"), text, vec![4..13, 6..10]);
        let k = text.find('k').unwrap();
        let (shown, spans) = source.excerpt(0, 0, &[k..k + 1, 4..13]);
        assert_eq!(shown, "s = ********, k = 1");
        assert_eq!(&shown[spans[0].clone()], "k");
        assert_eq!(&shown[spans[1].clone()], MASK);
        assert_eq!(Location::new(&source, k..k + 1).column(), k + 1);
        assert!(!format!("{source:?}").contains("hunter2"));
        assert!(!source.text.contains("hunter2"));
    }

    #[test]
    fn spans_past_the_end_are_cut() {
        let source = Source::new(Path::new("f.toml"), "ab\ncd", vec![]);
        let at = Location::new(&source, 1..5);
        assert_eq!(at.span(), 1..2);
        let at = Location::new(&source, 99..120);
        assert_eq!((at.line(), at.column(), at.span()), (2, 3, 5..5));
    }
}
