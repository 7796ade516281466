//! A run as plain values: all that a report says of it, whichever file it is written to. [`formats`](super::formats) writes
//! the files, and `summary` the last words on the screen.
//!
//! It is made from a [`Fleet`], and holds nothing of it: what a journal remembers of a run can be told in the same words.

mod device_audit;
mod device_end;
mod device_report;
mod gone_on;
mod reason_groups;
mod timeline;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

pub use self::device_audit::{DeviceAudit, DeviceLog, LogLine};
pub use self::device_end::DeviceEnd;
pub use self::device_report::{DevicePlan, DeviceReport, Standing};
pub use self::gone_on::GoneOnReport;
pub(super) use self::reason_groups::{ReasonGroup, by_reason, times};
pub use self::timeline::StepReport;
use super::payload::{AppReport, ImageReport};
use super::phrases::{self, Count};
use super::{Exit, json};
use crate::engine::{Fleet, Mode};
use crate::model::DeviceId;

/// How the process ends, and what that means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunExit {
    /// The exit code.
    pub code: u8,
    /// What it means for this run, in words.
    pub meaning: String,
}

impl RunExit {
    /// The exit of a run that came to its end.
    pub fn of(exit: Exit, fleet: &Fleet) -> Self {
        Self {
            code: exit.code(),
            meaning: exit.meaning(fleet).to_owned(),
        }
    }

    /// The exit of a process that panicked.
    pub fn panicked() -> Self {
        Self {
            code: 101,
            meaning: "hemfleet itself failed: this is what was known by then".to_owned(),
        }
    }
}

/// Where a run stands whose report is made from the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It came to its end.
    Over,
    /// A process is at work on it.
    GoingOn,
    /// Its process is gone, and it did not come to its end.
    Died,
}

/// What a journal knows of a run beside its devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunOrigin {
    /// Who ran it: the user and the machine.
    pub by: String,
    /// On which inventory.
    pub inventory: String,
    /// With which version of hemfleet.
    pub hemfleet: String,
    /// Where it stands.
    pub state: RunState,
}

/// A run, as a report tells it. Serialized, it is the JSON report: durations end in `_ms`, and what does not fit is
/// absent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunReport {
    /// [`json::SCHEMA`]: the words and names are those of the JSON lines.
    pub schema: u32,
    /// The run.
    pub run: String,
    /// The version of hemfleet.
    pub hemfleet: String,
    /// Who ran it; from the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// On which inventory; from the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<String>,
    /// Where it stands; from the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<RunState>,
    /// How far it went by itself: `plan`, `confirm`, `go` or `audit`.
    pub mode: String,
    /// When it began.
    #[serde(
        serialize_with = "milliseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub started: Option<Timestamp>,
    /// Who went on with it after it had broken off, and when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone_on: Vec<GoneOnReport>,
    /// When its last attempt ended, however long somebody looked at it afterwards.
    #[serde(serialize_with = "milliseconds")]
    pub ended: Timestamp,
    /// How long it took until then; the reading of the plan does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// The firmware that was rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageReport>,
    /// The management app that was rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppReport>,
    /// Whether a person or a signal stopped it.
    pub interrupted: bool,
    /// Whether the budget was spent, and nobody gave another one.
    pub halted: bool,
    /// What was said of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt: Option<String>,
    /// The exit code of the run; absent where it has not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// What it means, or why there is none.
    pub exit_meaning: String,
    /// How many devices ended how.
    #[serde(serialize_with = "by_name")]
    pub counts: Vec<Count>,
    /// What the audit logs say; empty where none was read for.
    #[serde(serialize_with = "by_name", skip_serializing_if = "Vec::is_empty")]
    pub audits: Vec<Count>,
    /// Devices that were left out, since they could not be asked what is offered to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_asked: Vec<String>,
    /// The devices, in the order of the inventory.
    pub devices: Vec<DeviceReport>,
}

