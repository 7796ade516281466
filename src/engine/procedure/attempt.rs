//! One attempt on one device, and what all its stages need: sending events, ending a stage, stopping when asked. Tries
//! are counted in `retry`; the stages themselves are in the files beside it, from `until_install` on.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::device::RawLog;
use crate::model::{
    DeviceId, Failure, FailureKind, FirmwareImage, LogId, Outcome, Payload, Policy, RunId, Secret,
    Stage, Touched,
};

use super::install_permit::InstallPermit;
use crate::engine::event::{DeviceFact, EarlierInstall, EarlierRefusal, Event, Progress};
use crate::engine::fleet::across_attempts::DeviceHistory;
use crate::engine::log_source::LogHolder;
use crate::engine::reducer_messages::Message;

/// Keeps the log files that are read for themselves; those that a verdict rests on go to
/// [`LogHolder`](crate::engine::LogHolder).
pub trait LogKeeper: Send + Sync {
    /// A place for the bytes of this file of this device, whose log key answered with `key`. Never blocks:
    /// what cannot be kept is reported when the first bytes come.
    fn begin(&self, device: &DeviceId, file: &LogId, key: &Bytes) -> Box<dyn RawLog>;
}

/// Sends the events of one device in one attempt.
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

    /// Sends an event, waiting for room: life-cycle events are never dropped.
    pub(super) async fn send(&self, fact: DeviceFact) {
        // A closed inbox means that the session is gone, and this task with it in a moment.
        let _ = self.inbox.send(self.event(fact)).await;
    }

    /// Waits until `n` events can be sent later without waiting.
    pub(super) async fn reserve(&self, n: usize) -> Reserved<'_> {
        debug_assert!(n <= self.inbox.max_capacity(), "room that never comes");
        Reserved {
            events: self,
            // As with `send`: a closed inbox means that the session is gone.
            permits: self.inbox.reserve_many(n).await.ok(),
        }
    }

    /// Sends progress if there is room: progress may be dropped.
    pub(in crate::engine) fn send_progress(&self, stage: Stage, progress: Progress) {
        let _ = self
            .inbox
            .try_send(self.event(DeviceFact::StageProgress { stage, progress }));
    }
}

/// Room for events to come, which are sent without waiting.
pub(super) struct Reserved<'a> {
    events: &'a EventSender,
    permits: Option<mpsc::PermitIterator<'a, Message>>,
}

impl Reserved<'_> {
    /// Sends an event now.
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
    /// The device is no longer as it was when the attempt began, so the attempt starts over. Says what changed.
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
#[expect(clippy::struct_excessive_bools, reason = "each says something else")]
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
    /// Says that an install that was announced is on disk, or why it is not.
    pub(in crate::engine) recorded: mpsc::Receiver<Result<(), String>>,
    /// Limits how many phones are asked at once, over all devices of the run.
    pub(in crate::engine) turns: Arc<Semaphore>,
    /// What this run did to the device in all attempts.
    pub(in crate::engine) history: Arc<Mutex<DeviceHistory>>,
    /// The install of an earlier run after which it was seen to have rebooted.
    pub(in crate::engine) rebooted_since: Option<EarlierInstall>,
    /// Images that it refused in earlier runs, unless somebody has asked for that to be sent again.
    pub(in crate::engine) refused: Vec<EarlierRefusal>,
    /// Whether another device may answer than the one that an earlier run was at work on.
    pub(in crate::engine) takes_other: bool,
    /// Whether it was told what the device says of itself.
    pub(in crate::engine) told_look: bool,
    /// Where log files go that are read for themselves, if anywhere.
    pub(in crate::engine) keeper: Option<Arc<dyn LogKeeper>>,
    /// Where those go that a verdict may rest on, if anywhere.
    pub(in crate::engine) holder: Option<Arc<dyn LogHolder>>,
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

    /// How a cancelled attempt ends.
    pub(in crate::engine) fn stopped(&self) -> Outcome {
        if self.permit.is_refused() {
            Outcome::Halted(self.touched)
        } else {
            Outcome::Cancelled(self.touched)
        }
    }

    /// Waits, unless the attempt is cancelled.
    pub(in crate::engine) async fn pause(&self, wait: Duration) -> Result<(), Outcome> {
        self.unless_cancelled(tokio::time::sleep(wait)).await
    }

    /// Runs `work` to its end, or drops it when the attempt is cancelled.
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

    /// Does a part of a stage. When the attempt is cancelled, the try ends as stopped, and the attempt with it.
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
