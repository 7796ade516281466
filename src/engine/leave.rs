//! Leave to install: how a device's task asks the reducer for it, and notices that it was taken back.
//! Must not: decide who gets it (that is `budget`).

use std::sync::Arc;

use tokio::sync::watch;

use crate::device::{Device, Session};
use crate::model::Outcome;

use super::attempt::Attempt;
use super::event::DeviceFact;
use super::login::Access;

/// Where leave stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nobody has given it.
    Wanted,
    /// The install may be sent.
    Given,
    /// The run was halted for good: the task is stopped as well, and says so.
    Refused,
}

/// Leave to install, shared by a device's task and whoever carries out the reducer's commands.
#[derive(Clone, Debug)]
pub(super) struct Leave(Arc<watch::Sender<State>>);

impl Default for Leave {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::Wanted)))
    }
}

impl Leave {
    pub(super) fn give(&self) {
        self.set(State::Given);
    }

    pub(super) fn take_back(&self) {
        self.set(State::Wanted);
    }

    pub(super) fn refuse(&self) {
        self.set(State::Refused);
    }

    /// Whether the run was halted for good.
    pub(super) fn is_refused(&self) -> bool {
        *self.0.borrow() == State::Refused
    }

    fn is_given(&self) -> bool {
        *self.0.borrow() == State::Given
    }

    fn set(&self, to: State) {
        self.0.send_if_modified(|state| {
            let changes = *state != State::Refused && *state != to;
            if changes {
                *state = to;
            }
            changes
        });
    }

    async fn given(&self) {
        // The sender is held here, so that this ends with the leave alone.
        let _ = self
            .0
            .subscribe()
            .wait_for(|state| *state == State::Given)
            .await;
    }
}

impl<D: Device> Attempt<D> {
    /// Asks for leave to install, and waits for it: while a run is halted that may take until somebody has
    /// made up their mind. What was known of the device is old by then, so the last look comes after it; the
    /// login before it, unless the wait outlives the token.
    pub(super) async fn leave(&mut self, access: &mut Access) -> Result<Session, Outcome> {
        let need = self.policy.timeouts.request;
        self.session(access, need).await?;
        self.leave.take_back();
        self.unless_cancelled(self.voice.say(DeviceFact::LeaveAsked))
            .await?;
        self.unless_cancelled(self.leave.given()).await?;
        self.session(access, need).await
    }

    /// Whether leave still stands. A run may be halted while a device is looked at for the last time.
    pub(super) fn has_leave(&self) -> bool {
        self.leave.is_given()
    }
}

impl<D> Attempt<D> {
    /// How an attempt ends that was asked to stop.
    pub(super) fn stopped(&self) -> Outcome {
        if self.leave.is_refused() {
            Outcome::Halted(self.touched)
        } else {
            Outcome::Cancelled(self.touched)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that asks for leave takes back what it had: that makes no halted run a mere cancellation.
    #[test]
    fn what_was_refused_for_good_is_neither_given_nor_taken_back() {
        let leave = Leave::default();
        leave.give();
        assert!(leave.is_given());
        leave.take_back();
        assert!(!leave.is_given() && !leave.is_refused());
        leave.refuse();
        for change in [Leave::take_back, Leave::give] {
            change(&leave);
            assert!(leave.is_refused() && !leave.is_given());
        }
    }
}
