//! The real binary in a terminal: keys in, screen out, and the terminal given back on every way out.
//!
//! Every wait is for something to appear, and bounded; nothing sleeps.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
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

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const CTRL_C: &str = "\x03";

/// One device that is refused once, one that is well, one that takes its time to come back.
const SCENARIO: &str = r#"
about = "for the screen"
tempo = 0.01
[image]
size = 60000
[client]
concurrency = 4
timeouts = { connect = "5s", request = "20s", upload = "1m", upload_stall = "20s", check = "1m", reboot = "50s" }
pace = { gap = "1ms", check_poll = "20ms", reboot_poll = "50ms", reboot_settle = "100ms" }
[[device]]
name = "ok-1"
expect = { outcome = "upgraded" }
[[device]]
name = "refused-1"
group = "north"
faults = [{ at = "verification", do = "fail" }]
expect = { outcome = "failed", after_retry = "upgraded" }
"#;

/// A device that is gone for `gone` after its install.
fn rebooting(gone: &str) -> String {
    let device =
        format!("name = \"gone-1\"\nreboot = \"{gone}\"\nexpect = {{ outcome = \"upgraded\" }}");
    SCENARIO.replace(
        "name = \"ok-1\"\nexpect = { outcome = \"upgraded\" }",
        &device,
    )
}

/// hemfleet in a terminal of its own.
struct Tty {
    // Kept in the order in which they are to be dropped.
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    slave: Option<Box<dyn SlavePty + Send>>,
    screen: Arc<(Mutex<Parser>, Condvar)>,
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
    fn demo(scenario: &str, columns: u16, lines: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scenario.toml");
        std::fs::write(&path, scenario).unwrap();
        let path = path.to_str().unwrap().to_owned();
        Self::start(&["demo", "--scenario", &path], dir, columns, lines)
    }

