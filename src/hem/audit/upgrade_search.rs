//! Finds the log entry of this run's upgrade, and says what it means ([section 9](crate::hem#9-audit-log), "the entry
//! of an upgrade").
//!
//! It sees only verified entries, each once, as they come; `verifier` verifies them.

use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

use crate::hem::json::SCOPE_UPGRADE;
use crate::model::{
    AuditEntry, AuditLog, AuditObstacle, AuditResult, AuditType, AuditVerdict, Contradiction,
    LogEnd,
};

/// How this run got its token, hence which entry the device wrote for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// Type d, whose extra field is the scope.
    Secret,
    /// Type e: approved on a phone.
    Mobile,
}

/// What identifies this run's upgrade in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeMark {
    /// How the run logged in for the upgrade.
    pub login: Login,
    /// When each of the run's tokens for the upgrade was issued, on the device's clock as its log writes it
    /// (section 6: `challenge.exp − 60` is the device's now). As narrow as it is known: another run's token in
    /// there cannot be told from this run's, and nothing is said of the upgrade then.
    ///
    /// Empty: not known. Then only the last such token entry of the newest file that holds one can be this
    /// run's.
    pub issued: Vec<RangeInclusive<u64>>,
    /// Installs of this run, on that same boot of the device, whose answers are known already and which wrote
    /// an entry of their own: the management app's before the firmware's (section 8), or a refused one. Their
    /// entries are passed over.
    pub earlier: usize,
}

/// What one file says of this upgrade.
///
/// The entry must stand behind a token entry of this run, with no other run's between the two. Where
/// there are several, the last one counts: an install that is accepted ends the session. With another token
/// where one of this run's is to be looked for, an entry behind either may be anybody's.
pub fn find_upgrade(log: &AuditLog, mark: &UpgradeMark) -> AuditVerdict {
    Search::upgrade(mark).through(log).verdict
}

/// What a file says of a refusal: the last entry behind this run's tokens that tells of a failed scope check,
/// or of an upgrade that did not go well (section 9).
///
/// Nothing here confirms an upgrade: the request was refused, and the entry only says why.
pub fn find_refusal(log: &AuditLog, mark: &UpgradeMark) -> AuditVerdict {
    Search::refusal(mark).through(log).verdict
}

/// What several files, the newest first, say of this upgrade: which of them decides, and how.
///
/// The file that holds this run's token is the one of the session that the install ended, and decides
/// whatever the others are like. Where none holds it, the newest file that does not verify might have.
pub fn upgrade_verdict<'a>(
    newest_first: impl IntoIterator<Item = &'a Found>,
    mark: &UpgradeMark,
) -> (Option<usize>, AuditVerdict) {
    let mut spoiled = None;
    for (n, found) in newest_first.into_iter().enumerate() {
        if found.token_line.is_some() && (spoiled.is_none() || !mark.issued.is_empty()) {
            return (Some(n), found.verdict.clone());
        }
        if !found.verifies && spoiled.is_none() {
            spoiled = Some((Some(n), found.verdict.clone()));
        }
    }
    spoiled.unwrap_or((
        None,
        AuditVerdict::Missing {
            token_line: None,
            other_line: None,
        },
    ))
}

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The line of this run's last token in it.
    pub token_line: Option<usize>,
    /// What the file says.
    pub verdict: AuditVerdict,
    /// Whether the file verifies to its end.
    pub verifies: bool,
}

/// Looks for this run's entries while the lines of a file go by; it remembers one of them.
#[derive(Debug, Clone)]
pub struct Search {
    mark: UpgradeMark,
    wanted: Wanted,
    /// The windows of this run's tokens that no token was seen for.
    free: Vec<RangeInclusive<u64>>,
    /// Whether the last token was this run's.
    ours: bool,
    token_line: Option<usize>,
    /// How many entries of the wanted kind stand behind this run's tokens, and the last of them.
    behind: usize,
    last: Option<AuditEntry>,
    /// More tokens than this run's fit the times of this run's.
    ambiguous: bool,
    /// The first line behind this run's last token that is no entry.
    other_line: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Upgrade,
    Refusal,
}

impl Search {
    /// For what the log says of this upgrade, as [`find_upgrade`] has it.
    pub fn upgrade(mark: &UpgradeMark) -> Self {
        Self::new(mark, Wanted::Upgrade)
    }

    /// For what the log says of a refusal, as [`find_refusal`] has it.
    pub fn refusal(mark: &UpgradeMark) -> Self {
        Self::new(mark, Wanted::Refusal)
    }

    fn new(mark: &UpgradeMark, wanted: Wanted) -> Self {
        Self {
            free: mark.issued.clone(),
            mark: mark.clone(),
            wanted,
            ours: false,
            token_line: None,
            behind: 0,
            last: None,
            ambiguous: false,
            other_line: None,
        }
    }

    /// Takes in the next entry; whether it is one of those that decide, so that people should see it.
    pub(super) fn entry(&mut self, entry: &AuditEntry) -> bool {
        if is_upgrade_token(entry) {
            return self.token(entry);
        }
        let wanted = match self.wanted {
            Wanted::Upgrade => entry.kind == AuditType::UPGRADE,
            Wanted::Refusal => {
                entry.kind == AuditType::FAILED_SCOPE_CHECK
                    || (entry.kind == AuditType::UPGRADE && entry.result != AuditResult::Ok)
            }
        };
        let found = self.ours && wanted;
        if found {
            self.behind += 1;
            self.last = Some(entry.clone());
        }
        found
    }

