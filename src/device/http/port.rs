//! The port: what each answer of a device means (sections 4, 5 and 7).
//!
//! Must not: know how a request travels.

use std::time::Duration;

use bytes::Bytes;

use super::HttpDevice;
use super::exchange::Answer;
use super::request::{Call, Unanswered};
use crate::device::{
    CheckAnswer, Device, InstallAnswer, LoginError, Session, UploadProgress, Validated,
};
use crate::hem::wire::{self, path};
use crate::model::{
    CheckinReport, Credentials, DeviceStatus, DeviceVersion, FailureKind, FirmwareImage, LinkFault,
    human_duration,
};
/// The JSON of a 200.
fn json(answer: Answer) -> Result<Bytes, FailureKind> {
    match answer.status {
        200 => Ok(answer.body?),
        status => Err(FailureKind::Status { status }),
    }
}

impl Device for HttpDevice {
    async fn version(&self) -> Result<DeviceVersion, FailureKind> {
        let body = json(self.call(Call::get(path::VERSION)).await?)?;
        Ok(wire::parse_version(&body)?)
    }

    async fn status(&self) -> Result<DeviceStatus, FailureKind> {
        let body = json(self.call(Call::get(path::STATUS)).await?)?;
        Ok(wire::parse_status(&body)?)
    }

    async fn checkin(&self) -> Result<CheckinReport, FailureKind> {
        let check = json(self.call(Call::get(path::CHECKIN)).await?)?;
        wire::require_object(&check)?;
        let reply = self.broker.checkin(check).await?;
        let answer = self.call(Call::post(path::CHECKIN, reply)).await?;
        match answer.status {
            status @ (400 | 401) => Err(FailureKind::CheckinRefused { status }),
            _ => Ok(wire::parse_checkin_report(&json(answer)?)?),
        }
    }

    fn credentials(&self) -> Credentials {
        // Of the inventory, not of the secret at hand: a plan is made without one.
        self.spec.auth.credentials()
    }

    async fn login(&self, lifetime: Duration) -> Result<Session, LoginError> {
        self.log_in(lifetime).await
    }

    async fn upload(
        &self,
        session: &Session,
        image: &FirmwareImage,
        progress: &dyn UploadProgress,
    ) -> Result<(), FailureKind> {
        self.send_image(session, image, progress).await
    }

    async fn check(&self, session: &Session, limit: Duration) -> Result<CheckAnswer, FailureKind> {
        let call = Call::get(path::CHECK_FW).with(session).within(limit);
        let answer = self.call(call).await?;
        match answer.status {
            200 => Ok(CheckAnswer::Valid(Validated::by_device())),
            201 => Ok(CheckAnswer::Started),
            202 => Ok(CheckAnswer::Running),
            status => Err(FailureKind::Status { status }),
        }
    }

    async fn install(&self, _validated: Validated, session: &Session) -> InstallAnswer {
        match self.call(Call::get(path::INSTALL_FW).with(session)).await {
            Ok(answer) => match answer.status {
                200 => InstallAnswer::Accepted,
                status @ 400..=499 => InstallAnswer::Refused { status },
                status => InstallAnswer::Unclear {
                    why: format!("status {status}, which the protocol does not know here"),
                },
            },
            Err(Unanswered { fault, sent: false }) => InstallAnswer::NotSent(fault),
            Err(Unanswered { fault, sent: true }) => InstallAnswer::Unclear {
                why: match fault {
                    LinkFault::NoAnswer { after } => {
                        format!("no answer within {}", human_duration(after))
                    }
                    other => other.to_string(),
                },
            },
        }
    }
}
