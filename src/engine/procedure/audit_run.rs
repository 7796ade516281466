//! `hemfleet audit`: reads and verifies a device's log files one by one (protocol page, section 9). It changes nothing
//! on the device; files that are to be kept go to [`LogKeeper`](crate::engine::LogKeeper).

use std::sync::Arc;
use std::time::Duration;

use crate::device::{Device, LogFile};
use crate::model::{
    AuditObstacle, Credentials, FailureKind, LogId, LogRead, Outcome, Scope, Skip, Stage,
};

use super::attempt::{Attempt, Running};
use super::audit_log::{OpenLog, obstacle};
use super::login::Access;
use crate::engine::event::{DeviceFact, Seen};

/// How long a token must live to begin another file.
const SPARE: Duration = Duration::from_secs(60);

/// What reading the files came to.
#[derive(Default)]
struct FileCounts {
    verified: usize,
    /// Closed files that were looked at.
    closed: usize,
    /// Whether the newest one is the running session's, by its being in use.
    running: bool,
    /// The first file that does not verify.
    fault: Option<String>,
    /// The first one that could not be read, though it should.
    unread: Option<String>,
    /// The first one that could not be kept, though it should.
    unkept: Option<String>,
}

impl<D: Device> Attempt<D> {
    /// Reads the device's audit log: all files, or the newest few.
    pub(in crate::engine) async fn audit(mut self, all: bool) {
        let (Ok(outcome) | Err(outcome)) = self.logs(all).await;
        self.events.send(DeviceFact::Finished { outcome }).await;
    }

    async fn logs(&mut self, all: bool) -> Result<Outcome, Outcome> {
        let seen = self.probe().await?;
        if seen.version.is_epa() {
            return Err(Outcome::Skipped(Skip::EpaLog));
        }
        if let Some(kind) = self.no_log(&seen) {
            let running = self.begin(Stage::Audit, 1).await;
            return Err(self.fail(running, kind).await);
        }
        let mut access = self.enter(&seen, Scope::Log).await?;
        let session = self.session(&mut access, SPARE).await?;
        let running = self.begin(Stage::Audit, 1).await;
        let newest = self.newest(all).saturating_add(1);
        let listing = self.in_time(self.open_log(&session, newest));
        let (running, log) = self.during(running, listing).await?;
        match log {
            Ok(log) => self.read_files(running, &mut access, &log, all).await,
            Err(why) => Err(self.fail(running, unread(&why)).await),
        }
    }

    /// Why this device has no log that could be read.
    fn no_log(&self, seen: &Seen) -> Option<FailureKind> {
        let nothing = |why: &str| {
            let what = format!("nothing to log in with: {why}");
            Some(FailureKind::LogUnread { what })
        };
        if !seen.status.initialised {
            return nothing("the device is not initialised");
        }
        match self.device.credentials() {
            Credentials::None => nothing("the inventory has none for it"),
            Credentials::Token => nothing("a token from elsewhere is for the upgrade"),
            _ if !self.device.may_carry_token() => Some(FailureKind::PlainLogin),
            _ => None,
        }
    }

    /// The files, the newest first. The running session's is busy by the page, and is none of the closed ones.
    async fn read_files(
        &mut self,
        mut running: Running,
        access: &mut Access,
        log: &OpenLog,
        all: bool,
    ) -> Result<Outcome, Outcome> {
        let files = self.newest(all);
        let mut counts = FileCounts::default();
        for id in log.ids.iter().rev() {
            if counts.closed >= files {
                break;
            }
            if self.expires_within(access, SPARE) {
                let note = "the token is about to expire".to_owned();
                self.end(running, None, note).await;
                self.session(access, SPARE).await?;
                running = self.begin(Stage::Audit, 1).await;
            }
            let session = self.session(access, SPARE).await?;
            let raw = || {
                let keeper = self.keeper.as_deref()?;
                Some(keeper.begin(&self.events.device, id, &log.key.answer))
            };
            let file = self.log_file(&session, log, id, None, raw);
            let (still, file) = self.during(running, file).await?;
            running = still;
            let gone = matches!(file, Err(FailureKind::Link(_)));
            let read = Box::new(counts.count(log, id, file));
            self.events.send(DeviceFact::LogRead { read }).await;
            if gone {
                break;
            }
        }
        let kind = match (counts.fault, counts.unread.or(log.remark()), counts.unkept) {
            (Some(what), ..) => FailureKind::LogNotVerified { what },
            (None, Some(what), _) => FailureKind::LogUnread { what },
            (None, None, Some(what)) => FailureKind::LogNotKept { what },
            (None, None, None) if counts.closed == 0 => unread(&AuditObstacle::NoFile),
            (None, None, None) => {
                let files = counts.verified;
                let closed = log.listed - usize::from(counts.running);
                let note = format!("{files} of {closed} closed files verify");
                self.end(running, Some(200), note).await;
                return Ok(Outcome::Audited { files });
            }
        };
        Err(self.fail(running, kind).await)
    }

    /// How many closed files are read at most.
    fn newest(&self, all: bool) -> usize {
        if all {
            usize::MAX
        } else {
            self.policy.audit.files.max(1)
        }
    }
}

impl FileCounts {
    /// Takes in one file.
    fn count(&mut self, log: &OpenLog, id: &LogId, file: Result<LogFile, FailureKind>) -> LogRead {
        self.running |= file.as_ref().is_err_and(|kind| log.is_running(id, kind));
        let is_running = self.running && log.ids.back() == Some(id);
        self.closed += usize::from(!is_running);
        let (read, kept) = match file {
            Ok(file) => {
                let end = file.log.end;
                if file.log.verifies() {
                    self.verified += 1;
                } else {
                    self.fault.get_or_insert(format!("file {id} {end}"));
                }
                if let Some(Err(why)) = &file.kept {
                    self.unkept.get_or_insert(format!("file {id}: {why}"));
                }
                (Ok(Arc::new(file.log)), file.kept)
            }
            Err(kind) => {
                let why = obstacle(&kind);
                if !is_running {
                    self.unread.get_or_insert(format!("file {id}: {why}"));
                }
                (Err(why), None)
            }
        };
        LogRead {
            id: id.clone(),
            log: read,
            kept,
        }
    }
}

fn unread(why: &AuditObstacle) -> FailureKind {
    FailureKind::LogUnread {
        what: why.to_string(),
    }
}
