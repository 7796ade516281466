//! The ssh that keeps the connection to a jump host, which all streams share (OpenSSH's `ControlMaster`).
//!
//! It never outlives this process: the connection is hemfleet's own, and a `ControlPath` of the user's configuration is
//! not used.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use tempfile::TempDir;
use tokio::process::{Child, ChildStdin};
use tokio::time::sleep;

use super::command::SshCommand;
use super::stderr::StderrReader;
use crate::model::LinkFault;

/// The longest path of a control socket: 104 bytes on the BSDs with the NUL, and OpenSSH appends a dot and 16
/// characters while it creates it.
const MAX_SOCKET: usize = 104 - 1 - 17;

/// How often to look whether the connection is up. OpenSSH does not say so; it creates the socket.
const LOOK: Duration = Duration::from_millis(10);

/// Runs ssh on a leash: a companion reads standard input, where nothing ever comes, and at its end
/// asks the whole process group to end (ssh, and what a `ProxyJump` or `ProxyCommand` started) and
/// removes the folder. Standard input ends when the other side is dropped, and when this process is killed:
/// the connection is never left behind.
pub(in crate::device::http) const LEASH: &str = r#"
exec 3<&0
(trap '' TERM; read -r _ <&3; kill 0; rm -rf -- "$0") >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"#;

/// An open connection to a jump host. Dropping it ends the connection.
#[derive(Debug)]
pub(super) struct Master {
    socket: PathBuf,
    stderr: StderrReader,
    child: Mutex<Child>,
    _leash: Option<ChildStdin>,
    /// Holds nothing but the socket; for this user alone.
    _folder: TempDir,
}

impl Master {
    /// Opens the connection. Dropping the future ends what was started.
    ///
    /// # Errors
    ///
    /// ssh's own message.
    pub(super) async fn start(ssh: &SshCommand) -> Result<Self, LinkFault> {
        let folder = folder()
            .map_err(|e| ssh.fault(&format!("no folder for the socket of its connection: {e}")))?;
        let socket = folder.path().join("s");
        let mut child = ssh
            .command("/bin/sh")
            .args(["-c", LEASH])
            .arg(folder.path())
            .arg("ssh")
            .args(ssh.arguments(&[
                "-MNT".to_owned(),
                // The user's own forwardings are not ours to open; nor are those of agent and X11.
                "-oClearAllForwardings=yes".to_owned(),
                "-ax".to_owned(),
                // Only at this level does ssh say why a stream was refused.
                "-oLogLevel=INFO".to_owned(),
                option("ControlPath", &socket),
                // In the foreground, on the leash, whatever the user's configuration says.
                "-oControlPersist=no".to_owned(),
                // Notices a jump host that vanished; its dead connection would be used for ever otherwise.
                "-oServerAliveInterval=10".to_owned(),
                "-oServerAliveCountMax=3".to_owned(),
            ]))
            .arg("--")
            .arg(ssh.destination.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| ssh.not_run(&e))?;
        let leash = child.stdin.take();
        let Some(stderr) = child.stderr.take() else {
            return Err(ssh.fault("cannot be run"));
        };
        let stderr = StderrReader::listen(stderr);
        loop {
            tokio::select! {
                biased;
                status = child.wait() => {
                    let said = stderr.last().await;
                    return Err(match status {
                        _ if !said.is_empty() => ssh.fault(&said),
                        Ok(status) => ssh.fault(&format!("ended with {status}")),
                        Err(e) => ssh.not_run(&e),
                    });
                }
                () = sleep(LOOK) => if socket.exists() { break },
            }
        }
        tracing::debug!(jump = %ssh.destination, "connected");
        Ok(Self {
            socket,
            stderr,
            child: Mutex::new(child),
            _leash: leash,
            _folder: folder,
        })
    }

    /// Whether new streams can go through it. ssh removes its socket when it exits in order.
    pub(super) fn is_up(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(child.try_wait(), Ok(None)) && self.socket.exists()
    }

    /// The option that names the socket.
    pub(super) fn control_path(&self) -> String {
        option("ControlPath", &self.socket)
    }

    /// Its standard error.
    pub(super) fn stderr(&self) -> &StderrReader {
        &self.stderr
    }
}

fn option(name: &str, path: &Path) -> String {
    format!("-o{name}={}", path.display())
}

/// A folder for this user alone, short and plain enough for a control socket.
fn folder() -> io::Result<TempDir> {
    let fits = |base: &Path| {
        let length = base.as_os_str().len() + "/hemfleet-XXXXXX/s".len();
        let base = base.to_str().unwrap_or_default();
        // OpenSSH expands % and $, and ends the path at blanks and quotes.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
        length <= MAX_SOCKET && base.starts_with('/') && base.chars().all(plain)
    };
    let mut base = std::env::temp_dir();
    if !fits(&base) {
        base = PathBuf::from("/tmp");
    }
    tempfile::Builder::new()
        .prefix("hemfleet-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(base)
}
