//! `[rollout]`: how a rollout is held back.
//! Must not: hold a default (those stand with the values, in `model`).

use toml::de::DeValue;

use super::file::table;
use crate::config::toml::reader::{Given, Reader, Section, mismatch, number};
use crate::config::toml::value::{Checked, Complaint};
use crate::model::{MaxFailures, MaxFailuresError, Rollout};

pub(super) const ROLLOUT: &[&str] = &["max_failures"];

/// What the file says of it.
#[derive(Debug, Default)]
pub(in crate::config) struct RolloutPart {
    max_failures: Given<MaxFailures>,
}

impl RolloutPart {
    /// The values given, and the defaults for the others.
    pub(in crate::config) fn fill(&self) -> Rollout {
        Rollout {
            max_failures: self.max_failures.value().copied().unwrap_or_default(),
        }
    }
}

/// Reads all of it.
pub(in crate::config) fn read(reader: &mut Reader, root: &Section<'_>) -> RolloutPart {
    let mut part = RolloutPart::default();
    if let Some(s) = table(reader, root, "rollout", ROLLOUT) {
        part.max_failures = s.take(reader, "max_failures", max_failures);
    }
    part
}

/// A number of devices, or a share of them in quotes.
fn max_failures(value: &DeValue<'_>) -> Checked<MaxFailures> {
    const HINT: &str = "write a number, such as 3, or a share in quotes, such as \"5%\"";
    let parsed = match value {
        DeValue::Integer(_) => number(value)?.to_string().parse(),
        _ => match value.as_str() {
            Some(text) => text.trim().parse(),
            None => return Err(mismatch("a number or a share", value).hint(HINT)),
        },
    };
    // What stands there is not repeated: it may be anything.
    parsed.map_err(|e: MaxFailuresError| Complaint::new(e.to_string()).hint(HINT))
}
