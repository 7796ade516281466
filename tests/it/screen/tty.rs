//! A program in a terminal of its own, and the screen that it draws. Every wait has a limit and waits for something to
//! appear.

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
pub(crate) struct Tty {
    // Kept in the order in which they are to be dropped.
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    slave: Option<Box<dyn SlavePty + Send>>,
    screen: Arc<(Mutex<Parser>, Condvar)>,
    /// All that was written, as it came.
    written: Arc<Mutex<Vec<u8>>>,
    closing: Arc<AtomicBool>,
    /// Whether what the program writes is left in the terminal.
    paused: Arc<(Mutex<bool>, Condvar)>,
    ended: Receiver<ExitStatus>,
    id: u32,
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
    pub(crate) fn demo(scenario: &str, columns: u16, lines: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scenario.toml");
        std::fs::write(&path, scenario).unwrap();
        let path = path.to_str().unwrap().to_owned();
        Self::start(&["demo", "--scenario", &path], dir, columns, lines)
    }

    /// hemfleet with these arguments.
    pub(crate) fn start(args: &[&str], dir: tempfile::TempDir, columns: u16, lines: u16) -> Self {
        let program = OsStr::new(env!("CARGO_BIN_EXE_hemfleet"));
        Self::run(program, args, &[], dir, (columns, lines))
    }

    /// Any program.
    pub(crate) fn run(
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
        let id = child.process_id().unwrap();
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
        let paused: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let feed = Feed {
            reader,
            screen: Arc::clone(&screen),
            written: copy,
            closing: Arc::clone(&closing),
            paused: Arc::clone(&paused),
        };
        feed.start();
        Self {
            writer: pair.master.take_writer().unwrap(),
            master: pair.master,
            slave: Some(pair.slave),
            screen,
            written,
            closing,
            paused,
            ended,
            id,
            killer,
            modes,
            dir,
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Leaves in the terminal what the program writes, but for what is being read just now; or reads on.
    pub(crate) fn pause(&self, pause: bool) {
        *self.paused.0.lock().unwrap() = pause;
        self.paused.1.notify_all();
    }

    /// Sends a signal to the program, by its name.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.id.to_string(), name);
    }

    /// Makes the terminal say that it has another size; the screen here stays as it is.
    pub(crate) fn pretend(&self, columns: u16, lines: u16) {
        self.master.resize(size(columns, lines)).unwrap();
    }

    /// Waits until what is typed shows, or does not.
    pub(crate) fn wait_for_echo(&self, on: bool) {
        let echoes = || {
            modes(&*self.master)
                .split([' ', '(', ')'])
                .any(|m| m == "ECHO")
        };
        self.wait_until(&format!("the echo to be {on}"), || echoes() == on);
    }

    /// Waits until the log holds `text`.
    pub(crate) fn wait_for_log(&self, text: &str) {
        self.wait_until(&format!("{text:?} in the log"), || {
            let path = self.dir.path().join("hemfleet/hemfleet.log");
            std::fs::read_to_string(path).is_ok_and(|log| log.contains(text))
        });
    }

    /// Waits for what tells nobody when it changes: it is looked at until patience ends.
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn() -> bool) {
        const LOOK: Duration = Duration::from_millis(20);
        let mut looks = PATIENCE.as_millis() / LOOK.as_millis();
        while !done() {
            looks -= 1;
            if looks == 0 {
                let screen = self.screen.0.lock().unwrap().screen().contents();
                panic!("waited for {what}; the screen:\n{screen}");
            }
            thread::park_timeout(LOOK);
        }
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn resize(&mut self, columns: u16, lines: u16) {
        // Both under the lock: what is written for one size must not be read with the other.
        let mut parser = self.screen.0.lock().unwrap();
        parser.screen_mut().set_size(side(lines), side(columns));
        self.master.resize(size(columns, lines)).unwrap();
    }

    /// Waits until the screen is as wanted.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
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

    pub(crate) fn wait_for(&self, text: &str) {
        self.wait(text, |s| s.contents().contains(text));
    }

    /// Waits until one line has all of these.
    pub(crate) fn wait_for_line(&self, texts: &[&str]) {
        self.wait(&texts.join(" … "), |s| line_with(s, texts));
    }

    /// Selects a device from wherever the selection is.
    /// The line of the screen, from 1, that has this text.
    pub(crate) fn line_of(&self, text: &str) -> usize {
        let contents = self.screen.0.lock().unwrap().screen().contents();
        let line = contents.lines().position(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no {text:?} in:\n{contents}")) + 1
    }

    pub(crate) fn select(&mut self, name: &str) {
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

    /// Gives the program a moment to take in what was typed, where nothing shows whether it has: nothing that is
    /// asserted hangs on it.
    pub(crate) fn pause_briefly(&self) {
        let _ = self.ended.recv_timeout(Duration::from_millis(40));
    }

    /// Waits for the end while nobody reads what is written; the exit code.
    pub(crate) fn end_unread(&self) -> u32 {
        let status = self.ended.recv_timeout(PATIENCE);
        let status = status.expect("the program did not end while its terminal was not read");
        assert_eq!(modes(&*self.master), self.modes, "raw mode is still on");
        status.exit_code()
    }

    /// Waits for the end and for all that was written; the exit code.
    pub(crate) fn end(&self) -> u32 {
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
    pub(crate) fn hang_up(&mut self) -> u32 {
        // The reader lets go of the terminal with the next frame, which clocks bring within a second.
        self.closing.store(true, Ordering::SeqCst);
        self.slave = None;
        self.wait_until("the reader to let go of the terminal", || {
            Arc::strong_count(&self.screen) == 1
        });
        self.writer = Box::new(std::io::sink());
        self.master = native_pty_system().openpty(size(80, 24)).unwrap().master;
        let status = self.ended.recv_timeout(PATIENCE);
        let status = status.expect("the program did not end after its terminal was closed");
        status.exit_code()
    }

    /// All that the program has written to the terminal so far, with its escape sequences.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    pub(crate) fn log(&self) -> String {
        let path = self.dir.path().join("hemfleet/hemfleet.log");
        std::fs::read_to_string(path).unwrap()
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.pause(false);
        // It is gone already, but for a test that failed.
        let _ = self.killer.kill();
    }
}

/// Feeds what the program writes to the screen, until told to stop or the terminal is gone.
struct Feed {
    reader: Box<dyn Read + Send>,
    screen: Arc<(Mutex<Parser>, Condvar)>,
    written: Arc<Mutex<Vec<u8>>>,
    closing: Arc<AtomicBool>,
    paused: Arc<(Mutex<bool>, Condvar)>,
}

impl Feed {
    fn start(mut self) {
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = self.reader.read(&mut buffer) {
                self.written.lock().unwrap().extend_from_slice(&buffer[..n]);
                self.screen.0.lock().unwrap().process(&buffer[..n]);
                self.screen.1.notify_all();
                if self.closing.load(Ordering::SeqCst) {
                    break;
                }
                let paused = self.paused.0.lock().unwrap();
                // As long as the test likes; it ends with the test's process.
                drop(self.paused.1.wait_while(paused, |paused| *paused).unwrap());
            }
        });
    }
}

/// Sends a signal, by its name.
pub(crate) fn signal(id: &str, name: &str) {
    let kill = std::process::Command::new("kill")
        .args(["-s", name, id])
        .status();
    assert!(kill.unwrap().success());
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
