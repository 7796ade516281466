//! Ways through a jump host, with the user's own OpenSSH: its configuration, agent, jump hosts and
//! known host keys.
//!
//! For each jump host one `ssh` keeps the connection (`master`), and each request goes through it as an
//! `ssh -W` of its own, whose standard input and output are the stream (`stream`).
//!
//! Must not: ask anything (no password, no host key: what ssh would ask is an error, in ssh's own words),
//! weaken what ssh checks, or leave a process behind.

mod master;
mod stderr;
mod stream;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};

#[cfg(test)]
pub(super) use self::master::LEASH;
use self::master::Master;
pub(super) use self::stream::SshStream;
use crate::model::{HostPort, LinkFault, SshJump, SshTrouble, printable};

/// Streams that one connection carries at a time; the next one opens a second connection. OpenSSH's own
/// `MaxSessions` is 10 and does not count streams like these, but other servers may.
const STREAMS: usize = 8;

/// For how long a jump host that refused is not asked again: it may lock out who asks too often, and a
/// hundred devices that fail one after the other would. A person who has set it right and retries is slower.
const REFUSED: Duration = Duration::from_secs(5);

/// The longest text of ssh that is kept.
const MAX_TEXT: usize = 300;

/// The jump hosts of a run, each known once.
#[derive(Debug, Default)]
pub(super) struct Jumps {
    /// Put before all other arguments of ssh; the tests name their own configuration with it.
    arguments: Vec<OsString>,
    /// Variables of the environment that hold secrets; ssh may send any to the jump host (`SendEnv`).
    hidden: Arc<[String]>,
    known: Mutex<HashMap<SshJump, Arc<Jump>>>,
}

impl Jumps {
    /// With an OpenSSH that does not get these variables of the environment.
    pub(super) fn hiding(variables: &[String]) -> Self {
        Self {
            hidden: variables.into(),
            ..Self::default()
        }
    }

    /// The same, told something first.
    #[cfg(test)]
    pub(super) fn told(mut self, arguments: &[OsString]) -> Self {
        self.arguments = arguments.to_vec();
        self
    }

    /// The jump host of this name. Nothing is connected before the first stream.
    pub(super) fn get(&self, destination: &SshJump) -> Arc<Jump> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let jump = known.entry(destination.clone()).or_insert_with(|| {
            Arc::new(Jump {
                ssh: Arc::new(Ssh {
                    destination: destination.clone(),
                    arguments: self.arguments.clone(),
                    hidden: Arc::clone(&self.hidden),
                }),
                connections: Mutex::default(),
            })
        });
        Arc::clone(jump)
    }
}

/// A jump host. Its connections end when the last device that uses it is dropped, or with the process.
#[derive(Debug)]
pub(super) struct Jump {
    ssh: Arc<Ssh>,
    connections: Mutex<Vec<Arc<Shared>>>,
}

impl Jump {
    /// As the inventory names it.
    pub(super) fn name(&self) -> &str {
        self.ssh.destination.as_str()
    }

    /// A stream to `target` as the jump host sees it. Whether the target took it shows only when
    /// something is read. Dropping the future, or the stream, ends what was begun for it.
    ///
    /// # Errors
    ///
    /// [`LinkFault::Ssh`]: the jump host was not reached or refused. [`LinkFault::Local`]: ssh could not be run.
    pub(super) async fn open(&self, target: &HostPort) -> Result<SshStream, LinkFault> {
        let (shared, permit) = self.free();
        let master = shared.master(&self.ssh).await?;
        SshStream::open(&self.ssh, master, target, permit)
    }

    /// A connection with room for one more, the oldest first.
    fn free(&self) -> (Arc<Shared>, tokio::sync::OwnedSemaphorePermit) {
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            for shared in connections.iter() {
                if let Ok(permit) = Arc::clone(&shared.room).try_acquire_owned() {
                    return (Arc::clone(shared), permit);
                }
            }
            connections.push(Arc::new(Shared {
                room: Arc::new(Semaphore::new(STREAMS)),
                state: tokio::sync::Mutex::default(),
            }));
        }
    }
}

/// One connection to a jump host, opened when it is needed and again when it was lost.
#[derive(Debug)]
struct Shared {
    room: Arc<Semaphore>,
    /// Locked while the connection is being opened: the others wait for the one that does it.
    state: tokio::sync::Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    master: Option<Arc<Master>>,
    /// How the last opening failed, and when.
    failed: Option<(Instant, LinkFault)>,
}

impl Shared {
    async fn master(&self, ssh: &Ssh) -> Result<Arc<Master>, LinkFault> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(master) = state.master.as_ref().filter(|m| m.is_up()) {
            return Ok(Arc::clone(master));
        }
        // Who waited for the opening that failed is told how it did.
        if let Some((at, fault)) = &state.failed
            && (*at >= asked || is_refusal(fault) && at.elapsed() < REFUSED)
        {
            return Err(fault.clone());
        }
        state.master = None;
        match Master::start(ssh).await {
            Ok(master) => {
                let master = Arc::new(master);
                state.master = Some(Arc::clone(&master));
                Ok(master)
            }
            Err(fault) => {
                state.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }
}

fn is_refusal(fault: &LinkFault) -> bool {
    matches!(fault, LinkFault::Ssh { reason, .. } if SshTrouble::of(reason).is_refusal())
}

/// How ssh is run for one jump host.
#[derive(Debug)]
struct Ssh {
    destination: SshJump,
    arguments: Vec<OsString>,
    hidden: Arc<[String]>,
}

impl Ssh {
    /// The arguments that every ssh is given, but for the last one, which is `--` and the destination.
    fn words(&self, options: &[String]) -> Vec<OsString> {
        let mut words = self.arguments.clone();
        words.push("-oBatchMode=yes".into());
        words.extend(options.iter().map(OsString::from));
        words
    }

    /// A command that cannot reach the terminal.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for name in self.hidden.iter() {
            command.env_remove(name);
        }
        command
            // BatchMode is not handed on to the ssh that a ProxyJump starts: this is. A question is put to a
            // program that always declines.
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            // Ctrl-C in a terminal goes to the whole process group; it must not break connections of
            // devices that are being brought to a safe point.
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// The fault of this jump host, in the words of ssh.
    fn fault(&self, reason: &str) -> LinkFault {
        LinkFault::Ssh {
            jump: self.destination.to_string(),
            reason: printable(reason, MAX_TEXT),
        }
    }

    fn not_run(&self, error: &io::Error) -> LinkFault {
        match super::link_fault::local(error) {
            Some(local) => local.into(),
            None => self.fault(&format!("cannot be run: {error}")),
        }
    }
}
