//! What the audit log says of one upgrade (protocol page, section 9). The search that comes to this verdict is in
//! `hem::audit`; how it is reported is in `report`.
//!
//! Must not: claim more than section 9 allows. A line is as trustworthy as the link over which it was read, so no
//! text here says that a log is a proof.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::model::{AuditResult, LogFault};

/// What contradicts a successful upgrade.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// The device logged another result than OK for the upgrade.
    #[error("the device logged the upgrade with {0}")]
    Logged(AuditResult),
    /// The device logged that a token had the wrong scope or role (403).
    #[error("the device logged a failed scope check")]
    ScopeCheck,
    /// The log file does not verify.
    #[error("the log does not verify: {0}")]
    NotVerified(LogFault),
}

/// Why there is no verdict of the log.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditObstacle {
    /// A rack appliance lists no logs (section 1).
    #[error("EPA: no log over this API")]
    Epa,
    /// The clock is not set, and no broker can be reached to set it.
    #[error("the clock is not set, and the broker cannot be reached")]
    NoBroker,
    /// The clock is not set, even after a check-in.
    #[error("the clock is not set")]
    ClockNotSet,
    /// Another device answers there than the one that was upgraded.
    #[error("another device answers there now: {what}")]
    OtherDevice {
        /// What is different.
        what: String,
    },
    /// Nothing to log in with after the reboot: a fresh device, or a token obtained elsewhere.
    #[error("nothing to log in with after the reboot")]
    NoLogin,
    /// The login for the log was refused.
    #[error("the login for the log was refused (401)")]
    LoginRefused,
    /// The log was refused: the token is not for it.
    #[error("no permission to read the log")]
    NoPermission,
    /// The log key is not the device's by its own signature.
    #[error("the device could not show that the log key is its own")]
    KeyNotProven,
    /// Every file that was asked for is in use.
    #[error("the log file is in use")]
    Busy,
    /// 404 for the log as a whole, as rack appliances answer (section 1).
    #[error("no log over this API")]
    NoLog,
    /// No closed file is listed.
    #[error("no closed log file")]
    NoFile,
    /// 404 for a file that was listed.
    #[error("the log file is gone")]
    Gone,
    /// The device lists more of a log, or has a larger file, than is read.
    #[error("more of an audit log than is read: {what}")]
    TooLarge {
        /// What is too large, and the limit.
        what: String,
    },
    /// The file was cut short before the upgrade's entry.
    #[error("the log file is cut short in line {line}")]
    CutShort {
        /// The line that is not whole.
        line: usize,
    },
    /// Another token for an upgrade was issued when this run's was: the entry may be either's.
    #[error(
        "another token for an upgrade was issued at the same moment: which entry is this run's cannot be told"
    )]
    Ambiguous,
    /// The owner did not approve on the phone.
    #[error("no approval on the phone: {what}")]
    NoApproval {
        /// What happened instead.
        what: String,
    },
    /// A person stopped it before the log was read.
    #[error("stopped before the log was read")]
    Stopped,
    /// At the check-in before the log was read, the backend ordered an action (section 5).
    #[error("the backend orders this device to: {action}")]
    BackendAction {
        /// What was ordered, made printable.
        action: String,
    },
    /// The device could not be reached.
    #[error("{what}")]
    Link {
        /// What happened, made printable.
        what: String,
    },
    /// The device did not answer in time, or not as the page has it.
    #[error("{what}")]
    Unreadable {
        /// What happened, made printable.
        what: String,
    },
}

