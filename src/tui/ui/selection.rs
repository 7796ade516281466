//! The selected device: the cursor in the order of the table, how it moves, and how it follows its device when the
//! order changes. Marks are in `marked_devices`.

use crate::engine::{DeviceState, Fleet};

use super::{Board, Focus, Ui, on_plan};
use crate::tui::device_order::{Sort, order};
use crate::tui::keymap::Action;
use crate::tui::layout::Zoom;

impl Ui {
    /// Brings order, cursor and the first row on the screen up to date.
    pub(super) fn settle_selection(&mut self, fleet: &Fleet) {
        let plan = on_plan(fleet);
        let was_plan = std::mem::replace(&mut self.was_plan, plan);
        let confirmed = was_plan && !plan;
        if self.order_is_stale || was_plan != plan {
            self.order_is_stale = false;
            self.order = order(fleet, self.sort, self.reverse, &self.filter.filter);
            self.go_to(self.selected);
        }
        if plan && !was_plan && fleet.finished_before() > 0 {
            // Not a device that is finished and stands last.
            self.point_at(0);
        }
        if confirmed {
            let running = self.shown(fleet).find(|(_, device)| device.has_task());
            if let Some((n, _)) = running {
                self.go_to(n);
            }
        }
        self.cursor = self.cursor.min(self.order.len().saturating_sub(1));
        let rows = self.areas(fleet).rows().max(1);
        let last_top = self.order.len().saturating_sub(rows);
        self.top = self.top.min(self.cursor).min(last_top);
        self.top = self.top.max((self.cursor + 1).saturating_sub(rows));
    }

    /// Whether what happens to devices changes which are shown, or in what order.
    pub(super) fn follows_events(&self) -> bool {
        self.sort.follows_events() || !self.filter.filter.is_empty()
    }

    /// The devices that the filter leaves, in the order of the table, with their index in the fleet.
    pub(super) fn shown<'f>(
        &self,
        fleet: &'f Fleet,
    ) -> impl Iterator<Item = (usize, &'f DeviceState)> {
        let devices = fleet.devices();
        let order = self.order.iter();
        order.filter_map(move |&n| Some((n, devices.get(n)?)))
    }

    /// Selects a device, if it is shown.
    pub(super) fn go_to(&mut self, device: usize) {
        if let Some(at) = self.order.iter().position(|&n| n == device) {
            self.point_at(at);
        }
    }

    /// Selects the device at this position in the order.
    pub(super) fn point_at(&mut self, at: usize) {
        if let Some(&n) = self.order.get(at) {
            self.cursor = at;
            self.selected = n;
        }
    }

    /// Selects the next device that needs a look, or the last one, and begins again at the other end.
    pub(super) fn look(&mut self, forward: bool, fleet: &Fleet) {
        let found: Vec<usize> = self
            .shown(fleet)
            .enumerate()
            .filter(|(_, (_, device))| device.needs_a_look())
            .map(|(at, _)| at)
            .collect();
        let here = self.cursor;
        let next = if forward {
            found.iter().find(|&&at| at > here).or(found.first())
        } else {
            let before = found.iter().rev().find(|&&at| at < here);
            before.or(found.last())
        };
        match next {
            Some(&at) => self.point_at(at),
            None if self.order.len() < fleet.devices().len() => {
                self.warn("none of the devices shown needs a look");
            }
            None => self.warn("no device needs a look"),
        }
    }

    /// Sorts by the next column. Sorted by state, what needs a look is shown first, whatever was selected.
    pub(super) fn sort_by_next(&mut self, fleet: &Fleet) {
        self.sort = self.sort.next();
        self.reverse = false;
        self.order_is_stale = true;
        self.settle_selection(fleet);
        let selected = self.selected(fleet);
        if self.sort == Sort::State && !selected.is_some_and(DeviceState::needs_a_look) {
            self.point_at(0);
        }
    }

    pub(super) fn turn_round(&mut self) {
        self.reverse ^= true;
        self.order_is_stale = true;
    }

    pub(super) fn scroll_or_select(&mut self, action: Action, focus: Focus, fleet: &Fleet) {
        match (focus, self.board) {
            (Focus::Reading | Focus::Help, _) => self.scroll_by(action, focus),
            (_, Board::Failures) => self.move_in_failures(action, fleet),
            (_, Board::Map) => self.move_on_map(action, fleet),
            (_, Board::Table) => {
                let page = self.areas(fleet).rows().max(2) - 1;
                self.point_at(moved(self.cursor, action, page, self.order.len()));
            }
        }
    }

    fn scroll_by(&mut self, action: Action, focus: Focus) {
        let page = usize::from(self.size.height.max(8) - 6);
        // The log is scrolled from its end.
        let towards_start = matches!(action, Action::Up | Action::PageUp | Action::Top);
        let grows = towards_start == (self.zoom == Some(Zoom::Log) && focus == Focus::Reading);
        let by = match action {
            Action::Up | Action::Down => 1,
            Action::PageUp | Action::PageDown => page,
            _ => usize::MAX,
        };
        self.scroll = if grows {
            self.scroll.saturating_add(by)
        } else {
            self.scroll.saturating_sub(by)
        };
    }
}

/// Where a key moves to in a list of `len` lines.
pub(super) fn moved(at: usize, action: Action, page: usize, len: usize) -> usize {
    let last = len.saturating_sub(1);
    match action {
        Action::Up | Action::Left => at.saturating_sub(1),
        Action::Down | Action::Right => at + 1,
        Action::PageUp => at.saturating_sub(page),
        Action::PageDown => at + page,
        Action::Top => 0,
        _ => last,
    }
    .min(last)
}
