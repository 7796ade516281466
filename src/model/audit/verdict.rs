//! What the audit log says of an upgrade, and what that is worth (protocol page, section 9).
//!
//! Must not: come to a verdict (that is `hem`), or claim more than section 9 allows: a line is as
//! trustworthy as the link over which it was read, so no text here says that a log is a proof.

use std::fmt;
use std::sync::Arc;

use crate::model::{AuditLog, AuditResult, LinkTrust, LogFault, LogId, OutcomeKind};

/// What contradicts a successful upgrade.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
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
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
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

/// What the audit log says of one upgrade (section 9). Its worth rests on the [`LinkTrust`].
#[derive(Clone, PartialEq, Eq, Debug)]
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

/// What an audit log is called beside the end of its device's attempt, as far as people read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditWord {
    /// [`AuditVerdict::Confirmed`], and it was seen that the device runs what was installed.
    Confirmed,
    /// The same entry where that was not seen: it says that the device accepted the install, and no more.
    Accepted,
    /// [`AuditVerdict::Refused`].
    Refused,
    /// [`AuditVerdict::Contradicted`].
    Contradicted,
    /// [`AuditVerdict::Missing`].
    Missing,
    /// [`AuditVerdict::Unavailable`].
    Unavailable,
}

impl AuditWord {
    /// The word, short enough for a column and a count.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Contradicted => "contradicted",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
        }
    }

    /// The same where there is room.
    pub fn words(self) -> &'static str {
        match self {
            Self::Accepted => "says install accepted",
            Self::Refused => "says refused, too",
            _ => self.short(),
        }
    }
}

/// What was read of a device's log, and what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditReport {
    /// What it says.
    pub verdict: AuditVerdict,
    /// What the attempt had come to when the log was read, or had ended as.
    pub judged: OutcomeKind,
    /// The link that it was read over.
    pub link: LinkTrust,
    /// The file that decided, or the newest one read.
    pub file: Option<LogId>,
    /// What that file holds, as far as it verifies.
    pub log: Option<Arc<AuditLog>>,
}

impl AuditReport {
    /// What it is called beside the device's end.
    pub fn word(&self) -> AuditWord {
        match &self.verdict {
            AuditVerdict::Confirmed { .. } if self.judged.is_good() => AuditWord::Confirmed,
            AuditVerdict::Confirmed { .. } => AuditWord::Accepted,
            AuditVerdict::Refused { .. } => AuditWord::Refused,
            AuditVerdict::Contradicted { .. } => AuditWord::Contradicted,
            AuditVerdict::Missing { .. } => AuditWord::Missing,
            AuditVerdict::Unavailable(_) => AuditWord::Unavailable,
        }
    }

    /// The link in words, where a file was read over it at all: a file that does not verify was read over
    /// it, not verified.
    pub fn over(&self) -> Option<&'static str> {
        let verifies = !matches!(
            self.verdict,
            AuditVerdict::Contradicted {
                why: Contradiction::NotVerified(_),
                ..
            }
        );
        match (&self.verdict, verifies) {
            (AuditVerdict::Unavailable(_), _) => None,
            (_, true) => Some(self.link.words()),
            (_, false) => Some(match self.link {
                LinkTrust::Pinned => "read over a pinned link",
                LinkTrust::System => "read over a system-trusted link",
                LinkTrust::Ca => "read over a link trusted by your CA",
                weak @ (LinkTrust::Insecure | LinkTrust::Http) => weak.words(),
            }),
        }
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit {}", self.word().words())?;
        if let Some(file) = &self.file {
            write!(f, ", file {file}")?;
        }
        write!(f, ": {}", self.verdict)?;
        match self.over() {
            Some(over) => write!(f, "; {over}"),
            None => Ok(()),
        }
    }
}

/// One log file of a device, as `hemfleet audit` reads it.
#[derive(Clone, Debug)]
pub struct LogRead {
    /// Its name.
    pub id: LogId,
    /// What it holds, or why it could not be read: the running session's file is busy.
    pub log: Result<Arc<AuditLog>, AuditObstacle>,
    /// Whether it was kept, where it was to be; else why not.
    pub kept: Option<Result<(), String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_verify_is_never_called_verified() {
        let report = |why| AuditReport {
            verdict: AuditVerdict::Contradicted {
                line: 7,
                counter: None,
                why,
            },
            judged: OutcomeKind::Upgraded,
            link: LinkTrust::Ca,
            file: LogId::new("62310ba5"),
            log: None,
        };
        let over = |why| report(why).over().unwrap();
        let logged = Contradiction::Logged(AuditResult::Error);
        assert_eq!(over(logged), "verified over a link trusted by your CA");
        let spoiled = Contradiction::NotVerified(LogFault::BadMac);
        assert_eq!(over(spoiled), "read over a link trusted by your CA");
        assert!(!report(spoiled).to_string().contains("verified over"));
    }

    #[test]
    fn what_the_device_accepted_is_no_good_news_where_it_does_not_run_it() {
        let said = |judged| {
            let report = AuditReport {
                verdict: AuditVerdict::Confirmed {
                    line: 8,
                    counter: 6,
                    cut_line: None,
                },
                judged,
                link: LinkTrust::Ca,
                file: None,
                log: None,
            };
            report.to_string()
        };
        for good in [OutcomeKind::Upgraded, OutcomeKind::Current] {
            assert!(said(good).starts_with("audit confirmed: line 8"));
        }
        for other in [
            OutcomeKind::RolledBack,
            OutcomeKind::Unproven,
            OutcomeKind::Failed,
        ] {
            let said = said(other);
            assert!(
                said.starts_with("audit says install accepted: line 8")
                    && !said.contains("confirmed"),
                "{said}"
            );
        }
    }

    #[test]
    fn verdicts_are_told_in_words() {
        let contradicted = |why| AuditVerdict::Contradicted {
            line: 7,
            counter: Some(6),
            why,
        };
        let gap = LogFault::Gap {
            expected: 0xa,
            found: 0xc,
        };
        for (verdict, word, text) in [
            (
                AuditVerdict::Confirmed {
                    line: 8,
                    counter: 6,
                    cut_line: None,
                },
                "confirmed",
                "line 8: upgrade, OK",
            ),
            (
                contradicted(Contradiction::Logged(AuditResult::Error)),
                "contradicted",
                "line 7: the device logged the upgrade with ERROR",
            ),
            (
                contradicted(Contradiction::NotVerified(gap)),
                "contradicted",
                "line 7: the log does not verify: counter c stands where a should",
            ),
            (
                AuditVerdict::Missing {
                    token_line: Some(4),
                    other_line: Some(9),
                },
                "missing",
                "no upgrade entry behind the token of line 4; line 9 is no readable entry",
            ),
            (
                AuditVerdict::Missing {
                    token_line: None,
                    other_line: None,
                },
                "missing",
                "no token of this run in the log",
            ),
            (
                AuditVerdict::Unavailable(AuditObstacle::CutShort { line: 3 }),
                "unavailable",
                "the log file is cut short in line 3",
            ),
        ] {
            assert_eq!(
                (verdict.as_str(), verdict.to_string().as_str()),
                (word, text)
            );
        }
    }
}
