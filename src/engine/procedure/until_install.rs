//! One device's upgrade up to its install: probe → decide → login → upload → check (protocol page, sections 4 to 7), as
//! straight-line code over [`Device`]. The steps are in the files beside it; what follows the check is in `install`.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::device::{Device, Image, Validated};
use crate::hem::limits::MAX_CLOCK_SKEW;
use crate::model::{
    CheckinReport, Component, DeviceMark, Doubt, Failure, FailureKind, LinkFault, OnExpired,
    Outcome, Scope, Stage, TlsFault, Touched, Verdict,
};

use super::attempt::{Attempt, AttemptEnd};
use super::login::Access;
use crate::engine::event::{DeviceFact, Resume, Seen};

/// How often an attempt starts on a device that somebody else changes meanwhile.
const MAX_STARTS: u32 = 3;

/// A look at a device.
pub(in crate::engine) struct Look {
    pub(in crate::engine) seen: Seen,
    /// Whether it has rebooted since the look before.
    pub(in crate::engine) rebooted: bool,
}

impl<D: Device> Attempt<D> {
    /// Looks at the device and says what would be done with it.
    pub(in crate::engine) async fn plan(mut self, resume: Option<Resume>) {
        let planned = match self.probe().await {
            Ok(seen) => {
                let open = resume.and_then(|r| self.open_end(&r, Ok(&seen)));
                let verdict = open.unwrap_or_else(|| self.decide(&seen));
                self.planned(seen, verdict)
            }
            Err(Outcome::Failed(failure)) => {
                let open = resume.and_then(|r| self.open_end(&r, Err(&failure.kind)));
                DeviceFact::Planned {
                    seen: None,
                    verdict: open.unwrap_or(Verdict::Cannot(failure)),
                    refused: None,
                }
            }
            Err(stopped) => {
                // What is in doubt stays so: a look that was stopped has seen nothing.
                let outcome = match resume {
                    Some(Resume::Install(_) | Resume::Earlier(_)) => {
                        Outcome::Unknown(Doubt::StoppedWatching)
                    }
                    Some(Resume::Log { .. }) => Outcome::Failed(Failure {
                        stage: Stage::Audit,
                        kind: FailureKind::NotConfirmed {
                            what: "stopped before the log was read".to_owned(),
                        },
                        touched: Touched::InstallSent,
                    }),
                    None => stopped,
                };
                return self.events.send(DeviceFact::Finished { outcome }).await;
            }
        };
        self.events.send(planned).await;
    }

    /// That the device said this of itself, what follows from it, and what that tells of an earlier run's install.
    pub(super) fn planned(&mut self, seen: Seen, verdict: Verdict) -> DeviceFact {
        self.told_look = true;
        DeviceFact::Planned {
            refused: self.refusal_seen(&seen).map(Box::new),
            seen: Some(Box::new(seen)),
            verdict,
        }
    }

    /// Upgrades the device; or, with `resume`, does only what an earlier attempt left open.
    /// `planned` is the device that was looked at for the plan.
    pub(in crate::engine) async fn upgrade(
        mut self,
        resume: Option<Resume>,
        planned: Option<DeviceMark>,
    ) {
        self.history().asked_phone();
        let ended = match resume {
            Some(Resume::Install(pending)) => match pending.component {
                Component::Firmware => Ok(self.look_again(&pending).await),
                Component::Ui => self.check_app_again(&pending).await,
            },
            Some(Resume::Earlier(earlier)) => match self.watch_earlier(&earlier).await {
                Ok(()) => {
                    let same = || Some(earlier.pending.device.clone());
                    let device = match planned {
                        None if self.may_be_other() => None,
                        planned => planned.or_else(same),
                    };
                    let ended = self.upgrade_from_start(device).await;
                    self.unless_unseen(ended)
                }
                Err(outcome) => Err(outcome),
            },
            Some(Resume::Log { mark, judged }) => Ok(self.read_again(mark.as_ref(), judged).await),
            None => self.upgrade_from_start(planned).await,
        };
        let (Ok(outcome) | Err(outcome)) = ended;
        self.look_up_refusal(&outcome).await;
        self.events.send(DeviceFact::Finished { outcome }).await;
    }

    /// The whole upgrade, from the first look on. It starts over if somebody else changes the device meanwhile, but not
    /// for ever.
    pub(super) async fn upgrade_from_start(
        &mut self,
        mut device: Option<DeviceMark>,
    ) -> Result<Outcome, Outcome> {
        let mut begun = 1;
        loop {
            self.repeated = false;
            let what = match self.try_upgrade(&mut device).await {
                Ok(outcome) => return Ok(outcome),
                Err(AttemptEnd::Final(outcome)) => return Err(outcome),
                Err(AttemptEnd::StartOver(what)) => what,
            };
            let running = self.begin(Stage::Probe, 1).await;
            let kind = FailureKind::ChangedMeanwhile { what };
            if begun >= MAX_STARTS {
                return Err(self.fail(running, kind).await);
            }
            self.end_failed(running, kind).await;
            begun += 1;
        }
    }

