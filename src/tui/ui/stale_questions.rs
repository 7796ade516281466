//! Questions that no longer fit close themselves, and say why: what they ask about has gone on meanwhile. The boxes of
//! secrets and of a halted run do so in their own files.

use crate::engine::{DeviceState, Fleet};
use crate::model::DeviceId;

use super::device_actions::{can_cancel, can_cancel_any};
use super::{Popup, Ui, on_plan};

impl Ui {
    /// Closes the question that is open if nothing is left to ask.
    pub(super) fn settle_questions(&mut self, fleet: &Fleet) {
        // A stop cancels what it can: then there is nothing to ask either.
        let why = match &self.popup {
            Some(Popup::LeavePlan) if !on_plan(fleet) => "the run has started".to_owned(),
            Some(Popup::Quit) if fleet.is_over() && fleet.stop().is_none() => {
                "every device has ended: q quits".to_owned()
            }
            Some(Popup::Cancel(id)) => match fleet.device(id) {
                Some(device) if device.has_task() && device.is_past_install() => {
                    self.popup = Some(Popup::PastInstall(id.clone()));
                    return;
                }
                Some(device) if can_cancel(device) => return,
                device => ended(id, device, "nothing to cancel"),
            },
            Some(Popup::PastInstall(id)) => match fleet.device(id) {
                Some(device) if device.is_busy() => return,
                device => ended(id, device, "nothing to wait for"),
            },
            Some(Popup::CancelMarked(ids)) => {
                if ids.iter().filter_map(|id| fleet.device(id)).any(can_cancel) {
                    return;
                }
                "none of the marked devices can be cancelled any more".to_owned()
            }
            Some(Popup::CancelAll) if !can_cancel_any(fleet) => {
                "nothing can be cancelled any more".to_owned()
            }
            Some(Popup::RetryBox(asked)) if fleet.stop().is_some() || !asked.has_any(fleet) => {
                "none of these devices can be retried any more".to_owned()
            }
            _ => return,
        };
        self.popup = None;
        self.warn(&why);
    }
}

fn ended(id: &DeviceId, device: Option<&DeviceState>, then: &str) -> String {
    match device.and_then(DeviceState::outcome_kind) {
        Some(kind) => format!("{id} is {kind}: {then}"),
        None => format!("{id} is being stopped already"),
    }
}
