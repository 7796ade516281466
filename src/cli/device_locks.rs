//! Locks the devices of a run, so that no other hemfleet of this user works on them at the same time. The lock files
//! are in `device_locks::lock_folder`.

use std::fmt;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::process::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

use self::lock_folder::Folder;
use super::process::private_file;
use super::run_context::Who;
use crate::journal::lock_file::{HeldLock, LockAttempt};
use crate::model::{DeviceId, DeviceSpec, Reach, RunId, printable};

/// Devices that a refusal names; the rest is counted.
const NAMED: usize = 5;

/// More than any holder writes about itself, in bytes.
const LONGEST: u64 = 4096;

/// A run's claim on its devices: not asked for yet, held, or refused.
#[derive(Debug)]
pub(super) struct DeviceLocks {
    folder: PathBuf,
    holder: Holder,
    devices: Vec<(Reach, DeviceId)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Open,
    /// Held until dropped.
    Held {
        _locks: Vec<HeldLock>,
    },
    Refused(LocksRefused),
}

/// Why the locks are not held.
#[derive(Clone, Debug)]
pub enum LocksRefused {
    /// Other runs hold these devices.
    Busy(Vec<(DeviceId, Option<Holder>)>),
    /// Each lock is an open file, and no more can be opened.
    OutOfFiles {
        /// Devices that could be locked.
        locked: usize,
        /// Devices in all.
        all: usize,
        /// What the system said.
        error: String,
        /// The limit of open files.
        limit: String,
    },
    /// The folder of the locks cannot be used.
    Folder {
        /// Its path.
        path: String,
        /// What the system said.
        error: String,
    },
    /// There is no folder for the locks.
    NoFolder(String),
    /// The task that takes the locks died.
    Bug(String),
}

/// Who holds a device, as it stands in the file of the lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder {
    run: String,
    user: String,
    host: String,
    pid: u32,
    since: Timestamp,
}

impl DeviceLocks {
    /// The claim of `run` on `devices`, in hemfleet's own state folder. Nothing is locked yet.
    pub(super) fn new(run: &RunId, devices: &[DeviceSpec]) -> Result<Arc<Self>, LocksRefused> {
        let state =
            private_file::state_folder().map_err(|e| LocksRefused::NoFolder(e.to_string()))?;
        Ok(Self::within(state.join("locks"), run, devices))
    }

    /// The same with locks in `folder`.
    pub(super) fn within(folder: PathBuf, run: &RunId, devices: &[DeviceSpec]) -> Arc<Self> {
        let mut devices: Vec<_> = devices
            .iter()
            .map(|spec| (Reach::of(spec), spec.id.clone()))
            .collect();
        // The same order for everybody, so that of two runs that want the same one is first everywhere.
        devices.sort();
        devices.dedup_by(|a, b| a.0 == b.0);
        Arc::new(Self {
            folder,
            holder: Holder::this(run),
            devices,
            state: Mutex::default(),
        })
    }

    /// Claims all devices, or none: it is held until the claim is dropped. A claim that is held already
    /// stays so; one that was refused is tried again.
    pub(super) async fn take(self: &Arc<Self>) -> Result<(), LocksRefused> {
        let claim = Arc::clone(self);
        let taken = tokio::task::spawn_blocking(move || claim.take_now()).await;
        taken.unwrap_or_else(|e| Err(LocksRefused::Bug(e.to_string())))
    }

