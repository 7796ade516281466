//! What is staged of a component, and how far its verification is (sections [7](crate::hem#7-firmware-upgrade) and
//! [8](crate::hem#8-management-app)). The requests that fill a slot and ask after it are in `api/upload_and_check.rs`.

use bytes::Bytes;
use tokio::time::Instant;

/// A file that was uploaded.
#[derive(Clone)]
pub(in crate::sim) struct Staged {
    pub(in crate::sim) bytes: Bytes,
    pub(in crate::sim) name: String,
    /// Counts uploads, to tell this one from the one before.
    pub(in crate::sim) number: u32,
}

/// The device's own verification of a staged file.
pub(in crate::sim) enum Check<T> {
    /// Not asked for.
    Idle,
    /// Running.
    Running {
        since: Instant,
        /// How often 202 was answered.
        polls: u32,
        endless: bool,
        /// What it will find out.
        finding: Option<T>,
    },
    /// Done: what it found out, if the file is valid.
    Done(Option<T>),
}

/// What is staged of a component, and what is known of it.
pub(in crate::sim) struct Slot<T> {
    pub(in crate::sim) staged: Option<Staged>,
    pub(in crate::sim) check: Check<T>,
}

impl<T> Slot<T> {
    pub(in crate::sim) fn empty() -> Self {
        Self {
            staged: None,
            check: Check::Idle,
        }
    }

    /// Replaces what was staged before.
    pub(in crate::sim) fn stage(&mut self, staged: Staged) {
        self.staged = Some(staged);
    }

    pub(in crate::sim) fn is_empty(&self) -> bool {
        self.staged.is_none()
    }

    /// What may be installed.
    pub(in crate::sim) fn verified(&self) -> Option<&T> {
        match &self.check {
            Check::Done(finding) => finding.as_ref(),
            _ => None,
        }
    }
}

impl<T> Check<T> {
    /// Answers one more question after a verification: 202 until it `is_over`, which is told when the verification
    /// began and how often 202 was answered; then 200 or 406, again and again.
    pub(in crate::sim) fn poll(&mut self, is_over: impl FnOnce(Instant, u32) -> bool) -> u16 {
        if let Self::Running {
            since,
            polls,
            endless,
            finding,
        } = self
        {
            if *endless || !is_over(*since, *polls) {
                *polls += 1;
                return 202;
            }
            *self = Self::Done(finding.take());
        }
        match self {
            Self::Done(Some(_)) => 200,
            _ => 406,
        }
    }
}
