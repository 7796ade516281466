//! Who went on with a run that had broken off, as reports and lists tell it.

use jiff::Timestamp;
use serde::Serialize;

use super::milliseconds;
use crate::engine::{Fleet, GoneOn};
use crate::model::printable;

/// Another process went on with the run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GoneOnReport {
    /// When.
    #[serde(serialize_with = "milliseconds")]
    pub at: Timestamp,
    /// Who: the user, the machine and the process.
    pub by: String,
    /// Whether the process before it had died.
    pub died: bool,
}

impl GoneOnReport {
    /// All of a run, the first one first.
    pub(super) fn all_of(fleet: &Fleet) -> Vec<Self> {
        fleet.gone_on().iter().map(Self::from).collect()
    }

    /// The same in words, with the time as it is shown.
    pub(in crate::report) fn words(&self, at: &str) -> String {
        let how = if self.died {
            "its process had died"
        } else {
            "it had been stopped"
        };
        format!("{at} by {}: {how}", self.by)
    }
}

impl From<&GoneOn> for GoneOnReport {
    fn from(gone_on: &GoneOn) -> Self {
        Self {
            at: gone_on.at,
            by: printable(&gone_on.by, 4096),
            died: gone_on.died,
        }
    }
}
