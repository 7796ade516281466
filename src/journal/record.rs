//! A run as the journal has it: what it was made from, who ran it on what, and the messages that its reducer took in.

use serde::{Deserialize, Serialize};

use crate::engine::{Fleet, Message, RunFacts};
use crate::model::{DeviceId, Policy, Reach};

/// A run before anything has happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// What its fleet is made from.
    pub facts: RunFacts,
    /// What else there is to know of it.
    pub context: RunContext,
}

/// Who ran it, with what, on which devices. No secret, and no source of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunContext {
    /// The user.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process that began it.
    pub pid: u32,
    /// The version of hemfleet.
    pub version: String,
    /// The inventory, as an absolute path.
    pub inventory: String,
    /// The files that are rolled out, as absolute paths.
    pub firmware: Option<String>,
    /// The management app, likewise.
    pub app: Option<String>,
    /// The devices, in the order of [`RunFacts::devices`].
    pub devices: Vec<DeviceContext>,
    /// Time limits, pace and rules.
    pub policy: Policy,
}

/// How a device was reached and trusted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceContext {
    /// Its name.
    pub id: DeviceId,
    /// The one spelling of the way to it, by which devices of several inventories are told apart.
    pub reach: Reach,
    /// Its URL.
    pub url: String,
    /// What makes its certificate trusted, in words; a pin is spelled out.
    pub trust: String,
    /// How it is logged in to, in a word.
    pub auth: String,
}

/// A run with its messages.
#[derive(Clone, Debug)]
pub struct JournalledRun {
    /// What it was made from.
    pub record: RunRecord,
    /// What its reducer took in, in order.
    pub messages: Vec<Message>,
}

impl JournalledRun {
    /// The run's state: the same reducer over the same messages.
    pub fn fold(&self) -> Fleet {
        let mut fleet = Fleet::of(self.record.facts.clone());
        for message in &self.messages {
            // Whoever ran it has carried the commands out.
            let _ = fleet.update(message);
        }
        fleet
    }
}
