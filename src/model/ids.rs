//! Names of devices and of runs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a device in the inventory; unique in a fleet, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(Arc<str>);

impl DeviceId {
    /// Takes the name as the inventory spells it.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Tells one run of hemfleet from another in logs, JSON and on screen: eight hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

impl RunId {
    /// Makes the identifier from four random bytes.
    pub fn from_random(bytes: [u8; 4]) -> Self {
        Self(Arc::from(format!("{:08x}", u32::from_be_bytes(bytes))))
    }

    /// The run that is named by these eight hex digits; nothing where it is no such name.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_one.then(|| Self(Arc::from(text.to_ascii_lowercase())))
    }

    /// The eight hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
