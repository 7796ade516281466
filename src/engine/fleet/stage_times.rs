//! How long stages take: by experience at first, and then as this run measured them. What earlier runs measured is in
//! `usual_times`.

use std::time::Duration;

use crate::engine::usual_times::UsualTime;
use crate::model::Stage;

/// How far a stage may differ from its usual time before one of it was measured.
const UNMEASURED: (f64, f64) = (0.7, 1.5);
/// How far it may always differ: few were measured, and the next device is another one.
const MEASURED: f64 = 0.1;
/// How many standard deviations the 95th percentile is above the middle, where times spread as they mostly do.
const OF_P95: f64 = 1.645;

/// What the stages of a run took where they succeeded.
#[derive(Clone, Debug, Default)]
pub(super) struct StageTimes([Taken; Stage::ALL.len()]);

#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    count: f64,
    sum: f64,
    squares: f64,
    extremes: Option<(Duration, Duration)>,
}

impl StageTimes {
    /// A try of a stage succeeded.
    pub(super) fn take(&mut self, stage: Stage, took: Duration) {
        let taken = &mut self.0[stage as usize];
        let seconds = took.as_secs_f64();
        taken.count += 1.0;
        taken.sum += seconds;
        taken.squares += seconds * seconds;
        let (least, most) = taken.extremes.unwrap_or((took, took));
        taken.extremes = Some((least.min(took), most.max(took)));
    }

    /// The quickest and the slowest so far.
    pub(super) fn extremes(&self, stage: Stage) -> Option<(Duration, Duration)> {
        self.0[stage as usize].extremes
    }

    /// Between how many seconds a stage most probably takes: as this run measured, else as `earlier` runs did.
    pub(super) fn seconds(&self, stage: Stage, earlier: Option<&UsualTime>) -> (f64, f64) {
        let taken = self.0[stage as usize];
        if taken.count >= 1.0 {
            let mean = taken.sum / taken.count;
            let variance = (taken.squares / taken.count - mean * mean).max(0.0);
            return around(mean, variance.sqrt());
        }
        if let Some(earlier) = earlier {
            let (middle, most) = (earlier.p50.as_secs_f64(), earlier.p95.as_secs_f64());
            return around(middle, (most - middle) / OF_P95);
        }
        let usual = usual(stage);
        (usual * UNMEASURED.0, usual * UNMEASURED.1)
    }
}

/// Half a standard deviation less and more.
fn around(middle: f64, deviation: f64) -> (f64, f64) {
    let half = (deviation / 2.0).max(middle * MEASURED);
    ((middle - half).max(0.0), middle + half)
}

/// The seconds that a stage usually takes.
fn usual(stage: Stage) -> f64 {
    match stage {
        Stage::Probe | Stage::VerifyUi | Stage::Verify => 1.0,
        Stage::Checkin | Stage::Login | Stage::InstallUi | Stage::Install => 2.0,
        Stage::UploadUi | Stage::Upload => 8.0,
        Stage::CheckUi | Stage::Audit => 5.0,
        Stage::Check => 30.0,
        Stage::Reboot => 45.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_replaces_what_is_usual() {
        let mut times = StageTimes::default();
        assert_eq!(times.seconds(Stage::Check, None), (21.0, 45.0));
        assert_eq!(times.extremes(Stage::Check), None);
        times.take(Stage::Check, Duration::from_secs(10));
        assert_eq!(times.seconds(Stage::Check, None), (9.0, 11.0));
        times.take(Stage::Check, Duration::from_secs(30));
        assert_eq!(times.seconds(Stage::Check, None), (15.0, 25.0));
        let extremes = (Duration::from_secs(10), Duration::from_secs(30));
        assert_eq!(times.extremes(Stage::Check), Some(extremes));
        assert_eq!(times.seconds(Stage::Probe, None), (0.7, 1.5));
    }

    #[test]
    fn earlier_runs_count_until_this_one_has_measured() {
        let usual = |p50, p95| UsualTime {
            hwv: None,
            stage: Stage::Check,
            p50: Duration::from_secs(p50),
            p95: Duration::from_secs(p95),
            measured: 20,
        };
        let mut times = StageTimes::default();
        // Nobody is as even as that.
        assert_eq!(
            times.seconds(Stage::Check, Some(&usual(60, 60))),
            (54.0, 66.0)
        );
        let (least, most) = times.seconds(Stage::Check, Some(&usual(60, 93)));
        assert_eq!((least.round(), most.round()), (50.0, 70.0));
        times.take(Stage::Check, Duration::from_secs(10));
        assert_eq!(
            times.seconds(Stage::Check, Some(&usual(60, 60))),
            (9.0, 11.0)
        );
    }
}
