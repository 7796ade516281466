//! What went wrong, by reason: which reasons are unfolded, where the cursor is among them, and what its keys do.
//! `engine` makes the groups; `view::failures` draws them.

use crate::engine::{DeviceState, FailureReason, Fleet, ReasonKey, failures_by_reason};

use super::retry_box::Scope;
use super::selection::moved;
use super::{Board, Effect, Ui};
use crate::tui::keymap::Action;
use crate::tui::theme::Tone;

/// The state of the list.
#[derive(Debug, Default)]
pub(in crate::tui) struct Failures {
    /// Where the cursor is: it stays with its reason or device when the list changes.
    place: Option<Place>,
    /// The line that it was on last, for when its place is gone.
    line: usize,
    unfolded: Vec<ReasonKey>,
}

/// What a line of the list is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Place {
    Reason(ReasonKey),
    /// A device, as an index into the fleet's devices.
    Device(usize),
}

/// The list, as it is now.
pub(in crate::tui) struct List<'f> {
    pub(in crate::tui) reasons: Vec<FailureReason<'f>>,
    pub(in crate::tui) places: Vec<Place>,
    /// The place under the cursor, as an index into `places`.
    pub(in crate::tui) cursor: usize,
}

impl<'f> List<'f> {
    fn place(&self) -> Option<Place> {
        self.places.get(self.cursor).copied()
    }

    /// The reason under the cursor, where that is on no device.
    fn reason(&self) -> Option<&FailureReason<'f>> {
        match self.place()? {
            Place::Reason(key) => self.reasons.iter().find(|reason| reason.key == key),
            Place::Device(_) => None,
        }
    }
}

impl Ui {
    /// What went wrong among the devices that the filter leaves.
    pub(in crate::tui) fn failure_reasons<'f>(&self, fleet: &'f Fleet) -> Vec<FailureReason<'f>> {
        let shown = self.shown(fleet).map(|(_, device)| device);
        failures_by_reason(shown.filter(|device| device.needs_a_look()))
    }

    /// The lines of the list: each reason, and the devices of those that are unfolded.
    pub(in crate::tui) fn failure_list<'f>(&self, fleet: &'f Fleet) -> List<'f> {
        let reasons = self.failure_reasons(fleet);
        let mut places = Vec::new();
        for reason in &reasons {
            places.push(Place::Reason(reason.key));
            if self.is_unfolded(reason.key) {
                let devices = reason.devices.iter().filter_map(|d| fleet.index_of(&d.id));
                places.extend(devices.map(Place::Device));
            }
        }
        let at = self.failures.place;
        let at = places.iter().position(|&place| Some(place) == at);
        let cursor = at.unwrap_or(self.failures.line);
        List {
            cursor: cursor.min(places.len().saturating_sub(1)),
            reasons,
            places,
        }
    }

    /// Whether the devices of a reason are listed below it.
    pub(in crate::tui) fn is_unfolded(&self, reason: ReasonKey) -> bool {
        self.failures.unfolded.contains(&reason)
    }

    /// Takes in how the list has changed. A device under the cursor is the selected one, so that every key acts on it.
    pub(super) fn settle_failures(&mut self, fleet: &Fleet) {
        if self.board == Board::Failures {
            let list = self.failure_list(fleet);
            self.stand_on(list.place(), list.cursor);
        }
    }

    fn stand_on(&mut self, place: Option<Place>, line: usize) {
        (self.failures.place, self.failures.line) = (place, line);
        if let Some(Place::Device(n)) = place {
            self.go_to(n);
        }
    }

    pub(super) fn move_in_failures(&mut self, action: Action, fleet: &Fleet) {
        let list = self.failure_list(fleet);
        let page = self.areas(fleet).rows().max(4) / 2;
        let line = moved(list.cursor, action, page, list.places.len());
        self.stand_on(list.places.get(line).copied(), line);
    }

    /// Whether the cursor is on a reason, whose keys then act on all its devices.
    pub(super) fn is_on_reason(&self, fleet: &Fleet) -> bool {
        self.board == Board::Failures && self.failure_list(fleet).reason().is_some()
    }

    /// Lists the devices of the reason under the cursor, or no longer; `false` where the cursor is on a device.
    pub(super) fn fold_or_unfold(&mut self, fleet: &Fleet) -> bool {
        let list = self.failure_list(fleet);
        let Some(reason) = list.reason() else {
            return list.places.is_empty();
        };
        let key = reason.key;
        if self.is_unfolded(key) {
            self.failures.unfolded.retain(|unfolded| *unfolded != key);
        } else {
            self.failures.unfolded.push(key);
        }
        true
    }

    /// Marks the devices of the reason under the cursor; `false` where the cursor is on a device.
    pub(super) fn mark_reason(&mut self, fleet: &Fleet) -> bool {
        let list = self.failure_list(fleet);
        let Some(reason) = list.reason() else {
            return false;
        };
        let devices = reason.devices.iter().filter_map(|d| fleet.index_of(&d.id));
        let devices: Vec<usize> = devices.collect();
        self.toggle_marks(&devices);
        true
    }

    /// Whether a device of the reason under the cursor can be tried again.
    pub(super) fn can_retry_reason(&self, fleet: &Fleet) -> bool {
        let list = self.failure_list(fleet);
        let reason = list.reason();
        reason.is_some_and(|reason| reason.devices.iter().any(|d| d.is_retryable()))
    }

    /// Asks whether to retry the devices of the reason under the cursor.
    pub(super) fn ask_retry_reason(&mut self, fleet: &Fleet) {
        let list = self.failure_list(fleet);
        if let Some(reason) = list.reason() {
            self.ask_retry(Scope::Reason, reason.devices.iter().copied());
        }
    }

    /// Copies the reason under the cursor and the names of its devices.
    pub(super) fn copy_reason(&mut self, fleet: &Fleet) -> Vec<Effect> {
        let list = self.failure_list(fleet);
        let Some(reason) = list.reason() else {
            return Vec::new();
        };
        self.copied(&reason.devices);
        vec![Effect::Copy(as_text(reason))]
    }

    /// The notice after devices were copied.
    pub(super) fn copied(&mut self, devices: &[&DeviceState]) {
        let what = match devices {
            [device] => device.id.to_string(),
            more => format!("{} devices", more.len()),
        };
        let text = format!("{what}: sent to the clipboard (OSC 52), if this terminal takes it");
        self.notice = Some((Tone::Plain, text));
    }
}

/// How the devices of a reason ended: `failed at check`.
pub(in crate::tui) fn what_happened(key: ReasonKey) -> String {
    match key.stage {
        Some(stage) => format!("{} at {stage}", key.kind),
        None => key.kind.to_string(),
    }
}

fn as_text(reason: &FailureReason<'_>) -> String {
    let devices = reason.devices.iter();
    let what = what_happened(reason.key);
    let head = format!("{} {what}: {}", reason.devices.len(), reason.reason);
    let names = devices.map(|device| format!("  {}", device.id));
    let lines = std::iter::once(head)
        .chain(reason.hint.clone())
        .chain(names);
    lines.collect::<Vec<_>>().join("\n")
}
