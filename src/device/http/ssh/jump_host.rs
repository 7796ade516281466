//! The jump hosts of a run: shared connections to each, opened when they are needed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};

use super::command::SshCommand;
use super::master::Master;
use super::stream::SshStream;
use crate::model::{HostPort, LinkFault, SshJump, SshTrouble};

/// How many streams share one connection; the next one opens another. OpenSSH's own `MaxSessions` is 10 and does
/// not count such streams, but other servers may.
const STREAMS: usize = 8;

/// How long to leave a jump host alone that refused: it may lock out those who ask too often, as a hundred devices
/// failing one after the other would. Nobody corrects a mistake and retries sooner than this.
const REFUSED: Duration = Duration::from_secs(5);

/// The jump hosts of a run, each known once.
#[derive(Debug, Default)]
pub(in crate::device::http) struct JumpHosts {
    /// Precede all other arguments of ssh; tests name their own configuration with them.
    arguments: Vec<OsString>,
    /// Variables of the environment that hold secrets; ssh may send any to the jump host (`SendEnv`).
    hidden: Arc<[String]>,
    known: Mutex<HashMap<SshJump, Arc<JumpHost>>>,
}

impl JumpHosts {
    /// Hides these environment variables from ssh.
    pub(in crate::device::http) fn hiding(variables: &[String]) -> Self {
        Self {
            hidden: variables.into(),
            ..Self::default()
        }
    }

    /// Adds arguments before all others.
    #[cfg(test)]
    pub(in crate::device::http) fn told(mut self, arguments: &[OsString]) -> Self {
        self.arguments = arguments.to_vec();
        self
    }

    /// The jump host of this name. Nothing is connected before the first stream.
    pub(in crate::device::http) fn get(&self, destination: &SshJump) -> Arc<JumpHost> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let jump = known.entry(destination.clone()).or_insert_with(|| {
            Arc::new(JumpHost {
                ssh: Arc::new(SshCommand {
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
pub(in crate::device::http) struct JumpHost {
    ssh: Arc<SshCommand>,
    connections: Mutex<Vec<Arc<SharedConnection>>>,
}

impl JumpHost {
    /// As the inventory names it.
    pub(in crate::device::http) fn name(&self) -> &str {
        self.ssh.destination.as_str()
    }

    /// A stream to `target` as the jump host sees it. Whether the target accepted it shows only when
    /// something is read. Dropping the future, or the stream, ends what was started for it.
    ///
    /// # Errors
    ///
    /// [`LinkFault::Ssh`]: the jump host was not reached or refused. [`LinkFault::Local`]: ssh could not be run.
    pub(in crate::device::http) async fn open(
        &self,
        target: &HostPort,
    ) -> Result<SshStream, LinkFault> {
        let (shared, permit) = self.free();
        let master = shared.master(&self.ssh).await?;
        SshStream::open(&self.ssh, master, target, permit)
    }

    /// A connection with room for one more, the oldest first.
    fn free(&self) -> (Arc<SharedConnection>, tokio::sync::OwnedSemaphorePermit) {
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
            connections.push(Arc::new(SharedConnection {
                room: Arc::new(Semaphore::new(STREAMS)),
                state: tokio::sync::Mutex::default(),
            }));
        }
    }
}

/// One connection to a jump host, opened when it is needed and again when it was lost.
#[derive(Debug)]
struct SharedConnection {
    room: Arc<Semaphore>,
    /// Locked while the connection is being opened, so that others wait for it.
    state: tokio::sync::Mutex<ConnectionState>,
}

#[derive(Debug, Default)]
struct ConnectionState {
    master: Option<Arc<Master>>,
    /// How the last opening failed, and when.
    failed: Option<(Instant, LinkFault)>,
}

impl SharedConnection {
    async fn master(&self, ssh: &SshCommand) -> Result<Arc<Master>, LinkFault> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(master) = state.master.as_ref().filter(|m| m.is_up()) {
            return Ok(Arc::clone(master));
        }
        // Those who waited for an attempt that failed get its error.
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
