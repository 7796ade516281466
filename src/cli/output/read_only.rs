//! Shows a run that is only looked at: one of the past, or one of another process. No device hangs on it, so that Ctrl-C
//! may end this process wherever it is, and lines wait for whoever reads them. A run of this process is shown by
//! `show_session`.

use std::io::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::show_session::{OutputMode, Presentation, width};
use super::stdout_writer::OutputBuffer;
use crate::cli::process::signals;
use crate::engine::{FleetRun, Replay};
use crate::model::{Charset, Notify};
use crate::report::{JsonLines, Plain, Reporter, Summary, print_summary};
use crate::tui::{self, Announcements, Options, Theme};

/// As much is written at once while more is there already, in bytes.
const PAGE: usize = 64 * 1024;

/// Shows the run until somebody leaves or, but for the dashboard, until no event can come any more. With `at_once` lines
/// come as fast as they are read, whatever the pace of the run.
pub(in crate::cli) async fn show(
    session: &mut FleetRun,
    presentation: Presentation,
    at_once: bool,
) -> io::Result<()> {
    if presentation.how == OutputMode::Tui {
        return dashboard(session, presentation).await;
    }
    let done = lines(session, presentation, at_once).await;
    match done {
        // Whoever read it has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

async fn dashboard(session: &mut FleetRun, presentation: Presentation) -> io::Result<()> {
    let Presentation { look, screen, .. } = presentation;
    let var = |name: &str| std::env::var(name).ok();
    // What is past calls nobody.
    let notify = match session.replay() {
        Some(_) => Notify::Off,
        None => screen.notify,
    };
    let options = Options {
        theme: Theme::from_env(look.charset == Charset::Ascii, var),
        announcements: Announcements::from_env(notify, var),
        mouse: screen.mouse,
        zone: TimeZone::system(),
        on_hang_up: presentation.on_hang_up,
        journal: presentation.journal,
        may_start: &mut || Box::pin(async { Err("the run is only looked at".to_owned()) }),
        on_event: &mut |_, _| {},
    };
    let mut interrupts = signals::interrupts()?;
    tui::run(session, &mut interrupts, options).await?;
    Ok(())
}

async fn lines(
    session: &mut FleetRun,
    presentation: Presentation,
    at_once: bool,
) -> io::Result<()> {
    let page = OutputBuffer::default();
    let (mut json, mut plain);
    let reporter: &mut dyn Reporter = if presentation.how == OutputMode::Json {
        json = JsonLines::new(page.clone());
        &mut json
    } else {
        plain = Plain::new(page.clone(), TimeZone::system(), presentation.look);
        &mut plain
    };
    let mut out = io::stdout().lock();
    let mut last = Timestamp::now();
    loop {
        let ready = if at_once {
            session.step()
        } else {
            session.try_next()
        };
        let event = if let Some(event) = ready {
            event
        } else {
            out.write_all(&page.take())?;
            out.flush()?;
            let Some(event) = session.next().await else {
                break;
            };
            event
        };
        last = event.at;
        reporter.event(session.fleet(), &event)?;
        if page.len() >= PAGE {
            out.write_all(&page.take())?;
        }
    }
    let goes_on = session.replay().is_some_and(Replay::goes_on);
    if presentation.how == OutputMode::Plain && !goes_on {
        let style = Summary {
            look: presentation.look,
            width: width(),
            exit: None,
        };
        print_summary(session.fleet(), last, style, &mut out)?;
    }
    out.flush()
}
