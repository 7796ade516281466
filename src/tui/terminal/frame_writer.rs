//! Writes frames to the terminal in a thread of its own, so that the dashboard never waits for a terminal that takes
//! nothing. One frame is written at a time, and none is drawn meanwhile: each frame is the difference to the one that
//! the terminal really shows.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::termios::{QueueSelector, tcflush, ttyname};
use tokio::sync::Notify;

/// How often to try again to write to a terminal that takes nothing, in case nothing wakes this thread.
const RETRY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Writes to the terminal in a thread of its own, which ends with the last clone.
#[derive(Clone)]
pub(super) struct FrameWriter(Arc<Handle>);

struct Handle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    idle: Notify,
}

#[derive(Default)]
struct State {
    next: Vec<u8>,
    writing: bool,
    /// What is being written is given up.
    give_up: bool,
    closed: bool,
    broken: Option<io::Error>,
}

impl State {
    fn is_busy(&self) -> bool {
        self.broken.is_none() && (self.writing || !self.next.is_empty())
    }
}

impl FrameWriter {
    /// A writer to the terminal that is standard output.
    pub(in crate::tui) fn start() -> io::Result<Self> {
        let file = terminal()?;
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("frames".to_owned())
            .spawn(move || run(&for_thread, &file))?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Whether something is still on its way.
    pub(in crate::tui) fn is_busy(&self) -> bool {
        self.state().is_busy()
    }

    /// Waits until nothing is on its way any more.
    pub(in crate::tui) async fn idle(&self) {
        loop {
            let mut idle = std::pin::pin!(self.0.0.idle.notified());
            idle.as_mut().enable();
            if !self.is_busy() {
                return;
            }
            idle.await;
        }
    }

    /// Hands over bytes; never waits.
    pub(in crate::tui) fn push(&self, bytes: &[u8]) {
        self.state().next.extend_from_slice(bytes);
        self.0.0.changed.notify_all();
    }

    /// Writes `last` instead of whatever waits, and waits for that at most `patience`. If the terminal takes nothing,
    /// throws away what is on its way, here and in the terminal's own buffer, and tries `last` once more.
    pub(in crate::tui) fn finish(&self, last: &[u8], patience: Duration) {
        last.clone_into(&mut self.state().next);
        self.0.0.changed.notify_all();
        if self.wait(patience) {
            return;
        }
        {
            let mut state = self.state();
            state.give_up = true;
            last.clone_into(&mut state.next);
        }
        // This fails only if the terminal is gone, and then nothing matters any more.
        let _ = tcflush(io::stdout(), QueueSelector::OFlush);
        self.0.0.changed.notify_all();
        self.wait(patience);
    }

    /// What went wrong, if anything did.
    pub(in crate::tui) fn result(&self) -> io::Result<()> {
        match &self.state().broken {
            None => Ok(()),
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }

    fn wait(&self, patience: Duration) -> bool {
        let shared = &self.0.0;
        let (state, late) = shared
            .changed
            .wait_timeout_while(self.state(), patience, |state| state.is_busy())
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !late.timed_out()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.state()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.closed = true;
        state.give_up = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the terminal anew, so that a write can be given up: the flag for that then applies to this opening alone, and
/// not to the shell's as well.
fn terminal() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    use std::os::unix::ffi::OsStrExt as _;
    let stdout = io::stdout();
    let opened = ttyname(&stdout, Vec::new()).ok().and_then(|name| {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        File::options()
            .write(true)
            .custom_flags(i32::try_from(flags.bits()).ok()?)
            .open(std::ffi::OsStr::from_bytes(name.as_bytes()))
            .ok()
    });
    match opened {
        Some(file) => Ok(file),
        // A terminal may have no name, as in some containers. Then a write that is on its way cannot be given up.
        None => Ok(File::from(stdout.as_fd().try_clone_to_owned()?)),
    }
}

fn run(shared: &Shared, file: &File) {
    let mut state = shared.state();
    loop {
        if state.closed {
            return;
        }
        if state.next.is_empty() {
            state = shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let bytes = std::mem::take(&mut state.next);
        state.writing = true;
        state.give_up = false;
        drop(state);
        let done = write(shared, file, &bytes);
        state = shared.state();
        state.writing = false;
        if let Err(error) = done {
            state.next = Vec::new();
            // Later errors only follow from the first.
            state.broken.get_or_insert(error);
        }
        shared.changed.notify_all();
        shared.idle.notify_waiters();
    }
}

/// Writes all bytes, unless that is given up on the way.
fn write(shared: &Shared, mut file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() && !shared.state().give_up {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                let mut fds = [PollFd::new(&file, PollFlags::OUT)];
                match poll(&mut fds, Some(&RETRY)) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
