//! What the device's own log says of an attempt (protocol page, section 9), and what follows from it.
//!
//! The log never makes an upgrade out of anything else. It fails one only where the inventory requires that the log
//! confirms it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::device::{Device, Session};
use crate::hem::audit::{self, UpgradeMark};
use crate::model::{
    AuditLog, AuditMode, AuditObstacle, AuditReport, AuditVerdict, BrokerFault, Contradiction,
    DeviceStatus, Doubt, Failure, FailureKind, LogId, Outcome, Scope, Stage, Touched,
    human_duration,
};

use super::attempt::{Attempt, Running};
use super::audit_log::obstacle;
use super::deciding_log::Held;
use super::login::Next;
use super::retry::Tries;
use super::until_install::{describe_checkin, order_to_stop};
use crate::engine::event::DeviceFact;
use crate::engine::log_source::Sought;

/// Requests that reading a log may take the time of; what a person takes is not in it.
const REQUESTS: u32 = 11;

/// What was found in a log.
pub(super) struct Found {
    pub(super) verdict: AuditVerdict,
    pub(super) file: Option<LogId>,
    pub(super) log: Option<Arc<AuditLog>>,
    /// That file, where files are kept.
    pub(super) held: Option<Held>,
}

/// A file that was looked through.
struct Read {
    id: LogId,
    log: AuditLog,
    found: audit::Found,
    held: Option<Held>,
}

impl From<AuditObstacle> for Found {
    fn from(obstacle: AuditObstacle) -> Self {
        Self {
            verdict: AuditVerdict::Unavailable(obstacle),
            file: None,
            log: None,
            held: None,
        }
    }
}

impl<D: Device> Attempt<D> {
    /// Whether the log is read at all.
    pub(in crate::engine) fn audits(&self) -> bool {
        self.policy.audit.mode != AuditMode::Off
    }

    /// Asks the log of a device whose firmware is `judged` already, and says how the attempt ends.
    /// Cancelling ends the asking, and nothing else.
    pub(in crate::engine) async fn confirm(
        &mut self,
        mark: Option<&UpgradeMark>,
        judged: Outcome,
    ) -> Outcome {
        if !self.audits() {
            return judged;
        }
        let running = self.begin(Stage::Audit, 1).await;
        let mut remarks = Vec::new();
        let found = match mark {
            None => AuditObstacle::NoLogin.into(),
            Some(mark) => self
                .consult(mark, &mut remarks)
                .await
                .unwrap_or_else(Found::from),
        };
        let verdict = self.tell(running, found, &judged, &remarks).await;
        // What was judged may have been the other one, too.
        if let AuditVerdict::Unavailable(AuditObstacle::OtherDevice { what }) = verdict {
            return Outcome::Unknown(Doubt::OtherDevice { what });
        }
        self.with_log_verdict(judged, &verdict)
    }

    /// A further attempt on a device that is judged and not confirmed: reads its log, and does nothing
    /// else. What the log says makes no more of it than was seen.
    pub(in crate::engine) async fn read_again(
        &mut self,
        mark: Option<&UpgradeMark>,
        judged: Outcome,
    ) -> Outcome {
        self.touched = Touched::InstallSent;
        if judged == Outcome::AppInstalled && self.is_same_boot().await {
            return self.app_unconfirmed().await;
        }
        self.confirm(mark, judged).await
    }

    /// Whether the device, as far as it says, has not rebooted since this run's last token for the upgrade.
    async fn is_same_boot(&self) -> bool {
        let asked = Instant::now();
        let status = self.unless_cancelled(self.device.status()).await;
        if let Ok(Ok(status)) = status {
            self.history().saw(&status, asked, Instant::now());
            return self.history().mark().is_some();
        }
        false
    }

    /// The log of a device whose management app alone was installed: without a reboot its entry stands in
    /// the running session's file, so that nobody is asked for anything.
    pub(super) async fn app_unconfirmed(&mut self) -> Outcome {
        if !self.audits() {
            return Outcome::AppInstalled;
        }
        let running = self.begin(Stage::Audit, 1).await;
        let remark = "its entry can be read after the next reboot, with hemfleet audit".to_owned();
        let found = AuditObstacle::Busy.into();
        let judged = Outcome::AppInstalled;
        let verdict = self.tell(running, found, &judged, &[remark]).await;
        self.with_log_verdict(judged, &verdict)
    }

