//! A key of a table, with what its value may be. The reader takes names and bounds from here, and so does the schema for
//! editors.

use std::ops::RangeInclusive;
use std::time::Duration;

/// One key.
#[derive(Debug)]
pub(in crate::config) struct Key {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) value: Value,
}

/// What a value may be.
#[derive(Debug)]
pub(in crate::config) enum Value {
    /// Text in quotes.
    Text,
    /// A whole number within these bounds.
    Number(RangeInclusive<i64>),
    /// A number from 0 on, or text in quotes.
    NumberOrText,
    /// A duration in quotes within these bounds.
    Duration(RangeInclusive<Duration>),
    /// `true` or `false`.
    Flag,
    /// `true`; `false` would say nothing.
    True,
    /// `true`, `false` or this word.
    FlagOr(&'static str),
    /// One of these words.
    Choice(fn() -> Vec<&'static str>),
    /// A list of texts; whether it may be empty.
    Texts { may_be_empty: bool },
    /// A table; each of its keys may be left out.
    Table(&'static [Key]),
    /// A list of tables, each with at least the first of these keys.
    Tables(&'static [Key]),
    /// A table of which each key is a name, and each value one of [`Value::OneOf`].
    Named(&'static [Key]),
    /// A table with exactly one of these keys.
    OneOf(&'static [Key]),
    /// A table whose first key says which of the others belong to it, or this word alone.
    ByKind {
        keys: &'static [Key],
        kinds: &'static [Kind],
        word: &'static str,
    },
}

/// A word, and the keys that come with it; the first of them has to be there.
pub(in crate::config) type Kind = (&'static str, &'static [&'static str]);

impl Key {
    pub(in crate::config) const fn new(name: &'static str, value: Value) -> Self {
        Self { name, value }
    }

    pub(in crate::config) const fn text(name: &'static str) -> Self {
        Self::new(name, Value::Text)
    }

    pub(in crate::config) const fn number(name: &'static str, of: RangeInclusive<i64>) -> Self {
        Self::new(name, Value::Number(of))
    }

    /// A duration within these bounds, in milliseconds.
    pub(in crate::config) const fn duration(name: &'static str, min: u64, max: u64) -> Self {
        let bounds = RangeInclusive::new(Duration::from_millis(min), Duration::from_millis(max));
        Self::new(name, Value::Duration(bounds))
    }
}

/// The names of keys.
pub(in crate::config) fn names(keys: &'static [Key]) -> impl Iterator<Item = &'static str> + Clone {
    keys.iter().map(|key| key.name)
}
