//! The terminal while the dashboard has it, given back on every way out: at the end, after a panic, while the process
//! is stopped. Nothing may be printed to the terminal meanwhile, except through here.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::task::Poll;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    self, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::{Position, Rect, Size};
use ratatui::{Frame, TerminalOptions, Viewport};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
use tokio::sync::Notify;

use super::frame_writer::FrameWriter;
use super::input::{self, Inputs, Switch};

/// The largest screen that is drawn, in cells each way: a terminal may say that it is 65535 × 65535, and a frame
/// of that takes more memory than there is.
const LARGEST: Size = Size::new(1000, 400);

/// How long to wait for the terminal when giving it back.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends whatever escape sequence was cut off in the middle, where a frame was given up.
const CANCEL: &[u8] = b"\x18";

/// The message on the normal screen while the process is stopped.
const STOPPED: &[u8] = b"hemfleet is stopped, and watches no device meanwhile. fg: goes on; \
    bg: goes on without its screen, until fg\r\n";

/// Puts the window's title on the terminal's stack of titles, and takes it from there again.
const SAVE_TITLE: &[u8] = b"\x1b[22;2t";
const RESTORE_TITLE: &[u8] = b"\x1b[23;2t";

/// Presses and the wheel only (1000), by SGR (1006): what crossterm offers reports every movement, too.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Who has the terminal.
enum Holder {
    /// Not the dashboard.
    Free,
    /// The dashboard.
    Ours(Parts),
    /// The shell, because the process is about to be stopped, or is.
    Stopped(Parts),
    /// The shell, until the process comes to the foreground.
    Background(Parts),
}

/// The two threads that use the terminal.
#[derive(Clone)]
struct Parts {
    writer: FrameWriter,
    keys: Switch,
    /// Whether the mouse is taken.
    mouse: bool,
}

static HOLD: Mutex<Holder> = Mutex::new(Holder::Free);

/// The terminal was taken again after a stop.
static RETAKEN: Notify = Notify::const_new();

fn hold() -> MutexGuard<'static, Holder> {
    HOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// Whether this thread is polling the dashboard just now, and not one of the devices' tasks.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The bytes of the frame that is being drawn.
#[derive(Clone, Default)]
struct FrameBytes(Arc<Mutex<Vec<u8>>>);

impl FrameBytes {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for FrameBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // A frame leaves as a whole.
        Ok(())
    }
}

/// The terminal in raw mode, on the alternate screen, without a cursor, until dropped.
pub(in crate::tui) struct Guard {
    screen: ratatui::Terminal<CrosstermBackend<FrameBytes>>,
    bytes_drawn: FrameBytes,
    area: Rect,
    parts: Parts,
}

impl Guard {
    /// Takes the terminal, and its mouse if that is wanted, and returns what is typed from then on with it.
    pub(in crate::tui) fn enter(mouse: bool) -> io::Result<(Self, Inputs)> {
        hook_panics();
        let area = Rect::from((Position::ORIGIN, size()?));
        let writer = FrameWriter::start()?;
        enable_raw_mode()?;
        let entered = input::start().and_then(|(inputs, keys)| {
            let parts = Parts {
                writer,
                keys,
                mouse,
            };
            let bytes_drawn = FrameBytes::default();
            let options = TerminalOptions {
                viewport: Viewport::Fixed(area),
            };
            let backend = CrosstermBackend::new(bytes_drawn.clone());
            let screen = ratatui::Terminal::with_options(backend, options)?;
            let guard = Self {
                screen,
                bytes_drawn,
                area,
                parts,
            };
            Ok((guard, inputs))
        });
        match entered {
            Ok((guard, inputs)) => {
                guard.parts.writer.push(&entering(mouse));
                *hold() = Holder::Ours(guard.parts.clone());
                Ok((guard, inputs))
            }
            Err(error) => {
                let _ = disable_raw_mode();
                Err(error)
            }
        }
    }

    /// The size of the part of the terminal that is drawn on.
    pub(in crate::tui) fn size(&self) -> Size {
        self.area.as_size()
    }

    /// Whether the last frame is still on its way, or another program has the terminal: then none can be drawn.
    pub(in crate::tui) fn is_busy(&self) -> bool {
        self.parts.writer.is_busy() || is_lent()
    }

    /// Waits until the last frame has been written.
    pub(in crate::tui) async fn idle(&self) {
        self.parts.writer.idle().await;
    }