    /// How the attempt ends should it be stopped before the log was read.
    pub(super) fn if_stopped(&self, judged: &Outcome) -> Option<Outcome> {
        let stopped = AuditVerdict::Unavailable(AuditObstacle::Stopped);
        self.audits()
            .then(|| self.with_log_verdict(judged.clone(), &stopped))
    }

    /// What `judged` is with the log's word: the same, but for an upgrade that has to be confirmed.
    fn with_log_verdict(&self, judged: Outcome, verdict: &AuditVerdict) -> Outcome {
        let counts = self.policy.audit.mode == AuditMode::Required
            && matches!(
                judged,
                Outcome::Upgraded | Outcome::AppInstalled | Outcome::Current
            );
        if !counts || matches!(verdict, AuditVerdict::Confirmed { .. }) {
            return judged;
        }
        Outcome::Failed(Failure {
            stage: Stage::Audit,
            kind: FailureKind::NotConfirmed {
                what: format!("{}: {verdict}", verdict.as_str()),
            },
            touched: Touched::InstallSent,
        })
    }

    /// Ends the stage, and says what was found.
    pub(super) async fn tell(
        &self,
        running: Running,
        found: Found,
        judged: &Outcome,
        remarks: &[String],
    ) -> AuditVerdict {
        let report = AuditReport {
            verdict: found.verdict.clone(),
            judged: judged.kind(),
            link: self.device.link(),
            file: found.file,
            log: found.log,
        };
        let mut note = report.to_string();
        for remark in remarks {
            note.push_str(" · ");
            note.push_str(remark);
        }
        let source = match found.held {
            Some(held) => Some(held.keep().await),
            None => None,
        };
        if let Some(Err(why)) = &source {
            note.push_str(" · the log file is not kept: ");
            note.push_str(why);
        }
        let report = Box::new(report);
        self.events
            .send(DeviceFact::Audited { report, source })
            .await;
        match &found.verdict {
            AuditVerdict::Unavailable(AuditObstacle::Stopped) => {
                self.end_failed(running, FailureKind::Stopped).await;
            }
            _ => self.end(running, None, note).await,
        }
        found.verdict
    }

    /// Sets the clock if it must be, logs in, and looks for the upgrade's entry.
    async fn consult(
        &mut self,
        mark: &UpgradeMark,
        remarks: &mut Vec<String>,
    ) -> Result<Found, AuditObstacle> {
        let status = self.within(async {
            let status = self.ask(Stage::Audit, || self.device.status()).await;
            status.map_err(|kind| obstacle(&kind))
        });
        let status = status.await?;
        let session = self.log_session(&status, remarks).await?;
        self.within(self.search(&session, mark, remarks)).await
    }

    /// A login for the log. What the engine's rules for logins allow is repeated, and no more.
    async fn log_session(
        &mut self,
        status: &DeviceStatus,
        remarks: &mut Vec<String>,
    ) -> Result<Session, AuditObstacle> {
        let mut checked_in = false;
        if status.clock.is_none() && status.trusted_time {
            self.check_in_for_log(remarks).await?;
            checked_in = true;
        }
        let mut tries = Tries::new(&self.policy.retry);
        loop {
            self.step(format!("logging in for {}", Scope::Log));
            let entered = self.log_in(Stage::Audit, Scope::Log, false).await;
            let refused = match entered.map_err(|_| AuditObstacle::Stopped)? {
                Ok(session) => return Ok(session),
                Err(refused) => refused,
            };
            match self.after_login(refused, checked_in) {
                Next::Again(_) => {}
                Next::Checkin(_) => {
                    self.check_in_for_log(remarks).await?;
                    checked_in = true;
                }
                Next::Later(kind) => {
                    let Some(wait) = tries.wait_after(&kind) else {
                        return Err(of_login(&kind));
                    };
                    self.pause(wait).await.map_err(|_| AuditObstacle::Stopped)?;
                }
                // The device took a typed secret before: what is judged waits for nobody to type another.
                Next::AskAgain(kind) | Next::End(kind) => return Err(of_login(&kind)),
            }
        }
    }

