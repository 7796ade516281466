//! One `ssh -W` as a byte stream, over the connection that `master` keeps.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::command::{MAX_TEXT, SshCommand};
use super::master::Master;
use super::stderr::LastLines;
use crate::model::{HostPort, LinkFault, printable};

/// How long to wait for an ssh whose output has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// What OpenSSH says when the jump host refused to connect to the target.
const REFUSED: &str = "Session open refused by peer";

/// A stream through a jump host. Where ssh failed, the end of the stream is an error that holds the
/// [`LinkFault`].
pub(in crate::device::http) struct SshStream {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    end: StreamEnd,
    _permit: OwnedSemaphorePermit,
}

enum StreamEnd {
    /// Not seen yet.
    Unseen(Box<Diagnosis>),
    /// Being diagnosed.
    InDiagnosis(Pin<Box<dyn Future<Output = Option<LinkFault>> + Send>>),
    /// Known: in order, or a fault.
    Known(Option<LinkFault>),
}

/// All that is needed to tell how a stream ended.
struct Diagnosis {
    child: Child,
    stderr: ChildStderr,
    master: Arc<Master>,
    begun: Instant,
    jump: Arc<SshCommand>,
    target: HostPort,
}

impl SshStream {
    /// Starts the ssh.
    pub(super) fn open(
        ssh: &Arc<SshCommand>,
        master: Arc<Master>,
        target: &HostPort,
        permit: OwnedSemaphorePermit,
    ) -> Result<Self, LinkFault> {
        let begun = Instant::now();
        let mut child = ssh
            .command("ssh")
            .args(ssh.arguments(&[
                "-oLogLevel=ERROR".to_owned(),
                "-oControlMaster=no".to_owned(),
                master.control_path(),
                // Without the shared connection ssh would open one of its own; this makes that fail.
                "-oProxyCommand=false".to_owned(),
                format!("-W{target}"),
            ]))
            .arg("--")
            .arg(ssh.destination.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| ssh.not_run(&e))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(ssh.fault("cannot be run"));
        };
        Ok(Self {
            stdin,
            stdout,
            end: StreamEnd::Unseen(Box::new(Diagnosis {
                child,
                stderr,
                master,
                begun,
                jump: Arc::clone(ssh),
                target: target.clone(),
            })),
            _permit: permit,
        })
    }
}

impl Diagnosis {
    /// Why the output ended; `None` where the device closed the connection.
    async fn run(mut self) -> Option<LinkFault> {
        let end = async {
            (
                LastLines::of(&mut self.stderr).await,
                self.child.wait().await,
            )
        };
        let (said, status) = timeout(FAREWELL, end).await.ok()?;
        // An ssh whose shared connection breaks exits with success.
        if !self.master.is_up() {
            let said = self.master.stderr().last().await;
            return Some(self.jump.fault(match said.as_str() {
                "" => "the connection ended",
                said => said,
            }));
        }
        let status = match status {
            Ok(status) if status.success() => return None,
            Ok(status) => format!("ended with {status}"),
            Err(error) => return Some(self.jump.not_run(&error)),
        };
        if said.contains(REFUSED) {
            let reason = self.master.stderr().refusal(self.begun).await;
            return Some(self.refused(&reason));
        }
        Some(
            self.jump
                .fault(if said.is_empty() { &status } else { &said }),
        )
    }

    /// The fault behind a refused stream. Where the jump host could not connect, the device is to blame (a PPA
    /// that reboots takes its network with it); any other refusal is the jump host's own.
    fn refused(&self, reason: &str) -> LinkFault {
        let target = format!("{} behind {}", self.target, self.jump.destination);
        match reason.strip_prefix("connect failed: ") {
            Some("Connection refused") => LinkFault::Refused { target },
            Some(why) => LinkFault::Io {
                what: printable(&format!("{target}: {why}"), MAX_TEXT),
            },
            None => self
                .jump
                .fault(&format!("no way on to {}: {reason}", self.target)),
        }
    }
}

impl AsyncRead for SshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match &mut self.end {
                StreamEnd::Unseen(_) => {
                    let before = buf.filled().len();
                    ready!(Pin::new(&mut self.stdout).poll_read(cx, buf))?;
                    if buf.filled().len() > before || buf.remaining() == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    // ssh exits once both directions have ended, and a device that closed reads nothing more.
                    self.stdin = None;
                    self.end = match std::mem::replace(&mut self.end, StreamEnd::Known(None)) {
                        StreamEnd::Unseen(diagnosis) => {
                            StreamEnd::InDiagnosis(Box::pin(diagnosis.run()))
                        }
                        other => other,
                    };
                }
                StreamEnd::InDiagnosis(diagnosis) => {
                    self.end = StreamEnd::Known(ready!(diagnosis.as_mut().poll(cx)));
                }
                StreamEnd::Known(None) => return Poll::Ready(Ok(())),
                StreamEnd::Known(Some(fault)) => {
                    return Poll::Ready(Err(io::Error::other(fault.clone())));
                }
            }
        }
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}
