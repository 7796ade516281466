//! The screen, drawn from the state. One file for each part:
//!
//! ```text
//!  hemfleet  Encedo nGINE FW v1.2.3  AgICAgIC…  run 7f3a0000  3:41  about 2–4 min left  1.2 MB/s  header
//!  ✔ 5 upgraded  ● 4 running  ◌ 1 waiting  ✖ 1 failed            ██████████▌∙∙∙∙∙∙∙∙∙  54 %
//!  STOPPING safely, Ctrl-C again stops at once. Waiting for vault-02                       its banner
//!  WAITING: 1 secret (p types) · 2 phones (vault-04 0:41)                                  banner
//! ─ Devices ────────────────────────────────────────────────────── 2/12 · by inventory ─   table
//!    NAME      GROUP   DONE      STAGE     PROGRESS                         FIRMWARE      TIME
//!  ✔ vault-01  warsaw  ━━━━━━━━  upgraded  proven: rebooted, signature ma…  1.2.2 → 1.2.3 1:12 ▐
//! ▸● vault-02  warsaw  ━━●─────  upload    ███████▋∙∙∙∙∙∙∙∙∙  1.4 / 3.0 MB  1.2.2 → 1.2.3 0:09   strip, message, bar
//!  ✖ vault-03  warsaw  ━━━✖────  check     406: the device refused the im…  1.2.2         0:40
//! ─ vault-02 · ● upload ────────────────────────────────────────────────────── ━━●───── ─ detail
//!   12:02:11  probe    200    0.2 s  Encedo nGINE FW v1.2.2 · PPA rev 2.2 · healthy
//! ─ Log ─────────────────────────────────────────────────────────────────────────────────── log
//!   12:02:11  vault-02: probe done in 0.2 s
//!  ↑↓ select  Enter detail  r retry  c cancel  / filter  ? help  q quit                     footer
//! ```
//!
//! `f` puts [`failures`] in the table's place, and `m` [`fleet_map`]. Before the run, [`plan`] has the screen; [`boxes`]
//! are drawn over either. From 160 columns on, detail and log stand side by side; below 84 the detail takes the lower
//! half when asked for. [`audit_log`] replaces all that is below the header.
//!
//! Drawing is a function of [`Scene`]: it changes nothing, and the time is passed in.

mod audit_log;
mod banner;
mod boxes;
mod columns;
mod detail;
mod device_message;
mod failures;
mod fleet_map;
mod footer;
mod halt_box;
mod header;
mod log_pane;
mod named_devices;
mod plan;
mod plan_header;
mod progress_bar;
mod retry_box;
mod secret_box;
mod stage_strip;
mod table;
#[cfg(test)]
mod tests;
mod text_layout;
mod title;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use crate::engine::{DeviceState, Fleet};

use self::columns::Columns;
pub(in crate::tui) use self::text_layout::time_of_day;
use super::layout::Zoom;
use super::theme::Theme;
use super::ui::{Board, Popup, Ui, on_plan};

/// Everything that a drawing is a function of.
pub(super) struct Scene<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) ui: &'a Ui,
    pub(super) theme: Theme,
    /// The time of this frame.
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
}

/// Draws the whole screen.
pub(super) fn draw(scene: &Scene<'_>, buf: &mut Buffer) {
    let areas = scene.ui.areas(scene.fleet);
    if let Some(area) = areas.tiny {
        header::draw_tiny(scene, area, buf);
    } else if on_plan(scene.fleet) {
        plan_header::draw(scene, areas.header, buf);
        plan::draw(scene, areas.table, buf);
        if let Some(area) = areas.detail {
            plan::draw_why(scene, area, buf);
        }
        plan::draw_prompt(scene, areas.prompt, buf);
        footer::draw(scene, areas.footer, buf);
    } else {
        header::draw(scene, areas.header, buf);
        match scene.ui.board {
            Board::Table => table::draw(scene, areas.table, buf),
            Board::Failures => failures::draw(scene, areas.table, buf),
            Board::Map => fleet_map::draw(scene, areas.table, buf),
        }
        if let Some(area) = areas.detail {
            match scene.ui.zoom {
                Some(Zoom::Audit) => audit_log::draw(scene, area, buf),
                _ => detail::draw(scene, area, buf),
            }
        }
        if let Some(area) = areas.log {
            log_pane::draw(scene, area, buf);
        }
        footer::draw(scene, areas.footer, buf);
    }
    if areas.banner.height > 0 {
        banner::draw(scene, areas.banner, buf);
    }
    if areas.people.height > 0 {
        banner::draw_people(scene, areas.people, buf);
    }
    if let Some(popup) = &scene.ui.popup
        && areas.tiny.is_none()
    {
        boxes::draw(scene, popup, popup_area(scene.ui), buf);
    }
    scene.theme.apply(buf);
}