    fn start(args: &[&str], dir: tempfile::TempDir, columns: u16, lines: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, lines)).unwrap();
        let modes = modes(&*pair.master);
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hemfleet"));
        command.args(args);
        command.cwd(dir.path());
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("TZ", "UTC");
        command.env("HOME", dir.path());
        command.env("XDG_STATE_HOME", dir.path());
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
        feed(reader, Arc::clone(&screen), Arc::clone(&closing));
        Self {
            writer: pair.master.take_writer().unwrap(),
            master: pair.master,
            slave: Some(pair.slave),
            screen,
            closing,
            ended,
            killer,
            modes,
            dir,
        }
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn resize(&mut self, columns: u16, lines: u16) {
        // Both under the lock: what is written for one size must not be read with the other.
        let mut parser = self.screen.0.lock().unwrap();
        parser.screen_mut().set_size(side(lines), side(columns));
        self.master.resize(size(columns, lines)).unwrap();
    }

    /// Waits until the screen is as wanted.
    fn wait(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
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

    fn wait_for(&self, text: &str) {
        self.wait(text, |s| s.contents().contains(text));
    }

    /// Waits until one line has all of these.
    fn wait_for_line(&self, texts: &[&str]) {
        self.wait(&texts.join(" … "), |s| line_with(s, texts));
    }

    /// Selects a device from wherever the selection is.
    fn select(&mut self, name: &str) {
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
    fn end(&self) -> u32 {
        let status = self.ended.recv_timeout(PATIENCE).expect("still runs");
        self.wait("the normal screen", |s| {
            !s.alternate_screen() && !s.hide_cursor()
        });
        assert_eq!(modes(&*self.master), self.modes, "raw mode is still on");
        status.exit_code()
    }

    fn log(&self) -> String {
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
    closing: Arc<AtomicBool>,
) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
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

#[test]
fn a_failed_device_is_retried_by_key_and_the_terminal_is_given_back() {
    let mut tty = Tty::demo(SCENARIO, 80, 24);
    tty.wait("the dashboard", |s| {
        s.alternate_screen() && s.hide_cursor() && s.contents().contains("hemfleet")
    });
    tty.wait_for_line(&["refused-1", "failed", "406", "r retry"]);
    tty.wait_for_line(&["OVER", "1 device needs a look"]);
    tty.select("refused-1");
    tty.press(ENTER);
    tty.wait_for("touched: image staged, not installed; still runs 1.2.2");
    tty.press("r");
    tty.wait_for_line(&[
        "refused-1",
        "upgraded",
        "proven: rebooted, signature matches",
    ]);
    tty.wait_for("OVER: every device is upgraded, current or skipped");
    tty.resize(120, 30);
    // Both only fit into the new size.
    tty.wait_for_line(&["NAME", "GROUP", "FIRMWARE"]);
    tty.wait_for_line(&["refused-1", "north", "1.2.2 → 1.2.3", "2"]);
    tty.resize(30, 6);
    tty.wait("one line", |s| {
        s.contents().trim_end() == "2/2 upgraded, over"
            || s.contents().starts_with("2/2 upgraded, 0:")
    });
    tty.resize(80, 24);
    tty.wait_for_line(&["NAME", "STAGE", "TIME"]);
    tty.press("?");
    tty.wait_for("retry the selected device");
    tty.press(ESC);
    tty.wait("the help to close", |s| {
        !s.contents().contains("retry the selected device")
    });
    tty.press("q");
    assert_eq!(tty.end(), 0);
    tty.wait_for("as the scenario foretells");
}

#[test]
fn the_first_ctrl_c_waits_for_devices_past_their_install_and_the_second_does_not() {
    let mut tty = Tty::demo(&rebooting("45s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    tty.press(CTRL_C);
    tty.wait_for_line(&["STOPPING safely", "gone-1"]);
    tty.press(CTRL_C);
    assert_eq!(tty.end(), 130);
    tty.wait_for_line(&["gone-1"]);
    let log = tty.log();
    assert!(log.contains("gone-1: UNKNOWN"), "{log}");
}

#[test]
fn quitting_waits_for_a_device_past_its_install_and_then_leaves_by_itself() {
    let mut tty = Tty::demo(&rebooting("2s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    tty.press("q");
    tty.wait_for_line(&["gone-1", "past the install"]);
    tty.press("y");
    assert_eq!(tty.end(), 130);
    let log = tty.log();
    assert!(log.contains("gone-1: UPGRADED"), "{log}");
}

#[test]
fn a_closed_terminal_stops_the_run_safely() {
    let mut tty = Tty::demo(&rebooting("3s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    // The reader lets go of the terminal with the next frame, which its clocks bring within a second.
    tty.closing.store(true, Ordering::SeqCst);
    tty.slave = None;
    while Arc::strong_count(&tty.screen) > 1 {
        thread::yield_now();
    }
    tty.writer = Box::new(std::io::sink());
    tty.master = native_pty_system().openpty(size(80, 24)).unwrap().master;
    let status = tty.ended.recv_timeout(PATIENCE).expect("still runs");
    let log = tty.log();
    assert!(log.contains("gone-1: UPGRADED"), "{log}");
}

#[test]
fn a_panic_in_a_devices_task_does_not_tear_the_screen() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/panic.toml");
    let scenario = std::fs::read_to_string(path).unwrap();
    let mut tty = Tty::demo(&scenario, 100, 30);
    tty.wait_for_line(&["OVER"]);
    tty.wait("a whole screen", |s| {
        line_with(s, &["─ Devices"])
            && line_with(s, &["q quit"])
            && !s.contents().contains("thread '")
    });
    tty.press("q");
    tty.end();
}

#[test]
fn the_plan_starts_only_with_the_right_number() {
    let lab = tempfile::tempdir().unwrap();
    let folder = lab.path().to_str().unwrap().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let sim = Tty::start(&["sim", "--devices", "2", "--dir", &folder], dir, 100, 30);
    sim.wait_for("Ctrl-C stops them");
    let inventory = lab.path().join("fleet.toml");
    let args = ["run", "-c", inventory.to_str().unwrap()];
    let mut tty = Tty::start(&args, tempfile::tempdir().unwrap(), 80, 24);
    tty.wait_for("Type 2 to start");
    tty.wait_for("A firmware upgrade cannot be undone.");
    tty.press("3\r");
    tty.wait_for("3 is not the number of devices to be upgraded, which is 2");
    tty.press(ESC);
    tty.wait_for("Leave? Nothing has been changed");
    tty.press("n");
    tty.wait("the question to go", |s| !s.contents().contains("Leave?"));
    tty.press("q");
    tty.end();
    let log = tty.log();
    assert!(!log.contains("upload"), "{log}");
}
