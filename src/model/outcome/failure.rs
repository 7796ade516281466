//! Why something failed, as typed data. What the operator does next is in `hint`; what is retried is decided in
//! `engine::procedure::retry`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use crate::model::{BrokerFault, Doubt, FlsState, LinkFault, Stage, Unproven, human_duration};

/// What an attempt has changed on the device so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Touched {
    /// Nothing was sent that changes it.
    #[default]
    Nothing,
    /// Bytes of an image were sent; at most a staged image is there, which the device ignores.
    ImageSent,
    /// The device holds the staged image; it was not installed.
    ImageStaged,
    /// The install request was sent.
    InstallSent,
}

impl Touched {
    /// The spelling of JSON: `image_staged`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::ImageSent => "image_sent",
            Self::ImageStaged => "image_staged",
            Self::InstallSent => "install_sent",
        }
    }
}

impl fmt::Display for Touched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "nothing",
            Self::ImageSent => "image partly sent, not installed",
            Self::ImageStaged => "image staged, not installed",
            Self::InstallSent => "install was sent",
        })
    }
}

/// Whose signing key is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownSigner {
    /// The image's: its footer was not recognised.
    Image,
    /// The device's: it reports no `fwk`.
    Device,
}

impl fmt::Display for UnknownSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Image => "the image's signing key is not known",
            Self::Device => "the device reports no fwk",
        })
    }
}

