//! Durations as scenario files write them: `"300ms"`, `"20s"`, `"72h"`.
//! Must not: know what they are for.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

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