/// Updates the screen's state for the fleet and the size, before it is drawn.
pub(super) fn settle(ui: &mut Ui, fleet: &Fleet) {
    ui.settle(fleet);
    ui.ask(fleet);
    settle_names(ui, fleet);
    if std::mem::take(&mut ui.reveal) {
        let area = ui.areas(fleet).detail.unwrap_or_default();
        let (width, room) = (area.width.into(), area.height.saturating_sub(1).into());
        let device = ui.selected(fleet);
        ui.scroll = device.map_or(0, |device| audit_log::reveal(device, width, room));
    }
    ui.scroll = ui.scroll.min(scroll_limit(ui, fleet));
}

/// Cuts the names to the room that their column has.
fn settle_names(ui: &mut Ui, fleet: &Fleet) {
    ui.inventory.settle(fleet);
    let width = usize::from(ui.size.width);
    let columns = if on_plan(fleet) {
        Columns::of_plan(fleet, &ui.inventory, width)
    } else {
        Columns::of_table(fleet, &ui.inventory, width)
    };
    ui.inventory.names.fit(columns.name);
}

/// How far the pane or box that has the focus can be scrolled.
fn scroll_limit(ui: &Ui, fleet: &Fleet) -> usize {
    let areas = ui.areas(fleet);
    let inside = |area: Option<Rect>| usize::from(area.map_or(0, |a| a.height.saturating_sub(1)));
    match (&ui.popup, ui.zoom) {
        (Some(Popup::Help), _) => boxes::help_overflow(ui, fleet, popup_area(ui)),
        (_, Some(Zoom::Detail)) => {
            let width = usize::from(ui.size.width);
            let lines = ui
                .selected(fleet)
                .map_or(0, |device| detail::height(device, width));
            lines.saturating_sub(inside(areas.detail))
        }
        (_, Some(Zoom::Audit)) => {
            let width = usize::from(ui.size.width);
            let lines = ui.selected(fleet);
            let lines = lines.map_or(0, |device| audit_log::height(device, width));
            lines.saturating_sub(inside(areas.detail))
        }
        (_, Some(Zoom::Log)) => log_pane::scroll_limit(ui),
        _ => 0,
    }
}

/// The screen without the footer, which stays visible: it names the keys.
fn popup_area(ui: &Ui) -> Rect {
    Rect::new(0, 0, ui.size.width, ui.size.height.saturating_sub(1))
}

/// The selected device's name for a title of `width` columns: whole, or as it stands in its row.
fn selected_name(scene: &Scene<'_>, width: usize) -> String {
    let Some(device) = scene.ui.selected(scene.fleet) else {
        return String::new();
    };
    let whole = device.id.as_str();
    if whole.width() + TITLE <= width {
        return whole.to_owned();
    }
    let place = scene.ui.order.get(scene.ui.cursor);
    let names = &scene.ui.inventory.names;
    place.map_or("", |&n| names.shown(n)).to_owned()
}

/// The columns of a title beside a name: its rule, and what the device is doing.
const TITLE: usize = 24;

/// The devices that a task works on.
fn in_flight(fleet: &Fleet) -> impl Iterator<Item = &DeviceState> {
    fleet.devices().iter().filter(|device| device.has_task())
}

/// Writes a line of an area, if the area is that high.
fn put(buf: &mut Buffer, area: Rect, line: u16, text: &Line<'_>) {
    if line < area.height {
        buf.set_line(area.x, area.y + line, text, area.width);
    }
}

/// Styles a line of an area, if the area is that high.
fn paint(buf: &mut Buffer, area: Rect, line: u16, style: Style) {
    if line < area.height {
        let line = Rect {
            y: area.y + line,
            height: 1,
            ..area
        };
        buf.set_style(line, style);
    }
}
