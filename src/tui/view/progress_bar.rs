//! Progress bars and percentages.

/// What is still empty of a bar. It looks like the dot between two texts and is another character, so that the two differ
/// where only ASCII can be shown.
pub(super) const EMPTY: &str = "∙";

/// A bar of `width` columns, filled to `share` (0 to 1) in eighths of a column.
///
/// A bar is never shown full before the thing is, nor empty once it has begun to move.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a few columns"
)]
pub(super) fn bar(share: f64, width: usize) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = width * 8;
    let mut filled = (share.clamp(0.0, 1.0) * eighths as f64) as usize;
    if share > 0.0 {
        filled = filled.max(1);
    }
    if share < 1.0 {
        filled = filled.min(eighths.saturating_sub(1));
    }
    let (full, part) = (filled / 8, filled % 8);
    let mut out = "█".repeat(full);
    if part > 0 && full < width {
        out.push(PARTS[part]);
    }
    let used = full + usize::from(part > 0);
    out.push_str(&EMPTY.repeat(width.saturating_sub(used)));
    out
}

/// Whole per cent, never 100 before the end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 100"
)]
pub(super) fn percent(share: f64) -> u8 {
    (share.clamp(0.0, 1.0) * 100.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_truthful_at_both_ends() {
        assert_eq!(bar(0.0, 4), "∙∙∙∙");
        assert_eq!(bar(0.001, 4), "▏∙∙∙");
        assert_eq!(bar(0.5, 4), "██∙∙");
        assert_eq!(bar(0.999, 4), "███▉");
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.5, 0), "");
        assert_eq!(percent(0.999), 99);
        assert_eq!(percent(1.0), 100);
    }
}
