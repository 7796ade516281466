//! What every stage of an attempt needs: saying what happens, trying again, stopping when asked.
//! Must not: know the stages' contents (that is `procedure` and `watch`).

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::{
    BrokerFault, DeviceId, Failure, FailureKind, FirmwareImage, LinkFault, Outcome, Payload,
    Policy, RunId, Secret, SshTrouble, Stage, TlsFault, Touched,
};

use super::audit_log::LogKeeper;
use super::install_permit::InstallPermit;
use crate::engine::command::Message;
use crate::engine::event::{DeviceFact, Event, Progress};
use crate::engine::fleet::device_history::DeviceHistory;

/// The longest wait between two tries of one step, before jitter.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Says what happens to one device in one attempt.
#[derive(Clone)]
pub(in crate::engine) struct EventSender {
    pub(in crate::engine) inbox: mpsc::Sender<Message>,
    pub(in crate::engine) device: DeviceId,
    pub(in crate::engine) attempt: u32,
}

impl EventSender {
    fn event(&self, fact: DeviceFact) -> Message {
        Message::Event(Event::of_device(&self.device, self.attempt, fact))
    }

    /// Says it, waiting for room: life-cycle events are never dropped.
    pub(super) async fn send(&self, fact: DeviceFact) {
        // A closed inbox means that the session is gone, and this task with it in a moment.
        let _ = self.inbox.send(self.event(fact)).await;
    }

    /// Waits for room to say so many things later.
    pub(super) async fn reserve(&self, n: usize) -> Reserved<'_> {
        debug_assert!(n <= self.inbox.max_capacity(), "room that never comes");
        Reserved {
            events: self,
            // As with `send`: a closed inbox means that the session is gone.
            permits: self.inbox.reserve_many(n).await.ok(),
        }
    }

    /// Says it if there is room: progress is news, not history.
    pub(in crate::engine) fn send_progress(&self, stage: Stage, progress: Progress) {
        let _ = self
            .inbox
            .try_send(self.event(DeviceFact::StageProgress { stage, progress }));
    }
}

/// Room for words that were not said yet: they are said without waiting.
pub(super) struct Reserved<'a> {
    events: &'a EventSender,
    permits: Option<mpsc::PermitIterator<'a, Message>>,
}

impl Reserved<'_> {
    /// Says it now.
    pub(super) fn send(&mut self, fact: DeviceFact) {
        if let Some(permit) = self.permits.as_mut().and_then(Iterator::next) {
            permit.send(self.events.event(fact));
        }
    }
}

/// Why an attempt goes no further on its way.
#[derive(PartialEq, Debug)]
pub(in crate::engine) enum AttemptEnd {
    /// It is over.
    Final(Outcome),
    /// The device is not as it was when the attempt began, which therefore begins anew. Says what changed.
    StartOver(String),
}

impl From<Outcome> for AttemptEnd {
    fn from(outcome: Outcome) -> Self {
        Self::Final(outcome)
    }
}

/// A try of a stage that has begun.
pub(in crate::engine) struct Running {
    pub(in crate::engine) stage: Stage,
    pub(in crate::engine) try_no: u32,
    began: Instant,
}

impl Running {
    /// One that begins now, as was said or is about to be.
    pub(in crate::engine) fn begun(stage: Stage, try_no: u32) -> Self {
        Self {
            stage,
            try_no,
            began: Instant::now(),
        }
    }

    /// How long it has been running.
    pub(in crate::engine) fn took(&self) -> Duration {
        self.began.elapsed()
    }
}

