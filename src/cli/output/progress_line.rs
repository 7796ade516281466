//! The one line of progress of a command without a dashboard: written anew in its place on standard error, and nothing
//! at all where that is no terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use rustix::fs::FileType;
use tokio::time::Instant;

use super::stderr_and_log::{WIPE, finish_stderr, progress_stands, show_progress};
use super::stdout_writer::OutputBuffer;
use crate::engine::{Event, Fleet};
use crate::report::Reporter;

/// What changes all the time is written anew at most so often.
const REDRAW: Duration = Duration::from_millis(100);

/// The line.
pub(in crate::cli) struct ProgressLine {
    shown: Option<Instant>,
    is_terminal: bool,
}

impl ProgressLine {
    pub(in crate::cli) fn new() -> Self {
        Self {
            shown: None,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows this text in place of the last one.
    fn show(&mut self, text: &str) {
        if self.is_terminal {
            self.shown = Some(Instant::now());
            show_progress(text);
        }
    }

    /// Shows what changes all the time, unless what is shown is too new.
    pub(in crate::cli) fn show_sometimes(&mut self, text: impl FnOnce() -> String) {
        if self.shown.is_none_or(|at| at.elapsed() >= REDRAW) {
            self.show(&text());
        }
    }

    /// Removes it, before anything else is written: standard output has a thread of its own, which may be faster.
    pub(in crate::cli) fn end(&mut self) {
        if self.shown.take().is_some() {
            show_progress("");
            finish_stderr();
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.end();
    }
}

/// A reporter that also shows how many devices are done.
pub(in crate::cli) struct WithProgress<'r> {
    reporter: &'r mut dyn Reporter,
    /// What the reporter writes to.
    written: OutputBuffer,
    page: OutputBuffer,
    line: ProgressLine,
    stdout: Stdout,
    /// What is said before the numbers.
    done: &'static str,
    /// How many are done by what is shown; absent where nothing is.
    shown: Option<usize>,
}

/// Where standard output goes, as far as it matters to a line on the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stdout {
    /// To a terminal, which is taken for the same one. Another thread writes it: each piece wipes the line before
    /// itself, so that it does not matter which of the two is written first.
    Terminal,
    /// To a file.
    File,
    /// To a program, which may write to the terminal whenever it reads something.
    Program,
}

impl Stdout {
    fn of_process() -> Self {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            return Self::Terminal;
        }
        match rustix::fs::fstat(stdout) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Self::File
            }
            _ => Self::Program,
        }
    }
}

impl<'r> WithProgress<'r> {
    /// `reporter` writes to `written`, and this to `page`.
    pub(in crate::cli) fn new(
        reporter: &'r mut dyn Reporter,
        written: OutputBuffer,
        page: OutputBuffer,
        done: &'static str,
    ) -> Self {
        Self {
            reporter,
            written,
            page,
            line: ProgressLine::new(),
            stdout: Stdout::of_process(),
            done,
            shown: None,
        }
    }

    /// Shows `text` in place of what was shown, or nothing. Where rows go to the terminal the line goes the same way:
    /// standard error has a thread of its own, and a row that came late would wipe it.
    fn show(&mut self, text: &str) -> io::Result<()> {
        if self.stdout != Stdout::Terminal || !self.line.is_terminal {
            if text.is_empty() {
                self.line.end();
            } else {
                self.line.show(text);
            }
            return Ok(());
        }
        progress_stands(!text.is_empty());
        self.page.write_all(format!("{WIPE}{text}").as_bytes())
    }
}

impl Reporter for WithProgress<'_> {
    fn event(&mut self, fleet: &Fleet, event: &Event) -> io::Result<()> {
        self.reporter.event(fleet, event)?;
        // The line would write over the prompt.
        let is_asking = fleet.secrets_wanted() > 0;
        let written = self.written.take();
        if !written.is_empty() {
            match self.stdout {
                Stdout::Terminal if !is_asking => self.page.write_all(WIPE.as_bytes())?,
                Stdout::Terminal | Stdout::File => {}
                Stdout::Program => self.line.is_terminal = false,
            }
            self.page.write_all(&written)?;
            // What was written took the line's place.
            self.shown = None;
        }
        if is_asking || fleet.is_over() {
            self.show("")?;
            self.shown = None;
        } else {
            let counts = fleet.counts();
            let all = fleet.devices().len();
            let done = all - counts.waiting - counts.running;
            if self.shown != Some(done) {
                self.shown = Some(done);
                self.show(&format!("{} {done} of {all}…", self.done))?;
            }
        }
        Ok(())
    }
}
