//! What a run is made from. Together with its messages, in their order, it is all that it takes to know the run's state
//! again: `Fleet::of(facts)`, then `Fleet::update` with each of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fleet::device_state::DeviceSeed;
use super::fleet::reducer::Mode;
use super::usual_times::UsualTimes;
use crate::model::{DeviceId, MaxFailures, PayloadFacts, RunId, Timeouts};

/// What a run is made from, before anything has happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunFacts {
    /// The run.
    pub run: RunId,
    /// What is rolled out; nothing where only logs are read.
    pub payload: PayloadFacts,
    /// How far the run goes by itself.
    pub mode: Mode,
    /// How many devices are worked on at once; at least 1.
    pub concurrency: usize,
    /// Its devices, in the order of the inventory.
    pub devices: Vec<DeviceSeed>,
    /// At how much harm it is halted.
    pub max_failures: MaxFailures,
    /// How long a device may check an image.
    pub check_limit: Duration,
    /// Devices that were chosen and are not among these, since they could not be asked what the backend offers them.
    pub not_asked: Vec<DeviceId>,
    /// What stages took in earlier runs.
    #[serde(default, skip_serializing_if = "UsualTimes::is_empty")]
    pub usual: UsualTimes,
}

impl RunFacts {
    /// A run over `devices`, with the default limits.
    pub fn new(
        run: RunId,
        payload: PayloadFacts,
        mode: Mode,
        concurrency: usize,
        devices: impl IntoIterator<Item = DeviceSeed>,
    ) -> Self {
        Self {
            run,
            payload,
            mode,
            concurrency: concurrency.max(1),
            devices: devices.into_iter().collect(),
            max_failures: MaxFailures::default(),
            check_limit: Timeouts::default().check,
            not_asked: Vec::new(),
            usual: UsualTimes::default(),
        }
    }
}
