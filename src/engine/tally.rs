//! Where a run stands: what is derived from the fleet's state and therefore not stored in it.
//! Must not: change anything.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{AuditVerdict, OutcomeKind, VerdictKind};

use super::fleet::{Fleet, Mode, Phase};
use super::row::{Row, RowState};

/// How many devices stand where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Their turn has not come.
    pub waiting: usize,
    /// Looked at, waiting for the confirmation.
    pub planned: usize,
    /// A task works on them.
    pub running: usize,
    done: [usize; OutcomeKind::ALL.len()],
}

impl Counts {
    /// How many ended like this.
    pub fn of(&self, kind: OutcomeKind) -> usize {
        self.done[kind as usize]
    }

    /// How many ended, in whatever way.
    pub fn done(&self) -> usize {
        self.done.iter().sum()
    }
}

/// How many devices' audit logs say what of their last attempt (section 9).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Audits {
    /// The upgrade's entry says OK.
    pub confirmed: usize,
    /// The entry says otherwise, or the file does not verify.
    pub contradicted: usize,
    /// There is no such entry.
    pub missing: usize,
    /// The log could not be judged.
    pub unavailable: usize,
}

impl Audits {
    /// All of them.
    pub fn total(&self) -> usize {
        self.confirmed + self.contradicted + self.missing + self.unavailable
    }
}

impl Fleet {
    /// What the audit logs say so far. A device counts from its verdict on, which comes before its end.
    pub fn audits(&self) -> Audits {
        let mut audits = Audits::default();
        for report in self.rows().iter().filter_map(|row| row.audit.as_ref()) {
            *match report.verdict {
                AuditVerdict::Confirmed { .. } => &mut audits.confirmed,
                AuditVerdict::Contradicted { .. } => &mut audits.contradicted,
                AuditVerdict::Missing { .. } => &mut audits.missing,
                AuditVerdict::Unavailable(_) => &mut audits.unavailable,
            } += 1;
        }
        audits
    }

    /// How long devices have been upgraded: from the first stage after the plan to the end of the
    /// last attempt. The time that a person spent on reading the plan does not count.
    pub fn elapsed(&self, now: Timestamp) -> Option<Duration> {
        let since = self.upgrading_since()?;
        let end = if self.rows().iter().any(Row::is_busy) {
            now
        } else {
            let last = self.rows().iter().filter_map(|r| r.ended).max();
            last.or(self.ended()).unwrap_or(now)
        };
        Some(Duration::try_from(end.duration_since(since)).unwrap_or_default())
    }

    /// How many devices a person may ask to be tried again.
    pub fn retryable(&self) -> usize {
        self.rows().iter().filter(|r| r.is_retryable()).count()
    }

    /// How many devices stand where.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in self.rows() {
            match &row.state {
                RowState::Waiting => counts.waiting += 1,
                RowState::Planned => counts.planned += 1,
                RowState::Starting | RowState::Running(_) => counts.running += 1,
                RowState::Done(outcome) => counts.done[outcome.kind() as usize] += 1,
            }
        }
        counts
    }

    /// How many devices the plan would treat like this.
    pub fn planned(&self, kind: VerdictKind) -> usize {
        self.rows()
            .iter()
            .filter(|r| matches!(r.state, RowState::Planned))
            .filter(|r| r.verdict.as_ref().is_some_and(|v| v.kind() == kind))
            .count()
    }

    /// Whether nothing runs and nothing will start by itself.
    pub fn is_over(&self) -> bool {
        let idle = !self.rows().iter().any(Row::is_busy);
        let waits_for_plan = matches!(self.phase(), Phase::Planning | Phase::Idle)
            || (self.phase() == Phase::Planned && self.mode() == Mode::Confirm);
        idle && (self.stop().is_some() || !waits_for_plan)
    }

    /// How far the fleet is, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
    pub fn fraction(&self) -> f64 {
        if self.rows().is_empty() {
            return 0.0;
        }
        self.rows().iter().map(Row::fraction).sum::<f64>() / self.rows().len() as f64
    }
}
