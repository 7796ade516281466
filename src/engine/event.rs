//! Events: facts in the past tense, each with its time, device and attempt. The JSON lines are made from them.
//!
//! Must not: say how a fact is shown.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::fleet::reducer::Mode;
use super::log_source::LogSource;
use crate::hem::audit::UpgradeMark;
use crate::model::{
    AuditReport, Component, Derivation, DeviceId, DeviceMark, DeviceStatus, DeviceVersion,
    FailureKind, Fws, LogRead, MaxFailures, Outcome, PayloadFacts, RunId, Scope, Stage, Verdict,
};

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When, by this machine's wall clock.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

impl Event {
    /// A fact of this very moment; the engine's only look at the wall clock.
    pub fn now(fact: Fact) -> Self {
        Self {
            at: Timestamp::now(),
            fact,
        }
    }

    /// A fact about one device, of this very moment.
    pub fn of_device(device: &DeviceId, attempt: u32, fact: DeviceFact) -> Self {
        Self::now(Fact::Device {
            device: device.clone(),
            attempt,
            fact,
        })
    }
}

/// What happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The run began; nothing has been sent to any device yet.
    RunStarted {
        /// The run.
        run: RunId,
        /// What is rolled out; nothing where only logs are read.
        payload: Box<PayloadFacts>,
        /// Number of devices selected.
        devices: usize,
    },
    /// Something about one device.
    Device {
        /// The device.
        device: DeviceId,
        /// The attempt; 1 is the first, each retry by a person adds one.
        attempt: u32,
        /// What.
        fact: DeviceFact,
    },
    /// Installs did too much harm: nothing new starts, and no further install is sent, until a person gives
    /// another budget.
    RunHalted(Box<RunHalt>),
    /// A person gave another budget, and the run goes on.
    RunResumed {
        /// The harm that is counted.
        harm: usize,
        /// The budget.
        max_failures: MaxFailures,
    },
    /// Another process goes on with the run. Whatever was under way is over: its tasks died with the process before.
    RunReopened(Box<Reopened>),
    /// The run is over; the counts are in the fleet's state.
    RunFinished {
        /// Whether a person stopped it before its end.
        interrupted: bool,
    },
}

/// What is announced when the budget is spent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunHalt {
    /// The harm that was counted.
    pub harm: usize,
    /// At how much the run is halted.
    pub allowed: usize,
    /// The budget as it was given.
    pub max_failures: MaxFailures,
    /// The devices that were counted.
    pub devices: Vec<DeviceId>,
}

/// What happened to one device.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceFact {
    /// A stage began, or began again after [`DeviceFact::RetryScheduled`].
    StageStarted {
        /// The stage.
        stage: Stage,
        /// The number of the try of this stage in this attempt; 1 is the first.
        try_no: u32,
    },
    /// A running stage has news. May be dropped under load.
    StageProgress {
        /// The stage.
        stage: Stage,
        /// The news.
        progress: Progress,
    },
    /// A try of a stage ended.
    StageFinished {
        /// The stage.
        stage: Stage,
        /// The number of the try.
        try_no: u32,
        /// How long it took.
        took: Duration,
        /// The last HTTP status, where one came.
        status: Option<u16>,
        /// What there is to say of it, in one line.
        note: String,
        /// Why it failed, if it did.
        failure: Option<FailureKind>,
    },
    /// The stage will be tried again by itself.
    RetryScheduled {
        /// The stage.
        stage: Stage,
        /// The next try's number.
        next_try: u32,
        /// Tries allowed.
        of: u32,
        /// The wait until then.
        wait: Duration,
        /// Why the last try failed.
        after: FailureKind,
    },
    /// The device was looked at, and this is what would be, or will be, done.
    Planned {
        /// What it said of itself, where it answered.
        seen: Option<Box<Seen>>,
        /// What follows from it.
        verdict: Verdict,
        /// Present where this look has shown that the bootloader refused what an earlier run had sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Box<EarlierRefusal>>,
    },
    /// The device's secret is to be typed now ([`Credentials::Prompt`](crate::model::Credentials::Prompt));
    /// the login waits for it.
    SecretWanted,
    /// The owner's phone was asked, and the login waits for the answer (section 10).
    ApprovalRequested {
        /// What for.
        scope: Scope,
        /// When the request will be withdrawn.
        until: Timestamp,
        /// What the phone shows beside it.
        note: String,
    },
    /// The device accepted a login.
    LoggedIn {
        /// For what.
        scope: Scope,
        /// How the key was derived, where one was.
        derivation: Option<Derivation>,
    },
    /// The device refused a login with 401.
    LoginRefused {
        /// After how many more none is tried any more in this run.
        left: u32,
    },
    /// The image is staged and verified, and the device's task asks for the permit to install it.
    PermitAsked,
    /// An install request will be sent unless a last look finds the device changed. Written down before that look: where
    /// nothing follows this fact in a journal, the request may have been sent.
    InstallAnnounced {
        /// What it takes to judge the device afterwards.
        pending: Box<PendingInstall>,
    },
    /// An install request is about to be sent: from here on the device is watched, never asked again.
    InstallBegun {
        /// What it takes to judge the device afterwards.
        pending: Box<PendingInstall>,
    },
    /// The device was looked at after an install, and said this.
    Returned {
        /// What was installed.
        component: Component,
        /// What it runs now.
        version: Box<DeviceVersion>,
        /// How the attempt ends if nothing more comes of it: the firmware is judged, only its log remains
        /// to be read. Absent where the attempt goes on.
        outcome: Option<Outcome>,
    },
    /// A log file was read, in `hemfleet audit`.
    LogRead {
        /// The file.
        read: Box<LogRead>,
    },
    /// The audit log was read, or could not be, and this is what it says of this attempt.
    Audited {
        /// The verdict, and what it rests on.
        report: Box<AuditReport>,
        /// The file that decided, where it was to be kept; or why it could not be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Result<Box<LogSource>, String>>,
    },
    /// The attempt is over.
    Finished {
        /// How it ended.
        outcome: Outcome,
    },
}

