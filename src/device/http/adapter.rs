//! Implements [`Device`] for [`HttpDevice`]: which request each method sends, and what each answer means.
//!
//! Logins and approvals are in `login`; how a request travels is in `send`.

use std::time::Duration;

use bytes::Bytes;

use super::HttpDevice;
use super::connection::connect::Route;
use super::connection::exchange::{Answer, BodyError};
use super::log_download::LogDownload;
use super::request::{Call, RequestError};
use crate::device::{
    Approval, ApprovalAnswer, ApprovalReply, CheckAnswer, Device, Image, InstallAnswer, LogFile,
    LogPage, LoginError, ProvenKey, RawLog, Session, UploadProgress, Validated,
};
use crate::hem::audit::{self, Delivery, LogKey, LogReader, Search};
use crate::hem::limits::MAX_LOG_IDS;
use crate::hem::{json, path};
use crate::model::{
    CheckinReport, Component, Credential, Credentials, DeviceStatus, DeviceVersion, FailureKind,
    LinkFault, LinkTrust, LogId, Scheme, Scope, Secret, human_duration,
};

/// The JSON of a 200.
fn json(answer: Answer) -> Result<Bytes, FailureKind> {
    match answer.status {
        200 => Ok(answer.body?),
        status => Err(FailureKind::Status { status }),
    }
}

impl HttpDevice {
    /// The three steps of a check-in (section 5); the device's two go over `route` where one is given.
    async fn check_in(&self, route: Option<&Route>) -> Result<CheckinReport, FailureKind> {
        let check = json(self.call(Call::get(path::CHECKIN).over(route)).await?)?;
        json::require_object(&check)?;
        let reply = self.broker.checkin(check).await?;
        let call = Call::post(path::CHECKIN, reply).over(route);
        let answer = self.call(call).await?;
        if let status @ (400 | 401) = answer.status {
            return Err(FailureKind::CheckinRefused { status });
        }
        let report = json::parse_checkin_report(&json(answer)?)?;
        if report.action.is_none() {
            self.logins.clock_was_set();
        }
        Ok(report)
    }
}

impl Device for HttpDevice {
    async fn version(&self) -> Result<DeviceVersion, FailureKind> {
        let body = json(self.call(Call::get(path::VERSION)).await?)?;
        Ok(json::parse_version(&body)?)
    }

    async fn status(&self) -> Result<DeviceStatus, FailureKind> {
        let body = json(self.call(Call::get(path::STATUS)).await?)?;
        Ok(json::parse_status(&body)?)
    }

    async fn checkin(&self) -> Result<CheckinReport, FailureKind> {
        self.check_in(None).await
    }

    async fn checkin_in_clear(&self) -> Result<CheckinReport, FailureKind> {
        let clear = self.clear.as_ref();
        let clear = clear.ok_or_else(|| FailureKind::NoPlainHttp {
            target: self.spec.target().to_string(),
        })?;
        self.check_in(Some(clear)).await
    }

    fn credentials(&self) -> Credentials {
        // From the inventory, not from the secret at hand: a plan is made without secrets.
        self.spec.auth.credentials()
    }

    fn link(&self) -> LinkTrust {
        self.spec.link()
    }

    fn may_carry_token(&self) -> bool {
        self.spec.endpoint.scheme == Scheme::Https || self.spec.allow_plain_login
    }

    async fn login(&self, scope: Scope, lifetime: Duration) -> Result<Session, LoginError> {
        self.log_in(scope, lifetime).await
    }

    fn give_secret(&self, secret: Secret) {
        // Any other credential already has its secret and its derivation.
        if matches!(self.credential, Credential::Prompt) {
            self.logins.give(secret);
        }
    }

    fn upgraded_eid(&self) -> Option<String> {
        self.logins.upgraded_eid()
    }

    fn expect_eid(&self, eid: &str) {
        self.logins.upgraded_at(eid);
    }

    async fn request_approval(&self, scope: Scope, note: &str) -> Result<Approval, LoginError> {
        self.ask_owner(scope, note).await
    }

