//! Reads a log file that a verdict may rest on, and keeps it once it is known that it does. A file that cannot be kept
//! changes no verdict: it is a remark. The port is in `engine::log_source`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::device::{Device, LogFile, Session};
use crate::model::{FailureKind, LogId, printable};

use super::attempt::Attempt;
use super::audit_log::OpenLog;
use crate::engine::log_source::{HeldLog, LogSource, Sought};

/// The longest answer of `GET /api/logger/key` that is kept, in bytes: the page's has some 250.
const MAX_KEY_ANSWER: usize = 16 * 1024;
/// How long a disk may take to keep a file, before the device's end no longer waits for it.
const LIMIT: Duration = Duration::from_secs(30);
/// Longest text of why a file was not kept.
const MAX_TEXT: usize = 200;

/// A file that was read, and is kept if it decides.
pub(super) struct Held {
    /// Or why it cannot be kept.
    file: Result<Box<dyn HeldLog>, String>,
    key_answer: Bytes,
    sought: Sought,
}

impl<D: Device> Attempt<D> {
    /// One file, verified as far as it came, in which something is sought; held where files are kept at all.
    pub(super) async fn held_file(
        &self,
        session: &Session,
        log: &OpenLog,
        id: &LogId,
        sought: Sought,
    ) -> Result<(LogFile, Option<Held>), FailureKind> {
        let handle = Mutex::new(None);
        let raw = || {
            let holder = self.holder.as_deref()?;
            let (raw, held) = holder.hold(&self.events.device, id, &log.key.answer);
            *handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
            Some(raw)
        };
        let search = sought.search();
        let file = self.log_file(session, log, id, Some(&search), raw).await?;
        let handle = handle.into_inner().unwrap_or_else(PoisonError::into_inner);
        let held = handle.map(|held| Held {
            file: match &file.kept {
                Some(Err(why)) => Err(why.clone()),
                _ => Ok(held),
            },
            key_answer: log.key.answer.clone(),
            sought,
        });
        Ok((file, held))
    }
}

impl Held {
    /// Keeps the file. What a verdict needs to be made again, or why it was not kept.
    pub(super) async fn keep(self) -> Result<Box<LogSource>, String> {
        let kept = self.kept().await;
        kept.map_err(|why| printable(&why, MAX_TEXT))
    }

    async fn kept(self) -> Result<Box<LogSource>, String> {
        let file = self.file?;
        if self.key_answer.len() > MAX_KEY_ANSWER {
            return Err("the answer with the log key is too long".to_owned());
        }
        let key_answer = String::from_utf8(self.key_answer.into())
            .map_err(|_| "the answer with the log key is no text".to_owned())?;
        // It waits for a disk.
        let keeping = tokio::task::spawn_blocking(|| file.keep());
        let file = match tokio::time::timeout(LIMIT, keeping).await {
            Ok(Ok(kept)) => kept.map_err(|e| e.to_string())?,
            Ok(Err(e)) => return Err(e.to_string()),
            Err(_) => return Err("the disk takes too long".to_owned()),
        };
        Ok(Box::new(LogSource {
            file,
            key_answer,
            sought: self.sought,
        }))
    }
}
