//! Records what really happened at a device: the ground truth that tests assert on.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// One request, in the order in which they arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What was answered; nothing while it runs, and where the connection ended without an answer.
    pub status: Option<u16>,
    /// Bytes of the body that the device has read.
    pub body_bytes: u64,
    /// Which boot it belongs to; counted from 1.
    pub boot: u32,
}

/// What a phone showed of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// What was asked for.
    pub scope: String,
    /// The note, if one came with it.
    pub note: Option<String>,
}

/// What came of the mobile approvals of one device, at the device and at the broker (section 10).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PhoneRecording {
    /// Requests that the device made.
    pub requests: u32,
    /// Those that reached the phone, in order.
    pub shown: Vec<Shown>,
    /// Events that wait for an answer now.
    pub open: u32,
    /// The most that did at once.
    pub most_open: u32,
    /// Approved by the owner.
    pub approved: u32,
    /// Refused by the owner.
    pub denied: u32,
    /// Expired without an answer.
    pub expired: u32,
    /// Withdrawn by the client, unanswered.
    pub withdrawn: u32,
    /// Approvals that the device gave a token for.
    pub redeemed: u32,
}

/// Everything that a device has seen since the simulator started.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recording {
    /// All requests, in order of arrival.
    pub requests: Vec<RecordedRequest>,
    /// TCP connections, TLS or not, requests or not.
    pub connections: u32,
    /// TLS handshakes that failed.
    pub tls_failures: u32,
    /// Uploads that were read to their end and staged.
    pub uploads: u32,
    /// Installs that the device carried out: it rebooted into its bootloader.
    pub installs_executed: u32,
    /// Uploads of a management app that were read to their end and staged.
    pub ui_uploads: u32,
    /// Management apps that came into use.
    pub ui_installs_executed: u32,
    /// Reboots, whatever for.
    pub reboots: u32,
    /// Tokens issued, for a secret or on a phone's approval.
    pub logins: u32,
    /// What came of mobile approvals.
    pub phone: PhoneRecording,
    /// Check-ins that set the clock.
    pub checkins: u32,
    /// The most requests that were in work at once; more than 1 breaks section 2.
    pub max_overlap: u32,
    /// Requests that came sooner after the answer to the one before than the scenario's `gap`.
    pub too_soon: u32,
    in_work: u32,
    answered: Option<Instant>,
}

impl Recording {
    /// The requests to a path, in order.
    pub fn to<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a RecordedRequest> {
        self.requests.iter().filter(move |r| r.path == path)
    }

    /// Image bytes received, for each upload request, completed or not.
    pub fn image_bytes(&self) -> Vec<u64> {
        self.to("/api/system/upgrade/upload_fw")
            .map(|r| r.body_bytes)
            .collect()
    }

    /// Image bytes received in all uploads together.
    pub fn image_bytes_total(&self) -> u64 {
        self.image_bytes().iter().sum()
    }

    /// Requests to `check_fw`.
    pub fn checks(&self) -> usize {
        self.to("/api/system/upgrade/check_fw").count()
    }

    /// Requests to `install_fw`.
    pub fn installs(&self) -> usize {
        self.to("/api/system/upgrade/install_fw").count()
    }

    /// Requests to `install_ui`.
    pub fn ui_installs(&self) -> usize {
        self.to("/api/system/upgrade/install_ui").count()
    }

    /// `POST /api/auth/token`, good or bad.
    pub fn login_attempts(&self) -> usize {
        self.to("/api/auth/token")
            .filter(|r| r.method == "POST")
            .count()
    }

    /// Answers 401, on any endpoint.
    pub fn unauthorized(&self) -> usize {
        let refused = |r: &&RecordedRequest| r.status == Some(401);
        self.requests.iter().filter(refused).count()
    }
}

/// Keeps the recording, and wakes those who wait for a change of it.
#[derive(Debug)]
pub(in crate::sim) struct Recorder {
    recording: Mutex<Recording>,
    changed: watch::Sender<()>,
    gap: Duration,
}

impl Recorder {
    pub(in crate::sim) fn new(gap: Duration) -> Self {
        Self {
            recording: Mutex::default(),
            changed: watch::Sender::new(()),
            gap,
        }
    }

    pub(in crate::sim) fn gap(&self) -> Duration {
        self.gap
    }

    pub(in crate::sim) fn snapshot(&self) -> Recording {
        self.lock().clone()
    }

    pub(in crate::sim) fn record(&self, what: impl FnOnce(&mut Recording)) {
        what(&mut self.lock());
        self.changed.send_replace(());
    }

    /// Waits until the recording fulfils a condition.
    pub(in crate::sim) async fn wait_for(
        &self,
        mut fulfilled: impl FnMut(&Recording) -> bool,
    ) -> Recording {
        let mut changed = self.changed.subscribe();
        loop {
            let now = self.snapshot();
            if fulfilled(&now) {
                return now;
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    /// A request has arrived.
    pub(in crate::sim) fn begin(&self, method: &str, path: &str, boot: u32) -> OpenRequest<'_> {
        let mut number = 0;
        let gap = self.gap;
        self.record(|j| {
            number = j.requests.len();
            j.requests.push(RecordedRequest {
                method: method.to_owned(),
                path: path.to_owned(),
                status: None,
                body_bytes: 0,
                boot,
            });
            if j.answered.is_some_and(|at| at.elapsed() < gap) {
                j.too_soon += 1;
            }
            j.in_work += 1;
            j.max_overlap = j.max_overlap.max(j.in_work);
        });
        OpenRequest {
            recorder: self,
            number,
            open: true,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recording> {
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request, from its arrival until its answer is on the way.
pub(in crate::sim) struct OpenRequest<'a> {
    recorder: &'a Recorder,
    number: usize,
    open: bool,
}

impl OpenRequest<'_> {
    /// Bytes of the body that were read.
    pub(in crate::sim) fn received(&self, bytes: u64) {
        let number = self.number;
        self.recorder
            .record(|j| j.requests[number].body_bytes += bytes);
    }

    /// The answer is on the way. The client cannot have it yet, so that its pause until the next request is never
    /// measured too short.
    pub(in crate::sim) fn answered(&mut self, status: u16) {
        let number = self.number;
        self.recorder
            .record(|j| j.requests[number].status = Some(status));
        self.close();
    }

    /// From here on the client may give up and ask again, which does not count as an overlap.
    pub(in crate::sim) fn abandoned(&mut self) {
        self.close();
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.recorder.record(|j| {
                j.in_work -= 1;
                j.answered = Some(Instant::now());
            });
        }
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
