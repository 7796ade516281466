//! How a state looks: glyph, word and colour, and what replaces them on a terminal without colours or Unicode.
//! The styles of plain lines are in `report::style`.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::engine::{DevicePhase, DeviceState};
use crate::model::{AuditReport, AuditWord, Charset, OutcomeKind, VerdictKind};

/// What the terminal can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Theme {
    /// Whether colours are wanted. Nothing is said by colour alone.
    pub colour: bool,
    /// Whether only ASCII can be shown.
    pub ascii: bool,
}

impl Theme {
    /// Asks the environment: `NO_COLOR` (set and not empty), `TERM=dumb`, and the locale, as [`Charset::of_env`] has it.
    /// `ascii`, from the command line, wins.
    pub fn from_env(ascii: bool, var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|t| t == "dumb");
        Self {
            colour: set("NO_COLOR").is_none() && !dumb,
            ascii: Charset::of_env(ascii, &var) == Charset::Ascii,
        }
    }

    /// Replaces what the terminal cannot show, on the whole drawn screen, so that no view can forget it.
    pub(super) fn apply(self, buffer: &mut Buffer) {
        if self.colour && !self.ascii {
            return;
        }
        for cell in &mut buffer.content {
            if self.ascii && !cell.symbol().is_ascii() {
                let plain = ascii(cell.symbol());
                cell.set_char(plain);
            }
            if !self.colour {
                // The background marks the selected row: without colours it is bold instead.
                if cell.bg != Color::Reset {
                    cell.modifier.insert(Modifier::BOLD);
                }
                cell.fg = Color::Reset;
                cell.bg = Color::Reset;
                cell.underline_color = Color::Reset;
            }
        }
    }
}

/// The ASCII character for one that is drawn in one cell; `?` for one without a counterpart, such as a letter.
fn ascii(symbol: &str) -> char {
    match symbol.chars().next().unwrap_or(' ') {
        '○' => 'o',
        '✔' | '┌' | '┐' | '└' | '┘' => '+',
        '–' | '─' => '-',
        '●' => '*',
        '◎' => 'p',
        '…' => '~',
        '◌' | '∙' | '▏' | '▎' | '▍' => '.',
        '✖' | '×' => 'x',
        '↺' | '←' => '<',
        '☠' => '!',
        '∅' => '0',
        '█' | '▉' | '▊' | '▋' | '▌' | '•' => '#',
        '≠' => '@',
        '≈' => '&',
        '━' => '=',
        '▐' => ']',
        '▸' | '▷' | '→' => '>',
        '≡' => '%',
        '◇' => ':',
        '◆' => ';',
        '│' | '·' => '|',
        '↑' => '^',
        '✓' | '↓' | '▼' => 'v',
        _ => '?',
    }
}

/// What a colour means: green is proven, yellow needs a look, red failed, cyan is under way. The rest has the
/// terminal's own colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    Good,
    Warn,
    Bad,
    Live,
    Plain,
    /// Done and of no further interest.
    Dull,
}

impl Tone {
    pub(super) fn style(self) -> Style {
        match self {
            Self::Good => Style::new().fg(Color::Green),
            Self::Warn => Style::new().fg(Color::Yellow),
            Self::Bad => Style::new().fg(Color::Red),
            Self::Live => Style::new().fg(Color::Cyan),
            Self::Plain => Style::new(),
            Self::Dull => Style::new().add_modifier(Modifier::DIM),
        }
    }

    pub(super) fn bold(self) -> Style {
        self.style().add_modifier(Modifier::BOLD)
    }
}

/// The background of the selected row. Reversed video would invert the progress bars.
pub(super) const SELECTED: Style = Style::new().bg(Color::DarkGray);

/// Marks the selected row in its first column, because a background alone may not show.
pub(super) const POINTER: &str = "▸";

/// Marks a device that a person has marked, between the sign of its state and its name. In ASCII it is none of the
/// states' signs, which it stands beside on the map.
pub(super) const MARKED: &str = "•";

/// The part of the rows that is on the screen, at the right edge.
pub(super) const SCROLL_MARK: &str = "▐";

/// A state as it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    pub(super) tone: Tone,
}

impl Mark {
    pub(super) const RUNNING: Self = Self::new("●", "running", Tone::Live);
    pub(super) const WAITING: Self = Self::new("◌", "waiting", Tone::Plain);

    /// On the plan: the device is looked at.
    pub(super) const LOOKING: Self = Self::new("●", "looking", Tone::Live);
    /// On the plan: a person left it out.
    pub(super) const LEFT_OUT: Self = Self::new("–", "out", Tone::Dull);

    pub(super) const CONFIRMED: Self = Self::new("✓", AuditWord::Confirmed.short(), Tone::Plain);
    pub(super) const ACCEPTED: Self = Self::new("◇", AuditWord::Accepted.short(), Tone::Plain);
    pub(super) const REFUSED: Self = Self::new("◆", AuditWord::Refused.short(), Tone::Plain);
    pub(super) const CONTRADICTED: Self =
        Self::new("≠", AuditWord::Contradicted.short(), Tone::Warn);
    pub(super) const MISSING: Self = Self::new("○", AuditWord::Missing.short(), Tone::Warn);
    pub(super) const UNAVAILABLE: Self = Self::new("/", AuditWord::Unavailable.short(), Tone::Dull);
    /// All that an audit log can say.
    pub(super) const AUDITS: [Self; 6] = [
        Self::CONFIRMED,
        Self::ACCEPTED,
        Self::REFUSED,
        Self::CONTRADICTED,
        Self::MISSING,
        Self::UNAVAILABLE,
    ];

