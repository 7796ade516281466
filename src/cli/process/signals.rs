//! Signals: those that ask to stop become one stream, and those of job control hand the terminal over. What an interrupt
//! does is up to the reducer, and what a lost terminal means is up to the inventory (`[run] on_hangup`).

use std::io;

use rustix::process::{Signal, getpgrp, getpid, getsid, kill_process};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGQUIT, SIGTSTP};
use signal_hook::low_level::emulate_default_handler;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::secrets::prompt;
use crate::engine::StopSignal;
use crate::tui;

use crate::cli::output::logging;

/// Every signal that asks to stop, as it comes. From the call on none of them ends the process by
/// itself. The terminal is given back before the process is stopped or quit, and taken again afterwards.
pub(in crate::cli) fn interrupts() -> io::Result<mpsc::Receiver<StopSignal>> {
    let (tx, rx) = mpsc::channel(8);
    for (kind, means) in [
        (SignalKind::interrupt(), StopSignal::Interrupt),
        (SignalKind::terminate(), StopSignal::Interrupt),
        (SignalKind::hangup(), StopSignal::HangUp),
    ] {
        if means == StopSignal::HangUp && hang_ups_are_ignored() {
            continue;
        }
        let mut signals = signal(kind)?;
        let tx = tx.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if tx.send(means).await.is_err() {
                    break;
                }
            }
        });
    }
    job_control()?;
    Ok(rx)
}

/// Whether whoever started this process wants it to go on without its terminal, as `nohup` does: a signal that is ignored
/// stays ignored.
fn hang_ups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

/// Stop, continue and quit; and the two that would end the process by default, which is no use to anybody.
fn job_control() -> io::Result<()> {
    let mut stop = signal(SignalKind::from_raw(SIGTSTP))?;
    let mut go_on = signal(SignalKind::from_raw(SIGCONT))?;
    let mut quit = signal(SignalKind::quit())?;
    let mut user1 = signal(SignalKind::user_defined1())?;
    let mut user2 = signal(SignalKind::user_defined2())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = stop.recv() => {
                    prompt::suspend();
                    tui::suspend().await;
                    if !stop_process() {
                        prompt::resume();
                        tui::resume().await;
                    }
                }
                Some(()) = go_on.recv() => {
                    prompt::resume();
                    tui::resume().await;
                }
                Some(()) = quit.recv() => quit_process(),
                Some(()) = user1.recv() => tracing::info!("SIGUSR1 means nothing here"),
                Some(()) = user2.recv() => tracing::info!("SIGUSR2 means nothing here"),
                else => return,
            }
        }
    });
    Ok(())
}

/// Stops this process as SIGTSTP does where nobody listens for it; whether it can be. A process group without a shell
/// that looks after it is never stopped: nobody would continue it.
fn stop_process() -> bool {
    if getsid(None).is_ok_and(|session| session == getpgrp()) {
        return false;
    }
    tracing::warn!("stopped by SIGTSTP: no device is watched until SIGCONT");
    kill_process(getpid(), Signal::STOP).is_ok()
}

/// Ends this process as SIGQUIT does where nobody listens for it.
fn quit_process() {
    prompt::restore();
    tui::restore();
    tracing::error!("ended by SIGQUIT: devices are left where they stand");
    logging::finish();
    if let Err(error) = emulate_default_handler(SIGQUIT) {
        tracing::error!(%error, "SIGQUIT does not end the process");
    }
}
