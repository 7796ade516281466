//! What the plan comes to, and how many lines that takes below it. `view::plan` draws them.

use unicode_width::UnicodeWidthStr;

use crate::engine::{self, Fleet};

/// The counts in one line.
pub(in crate::tui) fn text(fleet: &Fleet) -> String {
    format!("{}.", engine::plan_counts(fleet, "cannot").join(", "))
}

/// How many lines there are for them on a screen of `width` columns. Where devices are watched, the second says what that
/// means.
pub(super) fn lines(fleet: &Fleet, width: u16) -> u16 {
    if fleet.to_watch() > 0 || text(fleet).width() >= usize::from(width) {
        2
    } else {
        1
    }
}
