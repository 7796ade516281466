//! Which entry is this upgrade's, and what it says (section 9, "the outcome of an upgrade").
//! Must not: verify anything (that is `file`); it sees verified entries only.

use std::ops::RangeInclusive;

use crate::hem::wire::SCOPE_UPGRADE;
use crate::model::{
    AuditEntry, AuditLog, AuditObstacle, AuditResult, AuditType, AuditVerdict, Contradiction,
    LogEnd,
};

/// How this run got its token, hence which entry the device wrote for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Type d, whose extra field is the scope.
    Secret,
    /// Type e: approved on a phone.
    Mobile,
}

/// By what this run's upgrade is known in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    find(log, mark).verdict
}

/// What several files, the newest first, say of this upgrade: which of them decides, and how.
///
/// The file that holds this run's token is the one of the session that the install ended, and decides
/// whatever the others are like. Where none holds it, the newest file that does not verify might have.
pub fn judge<'a>(
    newest_first: impl IntoIterator<Item = &'a AuditLog>,
    mark: &UpgradeMark,
) -> (Option<usize>, AuditVerdict) {
    let mut spoiled = None;
    for (n, log) in newest_first.into_iter().enumerate() {
        let found = find(log, mark);
        if found.token_line.is_some() && (spoiled.is_none() || !mark.issued.is_empty()) {
            return (Some(n), found.verdict);
        }
        if !log.verifies() && spoiled.is_none() {
            spoiled = Some((Some(n), found.verdict));
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

/// What a file says of a refusal: the last entry behind this run's tokens that tells of a failed scope check,
/// or of an upgrade that did not go well (section 9).
///
/// There is no good end to be found here: what was refused was refused, and the entry only says so.
pub fn find_refusal(log: &AuditLog, mark: &UpgradeMark) -> AuditVerdict {
    let found = find_behind(log, mark, |entry| {
        entry.kind == AuditType::FAILED_SCOPE_CHECK
            || (entry.kind == AuditType::UPGRADE && entry.result != AuditResult::Ok)
    });
    match found.entries.last() {
        Some(entry) if log.verifies() && entry.kind == AuditType::FAILED_SCOPE_CHECK => {
            AuditVerdict::Contradicted {
                line: entry.line,
                counter: Some(entry.counter),
                why: Contradiction::ScopeCheck,
            }
        }
        last => verdict(log, &found, last.copied()),
    }
}

/// Entries behind the tokens of this run.
struct Behind<'a> {
    token_line: Option<usize>,
    entries: Vec<&'a AuditEntry>,
    /// More tokens than this run's fit the times of this run's.
    ambiguous: bool,
}

struct Found {
    token_line: Option<usize>,
    verdict: AuditVerdict,
}

fn find(log: &AuditLog, mark: &UpgradeMark) -> Found {
    let behind = find_behind(log, mark, |entry| entry.kind == AuditType::UPGRADE);
    let upgrade = behind.entries.get(mark.earlier..).and_then(<[_]>::last);
    Found {
        token_line: behind.token_line,
        verdict: verdict(log, &behind, upgrade.copied()),
    }
}

fn find_behind<'a>(
    log: &'a AuditLog,
    mark: &UpgradeMark,
    wanted: impl Fn(&AuditEntry) -> bool,
) -> Behind<'a> {
    let last_token = log.entries.iter().rposition(is_upgrade_token);
    let mut free = mark.issued.clone();
    let mut behind = Behind {
        token_line: None,
        entries: Vec::new(),
        ambiguous: false,
    };
    let mut ours = false;
    for (n, entry) in log.entries.iter().enumerate() {
        if is_upgrade_token(entry) {
            ours = mark.is_of(entry) && (!mark.issued.is_empty() || Some(n) == last_token);
            if ours {
                behind.token_line = Some(entry.line);
                behind.ambiguous |= !mark.issued.is_empty() && !takes(&mut free, entry);
            }
        } else if ours && wanted(entry) {
            behind.entries.push(entry);
        }
    }
    // Whichever token is this run's: with nothing behind any of them, nothing is missed.
    behind.ambiguous &= !behind.entries.is_empty();
    behind
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

fn verdict(log: &AuditLog, behind: &Behind<'_>, upgrade: Option<&AuditEntry>) -> AuditVerdict {
    // A file that does not verify contradicts, wherever the entry stands (section 9).
    if let LogEnd::Failed {
        line,
        counter,
        fault,
    } = log.end
    {
        return AuditVerdict::Contradicted {
            line,
            counter,
            why: Contradiction::NotVerified(fault),
        };
    }
    if behind.ambiguous {
        return AuditVerdict::Unavailable(AuditObstacle::Ambiguous);
    }
    let token_line = behind.token_line;
    match (upgrade, log.end) {
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
            token_line,
            other_line: token_line
                .and_then(|token| log.other_lines.iter().copied().find(|&line| line > token)),
        },
    }
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
