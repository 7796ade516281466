//! What stands between a plan and its start: the devices are locked, and no other run has left anything behind on them since
//! the plan was made.

use std::path::PathBuf;
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
    /// Absent where the locks were held before the journal was read, and where there is none.
    told: Option<Told>,
    left: Mutex<Option<LeftMeanwhile>>,
}

/// What the devices were told when the plan was made, and where to look whether it is still so.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) journal: PathBuf,
    pub(super) run: RunId,
    pub(super) firmware: Option<ImageFacts>,
    pub(super) devices: Vec<DeviceSpec>,
    pub(super) earlier: EarlierRuns,
}

/// Why a plan is not what it was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LeftMeanwhile {
    /// Another run was at work on a device.
    #[error(
        "{device}: run {run} has left an install in doubt, or an image refused, since this plan was made"
    )]
    Run {
        /// The device.
        device: DeviceId,
        /// The run.
        run: RunId,
    },
    /// It cannot be looked up.
    #[error("what other runs have left meanwhile cannot be read: {0}")]
    Unreadable(String),
}

impl StartGate {
    /// A gate that opens once these are held.
    pub(super) fn new(locks: &Arc<DeviceLocks>, told: Option<Told>) -> Arc<Self> {
        Arc::new(Self {
            locks: Arc::clone(locks),
            told,
            left: Mutex::default(),
        })
    }

    /// Opens it; or says in a line why not. It may be tried again.
    pub(super) async fn open(self: &Arc<Self>) -> Result<(), String> {
        let taken = self.locks.take().await;
        taken.map_err(|refused| refused.line())?;
        let Some(told) = self.told.clone() else {
            return Ok(());
        };
        let looked = tokio::task::spawn_blocking(move || told.is_still_true()).await;
        let looked = looked.unwrap_or_else(|died| Err(LeftMeanwhile::Unreadable(died.to_string())));
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = looked.clone().err();
        looked.map_err(|left| format!("{left}; leave, and start anew"))
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

impl Told {
    fn is_still_true(&self) -> Result<(), LeftMeanwhile> {
        let unreadable = |error: JournalError| LeftMeanwhile::Unreadable(chain(&error));
        let Some(journal) = Journal::open_existing(&self.journal).map_err(unreadable)? else {
            return Ok(());
        };
        let now = EarlierRuns::of(&journal, &self.devices, self.firmware.as_ref(), &self.run);
        match now.map_err(unreadable)?.news(&self.earlier, &self.devices) {
            Some((device, run)) => Err(LeftMeanwhile::Run { device, run }),
            None => Ok(()),
        }
    }
}
