//! What has been read of a folder so far: the hashes of its files, and what its logs say. Each file has a witness in another
//! one, so that a change is named where it was made; the manifest comes last.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::documents::{EVENTS_FILE, FORMAT, Hash, MANIFEST_FILE, VERDICTS_FILE, Verdicts};
use super::folder::{Fault, Folder, NotVerified};
use super::log_file;
use super::manifest::Manifest;
use super::verdicts::LogClaim;
use crate::engine::LogSource;
use crate::model::{AuditVerdict, DeviceId, LinkTrust, OutcomeKind};

/// The largest file of those that are small, such as a signature.
pub(super) const MAX_SMALL: u64 = 64 * 1024;

/// What a log says.
#[derive(Debug)]
pub(in crate::cli) struct LogRead {
    pub(in crate::cli) device: DeviceId,
    pub(in crate::cli) verdict: AuditVerdict,
    pub(in crate::cli) judged: OutcomeKind,
    pub(in crate::cli) link: LinkTrust,
    /// The file and its log key, or why it is not here; nothing where no file decided.
    pub(in crate::cli) file: Option<Result<(String, String), String>>,
}

/// A folder whose files are read one after the other.
pub(super) struct Reading<'a> {
    pub(super) folder: &'a Folder,
    manifest: &'a Manifest,
    /// Of the files that were read.
    pub(super) hashes: BTreeMap<String, Hash>,
    pub(super) logs: Vec<LogRead>,
    /// Whether `verdicts.json` has the very form in which it is written.
    pub(super) is_as_written: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn of(folder: &'a Folder, manifest: &'a Manifest) -> Self {
        Self {
            folder,
            manifest,
            hashes: BTreeMap::new(),
            logs: Vec::new(),
            is_as_written: false,
        }
    }

    /// All of a file that is no larger than `limit`.
    pub(super) fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, NotVerified> {
        let bytes = self.folder.read(name, limit)?;
        let hash = Hash(Sha256::digest(&bytes).into());
        self.hashes.insert(name.to_owned(), hash);
        Ok(bytes)
    }

    /// Whether a file is the one of the manifest.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.manifest.hash(name) == self.hashes.get(name).copied()
    }

    /// The events end otherwise than `verdicts.json` says: the manifest tells which of the two was changed.
    pub(super) fn other_end(&self, messages: u64, claimed: &Verdicts) -> Fault {
        let line = messages + 1;
        if self.is_named(EVENTS_FILE) && !self.is_named(VERDICTS_FILE) {
            let why = format!("it is of other events: these end with line {line}");
            return Fault::file(VERDICTS_FILE, why);
        }
        let wanted = claimed.run.messages.saturating_add(1);
        let why = if wanted == line {
            format!("it is not the last line that {VERDICTS_FILE} names")
        } else {
            format!("it is the last line, and {VERDICTS_FILE} says that line {wanted} is")
        };
        Fault::line(EVENTS_FILE, line, why)
    }

    /// Verifies a log file that is here; its log key.
    pub(super) fn log(
        &mut self,
        line: u64,
        (log, key): (&str, &str),
        claim: &LogClaim<'_>,
        source: &LogSource,
    ) -> Result<String, NotVerified> {
        for name in [log, key] {
            if self.manifest.hash(name).is_none() {
                let why = format!("it is missing; line {line} of {EVENTS_FILE} names it");
                return Err(Fault::file(name, why).into());
            }
        }
        let found = log_file::verify(self.folder, (log, key), claim, source)?;
        self.hashes.insert(log.to_owned(), found.log);
        self.hashes.insert(key.to_owned(), found.answer);
        Ok(found.key)
    }

    /// Whatever was read is what the manifest names, and all of that was read.
    pub(super) fn ensure_manifest(&self) -> Result<(), NotVerified> {
        for name in self.manifest.names() {
            let line = self.manifest.line_of(name);
            let Some(hash) = self.hashes.get(name) else {
                return Err(Fault::file(name, format!("{EVENTS_FILE} knows nothing of it")).into());
            };
            if self.manifest.hash(name) == Some(*hash) {
                continue;
            }
            if name == VERDICTS_FILE && !self.is_as_written {
                // It says what it should, but no other file holds its hash.
                let why = format!("it is not the file that line {line} of {MANIFEST_FILE} names");
                return Err(Fault::file(name, why).into());
            }
            let why = format!("it has another SHA-256 than {name}");
            return Err(Fault::line(MANIFEST_FILE, line, why).into());
        }
        Ok(())
    }
}

pub(super) fn ensure_format(name: &str, format: u32) -> Result<(), Fault> {
    if format == FORMAT {
        return Ok(());
    }
    let why = format!("it is of format {format}, and this hemfleet knows format {FORMAT}");
    Err(Fault::file(name, why))
}
