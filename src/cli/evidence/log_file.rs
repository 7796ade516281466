//! Verifies a log file once more, by the rules of the device ([section 9](crate::hem#9-audit-log)): does it say what the
//! verdict says?

use sha2::{Digest as _, Sha256};

use super::documents::{EVENTS_FILE, Hash};
use super::folder::{Fault, Folder, NotVerified};
use super::verdicts::LogClaim;
use crate::engine::{LogSource, Sought};
use crate::hem::audit::{self, Delivery, LogReader};
use crate::model::{AuditVerdict, LogEnd};

/// The largest answer with a log key that is read, in bytes.
const MAX_KEY: u64 = 64 * 1024;

/// What a log file was found to be.
pub(super) struct LogFound {
    /// The log key in words.
    pub(super) key: String,
    /// The hash of the file.
    pub(super) log: Hash,
    /// The hash of the answer with its key.
    pub(super) answer: Hash,
}

/// Verifies the file `log` with the answer `key` against what is claimed of it.
pub(super) fn verify(
    folder: &Folder,
    (log, key): (&str, &str),
    claim: &LogClaim<'_>,
    source: &LogSource,
) -> Result<LogFound, NotVerified> {
    let line = claim.verdict.line;
    let answer = folder.read(key, MAX_KEY)?;
    if answer != source.key_answer.as_bytes() {
        let why = format!("it is not the answer that line {line} of {EVENTS_FILE} has");
        return Err(Fault::file(key, why).into());
    }
    let proven = audit::parse_key_answer(&answer)
        .map_err(|e| e.to_string())
        .and_then(|answer| audit::prove_key(&answer).map_err(|e| e.to_string()));
    let proven = proven.map_err(|why| Fault::file(key, why))?;

    let mut reader = LogReader::new(&proven, Some(source.sought.search()));
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    folder.stream(log, |piece| {
        bytes += piece.len() as u64;
        hash.update(piece);
        reader.feed(piece);
        // What is longer is not the file that was kept.
        bytes <= source.file.bytes
    })?;
    let delivery = if source.file.whole {
        Delivery::Whole
    } else {
        Delivery::Short
    };
    let (read, found) = reader.finish(delivery);
    let hash = Hash(hash.finalize().into());
    if (bytes, hash.0) != (source.file.bytes, source.file.sha256) {
        let why =
            format!("it is not the file that line {line} of {EVENTS_FILE} names by its SHA-256");
        // Where it no longer verifies, the line of it is known.
        let at = match read.end {
            LogEnd::Failed { line, .. } | LogEnd::CutShort { line } => Some(line as u64),
            LogEnd::Whole => None,
        };
        let claimed = claim.report.log.as_ref().map(|log| log.end);
        let at = at.filter(|_| claimed != Some(read.end));
        return Err(match at {
            Some(at) => Fault::line(log, at, why),
            None => Fault::file(log, why),
        }
        .into());
    }
    let says = found.map(|found| found.verdict);
    let same = says
        .as_ref()
        .is_some_and(|says| agrees(says, claim, source));
    if !same || claim.report.log.as_deref() != Some(&read) {
        let says = says.map_or_else(String::new, |says| format!("{}: {says}", says.as_str()));
        let why = format!("it does not say what {log} says ({says})");
        return Err(Fault::line(EVENTS_FILE, line, why).into());
    }
    Ok(LogFound {
        key: proven.to_string(),
        log: hash,
        answer: Hash(Sha256::digest(&answer).into()),
    })
}

/// Whether a verdict is the one that is claimed. An entry that says no more than the device had answered is claimed as a
/// refusal.
fn agrees(says: &AuditVerdict, claim: &LogClaim<'_>, source: &LogSource) -> bool {
    match (says, &claim.report.verdict) {
        (
            AuditVerdict::Contradicted { line, counter, why },
            AuditVerdict::Refused {
                line: claimed_line,
                counter: claimed_counter,
                what,
            },
        ) => {
            matches!(source.sought, Sought::Refusal(_))
                && (line, counter, why) == (claimed_line, claimed_counter, what)
        }
        (says, claimed) => says == claimed,
    }
}
