//! A real sshd on loopback for one test, with keys and configuration of its own: the user's are not touched.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _, stderr};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::device::http::Links;
use crate::device::http::ssh::{JumpHosts, LEASH};

type Log = Arc<Mutex<Vec<String>>>;

/// An sshd that knows one key, and the configuration of a user who has it.
pub(super) struct Sshd {
    folder: TempDir,
    child: Child,
    log: Log,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // The leash ends it too, when the test's process dies first.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sshd {
    /// Starts one; `None` on a machine without sshd, or where processes cannot be looked for, which is said.
    pub(super) fn start() -> Option<Self> {
        // Written beside the test harness, which captures what tests print, and once for all of them. `.ci/run`
        // installs an sshd.
        let skip = |what| {
            static SAID: Once = Once::new();
            let line = format!("\nSKIPPED: no {what} on this machine: device::http::tests::ssh\n");
            SAID.call_once(|| stderr().write_all(line.as_bytes()).unwrap());
        };
        let Some(program) = program() else {
            skip("sshd");
            return None;
        };
        if !Path::new("/proc/self/cmdline").exists() {
            skip("/proc");
            return None;
        }
        // Where sshd runs as root it wants this folder; its package makes it at boot only.
        let _ = fs::create_dir_all("/run/sshd");
        let folder = tempfile::tempdir().unwrap();
        for key in ["host", "user", "other"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.path().join(key))
                .status()
                .unwrap();
            assert!(made.success());
        }
        // Somebody else may take the free port before sshd does.
        let (child, log) = (0..10)
            .find_map(|_| serve(&program, folder.path()))
            .unwrap();
        Some(Self { folder, child, log })
    }

    /// Where a run of this user finds its jump hosts.
    pub(super) fn links(&self) -> Links {
        let config = self.folder.path().join("config");
        Links::with(JumpHosts::default().told(&["-F".into(), config.into()]))
    }

    /// How many connections were let in so far.
    pub(super) fn logins(&self) -> usize {
        self.logged("Accepted publickey")
    }

    /// How many lines of its log begin like this.
    pub(super) fn logged(&self, begin: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|l| l.starts_with(begin)).count()
    }

    /// The processes that use this user's configuration and have `word` in their command line.
    pub(super) fn processes(&self, word: &str) -> Vec<u32> {
        let config = self.folder.path().join("config");
        let config = config.to_str().unwrap();
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid: &u32| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains(config) && line.contains(word)
            })
            .collect()
    }

    /// Waits until no such process is left.
    pub(super) async fn gone(&self, word: &str) {
        let gone = async {
            while !self.processes(word).is_empty() {
                // Processes of others end without an event.
                sleep(Duration::from_millis(10)).await;
            }
        };
        let gone = timeout(Duration::from_secs(30), gone).await;
        assert!(gone.is_ok(), "{:?} are left", self.processes(word));
    }
}

/// Starts an sshd on a free port; `None` where that port was taken meanwhile, or anything else is wrong,
/// which is said.
fn serve(program: &Path, folder: &Path) -> Option<(Child, Log)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|l| l.local_addr())
        .unwrap()
        .port();
    configure(folder, port);
    let mut child = Command::new("/bin/sh")
        .args(["-c", LEASH])
        // What the leash removes at the end; the next try needs the rest.
        .arg(folder.join("nothing"))
        .arg(program)
        .args(["-D", "-e", "-f"])
        .arg(folder.join("sshd_config"))
        .process_group(0)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let reader = BufReader::new(child.stderr.take().unwrap());
    let (tell, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens where the test is over.
        reader
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| tell.send(line))
    });
    let mut said = Vec::new();
    loop {
        // Longer than it takes to start, on the slowest machine.
        match lines.recv_timeout(Duration::from_secs(60)) {
            Ok(line) if line.starts_with("Server listening") => break,
            Ok(line) => said.push(line),
            Err(RecvTimeoutError::Timeout) => panic!("sshd says nothing: {said:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                let _ = child.wait();
                eprintln!("sshd: {said:?}");
                return None;
            }
        }
    }
    let log = Arc::new(Mutex::new(said));
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in lines {
            kept.lock().unwrap().push(line);
        }
    });
    Some((child, log))
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("sshd"))
        .find(|file| file.is_file())
}

/// Writes the configuration of both ends. The user has a name for each thing that can be wrong.
fn configure(folder: &Path, port: u16) {
    let at = folder.display();
    let key = |name: &str| {
        let line = fs::read_to_string(folder.join(name)).unwrap();
        line.split(' ').take(2).collect::<Vec<_>>().join(" ")
    };
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    // Streams are no sessions: one is enough for all of them.
    write(
        "sshd_config",
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/user.pub\n\
             StrictModes no\nPidFile none\nMaxSessions 1\nPermitOpen 127.0.0.1:* host.invalid:*\n"
        ),
    );
    let place = format!("[127.0.0.1]:{port}");
    write("known", format!("{place} {}\n", key("host.pub")));
    write("unknown", String::new());
    write("changed", format!("{place} {}\n", key("other.pub")));
    let rest = |key: &str, known: &str| {
        format!(
            "IdentityFile {at}/{key}\n\
             UserKnownHostsFile {at}/{known}\nGlobalKnownHostsFile none\n"
        )
    };
    write(
        "config",
        format!(
            "Host nowhere\nHostName host.invalid\n\
             Host closed\nHostName 127.0.0.1\nPort 1\n\
             Host stranger\n{}Host changed\n{}Host locked\n{}\
             Host twice\nProxyJump locked\n\
             Host chain\nProxyJump inner\nHost inner\nControlPath none\nControlMaster no\n\
             Host * !locked\n{}\
             Host *\nHostName 127.0.0.1\nPort {port}\nIdentitiesOnly yes\nIdentityAgent none\n\
             ControlMaster auto\nControlPath {at}/mine-%C\nControlPersist yes\n",
            rest("user", "unknown"),
            rest("user", "changed"),
            rest("other", "known"),
            rest("user", "known"),
        ),
    );
}