/// Why a stage failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No usable answer from the device.
    #[error(transparent)]
    Link(#[from] LinkFault),
    /// The broker failed.
    #[error(transparent)]
    Broker(#[from] BrokerFault),
    /// The device answered with a status that means failure here (section 3).
    #[error("{status}{}", status_words(*.status))]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The device's answer lacks what is needed.
    #[error("unreadable answer: {what}")]
    BadAnswer {
        /// What is missing or wrong.
        what: String,
    },
    /// Faults are latched; `--force` upgrades all the same.
    #[error("device reports a fault: {0}")]
    FaultLatched(FlsState),
    /// The device is personalised, so it wants a login, and the inventory gives none.
    #[error("device wants a login, the inventory says auth = none")]
    NoCredential,
    /// 401 at the login: the device does not know this secret.
    #[error("401: the device does not accept this secret")]
    WrongSecret,
    /// Three times 401 from this device in this run: no further login is tried.
    #[error("401 three times in this run: no further login is tried")]
    LoginsUsedUp,
    /// 403 at the login although a check-in was made: the clock is still unset.
    #[error("403: the device's clock is still not set")]
    ClockUnset,
    /// The device refused the broker's reply.
    #[error("{status}: the device refused the check-in reply")]
    CheckinRefused {
        /// The HTTP status.
        status: u16,
    },
    /// The device's certificate has expired, and where its plain HTTP is reached is not known.
    #[error("no check-in over http: where that leads behind {target} is not known")]
    NoPlainHttp {
        /// Host and port of its HTTPS.
        target: String,
    },
    /// The link is unencrypted, and the inventory does not allow a token to travel over it.
    #[error("no login over http: its token would travel in clear")]
    PlainLogin,
    /// A secret that is to be typed when the device is reached, and nobody typed it.
    #[error("no secret was given")]
    NoSecret,
    /// The owner said no on the phone (section 10).
    #[error("the owner refused on the phone")]
    ApprovalDenied,
    /// The broker knows the request no more: it expired before the owner answered (section 10).
    #[error("the request expired before anybody answered it")]
    ApprovalExpired,
    /// Nobody answered within the inventory's limit (section 10).
    #[error("nobody answered on the phone within {}{}", human_duration(*.after), open(*.left_open))]
    ApprovalTimeout {
        /// The limit.
        after: Duration,
        /// Whether the request may still stand on the phone, since it could not be withdrawn.
        left_open: bool,
    },
    /// The phone was asked, and the broker could not be asked what its owner said (section 10, step 4).
    #[error("what the phone answered could not be asked: {what}{}", open(*.left_open))]
    ApprovalUnheard {
        /// The last fault.
        what: String,
        /// Whether the request may still stand on the phone, since it could not be withdrawn.
        left_open: bool,
    },
    /// The device does not take the phone's approval (section 10, step 5).
    #[error("{status}: the device does not accept the approval")]
    ApprovalRefused {
        /// The HTTP status.
        status: u16,
    },
    /// `--require-same-key`: the image is signed by another key than the running firmware.
    #[error("the image is signed by another key than the running firmware")]
    OtherSigner,
    /// `--require-same-key`: one of the two keys is not known.
    #[error("same key required, and {0}")]
    UnknownSigner(UnknownSigner),
    /// The image is older than what the device runs; `--allow-downgrade` installs it all the same.
    #[error("older: the device runs {runs}, the image is {image}")]
    Downgrade {
        /// The version that runs, escaped.
        runs: String,
        /// The image's version.
        image: String,
    },
    /// The certificate has expired, and a check-in over HTTP did not change that.
    #[error("certificate still expired {days} days ago ({not_after}) after a check-in{}", certificate(.newcrt.as_deref()))]
    StillExpired {
        /// Whole days since.
        days: i64,
        /// The last valid moment, RFC 3339.
        not_after: String,
        /// What the device said of a new certificate: `OK` or `ERROR`.
        newcrt: Option<String>,
    },
    /// Upgraded, but the audit log does not confirm it, and the inventory requires that it does.
    #[error("upgraded, but the audit log does not confirm it: {what}")]
    NotConfirmed {
        /// The verdict and its reason.
        what: String,
    },
    /// The log key is not the device's by its own signature (section 9).
    #[error("the device could not show that the log key is its own: {what}")]
    KeyNotProven {
        /// What is wrong with it.
        what: String,
    },
    /// `hemfleet audit`: the log could not be read.
    #[error("the audit log could not be read: {what}")]
    LogUnread {
        /// Why not.
        what: String,
    },
    /// The device lists more of a log, or has a larger file, than is read: memory is for the whole fleet.
    #[error("more of an audit log than is read: {what}")]
    LogTooLarge {
        /// What is too large, and the limit.
        what: String,
    },
    /// `hemfleet audit --save`: a log file was read, and could not be kept.
    #[error("the audit log was read, but could not be kept: {what}")]
    LogNotKept {
        /// File and reason.
        what: String,
    },
    /// `hemfleet audit`: a log file does not verify.
    #[error("the audit log does not verify: {what}")]
    LogNotVerified {
        /// File, line and reason.
        what: String,
    },
    /// The device's own check of the image failed.
    #[error("{status}: the device refused the image")]
    ImageRefused {
        /// The HTTP status, 406 by the page.
        status: u16,
    },
    /// The validation did not end in time.
    #[error("validation not finished after {} and {polls} polls", human_duration(*.after))]
    CheckTimeout {
        /// Polls answered so far.
        polls: u32,
        /// The limit.
        after: Duration,
    },
    /// The device refused the install.
    #[error("{status}: the device refused the install")]
    InstallRefused {
        /// The HTTP status.
        status: u16,
    },
    /// Another device answers than the one that was upgraded, or that an earlier run may have sent an install to.
    #[error("another device answers there now: {what}")]
    OtherDevice {
        /// What is different.
        what: String,
    },
    /// Before the install the device turned out not to be as it was when the attempt began.
    #[error("changed while it was being prepared: {what}")]
    ChangedMeanwhile {
        /// What changed.
        what: String,
    },
    /// The connection for the install could not be opened: the request was not sent.
    #[error("install not sent: {0}")]
    InstallNotSent(LinkFault),
    /// Its bootloader refused this very image before.
    #[error("its bootloader refused this very image before: run {run}, {on}")]
    RefusedBefore {
        /// In which run.
        run: String,
        /// When that was found, as a date.
        on: String,
    },
    /// That the install was about to be sent could not be written down first, so it was not.
    #[error("install not sent: the journal could not be written first: {what}")]
    InstallNotRecorded {
        /// What the system said.
        what: String,
    },
    /// After the check-in the backend orders the device to lock, wipe or brick itself (section 5).
    #[error("the backend orders this device to: {action}")]
    BackendAction {
        /// The status as the device passed it on, escaped.
        action: String,
    },
    /// The device did not come back after the install.
    #[error("not back within {}: {last}", human_duration(*.after))]
    NotBack {
        /// The limit.
        after: Duration,
        /// What the last look met.
        last: String,
    },
    /// The device answered all the time after the install, without a reboot.
    #[error("no reboot seen within {}", human_duration(*.after))]
    NoReboot {
        /// The limit.
        after: Duration,
    },
    /// The device provably runs the image, and has latched a fault since.
    #[error("runs the image now, but reports a fault: {0}")]
    FaultAfterwards(FlsState),
    /// The device came back after the install, and rebooted again before it was looked at.
    #[error("rebooted once more")]
    RebootedAgain,
    /// The device rebooted after the install, and runs what it ran before.
    #[error("rebooted and runs what it ran before: its bootloader refused the image")]
    RolledBack,
    /// The device was looked at after the install, and does not provably run what was installed.
    #[error("{0}")]
    Unproven(Unproven),
    /// The device was looked at after the install, and what that did is not known.
    #[error("{0}")]
    InDoubt(Doubt),
    /// A person stopped it.
    #[error("stopped")]
    Stopped,
    /// A bug in hemfleet: the device's task died.
    #[error("hemfleet itself failed: {what}")]
    Panicked {
        /// The panic's message.
        what: String,
    },
}

fn open(left_open: bool) -> &'static str {
    if left_open {
        "; the request could not be withdrawn"
    } else {
        ""
    }
}

