//! A run without the dashboard: events go to a reporter, signals to the reducer, and the confirmation comes from the
//! terminal. It never waits for whoever reads its output, and, where the inventory wants that, not for its terminal. The
//! wording of events is in `report`.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::engine::{Event, Fleet, FleetRun, Intent, Mode, Phase, Stop, StopSignal, unattended};
use crate::model::{OnHangUp, counted, printable};
use crate::report::{Exit, LineLook, Reporter, plan_table};

use super::headless_secrets::HeadlessPrompt;
use super::progress_line::WithProgress;
use super::report_files::ReportFiles;
use super::stderr_and_log::say;
use super::stdout_writer::{Closed, OutputBuffer, StdoutWriter};
use crate::cli::journal_file;
use crate::cli::start_gate::StartGate;

/// What is written to standard output: `reporter` writes to `page`.
pub(in crate::cli) struct Lines<'a> {
    pub(in crate::cli) reporter: &'a mut dyn Reporter,
    pub(in crate::cli) page: OutputBuffer,
    pub(in crate::cli) look: LineLook,
}

/// Standard output, and what becomes of the run when nobody reads it any more.
struct Out {
    /// Absent once nothing more can be told.
    writer: Option<StdoutWriter>,
    on_hang_up: OnHangUp,
    /// Whether nobody is there any more.
    unattended: bool,
}

/// Where a plan is shown that waits to be confirmed.
struct PlanPage {
    page: OutputBuffer,
    look: LineLook,
}

/// A reporter that says nothing: what there is to say comes at the end.
pub(in crate::cli) struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _: &Fleet, _: &Event) -> io::Result<()> {
        Ok(())
    }
}

/// A run without devices to change: a plan, or an audit. Absent devices take long to time out, and a silent tool looks
/// dead, so that how far it is stands on standard error.
pub(in crate::cli) struct LookOnly<'a> {
    /// Writes to `written`.
    pub(in crate::cli) reporter: &'a mut dyn Reporter,
    pub(in crate::cli) written: OutputBuffer,
    /// What is done with devices, such as `looked at`.
    pub(in crate::cli) verb: &'static str,
    pub(in crate::cli) look: LineLook,
}

impl LookOnly<'_> {
    /// Runs the session to its end; whether all of it could be told, and how it ended with its reports.
    pub(in crate::cli) async fn run(
        self,
        session: &mut FleetRun,
        reports: &mut ReportFiles,
        interrupts: &mut mpsc::Receiver<StopSignal>,
    ) -> (bool, Exit) {
        let page = OutputBuffer::default();
        let mut shown = WithProgress::new(self.reporter, self.written, page.clone(), self.verb);
        let lines = Lines {
            reporter: &mut shown,
            page,
            look: self.look,
        };
        let told = run(session, lines, None, OnHangUp::Drain, reports, interrupts).await;
        drop(shown);
        let fleet = session.fleet();
        let exit = reports.finish(fleet, Exit::of(fleet), interrupts).await;
        (told, exit)
    }
}