impl AuditObstacle {
    /// The spelling of JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Epa => "epa",
            Self::NoBroker => "no_broker",
            Self::ClockNotSet => "clock_not_set",
            Self::NoLogin => "no_login",
            Self::LoginRefused => "login_refused",
            Self::NoPermission => "no_permission",
            Self::KeyNotProven => "key_not_proven",
            Self::Busy => "busy",
            Self::NoLog => "no_log",
            Self::NoFile => "no_file",
            Self::Gone => "gone",
            Self::TooLarge { .. } => "too_large",
            Self::CutShort { .. } => "cut_short",
            Self::Ambiguous => "ambiguous",
            Self::OtherDevice { .. } => "other_device",
            Self::NoApproval { .. } => "no_approval",
            Self::Stopped => "stopped",
            Self::BackendAction { .. } => "backend_action",
            Self::Link { .. } => "link",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

/// What the audit log says of one upgrade (section 9). Its worth rests on the
/// [`LinkTrust`](crate::model::LinkTrust).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditVerdict {
    /// The file verifies and holds this upgrade's entry, with OK.
    Confirmed {
        /// The entry's line.
        line: usize,
        /// The entry's counter.
        counter: u64,
        /// Where the file is cut short behind it, if it is: what may have stood there is not known.
        cut_line: Option<usize>,
    },
    /// The entry says otherwise, or the file does not verify.
    Contradicted {
        /// The line that says so, or that does not verify.
        line: usize,
        /// Its counter, where it could be read.
        counter: Option<u64>,
        /// What it says, or what is wrong with it.
        why: Contradiction,
    },
    /// The device refused, and its entry says so as well: it agrees with how the attempt ended.
    Refused {
        /// The entry's line.
        line: usize,
        /// Its counter, where it could be read.
        counter: Option<u64>,
        /// What it says.
        what: Contradiction,
    },
    /// The file verifies, and holds no such entry.
    Missing {
        /// The line of this run's token, behind which the entry should stand; `None` where not even the
        /// token is in the file, which then is of another session.
        token_line: Option<usize>,
        /// The first line behind the token that is no entry: it may be the one that was looked for.
        other_line: Option<usize>,
    },
    /// The log could not be judged.
    Unavailable(AuditObstacle),
}

impl AuditVerdict {
    /// The spelling of JSON, of the filter and of the dashboard's counts.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Confirmed { .. } => "confirmed",
            Self::Contradicted { .. } => "contradicted",
            Self::Refused { .. } => "refused",
            Self::Missing { .. } => "missing",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// A stable word for scripts (JSON `code`): the verdict, or what exactly stands behind it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Contradicted {
                why: Contradiction::NotVerified(fault),
                ..
            } => fault.as_str(),
            Self::Contradicted { .. } => "logged_error",
            Self::Unavailable(why) => why.as_str(),
            Self::Confirmed { .. } | Self::Refused { .. } | Self::Missing { .. } => self.as_str(),
        }
    }

    /// The counter of the entry in question.
    pub fn counter(&self) -> Option<u64> {
        match *self {
            Self::Confirmed { counter, .. } => Some(counter),
            Self::Contradicted { counter, .. } | Self::Refused { counter, .. } => counter,
            Self::Missing { .. } | Self::Unavailable(_) => None,
        }
    }

    /// The line in question, to be marked on screen.
    pub fn line(&self) -> Option<usize> {
        match *self {
            Self::Confirmed { line, .. }
            | Self::Contradicted { line, .. }
            | Self::Refused { line, .. } => Some(line),
            Self::Missing { .. } | Self::Unavailable(_) => None,
        }
    }
}

impl fmt::Display for AuditVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed { line, cut_line, .. } => {
                write!(f, "line {line}: upgrade, OK")?;
                match cut_line {
                    Some(cut) => write!(f, "; the file is cut short behind it, in line {cut}"),
                    None => Ok(()),
                }
            }
            Self::Contradicted { line, why, .. } => write!(f, "line {line}: {why}"),
            Self::Refused { line, what, .. } => {
                write!(f, "line {line}: {what}, as it had answered")
            }
            Self::Missing {
                token_line,
                other_line,
            } => {
                match token_line {
                    Some(line) => write!(f, "no upgrade entry behind the token of line {line}")?,
                    None => f.write_str("no token of this run in the log")?,
                }
                match other_line {
                    Some(line) => write!(f, "; line {line} is no readable entry"),
                    None => Ok(()),
                }
            }
            Self::Unavailable(why) => why.fmt(f),
        }
    }
}
