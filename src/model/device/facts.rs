//! What a device says of itself (protocol page, sections 4 and 5), already escaped, and how far its clock and its logins
//! can be relied on. The JSON is parsed in `hem::json`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use crate::model::image::firmware::{Fwk, Fws, version_label};

/// `GET /api/system/version`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceVersion {
    /// Hardware, such as `PPA rev 2.2`.
    pub hwv: String,
    /// Firmware, such as `Encedo nGINE FW v1.2.2`.
    pub fwv: String,
    /// The key that signs this device's firmware, where it was readable.
    pub fwk: Option<Fwk>,
    /// The signature of the running image, where it was readable.
    pub fws: Option<Fws>,
    /// The hash of the management app that is served, as the device writes it (section 8; PPA only).
    pub uis: Option<String>,
    /// The serial number of its SD card, where it reports one.
    pub sd_cid: Option<String>,
}

/// What stays the same of one device whatever it runs: behind a tunnel another one may answer.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DeviceMark {
    /// See [`DeviceVersion::hwv`].
    pub hwv: String,
    /// See [`DeviceVersion::sd_cid`].
    pub sd_cid: Option<String>,
}

impl DeviceMark {
    /// By what `now` is known to be another device; nothing where it may be the same one.
    pub fn differs(&self, now: &DeviceVersion) -> Option<String> {
        if self.hwv != now.hwv {
            return Some(format!("its hwv is {}, and was {}", now.hwv, self.hwv));
        }
        // Where it is left out nothing can be told from it.
        match (&self.sd_cid, &now.sd_cid) {
            (Some(before), Some(now)) if before != now => {
                Some(format!("its sd_cid is {now}, and was {before}"))
            }
            _ => None,
        }
    }
}

impl DeviceVersion {
    /// Whether this is a rack appliance, which has no upgrade endpoints (section 1).
    pub fn is_epa(&self) -> bool {
        self.hwv.contains("EPA")
    }

    /// What stays the same of this device.
    pub fn mark(&self) -> DeviceMark {
        DeviceMark {
            hwv: self.hwv.clone(),
            sd_cid: self.sd_cid.clone(),
        }
    }

    /// The version for people: `1.2.2`.
    pub fn label(&self) -> String {
        version_label(&self.fwv)
    }
}

/// `GET /api/system/status`, as far as an upgrade needs it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// Time since boot, in whole seconds of the device's own clock.
    pub uptime: Duration,
    /// The device's clock in unix seconds; absent while the clock is not set.
    pub clock: Option<i64>,
    /// Whether the device is personalised; a fresh one needs no login to be upgraded (section 1).
    pub initialised: bool,
    /// Latched faults.
    pub fls_state: FlsState,
    /// Whether the trusted-time option is on (`tts` is not `false`): without it a login needs no clock
    /// (section 5).
    pub trusted_time: bool,
    /// True only right after a boot that followed a firmware upgrade.
    pub fw_upgrade: bool,
}

/// `fls_state`: latched faults as bits (section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FlsState(pub u32);

impl FlsState {
    /// Whether no fault is latched.
    pub fn is_healthy(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for FlsState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u32, &str); 8] = [
            (0x01, "known-answer test"),
            (0x02, "entropy"),
            (0x04, "temperature out of range"),
            (0x08, "data integrity"),
            (0x10, "out of memory"),
            (0x20, "stack overflow"),
            (0x40, "locked after check-in"),
            (0x80, "shut down after check-in"),
        ];
        if self.is_healthy() {
            return f.write_str("healthy");
        }
        write!(f, "0x{:02x}", self.0)?;
        let mut sep = ": ";
        for (bit, name) in NAMES {
            if self.0 & bit != 0 {
                write!(f, "{sep}{name}")?;
                sep = ", ";
            }
        }
        Ok(())
    }
}

/// How a check-in ended (section 5).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckinReport {
    /// The action the backend ordered, where the status was not `OK`: shown, never hidden.
    pub action: Option<String>,
    /// `newcrt` as the device says it: `OK` or `ERROR`.
    pub newcrt: Option<String>,
    /// A newer firmware that the backend offers, by its `fws` (section 12).
    pub newfws: Option<String>,
    /// A newer management app that the backend offers, by its `uis`.
    pub newuis: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named() {
        assert_eq!(FlsState(0).to_string(), "healthy");
        assert_eq!(FlsState(0x0a).to_string(), "0x0a: entropy, data integrity");
        assert_eq!(FlsState(0x100).to_string(), "0x100");
    }
}
