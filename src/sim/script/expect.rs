//! `expect = { … }` of a scenario: what is expected to become of a device. Whoever plays the scenario compares. The
//! reference of all keys is in [`super::scenario`].

use serde::Deserialize;

use super::values::{Runs, outcome, stage};
use crate::model::{OutcomeKind, Stage};

/// `expect = { … }`: what is to become of a device.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// How it ends.
    #[serde(deserialize_with = "outcome")]
    pub outcome: Option<OutcomeKind>,
    /// The stage that it ends in.
    #[serde(deserialize_with = "stage")]
    pub stage: Option<Stage>,
    /// The HTTP status behind it.
    pub status: Option<u16>,
    /// The JSON events' word for it.
    pub code: Option<String>,
    /// Retries that the client schedules by itself.
    pub retries: Option<u32>,
    /// Uploads that were completed.
    pub uploads: Option<u32>,
    /// Polls of the verification.
    pub checks: Option<u32>,
    /// Install requests received.
    pub installs: Option<u32>,
    /// Tokens issued.
    pub logins: Option<u32>,
    /// Image bytes received in all uploads together.
    pub image_bytes: Option<u64>,
    /// What it runs in the end.
    pub runs: Option<Runs>,
    /// Uploads of a management app that were completed.
    pub ui_uploads: Option<u32>,
    /// Requests to install a management app.
    pub ui_installs: Option<u32>,
    /// Which management app it serves in the end.
    pub runs_ui: Option<Runs>,
    /// Approvals on the phone.
    pub approvals: Option<u32>,
    /// Requests to the phone that the client withdrew.
    pub withdrawn: Option<u32>,
    /// The audit log's verdict.
    pub audit: Option<AuditWord>,
    /// How it ends once a person retried.
    #[serde(deserialize_with = "outcome")]
    pub after_retry: Option<OutcomeKind>,
}

/// A verdict, in the JSON events' word for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditWord {
    /// The log says that it went well.
    Confirmed,
    /// The log says otherwise, or does not verify.
    Contradicted,
    /// The log does not say.
    Missing,
    /// The log could not be read.
    Unavailable,
}

impl AuditWord {
    /// As in scenario files and JSON events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Contradicted => "contradicted",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
        }
    }
}
