//! Panes and pictures of the fleet: what opens them, and how Esc goes back, one step each time.

use crate::engine::{DeviceState, Fleet};
use crate::model::Stage;

use super::{Board, Focus, Popup, Ui};
use crate::tui::layout::{PaneChoice, Zoom};

impl Ui {
    /// Switches a pane from off to on, to the whole screen, and to off again.
    pub(super) fn toggle_pane(&mut self, zoom: Zoom, fleet: &Fleet) {
        self.scroll = 0;
        if self.board != Board::Table {
            self.zoom = if self.zoom == Some(zoom) {
                None
            } else {
                Some(zoom)
            };
            return;
        }
        let areas = self.areas(fleet);
        let (choice, shown) = match zoom {
            Zoom::Detail | Zoom::Audit => (&mut self.detail, areas.detail.is_some()),
            Zoom::Log => (&mut self.log_pane, areas.log.is_some()),
        };
        if self.zoom == Some(zoom) {
            self.zoom = None;
            *choice = PaneChoice::Off;
        } else if shown || self.zoom.is_some() {
            self.zoom = Some(zoom);
        } else {
            *choice = PaneChoice::On;
            // If there is no room for both, the one asked for last is shown.
            if zoom == Zoom::Detail && self.areas(fleet).detail.is_none() {
                self.log_pane = PaneChoice::Off;
            }
            let areas = self.areas(fleet);
            if areas.detail.is_none() && areas.log.is_none() {
                self.zoom = Some(zoom);
            }
        }
    }

    /// The audit log's entries, where there are any to read.
    pub(super) fn toggle_audit(&mut self, fleet: &Fleet) {
        let Some(device) = self.selected(fleet) else {
            return;
        };
        if self.zoom != Some(Zoom::Audit) && device.audit.is_none() {
            let text = no_log(device);
            return self.warn(&text);
        }
        self.scroll = 0;
        self.reveal = self.zoom != Some(Zoom::Audit);
        self.zoom = self.reveal.then_some(Zoom::Audit);
    }

    /// Shows the fleet like this, or as a table again.
    pub(super) fn toggle_board(&mut self, board: Board, fleet: &Fleet) {
        if self.board == board {
            self.board = Board::Table;
            return;
        }
        if board == Board::Failures && !self.has_failures(fleet) {
            return self.warn(if self.order.len() < fleet.devices().len() {
                "nothing went wrong among the devices shown"
            } else {
                "nothing went wrong so far"
            });
        }
        self.board = board;
    }

    /// Enter on the map or among the failures.
    pub(super) fn open(&mut self, focus: Focus, fleet: &Fleet) {
        if focus == Focus::Failures && self.fold_or_unfold() {
            return;
        }
        if self.selected(fleet).is_some() {
            self.scroll = 0;
            self.zoom = Some(Zoom::Detail);
        }
    }

    /// One step back: what was opened last is closed first.
    pub(super) fn back(&mut self, focus: Focus, fleet: &Fleet) {
        match focus {
            Focus::Help => self.popup = None,
            Focus::Filter => self.clear_filter(),
            Focus::Reading => self.zoom = None,
            Focus::Plan if !self.typed.is_empty() => self.typed.clear(),
            _ if !self.marks.is_empty() => self.marks.clear(),
            _ if self.board != Board::Table => self.board = Board::Table,
            _ if !self.filter.value().is_empty() => self.clear_filter(),
            Focus::Plan if self.read_only.is_none() => self.popup = Some(Popup::LeavePlan),
            _ => {
                let areas = self.areas(fleet);
                if self.log_pane == PaneChoice::On && areas.log.is_some() {
                    self.log_pane = PaneChoice::Off;
                } else if areas.detail.is_some() {
                    self.detail = PaneChoice::Off;
                }
            }
        }
    }
}

/// Why there is no audit log of a device to be read.
fn no_log(device: &DeviceState) -> String {
    let id = &device.id;
    let reads = |active: &crate::engine::Active| active.stage == Stage::Audit;
    if device.active().is_some_and(reads) {
        format!("{id}: its audit log is being read")
    } else if device.outcome().is_none() {
        format!("{id}: its audit log is read after its install, which has not come to that yet")
    } else if device
        .outcome()
        .is_some_and(|o| o.touched() != crate::model::Touched::InstallSent)
    {
        format!("{id}: no audit log was read, since no install was sent")
    } else {
        format!("{id}: no audit log was read in this run; hemfleet audit reads it")
    }
}
