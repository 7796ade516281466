//! The permit to install, which a device's task shares with the pool. Who gets it is decided in
//! `fleet::failure_budget`; how a task waits for it is in `install`.

use std::sync::Arc;

use tokio::sync::watch;

/// The state of the permit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nobody has given it.
    Wanted,
    /// The install may be sent.
    Given,
    /// The run was halted for good: the task is stopped too, and ends as halted.
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

    pub(super) fn is_given(&self) -> bool {
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

    pub(super) async fn given(&self) {
        // The sender is held here, so that this ends with the permit alone.
        let _ = self
            .0
            .subscribe()
            .wait_for(|state| *state == State::Given)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that asks for the permit takes back what it had: that makes no halted run a mere cancellation.
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
