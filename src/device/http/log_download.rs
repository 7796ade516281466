//! Downloads a log file: verifies, searches and keeps it piece by piece ([section 9](crate::hem#9-audit-log)), and
//! never holds the whole.

use bytes::Bytes;

use super::connection::exchange::Sink;
use crate::device::{LogFile, RawLog};
use crate::hem::audit::{self, Delivery, LogReader};
use crate::model::FailureKind;

/// The longest piece that is verified on the async thread, in bytes: a fraction of a millisecond's work.
const QUICK: usize = 16 * 1024;

/// A log file on its way in.
pub(super) struct LogDownload {
    /// Absent while another thread works on a piece, and for good if that thread panicked.
    work: Option<Work>,
    panicked: Option<FailureKind>,
}

struct Work {
    reader: LogReader,
    raw: Option<Box<dyn RawLog>>,
    /// Why the bytes could not be kept.
    unkept: Option<String>,
}

impl Work {
    fn take(&mut self, data: &[u8]) {
        self.reader.feed(data);
        if let Some(raw) = &mut self.raw
            && let Err(e) = raw.write(data)
        {
            self.raw = None;
            self.unkept = Some(e.to_string());
        }
    }

    fn finish(self, delivery: Delivery) -> LogFile {
        let (log, found) = self.reader.finish(delivery);
        let kept = self
            .raw
            .map(|raw| raw.keep(delivery == Delivery::Whole))
            .map(|kept| kept.map_err(|e| e.to_string()));
        LogFile {
            log,
            found,
            kept: kept.or(self.unkept.map(Err)),
        }
    }
}

impl LogDownload {
    pub(super) fn new(reader: LogReader, raw: Option<Box<dyn RawLog>>) -> Self {
        let work = Work {
            reader,
            raw,
            unkept: None,
        };
        Self {
            work: Some(work),
            panicked: None,
        }
    }

    /// Ends the file: nothing more comes.
    pub(super) async fn finish(mut self, delivery: Delivery) -> Result<LogFile, FailureKind> {
        match self.work.take() {
            Some(work) if work.raw.is_none() => Ok(work.finish(delivery)),
            Some(work) => off(move || work.finish(delivery)).await,
            None => Err(self.panicked.unwrap_or(FailureKind::Panicked {
                what: "log verification".to_owned(),
            })),
        }
    }
}

impl Sink for LogDownload {
    const LONGEST: u64 = audit::MAX_FILE;

    async fn take(&mut self, data: Bytes) {
        let Some(mut work) = self.work.take() else {
            return;
        };
        if work.raw.is_none() && data.len() <= QUICK {
            work.take(&data);
            self.work = Some(work);
            return;
        }
        let done = off(move || {
            work.take(&data);
            work
        });
        match done.await {
            Ok(work) => self.work = Some(work),
            Err(kind) => self.panicked = Some(kind),
        }
    }
}

/// Runs work that may take long or wait for a disk off the async threads.
async fn off<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, FailureKind> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| FailureKind::Panicked {
            what: format!("log verification: {e}"),
        })
}
