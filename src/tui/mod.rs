//! The dashboard.
//!
//! keys → `keymap` → `ui` → actions; events → `ui`, fleet; state → `view` → frame.
//! `frames` turns the wheel, `terminal` holds the terminal and gives it back; `input` and `frame_writer` are its two
//! threads, so that nothing waits for a terminal.
//!
//! Owns: everything about the screen; ratatui and crossterm live here only.
//! Must not: reach devices or decide what starts; wishes go to the session.

mod budget;
mod frame_writer;
mod frames;
mod input;
mod keymap;
mod layout;
mod log;
mod look;
mod order;
mod retry;
#[cfg(test)]
mod sample;
mod secret;
#[cfg(test)]
mod secret_tests;
mod terminal;
mod ui;
#[cfg(test)]
mod ui_tests;
mod view;
mod wishes;

pub use frames::{Exit, MayStart, Options, run};
pub use look::Look;
pub use terminal::{restore, resume, suspend};
