//! A run without the dashboard: events to a reporter, signals to the reducer, the confirmation from
//! the terminal. Must not: decide what starts, or how an event is worded.

use std::io::{self, BufRead, Write};

use tokio::sync::mpsc;

use crate::engine::{Event, Fleet, Intent, Mode, Phase, Session, Stop};
use crate::model::VerdictKind;
use crate::report::{Reporter, plan_table};

/// Runs the session to its end. A reporter that fails (a closed pipe) stops the run as an interrupt
/// does: nobody would see what happens; the error is returned at the end.
pub(super) async fn run(
    session: &mut Session,
    reporter: &mut dyn Reporter,
    interrupts: &mut mpsc::Receiver<()>,
) -> io::Result<()> {
    let mut mouth = Mouth {
        reporter,
        broken: None,
    };
    session.intend(Intent::Begin);
    while !session.fleet().is_over() {
        if is_to_confirm(session.fleet()) {
            confirm(session, interrupts).await?;
            continue;
        }
        tokio::select! {
            event = session.next() => {
                if mouth.tell(session.fleet(), &event) {
                    session.intend(Intent::Interrupt);
                }
            }
            Some(()) = interrupts.recv() => interrupt(session),
        }
    }
    session.finish();
    while let Some(event) = session.try_next() {
        mouth.tell(session.fleet(), &event);
    }
    mouth.broken.map_or(Ok(()), Err)
}

/// A reporter that says nothing: what there is to say comes at the end.
pub(super) struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _: &Fleet, _: &Event) -> io::Result<()> {
        Ok(())
    }
}

/// A reporter that is not asked again once it failed.
struct Mouth<'a> {
    reporter: &'a mut dyn Reporter,
    broken: Option<io::Error>,
}

impl Mouth<'_> {
    /// True if it broke just now.
    fn tell(&mut self, fleet: &Fleet, event: &Event) -> bool {
        if self.broken.is_some() {
            return false;
        }
        match self.reporter.event(fleet, event) {
            Ok(()) => false,
            Err(error) => {
                tracing::error!("cannot write: {error}; stopping at a safe point");
                self.broken = Some(error);
                true
            }
        }
    }
}

fn interrupt(session: &mut Session) {
    session.intend(Intent::Interrupt);
    let running = session.fleet().counts().running;
    let text = match session.fleet().stop() {
        Some(Stop::Aborting) => format!("stopping now: {running} devices are left where they are"),
        _ => format!(
            "stopping: nothing new starts, {running} devices are brought to a safe point \
             (past the install: watched to the end); once more to stop now"
        ),
    };
    // Standard error may be gone with the terminal; the run goes on.
    let _ = writeln!(io::stderr(), "{text}");
}

fn is_to_confirm(fleet: &Fleet) -> bool {
    fleet.mode() == Mode::Confirm && fleet.phase() == Phase::Planned && fleet.stop().is_none()
}

/// Shows the plan and waits for the number of devices to be typed.
async fn confirm(session: &mut Session, interrupts: &mut mpsc::Receiver<()>) -> io::Result<()> {
    plan_table(session.fleet(), &mut io::stdout(), false)?;
    let wanted = session.fleet().planned(VerdictKind::Upgrade);
    if wanted == 0 {
        session.intend(Intent::Confirm);
        return Ok(());
    }
    loop {
        let mut out = io::stdout();
        write!(
            out,
            "A firmware upgrade cannot be undone. Type {wanted} to start, nothing to leave: "
        )?;
        out.flush()?;
        let typed = tokio::select! {
            typed = tokio::task::spawn_blocking(read_line) => typed.map_err(io::Error::other)??,
            Some(()) = interrupts.recv() => String::new(),
        };
        match typed.trim() {
            "" => {
                session.intend(Intent::Interrupt);
                return Ok(());
            }
            number if number == wanted.to_string() => {
                session.intend(Intent::Confirm);
                return Ok(());
            }
            other => writeln!(
                io::stdout(),
                "{} is not {wanted}.",
                crate::model::printable(other, 20)
            )?,
        }
    }
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}
