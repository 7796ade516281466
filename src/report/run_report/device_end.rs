//! How a device ended and what it ran before and after, in the words that every report has for it: whether a whole run is
//! at hand, or only what lists keep of one.

use serde::{Serialize, Serializer};

use super::device_audit::DeviceAudit;
use crate::model::{AuditReport, DeviceVersion, Outcome, OutcomeKind};

/// How the last attempt on a device ended.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct DeviceEnd {
    /// The version before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version after the install.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The signature of the firmware before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_fws: Option<String>,
    /// The signature of the firmware after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_fws: Option<String>,
    /// How it ended; absent where it did not.
    #[serde(
        serialize_with = "outcome_word",
        skip_serializing_if = "Option::is_none"
    )]
    pub outcome: Option<OutcomeKind>,
    /// Why, or on what evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What its audit log says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<DeviceAudit>,
}

impl DeviceEnd {
    /// The end of a device that was `before`, and said `after` once something was installed.
    pub fn of(
        outcome: Option<&Outcome>,
        before: Option<&DeviceVersion>,
        after: Option<&DeviceVersion>,
        audit: Option<&AuditReport>,
    ) -> Self {
        let fws = |version: &DeviceVersion| version.fws.map(|fws| fws.to_string());
        Self {
            from: before.map(DeviceVersion::label),
            to: after.map(DeviceVersion::label),
            from_fws: before.and_then(fws),
            to_fws: after.and_then(fws),
            outcome: outcome.map(Outcome::kind),
            reason: outcome.map(Outcome::reason),
            code: outcome.map(|outcome| outcome.code().to_owned()),
            hint: outcome.and_then(Outcome::hint),
            audit: audit.map(DeviceAudit::from),
        }
    }
}

/// An outcome as the JSON lines have it.
pub(super) fn outcome_word<T, S>(outcome: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Copy + Into<Option<OutcomeKind>>,
    S: Serializer,
{
    let outcome: Option<OutcomeKind> = (*outcome).into();
    outcome.map(OutcomeKind::as_str).serialize(serializer)
}
