//! What stands between a plan and its start: the devices are locked, and no other run has left anything behind on them since
//! the plan was made.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::CliError;
use super::device_locks::DeviceLocks;
use super::earlier_runs::EarlierRuns;
use crate::journal::{Journal, JournalError};
use crate::model::{DeviceId, DeviceSpec, ImageFacts, RunId, chain};

/// What was done before a start that is refused.
const SENT: &str = "no device was changed, they were only looked at";

/// The gate of one run.
pub(super) struct StartGate {
    locks: Arc<DeviceLocks>,
    then: Then,
    left: Mutex<Option<LeftMeanwhile>>,
}

/// What is done in the journal once the devices are locked.
#[derive(Clone)]
enum Then {
    /// Nothing: they were locked before it was read, or there is none.
    Nothing,
    /// What the devices were told has to be true still.
    Compare(Box<Told>),
    /// A run that another process had begun is at work again.
    BeginAgain { journal: PathBuf, run: RunId },
}

/// What the devices were told when the plan was made, and where to look whether it is still so.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) journal: PathBuf,
    /// Whether the run is kept in it; else it may be read as far as it can be.
    pub(super) is_kept: bool,
    pub(super) run: RunId,
    pub(super) firmware: Option<ImageFacts>,
    pub(super) devices: Vec<DeviceSpec>,
    pub(super) earlier: EarlierRuns,
}

/// Why a plan is not what it was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LeftMeanwhile {
    /// Another run has left an install in doubt, or an image refused.
    #[error("{device}: run {run} was at work on it meanwhile")]
    Run {
        /// The device.
        device: DeviceId,
        /// The run.
        run: RunId,
    },
    /// It cannot be looked up.
    #[error("the journal cannot be used: {why}")]
    Unreadable {
        /// Why not.
        why: String,
        /// What to do about it.
        hint: String,
    },
}

impl StartGate {
    /// A gate that opens once these are held.
    pub(super) fn new(locks: &Arc<DeviceLocks>, told: Option<Told>) -> Arc<Self> {
        Arc::new(Self {
            locks: Arc::clone(locks),
            then: told.map_or(Then::Nothing, |told| Then::Compare(Box::new(told))),
            left: Mutex::default(),
        })
    }

    /// The gate of a run that another process had begun, and that is in the journal at this path: once it opens, what the run
    /// says of a device is newer than what others have said.
    pub(super) fn begins_again(
        locks: &Arc<DeviceLocks>,
        journal: PathBuf,
        run: RunId,
    ) -> Arc<Self> {
        Arc::new(Self {
            locks: Arc::clone(locks),
            then: Then::BeginAgain { journal, run },
            left: Mutex::default(),
        })
    }

    /// Opens it; or says in a line why not. It may be tried again.
    pub(super) async fn open(self: &Arc<Self>) -> Result<(), String> {
        let taken = self.locks.take().await;
        taken.map_err(|refused| refused.line())?;
        let then = self.then.clone();
        let looked = tokio::task::spawn_blocking(move || match then {
            Then::Nothing => Ok(()),
            Then::Compare(told) => told.is_still_true(),
            Then::BeginAgain { journal, run } => begin_again(&journal, &run),
        });
        let looked = looked.await;
        let looked = looked.unwrap_or_else(|died| {
            Err(LeftMeanwhile::Unreadable {
                why: died.to_string(),
                hint: "this is a bug; please report it".to_owned(),
            })
        });
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = looked.clone().err();
        looked.map_err(|left| match left {
            LeftMeanwhile::Run { .. } => format!("{left}: leave, start anew"),
            LeftMeanwhile::Unreadable { .. } => left.to_string(),
        })
    }

    /// Why it did not open the last time that it was tried.
    pub(super) fn refused(&self) -> Option<CliError> {
        let locked = self.locks.refused().map(|refused| CliError::Locks {
            refused,
            sent: SENT,
        });
        let left = || {
            self.left
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        };
        locked.or_else(|| left().map(|left| CliError::LeftMeanwhile { left, sent: SENT }))
    }
}

impl LeftMeanwhile {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Run { .. } => "start anew: the plan then shows what became of it".to_owned(),
            Self::Unreadable { hint, .. } => hint.clone(),
        }
    }
}

fn unreadable(error: &JournalError) -> LeftMeanwhile {
    LeftMeanwhile::Unreadable {
        why: chain(error),
        hint: error.hint(),
    }
}

fn begin_again(journal: &Path, run: &RunId) -> Result<(), LeftMeanwhile> {
    let journal = Journal::open(journal).map_err(|error| unreadable(&error))?;
    journal
        .at_work_again(run)
        .map_err(|error| unreadable(&error))
}

impl Told {
    fn is_still_true(&self) -> Result<(), LeftMeanwhile> {
        let Some(journal) =
            Journal::open_existing(&self.journal).map_err(|error| unreadable(&error))?
        else {
            return Ok(());
        };
        let (firmware, run) = (self.firmware.as_ref(), &self.run);
        let now = if self.is_kept {
            EarlierRuns::of(&journal, &self.devices, firmware, run)
        } else {
            EarlierRuns::readable(&journal, firmware, run)
        };
        let now = now.map_err(|error| unreadable(&error))?;
        match now.news(&self.earlier, &self.devices) {
            Some((device, run)) => Err(LeftMeanwhile::Run { device, run }),
            None => Ok(()),
        }
    }
}
