//! Shows a session as asked: dashboard, plain lines or JSON; then the summary and the exit code.
//! Must not: know where the session's devices come from.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use crate::engine::{Fleet, Intent, Session};
use crate::report::{Exit, JsonLines, Plain, Summary, print_summary};

use crate::tui::{self, Look, Options};

use super::args::{Output, View};
use super::headless;

/// How a run is shown, once it is known what there is to show it on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Show {
    Tui { ascii: bool },
    Plain,
    Json,
}

impl Show {
    /// The dashboard needs a terminal on both ends.
    pub(super) fn choose(view: &View) -> Result<Self, &'static str> {
        let terminal = io::stdin().is_terminal()
            && io::stdout().is_terminal()
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        match view.output {
            Some(Output::Tui) if !terminal => {
                Err("--output tui needs a terminal; say --output plain or json")
            }
            Some(Output::Tui) => Ok(Self::Tui { ascii: view.ascii }),
            None if terminal => Ok(Self::Tui { ascii: view.ascii }),
            None | Some(Output::Plain) => Ok(Self::Plain),
            Some(Output::Json) => Ok(Self::Json),
        }
    }
}

/// Whether standard output may be coloured.
pub(super) fn color() -> bool {
    io::stdout().is_terminal() && !no_color()
}

/// Shows the session to its end.
pub(super) async fn show(
    session: &mut Session,
    how: Show,
    interrupts: &mut mpsc::Receiver<()>,
) -> io::Result<()> {
    match how {
        Show::Json => {
            let mut json = JsonLines::new(io::stdout());
            headless::run(session, &mut json, interrupts).await
        }
        Show::Plain => {
            let mut plain = Plain::new(io::stdout(), TimeZone::system(), color());
            headless::run(session, &mut plain, interrupts).await
        }
        Show::Tui { ascii } => dashboard(session, ascii, interrupts).await,
    }
}

async fn dashboard(
    session: &mut Session,
    ascii: bool,
    interrupts: &mut mpsc::Receiver<()>,
) -> io::Result<()> {
    let look = Look::from_env(ascii, |name| std::env::var(name).ok());
    session.intend(Intent::Begin);
    let options = Options {
        look,
        zone: TimeZone::system(),
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
pub(super) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

/// The last word, on the normal screen. JSON has said it already. Where the terminal is gone by then the
/// exit code has to do: it must not turn into "nothing was sent".
pub(super) fn summary(fleet: &Fleet, how: Show, exit: Option<Exit>, log: Option<&Path>) {
    if how == Show::Json {
        return;
    }
    if let Err(error) = print(fleet, exit, log) {
        tracing::warn!(%error, "the summary could not be printed");
    }
}

fn print(fleet: &Fleet, exit: Option<Exit>, log: Option<&Path>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let style = Summary {
        color: color(),
        exit,
    };
    print_summary(fleet, Timestamp::now(), style, &mut out)?;
    if let Some(log) = log {
        writeln!(out, "log: {}", log.display())?;
    }
    out.flush()
}
