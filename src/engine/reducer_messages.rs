//! What the reducer takes in ([`Message`], [`Intent`]) and what it orders ([`Command`]). Facts are in `event`; the pool
//! and [`FleetRun`](crate::engine::FleetRun) carry the commands out.

use serde::{Deserialize, Serialize};

use crate::model::{DeviceId, DeviceMark, MaxFailures, Outcome, Secret};

use super::event::{EarlierRefusal, Event, Resume, RunHalt};

/// What a person wants, by key, signal or command line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Begin: look at every device, or start right away, as the mode says.
    Begin,
    /// The plan is confirmed: start what it says.
    Confirm,
    /// Take these devices out of the plan that is shown: no install is sent to them when it is confirmed.
    LeaveOut(Vec<DeviceId>),
    /// Take devices that were left out back into the plan.
    TakeIn(Vec<DeviceId>),
    /// Try one device again; while the plan is shown, look at it again.
    Retry(DeviceId),
    /// Try these devices again, as many of them as may be; while the plan is shown, look at them again.
    RetryAll(Vec<DeviceId>),
    /// Stop one device before its install.
    Cancel(DeviceId),
    /// The secret that a device waits for; one that waits for none does not get it. The secret is never stored.
    Answer(DeviceId, #[serde(skip)] Secret),
    /// Stop all devices before their install, and go on living.
    CancelAll,
    /// The budget is spent and the run is not to go on: stop all devices that wait for their install. Those
    /// that had it sent are watched to their end.
    Halt,
    /// The budget is spent and the run is to go on with this one. One that is spent already changes nothing.
    GoOn(MaxFailures),
    /// Nobody sees the run any more: start nothing new, bring running devices to a safe point. Said
    /// again, or after an interrupt, it changes nothing; and an interrupt after it is still the first.
    Drain,
    /// Ctrl-C or a signal. First: start nothing new, bring running devices to a safe point.
    /// Second: stop now.
    Interrupt,
}

/// What the pool is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Look at a device.
    Plan {
        /// The device.
        device: DeviceId,
        /// The attempt.
        attempt: u32,
        /// Present where an install may have been sent to it.
        resume: Option<Resume>,
        /// Whether another device may answer than the one that an earlier run was at work on.
        takes_other: bool,
        /// Images that it refused before; none once somebody has asked for that again.
        refused: Vec<EarlierRefusal>,
    },
    /// Upgrade a device, or, with `resume`, only what an earlier attempt left open.
    Start {
        /// The device.
        device: DeviceId,
        /// The attempt.
        attempt: u32,
        /// Present where an earlier attempt's install may have been sent.
        resume: Option<Resume>,
        /// The device that was looked at for the plan, where there was one: another one is sent nothing.
        planned: Option<DeviceMark>,
        /// Whether another device may answer than the one that an earlier run was at work on.
        takes_other: bool,
        /// Images that it refused before; none once somebody has asked for that again.
        refused: Vec<EarlierRefusal>,
    },
    /// Read a device's audit log, and nothing else.
    Audit {
        /// The device.
        device: DeviceId,
        /// The attempt.
        attempt: u32,
        /// All its files, rather than the newest few.
        all: bool,
    },
    /// Hand a device's task the secret that it waits for.
    Answer {
        /// The device.
        device: DeviceId,
        /// What was typed.
        secret: Secret,
    },
    /// Allow a device to send its install.
    GivePermit {
        /// The device.
        device: DeviceId,
    },
    /// Let a device send the install that it has announced, once that is on disk.
    SendInstall {
        /// The device.
        device: DeviceId,
    },
    /// Take back a device's permit to install, if it has not sent the install yet.
    RevokePermit {
        /// The device.
        device: DeviceId,
    },
    /// Ask a device's task to stop before its install, since the run is halted.
    Halt {
        /// The device.
        device: DeviceId,
    },
    /// Announce that the budget is spent.
    AnnounceHalted(RunHalt),
    /// Announce that the run goes on.
    AnnounceResumed {
        /// The harm that is counted.
        harm: usize,
        /// The new budget.
        max_failures: MaxFailures,
    },
    /// Finish a device that has no task: the plan or a cancellation says how.
    Finish {
        /// The device.
        device: DeviceId,
        /// The attempt.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// Ask a device's task to stop at the next safe point; past the install it goes on.
    Cancel {
        /// The device.
        device: DeviceId,
    },
    /// Stop a device's task now.
    Abort {
        /// The device.
        device: DeviceId,
    },
}

/// A message to the reducer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Something happened.
    Event(Event),
    /// A person wants something.
    Intent(Intent),
    /// A device's task is gone without having said how its attempt ended. Comes after everything that
    /// the task said.
    TaskLost {
        /// The device.
        device: DeviceId,
        /// The attempt.
        attempt: u32,
        /// How it ended.
        how: TaskEnd,
    },
}

/// How a task ended without saying how its attempt ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEnd {
    /// [`Command::Abort`].
    Aborted,
    /// It panicked, with this message.
    Panicked(String),
}