    fn token(&mut self, entry: &AuditEntry) -> bool {
        if self.mark.issued.is_empty() {
            // Only the last token of all can be this run's: whatever was found before it is not.
            (self.token_line, self.other_line) = (None, None);
            (self.behind, self.last) = (0, None);
        }
        self.ours = self.mark.is_of(entry);
        if self.ours {
            self.token_line = Some(entry.line);
            self.other_line = None;
            self.ambiguous |= !self.mark.issued.is_empty() && !takes(&mut self.free, entry);
        }
        self.ours
    }

    /// Takes in the number of a line that is no entry.
    pub(super) fn other(&mut self, line: usize) {
        if self.token_line.is_some() {
            self.other_line.get_or_insert(line);
        }
    }

    /// Ends the file, which verifies up to `end`: what it says of the upgrade.
    pub(super) fn finish(self, end: LogEnd) -> Found {
        let verifies = end == LogEnd::Whole;
        let passed_over = match self.wanted {
            Wanted::Upgrade => self.mark.earlier,
            Wanted::Refusal => 0,
        };
        let entry = self.last.as_ref().filter(|_| self.behind > passed_over);
        let verdict = match entry {
            Some(entry) if verifies && entry.kind == AuditType::FAILED_SCOPE_CHECK => {
                AuditVerdict::Contradicted {
                    line: entry.line,
                    counter: Some(entry.counter),
                    why: Contradiction::ScopeCheck,
                }
            }
            entry => self.verdict(end, entry),
        };
        Found {
            token_line: self.token_line,
            verdict,
            verifies,
        }
    }

    fn verdict(&self, end: LogEnd, upgrade: Option<&AuditEntry>) -> AuditVerdict {
        // A file that does not verify contradicts, wherever the entry stands (section 9).
        if let LogEnd::Failed {
            line,
            counter,
            fault,
        } = end
        {
            return AuditVerdict::Contradicted {
                line,
                counter,
                why: Contradiction::NotVerified(fault),
            };
        }
        // Whichever token is this run's: with nothing behind any of them, nothing is missed.
        if self.ambiguous && self.behind > 0 {
            return AuditVerdict::Unavailable(AuditObstacle::Ambiguous);
        }
        match (upgrade, end) {
            (Some(entry), end) if entry.result == AuditResult::Ok => AuditVerdict::Confirmed {
                line: entry.line,
                counter: entry.counter,
                cut_line: match end {
                    LogEnd::CutShort { line } => Some(line),
                    _ => None,
                },
            },
            (Some(entry), _) => AuditVerdict::Contradicted {
                line: entry.line,
                counter: Some(entry.counter),
                why: Contradiction::Logged(entry.result),
            },
            // The entry may have stood in the part that never came.
            (None, LogEnd::CutShort { line }) => {
                AuditVerdict::Unavailable(AuditObstacle::CutShort { line })
            }
            (None, _) => AuditVerdict::Missing {
                token_line: self.token_line,
                other_line: self.other_line,
            },
        }
    }

    /// The same for a log of which every line is there.
    fn through(mut self, log: &AuditLog) -> Found {
        let mut others = log.other_lines.iter().copied().peekable();
        for entry in &log.entries {
            while let Some(line) = others.next_if(|&line| line < entry.line) {
                self.other(line);
            }
            self.entry(entry);
        }
        others.for_each(|line| self.other(line));
        self.finish(log.end)
    }
}

/// Takes the window that this token is of out of those that are left: each is one token's. Of several that
/// fit the one that ends first, for tokens come in the order of their times and a later one may need the
/// other.
fn takes(free: &mut Vec<RangeInclusive<u64>>, token: &AuditEntry) -> bool {
    let time = token.time.seconds();
    let fits = free.iter().enumerate().filter(|(_, w)| w.contains(&time));
    let first = fits.min_by_key(|(_, w)| *w.end()).map(|(n, _)| n);
    first.map(|n| free.swap_remove(n)).is_some()
}

/// A token that was issued for an upgrade, by whomever: one of type d has that very scope in its extra
/// field. What a phone's token says there is not known; only another scope, in clear, excludes it.
fn is_upgrade_token(entry: &AuditEntry) -> bool {
    let text = entry.extra.text();
    entry.result == AuditResult::Ok
        && match entry.kind {
            AuditType::TOKEN => text == Some(SCOPE_UPGRADE),
            AuditType::TOKEN_MOBILE => {
                text.is_none_or(|text| text == SCOPE_UPGRADE || !text.contains(':'))
            }
            _ => false,
        }
}

impl UpgradeMark {
    fn is_of(&self, token: &AuditEntry) -> bool {
        let kind = match self.login {
            Login::Secret => AuditType::TOKEN,
            Login::Mobile => AuditType::TOKEN_MOBILE,
        };
        let time = token.time.seconds();
        token.kind == kind
            && (self.issued.is_empty() || self.issued.iter().any(|window| window.contains(&time)))
    }
}
