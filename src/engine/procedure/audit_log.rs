//! Reading a device's audit log: its key, its list and its files (protocol page, section 9). What a log says of an
//! upgrade is judged in `log_confirmation`; `hemfleet audit` is in `audit_run`.

use std::collections::{HashSet, VecDeque};

use crate::device::{Device, LogFile, ProvenKey, RawLog, Session};
use crate::hem::audit::Search;
use crate::model::{AuditObstacle, FailureKind, LogId, Stage, printable};

use super::attempt::Attempt;
use crate::engine::event::Progress;

/// Pages that are asked for at most.
const MAX_PAGES: usize = 1000;
/// Files that are listed at most: 128 full pages, or six boots a day for seven years.
const MAX_FILES: usize = 16_384;
/// Longest text that is kept of what stood in the way.
const MAX_TEXT: usize = 200;

/// The log of a device.
pub(in crate::engine) struct OpenLog {
    /// Its key, proven.
    pub(in crate::engine) key: ProvenKey,
    /// The files, oldest first, as the device lists them: never sorted, for an id is no date. The newest one
    /// is the running session's if the device says that it is in use, else it is closed like the others.
    /// Where only the newest are wanted, these are the newest.
    pub(in crate::engine) ids: VecDeque<LogId>,
    /// How many files are listed.
    pub(in crate::engine) listed: usize,
    /// How many listed names no file can have: they are not read.
    pub(in crate::engine) unusable: usize,
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
        *said == FailureKind::Status { status: 406 } && self.ids.back() == Some(id)
    }
}

impl<D: Device> Attempt<D> {
    /// The log's key and its `newest` files.
    pub(in crate::engine) async fn open_log(
        &self,
        session: &Session,
        newest: usize,
    ) -> Result<OpenLog, AuditObstacle> {
        self.step("asking for the log key".to_owned());
        let key = self
            .ask(Stage::Audit, || self.device.log_key(session))
            .await;
        let key = key.map_err(|kind| match kind {
            FailureKind::Status { status: 404 } => AuditObstacle::NoLog,
            other => obstacle(&other),
        })?;
        let mut log = OpenLog {
            key,
            ids: VecDeque::new(),
            listed: 0,
            unusable: 0,
        };
        self.list_log(session, &mut log, newest).await?;
        Ok(log)
    }

    /// The ids, oldest first. A page that brings nothing new is the end, and so is a 404.
    async fn list_log(
        &self,
        session: &Session,
        log: &mut OpenLog,
        newest: usize,
    ) -> Result<(), AuditObstacle> {
        let mut known = HashSet::new();
        let mut offset = 0;
        for _ in 0..MAX_PAGES {
            self.step(format!("listing the log files, {} so far", log.listed));
            let page = match self
                .ask(Stage::Audit, || self.device.log_page(session, offset))
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
                    log.listed += 1;
                    if log.ids.len() == newest {
                        log.ids.pop_front();
                    }
                    log.ids.push_back(id);
                }
            }
            if log.listed > MAX_FILES {
                return Err(AuditObstacle::TooLarge {
                    what: format!("the device lists more than {MAX_FILES} log files"),
                });
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

    /// One file, verified as far as it came, looked through by `search`; its bytes go to `raw`.
    pub(in crate::engine) async fn log_file(
        &self,
        session: &Session,
        log: &OpenLog,
        id: &LogId,
        search: Option<&Search>,
        raw: impl Fn() -> Option<Box<dyn RawLog>>,
    ) -> Result<LogFile, FailureKind> {
        self.step(format!("reading {id}"));
        self.ask(Stage::Audit, || {
            // A file that is asked for again begins anew.
            self.device
                .log_file(session, id, &log.key.key, search.cloned(), raw())
        })
        .await
    }

    /// Says what is being done in the audit stage.
    pub(in crate::engine) fn step(&self, what: String) {
        self.events
            .send_progress(Stage::Audit, Progress::Step { what });
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
        FailureKind::LogTooLarge { what } => AuditObstacle::TooLarge {
            what: printable(what, MAX_TEXT),
        },
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
