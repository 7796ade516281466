//! The permit to install: how a device's task asks the reducer for it, and notices that it was taken back.
//! Must not: decide who gets it (that is `budget`).

use std::sync::Arc;

use tokio::sync::watch;

use crate::device::{Device, Session};
use crate::model::Outcome;

use super::attempt::Attempt;
use super::login::Access;
use crate::engine::event::DeviceFact;

/// Where permit stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nobody has given it.
    Wanted,
    /// The install may be sent.
    Given,
    /// The run was halted for good: the task is stopped as well, and says so.
    Refused,
}

/// The permit to install, shared by a device's task and whoever carries out the reducer's commands.
#[derive(Clone, Debug)]
pub(in crate::engine) struct InstallPermit(Arc<watch::Sender<State>>);

impl Default for InstallPermit {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::Wanted)))
    }
}

impl InstallPermit {
    pub(in crate::engine) fn give(&self) {
        self.set(State::Given);
    }

    pub(in crate::engine) fn take_back(&self) {
        self.set(State::Wanted);
    }

    pub(in crate::engine) fn refuse(&self) {
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
        // The sender is held here, so that this ends with the permit alone.
        let _ = self
            .0
            .subscribe()
            .wait_for(|state| *state == State::Given)
            .await;
    }
}

impl<D: Device> Attempt<D> {
    /// Asks for permit to install, and waits for it: while a run is halted that may take until somebody has
    /// made up their mind. What was known of the device is old by then, so the last look comes after it; the
    /// login before it, unless the wait outlives the token.
    pub(in crate::engine) async fn permit(
        &mut self,
        access: &mut Access,
    ) -> Result<Session, Outcome> {
        let need = self.policy.timeouts.request;
        self.session(access, need).await?;
        self.permit.take_back();
        self.unless_cancelled(self.events.send(DeviceFact::PermitAsked))
            .await?;
        self.unless_cancelled(self.permit.given()).await?;
        self.session(access, need).await
    }

    /// Whether permit still stands. A run may be halted while a device is looked at for the last time.
    pub(super) fn has_permit(&self) -> bool {
        self.permit.is_given()
    }
}

impl<D> Attempt<D> {
    /// How an attempt ends that was asked to stop.
    pub(in crate::engine) fn stopped(&self) -> Outcome {
        if self.permit.is_refused() {
            Outcome::Halted(self.touched)
        } else {
            Outcome::Cancelled(self.touched)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that asks for permit takes back what it had: that makes no halted run a mere cancellation.
    #[test]
    fn what_was_refused_for_good_is_neither_given_nor_taken_back() {
        let permit = InstallPermit::default();
        permit.give();
        assert!(permit.is_given());
        permit.take_back();
        assert!(!permit.is_given() && !permit.is_refused());
        permit.refuse();
        for change in [InstallPermit::take_back, InstallPermit::give] {
            change(&permit);
            assert!(permit.is_refused() && !permit.is_given());
        }
    }
}