    /// The check-in before the log is read. What the backend orders is never hidden (section 5).
    async fn check_in_for_log(&mut self, remarks: &mut Vec<String>) -> Result<(), AuditObstacle> {
        self.step("checking in: the clock is not set".to_owned());
        let report = self.within(async {
            let report = self.ask(Stage::Audit, || self.device.checkin()).await;
            report.map_err(|kind| match kind {
                FailureKind::Broker(BrokerFault::Unreachable { .. }) => AuditObstacle::NoBroker,
                other => obstacle(&other),
            })
        });
        let report = report.await?;
        self.clocks_apart = false;
        if let Some(action) = order_to_stop(&report) {
            return Err(obstacle(&FailureKind::BackendAction { action }));
        }
        if report.action.is_some() {
            remarks.push(describe_checkin(&report));
        }
        Ok(())
    }

    /// Looks for the upgrade's entry in the newest closed files, the newest first, until it is found.
    /// The newest one listed is the running session's where that is in use, and not one of them.
    async fn search(
        &self,
        session: &Session,
        mark: &UpgradeMark,
        remarks: &mut Vec<String>,
    ) -> Result<Found, AuditObstacle> {
        let files = self.policy.audit.files.max(1);
        // One more, for the running session's.
        let log = self.open_log(session, files + 1).await?;
        remarks.extend(log.remark());
        let mut left = files;
        let mut read: Vec<Read> = Vec::new();
        // What could not be read, and how many newer files could.
        let mut unread: Option<(usize, AuditObstacle)> = None;
        let judged =
            |read: &[Read]| audit::upgrade_verdict(read.iter().map(|read| &read.found), mark);
        for id in log.ids.iter().rev() {
            let sought = Sought::Upgrade(mark.clone());
            match self.held_file(session, &log, id, sought).await {
                Err(kind) if log.is_running(id, &kind) => continue,
                Ok((file, held)) => read.extend(file.found.map(|found| Read {
                    id: id.clone(),
                    log: file.log,
                    found,
                    held,
                })),
                Err(kind) => {
                    unread.get_or_insert((read.len(), obstacle(&kind)));
                    if matches!(kind, FailureKind::Link(_)) {
                        break;
                    }
                }
            }
            left -= 1;
            if left == 0 || holds_token(&judged(&read).1) {
                break;
            }
        }
        let (n, verdict) = judged(&read);
        // Only a token that is known by its time is this run's whatever stands in a newer file; and a newer
        // file that does not verify stays one that does not.
        let decides = |newer| match verdict {
            AuditVerdict::Contradicted { .. } if n.is_some_and(|n| n < newer) => true,
            _ => holds_token(&verdict) && !mark.issued.is_empty(),
        };
        match unread {
            Some((newer, unread)) if !decides(newer) => Err(unread),
            None if read.is_empty() => Err(AuditObstacle::NoFile),
            _ => {
                let Read { id, log, held, .. } = read.swap_remove(n.unwrap_or(0));
                Ok(Found {
                    verdict,
                    file: Some(id),
                    log: Some(Arc::new(log)),
                    held,
                })
            }
        }
    }

    /// Does a part of the stage within its time, unless asked to stop.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, AuditObstacle>>,
    ) -> Result<T, AuditObstacle> {
        let done = self.unless_cancelled(self.in_time(work)).await;
        done.unwrap_or(Err(AuditObstacle::Stopped))
    }

    /// The same, where the caller watches for a cancellation.
    pub(super) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, AuditObstacle>>,
    ) -> Result<T, AuditObstacle> {
        let limit = self.audit_limit();
        let done = tokio::time::timeout(limit, work).await;
        done.unwrap_or_else(|_| {
            Err(AuditObstacle::Unreadable {
                what: format!("not read within {}", human_duration(limit)),
            })
        })
    }

    fn audit_limit(&self) -> Duration {
        self.policy.timeouts.request * REQUESTS
    }
}

/// What a failed login for the log stands in the way with; the broker is there for phones only.
pub(super) fn of_login(kind: &FailureKind) -> AuditObstacle {
    match kind {
        FailureKind::Broker(fault) => AuditObstacle::NoApproval {
            what: fault.to_string(),
        },
        FailureKind::Status { status: 401 } => AuditObstacle::LoginRefused,
        other => obstacle(other),
    }
}

/// Whether a verdict rests on a file that holds this run's token.
fn holds_token(verdict: &AuditVerdict) -> bool {
    match verdict {
        AuditVerdict::Confirmed { .. }
        | AuditVerdict::Contradicted {
            why: Contradiction::Logged(_),
            ..
        }
        | AuditVerdict::Unavailable(AuditObstacle::Ambiguous) => true,
        AuditVerdict::Missing { token_line, .. } => token_line.is_some(),
        _ => false,
    }
}
