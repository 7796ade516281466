//! The dashboard: everything about the screen. ratatui and crossterm are used only here.
//!
//! keys → `keymap` → `ui` → effects; events → fleet and `ui`; both → `view` → frame.
//! `event_loop` runs it. `terminal` takes the terminal and gives it back, with a thread that reads and one
//! that writes, so that the dashboard never waits for a terminal.
//!
//! What is to happen to devices leaves as an [`Intent`](crate::engine::Intent): the reducer decides what starts.

mod announcer;
mod confirmed_plan;
mod device_order;
mod event_loop;
mod filter;
#[cfg(test)]
mod fixtures;
mod inventory;
mod keymap;
mod layout;
mod offscreen;
mod recent_log;
mod short_names;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod ui;
mod view;

pub use announcer::Announcements;
pub use event_loop::{DashboardExit, MayStart, Options, run};
pub use offscreen::Offscreen;
pub use terminal::guard::{restore, resume, suspend};
pub use theme::Theme;
