//! One device's upgrade up to its install: probe → decide → login → upload → check (protocol page,
//! sections 4 to 7). Straight-line code over [`Device`]; what follows the check is in `watch`.
//! Must not: know how a device is reached, or touch another device.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::device::{CheckAnswer, Device, Image, LoginError, Session, UploadProgress, Validated};
use crate::model::{
    CheckinReport, Component, Credentials, FailureKind, Outcome, Scope, Skip, Stage, Touched,
    Verdict, human_bytes, human_duration,
};

use super::attempt::{Attempt, Voice};
use super::event::{DeviceFact, Progress, Resume, Seen};

/// How long one poll of the validation may take to be answered; the page knows of 2 minutes.
const POLL_LIMIT: Duration = Duration::from_secs(150);
/// Seconds between two clocks from which a 401 may mean the clock and not the secret (section 6).
const CLOCKS_APART: u64 = 60;
/// The shortest token that is asked for: one login serves the whole upgrade.
const MIN_TOKEN: Duration = Duration::from_secs(60 * 60);
/// The longest token that makes sense (section 6).
const MAX_TOKEN: Duration = Duration::from_secs(8 * 60 * 60);

impl<D: Device> Attempt<D> {
    /// Looks at the device and says what would be done with it.
    pub(super) async fn plan(mut self) {
        let (seen, verdict) = match self.probe().await {
            Ok(seen) => {
                let verdict = self.decide(&seen);
                (Some(Box::new(seen)), verdict)
            }
            Err(Outcome::Failed(failure)) => (None, Verdict::Cannot(failure)),
            Err(outcome) => return self.voice.say(DeviceFact::Finished { outcome }).await,
        };
        self.voice.say(DeviceFact::Planned { seen, verdict }).await;
    }

    /// Upgrades the device; or, with `resume`, does only what an earlier attempt left open.
    pub(super) async fn upgrade(mut self, resume: Option<Resume>) {
        let ended = match resume {
            Some(Resume::Watch(watch)) => Ok(self.look_again(&watch).await),
            Some(Resume::Log(_)) => Ok(Outcome::Upgraded),
            None => self.through().await,
        };
        let (Ok(outcome) | Err(outcome)) = ended;
        self.voice.say(DeviceFact::Finished { outcome }).await;
    }

    async fn through(&mut self) -> Result<Outcome, Outcome> {
        let seen = self.probe().await?;
        let verdict = self.decide(&seen);
        let settled = verdict.outcome();
        self.voice
            .say(DeviceFact::Planned {
                seen: Some(Box::new(seen.clone())),
                verdict,
            })
            .await;
        if let Some(outcome) = settled {
            return Ok(outcome);
        }
        let mut access = self.enter(&seen).await?;
        let payload = Arc::clone(&self.payload);
        let Some(image) = &payload.firmware else {
            return Ok(Outcome::Current);
        };
        self.upload(&mut access, Image::Firmware(image)).await?;
        let validated = self.check(&mut access, Component::Firmware).await?;
        self.install(validated, &mut access, &seen).await
    }

    /// Reads version and status; no token needed (section 4).
    async fn probe(&mut self) -> Result<Seen, Outcome> {
        let mut try_no = 1;
        loop {
            let running = self.begin(Stage::Probe, try_no).await;
            let (running, look) = self.during(running, self.look()).await?;
            match look {
                Ok(seen) => {
                    let now = Timestamp::now().as_second();
                    self.clocks_apart = seen
                        .status
                        .clock
                        .is_some_and(|clock| clock.abs_diff(now) > CLOCKS_APART);
                    self.end(running, Some(200), describe(&seen)).await;
                    return Ok(seen);
                }
                Err(kind) => try_no = self.again(running, kind).await?,
            }
        }
    }

    pub(super) async fn look(&self) -> Result<Seen, FailureKind> {
        let version = self.device.version().await?;
        let status = self.device.status().await?;
        Ok(Seen { version, status })
    }

