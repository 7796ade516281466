//! Diagnostics of an inventory, collected and rendered like compiler messages. `cli` prints them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::toml::source::Location;
use crate::model::{counted, printable};

/// How many diagnostics are shown. Nobody reads more at once, so the rest are only counted.
const SHOWN: usize = 200;

/// How far apart, in lines, two places may be to be shown in one piece.
const TOGETHER: usize = 200;

/// The most characters of foreign text that a message repeats.
pub(super) const LONGEST_QUOTE: usize = 120;

/// Where a fault is.
#[derive(Clone, Debug)]
pub enum Place {
    /// At these characters of the file.
    At(Location),
    /// In this file as a whole.
    File(PathBuf),
    /// On the command line, at this argument.
    Argument(String),
    /// Nowhere in particular.
    Nowhere,
}

/// One thing that is wrong, with what to do about it.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    message: String,
    hint: Option<String>,
    place: Place,
    related: Option<(Location, String)>,
    key: Option<String>,
    device: Option<String>,
}

impl Diagnostic {
    /// A fault that says `message`: lower case, no full stop, and never a secret. Control
    /// characters in it are escaped.
    pub fn new(message: impl AsRef<str>) -> Self {
        Self {
            message: escaped(message.as_ref()),
            hint: None,
            place: Place::Nowhere,
            related: None,
            key: None,
            device: None,
        }
    }

    /// What to write or do instead.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(escaped(hint.as_ref()));
        self
    }

    /// Where it is.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Where it is in the file.
    #[must_use]
    pub fn at(self, location: Location) -> Self {
        self.place(Place::At(location))
    }

    /// A second place that has to do with it, and how.
    #[must_use]
    pub fn related(mut self, location: Location, label: impl AsRef<str>) -> Self {
        self.related = Some((location, escaped(label.as_ref())));
        self
    }

    /// The key path, such as `device[3].tls.pin`.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<str>) -> Self {
        self.key = Some(escaped(key.as_ref()));
        self
    }

    /// The name of the device.
    #[must_use]
    pub fn device(mut self, device: impl AsRef<str>) -> Self {
        self.device = Some(printable(device.as_ref(), LONGEST_QUOTE));
        self
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it is in the file, if it is there.
    pub fn location(&self) -> Option<&Location> {
        match &self.place {
            Place::At(l) => Some(l),
            _ => None,
        }
    }

    /// Files first, then from their top to their end, then the command line.
    fn rank(&self) -> (u8, usize) {
        match &self.place {
            Place::File(_) => (0, 0),
            Place::At(l) => (1, l.span().start),
            Place::Argument(_) => (2, 0),
            Place::Nowhere => (3, 0),
        }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut parts: Vec<Element<'_>> = Vec::new();
        let mut columns = None;
        match &self.place {
            Place::At(at) => {
                let (snippet, shown, real) = self.snippet(at);
                columns = Some((shown, real));
                parts.push(snippet.into());
                if let Some((other, label)) = &self.related
                    && !is_near(other, at)
                {
                    let place = format!(
                        "{}:{}:{}",
                        shown_path(other.file()),
                        other.line(),
                        other.column()
                    );
                    parts.push(Level::NOTE.with_name(label.as_str()).message(place).into());
                }
            }
            Place::File(file) => parts.push(Origin::path(shown_path(file)).into()),
            Place::Argument(text) => {
                parts.push(Origin::path(format!("command line: {}", escaped(text))).into());
            }
            Place::Nowhere => {}
        }
        if let Some(key) = &self.key {
            parts.push(Level::NOTE.with_name("key").message(key.as_str()).into());
        }
        if let Some(device) = &self.device {
            parts.push(
                Level::NOTE
                    .with_name("device")
                    .message(device.as_str())
                    .into(),
            );
        }
        if let Some(hint) = &self.hint {
            parts.push(Level::HELP.with_name("hint").message(hint.as_str()).into());
        }
        let report = [Level::ERROR
            .primary_title(self.message.as_str())
            .elements(parts)];
        let text = renderer.render(&report);
        match columns {
            // A mask shortens the line that is shown; the column is the one in the file.
            Some((shown, real)) if shown != real => text.replacen(&shown, &real, 1),
            None => without_gutter(&text),
            _ => text,
        }
    }

    /// The lines of the file, and the position as the renderer will say it and as it truly is.
    fn snippet(
        &self,
        at: &Location,
    ) -> (
        Snippet<'_, annotate_snippets::Annotation<'_>>,
        String,
        String,
    ) {
        let related = self.related.as_ref().filter(|(l, _)| is_near(l, at));
        let (mut first, mut last) = (at.line() - 1, at.line() - 1);
        let mut spans = vec![at.span()];
        if let Some((other, _)) = related {
            first = first.min(other.line() - 1);
            last = last.max(other.line() - 1);
            spans.push(other.span());
        }
        let (text, spans) = at.source().excerpt(first, last, &spans);
        let path = shown_path(at.file());
        let start = spans[0].start;
        let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
        let shown_column = text[line_start..start].chars().count() + 1;
        let shown = format!("{path}:{}:{shown_column}", at.line());
        let real = format!("{path}:{}:{}", at.line(), at.column());
        let mut snippet = Snippet::source(text)
            .path(path)
            .line_start(first + 1)
            .annotation(AnnotationKind::Primary.span(spans[0].clone()));
        if let (Some((_, label)), Some(span)) = (related, spans.get(1)) {
            snippet = snippet.annotation(
                AnnotationKind::Context
                    .span(span.clone())
                    .label(label.as_str()),
            );
        }
        (snippet, shown, real)
    }
}

