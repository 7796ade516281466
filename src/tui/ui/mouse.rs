//! What the mouse does, where the inventory gives it to the dashboard: the wheel scrolls, and a press selects.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{Board, Ui};
use crate::engine::Fleet;
use crate::tui::keymap::{Action, Focus};
use crate::tui::layout::TABLE_HEAD;

/// Lines for each step of the wheel.
const WHEEL: usize = 3;

impl Ui {
    /// Takes in what the mouse did.
    pub(in crate::tui) fn mouse(&mut self, event: MouseEvent, fleet: &Fleet) {
        self.settle(fleet);
        let focus = self.focus(fleet);
        match event.kind {
            MouseEventKind::ScrollUp => self.turn(Action::Up, focus, fleet),
            MouseEventKind::ScrollDown => self.turn(Action::Down, focus, fleet),
            MouseEventKind::Down(MouseButton::Left) => {
                self.press_at(Position::new(event.column, event.row), focus, fleet);
            }
            _ => {}
        }
        self.settle(fleet);
    }

    /// A question stands where it stands, whatever is scrolled behind it.
    fn turn(&mut self, towards: Action, focus: Focus, fleet: &Fleet) {
        if matches!(
            focus,
            Focus::Devices
                | Focus::Failures
                | Focus::Map
                | Focus::Plan
                | Focus::Filter
                | Focus::Reading
                | Focus::Help
        ) {
            for _ in 0..WHEEL {
                self.scroll_or_select(towards, focus, fleet);
            }
        }
    }

    /// Selects the device in this line of the table. Nothing else can be pressed: what changes a device takes a key.
    fn press_at(&mut self, at: Position, focus: Focus, fleet: &Fleet) {
        // Map and failures stand in the table's place, and their lines are others.
        let in_table = self.board == Board::Table
            && matches!(focus, Focus::Devices | Focus::Plan | Focus::Filter);
        let table = self.areas(fleet).table;
        let first = table.y + TABLE_HEAD;
        if in_table && table.contains(at) && at.y >= first {
            self.point_at(self.top + usize::from(at.y - first));
        }
    }
}