/// Runs the session to its end; whether all of it could be told on standard output. If not, because
/// nobody reads any more or whoever reads is too far behind, the run was brought to a safe point, as by a first
/// interrupt and never by a second: the same Ctrl-C that stops hemfleet also kills the `tee` behind it. A hang-up does the
/// same. With [`OnHangUp::Finish`] both let the run go on to its end.
///
/// A reader that only stops for a while keeps the run from nothing: devices are watched on, and its lines wait.
/// At the end it is waited for, until an interrupt.
///
/// A plan that is confirmed starts once `gate` opens; where it does
/// not the run ends there, and the gate says why. `reports` are told of everything.
pub(in crate::cli) async fn run(
    session: &mut FleetRun,
    lines: Lines<'_>,
    gate: Option<&Arc<StartGate>>,
    on_hang_up: OnHangUp,
    reports: &mut ReportFiles,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> bool {
    let Lines {
        reporter,
        page,
        look,
    } = lines;
    let mut out = Out {
        writer: StdoutWriter::stdout(page.clone()).ok(),
        on_hang_up,
        unattended: false,
    };
    let mut prompt = HeadlessPrompt::default();
    session.intend(Intent::Begin);
    while !session.fleet().is_over() {
        if is_to_confirm(session.fleet()) {
            let plan = PlanPage {
                page: page.clone(),
                look,
            };
            if !confirm(session, plan, &mut out, gate, interrupts).await {
                reports.drain(session);
                return out.writer.is_some();
            }
            continue;
        }
        if session.fleet().waits_for_budget() {
            // Nobody is here to be asked for another one.
            session.intend(Intent::Halt);
            continue;
        }
        if out.unattended {
            settle_unattended(session);
        } else {
            prompt.ask_next(session.fleet());
        }
        tokio::select! {
            Some(event) = session.next() => {
                reports.event(session.fleet(), &event);
                tell(session, reporter, &event, &mut out);
            }
            Some(signal) = interrupts.recv() => match signal {
                StopSignal::Interrupt => interrupt(session),
                StopSignal::HangUp => hang_up(session, &mut out),
            },
            intent = prompt.answer() => if let Some(intent) = intent {
                session.intend(intent);
            },
        }
    }
    drop(prompt);
    session.finish();
    while let Some(event) = session.try_next() {
        reports.event(session.fleet(), &event);
        tell(session, reporter, &event, &mut out);
    }
    tracing::info!("the run is over");
    let Some(writer) = out.writer else {
        return false;
    };
    let told = writer
        .close(session.fleet().stop().is_some(), interrupts)
        .await;
    if !told {
        tracing::error!("standard output was not read to its end");
    }
    told
}

/// Tells of an event. Once nobody reads, or the run is stopped at once, nothing more is told.
fn tell(session: &mut FleetRun, reporter: &mut dyn Reporter, event: &Event, out: &mut Out) {
    if out.writer.is_some() && reporter.event(session.fleet(), event).is_ok() {
        flush(session, out);
    }
}

fn flush(session: &mut FleetRun, out: &mut Out) {
    let why = match out.writer.as_ref().map(StdoutWriter::flush) {
        None | Some(Ok(())) => return,
        Some(Err(Closed::Gone)) => "nobody reads standard output any more",
        Some(Err(Closed::Behind)) => {
            "whoever reads standard output is more than 64 MiB behind, and is told nothing more"
        }
    };
    out.writer = None;
    if out.on_hang_up == OnHangUp::Finish {
        tracing::warn!("{why}: going on to the end without it");
    } else {
        tracing::error!("{why}: stopping at a safe point");
        session.intend(Intent::Drain);
    }
}

/// The terminal is gone. Kernel and shell may each say so, and none of that is the second Ctrl-C that stops at once.
fn hang_up(session: &mut FleetRun, out: &mut Out) {
    if std::mem::replace(&mut out.unattended, true) || session.fleet().stop().is_some() {
        return;
    }
    let text = match out.on_hang_up {
        OnHangUp::Drain => {
            session.intend(Intent::Drain);
            "hung up: nothing new starts, and what is past its install is watched to the end"
                .to_owned()
        }
        OnHangUp::Finish => {
            let (run, process) = (session.fleet().run(), std::process::id());
            let journal = journal_file::option();
            format!(
                "hung up: run {run} goes on to its end; hemfleet attach {run}{journal} shows it, and kill {process} stops it \
                 safely"
            )
        }
    };
    tracing::warn!("{text}");
}

/// What waits for a person is decided without one.
fn settle_unattended(session: &mut FleetRun) {
    while let Some((intent, what)) = unattended(session.fleet()) {
        tracing::warn!("{what}");
        session.intend(intent);
    }
}

fn interrupt(session: &mut FleetRun) {
    session.intend(Intent::Interrupt);
    let running = counted(session.fleet().counts().running, "device is", "devices are");
    let text = match session.fleet().stop() {
        Some(Stop::Aborting) => format!("stopping now: {running} left where they stand"),
        _ => format!(
            "stopping: nothing new starts, {running} brought to a safe point \
             (past the install: watched to the end); once more to stop now"
        ),
    };
    say(&format!("{text}\n"));
}

fn is_to_confirm(fleet: &Fleet) -> bool {
    fleet.mode() == Mode::Confirm && fleet.phase() == Phase::Planned && fleet.stop().is_none()
}

/// Shows the plan and waits for the number of devices to be typed; nothing, the end of the input or an
/// interrupt leaves. False where the gate did not open.
async fn confirm(
    session: &mut FleetRun,
    plan: PlanPage,
    out: &mut Out,
    gate: Option<&Arc<StartGate>>,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> bool {
    let PlanPage { mut page, look } = plan;
    // A page takes everything.
    let _ = plan_table(session.fleet(), &mut page, look);
    let wanted = session.fleet().to_confirm();
    if wanted == 0 {
        flush(session, out);
        // Nothing is sent to a device that is only watched, but nobody else is to work on it meanwhile.
        if session.fleet().to_watch() > 0 {
            return start(session, gate, interrupts).await;
        }
        session.intend(Intent::Confirm);
        return true;
    }
    while session.fleet().stop().is_none() {
        let _ = write!(page, "Type {wanted} to start, nothing to leave: ");
        flush(session, out);
        let typed = tokio::select! {
            typed = tokio::task::spawn_blocking(read_line) => typed.ok().and_then(Result::ok),
            Some(_) = interrupts.recv() => None,
        };
        match typed.as_deref().map(str::trim) {
            None | Some("") => session.intend(Intent::Drain),
            Some(number) if number == wanted.to_string() => {
                return start(session, gate, interrupts).await;
            }
            Some(other) => {
                let _ = writeln!(page, "{} is not {wanted}.", printable(other, 20));
            }
        }
    }
    true
}

/// Starts what the plan says, once the gate opens; false where it does not.
async fn start(
    session: &mut FleetRun,
    gate: Option<&Arc<StartGate>>,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> bool {
    if let Some(gate) = gate {
        tokio::select! {
            opened = gate.open() => if opened.is_err() {
                return false;
            },
            Some(_) = interrupts.recv() => {
                session.intend(Intent::Drain);
                return true;
            }
        }
    }
    session.intend(Intent::Confirm);
    true
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}