    const fn new(glyph: &'static str, word: &'static str, tone: Tone) -> Self {
        Self { glyph, word, tone }
    }

    pub(super) fn of_outcome(kind: OutcomeKind) -> Self {
        let tone = match kind {
            OutcomeKind::Upgraded | OutcomeKind::Audited => Tone::Good,
            OutcomeKind::Unproven | OutcomeKind::Unknown => Tone::Warn,
            OutcomeKind::Current | OutcomeKind::Skipped => Tone::Dull,
            OutcomeKind::Failed | OutcomeKind::RolledBack | OutcomeKind::Lost => Tone::Bad,
            OutcomeKind::Cancelled => Tone::Plain,
        };
        Self::new(kind.sign(), kind.words(), tone)
    }

    pub(super) fn of_verdict(kind: VerdictKind) -> Self {
        let (glyph, tone) = match kind {
            VerdictKind::Upgrade => ("●", Tone::Live),
            VerdictKind::Downgrade => ("▼", Tone::Warn),
            VerdictKind::Watch => ("?", Tone::Warn),
            VerdictKind::Current => ("=", Tone::Dull),
            VerdictKind::Skip => ("–", Tone::Dull),
            VerdictKind::Cannot => ("✖", Tone::Bad),
        };
        Self::new(glyph, kind.as_str(), tone)
    }

    /// The mark of an audit log's verdict. None is green or red: green is for what hemfleet saw itself (section 7),
    /// which no log proves, and red for how a device ended, which a log alone does not change.
    pub(super) fn of_audit(report: &AuditReport) -> Self {
        match report.word() {
            AuditWord::Confirmed => Self::CONFIRMED,
            AuditWord::Accepted => Self::ACCEPTED,
            AuditWord::Refused => Self::REFUSED,
            AuditWord::Contradicted => Self::CONTRADICTED,
            AuditWord::Missing => Self::MISSING,
            AuditWord::Unavailable => Self::UNAVAILABLE,
        }
    }

    /// The mark of a device in the table; its word is the stage while one runs.
    pub(super) fn of_device(device: &DeviceState) -> Self {
        match &device.state {
            DevicePhase::Waiting | DevicePhase::Planned => Self::WAITING,
            DevicePhase::Starting => Self::new("●", "starting", Tone::Live),
            DevicePhase::Running(active) => {
                let calm = active.pause.is_none() && active.person.is_none() && !device.cancelling;
                let tone = if calm { Tone::Live } else { Tone::Warn };
                // On the map the sign alone has to say that somebody is waited for.
                let glyph = if active.person.is_some() {
                    "◎"
                } else {
                    "●"
                };
                Self::new(glyph, active.stage.as_str(), tone)
            }
            DevicePhase::Done(outcome) => Self::of_outcome(outcome.kind()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(vars: &[(&str, &str)]) -> Theme {
        Theme::from_env(false, |name| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn the_locale_decides_on_ascii() {
        assert!(theme(&[("LC_ALL", "C")]).ascii);
        assert!(!theme(&[("LC_ALL", "C.UTF-8")]).ascii);
        assert!(Theme::from_env(true, |_| Some("en_US.UTF-8".to_owned())).ascii);
    }

    #[test]
    fn no_color_counts_only_when_it_is_not_empty() {
        assert!(theme(&[("NO_COLOR", "")]).colour);
        assert!(!theme(&[("NO_COLOR", "1")]).colour);
        assert!(!theme(&[("TERM", "dumb")]).colour);
    }

    #[test]
    fn every_outcome_and_audit_has_a_glyph_of_its_own_in_both_sets() {
        let glyphs: Vec<_> = OutcomeKind::ALL
            .map(|k| Mark::of_outcome(k).glyph)
            .into_iter()
            .chain([Mark::RUNNING.glyph, Mark::WAITING.glyph])
            .chain(Mark::AUDITS.map(|mark| mark.glyph))
            .collect();
        for (n, one) in glyphs.iter().enumerate() {
            for other in &glyphs[n + 1..] {
                assert_ne!(one, other);
                let (one, other) = (shown(one), shown(other));
                assert_ne!(one, other);
            }
        }
    }

    /// In ASCII as well: what was cut, what separates two texts, and how full a bar is.
    #[test]
    fn what_stands_inside_of_texts_is_told_apart_in_both_sets() {
        let signs = ["…", "·", "█", "∙", "▐", "━", "─", "│"];
        let outcomes = OutcomeKind::ALL.map(|k| Mark::of_outcome(k).glyph);
        let ascii = |glyphs: &[&str]| -> Vec<char> { glyphs.iter().map(|g| shown(g)).collect() };
        let mut plain = ascii(&signs[..5]);
        plain.sort_unstable();
        plain.dedup();
        assert_eq!(plain.len(), 5);
        for sign in &signs[..5] {
            assert!(!outcomes.contains(sign) && !ascii(&outcomes).contains(&shown(sign)));
        }
        assert_eq!(ascii(&signs).iter().collect::<String>(), "~|#.]=-|");
    }

    fn shown(glyph: &str) -> char {
        match glyph.chars().next() {
            Some(c) if c.is_ascii() => c,
            _ => ascii(glyph),
        }
    }
}