/// One attempt on one device.
pub(in crate::engine) struct Attempt<D> {
    pub(in crate::engine) device: Arc<D>,
    pub(in crate::engine) payload: Arc<Payload>,
    pub(in crate::engine) policy: Arc<Policy>,
    pub(in crate::engine) events: EventSender,
    pub(in crate::engine) cancel: CancellationToken,
    /// The permit to install.
    pub(in crate::engine) permit: InstallPermit,
    pub(in crate::engine) touched: Touched,
    /// The same before the install that was sent last: what it is again if that was refused.
    pub(in crate::engine) before_install: Touched,
    /// Whether anything had to be asked for again since the device was probed.
    pub(in crate::engine) repeated: bool,
    /// Whether this machine's and the device's clock were more than a minute apart at the last probe.
    pub(in crate::engine) clocks_apart: bool,
    /// The run, for the note on the owner's phone.
    pub(in crate::engine) run: RunId,
    /// Where secrets come from that a person types.
    pub(in crate::engine) answers: mpsc::Receiver<Secret>,
    /// Turns to ask a phone, over all devices of the run.
    pub(in crate::engine) turns: Arc<Semaphore>,
    /// What this run did to the device in all attempts.
    pub(in crate::engine) history: Arc<Mutex<DeviceHistory>>,
    /// Where log files go that are read for themselves, if anywhere.
    pub(in crate::engine) keeper: Option<Arc<dyn LogKeeper>>,
}

impl<D> Attempt<D> {
    /// The firmware, where one is rolled out.
    pub(in crate::engine) fn firmware(&self) -> Option<&FirmwareImage> {
        self.payload.firmware.as_ref()
    }

    /// What this run did to the device so far. A panic of an earlier attempt leaves nothing half done there.
    pub(in crate::engine) fn history(&self) -> MutexGuard<'_, DeviceHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::engine) async fn begin(&self, stage: Stage, try_no: u32) -> Running {
        self.events
            .send(DeviceFact::StageStarted { stage, try_no })
            .await;
        Running::begun(stage, try_no)
    }

    pub(in crate::engine) async fn end(&self, running: Running, status: Option<u16>, note: String) {
        self.finished(&running, status, note, None).await;
    }

    async fn finished(
        &self,
        running: &Running,
        status: Option<u16>,
        note: String,
        failure: Option<FailureKind>,
    ) {
        self.events
            .send(DeviceFact::StageFinished {
                stage: running.stage,
                try_no: running.try_no,
                took: running.took(),
                status,
                note,
                failure,
            })
            .await;
    }

    /// Ends a try that failed; the stage is not tried again here.
    pub(super) async fn end_failed(&self, running: Running, kind: FailureKind) {
        self.finished(&running, kind.status(), String::new(), Some(kind))
            .await;
    }

    /// Ends a try that failed, and the attempt with it.
    pub(super) async fn fail(&self, running: Running, kind: FailureKind) -> Outcome {
        let stage = running.stage;
        self.end_failed(running, kind.clone()).await;
        Outcome::Failed(Failure {
            stage,
            kind,
            touched: self.touched,
        })
    }

    /// Ends a try that failed, then waits for the next one, whose number is returned; or ends the
    /// attempt where the failure is none that may be repeated, or the tries are used up.
    pub(in crate::engine) async fn again(
        &mut self,
        running: Running,
        kind: FailureKind,
    ) -> Result<u32, Outcome> {
        let of = self.policy.retry.attempts;
        let (stage, try_no) = (running.stage, running.try_no);
        if try_no >= of || !may_repeat(stage, &kind) {
            return Err(self.fail(running, kind).await);
        }
        self.repeated = true;
        self.end_failed(running, kind.clone()).await;
        let wait = backoff(self.policy.retry.backoff, try_no);
        let next_try = try_no + 1;
        self.events
            .send(DeviceFact::RetryScheduled {
                stage,
                next_try,
                of,
                wait,
                after: kind,
            })
            .await;
        self.pause(wait).await?;
        Ok(next_try)
    }

    /// Waits, unless asked to stop.
    pub(in crate::engine) async fn pause(&self, wait: Duration) -> Result<(), Outcome> {
        self.unless_cancelled(tokio::time::sleep(wait)).await
    }

    /// Does something, unless asked to stop; the something is dropped then.
    pub(super) async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Outcome> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(self.stopped()),
            out = work => Ok(out),
        }
    }

    /// Does a part of a stage, unless asked to stop: then the try ends as stopped, and the attempt too.
    pub(super) async fn during<T>(
        &self,
        running: Running,
        work: impl Future<Output = T>,
    ) -> Result<(Running, T), Outcome> {
        match self.unless_cancelled(work).await {
            Ok(out) => Ok((running, out)),
            Err(outcome) => {
                self.end_failed(running, FailureKind::Stopped).await;
                Err(outcome)
            }
        }
    }
}

