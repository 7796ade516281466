//! Shows a session in the chosen way (dashboard, plain lines or JSON), then its summary.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use crate::engine::{Fleet, FleetRun};
use crate::model::ScreenSettings;
use crate::report::{Exit, JsonLines, Plain, Summary, print_summary};
use crate::tui::{self, Announcements, Options, Theme};

use super::headless_loop;
use super::stderr_and_log;
use super::stdout_writer::{self, OutputBuffer};
use crate::cli::CliError;
use crate::cli::args::{Output, View};
use crate::cli::device_locks::DeviceLocks;

/// How a run is shown, once it is known what there is to show it on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum OutputMode {
    Tui { ascii: bool },
    Plain,
    Json,
}

impl OutputMode {
    /// The dashboard needs a terminal on both ends.
    pub(in crate::cli) fn choose(view: &View) -> Result<Self, CliError> {
        let terminal = io::stdin().is_terminal()
            && io::stdout().is_terminal()
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        match view.output {
            Some(Output::Tui) if !terminal => Err(CliError::NoTerminalForTui),
            Some(Output::Tui) => Ok(Self::Tui { ascii: view.ascii }),
            None if terminal => Ok(Self::Tui { ascii: view.ascii }),
            None | Some(Output::Plain) => Ok(Self::Plain),
            Some(Output::Json) => Ok(Self::Json),
        }
    }
}

/// Whether standard output may be coloured.
pub(in crate::cli) fn color() -> bool {
    io::stdout().is_terminal() && !no_color()
}

/// Shows the session to its end; whether all of it could be told. A plan that is confirmed starts once
/// `locks` are held.
///
/// # Errors
///
/// The terminal could not be taken; nothing has been begun then.
pub(in crate::cli) async fn show(
    session: &mut FleetRun,
    how: OutputMode,
    locks: &Arc<DeviceLocks>,
    interrupts: &mut mpsc::Receiver<()>,
) -> io::Result<bool> {
    let page = OutputBuffer::default();
    match how {
        OutputMode::Json => {
            let mut json = JsonLines::new(page.clone());
            Ok(headless_loop::run(session, &mut json, page, Some(locks), interrupts).await)
        }
        OutputMode::Plain => {
            let mut plain = Plain::new(page.clone(), TimeZone::system(), color());
            Ok(headless_loop::run(session, &mut plain, page, Some(locks), interrupts).await)
        }
        OutputMode::Tui { ascii } => dashboard(session, ascii, locks, interrupts)
            .await
            .map(|()| true),
    }
}

async fn dashboard(
    session: &mut FleetRun,
    ascii: bool,
    locks: &Arc<DeviceLocks>,
    interrupts: &mut mpsc::Receiver<()>,
) -> io::Result<()> {
    let theme = Theme::from_env(ascii, |name| std::env::var(name).ok());
    let screen = ScreenSettings::default();
    let options = Options {
        theme,
        announcements: Announcements::from_env(screen.notify, |name| std::env::var(name).ok()),
        mouse: screen.mouse,
        zone: TimeZone::system(),
        may_start: &mut || {
            let locks = Arc::clone(locks);
            Box::pin(async move { locks.take().await.map_err(|refused| refused.line()) })
        },
        on_event: &mut |_, event| {
            if let Some(line) = event.fact.headline() {
                tracing::info!("{line}");
            }
        },
    };
    tui::run(session, interrupts, options).await?;
    session.finish();
    while session.try_next().is_some() {}
    Ok(())
}

/// Whether the user asked for no colour.
pub(in crate::cli) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

/// The last word, on the normal screen. JSON has said it already. Where not all could be told, it goes to
/// standard error: devices in doubt are named somewhere. Where that is gone too the exit code has to do:
/// it must not turn into "nothing was sent".
pub(in crate::cli) async fn summary(
    fleet: &Fleet,
    how: OutputMode,
    exit: Option<Exit>,
    log: Option<&Path>,
    told: bool,
    interrupts: &mut mpsc::Receiver<()>,
) {
    let mut text = Vec::new();
    match (told, how) {
        (true, OutputMode::Json) => {}
        (true, _) => {
            // A vector takes everything.
            let _ = print(fleet, exit, log, color(), &mut text);
            let hurried = fleet.stop().is_some();
            if !stdout_writer::print(text, hurried, interrupts).await {
                tracing::warn!("the summary could not be printed");
            }
        }
        (false, _) => {
            let _ = print(fleet, exit, log, false, &mut text);
            stderr_and_log::say(&String::from_utf8_lossy(&text));
        }
    }
}

fn print(
    fleet: &Fleet,
    exit: Option<Exit>,
    log: Option<&Path>,
    color: bool,
    out: &mut impl io::Write,
) -> io::Result<()> {
    print_summary(fleet, Timestamp::now(), Summary { color, exit }, out)?;
    if let Some(log) = log {
        writeln!(out, "log: {}", log.display())?;
    }
    Ok(())
}
