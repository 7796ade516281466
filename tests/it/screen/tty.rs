//! A program in a terminal of its own, and the screen that it draws.
//!
//! Every wait is for something to appear, and bounded; nothing sleeps.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use portable_pty::{
    ChildKiller, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system,
};
use vt100::{Parser, Screen};

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program in a terminal of its own.
pub(super) struct Tty {
    // Kept in the order in which they are to be dropped.
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    slave: Option<Box<dyn SlavePty + Send>>,
    screen: Arc<(Mutex<Parser>, Condvar)>,
    /// All that was written, as it came.
    written: Arc<Mutex<Vec<u8>>>,
    closing: Arc<AtomicBool>,
    ended: Receiver<ExitStatus>,
    killer: Box<dyn ChildKiller + Send + Sync>,
    /// Local modes (echo, lines, signals) before the program ran.
    modes: String,
    dir: tempfile::TempDir,
}

fn side(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

fn size(columns: u16, lines: u16) -> PtySize {
    PtySize {
        rows: lines,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

impl Tty {
    /// The demo with this scenario.
    pub(super) fn demo(scenario: &str, columns: u16, lines: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scenario.toml");
        std::fs::write(&path, scenario).unwrap();
        let path = path.to_str().unwrap().to_owned();
        Self::start(&["demo", "--scenario", &path], dir, columns, lines)
    }

    /// hemfleet with these arguments.
    pub(super) fn start(args: &[&str], dir: tempfile::TempDir, columns: u16, lines: u16) -> Self {
        let program = OsStr::new(env!("CARGO_BIN_EXE_hemfleet"));
        Self::run(program, args, &[], dir, (columns, lines))
    }

    /// Any program.
    pub(super) fn run(
        program: &OsStr,
        args: &[&str],
        env: &[(&str, &str)],
        dir: tempfile::TempDir,
        (columns, lines): (u16, u16),
    ) -> Self {
        let pair = native_pty_system().openpty(size(columns, lines)).unwrap();
        let modes = modes(&*pair.master);
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(dir.path());
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("TZ", "UTC");
        command.env("HOME", dir.path());
        command.env("XDG_STATE_HOME", dir.path());
        for (name, value) in env {
            command.env(name, value);
        }
        let mut child = pair.slave.spawn_command(command).unwrap();
        let killer = child.clone_killer();
        let (tell, ended) = channel();
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                let _ = tell.send(status);
            }
        });
        let parser = Parser::new(side(lines), side(columns), 0);
        let screen = Arc::new((Mutex::new(parser), Condvar::new()));
        let closing = Arc::new(AtomicBool::new(false));
        let reader = pair.master.try_clone_reader().unwrap();
        let written = Arc::default();
        let copy = Arc::clone(&written);
        feed(reader, Arc::clone(&screen), copy, Arc::clone(&closing));
        Self {
            writer: pair.master.take_writer().unwrap(),
            master: pair.master,
            slave: Some(pair.slave),
            screen,
            written,
            closing,
            ended,
            killer,
            modes,
            dir,
        }
    }

    pub(super) fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    pub(super) fn resize(&mut self, columns: u16, lines: u16) {
        // Both under the lock: what is written for one size must not be read with the other.
        let mut parser = self.screen.0.lock().unwrap();
        parser.screen_mut().set_size(side(lines), side(columns));
        self.master.resize(size(columns, lines)).unwrap();
    }

    /// Waits until the screen is as wanted.
    pub(super) fn wait(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let (parser, changed) = &*self.screen;
        let (parser, late) = changed
            .wait_timeout_while(parser.lock().unwrap(), PATIENCE, |p| !wanted(p.screen()))
            .unwrap();
        assert!(
            !late.timed_out(),
            "waited for {what}; the screen:\n{}",
            parser.screen().contents()
        );
    }

    pub(super) fn wait_for(&self, text: &str) {
        self.wait(text, |s| s.contents().contains(text));
    }

    /// Waits until one line has all of these.
    pub(super) fn wait_for_line(&self, texts: &[&str]) {
        self.wait(&texts.join(" … "), |s| line_with(s, texts));
    }

    /// Selects a device from wherever the selection is.
    pub(super) fn select(&mut self, name: &str) {
        self.press("g");
        for _ in 0..50 {
            let here = self.screen.0.lock().unwrap();
            if line_with(here.screen(), &["▸", name]) {
                return;
            }
            let before = pointed_at(here.screen());
            drop(here);
            self.press("j");
            self.wait("the selection to move", |s| pointed_at(s) != before);
        }
        panic!("{name} is not there");
    }

    /// Waits for the end and for all that was written; the exit code.
    pub(super) fn end(&self) -> u32 {
        let status = self.ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let screen = self.screen.0.lock().unwrap().screen().contents();
            panic!("still runs, and shows:\n{screen}")
        });
        self.wait("the normal screen", |s| {
            !s.alternate_screen() && !s.hide_cursor()
        });
        assert_eq!(modes(&*self.master), self.modes, "raw mode is still on");
        status.exit_code()
    }

    /// Closes the terminal as a closed window does, and waits for the program's end; its exit code.
    pub(super) fn hang_up(&mut self) -> u32 {
        // The reader lets go of the terminal with the next frame, which clocks bring within a second.
        self.closing.store(true, Ordering::SeqCst);
        self.slave = None;
        while Arc::strong_count(&self.screen) > 1 {
            thread::yield_now();
        }
        self.writer = Box::new(std::io::sink());
        self.master = native_pty_system().openpty(size(80, 24)).unwrap().master;
        let status = self.ended.recv_timeout(PATIENCE).expect("still runs");
        status.exit_code()
    }

    /// All that the program has written to the terminal so far, with its escape sequences.
    pub(super) fn output(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    pub(super) fn log(&self) -> String {
        let path = self.dir.path().join("hemfleet/hemfleet.log");
        std::fs::read_to_string(path).unwrap()
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // It is gone already, but for a test that failed.
        let _ = self.killer.kill();
    }
}

/// Feeds what the program writes to the screen, until told to stop or the terminal is gone.
fn feed(
    mut reader: Box<dyn Read + Send>,
    screen: Arc<(Mutex<Parser>, Condvar)>,
    written: Arc<Mutex<Vec<u8>>>,
    closing: Arc<AtomicBool>,
) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            written.lock().unwrap().extend_from_slice(&buffer[..n]);
            screen.0.lock().unwrap().process(&buffer[..n]);
            screen.1.notify_all();
            if closing.load(Ordering::SeqCst) {
                break;
            }
        }
    });
}

fn modes(master: &dyn MasterPty) -> String {
    let termios = master.get_termios().unwrap();
    format!("{:?} {:?}", termios.local_flags, termios.input_flags)
}

fn line_with(screen: &Screen, texts: &[&str]) -> bool {
    let width = screen.size().1.get();
    screen
        .rows(0, width)
        .any(|line| texts.iter().all(|t| line.contains(t)))
}

fn pointed_at(screen: &Screen) -> Option<String> {
    let width = screen.size().1.get();
    let line = screen.rows(0, width).find(|l| l.contains('▸'))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}
