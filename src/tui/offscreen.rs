//! The dashboard without a terminal: the same state and the same drawing, into memory. The benches measure it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::engine::{Event, Fleet};

use super::theme::Theme;
use super::ui::Ui;
use super::view::{self, Scene};

/// A dashboard that nobody sees.
pub struct Offscreen {
    terminal: Terminal<CrosstermBackend<Counter>>,
    written: Counter,
    ui: Ui,
    zone: TimeZone,
}

/// Counts the bytes that a terminal would get.
#[derive(Clone, Default)]
struct Counter(Arc<Mutex<usize>>);

impl Counter {
    fn add(&self, bytes: usize) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all += bytes;
        *all
    }
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Offscreen {
    /// A dashboard of `width` columns and `height` lines.
    ///
    /// # Errors
    ///
    /// None that a screen in memory can have; the types say otherwise.
    pub fn new(width: u16, height: u16) -> io::Result<Self> {
        let written = Counter::default();
        let options = TerminalOptions {
            viewport: Viewport::Fixed(Rect::new(0, 0, width, height)),
        };
        Ok(Self {
            terminal: Terminal::with_options(CrosstermBackend::new(written.clone()), options)?,
            written,
            ui: Ui::new(Size::new(width, height)),
            zone: TimeZone::UTC,
        })
    }

    /// Takes in an event that `fleet` has taken in.
    pub fn event(&mut self, event: &Event) {
        self.ui.event(event);
    }

    /// Takes in a character that is typed.
    pub fn key(&mut self, character: char, fleet: &Fleet) {
        let key = KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE);
        self.ui.key(&key, fleet);
    }

    /// Draws a frame; the bytes that a terminal would have got so far.
    ///
    /// # Errors
    ///
    /// As for [`Self::new`].
    pub fn draw(&mut self, fleet: &Fleet, now: Timestamp) -> io::Result<usize> {
        let (ui, zone) = (&mut self.ui, &self.zone);
        self.terminal.draw(|frame| {
            view::settle(ui, fleet);
            let scene = Scene {
                fleet,
                ui,
                theme: Theme {
                    colour: true,
                    ascii: false,
                },
                now,
                zone,
            };
            view::draw(&scene, frame.buffer_mut());
        })?;
        Ok(self.written.add(0))
    }
}