    /// What is to be done with a device that says this of itself.
    fn decide(&self, seen: &Seen) -> Verdict {
        let Seen { version, status } = seen;
        if version.is_epa() {
            return Verdict::Skip(Skip::Epa);
        }
        if self.is_image(version.fws) {
            return Verdict::Current;
        }
        let mut notes = Vec::new();
        if !status.fls_state.is_healthy() {
            if !self.policy.force {
                return FailureKind::FaultLatched(status.fls_state).into();
            }
            notes.push(format!("--force in spite of fault {}", status.fls_state));
        }
        if !status.initialised {
            notes.push("fresh: needs no login".to_owned());
        } else if self.device.credentials() == Credentials::None {
            return FailureKind::NoCredential.into();
        } else if self.needs_clock(seen) {
            notes.push("clock not set: checks in first".to_owned());
        }
        match self.firmware().map(|image| &image.facts.footer) {
            Some(None) => {
                notes.push("image without a known signature: at best unproven".to_owned());
            }
            Some(Some(footer)) if version.fwk.is_some_and(|fwk| fwk != footer.fwk) => {
                notes.push("image signed by another key than the running firmware".to_owned());
            }
            Some(Some(_)) | None => {}
        }
        Verdict::Upgrade { notes }
    }

    /// Whether a login will follow that the device refuses while its clock is unset (section 5).
    fn needs_clock(&self, seen: &Seen) -> bool {
        seen.status.initialised
            && seen.status.clock.is_none()
            && seen.status.trusted_time
            && self.device.credentials().needs_clock()
    }

    /// Sets the clock if a login needs it, and logs in if the device wants it.
    async fn enter(&mut self, seen: &Seen) -> Result<Access, Outcome> {
        if !seen.status.initialised {
            return Ok(Access::Open(Session::anonymous()));
        }
        let mut checked_in = false;
        if self.needs_clock(seen) {
            self.checkin().await?;
            checked_in = true;
        }
        let session = self.login(&mut checked_in).await?;
        Ok(Access::Login {
            session,
            checked_in,
        })
    }

    /// The check-in through the broker (section 5).
    async fn checkin(&mut self) -> Result<(), Outcome> {
        let mut try_no = 1;
        loop {
            let running = self.begin(Stage::Checkin, try_no).await;
            let (running, report) = self.during(running, self.device.checkin()).await?;
            match report {
                Ok(report) => {
                    // Report and upgrade orders leave the device usable; lock, wipe and brick do not.
                    if let Some(action) = report.action.clone()
                        && !matches!(action.as_str(), "R" | "U")
                    {
                        return Err(self
                            .fail(running, FailureKind::BackendAction { action })
                            .await);
                    }
                    self.end(running, Some(200), describe_checkin(&report))
                        .await;
                    return Ok(());
                }
                Err(kind) => try_no = self.again(running, kind).await?,
            }
        }
    }

    /// Logs in for `system:upgrade` (section 6). A 401 is final, but for clocks that are apart: one
    /// check-in and one more try, as after a 403.
    async fn login(&mut self, checked_in: &mut bool) -> Result<Session, Outcome> {
        let mut try_no = 1;
        loop {
            let running = self.begin(Stage::Login, try_no).await;
            let lifetime = self.token_lifetime();
            let (running, entered) = self
                .during(running, self.device.login(Scope::Upgrade, lifetime))
                .await?;
            let error = match entered {
                Ok(session) => {
                    let note = match session.expires {
                        Some(_) => {
                            format!("system:upgrade, valid {}", human_duration(lifetime))
                        }
                        None => "token as given".to_owned(),
                    };
                    self.end(running, session.expires.map(|_| 200), note).await;
                    return Ok(session);
                }
                Err(error) => error,
            };
            let kind = match error {
                // A challenge without `exp` does not tell the device's clock, but the status did.
                LoginError::Failed(FailureKind::WrongSecret) if self.clocks_apart => {
                    FailureKind::WrongSecret
                }
                LoginError::Failed(kind) => {
                    try_no = self.again(running, kind).await?;
                    continue;
                }
                LoginError::ClockUnset => FailureKind::ClockUnset,
                LoginError::ClockApart { .. } | LoginError::OtherDerivation { .. } => {
                    FailureKind::WrongSecret
                }
                LoginError::SecretWanted => FailureKind::NoSecret,
            };
            if *checked_in {
                return Err(self.fail(running, kind).await);
            }
            self.end_failed(running, kind).await;
            self.checkin().await?;
            *checked_in = true;
            try_no += 1;
        }
    }

    /// Long enough for everything up to the install, so that one login does.
    fn token_lifetime(&self) -> Duration {
        let limits = &self.policy.timeouts;
        (limits.upload + limits.check + limits.request)
            .mul_f64(1.2)
            .clamp(MIN_TOKEN, MAX_TOKEN)
    }

