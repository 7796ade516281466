//! An approval on the owner's phone (protocol page, section 10): requested when it is its turn, waited for, and
//! withdrawn by whoever stops waiting. When a login asks for one is decided in `login`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::device::{Approval, ApprovalAnswer, ApprovalReply, Device, LoginError, Session};
use crate::hem::limits::MAX_NOTE;
use crate::model::{FailureKind, Outcome, Retry, Scope, Stage, human_duration};

use super::attempt::Attempt;
use super::login::Refused;
use super::retry::{Tries, is_transient};
use crate::engine::event::{DeviceFact, Progress};

/// How long a withdrawal may take: it is a courtesy, and nothing waits for it longer.
const WITHDRAW_LIMIT: Duration = Duration::from_secs(10);
/// How often it is tried within that time, and the first pause between two tries.
const WITHDRAW_RETRY: Retry = Retry {
    attempts: 4,
    backoff: Duration::from_millis(300),
};

impl<D: Device> Attempt<D> {
    /// Asks the owner's phone for `scope`, once, and waits for the answer.
    ///
    /// # Errors
    ///
    /// Outside: a person stopped it, here. Inside: it was not approved, or could not be asked for.
    pub(super) async fn approve(
        &mut self,
        stage: Stage,
        scope: Scope,
    ) -> Result<Result<Session, Refused>, Outcome> {
        let Some(turn) = self.turn(stage).await? else {
            let wait = human_duration(self.policy.approval.wait);
            return Ok(Err(Refused::Final(FailureKind::LogUnread {
                what: format!("no turn to ask a phone within {wait}"),
            })));
        };
        let note = self.note(scope);
        // Not cancelled by half: of a request whose name never came nobody could take back the event.
        let asked = self.device.request_approval(scope, &note).await;
        let mut request = match asked {
            Ok(approval) => OpenRequest {
                device: Arc::clone(&self.device),
                approval: Some(approval.clone()),
                turn: Some(turn),
                asked: approval,
            },
            Err(error) => return Ok(Err(error.into())),
        };
        self.history().asked_phone();
        let wait = self.policy.approval.wait;
        let deadline = Instant::now() + wait;
        let until = Timestamp::now();
        let until = until.checked_add(wait).unwrap_or(until);
        let fact = DeviceFact::ApprovalRequested { scope, until, note };
        let answer = async {
            self.events.send(fact).await;
            self.answer_of(&request.asked, deadline).await
        };
        match self.unless_cancelled(answer).await {
            Ok(Ok(reply)) => {
                request.close();
                let redeemed = self.redeem(&request.asked, reply);
                self.unless_cancelled(redeemed).await
            }
            Ok(Err(unapproved)) => Ok(Err(Refused::Final(request.end(unapproved, wait).await))),
            Err(stopped) => {
                request.withdraw().await;
                Err(stopped)
            }
        }
    }

