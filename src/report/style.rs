//! The styles of lines on a normal screen: bold, dim and the terminal's own colours, and only where asked for. The words
//! alone say everything. The dashboard's styles are in `tui::theme`.

use crate::model::{OutcomeKind, VerdictKind};

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
            VerdictKind::Downgrade => Some(Self::Warn),
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

/// `text` in this style, or unchanged where there is none or `color` is off.
pub(super) fn paint(color: bool, style: Option<LineStyle>, text: &str) -> String {
    match style {
        Some(style) if color => format!("\x1b[{}m{text}\x1b[0m", style.sgr()),
        _ => text.to_owned(),
    }
}
