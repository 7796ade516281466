//! Where a run stands and how long it will still take, derived from the fleet's state at each call. The numbers behind
//! it are kept in `counts`.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::engine::event::{DeviceFact, Progress};
use crate::engine::usual_times::{UsualTime, UsualTimes};
use crate::model::{PayloadFacts, Stage, Timeouts, Verdict, VerdictKind};

use super::counts::{Audits, Counts};
use super::device_state::DeviceState;
use super::reducer::{Fleet, Mode, Phase};
use super::run_clock::span;

/// For how long after an install silence is normal at the least: whoever is told otherwise too early pulls the power.
const SHORTEST_SILENCE: Duration = Duration::from_secs(20);

/// Time left: a range, since devices differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Eta {
    /// If the rest goes rather quickly.
    pub least: Duration,
    /// If the rest goes rather slowly.
    pub most: Duration,
}

impl Fleet {
    /// The same fleet, whose devices may take these times.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: &Timeouts) -> Self {
        self.check_limit = timeouts.check;
        self.facts_mut().check_limit = timeouts.check;
        self
    }

    /// The same fleet, whose stages took these times in earlier runs.
    #[must_use]
    pub fn with_usual_times(mut self, usual: UsualTimes) -> Self {
        self.facts_mut().usual = usual;
        self
    }

    /// How long a device may check an image before that counts as failed.
    pub fn check_limit(&self) -> Duration {
        self.check_limit
    }

    /// What the audit logs say so far. A device counts from its verdict on, which comes before its end.
    pub fn audits(&self) -> Audits {
        self.counters().audits
    }

    /// How long devices have been upgraded: from the first stage after the plan, while something ran or was going to.
    /// The time that a person spent on reading the plan, or on anything before a retry, does not count.
    pub fn elapsed(&self, now: Timestamp) -> Option<Duration> {
        self.clock.elapsed(now)
    }

    /// Takes in what an event says of how long things take.
    pub(super) fn measure(&mut self, n: usize, at: Timestamp, fact: &DeviceFact) {
        if let DeviceFact::StageFinished {
            stage,
            took,
            failure: None,
            ..
        } = fact
        {
            self.times.take(*stage, *took);
        }
        if self.clock.runs() || self.devices[n].started.is_some() {
            self.tick(at);
        }
    }

    /// Something happened that may begin or end the work of the run.
    pub(super) fn tick(&mut self, at: Timestamp) {
        if self.phase() == Phase::Upgrading {
            self.clock.tick(at, self.works());
        }
    }

    /// Whether something goes on without a person.
    fn works(&self) -> bool {
        if !self.is_halted() {
            return self.counters().busy() > 0;
        }
        // Nothing new starts, and those that are held before their install wait as well.
        let mut devices = self.devices().iter();
        devices.any(|device| device.has_task() && !device.wants_permit)
    }

    /// The quickest and the slowest success of this stage so far.
    pub fn took(&self, stage: Stage) -> Option<(Duration, Duration)> {
        self.times.extremes(stage)
    }

    /// What this stage took on devices like this one in earlier runs.
    pub fn usual(&self, device: &DeviceState, stage: Stage) -> Option<&UsualTime> {
        self.facts().usual.get(model_of(device), stage)
    }

    /// For how long after its install a device may well be silent: as long as others of this run took and half of that,
    /// else as long as its model took in earlier runs. `said` is what counts where neither is known.
    pub fn normal_silence(&self, device: &DeviceState, said: Duration) -> Duration {
        let slowest = self.took(Stage::Reboot).map(|(_, most)| most);
        let earlier = || self.usual(device, Stage::Reboot).map(|usual| usual.p95);
        match slowest.or_else(earlier) {
            Some(took) => took.saturating_add(took / 2).max(SHORTEST_SILENCE),
            None => said,
        }
    }

    /// Bytes a second of all uploads together; nothing where none has a rate.
    pub fn upload_rate(&self, now: Timestamp) -> Option<f64> {
        let uploads = self.devices().iter().filter_map(DeviceState::active);
        let rates = uploads.filter_map(|active| match active.progress {
            Some(Progress::Bytes { sent, total }) if sent < total => active.rate.per_second(now),
            _ => None,
        });
        rates.reduce(|sum, rate| sum + rate)
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

    /// How many devices are watched once the plan is confirmed, before anything else or to their end.
    pub fn to_watch(&self) -> usize {
        self.planned(VerdictKind::Watch)
    }

    /// How many of [`Self::to_watch`] are upgraded afterwards, if they still need it; these are in [`Self::to_confirm`].
    pub fn to_watch_first(&self) -> usize {
        let devices = self.devices().iter();
        let watched = |device: &&DeviceState| matches!(device.verdict, Some(Verdict::Watch { .. }));
        let to_confirm = devices.filter(|device| device.is_to_confirm());
        to_confirm.filter(watched).count()
    }

    /// How many devices were brought to an end before the plan that is shown, which is that of a run that goes on.
    pub fn finished_before(&self) -> usize {
        if !self.has_begun() || self.phase() == Phase::Upgrading {
            return 0;
        }
        let devices = self.devices().iter();
        devices.filter(|device| !device.is_unfinished()).count()
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

    /// Time left, while something is still to do: by the usual times of the stages, by what earlier runs took, and by what
    /// this run took once it has come so far.
    pub fn eta(&self, now: Timestamp) -> Option<Eta> {
        if self.phase() != Phase::Upgrading || self.counters().busy() == 0 {
            return None;
        }
        let mut of_models: HashMap<Option<&str>, Vec<(Stage, f64, f64)>> = HashMap::new();
        let (mut least, mut most) = (Work::default(), Work::default());
        for device in self.devices().iter().filter(|device| device.is_busy()) {
            let model = model_of(device);
            let stages = of_models.entry(model).or_insert_with(|| self.stages(model));
            let (quick, slow) = rest(device, stages, now);
            least.add(quick);
            most.add(slow);
        }
        Some(Eta {
            least: least.time(self.concurrency()),
            most: most.time(self.concurrency()),
        })
    }

    /// The stages that a device of this model goes through in this run, with the seconds that each takes.
    fn stages(&self, model: Option<&str>) -> Vec<(Stage, f64, f64)> {
        let PayloadFacts { app, firmware } = self.payload();
        let read = matches!(self.mode(), Mode::Audit { .. }) || self.took(Stage::Audit).is_some();
        let stages = Stage::ALL.into_iter().filter(|stage| match stage {
            Stage::Probe | Stage::Login => true,
            // Few devices need it.
            Stage::Checkin => false,
            Stage::UploadUi | Stage::CheckUi | Stage::InstallUi | Stage::VerifyUi => app.is_some(),
            Stage::Upload | Stage::Check | Stage::Install | Stage::Reboot | Stage::Verify => {
                firmware.is_some()
            }
            Stage::Audit => read,
        });
        let timed = stages.map(|stage| {
            let earlier = self.facts().usual.get(model, stage);
            let (quick, slow) = self.times.seconds(stage, earlier);
            (stage, quick, slow)
        });
        timed.collect()
    }
}

/// The model of a device, once it has said it.
fn model_of(device: &DeviceState) -> Option<&str> {
    device.seen.as_ref().map(|seen| seen.version.hwv.as_str())
}

/// What is left to do, in seconds.
#[derive(Default)]
struct Work {
    all: f64,
    longest: f64,
}

impl Work {
    fn add(&mut self, seconds: f64) {
        self.all += seconds;
        self.longest = self.longest.max(seconds);
    }

    /// The longest rest of a single device, or all the work shared by the slots, whichever is more.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn time(&self, slots: usize) -> Duration {
        let seconds = self.longest.max(self.all / slots as f64);
        // A journal may hold any number.
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// Between how many seconds a device still takes.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn rest(device: &DeviceState, stages: &[(Stage, f64, f64)], now: Timestamp) -> (f64, f64) {
    let active = device.active();
    let mut left = (0.0, 0.0);
    for &(stage, quick, slow) in stages {
        let (quick, slow) = match active {
            Some(active) if stage < active.stage => continue,
            Some(active) if stage == active.stage => match active.progress {
                Some(Progress::Bytes { sent, total }) if total > 0 => {
                    let share = 1.0 - sent as f64 / total as f64;
                    (quick * share, slow * share)
                }
                _ => {
                    let gone = span(active.since, now).as_secs_f64();
                    ((quick - gone).max(0.0), (slow - gone).max(0.0))
                }
            },
            _ => (quick, slow),
        };
        left = (left.0 + quick, left.1 + slow);
    }
    left
}
