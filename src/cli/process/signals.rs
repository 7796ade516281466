//! Signals: those that ask to stop become one stream of interrupts, and those of job control hand the terminal over. What
//! an interrupt does is up to the reducer.

use std::io;

use rustix::process::{Signal, getpgrp, getpid, getsid, kill_process};
use signal_hook::consts::{SIGCONT, SIGQUIT, SIGTSTP};
use signal_hook::low_level::emulate_default_handler;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::secrets::prompt;
use crate::tui;

use crate::cli::output::logging;

/// Every signal that asks to stop, as it comes. From the call on none of them ends the process by
/// itself. The terminal is given back before the process is stopped or quit, and taken again afterwards.
pub(in crate::cli) fn interrupts() -> io::Result<mpsc::Receiver<()>> {
    let (tx, rx) = mpsc::channel(8);
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut signals = signal(kind)?;
        let tx = tx.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if tx.send(()).await.is_err() {
                    break;
                }
            }
        });
    }
    job_control()?;
    Ok(rx)
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
