//! What is wished for ([`Intent`]), and what is ordered ([`Command`]).
//! Must not: do either.

use crate::model::{DeviceId, Outcome};

use super::event::{Event, Watch};

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
    /// Upgrade a device, or, with `watch`, see what became of an install that was sent before.
    Start {
        /// Which.
        device: DeviceId,
        /// In which attempt.
        attempt: u32,
        /// Present where an earlier attempt's install may have been sent.
        watch: Option<Watch>,
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
