//! What the plan says of a device before anything is changed. It is decided in `engine::procedure::plan`.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::model::{Failure, FailureKind, Outcome, Skip, Stage, Touched};

/// What the plan says of a device, before anything is changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It will be upgraded.
    Upgrade {
        /// What the operator should know first, such as an unset clock or `--force`.
        notes: Vec<String>,
    },
    /// The image is older than what it runs.
    Downgrade {
        /// What the operator should know first.
        notes: Vec<String>,
        /// Why it is left alone; absent with `--allow-downgrade`.
        refused: Option<Failure>,
    },
    /// An install may have been sent to it before: it is watched until that is known.
    Watch {
        /// When and by whom, and what was seen.
        notes: Vec<String>,
        /// Whether an install of this run may follow once that is known: then it is for a person to confirm.
        goes_on: bool,
    },
    /// It runs the image already.
    Current,
    /// It is left alone.
    Skip(Skip),
    /// It cannot be upgraded as things are.
    Cannot(Failure),
}

/// [`Verdict`] without its reasons.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum VerdictKind {
    /// See [`Verdict::Upgrade`].
    Upgrade,
    /// See [`Verdict::Downgrade`].
    Downgrade,
    /// See [`Verdict::Watch`].
    Watch,
    /// See [`Verdict::Current`].
    Current,
    /// See [`Verdict::Skip`].
    Skip,
    /// See [`Verdict::Cannot`].
    Cannot,
}

impl VerdictKind {
    /// All of them, as they are declared.
    pub const ALL: [Self; 6] = [
        Self::Upgrade,
        Self::Downgrade,
        Self::Watch,
        Self::Current,
        Self::Skip,
        Self::Cannot,
    ];

    /// One word for screen and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Watch => "watch",
            Self::Current => "current",
            Self::Skip => "skip",
            Self::Cannot => "cannot",
        }
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Verdict {
    /// The kind without the reasons.
    pub fn kind(&self) -> VerdictKind {
        match self {
            Self::Upgrade { .. } => VerdictKind::Upgrade,
            Self::Downgrade { .. } => VerdictKind::Downgrade,
            Self::Watch { .. } => VerdictKind::Watch,
            Self::Current => VerdictKind::Current,
            Self::Skip(_) => VerdictKind::Skip,
            Self::Cannot(_) => VerdictKind::Cannot,
        }
    }

    /// One line saying why.
    pub fn reason(&self) -> String {
        match self {
            Self::Downgrade {
                refused: Some(f), ..
            }
            | Self::Cannot(f) => f.kind.to_string(),
            Self::Upgrade { notes } | Self::Downgrade { notes, .. } | Self::Watch { notes, .. } => {
                notes.join(" · ")
            }
            Self::Current => "runs this very image".to_owned(),
            Self::Skip(s) => s.to_string(),
        }
    }

    /// Why the device is not upgraded although it should be.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Cannot(failure) => Some(failure),
            Self::Downgrade { refused, .. } => refused.as_ref(),
            Self::Upgrade { .. } | Self::Watch { .. } | Self::Current | Self::Skip(_) => None,
        }
    }

    /// Whether an install follows.
    pub fn installs(&self) -> bool {
        self.outcome().is_none() && !matches!(self, Self::Watch { goes_on: false, .. })
    }

    /// The outcome of a device that nothing more is done with because of this verdict.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Current => Some(Outcome::Current),
            Self::Skip(s) => Some(Outcome::Skipped(*s)),
            Self::Watch { .. } => None,
            Self::Upgrade { .. } | Self::Downgrade { .. } | Self::Cannot(_) => {
                self.failure().cloned().map(Outcome::Failed)
            }
        }
    }
}

impl From<FailureKind> for Verdict {
    /// A failure of the look itself, which touches nothing.
    fn from(kind: FailureKind) -> Self {
        let older = matches!(kind, FailureKind::Downgrade { .. });
        let failure = Failure {
            stage: Stage::Probe,
            kind,
            touched: Touched::Nothing,
        };
        if older {
            return Self::Downgrade {
                notes: Vec::new(),
                refused: Some(failure),
            };
        }
        Self::Cannot(failure)
    }
}
