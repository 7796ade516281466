//! The dashboard.
//!
//! keys → `keymap` → `ui` → actions; events → `ui`, fleet; state → `view` → frame.
//! `frames` turns the wheel, `terminal` holds the terminal and gives it back; `input` and `frame_writer` are its two
//! threads, so that nothing waits for a terminal.
//!
//! Owns: everything about the screen; ratatui and crossterm live here only.
//! Must not: reach devices or decide what starts; wishes go to the session.

mod actions;
mod device_order;
mod event_loop;
#[cfg(test)]
mod fixtures;
mod halt_box;
mod keymap;
mod layout;
mod recent_log;
mod retry_box;
mod secret_box;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod ui;
mod view;

pub use event_loop::{DashboardExit, MayStart, Options, run};
pub use terminal::guard::{restore, resume, suspend};
pub use theme::Theme;
