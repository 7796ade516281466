//! What the plan comes to, and how many lines that takes below it. `view::plan` draws them.

use unicode_width::UnicodeWidthStr;

use crate::engine::{self, Fleet};

/// The counts, each with the comma or full stop behind it.
pub(in crate::tui) fn parts(fleet: &Fleet) -> Vec<String> {
    let counts = engine::plan_counts(fleet, "cannot");
    let last = counts.len().saturating_sub(1);
    let ends = |n| if n == last { '.' } else { ',' };
    let counts = counts.into_iter().enumerate();
    counts
        .map(|(n, count)| format!("{count}{}", ends(n)))
        .collect()
}

/// How many lines there are for them on a screen of `width` columns. Where devices are watched, the second says what that
/// means.
pub(super) fn lines(fleet: &Fleet, width: u16) -> u16 {
    if fleet.to_watch() > 0 || parts(fleet).join(" ").width() >= usize::from(width) {
        2
    } else {
        1
    }
}
