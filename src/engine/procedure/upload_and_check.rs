//! Sending an image, and having the device verify it (protocol page, sections 7 and 8).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::device::{CheckAnswer, Device, Image, UploadProgress, Validated};
use crate::model::{Component, FailureKind, Outcome, Stage, Touched, human_bytes};

use super::attempt::{Attempt, EventSender};
use super::login::Access;
use crate::engine::event::Progress;

/// How long one poll of the validation may take to be answered; the page knows of 2 minutes.
const POLL_LIMIT: Duration = Duration::from_secs(150);

impl<D: Device> Attempt<D> {
    /// Sends the image (section 7); one that failed may be sent again from its start.
    pub(in crate::engine) async fn upload(
        &mut self,
        access: &mut Access,
        image: Image<'_>,
    ) -> Result<(), Outcome> {
        let stage = match image.component() {
            Component::Firmware => Stage::Upload,
            Component::Ui => Stage::UploadUi,
        };
        let mut try_no = 1;
        let total = image.bytes().len() as u64;
        loop {
            let session = self.session(access, self.policy.timeouts.upload).await?;
            let running = self.begin(stage, try_no).await;
            let meter = Meter::new(self.events.clone(), stage, total);
            let sent = {
                let upload = self.device.upload(&session, image, &meter);
                tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => None,
                    sent = upload => Some(sent),
                }
            };
            if meter.sent.load(Ordering::Relaxed) > 0 {
                self.touched = self.touched.max(Touched::ImageSent);
            }
            match sent {
                None => {
                    self.end_failed(running, FailureKind::Stopped).await;
                    return Err(self.stopped());
                }
                Some(Ok(())) => {
                    self.touched = self.touched.max(Touched::ImageStaged);
                    let note = describe_upload(total, running.took());
                    self.end(running, Some(200), note).await;
                    return Ok(());
                }
                Some(Err(kind)) => try_no = self.again(running, kind).await?,
            }
        }
    }

    /// Has the device verify the staged image, and polls until it has (sections 7 and 8).
    pub(in crate::engine) async fn check(
        &mut self,
        access: &mut Access,
        component: Component,
    ) -> Result<Validated, Outcome> {
        let stage = match component {
            Component::Firmware => Stage::Check,
            Component::Ui => Stage::CheckUi,
        };
        let limit = self.policy.timeouts.check;
        let mut session = self.session(access, limit).await?;
        let deadline = Instant::now() + limit;
        let mut running = self.begin(stage, 1).await;
        let mut polls = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let after = limit;
                return Err(self
                    .fail(running, FailureKind::CheckTimeout { polls, after })
                    .await);
            }
            // Each poll is a step of its own, and a token from a phone may not live to see the last.
            if self.expires_within(access, left) {
                let try_no = running.try_no;
                let note = format!("still runs after {polls} polls; the token is about to expire");
                self.end(running, None, note).await;
                session = self.session(access, left).await?;
                running = self.begin(stage, try_no).await;
            }
            let poll = self.device.check(component, &session, left.min(POLL_LIMIT));
            let (still, answer) = self.during(running, poll).await?;
            running = still;
            let status = match answer {
                Ok(CheckAnswer::Valid(validated)) => {
                    let note = format!("valid after {} polls", polls + 1);
                    self.end(running, Some(200), note).await;
                    return Ok(validated);
                }
                Ok(CheckAnswer::Started) => 201,
                Ok(CheckAnswer::Running) => 202,
                // The limit of this poll was what is left: the loop's head says so.
                Err(FailureKind::Link(_)) if Instant::now() >= deadline => continue,
                Err(kind) => {
                    let next = self.again(running, refused(kind)).await?;
                    running = self.begin(stage, next).await;
                    continue;
                }
            };
            polls += 1;
            self.events
                .send_progress(stage, Progress::Polls { polls, status });
            let left = deadline.saturating_duration_since(Instant::now());
            let pause = tokio::time::sleep(self.poll_pause(component, polls).min(left));
            (running, ()) = self.during(running, pause).await?;
        }
    }

    /// The wait after a poll. The app's verification is slow: the vendor waits 20 to 60 s before it polls
    /// every 5 s (section 8), where the firmware is polled every 4 s.
    fn poll_pause(&self, component: Component, polls: u32) -> Duration {
        let firmware = self.policy.pace.check_poll;
        match (component, polls) {
            (Component::Firmware, _) => firmware,
            (Component::Ui, 1) => firmware * 5,
            (Component::Ui, _) => firmware * 5 / 4,
        }
    }
}

/// Any 4xx of the check but those about the token and "nothing staged" is a failed check (section 7).
fn refused(kind: FailureKind) -> FailureKind {
    match kind {
        FailureKind::Status { status }
            if (400..=499).contains(&status) && ![401, 403, 404].contains(&status) =>
        {
            FailureKind::ImageRefused { status }
        }
        other => other,
    }
}

/// Passes on how many bytes of an upload were handed over, and remembers whether any were.
struct Meter {
    events: EventSender,
    stage: Stage,
    total: u64,
    sent: AtomicU64,
}

impl Meter {
    fn new(events: EventSender, stage: Stage, total: u64) -> Self {
        Self {
            events,
            stage,
            total,
            sent: AtomicU64::new(0),
        }
    }
}

impl UploadProgress for Meter {
    fn sent(&self, sent: u64) {
        self.sent.store(sent, Ordering::Relaxed);
        let total = self.total;
        self.events
            .send_progress(self.stage, Progress::Bytes { sent, total });
    }
}

/// Size and rate, the device's answer included.
fn describe_upload(bytes: u64, took: Duration) -> String {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = bytes.saturating_mul(1000) / millis;
    format!("{}, {}/s", human_bytes(bytes), human_bytes(rate))
}
