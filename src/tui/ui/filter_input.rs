//! The filter's input: what is typed, and what is understood of it. The language itself is in `filter`.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

use super::Ui;
use crate::tui::filter::Filter;

/// The most bytes that a filter takes: each key costs more the longer it is, and names are shorter.
const LONGEST: usize = 256;

/// The notice when a filter takes no more.
const FULL: &str = "the filter is full: the rest is left out";

/// What is typed, and what is understood of it.
#[derive(Debug, Default)]
pub(in crate::tui) struct FilterInput {
    input: Input,
    /// Whether it is being typed.
    pub(in crate::tui) editing: bool,
    /// What is understood of it.
    pub(super) filter: Filter,
    /// What is wrong with what is typed.
    pub(in crate::tui) fault: Option<String>,
}

impl FilterInput {
    /// The text.
    pub(in crate::tui) fn value(&self) -> &str {
        self.input.value()
    }

    fn understand(&mut self) {
        let (filter, fault) = Filter::parse(self.input.value());
        self.filter = filter;
        self.fault = fault.map(|fault| fault.to_string());
    }
}

impl Ui {
    pub(super) fn open_filter(&mut self) {
        self.filter.editing = true;
        self.zoom = None;
    }

    /// Ends the typing, unless what is typed means nothing.
    pub(super) fn keep_filter(&mut self) {
        self.filter.editing = self.filter.fault.is_some();
    }

    pub(super) fn clear_filter(&mut self) {
        self.filter = FilterInput::default();
        self.order_is_stale = true;
    }

    pub(super) fn edit(&mut self, event: &KeyEvent) {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let request = match event.code {
            KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
            KeyCode::Char('u') if control => InputRequest::DeleteLine,
            KeyCode::Char(_) if control => return,
            KeyCode::Char(_) if self.filter.value().len() >= LONGEST => return self.warn(FULL),
            KeyCode::Char(c) => InputRequest::InsertChar(c),
            KeyCode::Backspace => InputRequest::DeletePrevChar,
            KeyCode::Delete => InputRequest::DeleteNextChar,
            KeyCode::Left => InputRequest::GoToPrevChar,
            KeyCode::Right => InputRequest::GoToNextChar,
            KeyCode::Home => InputRequest::GoToStart,
            KeyCode::End => InputRequest::GoToEnd,
            _ => return,
        };
        self.filter.input.handle(request);
        self.filter.understand();
        self.order_is_stale = true;
    }
}
