//! The fleet's names as they are shown: cut in the middle, and never so that two of them look alike. They are cut for
//! the whole fleet at once, and again only when the room for them changes.

use std::collections::HashSet;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands for what a name lost.
const CUT: char = '…';

/// The least columns of names that are cut, where they allow it.
const LEAST: usize = 10;

/// All names of a fleet, and how they are shown at one width.
#[derive(Default)]
pub(super) struct ShortNames {
    names: Vec<String>,
    /// The columns of the longest.
    longest: usize,
    /// The least columns in which all names differ.
    least: usize,
    /// What was asked for last.
    wanted: usize,
    /// The columns of what is shown.
    width: usize,
    shown: Vec<String>,
}

impl ShortNames {
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<String> = names.into_iter().collect();
        let longest = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let mut short = Self {
            shown: names.clone(),
            names,
            longest,
            least: longest,
            wanted: longest,
            width: longest,
        };
        // The room that tells the names apart is found once: more of it never hurts.
        let enough = (LEAST..longest).find(|&width| short.cut(width).is_some());
        short.least = enough.unwrap_or(longest);
        short
    }

    /// The columns of the longest name.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The least columns that a cut can make do with.
    pub(super) fn least(&self) -> usize {
        self.least
    }

    /// The columns of the names as they are shown.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The name of the device at this place of the fleet, as it is shown.
    pub(super) fn shown(&self, device: usize) -> &str {
        self.shown.get(device).map_or("", String::as_str)
    }

    /// Shows the names in `width` columns, or in as many more as it takes to tell them apart.
    pub(super) fn fit(&mut self, width: usize) {
        if self.wanted == width {
            return;
        }
        self.wanted = width;
        let from = width.clamp(self.least, self.longest);
        let fitting = (from..self.longest).find_map(|width| Some((width, self.cut(width)?)));
        (self.width, self.shown) = fitting.unwrap_or_else(|| (self.longest, self.names.clone()));
    }

    /// All names in `width` columns, the same part of each left out; nothing where two of them look alike whatever is
    /// left out.
    fn cut(&self, width: usize) -> Option<Vec<String>> {
        let room = width.saturating_sub(1);
        let long: Vec<&str> = self
            .names
            .iter()
            .map(String::as_str)
            .filter(|name| name.width() > width)
            .collect();
        // What the long names have in common is what can best be spared: their beginning, or else their end.
        let reversed: Vec<String> = long
            .iter()
            .map(|name| name.chars().rev().collect())
            .collect();
        let reversed: Vec<&str> = reversed.iter().map(String::as_str).collect();
        let (head, tail) = (shared_head(&long), shared_head(&reversed));
        let half = room / 2;
        let telling = |shared: usize| match self.longest.saturating_sub(shared) {
            rest if shared > 0 && rest + 2 <= room => rest.max(half),
            _ => half,
        };
        let first = if head >= tail {
            telling(head)
        } else {
            room - telling(tail)
        };
        let tails = (first..=room).chain((0..first).rev());
        tails.into_iter().find_map(|tail| {
            let mut seen = HashSet::with_capacity(self.names.len());
            let mut shown = Vec::with_capacity(self.names.len());
            for name in &self.names {
                let name = cut_middle(name, width, tail);
                if !seen.insert(name.clone()) {
                    return None;
                }
                shown.push(name);
            }
            Some(shown)
        })
    }
}

/// The columns that all of these begin with.
fn shared_head(names: &[&str]) -> usize {
    let Some((first, rest)) = names.split_first() else {
        return 0;
    };
    let mut shared = *first;
    for name in rest {
        let same = shared
            .char_indices()
            .zip(name.chars())
            .find(|((_, one), other)| one != other);
        let end = same.map_or(shared.len().min(name.len()), |((at, _), _)| at);
        shared = shared.get(..end).unwrap_or_default();
    }
    shared.width()
}

