//! The terminal as the dashboard needs it, and given back on every way out.
//! Must not: draw, or print anything while the dashboard is on.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, BufWriter, Stdout, Write};
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// Whether the dashboard holds the terminal.
static HELD: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread is polling the dashboard just now, and not one of the devices' tasks.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Enough for one frame in one write, so that no half frame is ever seen.
const FRAME_BYTES: usize = 64 * 1024;

/// The terminal in raw mode, on the alternate screen, without a cursor, until dropped.
pub(super) struct Guard {
    pub(super) screen: ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Guard {
    /// Takes the terminal.
    pub(super) fn enter() -> io::Result<Self> {
        hook_panics();
        enable_raw_mode()?;
        HELD.store(true, Ordering::SeqCst);
        let entered = execute!(io::stdout(), EnterAlternateScreen, Hide).and_then(|()| {
            let out = BufWriter::with_capacity(FRAME_BYTES, io::stdout());
            ratatui::Terminal::new(CrosstermBackend::new(out))
        });
        match entered {
            Ok(screen) => Ok(Self { screen }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Asks the terminal to put `text` on its clipboard (OSC 52). It does not say whether it did.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let out = self.screen.backend_mut();
        write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        io::Write::flush(out)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back; does nothing if it was not taken. The dashboard does this on every way out;
/// it is public for those who end the process by other means.
pub fn restore() {
    if HELD.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs no restoring.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// A panic of the dashboard itself gives the terminal back before it is printed. One of a device's task
/// is that device's failure, told in its row: while the dashboard is on it goes to the log only.
fn hook_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let held = HELD.load(Ordering::SeqCst);
            if held && !INSIDE.get() {
                tracing::error!(panic = %info, "a task panicked");
                return;
            }
            restore();
            before(info);
        }));
    });
}

/// Polls the dashboard so that a panic in it is told from one in a device's task, which other threads, or
/// this one at other times, may be running.
pub(super) async fn inside<F: Future>(dashboard: F) -> F::Output {
    struct Inside;
    impl Drop for Inside {
        fn drop(&mut self) {
            INSIDE.set(false);
        }
    }
    let mut dashboard = std::pin::pin!(dashboard);
    std::future::poll_fn(|cx| -> Poll<F::Output> {
        INSIDE.set(true);
        let _outside_again = Inside;
        dashboard.as_mut().poll(cx)
    })
    .await
}

/// Waits until the terminal is hung up: its other end was closed. Where that cannot be told it waits for
/// ever; then a failing draw tells.
pub(super) async fn hung_up() {
    #[cfg(unix)]
    {
        use std::io::IsTerminal;
        use std::os::fd::AsFd;
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;

        let stdin = io::stdin();
        if stdin.is_terminal() {
            #[expect(
                deprecated,
                reason = "its successor is unsafe; nobody closes this process's standard input"
            )]
            let watched = AsyncFd::with_interest(stdin.as_fd(), Interest::READABLE);
            while let Ok(fd) = &watched
                && let Ok(mut ready) = fd.ready(Interest::READABLE).await
            {
                if ready.ready().is_read_closed() {
                    return;
                }
                // Keys are not read here: wait for the next change.
                ready.clear_ready();
            }
        }
    }
    std::future::pending::<()>().await;
}
