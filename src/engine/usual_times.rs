//! How long the stages of earlier runs took, for each model of device: what a run goes by until it has measured for itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Stage;

/// From how many measurements on one says what is usual.
const ENOUGH: usize = 3;

/// What the stages of earlier runs took where they succeeded.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UsualTimes(Vec<UsualTime>);

/// What one stage took on one model of device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsualTime {
    /// The model, as its devices report `hwv`; absent where it is all of them.
    pub hwv: Option<String>,
    /// The stage.
    pub stage: Stage,
    /// Half of them took no longer.
    pub p50: Duration,
    /// Nineteen of twenty took no longer.
    pub p95: Duration,
    /// How many were measured.
    pub measured: usize,
}

impl UsualTimes {
    /// What is usual where this was measured: the model of a device, the stage, and how long it took.
    pub fn of(measured: impl IntoIterator<Item = (String, Stage, Duration)>) -> Self {
        let mut taken: BTreeMap<(Option<String>, Stage), Vec<Duration>> = BTreeMap::new();
        for (hwv, stage, took) in measured {
            taken.entry((None, stage)).or_default().push(took);
            taken.entry((Some(hwv), stage)).or_default().push(took);
        }
        let enough = taken.into_iter().filter(|(_, taken)| taken.len() >= ENOUGH);
        let usual = enough.map(|((hwv, stage), mut taken)| {
            taken.sort_unstable();
            UsualTime {
                hwv,
                stage,
                p50: percentile(&taken, 50),
                p95: percentile(&taken, 95),
                measured: taken.len(),
            }
        });
        Self(usual.collect())
    }

    /// What `stage` took on devices of this model; on all, where too few of that model, or nothing, is known.
    pub fn get(&self, hwv: Option<&str>, stage: Stage) -> Option<&UsualTime> {
        let of = |model: Option<&str>| {
            let mut all = self.0.iter();
            all.find(|usual| usual.stage == stage && usual.hwv.as_deref() == model)
        };
        of(hwv).or_else(|| of(None))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it, model by model.
    pub fn all(&self) -> &[UsualTime] {
        &self.0
    }
}

/// The smallest of these, in order, that so many per cent do not exceed.
fn percentile(taken: &[Duration], percent: usize) -> Duration {
    let at_least = (taken.len() * percent).div_ceil(100);
    let n = at_least.saturating_sub(1);
    taken.get(n).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn half_of_them_and_nineteen_of_twenty() {
        let of = |model: &str, all: std::ops::RangeInclusive<u64>| {
            let model = model.to_owned();
            all.map(move |n| (model.clone(), Stage::Check, seconds(n)))
        };
        let usual = UsualTimes::of(of("PPA rev 2.2", 1..=20).chain(of("PPA rev 3", 100..=101)));
        let ppa = usual.get(Some("PPA rev 2.2"), Stage::Check).unwrap();
        assert_eq!(
            (ppa.p50, ppa.p95, ppa.measured),
            (seconds(10), seconds(19), 20)
        );
        // Two say nothing of a model by themselves, and count among all.
        let all = usual.get(Some("PPA rev 3"), Stage::Check).unwrap();
        assert_eq!(
            (all.hwv.as_deref(), all.p50, all.p95),
            (None, seconds(11), seconds(100))
        );
        assert_eq!(usual.get(None, Stage::Check), Some(all));
        assert_eq!(usual.get(None, Stage::Reboot), None);
        assert!(UsualTimes::of([]).is_empty());
    }

    #[test]
    fn a_few_are_in_order_as_well() {
        let three = [30, 10, 20].map(|n| ("x".to_owned(), Stage::Reboot, seconds(n)));
        let usual = UsualTimes::of(three);
        let all = usual.get(None, Stage::Reboot).unwrap();
        assert_eq!((all.p50, all.p95), (seconds(20), seconds(30)));
    }
}
