//! The files of the folder as they are written and read: their names, and their JSON.

use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Message;
use crate::journal::RunRecord;
use crate::model::{AuditVerdict, DeviceId, Fws, LinkTrust, LogId, Outcome, OutcomeKind, RunId};

/// What the folder proves, and what not. Other words need another [`FORMAT`].
pub(super) const README: &str = include_str!("README.txt");
/// The format of the folder.
pub(super) const FORMAT: u32 = 1;

pub(super) const README_FILE: &str = "README.txt";
pub(super) const RUN_FILE: &str = "run.json";
pub(super) const EVENTS_FILE: &str = "events.jsonl";
pub(super) const VERDICTS_FILE: &str = "verdicts.json";
/// The folder of the log files.
pub(super) const LOGS: &str = "logs";
pub(super) const MANIFEST_FILE: &str = "MANIFEST.sha256";
pub(super) const SIGNATURE_FILE: &str = "MANIFEST.sha256.sig";

/// The hash of a file or a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Hash(#[serde(with = "crate::model::hex_text")] pub(super) [u8; 32]);

/// A document as it is written: people read it as well.
pub(super) fn json(document: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// `run.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunDocument {
    /// [`FORMAT`].
    pub(super) evidence: u32,
    /// When the folder was made, by the clock of the machine that made it.
    pub(super) made: Timestamp,
    /// The version of hemfleet that made it.
    pub(super) made_by: String,
    /// What the run was made from.
    pub(super) record: RunRecord,
}

/// The first line of `events.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// [`FORMAT`].
    pub(super) evidence: u32,
    /// The run.
    pub(super) run: RunId,
    /// The hash of `run.json`.
    pub(super) run_json: Hash,
}

/// Every other line of `events.jsonl`, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventLine {
    /// The message's number; 1 is the first.
    pub(super) n: u64,
    /// The hash of the line before, without its newline.
    pub(super) before: Hash,
    /// What the reducer took in.
    pub(super) message: Message,
}

/// A line of `events.jsonl` without its newline. The message is written as it was stored.
pub(super) fn event_line(n: u64, before: Hash, message: &str) -> String {
    let before = crate::model::hex(&before.0);
    format!(r#"{{"n":{n},"before":"{before}","message":{message}}}"#)
}

/// `verdicts.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdicts {
    /// [`FORMAT`].
    pub(super) evidence: u32,
    /// What became of the run and its devices.
    pub(super) run: RunVerdict,
    /// What the devices' logs say, in the order of the events.
    pub(super) logs: Vec<LogVerdict>,
}

/// What became of the run and its devices.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunVerdict {
    /// The run.
    pub(super) id: RunId,
    /// How many messages there are.
    pub(super) messages: u64,
    /// The hash of the last line of `events.jsonl`.
    pub(super) last: Hash,
    /// When the run began.
    pub(super) started: Option<Timestamp>,
    /// When it ended; absent where it did not.
    pub(super) ended: Option<Timestamp>,
    /// The devices, in the order of the inventory.
    pub(super) devices: Vec<DeviceVerdict>,
}

/// What became of a device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceVerdict {
    pub(super) device: DeviceId,
    /// Its last attempt; 0 where there was none.
    pub(super) attempt: u32,
    /// How that ended; absent where it did not.
    pub(super) outcome: Option<Outcome>,
    /// Whether an install may have been sent whose end was not seen.
    pub(super) in_doubt: bool,
    /// The signature of the firmware that it reported last.
    pub(super) fws: Option<Fws>,
}

/// What a device's log says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogVerdict {
    /// The line of `events.jsonl`.
    pub(super) line: u64,
    pub(super) device: DeviceId,
    pub(super) attempt: u32,
    /// The device's name of the file that decided, where one was read.
    pub(super) log: Option<LogId>,
    pub(super) verdict: AuditVerdict,
    /// How the attempt had ended.
    pub(super) judged: OutcomeKind,
    /// The link that the log was read over.
    pub(super) link: LinkTrust,
    pub(super) file: LogEvidence,
}

/// Where the log file is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LogEvidence {
    /// In the folder.
    Here {
        /// The file.
        log: String,
        /// The answer that proves its key.
        key: String,
    },
    /// It was not kept when it was read.
    NotKept {
        /// Why not.
        why: String,
    },
    /// It was kept, and was not there any more when the folder was made.
    Lost {
        /// Why not.
        why: String,
    },
    /// No file decided, or none was to be kept.
    None,
}