    fn take_now(&self) -> Result<(), LocksRefused> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Held { .. }) {
            return Ok(());
        }
        match self.lock_all() {
            Ok(locks) => {
                *state = State::Held { _locks: locks };
                Ok(())
            }
            Err(refused) => {
                *state = State::Refused(refused.clone());
                Err(refused)
            }
        }
    }

    /// Why the claim was refused the last time that it was asked for.
    pub(super) fn refused(&self) -> Option<LocksRefused> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Refused(refused) => Some(refused.clone()),
            State::Open | State::Held { .. } => None,
        }
    }

    fn lock_all(&self) -> Result<Vec<HeldLock>, LocksRefused> {
        let mut locks = Vec::with_capacity(self.devices.len());
        let mut busy = Vec::new();
        let folder = Folder::enter(&self.folder).map_err(|e| self.broken(&e, 0))?;
        for (reach, device) in &self.devices {
            match folder.lock(reach) {
                Ok(LockAttempt::Ours(held)) => locks.push(held),
                Ok(LockAttempt::Busy(path)) => {
                    busy.push((device.clone(), Holder::read(&path).ok()));
                }
                Err(e) => return Err(self.broken(&e, locks.len())),
            }
        }
        if !busy.is_empty() {
            // In the order of the inventory's names, as a person would look for them.
            busy.sort_by(|a, b| a.0.cmp(&b.0));
            return Err(LocksRefused::Busy(busy));
        }
        for held in &mut locks {
            self.holder
                .write(held.file())
                .map_err(|e| self.broken(&e, self.devices.len()))?;
        }
        folder.sweep();
        Ok(locks)
    }

    fn broken(&self, error: &io::Error, locked: usize) -> LocksRefused {
        let error_text = error.to_string();
        if lock_folder::is_out_of_files(error) {
            let limit = getrlimit(Resource::Nofile).current;
            return LocksRefused::OutOfFiles {
                locked,
                all: self.devices.len(),
                error: error_text,
                limit: limit.map_or("none".to_owned(), |n| n.to_string()),
            };
        }
        LocksRefused::Folder {
            path: printable(&self.folder.to_string_lossy(), 300),
            error: error_text,
        }
    }
}

impl LocksRefused {
    /// One line for the dashboard, with a device and its holder first.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Busy(busy) => {
                let (device, holder) = &busy[0];
                let who = who(holder.as_ref());
                match busy.len() - 1 {
                    0 => format!("{device} is held by {who}"),
                    more => format!("{device} and {more} more are held, by {who}"),
                }
            }
            Self::OutOfFiles {
                locked,
                all,
                error,
                limit,
            } => format!(
                "{locked} of {all} devices could be locked: each takes an open file, and no more can be opened \
                 ({error}; the limit is {limit})"
            ),
            Self::Folder { path, error } => {
                format!("the devices cannot be locked in {path}: {error}")
            }
            Self::NoFolder(error) => format!("no folder for the locks of devices: {error}"),
            Self::Bug(error) => format!("the locks of devices: {error}"),
        }
    }

    /// The message for whoever started hemfleet; `sent` says what was done until then.
    pub(super) fn message(&self, sent: &str) -> String {
        match self {
            Self::Busy(busy) => {
                let mut text = match busy.len() {
                    1 => "a device is held by another hemfleet".to_owned(),
                    n => format!("{n} devices are held by another hemfleet"),
                };
                text = format!("{text}; {sent}");
                for (device, holder) in busy.iter().take(NAMED) {
                    text = format!("{text}\n  {device}: {}", who(holder.as_ref()));
                }
                if busy.len() > NAMED {
                    text = format!("{text}\n  and {} more", busy.len() - NAMED);
                }
                text
            }
            Self::NoFolder(_) => self.line(),
            other => format!("{}; {sent}", other.line()),
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> String {
        let hint = match self {
            Self::Busy(_) => {
                "wait until that run has ended, or leave these devices out with --only; \
                 the locks of a killed run are free"
            }
            Self::OutOfFiles { all, .. } => {
                return format!(
                    "raise the limit to {} with ulimit -n, or run fewer devices at once with --only",
                    all + 1024
                );
            }
            Self::Folder { .. } => {
                "make that folder yours and writable, or name another one with XDG_STATE_HOME"
            }
            Self::NoFolder(_) => "set XDG_STATE_HOME to a folder that can be written to",
            Self::Bug(_) => "this is a bug; please report it",
        };
        hint.to_owned()
    }
}

fn who(holder: Option<&Holder>) -> String {
    holder.map_or(
        "another hemfleet, which does not say more".to_owned(),
        Holder::to_string,
    )
}

impl Holder {
    /// This process.
    fn this(run: &RunId) -> Self {
        let Who { user, host, pid } = Who::this_process();
        Self {
            run: run.to_string(),
            user,
            host,
            pid,
            since: Timestamp::now(),
        }
    }

    fn write(&self, file: &mut std::fs::File) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        // A run that was killed may have left its own line.
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&line)
    }

    fn read(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        std::fs::File::open(path)?
            .take(LONGEST)
            .read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &str| printable(text, 64);
        let since = self.since.to_zoned(TimeZone::system());
        write!(
            f,
            "run {} of {} on {}, process {}, since {}",
            word(&self.run),
            word(&self.user),
            word(&self.host),
            self.pid,
            since.strftime("%F %T %Z")
        )
    }
}

mod lock_folder;
#[cfg(test)]
mod tests;
