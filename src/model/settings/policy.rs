//! Time limits, pace and retries (inventory tables `[timeouts]`, `[pace]`, `[retry]`), with their defaults.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long each thing may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Opening the connection: TCP, proxy and TLS together.
    pub connect: Duration,
    /// One request and its answer, once connected; for an upload, the wait for the answer after
    /// the last byte.
    pub request: Duration,
    /// A whole upload. The vendor's client allows 20 minutes (section 7).
    pub upload: Duration,
    /// How long an upload may stand still before it is given up.
    pub upload_stall: Duration,
    /// The device's whole validation of the image, all polls together.
    pub check: Duration,
    /// From the install to the device being back; after that it is lost.
    pub reboot: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            upload: Duration::from_secs(20 * 60),
            upload_stall: Duration::from_secs(60),
            check: Duration::from_secs(10 * 60),
            reboot: Duration::from_secs(3 * 60),
        }
    }
}

/// How fast a device is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Between the answer to one request and the next request to the same device (section 2).
    pub gap: Duration,
    /// Between two polls of the validation; the vendor polls every 4 s (section 7).
    pub check_poll: Duration,
    /// Between two looks at a rebooting device; the vendor's client waits 3 to 4 s (section 7).
    pub reboot_poll: Duration,
    /// How long a device that is back must stay up before its version counts: it may come up and
    /// vanish again (section 7).
    pub reboot_settle: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gap: Duration::from_millis(150),
            check_poll: Duration::from_secs(4),
            reboot_poll: Duration::from_secs(3),
            reboot_settle: Duration::from_secs(5),
        }
    }
}

/// How often a step that may be repeated is tried by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries of one step, the first included.
    pub attempts: u32,
    /// The wait before the second try; it doubles from there, up to a minute, with jitter.
    pub backoff: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Duration::from_secs(2),
        }
    }
}

/// What the audit log's word counts (inventory table `[audit]`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditMode {
    /// An upgraded device whose log does not confirm it has failed.
    Required,
    /// The log is read and told; the outcome stays.
    #[default]
    Wanted,
    /// The log is not read.
    Off,
}

impl AuditMode {
    /// All of them, as the inventory has them.
    pub const ALL: [Self; 3] = [Self::Required, Self::Wanted, Self::Off];

    /// The spelling of the inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Wanted => "wanted",
            Self::Off => "off",
        }
    }
}

/// How the audit log is read after an upgrade (section 9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPolicy {
    /// What its word counts.
    pub mode: AuditMode,
    /// How many of the newest closed files are read at most.
    pub files: usize,
}

impl Default for AuditPolicy {
    fn default() -> Self {
        Self {
            mode: AuditMode::default(),
            files: 3,
        }
    }
}

/// What is done about a certificate that has expired and is otherwise trusted (inventory table `[tls]`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpired {
    /// The device fails.
    #[default]
    Fail,
    /// One check-in over plain HTTP, which may bring a new certificate, then one more try.
    Checkin,
}

impl OnExpired {
    /// All of them, as the inventory has them.
    pub const ALL: [Self; 2] = [Self::Fail, Self::Checkin];

    /// The spelling of the inventory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Checkin => "checkin",
        }
    }
}

/// Approvals on the owner's phone (section 10; inventory table `[approval]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalPolicy {
    /// Requests that are out at a time, over all devices of a run.
    pub at_once: usize,
    /// How long one is waited for before it is withdrawn.
    pub wait: Duration,
    /// Between two questions to the broker; every 2 s by the page.
    pub poll: Duration,
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self {
            at_once: 3,
            wait: Duration::from_secs(5 * 60),
            poll: Duration::from_secs(2),
        }
    }
}

/// Everything that shapes how one device is treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a permission of its own"
)]
pub struct Policy {
    /// Time limits.
    pub timeouts: Timeouts,
    /// Pace.
    pub pace: Pace,
    /// Tries.
    pub retry: Retry,
    /// `--force`: upgrade although the device reports latched faults.
    pub force: bool,
    /// `--require-same-key`: refuse devices whose firmware was signed by another key than the image.
    pub same_key: bool,
    /// `--allow-downgrade`: install an image that is older than what a device runs.
    pub allow_downgrade: bool,
    /// Whether an image is sent again to a device whose bootloader refused it in an earlier run.
    pub resend_refused: bool,
    /// Upgrade the device that answers now where another one is in doubt since an earlier run.
    #[serde(default)]
    pub take_replaced: bool,
    /// The audit log.
    pub audit: AuditPolicy,
    /// Expired certificates.
    pub on_expired: OnExpired,
    /// Approvals on phones.
    pub approval: ApprovalPolicy,
}
