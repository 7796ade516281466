//! How a device ends that has no task, or whose task is gone: by its plan, by a cancellation, or by its last events.

use crate::model::{DeviceId, Doubt, Failure, FailureKind, Outcome, Stage, Touched};

use super::device_state::{DevicePhase, DeviceState};
use super::reducer::Fleet;
use crate::engine::reducer_messages::{Command, TaskEnd};

impl Fleet {
    /// A device's task is gone without having said how its attempt ended.
    pub(super) fn task_lost(
        &mut self,
        device: &DeviceId,
        attempt: u32,
        how: &TaskEnd,
        commands: &mut Vec<Command>,
    ) {
        let Some(&n) = self.index.get(device) else {
            return;
        };
        let device = &self.devices[n];
        if device.attempt != attempt || !device.has_task() {
            return;
        }
        commands.push(self.change(n, |device| device.finish_lost(how)));
    }
}

impl DeviceState {
    pub(super) fn finish_as(&mut self, outcome: Outcome) -> Command {
        // No task any more, and not in line: it waits for its own `Finished`.
        self.state = DevicePhase::Waiting;
        self.queued = false;
        Command::Finish {
            device: self.id.clone(),
            attempt: self.attempt,
            outcome,
        }
    }

    /// Stopped while the plan is shown: what the plan says, where that is an end.
    pub(super) fn finish_planned(&mut self) -> Command {
        match self.planned_end() {
            Some(outcome) => self.finish_as(outcome),
            None => self.finish_cancelled(),
        }
    }

    /// Stopped without a task. What is in doubt stays in doubt.
    pub(super) fn finish_cancelled(&mut self) -> Command {
        let outcome = if self.is_in_doubt() {
            Outcome::Unknown(Doubt::StoppedWatching)
        } else {
            let unread = self.unread("stopped before the log was read");
            unread.unwrap_or(Outcome::Cancelled(Touched::Nothing))
        };
        self.finish_as(outcome)
    }

    /// Its task is gone.
    fn finish_lost(&mut self, how: &TaskEnd) -> Command {
        let outcome = self.lost_outcome(how);
        self.finish_as(outcome)
    }

    /// How it ends as its task is gone.
    pub(super) fn lost_outcome(&mut self, how: &TaskEnd) -> Outcome {
        if let Some(judged) = self.judged.take() {
            // Nothing was left but its log.
            return judged;
        }
        let what = match how {
            TaskEnd::Aborted => "stopped before the log was read",
            TaskEnd::Panicked(what) => what,
        };
        if let Some(unread) = self.unread(what) {
            return unread;
        }
        match (how, self.is_in_doubt()) {
            (TaskEnd::Aborted, true) => Outcome::Unknown(Doubt::StoppedWatching),
            (TaskEnd::Aborted, false) => Outcome::Cancelled(self.touched()),
            (TaskEnd::Panicked(what), true) => Outcome::Unknown(Doubt::Panicked(what.clone())),
            (TaskEnd::Panicked(what), false) => Outcome::Failed(Failure {
                stage: self.active().map_or(Stage::Probe, |a| a.stage),
                kind: FailureKind::Panicked { what: what.clone() },
                touched: self.touched(),
            }),
        }
    }
}
