//! The terminal as the dashboard needs it, and given back on every way out.
//! Must not: draw, or print anything while the dashboard is on.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, BufWriter, Stdout, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::task::Poll;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Size;

/// Whether the dashboard holds the terminal.
static HELD: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread is polling the dashboard just now, and not one of the devices' tasks.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Enough for one frame in one write, so that no half frame is ever seen.
const FRAME_BYTES: usize = 64 * 1024;

/// Standard output, which remembers that it is broken instead of failing.
///
/// A terminal may be closed at any time, and ratatui's own terminal, when dropped after that, would
/// print to standard error, which is closed as well: a panic.
pub(super) struct Output {
    out: BufWriter<Stdout>,
    broken: Arc<OnceLock<io::Error>>,
}

impl Output {
    fn new(broken: Arc<OnceLock<io::Error>>) -> Self {
        Self {
            out: BufWriter::with_capacity(FRAME_BYTES, io::stdout()),
            broken,
        }
    }

    fn unless_broken(&mut self, work: impl FnOnce(&mut BufWriter<Stdout>) -> io::Result<()>) {
        if self.broken.get().is_none()
            && let Err(error) = work(&mut self.out)
        {
            // Only the first error tells something.
            let _ = self.broken.set(error);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_broken(|out| out.write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_broken(Write::flush);
        Ok(())
    }
}

/// The terminal in raw mode, on the alternate screen, without a cursor, until dropped.
pub(super) struct Guard {
    screen: ratatui::Terminal<CrosstermBackend<Output>>,
    broken: Arc<OnceLock<io::Error>>,
}

impl Guard {
    /// Takes the terminal.
    pub(super) fn enter() -> io::Result<Self> {
        hook_panics();
        enable_raw_mode()?;
        HELD.store(true, Ordering::SeqCst);
        let broken = Arc::new(OnceLock::new());
        let entered = execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            Hide
        )
        .and_then(|()| {
            ratatui::Terminal::new(CrosstermBackend::new(Output::new(Arc::clone(&broken))))
        });
        match entered {
            Ok(screen) => Ok(Self { screen, broken }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// The terminal's size.
    pub(super) fn size(&self) -> io::Result<Size> {
        self.screen.size()
    }

    /// Draws one frame.
    pub(super) fn draw(&mut self, frame: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.screen.draw(frame)?;
        self.written()
    }

    /// Asks the terminal to put `text` on its clipboard (OSC 52). It does not say whether it did.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let out = self.screen.backend_mut();
        write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        Write::flush(out)?;
        self.written()
    }

    fn written(&self) -> io::Result<()> {
        match self.broken.get() {
            None => Ok(()),
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
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
        let _ = execute!(
            io::stdout(),
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
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
            // Not where nothing was held a moment ago: the dashboard may be taking the terminal right now.
            if held {
                restore();
            }
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
