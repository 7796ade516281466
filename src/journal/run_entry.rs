//! A run and its devices in short, as lists show them: derived from the fold of its messages, whoever folds them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{RunContext, RunRecord};
use crate::engine::{DeviceSeed, DeviceState, EarlierRefusal, Fleet, PendingInstall};
use crate::model::{
    DeviceId, DeviceVersion, FailureKind, Outcome, OutcomeKind, Reach, RunId, Stage, Touched,
};

/// Grows whenever something is derived otherwise than before: what is stored with another number is derived again.
const DERIVATION: u32 = 1;

/// A run in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunEntry {
    /// The run.
    pub run: RunId,
    /// When it was begun.
    pub started: Timestamp,
    /// When it ended; absent while it goes on, and where its process died.
    pub ended: Option<Timestamp>,
    /// The user.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The inventory, as an absolute path.
    pub inventory: String,
    /// What was rolled out, for people: `1.2.3`, or `app`.
    pub version: String,
    /// The version of hemfleet that began it.
    pub hemfleet: String,
    /// The number of its devices.
    pub devices: usize,
    /// How they ended; absent where its messages cannot be read by this hemfleet.
    pub tally: Option<Tally>,
    /// Whether something is left to do: it did not come to its end, or devices were stopped or are in doubt.
    pub unfinished: bool,
    /// Devices to which an install may have been sent whose end is not known.
    pub in_doubt: usize,
    /// Whether a process is at work on it.
    pub is_alive: bool,
}

/// How many devices ended in which way.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    done: BTreeMap<OutcomeKind, usize>,
    /// Devices that have not ended.
    pub open: usize,
}

impl Tally {
    fn of_fleet(fleet: &Fleet) -> Self {
        let mut tally = Self::default();
        for device in fleet.devices() {
            match device.outcome_kind() {
                Some(kind) => *tally.done.entry(kind).or_default() += 1,
                None => tally.open += 1,
            }
        }
        tally
    }

    /// How many ended like this.
    pub fn of(&self, kind: OutcomeKind) -> usize {
        self.done.get(&kind).copied().unwrap_or_default()
    }

    /// How many ended, in whatever way.
    pub fn done(&self) -> usize {
        self.done.values().sum()
    }
}

/// What is derived of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct RunSummary {
    derivation: u32,
    pub(super) ended: Option<Timestamp>,
    pub(super) tally: Tally,
    pub(super) unfinished: bool,
    pub(super) in_doubt: usize,
}

impl RunSummary {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let in_doubt = fleet.devices().iter().filter(|device| is_in_doubt(device));
        let in_doubt = in_doubt.count();
        // A plan that nobody confirmed has changed nothing: that is its end.
        let was_begun = fleet.has_begun();
        Self {
            derivation: DERIVATION,
            ended: fleet.ended(),
            tally: Tally::of_fleet(fleet),
            unfinished: fleet.ended().is_none()
                || in_doubt > 0
                || (was_begun && fleet.unfinished() > 0),
            in_doubt,
        }
    }

    /// What is stored; nothing where it was derived otherwise than it would be today.
    pub(super) fn stored(json: &str) -> Option<Self> {
        let summary: Self = serde_json::from_str(json).ok()?;
        (summary.derivation == DERIVATION).then_some(summary)
    }
}

/// Whether it is not known what became of an install on it, this run's or an earlier one's.
fn is_in_doubt(device: &DeviceState) -> bool {
    let leaves_doubt = || device.outcome().is_some_and(Outcome::leaves_doubt);
    device.open_install().is_some() || (device.earlier.is_some() && leaves_doubt())
}