/// What may be repeated by itself: a broken way, a device or broker that failed inside, and an upload
/// that did not arrive whole. Never what was answered with a refusal, never an install.
fn may_repeat(stage: Stage, kind: &FailureKind) -> bool {
    if stage.is_past_install() {
        return false;
    }
    let upload = matches!(stage, Stage::Upload | Stage::UploadUi);
    is_transient(kind) || (upload && *kind == FailureKind::Status { status: 406 })
}

/// Whether it may pass by itself: a broken way, or a device or broker that failed inside.
pub(super) fn is_transient(kind: &FailureKind) -> bool {
    match kind {
        // Trust and permission do not grow by asking again; other TLS trouble may be a handshake that was cut.
        FailureKind::Link(LinkFault::Tls(fault)) => matches!(fault, TlsFault::Other { .. }),
        FailureKind::Link(LinkFault::Ssh { reason, .. }) => !SshTrouble::of(reason).is_refusal(),
        FailureKind::Link(_) | FailureKind::Broker(BrokerFault::Unreachable { .. }) => true,
        FailureKind::Broker(BrokerFault::Status { status }) | FailureKind::Status { status } => {
            (500..=599).contains(status)
        }
        _ => false,
    }
}

/// The wait after the try `try_no` failed: doubling, at most a minute, a quarter more or less.
pub(in crate::engine) fn backoff(first: Duration, try_no: u32) -> Duration {
    let doubled = first.saturating_mul(1 << (try_no - 1).min(16));
    let mut random = [0_u8; 2];
    // Without randomness there is no jitter, which is better than no retry.
    let share = match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX),
        Err(_) => 0.5,
    };
    doubled.min(MAX_BACKOFF).mul_f64(0.75 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_is_bounded() {
        let first = Duration::from_secs(2);
        for _ in 0..100 {
            assert!(backoff(first, 1) < backoff(first, 2));
            assert!(backoff(first, 2) < backoff(first, 3));
            assert!(backoff(first, 40) <= Duration::from_secs(75));
        }
    }

    #[test]
    fn refusals_are_never_repeated() {
        for stage in Stage::ALL {
            for status in [400, 401, 403, 404, 409, 411, 413, 418, 795] {
                assert!(
                    !may_repeat(stage, &FailureKind::Status { status }),
                    "{stage} {status}"
                );
            }
            assert!(!may_repeat(stage, &FailureKind::WrongSecret));
            assert!(!may_repeat(
                stage,
                &FailureKind::ImageRefused { status: 406 }
            ));
        }
        assert!(may_repeat(
            Stage::Upload,
            &FailureKind::Status { status: 406 }
        ));
        assert!(!may_repeat(
            Stage::Check,
            &FailureKind::Status { status: 406 }
        ));
        assert!(may_repeat(
            Stage::Probe,
            &FailureKind::Link(LinkFault::Reset)
        ));
        assert!(!may_repeat(
            Stage::Install,
            &FailureKind::Link(LinkFault::Reset)
        ));
        assert!(!may_repeat(
            Stage::Probe,
            &FailureKind::Link(LinkFault::Tls(TlsFault::UnknownIssuer))
        ));
        for (reason, again) in [
            ("admin@host7: Permission denied (publickey).", false),
            ("Host key verification failed.", false),
            ("Connection to host7 closed by remote host.", true),
        ] {
            let (jump, reason) = ("host7".into(), reason.into());
            let kind = LinkFault::Ssh { jump, reason }.into();
            assert_eq!(may_repeat(Stage::Probe, &kind), again, "{kind}");
        }
    }
}
