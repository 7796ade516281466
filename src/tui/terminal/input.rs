//! Reads keys, pastes and resizes in a thread of its own, so that an escape sequence that is not complete yet holds
//! nothing up. Reading pauses while another program has the terminal. `keymap` says what a key means.

use std::io;
use std::thread;
use std::time::Duration;

use futures_util::StreamExt as _;
use ratatui::crossterm::event::{Event, EventStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Inputs that may wait: more than a person makes at once.
const WAITING: usize = 1024;

/// How long reading may take to pause.
const PATIENCE: Duration = Duration::from_millis(500);

/// The keys, pastes and resizes that were read.
pub(in crate::tui) struct Inputs(mpsc::Receiver<io::Result<Event>>);

/// Switches the reading on and off.
#[derive(Clone)]
pub(in crate::tui) struct Switch {
    wanted: watch::Sender<bool>,
    reads: watch::Receiver<bool>,
}

/// Starts the thread that reads. It ends once both halves are dropped.
pub(in crate::tui) fn start() -> io::Result<(Inputs, Switch)> {
    let (tx, rx) = mpsc::channel(WAITING);
    let (wanted, on) = watch::channel(true);
    let (tell, reads) = watch::channel(true);
    let runtime = Handle::current();
    thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || runtime.block_on(read(&tx, on, &tell)))?;
    Ok((Inputs(rx), Switch { wanted, reads }))
}

impl Inputs {
    /// The next one; nothing once no more can come.
    pub(in crate::tui) async fn next(&mut self) -> Option<io::Result<Event>> {
        self.0.recv().await
    }

    /// The next one that is there already.
    pub(in crate::tui) fn try_next(&mut self) -> Option<io::Result<Event>> {
        self.0.try_recv().ok()
    }
}

impl Switch {
    /// Stops reading: from now on what is typed is somebody else's.
    pub(super) async fn off(&self) {
        self.wanted.send_replace(false);
        let mut reads = self.reads.clone();
        // A thread in the middle of an escape sequence does not notice the switch in time.
        let _ = timeout(PATIENCE, reads.wait_for(|reads| !reads)).await;
    }

    /// Reads again.
    pub(in crate::tui) fn on(&self) {
        self.wanted.send_replace(true);
    }
}

async fn read(
    tx: &mpsc::Sender<io::Result<Event>>,
    mut on: watch::Receiver<bool>,
    tell: &watch::Sender<bool>,
) {
    while on.wait_for(|on| *on).await.is_ok() {
        tell.send_replace(true);
        let mut events = EventStream::new();
        loop {
            tokio::select! {
                biased;
                () = tx.closed() => return,
                // This also ends once nobody holds the switch any more.
                _ = on.wait_for(|on| !*on) => break,
                event = events.next() => match event {
                    Some(event) => {
                        if tx.send(event).await.is_err() {
                            return;
                        }
                    }
                    None => return,
                },
            }
        }
        drop(events);
        // A new stream can be made only once the thread behind the old one has let go of the terminal.
        drop(EventStream::new());
        tell.send_replace(false);
    }
}
