//! The fleet map: a cell for each device, in lines of one group each, and how the cursor moves on it. The cursor is the
//! table's own, so that every key acts on the same device; `view::fleet_map` draws the map.

use std::collections::HashMap;

use unicode_width::UnicodeWidthStr;

use crate::engine::{DeviceState, Fleet};

use super::Ui;
use crate::tui::device_order::by_group;
use crate::tui::keymap::Action;

/// The widest that a group's name gets.
const WIDEST_GROUP: usize = 16;
/// Title, and the device under the cursor.
const AROUND: usize = 2;

/// The cells, in lines.
pub(in crate::tui) struct Map<'f> {
    /// The width of the groups' names, 0 without groups.
    pub(in crate::tui) label: usize,
    /// The width of a cell: two where there is room for a pointer beside each sign.
    pub(in crate::tui) cell: usize,
    pub(in crate::tui) lines: Vec<MapLine<'f>>,
}

/// A line of cells.
pub(in crate::tui) struct MapLine<'f> {
    /// The group that begins here.
    pub(in crate::tui) group: Option<&'f str>,
    /// The devices, as positions in the order of the table.
    pub(in crate::tui) cells: Vec<usize>,
}

impl<'f> Map<'f> {
    /// The map of the devices that the filter leaves, as they are sorted, on a screen with this much room.
    pub(in crate::tui) fn of(ui: &Ui, fleet: &'f Fleet) -> Self {
        let area = ui.areas(fleet).table;
        let width = usize::from(area.width);
        let room = usize::from(area.height).saturating_sub(AROUND);
        let groups = groups(ui, fleet);
        let widths = groups
            .iter()
            .filter_map(|(device, _)| device.group.as_deref());
        let widest = widths.map(UnicodeWidthStr::width).max();
        let label = widest.map_or(0, |widest| widest.min(WIDEST_GROUP));
        let wide = Self::with_cells(&groups, label, width, 2);
        if wide.lines.len() <= room {
            return wide;
        }
        Self::with_cells(&groups, label, width, 1)
    }

    fn with_cells(
        groups: &[(&'f DeviceState, Vec<usize>)],
        label: usize,
        width: usize,
        cell: usize,
    ) -> Self {
        let each = (width.saturating_sub(label + 4) / cell).max(1);
        let mut lines = Vec::new();
        for (device, cells) in groups {
            for (n, cells) in cells.chunks(each).enumerate() {
                lines.push(MapLine {
                    group: device.group.as_deref().filter(|_| n == 0),
                    cells: cells.to_vec(),
                });
            }
        }
        Self { label, cell, lines }
    }

    /// Where the device at this position in the table's order is: line and column.
    pub(in crate::tui) fn find(&self, at: usize) -> (usize, usize) {
        let mut lines = self.lines.iter().enumerate();
        lines
            .find_map(|(n, line)| Some((n, line.cells.iter().position(|&cell| cell == at)?)))
            .unwrap_or_default()
    }

    /// The first line to be drawn, so that the cursor's is among them, in the middle where it can be.
    pub(in crate::tui) fn top(&self, cursor: usize, room: usize) -> usize {
        let last = self.lines.len().saturating_sub(room);
        self.find(cursor).0.saturating_sub(room / 2).min(last)
    }
}

/// The positions in the table's order by group, each with a device of the group.
fn groups<'f>(ui: &Ui, fleet: &'f Fleet) -> Vec<(&'f DeviceState, Vec<usize>)> {
    let mut groups: Vec<(&DeviceState, Vec<usize>)> = Vec::new();
    let mut known: HashMap<Option<&str>, usize> = HashMap::new();
    for (at, (_, device)) in ui.shown(fleet).enumerate() {
        let group = *known.entry(device.group.as_deref()).or_insert(groups.len());
        match groups.get_mut(group) {
            Some((_, cells)) => cells.push(at),
            None => groups.push((device, vec![at])),
        }
    }
    groups.sort_by(|(one, _), (other, _)| by_group(one, other));
    groups
}

impl Ui {
    pub(super) fn move_on_map(&mut self, action: Action, fleet: &Fleet) {
        let map = Map::of(self, fleet);
        let (line, column) = map.find(self.cursor);
        let last = map.lines.len().saturating_sub(1);
        let page = self.areas(fleet).rows().max(1);
        let cells = || map.lines.iter().flat_map(|line| &line.cells).copied();
        let up_or_down = |to: usize| {
            let cells = &map.lines.get(to.min(last))?.cells;
            cells.get(column).or(cells.last()).copied()
        };
        let to = match action {
            Action::Up => up_or_down(line.saturating_sub(1)),
            Action::Down => up_or_down(line + 1),
            Action::PageUp => up_or_down(line.saturating_sub(page)),
            Action::PageDown => up_or_down(line + page),
            Action::Left => cells().take_while(|&at| at != self.cursor).last(),
            Action::Right => cells().skip_while(|&at| at != self.cursor).nth(1),
            Action::Top => cells().next(),
            _ => cells().last(),
        };
        if let Some(to) = to {
            self.point_at(to);
        }
    }
}
