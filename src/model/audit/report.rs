//! The verdict of an audit log together with what it rests on: the file, the link, and how the attempt ended. The
//! verdict itself is in `verdict`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

use crate::model::{
    AuditLog, AuditObstacle, AuditVerdict, Contradiction, LinkTrust, LogId, OutcomeKind,
};

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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    use crate::model::{AuditResult, LogFault};

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
