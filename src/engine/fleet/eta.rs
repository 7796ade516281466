//! How long a run will still take, derived from what the fleet has seen so far.
//! Must not: store anything.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::OutcomeKind;

use super::device_state::DeviceState;
use super::reducer::{Fleet, Phase};

/// Time left: a range, since devices differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Eta {
    /// If the rest goes as the quickest did.
    pub least: Duration,
    /// If the rest goes as the slowest did.
    pub most: Duration,
}

impl Fleet {
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
