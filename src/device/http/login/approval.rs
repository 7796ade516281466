//! Approval on the owner's phone: requests to the device and to the broker by turns ([section
//! 10](crate::hem#10-mobile-approval)).
//!
//! Each call asks once. Waiting for the owner is the engine's business.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::passphrase::issued;
use crate::device::http::HttpDevice;
use crate::device::http::broker::client::garbled;
use crate::device::http::request::Call;
use crate::device::{Approval, ApprovalAnswer, ApprovalReply, Device as _, LoginError, Session};
use crate::hem::approval::{self, Answered};
use crate::hem::limits::{FAST_CLOCK, MAX_JSON_BODY, PHONE_TOKEN_LIFE};
use crate::hem::{json, path};
use crate::model::{BrokerFault, FailureKind, Scope};

/// How much of [`PHONE_TOKEN_LIFE`] may be gone when the device hands out the token: the phone stamps it when the
/// owner approves, and the next poll notices.
const SPENT: Duration = Duration::from_secs(60);

impl HttpDevice {
    /// See [`crate::device::Device::request_approval`].
    pub(in crate::device::http) async fn ask_owner(
        &self,
        scope: Scope,
        note: &str,
    ) -> Result<Approval, LoginError> {
        self.logins.are_left()?;
        // These endpoints do not tell the device's clock.
        let clock = self.status().await?.clock;
        let session = self.broker.get(path::NOTIFY_SESSION, None).await;
        let session = session.and_then(crate::device::http::broker::client::Reply::object);
        let session = session.map_err(FailureKind::from)?;
        let body = approval::request_body(&session, scope, note)
            .map_err(|e| FailureKind::from(garbled(&e.to_string())))?;
        if body.len() > MAX_JSON_BODY {
            return Err(FailureKind::from(garbled("longer than a device takes")).into());
        }
        let answer = self
            .call(Call::post(path::EXT_REQUEST, Bytes::from(body)))
            .await?;
        let request = match answer.status {
            200 => answer.body.map_err(FailureKind::from)?,
            403 => return Err(LoginError::ClockUnset),
            status => return Err(FailureKind::Status { status }.into()),
        };
        json::require_object(&request).map_err(FailureKind::from)?;

        let told = self.broker.post(path::NOTIFY_NEW, request).await;
        let told = told.map_err(FailureKind::from)?;
        // A check-in is due even if there was one before: that one was not for this (section 10, step 3).
        if told.status == 401 {
            let local = jiff::Timestamp::now().as_second();
            return Err(LoginError::ClockApart {
                seconds: clock.map_or(0, |clock| clock.abs_diff(local)),
            });
        }
        let event = told.object().map_err(FailureKind::from)?;
        let event = approval::parse_event(&event)
            .map_err(|e| FailureKind::from(garbled(&e.to_string())))?;
        Ok(Approval { event, scope })
    }

    /// See [`crate::device::Device::poll_approval`].
    pub(in crate::device::http) async fn ask_broker(
        &self,
        approval: &Approval,
    ) -> Result<ApprovalAnswer, FailureKind> {
        let event = Some(approval.event.as_str());
        let reply = self.broker.get(path::NOTIFY_CHECK, event).await?;
        match reply.status {
            202 => Ok(ApprovalAnswer::Pending),
            404 => Ok(ApprovalAnswer::Expired),
            _ => match approval::parse_answer(&reply.object()?)
                .map_err(|e| garbled(&e.to_string()))?
            {
                Answered::Approved(reply) => Ok(ApprovalAnswer::Approved(ApprovalReply(reply))),
                Answered::Denied => Ok(ApprovalAnswer::Denied),
            },
        }
    }

    /// See [`crate::device::Device::redeem_approval`].
    pub(in crate::device::http) async fn redeem(
        &self,
        reply: &ApprovalReply,
    ) -> Result<Session, LoginError> {
        self.logins.are_left()?;
        let body = Bytes::from(approval::reply_body(&reply.0));
        if body.len() > MAX_JSON_BODY {
            return Err(FailureKind::from(garbled("longer than a device takes")).into());
        }
        // The clock is only for finding the token in the log. The token is issued by this request, however long the
        // owner took.
        let asked = Instant::now();
        let clock = self.status().await.ok().and_then(|status| status.clock);
        let begun = Instant::now();
        let answer = self.call(Call::post(path::EXT_TOKEN, body)).await?;
        match answer.status {
            200 => {}
            403 => return Err(LoginError::ClockUnset),
            status @ (401 | 406) => {
                if status == 401 {
                    self.logins.count_refusal();
                }
                return Err(FailureKind::ApprovalRefused { status }.into());
            }
            status => return Err(FailureKind::Status { status }.into()),
        }
        let body = answer.body.map_err(FailureKind::from)?;
        let token = json::parse_token(&body).map_err(FailureKind::from)?;
        Ok(Session {
            token: Some(token),
            expires: begun.checked_add(
                PHONE_TOKEN_LIFE
                    .saturating_sub(SPENT)
                    .mul_f64(1.0 / FAST_CLOCK),
            ),
            issued: clock.map(|clock| issued(clock, asked.elapsed())),
            derivation: None,
        })
    }

    /// See [`crate::device::Device::withdraw_approval`].
    pub(in crate::device::http) async fn withdraw(
        &self,
        approval: &Approval,
    ) -> Result<(), FailureKind> {
        let reply = self.broker.delete(path::NOTIFY_EVENT, &approval.event);
        match reply.await?.status {
            // What the broker no longer knows is on no phone either.
            200..=299 | 404 => Ok(()),
            status => Err(BrokerFault::Status { status }.into()),
        }
    }
}