    async fn poll_approval(&self, approval: &Approval) -> Result<ApprovalAnswer, FailureKind> {
        self.ask_broker(approval).await
    }

    async fn redeem_approval(
        &self,
        _approval: &Approval,
        reply: ApprovalReply,
    ) -> Result<Session, LoginError> {
        self.redeem(&reply).await
    }

    async fn withdraw_approval(&self, approval: &Approval) -> Result<(), FailureKind> {
        self.withdraw(approval).await
    }

    async fn upload(
        &self,
        session: &Session,
        image: Image<'_>,
        progress: &dyn UploadProgress,
    ) -> Result<(), FailureKind> {
        self.send_image(session, image, progress).await
    }

    async fn check(
        &self,
        component: Component,
        session: &Session,
        limit: Duration,
    ) -> Result<CheckAnswer, FailureKind> {
        let path = match component {
            Component::Firmware => path::CHECK_FW,
            Component::Ui => path::CHECK_UI,
        };
        let answer = self
            .call(Call::get(path).with(session).within(limit))
            .await?;
        match answer.status {
            200 => Ok(CheckAnswer::Valid(Validated::by_device(component))),
            201 => Ok(CheckAnswer::Started),
            202 => Ok(CheckAnswer::Running),
            status => Err(FailureKind::Status { status }),
        }
    }

    async fn install(&self, validated: Validated, session: &Session) -> InstallAnswer {
        let path = match validated.component() {
            Component::Firmware => path::INSTALL_FW,
            Component::Ui => path::INSTALL_UI,
        };
        match self.call(Call::get(path).with(session)).await {
            Ok(answer) => InstallAnswer::of_status(answer.status),
            Err(RequestError { fault, sent: false }) => InstallAnswer::NotSent(fault),
            Err(RequestError { fault, sent: true }) => InstallAnswer::Unclear {
                why: match fault {
                    LinkFault::NoAnswer { after } => {
                        format!("no answer within {}", human_duration(after))
                    }
                    other => other.to_string(),
                },
            },
        }
    }

    async fn log_key(&self, session: &Session) -> Result<ProvenKey, FailureKind> {
        let answer = json(self.call(Call::get(path::LOG_KEY).of(session)).await?)?;
        let key = audit::prove_key(&audit::parse_key_answer(&answer)?).map_err(|e| {
            FailureKind::KeyNotProven {
                what: e.to_string(),
            }
        })?;
        Ok(ProvenKey { key, answer })
    }

    async fn log_page(&self, session: &Session, offset: usize) -> Result<LogPage, FailureKind> {
        let path = format!("{}{offset}", path::LOG_LIST);
        let body = json(self.call(Call::get(path).of(session)).await?)?;
        let list = audit::parse_list(&body)?;
        if list.listed > MAX_LOG_IDS {
            return Err(FailureKind::LogTooLarge {
                what: format!(
                    "a page of the list has {} ids, and devices send {MAX_LOG_IDS} at most",
                    list.listed
                ),
            });
        }
        Ok(LogPage {
            next: offset + list.ids.len() + list.unusable,
            unusable: list.unusable,
            ids: list.ids,
        })
    }

    async fn log_file(
        &self,
        session: &Session,
        id: &LogId,
        key: &LogKey,
        search: Option<Search>,
        raw: Option<Box<dyn RawLog>>,
    ) -> Result<LogFile, FailureKind> {
        let path = format!("{}{id}", path::LOG_FILE);
        let mut intake = LogDownload::new(LogReader::new(key, search), raw);
        let call = Call::get(path).of(session).file();
        let answer = self.call_into(call, &mut intake).await?;
        if answer.status != 200 {
            return Err(FailureKind::Status {
                status: answer.status,
            });
        }
        match answer.body {
            Ok(()) => intake.finish(Delivery::Whole).await,
            Err(BodyError::CutShort(_)) => intake.finish(Delivery::Short).await,
            Err(BodyError::TooLong(limit)) => Err(FailureKind::LogTooLarge {
                what: format!("file {id} is larger than {} MiB", limit / 1024 / 1024),
            }),
            Err(broken) => Err(broken.into()),
        }
    }
}
