//! The log file that a verdict was made from: what of it is written down with the verdict, so that anybody can come to
//! the same verdict again, and the port that keeps the file itself. The verdict is made in `procedure::log_confirmation`
//! and `procedure::refusal_in_log`.

use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::device::RawLog;
use crate::hem::audit::{Search, UpgradeMark};
use crate::model::{DeviceId, LogId};

/// The file that decided, and what was looked for in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogSource {
    /// The file, as it was kept.
    pub file: KeptFile,
    /// The answer of `GET /api/logger/key` with which the file was read, as it came (section 9).
    pub key_answer: String,
    /// What was looked for.
    pub sought: Sought,
}

/// A file that was kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeptFile {
    /// The hash of its bytes.
    #[serde(with = "crate::model::hex_text")]
    pub sha256: [u8; 32],
    /// Its size.
    pub bytes: u64,
    /// Whether all of it came: one that was cut short between two lines does not show that itself.
    pub whole: bool,
}

/// What was looked for in a log file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sought {
    /// The entry of the upgrade with this mark.
    Upgrade(UpgradeMark),
    /// The entry of its refusal.
    Refusal(UpgradeMark),
}

impl Sought {
    /// The search for it.
    pub fn search(&self) -> Search {
        match self {
            Self::Upgrade(mark) => Search::upgrade(mark),
            Self::Refusal(mark) => Search::refusal(mark),
        }
    }
}

/// Holds the log files that a verdict may rest on until it is known which one does.
pub trait LogHolder: Send + Sync {
    /// A place for the bytes of this file of this device, whose log key answered with `key`, and what keeps them later.
    /// Never blocks: what cannot be kept is reported when the first bytes come.
    fn hold(
        &self,
        device: &DeviceId,
        file: &LogId,
        key: &Bytes,
    ) -> (Box<dyn RawLog>, Box<dyn HeldLog>);
}

/// A file that was read. Dropped, nothing of it is left.
pub trait HeldLog: Send {
    /// Keeps it; may block.
    ///
    /// # Errors
    ///
    /// It could not be kept.
    fn keep(self: Box<Self>) -> io::Result<KeptFile>;
}

#[cfg(test)]
impl LogSource {
    /// That an upgrade was sought in this file, of whose key nothing is known.
    pub(crate) fn of(file: KeptFile) -> Self {
        Self {
            file,
            key_answer: "{}".to_owned(),
            sought: Sought::Upgrade(UpgradeMark {
                login: crate::hem::audit::Login::Secret,
                issued: Vec::new(),
                earlier: 0,
            }),
        }
    }
}