    /// The app first, the firmware last. `device` is the one that the attempt began with.
    async fn try_upgrade(
        &mut self,
        device: &mut Option<DeviceMark>,
    ) -> Result<Outcome, AttemptEnd> {
        let seen = self.probe().await?;
        let device = device.get_or_insert_with(|| seen.version.mark());
        if let Some(what) = device.differs(&seen.version) {
            return Err(self.replaced(what).await.into());
        }
        let verdict = self.decide(&seen);
        let settled = verdict.outcome();
        let planned = self.planned(seen.clone(), verdict);
        self.events.send(planned).await;
        match settled {
            Some(Outcome::Current) => return Ok(self.nothing_left().await),
            Some(outcome) => return Ok(outcome),
            None => {}
        }
        let work = self.work(&seen);
        let first = if work.app {
            Component::Ui
        } else {
            Component::Firmware
        };
        let mut access = match self.enter(&seen, Scope::Upgrade).await {
            Ok(access) => access,
            Err(outcome) => return Err(self.or_changed(first, &seen, outcome).await),
        };
        if self.repeated {
            self.look_for_change(first, &seen).await?;
        }
        let payload = Arc::clone(&self.payload);
        if let Some(app) = payload.app.as_ref().filter(|_| work.app)
            && self.roll_app(&mut access, Image::Ui(app), &seen).await?
        {
            return Ok(self.app_unconfirmed().await);
        }
        let Some(image) = payload.firmware.as_ref().filter(|_| work.firmware) else {
            return Ok(Outcome::Current);
        };
        let image = Image::Firmware(image);
        let validated = self.stage(&mut access, image, &seen).await?;
        self.install(validated, &mut access, &seen).await
    }

    /// Sends an image and has it verified.
    pub(in crate::engine) async fn stage(
        &mut self,
        access: &mut Access,
        image: Image<'_>,
        seen: &Seen,
    ) -> Result<Validated, AttemptEnd> {
        let component = image.component();
        let staged = match self.upload(access, image).await {
            Ok(()) => self.check(access, component).await,
            Err(outcome) => Err(outcome),
        };
        match staged {
            Ok(validated) => Ok(validated),
            Err(outcome) => Err(self.or_changed(component, seen, outcome).await),
        }
    }

    /// Reads version and status; no token needed (section 4). A certificate that has expired, and is
    /// otherwise trusted, may be renewed by a check-in over plain HTTP, once, where the inventory says so.
    pub(in crate::engine) async fn probe(&mut self) -> Result<Seen, Outcome> {
        let mut try_no = 1;
        let mut renewed: Option<CheckinReport> = None;
        loop {
            let running = self.begin(Stage::Probe, try_no).await;
            let (running, look) = self.during(running, self.look()).await?;
            match look {
                Ok(Look { seen, .. }) => {
                    let now = Timestamp::now().as_second();
                    self.clocks_apart = seen
                        .status
                        .clock
                        .is_some_and(|clock| clock.abs_diff(now) > MAX_CLOCK_SKEW);
                    self.end(running, Some(200), describe(&seen)).await;
                    return Ok(seen);
                }
                Err(kind) => match (expired(&kind), renewed.as_ref()) {
                    (Some((days, not_after)), Some(report)) => {
                        let newcrt = report.newcrt.clone();
                        let kind = FailureKind::StillExpired {
                            days,
                            not_after,
                            newcrt,
                        };
                        return Err(self.fail(running, kind).await);
                    }
                    (Some(_), None) if self.policy.on_expired == OnExpired::Checkin => {
                        self.end_failed(running, kind).await;
                        renewed = Some(self.set_clock(true).await?);
                        try_no += 1;
                    }
                    _ => try_no = self.again(running, kind).await?,
                },
            }
        }
    }

    /// Version and status, asked for once.
    pub(in crate::engine) async fn look(&self) -> Result<Look, FailureKind> {
        let version = self.device.version().await?;
        let asked = Instant::now();
        let status = self.device.status().await?;
        let rebooted = self.history().saw(&status, asked, Instant::now());
        let seen = Seen { version, status };
        Ok(Look { seen, rebooted })
    }

    /// The check-in through the broker (section 5).
    pub(in crate::engine) async fn checkin(&mut self) -> Result<(), Outcome> {
        self.set_clock(false).await.map(drop)
    }

    /// The same; `in_clear` over plain HTTP, in which nothing is secret.
    async fn set_clock(&mut self, in_clear: bool) -> Result<CheckinReport, Outcome> {
        let mut try_no = 1;
        loop {
            let running = self.begin(Stage::Checkin, try_no).await;
            let asked = async {
                if in_clear {
                    self.device.checkin_in_clear().await
                } else {
                    self.device.checkin().await
                }
            };
            let (running, report) = self.during(running, asked).await?;
            match report {
                Ok(report) => {
                    if let Some(action) = order_to_stop(&report) {
                        return Err(self
                            .fail(running, FailureKind::BackendAction { action })
                            .await);
                    }
                    self.clocks_apart = false;
                    self.end(running, Some(200), describe_checkin(&report))
                        .await;
                    return Ok(report);
                }
                Err(kind) => try_no = self.again(running, kind).await?,
            }
        }
    }
}

/// What the backend orders that leaves the device unusable: lock, wipe and brick do, report and upgrade do
/// not (section 5).
pub(super) fn order_to_stop(report: &CheckinReport) -> Option<String> {
    let action = report.action.clone()?;
    (!matches!(action.as_str(), "R" | "U")).then_some(action)
}

/// Since when the certificate, trusted but for that, has expired.
fn expired(kind: &FailureKind) -> Option<(i64, String)> {
    match kind {
        FailureKind::Link(LinkFault::Tls(TlsFault::Expired { days, not_after })) => {
            Some((*days, not_after.clone()))
        }
        _ => None,
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

pub(super) fn describe_checkin(report: &CheckinReport) -> String {
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