    /// Waits for a turn to ask a phone. After an upgrade, when only the log is left to be read, not for
    /// longer than an owner is waited for: nothing then.
    async fn turn(&self, stage: Stage) -> Result<Option<OwnedSemaphorePermit>, Outcome> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(Some(turn));
        }
        let progress = Progress::Queued;
        self.events
            .send(DeviceFact::StageProgress { stage, progress })
            .await;
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = async {
            // The semaphore is never closed.
            if stage == Stage::Audit {
                let turn = tokio::time::timeout(self.policy.approval.wait, turn).await;
                turn.ok().and_then(Result::ok)
            } else {
                turn.await.ok()
            }
        };
        self.unless_cancelled(turn).await
    }

    /// Asks the broker until there is an answer, or the limit has passed. What may pass is asked again.
    async fn answer_of(
        &self,
        approval: &Approval,
        deadline: Instant,
    ) -> Result<ApprovalReply, Unapproved> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            tokio::time::sleep(self.policy.approval.poll.min(left)).await;
            // Whoever was not heard last is not said to have been silent.
            let so_far = match self.device.poll_approval(approval).await {
                Ok(ApprovalAnswer::Approved(reply)) => return Ok(reply),
                Ok(ApprovalAnswer::Denied) => return Err(Unapproved::Denied),
                Ok(ApprovalAnswer::Expired) => return Err(Unapproved::Expired),
                Ok(ApprovalAnswer::Pending) => Unapproved::Silent,
                Err(kind) if is_transient(&kind) => Unapproved::Unheard(kind),
                Err(kind) => return Err(Unapproved::Unheard(kind)),
            };
            if Instant::now() >= deadline {
                return Err(so_far);
            }
        }
    }

    /// Trades the reply for a token. Where the way breaks the same reply is offered again: better than to
    /// ask the owner once more.
    async fn redeem(&self, approval: &Approval, reply: ApprovalReply) -> Result<Session, Refused> {
        let mut tries = Tries::new(&self.policy.retry);
        loop {
            let kind = match self.device.redeem_approval(approval, reply.clone()).await {
                Ok(session) => return Ok(session),
                Err(LoginError::Failed(kind)) => kind,
                Err(error) => return Err(error.into()),
            };
            let Some(wait) = tries.wait_after(&kind) else {
                return Err(Refused::Final(kind));
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// What the phone shows: who asks, and for what.
    fn note(&self, scope: Scope) -> String {
        let (run, device) = (&self.run, &self.events.device);
        let what = match (scope, self.firmware(), &self.payload.app) {
            (Scope::Log, ..) => "read the audit log of".to_owned(),
            (Scope::Upgrade, Some(image), app) => {
                let sha = &image.facts.sha256_hex()[..8];
                let version = image.facts.version_label();
                let app = if app.is_some() { "app and " } else { "" };
                format!("install {app}firmware {version} (sha256 {sha}) on")
            }
            (Scope::Upgrade, None, Some(app)) => {
                let sha = &app.facts.sha256_hex()[..8];
                format!("install management app (sha256 {sha}) on")
            }
            (Scope::Upgrade, None, None) => "upgrade".to_owned(),
        };
        let note = format!("hemfleet run {run}: {what} {device}");
        note.chars().take(MAX_NOTE).collect()
    }
}

/// How a request ended that was not approved.
enum Unapproved {
    /// The owner said no.
    Denied,
    /// The broker knows it no more.
    Expired,
    /// Nobody answered in time.
    Silent,
    /// The broker could not be asked.
    Unheard(FailureKind),
}

/// A request that is out, with the turn that it takes. Whoever drops it without a word, as an abort does,
/// leaves the withdrawal to a task of its own, for as long as the process lives: of a second Ctrl-C the
/// phone may hear nothing, and the request expires there by itself.
struct OpenRequest<D: Device> {
    device: Arc<D>,
    /// Present until it is answered or withdrawn.
    approval: Option<Approval>,
    turn: Option<OwnedSemaphorePermit>,
    asked: Approval,
}

impl<D: Device> OpenRequest<D> {
    /// Answered, or gone: there is nothing to withdraw, and the turn is another's.
    fn close(&mut self) {
        self.approval = None;
        self.turn = None;
    }

    /// Takes it back; says whether it may still stand on the phone.
    async fn withdraw(&mut self) -> bool {
        let withdrawn = match &self.approval {
            Some(approval) => withdraw(&*self.device, approval).await,
            None => true,
        };
        self.close();
        !withdrawn
    }

    /// What it means that it was not approved within `after`, once the phone shows it no more.
    async fn end(&mut self, unapproved: Unapproved, after: Duration) -> FailureKind {
        match unapproved {
            Unapproved::Denied => {
                self.close();
                FailureKind::ApprovalDenied
            }
            Unapproved::Expired => {
                self.close();
                FailureKind::ApprovalExpired
            }
            Unapproved::Silent => FailureKind::ApprovalTimeout {
                after,
                left_open: self.withdraw().await,
            },
            Unapproved::Unheard(why) => FailureKind::ApprovalUnheard {
                what: why.to_string(),
                left_open: self.withdraw().await,
            },
        }
    }
}

impl<D: Device> Drop for OpenRequest<D> {
    fn drop(&mut self) {
        if let Some(approval) = self.approval.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (device, turn) = (Arc::clone(&self.device), self.turn.take());
            runtime.spawn(async move {
                withdraw(&*device, &approval).await;
                drop(turn);
            });
        }
    }
}

/// Withdraws the request, in several tries if need be: to do so twice does no harm. Says whether it is withdrawn.
async fn withdraw<D: Device>(device: &D, approval: &Approval) -> bool {
    let deadline = Instant::now() + WITHDRAW_LIMIT;
    let mut tries = Tries::new(&WITHDRAW_RETRY);
    loop {
        let asked = device.withdraw_approval(approval);
        let why = match tokio::time::timeout_at(deadline, asked).await {
            Ok(Ok(())) => return true,
            Ok(Err(why)) => why,
            Err(_) => {
                tracing::warn!("an approval was not withdrawn in time");
                return false;
            }
        };
        let Some(wait) = tries.wait_after(&why) else {
            tracing::warn!(%why, "an approval was not withdrawn");
            return false;
        };
        tokio::time::sleep_until(deadline.min(Instant::now() + wait)).await;
    }
}
