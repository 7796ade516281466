//! How lines look on a normal screen: bold, dim and the terminal's own colours, and only where asked for, and the
//! characters that it shows. The words alone say everything. The dashboard's styles are in `tui::theme`.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr as _;

use crate::model::{Charset, OutcomeKind, VerdictKind};

/// How lines are written, for whoever reads them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LineLook {
    /// Whether in colour.
    pub color: bool,
    /// With which characters.
    pub charset: Charset,
}

impl LineLook {
    /// `text` as it can be shown. Its width may differ, so columns are measured after this.
    pub(super) fn text(self, text: &str) -> Cow<'_, str> {
        self.charset.text(text)
    }

    /// The same in this style, where there is one and colour is wanted.
    pub(super) fn paint(self, style: Option<LineStyle>, text: &str) -> String {
        let text = self.text(text);
        match style {
            Some(style) if self.color => format!("\x1b[{}m{text}\x1b[0m", style.sgr()),
            _ => text.into_owned(),
        }
    }
}

/// `text` in lines of at most `width` columns, broken at blanks; a longer word has a line of its own. Lines after the
/// first begin with `hanging` blanks, and the first with `indent`.
pub(super) fn folded(
    text: &str,
    width: Option<usize>,
    indent: usize,
    hanging: usize,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent);
    let mut empty = true;
    for word in text.split(' ') {
        let room = width.unwrap_or(usize::MAX);
        if !empty && line.width() + 1 + word.width() > room {
            lines.push(std::mem::replace(&mut line, " ".repeat(hanging)));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// What a line means, and so how it looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LineStyle {
    /// Proven.
    Good,
    /// Needs a look.
    Warn,
    /// Failed.
    Bad,
    /// Of no further interest.
    Dull,
    /// A heading.
    Heading,
}

impl LineStyle {
    pub(super) fn of(kind: OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Upgraded | OutcomeKind::Audited => Self::Good,
            OutcomeKind::Unproven | OutcomeKind::Unknown => Self::Warn,
            OutcomeKind::Failed | OutcomeKind::RolledBack | OutcomeKind::Lost => Self::Bad,
            OutcomeKind::Current | OutcomeKind::Skipped | OutcomeKind::Cancelled => Self::Dull,
        }
    }

    pub(super) fn of_verdict(kind: VerdictKind) -> Option<Self> {
        match kind {
            VerdictKind::Upgrade => None,
            VerdictKind::Downgrade | VerdictKind::Watch => Some(Self::Warn),
            VerdictKind::Current | VerdictKind::Skip => Some(Self::Dull),
            VerdictKind::Cannot => Some(Self::Bad),
        }
    }

    fn sgr(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
            Self::Dull => "2",
            Self::Heading => "1",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_folds_at_blanks_and_words_stay_whole() {
        let lines = folded("one two three-and-more four", Some(12), 1, 3);
        assert_eq!(lines, [" one two", "   three-and-more", "   four"]);
        let wide = folded("ab 日本 cd", Some(7), 0, 0);
        assert_eq!(wide, ["ab 日本", "cd"]);
        assert_eq!(folded("as it is", None, 2, 4), ["  as it is"]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_word_is_lost(words in prop::collection::vec("[a-zż]{1,9}", 1..40), width in 14_usize..60) {
            let text = words.join(" ");
            let lines = folded(&text, Some(width), 2, 4);
            for line in &lines {
                prop_assert!(line.width() <= width, "{line}");
            }
            let again: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
            prop_assert_eq!(again, words);
        }
    }
}