fn certificate(newcrt: Option<&str>) -> String {
    newcrt.map_or_else(String::new, |answer| format!("; new certificate: {answer}"))
}

fn status_words(status: u16) -> &'static str {
    match status {
        400 => ": bad arguments",
        401 => ": token missing or not accepted",
        403 => ": not permitted",
        404 => ": no such endpoint, or nothing there",
        406 => ": the operation failed",
        409 => ": the device is in the wrong state",
        411 => ": no length",
        412 => ": origin refused",
        413 => ": too large",
        418 => ": TLS required",
        500..=599 => ": the device failed inside",
        _ => ": unexpected status",
    }
}

impl FailureKind {
    /// The HTTP status that tells of the failure, where one came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status }
            | Self::CheckinRefused { status }
            | Self::ImageRefused { status }
            | Self::ApprovalRefused { status }
            | Self::InstallRefused { status } => Some(*status),
            Self::WrongSecret => Some(401),
            Self::ClockUnset => Some(403),
            _ => None,
        }
    }

    /// A stable word for scripts (JSON `code`).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Link(link) | Self::InstallNotSent(link) => link.code(),
            Self::RefusedBefore { .. } => "refused_before",
            Self::InstallNotRecorded { .. } => "not_journalled",
            Self::Broker(_) => "broker",
            Self::Status { .. } => "status",
            Self::BadAnswer { .. } => "bad_answer",
            Self::FaultLatched(_) => "fault_latched",
            Self::NoCredential => "no_credential",
            Self::WrongSecret => "wrong_secret",
            Self::LoginsUsedUp => "logins_used_up",
            Self::ClockUnset => "clock_unset",
            Self::CheckinRefused { .. } => "checkin_refused",
            Self::NoPlainHttp { .. } => "no_plain_http",
            Self::PlainLogin => "plain_login",
            Self::NoSecret => "no_secret",
            Self::ApprovalDenied => "approval_denied",
            Self::ApprovalExpired => "approval_expired",
            Self::ApprovalTimeout { .. } => "approval_timeout",
            Self::ApprovalUnheard { .. } => "approval_unheard",
            Self::ApprovalRefused { .. } => "approval_refused",
            Self::OtherSigner => "other_signer",
            Self::UnknownSigner(_) => "unknown_signer",
            Self::Downgrade { .. } => "downgrade",
            Self::StillExpired { .. } => "tls_still_expired",
            Self::NotConfirmed { .. } => "not_confirmed",
            Self::KeyNotProven { .. } => "key_not_proven",
            Self::LogUnread { .. } => "log_unread",
            Self::LogTooLarge { .. } => "log_too_large",
            Self::LogNotKept { .. } => "log_not_kept",
            Self::LogNotVerified { .. } => "log_not_verified",
            Self::ImageRefused { .. } => "image_refused",
            Self::CheckTimeout { .. } => "check_timeout",
            Self::InstallRefused { .. } => "install_refused",
            Self::OtherDevice { .. } => "other_device",
            Self::ChangedMeanwhile { .. } => "changed_meanwhile",
            Self::BackendAction { .. } => "backend_action",
            Self::NotBack { .. } => "not_back",
            Self::NoReboot { .. } => "no_reboot",
            Self::FaultAfterwards(_) => "fault_afterwards",
            Self::RebootedAgain => "rebooted_again",
            Self::RolledBack => "rolled_back",
            Self::Unproven(why) => why.code(),
            Self::InDoubt(doubt) => doubt.code(),
            Self::Stopped => "stopped",
            Self::Panicked { .. } => "panicked",
        }
    }
}

/// A failed attempt: where, why, and what it left on the device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The stage in which it failed.
    pub stage: Stage,
    /// Why.
    pub kind: FailureKind,
    /// What the attempt had changed on the device by then.
    pub touched: Touched,
}

impl Failure {
    /// Whether the upgrade itself is proven, and only its log does not confirm it: a retry then reads
    /// the log again and does nothing else.
    pub fn is_about_log(&self) -> bool {
        matches!(self.kind, FailureKind::NotConfirmed { .. })
    }

    /// Whether the device gave no usable answer at last: what it runs by now, nobody has seen.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self.kind, FailureKind::Link(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage, self.kind)
    }
}
