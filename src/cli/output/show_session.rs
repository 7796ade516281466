//! Shows a session in the chosen way (dashboard, plain lines or JSON), then its summary.

use std::io::{self, IsTerminal as _};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use crate::engine::{Fleet, FleetRun, StopSignal};
use crate::model::{Charset, OnHangUp, ScreenSettings};
use crate::report::{Exit, JsonLines, LineLook, Plain, Reporter, Summary, print_summary};
use crate::tui::{self, Announcements, Options, Theme};

use super::headless_loop::{self, Lines};
use super::report_files::ReportFiles;
use super::stderr_and_log;
use super::stdout_writer::{self, OutputBuffer};
use crate::cli::CliError;
use crate::cli::args::{Output, View};
use crate::cli::start_gate::StartGate;

/// How a run is shown, once it is known what there is to show it on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum OutputMode {
    Tui,
    Plain,
    Json,
}

impl OutputMode {
    /// The dashboard needs a terminal on both ends.
    pub(in crate::cli) fn choose(view: &View) -> Result<Self, CliError> {
        let terminal = io::stdin().is_terminal()
            && io::stdout().is_terminal()
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        match view.output() {
            Some(Output::Tui) if !terminal => Err(CliError::NoTerminalForTui),
            Some(Output::Tui) => Ok(Self::Tui),
            None if terminal => Ok(Self::Tui),
            None | Some(Output::Plain) => Ok(Self::Plain),
            Some(Output::Json) => Ok(Self::Json),
        }
    }
}

/// How a session is shown, and what becomes of it once nobody looks any more.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Presentation {
    pub(in crate::cli) how: OutputMode,
    pub(in crate::cli) look: LineLook,
    pub(in crate::cli) screen: ScreenSettings,
    pub(in crate::cli) on_hang_up: OnHangUp,
    /// What names the run's journal ([`crate::cli::journal_file::option`]); absent where none is kept.
    pub(in crate::cli) journal: Option<&'static str>,
}

/// How lines on standard output look; `ascii`, from the command line, wins over the locale.
pub(in crate::cli) fn look(ascii: bool) -> LineLook {
    LineLook {
        color: io::stdout().is_terminal() && !no_color(),
        charset: Charset::of_env(ascii, |name| std::env::var(name).ok()),
    }
}

/// The columns of the terminal that standard output is; absent where it is none.
pub(in crate::cli) fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let columns = rustix::termios::tcgetwinsize(out).map_or(0, |size| size.ws_col);
    // A serial line does not know its own.
    Some(if columns == 0 {
        80
    } else {
        usize::from(columns)
    })
}

/// Shows the session to its end; whether all of it could be told. A plan that is confirmed starts once
/// `gate` opens. After a panic the reports are written before it goes on.
///
/// # Errors
///
/// The terminal could not be taken; nothing has been begun then.
pub(in crate::cli) async fn show(
    session: &mut FleetRun,
    presentation: Presentation,
    gate: &Arc<StartGate>,
    reports: &mut ReportFiles,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> io::Result<bool> {
    let showing = shown(session, presentation, gate, reports, interrupts);
    // What a panic leaves half done is the screen; events are taken in by the reducer alone, which is whole.
    match AssertUnwindSafe(showing).catch_unwind().await {
        Ok(told) => told,
        Err(panic) => {
            reports.finish_after_panic(session, interrupts).await;
            resume_unwind(panic)
        }
    }
}

async fn shown(
    session: &mut FleetRun,
    presentation: Presentation,
    gate: &Arc<StartGate>,
    reports: &mut ReportFiles,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> io::Result<bool> {
    let Presentation {
        look, on_hang_up, ..
    } = presentation;
    let page = OutputBuffer::default();
    let (mut json, mut plain);
    let reporter: &mut dyn Reporter = match presentation.how {
        OutputMode::Tui => {
            dashboard(session, presentation, gate, reports, interrupts).await?;
            return Ok(true);
        }
        OutputMode::Json => {
            json = JsonLines::new(page.clone());
            &mut json
        }
        OutputMode::Plain => {
            plain = Plain::new(page.clone(), TimeZone::system(), look);
            &mut plain
        }
    };
    let lines = Lines {
        reporter,
        page,
        look,
    };
    Ok(headless_loop::run(session, lines, Some(gate), on_hang_up, reports, interrupts).await)
}

async fn dashboard(
    session: &mut FleetRun,
    presentation: Presentation,
    gate: &Arc<StartGate>,
    reports: &mut ReportFiles,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> io::Result<()> {
    let Presentation {
        look,
        screen,
        on_hang_up,
        journal,
        ..
    } = presentation;
    let ascii = look.charset == Charset::Ascii;
    let theme = Theme::from_env(ascii, |name| std::env::var(name).ok());
    let options = Options {
        theme,
        announcements: Announcements::from_env(screen.notify, |name| std::env::var(name).ok()),
        mouse: screen.mouse,
        zone: TimeZone::system(),
        on_hang_up,
        journal,
        may_start: &mut || {
            let gate = Arc::clone(gate);
            Box::pin(async move { gate.open().await })
        },
        on_event: &mut |fleet, event| {
            reports.event(fleet, event);
            if let Some(line) = event.fact.headline() {
                tracing::info!("{line}");
            }
        },
    };
    tui::run(session, interrupts, options).await?;
    reports.drain(session);
    Ok(())
}

/// How a run ended, beside what its fleet says.
pub(in crate::cli) struct Ending<'a> {
    /// Absent where somebody else explains it.
    pub(in crate::cli) exit: Option<Exit>,
    /// Where it was logged, where that is a file.
    pub(in crate::cli) log: Option<&'a Path>,
    /// The reports that were written.
    pub(in crate::cli) reports: &'a [PathBuf],
    /// Whether all of it could be told on standard output.
    pub(in crate::cli) told: bool,
}

/// The last word, on the normal screen. JSON has said it already. Where not all could be told, it goes to
/// standard error: devices in doubt are named somewhere. Where that is gone too the exit code has to do:
/// it must not turn into "nothing was sent".
pub(in crate::cli) async fn summary(
    fleet: &Fleet,
    how: OutputMode,
    look: LineLook,
    ending: Ending<'_>,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) {
    let mut text = Vec::new();
    let mut style = Summary {
        look,
        width: width(),
        exit: ending.exit,
    };
    match (ending.told, how) {
        (true, OutputMode::Json) => {}
        (true, _) => {
            // A vector takes everything.
            let _ = print(fleet, style, &ending, &mut text);
            let hurried = fleet.stop().is_some();
            if !stdout_writer::print(text, hurried, interrupts).await {
                tracing::warn!("the summary could not be printed");
            }
        }
        (false, _) => {
            style.look.color = false;
            let _ = print(fleet, style, &ending, &mut text);
            stderr_and_log::say(&String::from_utf8_lossy(&text));
        }
    }
}

fn print(
    fleet: &Fleet,
    style: Summary,
    ending: &Ending<'_>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    print_summary(fleet, Timestamp::now(), style, out)?;
    // Paths stay as they are: they are to be opened.
    for report in ending.reports {
        writeln!(out, "report: {}", report.display())?;
    }
    if let Some(log) = ending.log {
        writeln!(out, "log: {}", log.display())?;
    }
    Ok(())
}

/// Whether the user asked for no colour.
pub(in crate::cli) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}
