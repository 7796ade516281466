//! Reading a device's audit log: its key, its list and its files (protocol page, section 9).
//! Must not: judge what a log says (that is `audit`), or log in.

use std::collections::HashSet;
use std::future::Future;

use crate::device::{Device, LogFile, ProvenKey, Session};
use crate::model::{AuditObstacle, FailureKind, LogId, Stage, printable};

use super::attempt::{Attempt, backoff, is_passing};
use super::event::Progress;

/// Pages that are asked for at most; with 128 files a page no device has so many.
const MAX_PAGES: usize = 1000;
/// Longest text that is kept of what stood in the way.
const MAX_TEXT: usize = 200;

/// The log of a device.
pub(super) struct OpenLog {
    /// Its key, proven.
    pub(super) key: ProvenKey,
    /// The files, oldest first, as the device lists them: never sorted, for an id is no date. The newest one
    /// is the running session's if the device says that it is in use, else it is closed like the others.
    pub(super) ids: Vec<LogId>,
    /// How many listed names no file can have: they are not read.
    pub(super) unusable: usize,
}

impl OpenLog {
    /// What is to be said of the names that are not read.
    pub(super) fn remark(&self) -> Option<String> {
        match self.unusable {
            0 => None,
            1 => Some("1 listed name is no log id".to_owned()),
            n => Some(format!("{n} listed names are no log ids")),
        }
    }

    /// Whether this is what the device says of the running session's file (section 9).
    pub(super) fn is_running(&self, id: &LogId, said: &FailureKind) -> bool {
        *said == FailureKind::Status { status: 406 } && self.ids.last() == Some(id)
    }
}

impl<D: Device> Attempt<D> {
    /// The log's key and files.
    pub(super) async fn open_log(&self, session: &Session) -> Result<OpenLog, AuditObstacle> {
        self.step("asking for the log key".to_owned());
        let key = self
            .insist(Stage::Audit, || self.device.log_key(session))
            .await;
        let key = key.map_err(|kind| match kind {
            FailureKind::Status { status: 404 } => AuditObstacle::NoLog,
            other => obstacle(&other),
        })?;
        let mut log = OpenLog {
            key,
            ids: Vec::new(),
            unusable: 0,
        };
        self.list_log(session, &mut log).await?;
        Ok(log)
    }

    /// All ids, oldest first. A page that brings nothing new is the end, and so is a 404.
    async fn list_log(&self, session: &Session, log: &mut OpenLog) -> Result<(), AuditObstacle> {
        let mut known = HashSet::new();
        let mut offset = 0;
        for _ in 0..MAX_PAGES {
            self.step(format!("listing the log files, {} so far", log.ids.len()));
            let page = match self
                .insist(Stage::Audit, || self.device.log_page(session, offset))
                .await
            {
                Ok(page) => page,
                Err(FailureKind::Status { status: 404 }) => return Ok(()),
                Err(kind) => return Err(obstacle(&kind)),
            };
            // A page of nothing but unusable ids is none that brings nothing.
            let mut fresh = page.ids.is_empty();
            log.unusable += page.unusable;
            for id in page.ids {
                if known.insert(id.clone()) {
                    fresh = true;
                    log.ids.push(id);
                }
            }
            if !fresh || page.next <= offset {
                return Ok(());
            }
            offset = page.next;
        }
        Err(AuditObstacle::Unreadable {
            what: "the list of log files has no end".to_owned(),
        })
    }

    /// One file, verified as far as it came.
    pub(super) async fn log_file(
        &self,
        session: &Session,
        log: &OpenLog,
        id: &LogId,
    ) -> Result<LogFile, FailureKind> {
        self.step(format!("reading {id}"));
        self.insist(Stage::Audit, || {
            self.device.log_file(session, id, &log.key.key)
        })
        .await
    }

    /// Asks again what may pass by itself, as often as the inventory says. For questions only.
    pub(super) async fn insist<T, F>(
        &self,
        stage: Stage,
        ask: impl Fn() -> F,
    ) -> Result<T, FailureKind>
    where
        F: Future<Output = Result<T, FailureKind>>,
    {
        let mut try_no = 1;
        loop {
            match ask().await {
                Err(kind) if is_passing(&kind) && try_no < self.policy.retry.attempts => {
                    let what = format!("{kind}; once more");
                    self.voice.mention(stage, Progress::Step { what });
                }
                answer => return answer,
            }
            tokio::time::sleep(backoff(self.policy.retry.backoff, try_no)).await;
            try_no += 1;
        }
    }

    /// Says what is being done in the audit stage.
    pub(super) fn step(&self, what: String) {
        self.voice.mention(Stage::Audit, Progress::Step { what });
    }
}

/// What a failure means for a log that was to be read.
pub(super) fn obstacle(kind: &FailureKind) -> AuditObstacle {
    match kind {
        FailureKind::ClockUnset => AuditObstacle::ClockNotSet,
        FailureKind::WrongSecret | FailureKind::LoginsUsedUp => AuditObstacle::LoginRefused,
        FailureKind::Status { status: 401 | 403 } => AuditObstacle::NoPermission,
        FailureKind::NoCredential | FailureKind::PlainLogin | FailureKind::NoSecret => {
            AuditObstacle::NoLogin
        }
        FailureKind::ApprovalDenied
        | FailureKind::ApprovalExpired
        | FailureKind::ApprovalTimeout { .. }
        | FailureKind::ApprovalUnheard { .. }
        | FailureKind::ApprovalRefused { .. } => AuditObstacle::NoApproval {
            what: kind.to_string(),
        },
        FailureKind::LogUnread { what } => AuditObstacle::NoApproval { what: what.clone() },
        FailureKind::OtherDevice { what } => AuditObstacle::OtherDevice { what: what.clone() },
        FailureKind::KeyNotProven { .. } => AuditObstacle::KeyNotProven,
        FailureKind::Status { status: 406 } => AuditObstacle::Busy,
        FailureKind::Status { status: 404 } => AuditObstacle::Gone,
        FailureKind::Stopped => AuditObstacle::Stopped,
        FailureKind::BackendAction { action } => AuditObstacle::BackendAction {
            action: printable(action, MAX_TEXT),
        },
        FailureKind::Link(fault) => AuditObstacle::Link {
            what: printable(&fault.to_string(), MAX_TEXT),
        },
        other => AuditObstacle::Unreadable {
            what: printable(&other.to_string(), MAX_TEXT),
        },
    }
}
