//! Ctrl-C, SIGTERM and SIGHUP as one stream of interrupts.
//! Must not: decide what an interrupt does (that is the reducer).

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Every signal that asks to stop, as it comes. From the call on none of them ends the process by
/// itself.
pub(super) fn interrupts() -> io::Result<mpsc::Receiver<()>> {
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
    Ok(rx)
}