/// A [`Diagnostic`] for scripts. What does not fit is absent.
#[derive(Debug, Serialize)]
pub struct Fault<'a> {
    /// The file, as it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in characters, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The key path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<&'a str>,
    /// What is wrong.
    pub message: &'a str,
    /// What to write or do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
}

impl<'a> From<&'a Diagnostic> for Fault<'a> {
    fn from(fault: &'a Diagnostic) -> Self {
        let at = fault.location();
        let file = match &fault.place {
            Place::At(at) => Some(at.file()),
            Place::File(file) => Some(file.as_path()),
            Place::Argument(_) | Place::Nowhere => None,
        };
        Self {
            file: file.map(shown_path),
            line: at.map(Location::line),
            column: at.map(Location::column),
            key: fault.key.as_deref(),
            device: fault.device.as_deref(),
            message: &fault.message,
            hint: fault.hint.as_deref(),
        }
    }
}

/// Whether both are shown in one piece: the renderer puts one snippet under one file name, and reads all
/// lines in between.
fn is_near(a: &Location, b: &Location) -> bool {
    std::sync::Arc::ptr_eq(a.source(), b.source()) && a.line().abs_diff(b.line()) <= TOGETHER
}

/// The renderer draws the margin of a snippet even where there is none: a line with a lone bar.
fn without_gutter(text: &str) -> String {
    let is_gutter = |line: &&str| {
        let mut bare = String::new();
        for (n, part) in line.split('\x1b').enumerate() {
            let shown = if n == 0 {
                part
            } else {
                part.split_once('m').map_or("", |(_, s)| s)
            };
            bare.push_str(shown);
        }
        bare.trim() == "|"
    };
    let lines: Vec<&str> = text.lines().filter(|line| !is_gutter(line)).collect();
    lines.join("\n")
}

/// Everything that is wrong, to be shown at once.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, fault: Diagnostic) {
        self.0.push(fault);
    }

    /// Adds those of another list.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One after the other, as they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// One after the other, in the order of the file.
    pub fn in_order(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.0.iter().collect();
        sorted.sort_by_key(|f| f.rank());
        sorted.into_iter()
    }

    /// The first faults as text, in the order of the file, with a last line that counts all. Colours only
    /// if `color`; lines of the file are cut to `width` columns around what is wrong.
    pub fn render(&self, color: bool, width: usize) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.term_width(width.max(40));
        let mut out = String::new();
        for fault in self.in_order().take(SHOWN) {
            out.push_str(&fault.render(&renderer));
            out.push_str("\n\n");
        }
        match self.0.len() {
            0 => {}
            n if n > SHOWN => {
                let _ = writeln!(
                    out,
                    "{n} faults, the first {SHOWN} of them above; nothing was sent to any device"
                );
            }
            n => {
                let faults = counted(n, "fault", "faults");
                let _ = writeln!(out, "{faults}; nothing was sent to any device");
            }
        }
        out
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(fault: Diagnostic) -> Self {
        Self(vec![fault])
    }
}

/// Keeps line ends, since hints have them, and escapes everything else that steers a terminal.
fn escaped(text: &str) -> String {
    text.split('\n')
        .map(|line| printable(line, 2000))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn shown_path(path: &Path) -> String {
    printable(&path.to_string_lossy(), 1000)
}

/// A text of the file inside a message: quoted, escaped and cut.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", printable(text, LONGEST_QUOTE))
}
