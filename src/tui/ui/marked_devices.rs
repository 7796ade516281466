//! Marks: Space and `*` choose the devices that the next key acts on. On the plan the same keys leave devices out of it,
//! or take them back in.

use crate::engine::{DeviceState, Fleet, Intent, Mode};
use crate::model::DeviceId;

use super::{Effect, Focus, Ui};
use crate::tui::keymap::Action;

impl Ui {
    /// The marked devices in the inventory's order, whether shown or not.
    pub(super) fn marked<'f>(&self, fleet: &'f Fleet) -> impl Iterator<Item = &'f DeviceState> {
        let devices = fleet.devices();
        self.marks.iter().filter_map(|&n| devices.get(n))
    }

    /// How many marked devices the filter hides.
    pub(in crate::tui) fn hidden_marks(&self) -> usize {
        let shown = self.order.iter().filter(|n| self.marks.contains(n));
        self.marks.len() - shown.count()
    }

    /// Marks what is selected, or takes the mark away, and goes on to the next.
    pub(super) fn mark(&mut self, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        if focus == Focus::Plan {
            return self.leave_out(fleet);
        }
        if focus == Focus::Failures && self.mark_reason() {
            return Vec::new();
        }
        if let Some(&n) = self.order.get(self.cursor) {
            if !self.marks.remove(&n) {
                self.marks.insert(n);
            }
            let next = if focus == Focus::Map {
                Action::Right
            } else {
                Action::Down
            };
            self.scroll_or_select(next, focus, fleet);
        }
        Vec::new()
    }

    /// Marks all that the filter shows or, if all of them are marked, none.
    pub(super) fn mark_all(&mut self, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        if focus == Focus::Plan {
            return self.leave_all_out(fleet);
        }
        let order = self.order.clone();
        self.toggle_marks(&order);
        Vec::new()
    }

    /// Marks all of these or, if all of them are marked, none.
    pub(super) fn toggle_marks(&mut self, devices: &[usize]) {
        if devices.iter().all(|n| self.marks.contains(n)) {
            for n in devices {
                self.marks.remove(n);
            }
        } else {
            self.marks.extend(devices);
        }
    }

    /// Leaves the selected device out of the plan, or takes it back in, and goes on to the next.
    fn leave_out(&mut self, fleet: &Fleet) -> Vec<Effect> {
        let Some(device) = self.selected(fleet) else {
            return Vec::new();
        };
        if !can_be_left_out(device, fleet) {
            let text = format!("{} is not to be upgraded: nothing to leave out", device.id);
            self.warn(&text);
            return Vec::new();
        }
        let these = vec![device.id.clone()];
        let left_out = device.left_out;
        self.point_at(self.cursor + 1);
        self.change_plan(these, left_out)
    }

    /// Leaves all that the filter shows out of the plan or, if all of them are, takes them back in.
    fn leave_all_out(&mut self, fleet: &Fleet) -> Vec<Effect> {
        let shown = self.shown(fleet).map(|(_, device)| device);
        let these: Vec<&DeviceState> = shown.filter(|d| can_be_left_out(d, fleet)).collect();
        if these.is_empty() {
            self.warn("none of the devices shown is to be upgraded: nothing to leave out");
            return Vec::new();
        }
        let all_out = these.iter().all(|device| device.left_out);
        let these = these.iter().map(|device| device.id.clone()).collect();
        self.change_plan(these, all_out)
    }

    /// The number that was typed was the number of another plan.
    fn change_plan(&mut self, these: Vec<DeviceId>, take_in: bool) -> Vec<Effect> {
        self.typed.clear();
        vec![Effect::Intend(if take_in {
            Intent::TakeIn(these)
        } else {
            Intent::LeaveOut(these)
        })]
    }
}

/// Whether the plan would upgrade the device, or does.
pub(super) fn can_be_left_out(device: &DeviceState, fleet: &Fleet) -> bool {
    let asks = fleet.mode() == Mode::Confirm && fleet.stop().is_none();
    asks && (device.is_to_confirm() || device.is_left_out())
}
