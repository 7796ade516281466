//! Where a run stands and how long it will still take, derived from the fleet's state at each call. The numbers behind
//! it are kept in `counts`.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{OutcomeKind, VerdictKind};

use super::counts::{Audits, Counts};
use super::device_state::DeviceState;
use super::reducer::{Fleet, Mode, Phase};

/// Time left: a range, since devices differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Eta {
    /// If the rest goes as the quickest did.
    pub least: Duration,
    /// If the rest goes as the slowest did.
    pub most: Duration,
}

impl Fleet {
    /// What the audit logs say so far. A device counts from its verdict on, which comes before its end.
    pub fn audits(&self) -> Audits {
        self.counters().audits
    }

    /// How long devices have been upgraded: from the first stage after the plan to the end of the
    /// last attempt. The time that a person spent on reading the plan does not count.
    pub fn elapsed(&self, now: Timestamp) -> Option<Duration> {
        let since = self.upgrading_since()?;
        let end = if self.counters().busy() > 0 {
            now
        } else {
            let last = self.devices().iter().filter_map(|r| r.ended).max();
            last.or(self.ended()).unwrap_or(now)
        };
        Some(Duration::try_from(end.duration_since(since)).unwrap_or_default())
    }

    /// How many devices a person may ask to be tried again.
    pub fn retryable(&self) -> usize {
        self.counters().retryable
    }

    /// How many devices stand where.
    pub fn counts(&self) -> Counts {
        self.counters().counts
    }

    /// How many devices the plan would treat like this.
    pub fn planned(&self, kind: VerdictKind) -> usize {
        self.counters().verdicts[kind as usize]
    }

    /// How many devices an install would be sent to once the plan is confirmed: the number to type.
    pub fn to_confirm(&self) -> usize {
        self.counters().to_confirm
    }

    /// How many devices a person left out of the plan that is shown, and an install would be sent to otherwise.
    pub fn left_out(&self) -> usize {
        self.counters().left_out
    }

    /// How many devices the plan refuses since the image is older than what they run.
    pub fn refused_downgrades(&self) -> usize {
        self.counters().refused_downgrades
    }

    /// How many devices wait for their secret to be typed.
    pub fn secrets_wanted(&self) -> usize {
        self.counters().secrets
    }

    /// Whether nothing runs and nothing will start by itself.
    pub fn is_over(&self) -> bool {
        let idle = self.counters().busy() == 0;
        let waits_for_plan = matches!(self.phase(), Phase::Planning | Phase::Idle)
            || (self.phase() == Phase::Planned && self.mode() == Mode::Confirm);
        idle && (self.stop().is_some() || !waits_for_plan)
    }

    /// How far the fleet is, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
    pub fn fraction(&self) -> f64 {
        if self.devices().is_empty() {
            return 0.0;
        }
        self.devices()
            .iter()
            .map(DeviceState::fraction)
            .sum::<f64>()
            / self.devices().len() as f64
    }

    /// Time left, once one device has been upgraded and while something is still to do.
    pub fn eta(&self, now: Timestamp) -> Option<Eta> {
        if self.phase() != Phase::Upgrading {
            return None;
        }
        let took: Vec<Duration> = self
            .devices()
            .iter()
            .filter(|r| r.outcome_kind() == Some(OutcomeKind::Upgraded))
            .filter_map(|r| r.elapsed(now))
            .collect();
        let (quick, slow) = (took.iter().min()?, took.iter().max()?);
        let busy: Vec<&DeviceState> = self.devices().iter().filter(|r| r.is_busy()).collect();
        if busy.is_empty() {
            return None;
        }
        Some(Eta {
            least: rest(&busy, *quick, self.concurrency()),
            most: rest(&busy, *slow, self.concurrency()),
        })
    }
}

/// The longest rest of a single device, or all the work shared by the slots, whichever is more.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn rest(busy: &[&DeviceState], each: Duration, slots: usize) -> Duration {
    let rests: Vec<f64> = busy.iter().map(|r| 1.0 - r.fraction()).collect();
    let longest = rests.iter().copied().fold(0.0, f64::max);
    let shared = rests.iter().sum::<f64>() / slots as f64;
    each.mul_f64(longest.max(shared))
}