/// What a run says of one device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceSummary {
    /// Its name in that run.
    pub device: DeviceId,
    /// The way to it.
    pub reach: Reach,
    /// Its last attempt; 0 where there was none.
    pub attempt: u32,
    /// How that ended; absent where it did not.
    pub outcome: Option<Outcome>,
    /// When that began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it ran before.
    pub before: Option<DeviceVersion>,
    /// What it said after the last install.
    pub after: Option<DeviceVersion>,
    /// When it last proved what it runs: that is `after`, or `before` where nothing was installed.
    pub proved_at: Option<Timestamp>,
    /// The install that this run may have sent to it and whose end is not known.
    pub open_install: Option<PendingInstall>,
    /// Whether the run saw how an install on it ended, or that it needs none: what an earlier run left in doubt there is
    /// in doubt no more.
    pub settled: bool,
    /// That its bootloader refused the image of the run, and in which run.
    pub refused: Option<EarlierRefusal>,
}

impl DeviceSummary {
    /// What `run` knows of `device`, which is reached by `reach`, and of which earlier runs knew what is in `seed`.
    fn of(run: &RunId, device: &DeviceState, seed: &DeviceSeed, reach: &Reach) -> Self {
        let looks = [Stage::Probe, Stage::Verify, Stage::VerifyUi];
        let look = device
            .timeline
            .iter()
            .rev()
            .find(|step| step.failure.is_none() && looks.contains(&step.stage));
        Self {
            device: device.id.clone(),
            reach: reach.clone(),
            attempt: device.attempt,
            outcome: device.outcome().cloned(),
            started: device.started,
            ended: device.ended,
            before: device.seen.as_ref().map(|seen| seen.version.clone()),
            after: device.after.clone(),
            proved_at: look.map(|step| step.at.checked_add(step.took).unwrap_or(step.at)),
            open_install: device.open_install().cloned(),
            settled: is_settled(device, seed),
            refused: refused(run, device, seed),
        }
    }

    /// What it last proved to run.
    pub fn runs(&self) -> Option<&DeviceVersion> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

fn is_settled(device: &DeviceState, seed: &DeviceSeed) -> bool {
    if device.open_install().is_some() {
        return false;
    }
    let watched_to_its_end = seed.earlier.is_some() && device.earlier.is_none();
    watched_to_its_end
        || device.outcome().is_some_and(|outcome| {
            matches!(outcome.kind(), OutcomeKind::Upgraded | OutcomeKind::Current)
                || (outcome.touched() == Touched::InstallSent && device.earlier.is_none())
        })
}

fn refused(run: &RunId, device: &DeviceState, seed: &DeviceSeed) -> Option<EarlierRefusal> {
    let seen_now = |run: RunId| {
        Some(EarlierRefusal {
            run,
            at: device.ended?,
        })
    };
    match device.outcome()? {
        Outcome::RolledBack => seen_now(run.clone()),
        Outcome::Failed(failure) => match &failure.kind {
            // Either an earlier run saw it, or this one saw what an earlier one had sent.
            FailureKind::RefusedBefore { run, .. } => {
                let seen_then = seed.refused.clone();
                seen_then.or_else(|| seen_now(RunId::parse(run)?))
            }
            _ => None,
        },
        _ => None,
    }
}

/// All that is derived of a run.
#[derive(Clone, Debug)]
pub(super) struct Summaries {
    pub(super) run: RunSummary,
    pub(super) devices: Vec<DeviceSummary>,
}

impl Summaries {
    /// What `fleet` has come to, whose devices are reached as `context` says.
    pub(super) fn of(fleet: &Fleet, context: &RunContext) -> Self {
        let seeds = fleet.facts().devices.iter().zip(&context.devices);
        let with_seeds = fleet.devices().iter().zip(seeds);
        Self {
            run: RunSummary::of(fleet),
            devices: with_seeds
                .map(|(device, (seed, at))| DeviceSummary::of(fleet.run(), device, seed, &at.reach))
                .collect(),
        }
    }
}

/// What a run is listed with as soon as it begins.
pub(super) fn version_of(record: &RunRecord) -> String {
    record.facts.payload.version_label()
}
