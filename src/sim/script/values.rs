//! Values that several tables of a scenario hold: durations (`"300ms"`, `"20s"`, `"72h"`), `http` or `https`, what a
//! device runs, and words of `model`.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::model::{OutcomeKind, Stage};

/// A duration, written as text with a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct ScriptDuration(pub Duration);

impl ScriptDuration {
    /// From milliseconds.
    pub const fn millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }
}

impl TryFrom<String> for ScriptDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|e| format!("{text:?} is no duration such as \"300ms\" or \"20s\": {e}"))
    }
}

impl fmt::Display for ScriptDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// Which firmware runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runs {
    /// The one before.
    #[default]
    Old,
    /// The scenario's image.
    Image,
    /// Neither.
    Other,
}

/// `http` or `https`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkScheme {
    /// Unencrypted.
    Http,
    /// TLS.
    #[default]
    Https,
}

impl LinkScheme {
    /// As in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

pub(super) fn outcome<'de, D: serde::Deserializer<'de>>(
    de: D,
) -> Result<Option<OutcomeKind>, D::Error> {
    word(de, &OutcomeKind::ALL, OutcomeKind::as_str)
}

pub(in crate::sim) fn stage<'de, D: serde::Deserializer<'de>>(
    de: D,
) -> Result<Option<Stage>, D::Error> {
    word(de, &Stage::ALL, Stage::as_str)
}

/// Reads a word of the vocabulary, whose one spelling stands in `model`.
fn word<'de, D: serde::Deserializer<'de>, T: Copy>(
    de: D,
    all: &[T],
    spelling: fn(T) -> &'static str,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(de)?;
    let found = all.iter().copied().find(|t| spelling(*t) == text);
    found.map(Some).ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|t| spelling(*t)).collect();
        serde::de::Error::custom(format!("{text:?} is none of {}", words.join(", ")))
    })
}
