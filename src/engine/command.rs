//! What is wished for ([`Intent`]), and what is ordered ([`Command`]).
//! Must not: do either.

use crate::model::{DeviceId, Outcome, Secret};

use super::event::{Event, Resume};

/// A wish of a person, by key, signal or command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Intent {
    /// Begin: look at every device, or start right away, as the mode says.
    Begin,
    /// The plan is confirmed: start what it says.
    Confirm,
    /// Try one device again; while the plan is shown, look at it again.
    Retry(DeviceId),
    /// Try all failed devices again; while the plan is shown, look again at all that cannot be upgraded.
    RetryFailed,
    /// Stop one device before its install.
    Cancel(DeviceId),
    /// The secret that a device waits for; one that waits for none does not get it.
    Answer(DeviceId, Secret),
    /// Stop all devices before their install, and go on living.
    CancelAll,
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
        /// Which.
        device: DeviceId,
        /// In which attempt.
        attempt: u32,
    },
    /// Upgrade a device, or, with `resume`, only what an earlier attempt left open.
    Start {
        /// Which.
        device: DeviceId,
        /// In which attempt.
        attempt: u32,
        /// Present where an earlier attempt's install may have been sent.
        resume: Option<Resume>,
    },
    /// Read a device's audit log, and nothing else.
    Audit {
        /// Which.
        device: DeviceId,
        /// In which attempt.
        attempt: u32,
        /// All its files, rather than the newest few.
        all: bool,
    },
    /// Hand a device's task the secret that it waits for.
    Answer {
        /// Which.
        device: DeviceId,
        /// What was typed.
        secret: Secret,
    },
    /// Declare a device finished that has no task: the plan or a cancellation says how.
    Settle {
        /// Which.
        device: DeviceId,
        /// In which attempt.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// Ask a device's task to stop at the next point that is safe; past the install it goes on.
    Cancel {
        /// Which.
        device: DeviceId,
    },
    /// Stop a device's task now.
    Abort {
        /// Which.
        device: DeviceId,
    },
}

/// What the reducer is told.
#[derive(Clone, Debug)]
pub enum Message {
    /// Something happened.
    Event(Event),
    /// Somebody wishes something.
    Intent(Intent),
    /// A device's task is gone without having said how its attempt ended. Comes after everything that
    /// the task said.
    TaskLost {
        /// Which.
        device: DeviceId,
        /// In which attempt.
        attempt: u32,
        /// How.
        how: TaskEnd,
    },
}

/// How a task went away without a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TaskEnd {
    /// [`Command::Abort`].
    Aborted,
    /// It panicked, with this message.
    Panicked(String),
}
