//! A word for each kind of message, by which the journal finds those that matter without reading the others.

use jiff::Timestamp;

use crate::engine::{DeviceFact, Fact, Message};
use crate::model::DeviceId;

/// The word; the index of the journal names some of them.
pub(super) fn kind_of(message: &Message) -> &'static str {
    match message {
        Message::Intent(_) => "intent",
        Message::TaskLost { .. } => "task_lost",
        Message::Event(event) => match &event.fact {
            Fact::RunStarted { .. } => "run_started",
            Fact::RunHalted(_) => "run_halted",
            Fact::RunResumed { .. } => "run_resumed",
            Fact::RunReopened(_) => "run_reopened",
            Fact::RunFinished { .. } => "run_finished",
            Fact::Device { fact, .. } => device_kind(fact),
        },
    }
}

fn device_kind(fact: &DeviceFact) -> &'static str {
    match fact {
        DeviceFact::StageStarted { .. } => "stage_started",
        DeviceFact::StageProgress { .. } => PROGRESS,
        DeviceFact::StageFinished { .. } => "stage_finished",
        DeviceFact::RetryScheduled { .. } => "retry_scheduled",
        DeviceFact::Planned { .. } => "planned",
        DeviceFact::SecretWanted => "secret_wanted",
        DeviceFact::ApprovalRequested { .. } => "approval_requested",
        DeviceFact::LoggedIn { .. } => "logged_in",
        DeviceFact::LoginRefused { .. } => "login_refused",
        DeviceFact::PermitAsked => "permit_asked",
        DeviceFact::InstallAnnounced { .. } => "install_announced",
        DeviceFact::InstallBegun { .. } => "install_begun",
        DeviceFact::Returned { .. } => "returned",
        DeviceFact::LogRead { .. } => "log_read",
        DeviceFact::Audited { .. } => "audited",
        DeviceFact::Finished { .. } => "finished",
    }
}

/// The kind that may be dropped under load: nothing follows from it.
pub(super) const PROGRESS: &str = "stage_progress";

/// Which device it is about; nothing where it is about none, or about several.
pub(super) fn device_of(message: &Message) -> Option<&DeviceId> {
    match message {
        Message::TaskLost { device, .. } => Some(device),
        Message::Event(event) => match &event.fact {
            Fact::Device { device, .. } => Some(device),
            _ => None,
        },
        Message::Intent(_) => None,
    }
}

/// When it happened, where it says so.
pub(super) fn time_of(message: &Message) -> Option<Timestamp> {
    match message {
        Message::Event(event) => Some(event.at),
        Message::Intent(_) | Message::TaskLost { .. } => None,
    }
}
