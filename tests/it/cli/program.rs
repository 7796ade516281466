//! Runs the real binary, and a simulator in its own process. Every wait is bounded, and says what it waited for when it
//! fails.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Longer than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// hemfleet with its arguments, not started yet; as [`Command`], but nobody waits for it for ever.
pub(crate) struct Program(Command);

pub(crate) fn hemfleet() -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hemfleet"));
    command
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .env_remove("HEM_PASSPHRASE")
        .env_remove("HEMFLEET_CONFIG")
        // Locks and the journal: not those of whoever runs the tests, and not those of another test, whose devices may
        // have had the same ports.
        .env("XDG_STATE_HOME", state_folder())
        .env("RUST_BACKTRACE", "0");
    Program(command)
}

/// Whether the folders of earlier processes are gone.
static SWEPT: Once = Once::new();

/// A state folder for this test alone.
fn state_folder() -> PathBuf {
    let test = thread::current();
    let test = test.name().unwrap_or("main").replace("::", ".");
    let process = std::process::id();
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state");
    SWEPT.call_once(|| sweep(&all, process));
    all.join(format!("{process}-{test}"))
}

/// Removes what earlier processes of tests left, one of this number among them.
fn sweep(all: &Path, process: u32) {
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(of) = name.split('-').next().and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        if of == process || !Path::new("/proc").join(of.to_string()).exists() {
            // Another process may be sweeping as well.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Program {
    pub(crate) fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.0.arg(arg);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.0.env(name, value);
        self
    }

    /// Runs it in this folder.
    pub(crate) fn within(&mut self, dir: &Path) -> &mut Self {
        self.0.current_dir(dir);
        self
    }

    /// Gives it this as standard input.
    pub(crate) fn typed(&mut self, text: &str) -> &mut Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        self.0.stdin(file);
        self
    }

    fn hand_env_on(&self, shell: &mut Command) {
        for (name, value) in self.0.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
    }

    /// The same under another limit of the shell's `ulimit`.
    pub(crate) fn limited(&self, ulimit: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(format!("ulimit {ulimit}; exec \"$0\" \"$@\""))
            .arg(self.0.get_program())
            .args(self.0.get_args())
            .stdin(Stdio::null());
        self.hand_env_on(&mut shell);
        Self(shell)
    }

    /// The same in a world of its own, in which `mounts` have been made by a shell; nothing where this machine allows no
    /// such thing.
    pub(crate) fn within_mounts(&self, mounts: &str) -> Option<Self> {
        let world = ["--user", "--map-root-user", "--mount"];
        let probe = Command::new("unshare").args(world).arg("true").output();
        if !probe.is_ok_and(|probe| probe.status.success()) {
            eprintln!("skipped: no mounts without more rights");
            return None;
        }
        let mut shell = Command::new("unshare");
        shell
            .args(world)
            .args(["/bin/sh", "-ec"])
            .arg(format!("{mounts}\nexec \"$0\" \"$@\""))
            .arg(self.0.get_program())
            .args(self.0.get_args())
            .stdin(Stdio::null());
        self.hand_env_on(&mut shell);
        Some(Self(shell))
    }

    /// Runs it to its end with standard error going elsewhere; what it wrote to standard output.
    pub(crate) fn output_with_stderr(&mut self, stderr: impl Into<Stdio>) -> io::Result<Output> {
        let child = self.0.stdout(Stdio::piped()).stderr(stderr).spawn()?;
        Ok(Running::of(&self.0, child).output())
    }

    /// Runs it to its end.
    pub(crate) fn output(&mut self) -> io::Result<Output> {
        Ok(self.start()?.output())
    }

    /// Starts it; what it writes is not read before somebody asks for it.
    pub(crate) fn start(&mut self) -> io::Result<Running> {
        let child = self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn()?;
        Ok(Running::of(&self.0, child))
    }
}

/// A program that runs, and is ended when dropped.
pub(crate) struct Running {
    /// For messages.
    what: String,
    pub(crate) id: u32,
    pub(crate) stdout: Text,
    pub(crate) stderr: Text,
    ended: Receiver<ExitStatus>,
    /// Its end, where somebody has seen it already.
    seen: Cell<Option<ExitStatus>>,
}

