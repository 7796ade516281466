//! What a device wrote down when it refused an upgrade (protocol page, section 9). It explains the refusal and changes
//! nothing; what the log says of an install that was accepted is in `log_confirmation`.

use std::sync::Arc;

use crate::device::Device;
use crate::engine::event::DeviceFact;
use crate::engine::log_source::Sought;
use crate::hem::audit::UpgradeMark;
use crate::model::{
    AuditObstacle, AuditResult, AuditVerdict, Component, Contradiction, Credentials, Failure,
    FailureKind, Outcome, Scope, Stage,
};

use super::attempt::Attempt;
use super::audit_log::obstacle;
use super::log_confirmation::{Found, of_login};
use super::login::Next;

impl<D: Device> Attempt<D> {
    /// A device that refused with 403, or an install with 406 or 409, wrote that down (section 9). It is
    /// looked up where that harms nobody: with a secret at hand, by one login, and nothing is asked of a
    /// person for it. What it says changes nothing. The entry stands in the running session's file, which
    /// by the page is busy until the next reboot; the verdict then says so.
    pub(super) async fn look_up_refusal(&mut self, ended: &Outcome) {
        let Outcome::Failed(failure) = ended else {
            return;
        };
        let Some(mark) = self.history().mark().filter(|_| wrote_entry(failure)) else {
            return;
        };
        let may = self.audits()
            && self.device.credentials() == Credentials::Login
            && !self.cancel.is_cancelled()
            && !self.history().logins_used_up();
        if !may {
            return;
        }
        if let FailureKind::InstallRefused { .. } = failure.kind {
            // Should the task die in here, the reducer must know that no install is in doubt.
            let Ok(version) = self.device.version().await else {
                return;
            };
            let component = match failure.stage {
                Stage::InstallUi => Component::Ui,
                _ => Component::Firmware,
            };
            self.events
                .send(DeviceFact::Returned {
                    component,
                    version: Box::new(version),
                    outcome: Some(ended.clone()),
                })
                .await;
        }
        let running = self.begin(Stage::Audit, 1).await;
        let mut found = self.refusal(&mark).await.unwrap_or_else(Found::from);
        found.verdict = agreed(failure, found.verdict);
        let busy = found.verdict == AuditVerdict::Unavailable(AuditObstacle::Busy);
        let remark = "what the device wrote can be read after its next reboot, with hemfleet audit";
        let remarks = if busy {
            vec![remark.to_owned()]
        } else {
            Vec::new()
        };
        self.tell(running, found, ended, &remarks).await;
    }

    async fn refusal(&mut self, mark: &UpgradeMark) -> Result<Found, AuditObstacle> {
        let entered = self.log_in(Stage::Audit, Scope::Log, false).await;
        let session = match entered.map_err(|_| AuditObstacle::Stopped)? {
            Ok(session) => session,
            // One login, whatever comes of it.
            Err(refused) => match self.after_login(refused, true) {
                Next::Again(kind)
                | Next::AskAgain(kind)
                | Next::Checkin(kind)
                | Next::Later(kind)
                | Next::End(kind) => return Err(of_login(&kind)),
            },
        };
        let newest = async {
            let log = self.open_log(&session, 1).await?;
            let id = log.ids.back().cloned().ok_or(AuditObstacle::NoFile)?;
            let sought = Sought::Refusal(mark.clone());
            let file = self.held_file(&session, &log, &id, sought).await;
            let (file, held) = file.map_err(|kind| obstacle(&kind))?;
            let found = file.found.ok_or(AuditObstacle::NoFile)?;
            Ok(Found {
                verdict: found.verdict,
                file: Some(id),
                log: Some(Arc::new(file.log)),
                held,
            })
        };
        self.within(newest).await
    }
}

/// Whether the device wrote an entry when it refused like this (section 9).
fn wrote_entry(failure: &Failure) -> bool {
    match (failure.stage, &failure.kind) {
        (
            Stage::Upload | Stage::UploadUi | Stage::Check | Stage::CheckUi,
            FailureKind::Status { status },
        ) => *status == 403,
        (Stage::Install | Stage::InstallUi, FailureKind::InstallRefused { status }) => {
            matches!(status, 403 | 406 | 409)
        }
        _ => false,
    }
}

/// What the verdict on the entry of a refusal is: one that says what the device had answered, and no other,
/// agrees with the outcome, and is no alarm.
pub(in crate::engine) fn agreed(failure: &Failure, verdict: AuditVerdict) -> AuditVerdict {
    match verdict {
        AuditVerdict::Contradicted { line, counter, why } if is_written_for(failure, why) => {
            AuditVerdict::Refused {
                line,
                counter,
                what: why,
            }
        }
        other => other,
    }
}

/// Whether this is the entry that a refusal like this leaves: c after a 403, an upgrade that did not go well
/// after the 406 or 409 of an install (section 9).
fn is_written_for(failure: &Failure, entry: Contradiction) -> bool {
    match entry {
        Contradiction::ScopeCheck => failure.kind.status() == Some(403),
        Contradiction::Logged(result) => {
            let by_install = matches!(
                failure.kind,
                FailureKind::InstallRefused { status: 406 | 409 }
            );
            by_install && result != AuditResult::Ok
        }
        Contradiction::NotVerified(_) => false,
    }
}