impl RunReport {
    /// What there is to say of `fleet` now.
    pub fn of(fleet: &Fleet, now: Timestamp, exit: RunExit) -> Self {
        let halt = fleet.run_halt().filter(|halt| halt.harm > 0);
        let payload = fleet.payload();
        Self {
            schema: json::SCHEMA,
            run: fleet.run().to_string(),
            hemfleet: env!("CARGO_PKG_VERSION").to_owned(),
            by: None,
            inventory: None,
            state: None,
            mode: phrases::mode(fleet.mode()).to_owned(),
            started: fleet.started(),
            gone_on: GoneOnReport::all_of(fleet),
            ended: phrases::ended(fleet, now),
            took_ms: phrases::took(fleet, now).map(json::ms),
            image: payload.firmware.as_ref().map(ImageReport::from),
            app: payload.app.as_ref().map(AppReport::from),
            interrupted: fleet.stop().is_some(),
            halted: fleet.is_halted(),
            halt: halt.map(|halt| halt.to_string()),
            exit_code: Some(exit.code),
            exit_meaning: exit.meaning,
            counts: phrases::outcome_counts(&fleet.counts()),
            audits: phrases::audit_counts(&fleet.audits()),
            not_asked: names(fleet.not_asked()),
            devices: fleet
                .devices()
                .iter()
                .map(|device| DeviceReport::of(fleet, device, now))
                .collect(),
        }
    }

    /// What there is to say of a run of the journal, whose last message led to `fleet`. Of one whose process died, `fleet`
    /// is what that left ([`Fleet::bury`]), and `now` the time of its last event.
    pub fn of_journal(fleet: &Fleet, now: Timestamp, origin: RunOrigin) -> Self {
        let report = Self::of(fleet, now, RunExit::of(Exit::of(fleet), fleet));
        let no_exit = match origin.state {
            RunState::Over => None,
            RunState::GoingOn => Some("it is going on"),
            RunState::Died => Some("its process ended before the run did"),
        };
        Self {
            hemfleet: origin.hemfleet,
            by: Some(origin.by),
            inventory: Some(origin.inventory),
            state: Some(origin.state),
            exit_code: report.exit_code.filter(|_| no_exit.is_none()),
            exit_meaning: no_exit.map_or(report.exit_meaning, str::to_owned),
            ..report
        }
    }

    /// Whether only logs were read.
    pub(super) fn is_audit(&self) -> bool {
        self.mode == phrases::mode(Mode::Audit { all: false })
    }

    /// How the run came to its end, in one word.
    pub(super) fn how(&self) -> &'static str {
        if self.state == Some(RunState::Died) {
            "UNFINISHED"
        } else if self.state == Some(RunState::GoingOn) {
            "going on"
        } else if self.interrupted {
            "stopped"
        } else if self.exit_code == Some(Exit::Halted.code()) {
            "halted"
        } else {
            "finished"
        }
    }

    /// `5 upgraded, 1 failed`.
    pub(super) fn counts_words(&self) -> String {
        phrases::counted_words(&self.counts).unwrap_or_else(|| "no devices".to_owned())
    }

    /// Devices whose audit log contradicts their upgrade: an alarm, whatever they ended as.
    pub(super) fn contradicted(&self) -> impl Iterator<Item = (&DeviceReport, &DeviceAudit)> {
        let audited = self.devices.iter().filter_map(|device| {
            let audit = device.audit.as_ref()?;
            Some((device, audit))
        });
        audited.filter(|(_, audit)| audit.contradicts())
    }

    /// Devices of which nobody knows how they ended, by reason.
    pub(super) fn in_doubt(&self) -> Vec<ReasonGroup<'_>> {
        by_reason(self.devices.iter().filter(|device| device.in_doubt))
    }

    /// Devices that are not as they should be, and not in doubt, by reason: the gravest first.
    pub(super) fn unwell(&self) -> Vec<ReasonGroup<'_>> {
        by_reason(self.devices.iter().filter(|device| device.is_unwell()))
    }

    /// Devices of which there is nothing to say but their names, by reason.
    pub(super) fn left_alone(&self) -> Vec<ReasonGroup<'_>> {
        by_reason(self.devices.iter().filter(|device| device.is_left_alone()))
    }
}

fn names(ids: &[DeviceId]) -> Vec<String> {
    ids.iter().map(DeviceId::to_string).collect()
}

/// A time as the JSON lines have it.
pub(super) fn milliseconds<T, S>(at: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Copy + Into<Option<Timestamp>>,
    S: Serializer,
{
    match (*at).into() {
        Some(at) => serializer.collect_str(&format_args!("{at:.3}")),
        None => serializer.serialize_none(),
    }
}

pub(super) fn by_name<S: Serializer>(counts: &[Count], serializer: S) -> Result<S::Ok, S::Error> {
    let mut sums: Vec<(&str, usize)> = Vec::new();
    for count in counts {
        match sums.iter_mut().find(|(name, _)| *name == count.name) {
            Some((_, n)) => *n += count.devices,
            None => sums.push((count.name, count.devices)),
        }
    }
    serializer.collect_map(sums)
}

#[cfg(test)]
mod tests;