    /// Draws one frame; `whole` where nothing is known of what the screen shows.
    pub(in crate::tui) fn draw(
        &mut self,
        whole: bool,
        frame: impl FnOnce(&mut Frame<'_>),
    ) -> io::Result<()> {
        let area = Rect::from((Position::ORIGIN, size()?));
        if whole || area != self.area {
            self.area = area;
            // Clears, and forgets what was drawn before.
            self.screen.resize(area)?;
        }
        self.screen.draw(frame)?;
        self.send()
    }

    /// Asks the terminal to put `text` on its clipboard (OSC 52). It does not say whether it did.
    pub(in crate::tui) fn copy(&mut self, text: &str) -> io::Result<()> {
        write!(self.bytes_drawn, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        self.send()
    }

    /// Sends control sequences that draw nothing, such as the window's title.
    pub(in crate::tui) fn tell(&mut self, sequences: &[u8]) -> io::Result<()> {
        if sequences.is_empty() {
            return Ok(());
        }
        self.bytes_drawn.write_all(sequences)?;
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut *self.bytes_drawn.bytes());
        // Under the lock, so that nothing of ours follows once the screen has been left.
        if let Holder::Ours(parts) = &*hold() {
            parts.writer.push(&bytes);
        }
        self.parts.writer.result()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

fn entering(mouse: bool) -> Vec<u8> {
    let mut bytes = SAVE_TITLE.to_vec();
    // Writing to a vector cannot fail.
    let _ = execute!(bytes, EnterAlternateScreen, EnableBracketedPaste, Hide);
    if mouse {
        bytes.extend_from_slice(MOUSE_ON);
    }
    bytes
}

/// The size of the part of the terminal that is drawn on.
fn size() -> io::Result<Size> {
    let (width, height) = terminal::size()?;
    Ok(within(Size { width, height }))
}

/// The part of a screen of this size that is drawn on.
pub(in crate::tui) fn within(size: Size) -> Size {
    Size {
        width: size.width.min(LARGEST.width),
        height: size.height.min(LARGEST.height),
    }
}

/// Gives the terminal back; does nothing if it was not taken. The dashboard does this on every way out;
/// it is public for code that ends the process in another way. It waits only briefly for a terminal that takes nothing.
pub fn restore() {
    let before = std::mem::replace(&mut *hold(), Holder::Free);
    if let Holder::Ours(parts) = before {
        leave(&parts.writer, b"");
    }
}

/// Lends the terminal to the shell, because the process is about to be stopped. [`resume`] takes it again.
pub async fn suspend() {
    let parts = {
        let mut hold = hold();
        let Holder::Ours(parts) = &*hold else { return };
        let parts = parts.clone();
        *hold = Holder::Stopped(parts.clone());
        parts
    };
    parts.keys.off().await;
    leave(&parts.writer, STOPPED);
}

/// Takes the terminal again when the process continues, perhaps after a stop that nothing announced; the shell may have
/// changed its settings. In the background the run goes on without a screen until the process comes to the foreground.
pub async fn resume() {
    let parts = match &*hold() {
        Holder::Free => return,
        Holder::Ours(parts) | Holder::Stopped(parts) | Holder::Background(parts) => parts.clone(),
    };
    // Nothing gave the title back before a stop that nothing announced: on the stack it may stand only once.
    if matches!(&*hold(), Holder::Ours(_)) {
        parts.writer.push(RESTORE_TITLE);
    }
    if !is_foreground() {
        parts.keys.off().await;
    }
    *hold() = Holder::Background(parts);
    retake();
}

/// Takes the terminal again if the process has come to the foreground.
pub(in crate::tui) fn retake() {
    let mut hold = hold();
    let Holder::Background(parts) = &*hold else {
        return;
    };
    // Off first: crossterm still takes the terminal for raw, but the shell has changed it.
    if !is_foreground() || disable_raw_mode().and_then(|()| enable_raw_mode()).is_err() {
        return;
    }
    let parts = parts.clone();
    parts.writer.push(&entering(parts.mouse));
    parts.keys.on();
    *hold = Holder::Ours(parts);
    RETAKEN.notify_one();
}

/// Whether another program has the terminal.
pub(in crate::tui) fn is_lent() -> bool {
    matches!(*hold(), Holder::Stopped(_) | Holder::Background(_))
}

/// Waits until the terminal is taken again.
pub(in crate::tui) async fn retaken() {
    RETAKEN.notified().await;
}

/// Whether what is typed comes to this process.
fn is_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

fn leave(writer: &FrameWriter, text: &[u8]) {
    let mut bytes = CANCEL.to_vec();
    // Harmless where it is off.
    bytes.extend_from_slice(MOUSE_OFF);
    // Writing to a vector cannot fail.
    let _ = execute!(bytes, DisableBracketedPaste, LeaveAlternateScreen, Show);
    bytes.extend_from_slice(RESTORE_TITLE);
    bytes.extend_from_slice(text);
    writer.finish(&bytes, PATIENCE);
    // A terminal that is gone needs no restoring.
    let _ = disable_raw_mode();
}

/// A panic in the dashboard gives the terminal back before it is printed. A panic in a device's task is that
/// device's failure and shows in its row: while the dashboard is on, it is written only to the log.
fn hook_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let held = matches!(*hold(), Holder::Ours(_));
            if held && !INSIDE.get() {
                tracing::error!(panic = %info, "a task panicked");
                return;
            }
            // Only if it was held a moment ago: the dashboard may be taking the terminal right now.
            if held {
                restore();
            }
            before(info);
        }));
    });
}

/// Polls the dashboard, and marks the thread while it does. That tells a panic in the dashboard from one in a device's
/// task, which may run on other threads, or on this one at other times.
pub(in crate::tui) async fn inside<F: Future>(dashboard: F) -> F::Output {
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

/// Waits until the terminal is hung up, which means that its other end is closed. Where that cannot be watched it
/// waits for ever, and only a draw that fails shows it.
pub(in crate::tui) async fn hung_up() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_bounded_whatever_a_terminal_says() {
        assert_eq!(within(Size::new(u16::MAX, u16::MAX)), LARGEST);
        assert_eq!(within(Size::new(80, 24)), Size::new(80, 24));
    }
}