    /// A session that lives for at least `need`: a token about to expire is renewed before a step,
    /// not in it.
    pub(super) async fn session(
        &mut self,
        access: &mut Access,
        need: Duration,
    ) -> Result<Session, Outcome> {
        let need = need.min(self.token_lifetime() / 2);
        match access {
            Access::Open(session) => Ok(session.clone()),
            Access::Login {
                session,
                checked_in,
            } => {
                if session.expires.is_some_and(|at| at < Instant::now() + need) {
                    *session = self.login(checked_in).await?;
                }
                Ok(session.clone())
            }
        }
    }

    /// Sends the image (section 7); one that failed may be sent again from its start.
    async fn upload(&mut self, access: &mut Access, image: Image<'_>) -> Result<(), Outcome> {
        let mut try_no = 1;
        let total = image.bytes().len() as u64;
        loop {
            let session = self.session(access, self.policy.timeouts.upload).await?;
            let running = self.begin(Stage::Upload, try_no).await;
            let meter = Meter::new(self.voice.clone(), total);
            let sent = {
                let upload = self.device.upload(&session, image, &meter);
                tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => None,
                    sent = upload => Some(sent),
                }
            };
            if meter.sent.load(Ordering::Relaxed) > 0 {
                self.touched = Touched::ImageSent;
            }
            match sent {
                None => {
                    self.end_failed(running, FailureKind::Stopped).await;
                    return Err(Outcome::Cancelled(self.touched));
                }
                Some(Ok(())) => {
                    self.touched = Touched::ImageStaged;
                    let note = describe_upload(total, running.took());
                    self.end(running, Some(200), note).await;
                    return Ok(());
                }
                Some(Err(kind)) => try_no = self.again(running, kind).await?,
            }
        }
    }

    /// Has the device verify the staged image, and polls until it has (section 7).
    async fn check(
        &mut self,
        access: &mut Access,
        component: Component,
    ) -> Result<Validated, Outcome> {
        let limit = self.policy.timeouts.check;
        let session = self.session(access, limit).await?;
        let deadline = Instant::now() + limit;
        let mut running = self.begin(Stage::Check, 1).await;
        let mut polls = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let after = limit;
                return Err(self
                    .fail(running, FailureKind::CheckTimeout { polls, after })
                    .await);
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
                    running = self.begin(Stage::Check, next).await;
                    continue;
                }
            };
            polls += 1;
            self.voice
                .mention(Stage::Check, Progress::Polls { polls, status });
            let left = deadline.saturating_duration_since(Instant::now());
            let pause = tokio::time::sleep(self.policy.pace.check_poll.min(left));
            (running, ()) = self.during(running, pause).await?;
        }
    }
}

/// How the device is entered.
pub(super) enum Access {
    /// A fresh device wants no login.
    Open(Session),
    /// A login, which may have to be renewed.
    Login { session: Session, checked_in: bool },
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
    voice: Voice,
    total: u64,
    sent: AtomicU64,
}

impl Meter {
    fn new(voice: Voice, total: u64) -> Self {
        Self {
            voice,
            total,
            sent: AtomicU64::new(0),
        }
    }
}

impl UploadProgress for Meter {
    fn sent(&self, sent: u64) {
        self.sent.store(sent, Ordering::Relaxed);
        let total = self.total;
        self.voice
            .mention(Stage::Upload, Progress::Bytes { sent, total });
    }
}

fn describe(seen: &Seen) -> String {
    let Seen { version, status } = seen;
    format!(
        "{} · {} · {} · {}",
        version.fwv,
        version.hwv,
        status.fls_state,
        match (status.initialised, status.clock) {
            (false, _) => "fresh",
            (true, Some(_)) => "clock set",
            (true, None) => "clock not set",
        }
    )
}

/// Size and rate, the device's answer included.
fn describe_upload(bytes: u64, took: Duration) -> String {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = bytes.saturating_mul(1000) / millis;
    format!("{}, {}/s", human_bytes(bytes), human_bytes(rate))
}

fn describe_checkin(report: &CheckinReport) -> String {
    let mut note = match &report.action {
        None => "clock set".to_owned(),
        Some(action) => format!("clock set · THE BACKEND ORDERS: {action}"),
    };
    if let Some(newcrt) = &report.newcrt {
        note.push_str(" · new certificate: ");
        note.push_str(newcrt);
    }
    if report.newfws.is_some() {
        note.push_str(" · the backend offers a newer firmware");
    }
    note
}
