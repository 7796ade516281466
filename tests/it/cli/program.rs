//! The real binary and a simulator in a process of its own, for the tests around.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub(super) fn hemfleet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hemfleet"));
    command
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .env_remove("HEM_PASSPHRASE")
        .env("RUST_BACKTRACE", "0");
    command
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn vector(name: &str) -> PathBuf {
    root().join("tests/vectors/firmware").join(name)
}

pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(super) fn run(args: &[&str]) -> Output {
    hemfleet().args(args).output().unwrap()
}

pub(super) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// `hemfleet sim` in a process of its own, stopped when dropped.
pub(super) struct Lab {
    process: Child,
    pub(super) dir: tempfile::TempDir,
}

impl Lab {
    pub(super) fn serve(scenario: &str) -> Self {
        Self::serve_file(&root().join("tests/scenarios").join(scenario))
    }

    /// The same for a scenario that a test makes itself.
    pub(super) fn serve_text(scenario: &str) -> Self {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        let scenario = format!("about = \"a test's own\"\n{scenario}");
        file.write_all(scenario.as_bytes()).unwrap();
        Self::serve_file(file.path())
    }

    fn serve_file(scenario: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut process = hemfleet()
            .args(["sim", "--scenario"])
            .arg(scenario)
            .arg("--dir")
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let ready = out.lines().any(|line| line.unwrap().contains("Ctrl-C"));
        assert!(ready, "the simulator said nothing");
        Self { process, dir }
    }

    pub(super) fn inventory(&self) -> PathBuf {
        self.dir.path().join("fleet.toml")
    }

    pub(super) fn run(&self) -> Command {
        let mut command = hemfleet();
        command
            .arg("run")
            .arg("-c")
            .arg(self.inventory())
            .args(["--yes", "--output", "json"]);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn json(stdout: &[u8]) -> Vec<Value> {
    text(stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(super) fn of<'a>(events: &'a [Value], event: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["event"] == event).collect()
}