/// News from inside a stage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Upload: bytes handed to the socket.
    Bytes {
        /// So far in this try.
        sent: u64,
        /// Size of the file.
        total: u64,
    },
    /// Check: the validation was polled.
    Polls {
        /// Polls answered so far.
        polls: u32,
        /// The last status.
        status: u16,
    },
    /// Login: waits for its turn to ask a phone.
    Queued,
    /// Audit: what is being done.
    Step {
        /// Such as `reading 62310ba5`.
        what: String,
    },
    /// Reboot: the device was looked at.
    Silent {
        /// What was seen at the last look, such as `connection refused`.
        last: String,
        /// For how long after the install silence is normal.
        normal: Duration,
    },
}

/// What a device says of itself before anything is changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Its version.
    pub version: DeviceVersion,
    /// Its status.
    pub status: DeviceStatus,
}

/// An install that may have been sent and whose end is not known yet: what it takes to judge the device afterwards.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingInstall {
    /// What was installed.
    pub component: Component,
    /// When the install was about to be sent.
    #[serde(with = "super::across_processes")]
    pub since: Instant,
    /// The uptime it reported last before that.
    pub uptime_before: Duration,
    /// Whether `fw_upgrade` was true already before: then it proves nothing afterwards.
    pub fw_upgrade_before: bool,
    /// The firmware it ran.
    pub fws_before: Option<Fws>,
    /// The firmware it runs if the install succeeds, where the image tells.
    pub fws_expected: Option<Fws>,
    /// The hash of the management app that it served.
    pub uis_before: Option<String>,
    /// What stays the same of it: another device may answer afterwards.
    pub device: DeviceMark,
    /// The `eid` with which it gave the token for this install, where it did by a login.
    pub eid: Option<String>,
    /// By what this install is known in the device's log; absent where nothing can tell it from another
    /// run's, or nothing can log in to read it: a fresh device, a token obtained elsewhere.
    pub mark: Option<UpgradeMark>,
}

/// An install of an earlier run, of which no run has seen what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EarlierInstall {
    /// That run.
    pub run: RunId,
    /// The SHA-256 of the firmware that it rolls out, in hex; absent in runs of former versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What it takes to judge the device now.
    pub pending: PendingInstall,
}

/// That a device's bootloader refused an image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EarlierRefusal {
    /// That run.
    pub run: RunId,
    /// When the device was found to run what it ran before.
    pub at: Timestamp,
    /// The SHA-256 of the image, in hex; absent in runs of former versions, which knew of none but their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What stays the same of the device: another one in its place has refused nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceMark>,
}

/// Another process goes on with a run whose own died, or was stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reopened {
    /// Who, in words: user, machine and process.
    pub by: String,
    /// How far the run goes by itself from here on.
    pub mode: Mode,
    /// How many devices are worked on at once.
    pub concurrency: usize,
    /// The budget from here on; absent where it stays.
    pub max_failures: Option<MaxFailures>,
    /// Devices that the inventory no longer has: nothing more is done with them.
    pub gone: Vec<DeviceId>,
    /// What other runs hold in doubt by now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earlier: BTreeMap<DeviceId, EarlierInstall>,
    /// Devices whose bootloader refused the image of this run in another one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<DeviceId, EarlierRefusal>,
}

/// What an earlier attempt left open, which is all that a further one may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resume {
    /// An install may have been sent: watch the device, never install.
    Install(Box<PendingInstall>),
    /// An earlier run may have sent one: watch the device until that is known, and then begin.
    Earlier(Box<EarlierInstall>),
    /// Judged, but not confirmed by the log: read that again, and do nothing else.
    Log {
        /// By what the install is known in the log.
        mark: Option<UpgradeMark>,
        /// What the attempt ends as once the log confirms it: no more than was seen of the device.
        judged: Outcome,
    },
}
