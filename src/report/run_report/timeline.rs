//! What was done to a device, try by try.

use jiff::Timestamp;
use serde::Serialize;

use super::milliseconds;
use crate::engine::Step;
use crate::report::json::ms;

/// A try of a stage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StepReport {
    /// The attempt.
    pub attempt: u32,
    /// The stage.
    pub stage: String,
    /// Which try of it.
    #[serde(rename = "try")]
    pub try_no: u32,
    /// When it began.
    #[serde(serialize_with = "milliseconds")]
    pub at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
    /// The last HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What there is to say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl From<&Step> for StepReport {
    fn from(step: &Step) -> Self {
        Self {
            attempt: step.attempt,
            stage: step.stage.to_string(),
            try_no: step.try_no,
            at: step.at,
            took_ms: ms(step.took),
            status: step.status,
            note: (!step.note.is_empty()).then(|| step.note.clone()),
            reason: step.failure.as_ref().map(ToString::to_string),
            code: step.failure.as_ref().map(|kind| kind.code().to_owned()),
        }
    }
}