/// At most `width` columns of `name`: of one that is longer the last `tail` columns, and of its beginning what there is
/// room for.
pub(super) fn cut_middle(name: &str, width: usize, tail: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let tail: String = {
        let end = take(name.chars().rev(), tail.min(width - 1));
        end.chars().rev().collect()
    };
    let head = take(name.chars(), width - 1 - tail.width());
    format!("{head}{CUT}{tail}")
}

/// The first of these that take at most `width` columns.
fn take(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut room = width;
    chars
        .take_while(|c| {
            let columns = c.width().unwrap_or(0);
            let fits = columns <= room;
            room = room.saturating_sub(columns);
            fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(names: &[&str], width: usize) -> Vec<String> {
        let mut short = ShortNames::new(names.iter().map(|&name| name.to_owned()));
        short.fit(width);
        (0..names.len())
            .map(|n| short.shown(n).to_owned())
            .collect()
    }

    #[test]
    fn what_all_names_share_is_what_is_left_out() {
        let fleet = [
            "payments-prod-hsms-waw-r01-u10",
            "payments-prod-hsms-waw-r02-u10",
            "payments-prod-hsms-ber-r01-u01",
        ];
        let wide = [
            "payments-prod…-waw-r01-u10",
            "payments-prod…-waw-r02-u10",
            "payments-prod…-ber-r01-u01",
        ];
        assert_eq!(shown(&fleet, 26), wide);
        let narrow = ["pa…waw-r01-u10", "pa…waw-r02-u10", "pa…ber-r01-u01"];
        assert_eq!(shown(&fleet, 14), narrow);
        assert_eq!(shown(&fleet, 30), fleet);
        assert_eq!(shown(&fleet, 200), fleet);
    }

    #[test]
    fn names_that_share_nothing_keep_both_ends() {
        let fleet = ["sejf-z-bardzo-długą-nazwą-w-Łodzi", "hsm-1"];
        assert_eq!(shown(&fleet, 16), ["sejf-z-b…w-Łodzi", "hsm-1"]);
    }

    #[test]
    fn names_that_differ_at_the_front_keep_it() {
        let fleet = ["waw-r01-payments-production", "ber-r01-payments-production"];
        let short = shown(&fleet, 12);
        assert!(
            short[0].starts_with("waw") && short[1].starts_with("ber"),
            "{short:?}"
        );
    }

    #[test]
    fn a_column_that_is_too_narrow_for_them_gets_wider() {
        let names: Vec<String> = (0..20)
            .map(|n| format!("vault-{:02}-of-the-rack-{:02}-in-the-cellar", n % 5, n / 5))
            .collect();
        let mut short = ShortNames::new(names.clone());
        short.fit(4);
        assert!(
            short.width() > 10 && short.width() < 35,
            "{}",
            short.width()
        );
        assert_eq!(short.width(), short.least());
    }

    #[test]
    fn a_character_of_two_columns_is_not_halved() {
        assert_eq!(cut_middle("金庫-ワルシャワ-第一", 10, 5), "金庫…-第一");
        assert_eq!(cut_middle("vault", 0, 0), "");
        assert_eq!(cut_middle("vault", 1, 3), "…");
    }

    proptest! {
        #[test]
        fn no_two_names_ever_look_alike(
            names in prop::collection::hash_set("[ab…金-]{1,14}", 1..40),
            widths in prop::collection::vec(0..20_usize, 1..4),
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let mut short = ShortNames::new(names.clone());
            for width in widths {
                short.fit(width);
                let shown: HashSet<&str> = (0..names.len()).map(|n| short.shown(n)).collect();
                prop_assert_eq!(shown.len(), names.len());
                prop_assert!(shown.iter().all(|name| name.width() <= short.width()));
                // But for a name that has the mark of a cut itself, what was found to be enough is enough.
                if !names.iter().any(|name| name.contains(CUT)) {
                    let wide = width.max(short.least()).min(short.longest());
                    prop_assert!(short.width() <= wide);
                }
            }
        }
    }
}
