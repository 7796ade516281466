//! Names of devices and of runs.

use std::fmt;
use std::sync::Arc;

/// The name of a device in the inventory; unique in a fleet, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunId(Arc<str>);

impl RunId {
    /// Makes the identifier from four random bytes.
    pub fn from_random(bytes: [u8; 4]) -> Self {
        Self(Arc::from(format!("{:08x}", u32::from_be_bytes(bytes))))
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
