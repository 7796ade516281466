//! What went wrong, by reason: which reasons are unfolded, where the cursor is among them, and what its keys do.
//! `engine` makes the groups; `view::failures` draws them.

use crate::engine::{DeviceState, Fleet, ReasonKey, failures_by_reason};

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
    unfolded: Vec<ReasonKey>,
    /// The list as it was when the fleet was looked at last, which is before each frame and each key.
    pub(in crate::tui) list: List,
}

/// What a line of the list is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Place {
    Reason(ReasonKey),
    /// A device, as an index into the fleet's devices.
    Device(usize),
}

/// The lines of the list: each reason, and the devices of those that are unfolded.
#[derive(Debug, Default)]
pub(in crate::tui) struct List {
    pub(in crate::tui) reasons: Vec<Reason>,
    pub(in crate::tui) places: Vec<Place>,
    /// The place under the cursor, as an index into `places`.
    pub(in crate::tui) cursor: usize,
}

/// A reason, and the devices that it holds for.
#[derive(Debug)]
pub(in crate::tui) struct Reason {
    pub(in crate::tui) key: ReasonKey,
    /// Why, in words that hold for all of them.
    pub(in crate::tui) words: String,
    pub(in crate::tui) hint: Option<String>,
    /// As indexes into the fleet's devices.
    pub(in crate::tui) devices: Vec<usize>,
}

impl List {
    /// What this reason says, where there is one of this key.
    pub(in crate::tui) fn reason(&self, key: ReasonKey) -> Option<&Reason> {
        self.reasons.iter().find(|reason| reason.key == key)
    }
}

impl Reason {
    fn devices<'f>(&self, fleet: &'f Fleet) -> impl Iterator<Item = &'f DeviceState> {
        let devices = fleet.devices();
        self.devices.iter().filter_map(|&n| devices.get(n))
    }
}

impl Ui {
    /// Whether anything went wrong among the devices that the filter leaves.
    pub(super) fn has_failures(&self, fleet: &Fleet) -> bool {
        self.shown(fleet).any(|(_, device)| went_wrong(device))
    }

    fn list_failures(&self, fleet: &Fleet) -> List {
        let shown = self.shown(fleet).map(|(_, device)| device);
        let groups = failures_by_reason(shown.filter(|device| went_wrong(device)));
        let index = |device: &&DeviceState| fleet.index_of(&device.id);
        let reasons = groups.into_iter().map(|group| Reason {
            key: group.key,
            words: group.reason,
            hint: group.hint,
            devices: group.devices.iter().filter_map(index).collect(),
        });
        let reasons: Vec<Reason> = reasons.collect();
        let mut places = Vec::new();
        for reason in &reasons {
            places.push(Place::Reason(reason.key));
            if self.is_unfolded(reason.key) {
                places.extend(reason.devices.iter().copied().map(Place::Device));
            }
        }
        let at = self.failures.place;
        let at = places.iter().position(|&place| Some(place) == at);
        // Where its place is gone the cursor goes to a reason, which asks first: a key that is pressed twice must not
        // act on the next device as well.
        let is_reason = |place: &Place| matches!(place, Place::Reason(_));
        let mut above = places.iter().take(self.failures.list.cursor + 1);
        let cursor = at.or_else(|| above.rposition(is_reason));
        List {
            cursor: cursor.unwrap_or(0),
            reasons,
            places,
        }
    }

    /// The reason under the cursor, where that is on no device.
    fn reason_at_cursor(&self) -> Option<&Reason> {
        let list = &self.failures.list;
        match list.places.get(list.cursor)? {
            Place::Reason(key) => list.reason(*key),
            Place::Device(_) => None,
        }
    }

    /// Whether the devices of a reason are listed below it.
    pub(in crate::tui) fn is_unfolded(&self, reason: ReasonKey) -> bool {
        self.failures.unfolded.contains(&reason)
    }

    /// Takes in how the list has changed. A device under the cursor is the selected one, so that every key acts on it.
    pub(super) fn settle_failures(&mut self, fleet: &Fleet) {
        if self.board == Board::Failures {
            self.failures.list = self.list_failures(fleet);
            self.stand_on(self.failures.list.cursor);
        }
    }

    fn stand_on(&mut self, line: usize) {
        let place = self.failures.list.places.get(line).copied();
        self.failures.list.cursor = line;
        self.failures.place = place;
        if let Some(Place::Device(n)) = place {
            self.go_to(n);
        }
    }

    pub(super) fn move_in_failures(&mut self, action: Action, fleet: &Fleet) {
        let list = &self.failures.list;
        let page = self.areas(fleet).rows().max(4) / 2;
        self.stand_on(moved(list.cursor, action, page, list.places.len()));
    }

    /// Whether the cursor is on a reason, whose keys then act on all its devices.
    pub(super) fn is_on_reason(&self) -> bool {
        self.board == Board::Failures && self.reason_at_cursor().is_some()
    }

    /// Lists the devices of the reason under the cursor, or no longer; `false` where the cursor is on a device.
    pub(super) fn fold_or_unfold(&mut self) -> bool {
        let Some(reason) = self.reason_at_cursor() else {
            return self.failures.list.places.is_empty();
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
    pub(super) fn mark_reason(&mut self) -> bool {
        let devices = self.reason_at_cursor().map(|reason| reason.devices.clone());
        let on_reason = devices.is_some();
        self.toggle_marks(&devices.unwrap_or_default());
        on_reason
    }

    /// Whether a device of the reason under the cursor can be tried again.
    pub(super) fn can_retry_reason(&self, fleet: &Fleet) -> bool {
        let reason = self.reason_at_cursor();
        reason.is_some_and(|reason| reason.devices(fleet).any(DeviceState::is_retryable))
    }

    /// Asks whether to retry the devices of the reason under the cursor.
    pub(super) fn ask_retry_reason(&mut self, fleet: &Fleet) {
        if let Some(reason) = self.reason_at_cursor() {
            let devices: Vec<&DeviceState> = reason.devices(fleet).collect();
            self.ask_retry(Scope::Reason, devices);
        }
    }

    /// Copies the reason under the cursor and the names of its devices.
    pub(super) fn copy_reason(&mut self, fleet: &Fleet) -> Vec<Effect> {
        let Some(reason) = self.reason_at_cursor() else {
            return Vec::new();
        };
        let devices: Vec<&DeviceState> = reason.devices(fleet).collect();
        let text = as_text(reason, &devices);
        self.copied(&devices);
        vec![Effect::Copy(text)]
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

fn as_text(reason: &Reason, devices: &[&DeviceState]) -> String {
    let what = what_happened(reason.key);
    let head = format!("{} {what}: {}", devices.len(), reason.words);
    let names = devices.iter().map(|device| format!("  {}", device.id));
    let lines = std::iter::once(head)
        .chain(reason.hint.clone())
        .chain(names);
    lines.collect::<Vec<_>>().join("\n")
}

fn went_wrong(device: &DeviceState) -> bool {
    device.outcome().is_some() && device.needs_a_look()
}
