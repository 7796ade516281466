//! How a rollout is held back (inventory table `[rollout]`), with its defaults. The harm is counted in `engine::fleet`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a rollout is held back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rollout {
    /// When a bad image is halted.
    pub max_failures: MaxFailures,
}

/// How many devices an install may leave worse, or in doubt, before the run is halted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxFailures {
    /// So many. None means what one means: the first halts the run.
    Number(u32),
    /// So many per cent of the devices that are to be upgraded, 1 to 100.
    Share(u8),
}

impl Default for MaxFailures {
    fn default() -> Self {
        Self::Number(3)
    }
}

impl MaxFailures {
    /// The count at which the run is halted, where `devices` are to be upgraded. A share is rounded down;
    /// it is never less than 1.
    pub fn allowed(self, devices: usize) -> usize {
        let allowed = match self {
            Self::Number(n) => usize::try_from(n).unwrap_or(usize::MAX),
            Self::Share(percent) => devices.saturating_mul(usize::from(percent)) / 100,
        };
        allowed.max(1)
    }
}

impl fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Share(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Why a text is no [`MaxFailures`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MaxFailuresError {
    /// It is neither.
    #[error("neither a number of devices, such as 3, nor a share of them, such as 5%")]
    Neither,
    /// A share that is none.
    #[error("a share is 1% to 100%, in whole per cent")]
    Share,
}

impl FromStr for MaxFailures {
    type Err = MaxFailuresError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok()).flatten()
        };
        let Some(share) = text.strip_suffix('%') else {
            return number(text)
                .map(Self::Number)
                .ok_or(MaxFailuresError::Neither);
        };
        match number(share.trim_end()).map(u8::try_from) {
            Some(Ok(percent @ 1..=100)) => Ok(Self::Share(percent)),
            _ => Err(MaxFailuresError::Share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_shares() {
        for (text, wanted) in [
            ("0", Ok(MaxFailures::Number(0))),
            ("3", Ok(MaxFailures::Number(3))),
            ("5%", Ok(MaxFailures::Share(5))),
            ("100 %", Ok(MaxFailures::Share(100))),
            ("0%", Err(MaxFailuresError::Share)),
            ("101%", Err(MaxFailuresError::Share)),
            ("2.5%", Err(MaxFailuresError::Share)),
            ("", Err(MaxFailuresError::Neither)),
            ("-1", Err(MaxFailuresError::Neither)),
            ("+1", Err(MaxFailuresError::Neither)),
            ("three", Err(MaxFailuresError::Neither)),
            ("99999999999", Err(MaxFailuresError::Neither)),
        ] {
            assert_eq!(text.parse(), wanted, "{text:?}");
        }
    }

    #[test]
    fn the_first_failure_halts_the_run_at_the_least() {
        for (max, devices, allowed) in [
            (MaxFailures::Number(0), 100, 1),
            (MaxFailures::Number(3), 1, 3),
            (MaxFailures::Share(5), 0, 1),
            (MaxFailures::Share(5), 19, 1),
            (MaxFailures::Share(5), 59, 2),
            (MaxFailures::Share(5), 20_000, 1000),
            (MaxFailures::Share(100), 7, 7),
        ] {
            assert_eq!(max.allowed(devices), allowed, "{max} of {devices}");
        }
    }
}