impl Running {
    fn of(command: &Command, mut child: Child) -> Self {
        let pipe = |pipe: Option<Box<dyn Read + Send>>| Text {
            // Without a pipe it has ended already.
            read: Arc::new((Mutex::new((Vec::new(), pipe.is_none())), Condvar::new())),
            pipe: Mutex::new(pipe),
        };
        let stdout = child.stdout.take().map(|p| Box::new(p) as _);
        let stderr = child.stderr.take().map(|p| Box::new(p) as _);
        let id = child.id();
        let (tell, ended) = channel();
        thread::spawn(move || {
            let status = child.wait();
            // Nobody asks where the test is over.
            let _ = tell.send(status.unwrap());
        });
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        Self {
            what: format!("hemfleet {}", arguments.join(" ")),
            id,
            stdout: pipe(stdout),
            stderr: pipe(stderr),
            ended,
            seen: Cell::new(None),
        }
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id.to_string();
        let kill = Command::new("kill").args(["-s", name, &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Kills it after this time, at whatever it does then, unless it has ended.
    pub(crate) fn kill_after(&self, time: Duration) {
        match self.ended.recv_timeout(time) {
            Ok(status) => self.seen.set(Some(status)),
            Err(_) => self.signal("KILL"),
        }
    }

    /// Waits for the end; nothing of what it writes is read for that.
    pub(crate) fn end(&self) -> ExitStatus {
        if let Some(status) = self.seen.get() {
            return status;
        }
        self.ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let (out, err) = (self.stdout.so_far(), self.stderr.so_far());
            panic!(
                "waited for the end of {}; it said:\n{out}\n{err}",
                self.what
            )
        })
    }

    /// Reads everything, and waits for the end.
    pub(crate) fn output(self) -> Output {
        self.stdout.read();
        self.stderr.read();
        let status = self.end();
        Output {
            status,
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.seen.get().is_none() && self.ended.try_recv().is_err() {
            let _ = Command::new("kill")
                .args(["-s", "KILL", &self.id.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// What came, and whether that is all.
type SoFar = (Vec<u8>, bool);

/// What a program writes into a pipe.
pub(crate) struct Text {
    /// Absent once it is being read.
    pipe: Mutex<Option<Box<dyn Read + Send>>>,
    read: Arc<(Mutex<SoFar>, Condvar)>,
}

impl Text {
    /// Begins to read it.
    pub(crate) fn read(&self) {
        let Some(mut pipe) = self.pipe.lock().unwrap().take() else {
            return;
        };
        let read = Arc::downgrade(&self.read);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let n = pipe.read(&mut buffer).unwrap_or(0);
                // Whoever lets go of the text closes the pipe.
                let Some(read) = read.upgrade() else { return };
                let mut text = read.0.lock().unwrap();
                text.0.extend_from_slice(&buffer[..n]);
                text.1 = n == 0;
                read.1.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
    }

    fn wait_until(&self, what: &str, done: impl Fn(&SoFar) -> bool) -> Vec<u8> {
        self.read();
        let (text, changed) = &*self.read;
        let (text, late) = changed
            .wait_timeout_while(text.lock().unwrap(), PATIENCE, |t| !done(t))
            .unwrap();
        let said = String::from_utf8_lossy(&text.0);
        assert!(!late.timed_out(), "waited for {what}; what came:\n{said}");
        text.0.clone()
    }

    /// Reads on until a line has all of `wanted`.
    pub(crate) fn wait_for(&self, wanted: &[&str]) {
        let found = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.lines()
                .any(|line| wanted.iter().all(|w| line.contains(w)))
        };
        let wanted = wanted.join(" … ");
        let bytes = self.wait_until(&wanted, |(bytes, end)| *end || found(bytes));
        let said = String::from_utf8_lossy(&bytes);
        assert!(found(&bytes), "it ended without {wanted}:\n{said}");
    }

    /// The JSON lines, as they come.
    pub(crate) fn events(&self) -> impl Iterator<Item = Value> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let line = |bytes: &[u8]| bytes[at..].iter().position(|&b| b == b'\n');
            let bytes = self.wait_until("an event", |(bytes, end)| *end || line(bytes).is_some());
            let event = serde_json::from_slice(&bytes[at..at + line(&bytes)?]).unwrap();
            at += line(&bytes)? + 1;
            Some(event)
        })
    }

    /// Lets go of the pipe, as a reader that goes away: at once, or with what comes next.
    pub(crate) fn close(&mut self) {
        *self = Self {
            pipe: Mutex::new(None),
            read: Arc::new((Mutex::new((Vec::new(), true)), Condvar::new())),
        };
    }

    /// Reads to the end.
    pub(crate) fn all(&self) -> Vec<u8> {
        self.wait_until("the end of what is written", |(_, end)| *end)
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.read.0.lock().unwrap().0).into_owned()
    }
}

/// Waits until a file that a program writes holds `wanted`.
pub(crate) fn wait_for_file(path: &Path, wanted: &str, program: &Running) -> String {
    // The file tells nobody when it grows: it is looked at until the program ends, or patience does.
    const LOOK: Duration = Duration::from_millis(20);
    let mut looks = PATIENCE.as_millis() / LOOK.as_millis();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.contains(wanted) {
            return text;
        }
        let ended = program.ended.recv_timeout(LOOK);
        looks -= 1;
        assert!(
            ended.is_err() && looks > 0,
            "waited for {wanted:?} in {}: {ended:?}\n{text}",
            path.display()
        );
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn vector(name: &str) -> PathBuf {
    root().join("tests/vectors/firmware").join(name)
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(crate) fn run(args: &[&str]) -> Output {
    hemfleet().args(args).output().unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// `hemfleet sim` in a process of its own, stopped when dropped.
pub(crate) struct Lab {
    _process: Running,
    pub(crate) dir: tempfile::TempDir,
}

impl Lab {
    /// One of the scenarios that are kept.
    pub(crate) fn serve(scenario: &str) -> Self {
        Self::serve_file(&root().join("tests/scenarios").join(scenario))
    }

    /// A scenario of the test's own.
    pub(crate) fn serve_text(scenario: &str) -> Self {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        let scenario = format!("about = \"a test's own\"\n{scenario}");
        file.write_all(scenario.as_bytes()).unwrap();
        Self::serve_file(file.path())
    }

    fn serve_file(scenario: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = hemfleet();
        command.args(["sim", "--scenario"]).arg(scenario);
        let process = command.arg("--dir").arg(dir.path()).start().unwrap();
        process.stderr.read();
        process.stdout.wait_for(&["Ctrl-C"]);
        Self {
            _process: process,
            dir,
        }
    }

    pub(crate) fn inventory(&self) -> PathBuf {
        self.dir.path().join("fleet.toml")
    }

    pub(crate) fn run(&self) -> Program {
        let mut command = hemfleet();
        command
            .arg("run")
            .arg("-c")
            .arg(self.inventory())
            .args(["--yes", "--output", "json"]);
        command
    }
}

pub(crate) fn json(stdout: &[u8]) -> Vec<Value> {
    text(stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn of<'a>(events: &'a [Value], event: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["event"] == event).collect()
}
