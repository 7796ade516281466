//! A run and its devices in short, as lists show them: derived from the fold of its messages, whoever folds them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{RunContext, RunRecord};
use crate::engine::{DeviceState, EarlierRefusal, Fleet, Mode, PendingInstall};
use crate::model::{
    AuditReport, DeviceId, DeviceVersion, FailureKind, ImageFacts, Outcome, OutcomeKind, Reach,
    RunId, Stage, Touched,
};

/// Grows whenever something is derived otherwise than before: what is stored with another number is derived again.
const DERIVATION: u32 = 2;

/// A run in a list.
#[expect(clippy::struct_excessive_bools, reason = "each says something else")]
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
    /// Devices to which an install may have been sent and whose end no run knows by now.
    pub in_doubt: usize,
    /// Whether devices are left beside those.
    pub(super) stopped: bool,
    /// Whether anything but looks was begun, or was to be.
    pub(super) begun: bool,
    /// Whether a process is at work on it.
    pub is_alive: bool,
    /// Which one, where it says so.
    pub holder: Option<u32>,
}

impl RunEntry {
    /// No more than so many of its devices are in doubt by now.
    pub(super) fn limit_doubts(&mut self, in_doubt: usize) {
        self.in_doubt = self.in_doubt.min(in_doubt);
        // A plan that nobody confirmed has changed nothing: that is its end, also where its process died.
        self.unfinished = (self.begun && self.ended.is_none()) || self.stopped || self.in_doubt > 0;
    }
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
    /// Whether devices are unfinished beside those in doubt.
    pub(super) stopped: bool,
    /// Whether anything but looks was begun, or was to be.
    pub(super) begun: bool,
    pub(super) in_doubt: usize,
}

impl RunSummary {
    pub(super) fn of(fleet: &Fleet) -> Self {
        // Of a device that the inventory lost nothing is known any more that could be asked.
        let in_doubt = |device: &&DeviceState| !device.gone && device.open_install().is_some();
        // What is in doubt since another run is in doubt there.
        let stopped = |d: &DeviceState| !d.gone && d.is_unfinished() && d.open_install().is_none();
        let devices = || fleet.devices().iter();
        Self {
            derivation: DERIVATION,
            ended: fleet.ended(),
            tally: Tally::of_fleet(fleet),
            stopped: fleet.has_begun() && devices().any(stopped),
            // Without a plan it was begun by its command line.
            begun: fleet.has_begun() || fleet.facts().mode == Mode::Go,
            in_doubt: devices().filter(in_doubt).count(),
        }
    }

    /// What is stored; nothing where it was derived otherwise than it would be today.
    pub(super) fn stored(json: &str) -> Option<Self> {
        let summary: Self = serde_json::from_str(json).ok()?;
        (summary.derivation == DERIVATION).then_some(summary)
    }
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
    /// What its audit log says of the last attempt, without the log.
    #[serde(default)]
    pub audit: Option<AuditReport>,
    /// When it last proved what it runs: that is `after`, or `before` where nothing was installed.
    pub proved_at: Option<Timestamp>,
    /// The install that this run may have sent to it and whose end is not known.
    pub open_install: Option<PendingInstall>,
    /// When the run saw how an install on it had ended, its own or an earlier run's: what was sent before that is in doubt
    /// no more.
    pub settled_at: Option<Timestamp>,
    /// Images that its bootloader refused, and in which run, as far as this run knows.
    pub refused: Vec<EarlierRefusal>,
}

impl DeviceSummary {
    /// What the run of `fleet` knows of `device`, which is reached by `reach`.
    fn of(fleet: &Fleet, device: &DeviceState, reach: &Reach) -> Self {
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
            audit: device.audit.as_deref().map(|report| AuditReport {
                log: None,
                ..report.clone()
            }),
            proved_at: look.map(|step| step.at.checked_add(step.took).unwrap_or(step.at)),
            open_install: device.open_install().cloned(),
            settled_at: settled_at(device),
            refused: refusals(fleet, device),
        }
    }

    /// What it last proved to run.
    pub fn runs(&self) -> Option<&DeviceVersion> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

fn settled_at(device: &DeviceState) -> Option<Timestamp> {
    if device.open_install().is_some() {
        return None;
    }
    let touched = device.outcome().map(Outcome::touched);
    let saw_own_end = touched == Some(Touched::InstallSent) && device.earlier.is_none();
    let own_end = device.ended.filter(|_| saw_own_end);
    own_end.or(device.saw_earlier_end)
}

fn refusals(fleet: &Fleet, device: &DeviceState) -> Vec<EarlierRefusal> {
    let mut refused = device.refusals.clone();
    // Former versions said so by the outcome alone.
    if let Some(Outcome::Failed(failure)) = device.outcome()
        && let FailureKind::RefusedBefore { run, .. } = &failure.kind
        && let (Some(run), Some(at)) = (RunId::parse(run), device.ended)
        && !refused.iter().any(|known| known.run == run)
    {
        let firmware = fleet.payload().firmware.as_ref();
        refused.push(EarlierRefusal {
            run,
            at,
            image: firmware.map(ImageFacts::sha256_hex),
            device: None,
        });
    }
    refused
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
        let with_ways = fleet.devices().iter().zip(&context.devices);
        Self {
            run: RunSummary::of(fleet),
            devices: with_ways
                .map(|(device, at)| DeviceSummary::of(fleet, device, &at.reach))
                .collect(),
        }
    }
}

/// What a run is listed with as soon as it begins.
pub(super) fn version_of(record: &RunRecord) -> String {
    record.facts.payload.version_label()
}
