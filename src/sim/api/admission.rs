//! Finds the endpoint of a request, refuses what can be refused without it, and writes what an answer leaves in the
//! audit log (sections [2](crate::hem#2-transport), [3](crate::hem#3-status-codes) and
//! [6](crate::hem#6-authentication)).
//!
//! Where the page leaves the order of refusals open, it is: `Origin`, a bad `Authorization` (always 401), no such
//! endpoint, TLS, length, missing `Authorization`, scope, and last the endpoint itself.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::ORIGIN;
use hyper::{Method, Request, Response};

use super::answer::{Answer, Body, Gone, after, before, respond};
use super::call::{Call, Connection, content_length};
use super::endpoint::Endpoint;
use super::management_app::ManagementApp;
use super::upgrade::Image;
use super::upload_and_check;
use super::{
    approval, config, logger, login, management_app, other_endpoints, status_and_checkin, upgrade,
};
use crate::model::{AuditResult, AuditType};
use crate::sim::device::audit_log::{self, Entry};
use crate::sim::device::device_core::DeviceCore;
use crate::sim::script::fault::Act;
use crate::sim::script::fault_point::FaultPoint;

/// Answers one request, or ends its connection.
pub(in crate::sim) async fn answer(
    device: Arc<DeviceCore>,
    link: Connection,
    request: Request<Incoming>,
) -> Result<Response<Body>, Gone> {
    let path = request.uri().path().to_owned();
    let endpoint = Endpoint::of(request.method().as_str(), &path);
    let origin = request.headers().get(ORIGIN).cloned();
    let boot = device.state().boot.number;
    let mut call = Call {
        device: &device,
        exchange: device
            .recorder
            .begin(request.method().as_str(), &path, boot),
        request,
        act: device.strike(endpoint.map_or(FaultPoint::Any, Endpoint::point)),
        plan: &link.plan,
        tls: link.tls,
    };
    if let Some(Act::Stall { after: 0, .. }) = call.act {
        call.exchange.abandoned();
    }
    let said = match before(call.act.as_ref()).await {
        Some(said) => {
            // Scripted refusals leave the same log entries as real ones. Nothing was done, so there is no other entry.
            if let Ok(answer) = &said
                && answer.status >= 400
            {
                call.leave_entry(endpoint, answer.status);
            }
            said
        }
        None => match call.check_and_carry_out(endpoint).await {
            Ok(answer) => {
                call.leave_entry(endpoint, answer.status);
                after(call.act.as_ref(), answer).await
            }
            Err(gone) => Err(gone),
        },
    };
    if let Ok(answer) = &said {
        call.exchange.answered(answer.status);
    }
    let mut response = respond(said, call.act.as_ref(), &link.ending)?;
    if let Some(origin) = origin.filter(|_| response.status() != 412) {
        other_endpoints::allow_origin(response.headers_mut(), origin, call.request.method());
    }
    Ok(response)
}

impl Call<'_> {
    async fn check_and_carry_out(&mut self, endpoint: Option<Endpoint>) -> Result<Answer, Gone> {
        if self.request.method() == Method::OPTIONS && self.origin_is_allowed() {
            return Ok(Answer::status(204));
        }
        match self.refusal(endpoint) {
            Err(status) => Ok(Answer::status(status)),
            Ok(endpoint) => self.carry_out(endpoint).await,
        }
    }

    /// What can be refused before the endpoint is asked, and before any byte of the body.
    fn refusal(&self, endpoint: Option<Endpoint>) -> Result<Endpoint, u16> {
        let device = self.device;
        let headers = self.request.headers();
        if !self.origin_is_allowed() {
            return Err(412);
        }
        let bearer = self.bearer()?;
        let endpoint = endpoint.ok_or(404_u16)?;
        if endpoint.wants_tls() && !self.tls {
            return Err(418);
        }
        if endpoint.is_ppa_only() && device.is_epa() {
            return Err(404);
        }
        if let Some(longest) = endpoint.longest() {
            match content_length(headers) {
                None => return Err(411),
                Some(length) if length > longest as u64 => return Err(413),
                Some(_) => {}
            }
        }
        let allowed = endpoint.scopes();
        match bearer {
            _ if allowed.is_empty() => {}
            None if endpoint.is_open_when_fresh() && device.script.fresh => {}
            None => return Err(401),
            Some(bearer) if bearer.sub == "M" && endpoint.denies_master() => return Err(403),
            Some(bearer) if allowed.iter().any(|a| bearer.scope.starts_with(a)) => {}
            Some(_) => return Err(403),
        }
        Ok(endpoint)
    }

    /// Writes what an answer leaves behind in the audit log (sections 7 and 9). The page does not say whose
    /// scope a failed check names: here it is the token's.
    fn leave_entry(&self, endpoint: Option<Endpoint>, status: u16) {
        let Some(endpoint) = endpoint else { return };
        // An appliance has no upgrades and no log files, and logs nothing about them.
        if endpoint.is_ppa_only() && self.device.is_epa() {
            return;
        }
        let (kind, result) = match (endpoint, status) {
            (_, 403) if !endpoint.scopes().is_empty() => {
                (AuditType::FAILED_SCOPE_CHECK, AuditResult::Failed)
            }
            (Endpoint::Install | Endpoint::InstallUi | Endpoint::Usbmode, 200) => {
                (AuditType::UPGRADE, AuditResult::Ok)
            }
            (Endpoint::Install | Endpoint::InstallUi, 406 | 409) | (Endpoint::Usbmode, 409) => {
                (AuditType::UPGRADE, AuditResult::Error)
            }
            (Endpoint::Reboot, 200) => (audit_log::REBOOT, AuditResult::Ok),
            (Endpoint::Shutdown, 200) => (audit_log::SHUTDOWN, AuditResult::Ok),
            (Endpoint::LogList, 200) => (audit_log::LISTED, AuditResult::Ok),
            (Endpoint::LogList, 404) => (audit_log::LISTED, AuditResult::Failed),
            (Endpoint::LogFile, 200) => (audit_log::READ, AuditResult::Ok),
            (Endpoint::LogFile, 404) => (audit_log::READ, AuditResult::Failed),
            (Endpoint::ConfigUpdate, 200) => (audit_log::CONFIG_UPDATED, AuditResult::Ok),
            (Endpoint::ConfigUpdate, 406) => (audit_log::CONFIG_UPDATED, AuditResult::Failed),
            _ => return,
        };
        let (subject, scope) = match self.bearer() {
            Ok(Some(bearer)) => (bearer.sub, bearer.scope),
            _ => Default::default(),
        };
        let extra = match kind {
            AuditType::FAILED_SCOPE_CHECK => scope.into_bytes(),
            // Raw bytes, not text (section 9).
            audit_log::READ => logger::asked_for(self),
            _ => Vec::new(),
        };
        self.device.state().log_entry(&Entry {
            kind,
            result,
            subject: &subject,
            extra: &extra,
        });
    }

    async fn carry_out(&mut self, endpoint: Endpoint) -> Result<Answer, Gone> {
        match endpoint {
            Endpoint::Version => Ok(status_and_checkin::version(self)),
            Endpoint::Status => Ok(status_and_checkin::status(self)),
            Endpoint::Checkin => Ok(status_and_checkin::checkin(self)),
            Endpoint::CheckinReply => status_and_checkin::checkin_reply(self).await,
            Endpoint::Challenge => Ok(login::challenge(self).await),
            Endpoint::Login => login::login(self).await,
            Endpoint::Upload => upgrade::upload(self).await,
            Endpoint::Check => Ok(upload_and_check::check::<Image>(self).await),
            Endpoint::Install => Ok(upgrade::install(self)),
            Endpoint::Usbmode => Ok(upgrade::usbmode(self)),
            Endpoint::Reboot => Ok(upgrade::reboot(self)),
            Endpoint::LogKey => Ok(logger::key(self)),
            Endpoint::LogList => Ok(logger::list(self)),
            Endpoint::LogFile => Ok(logger::file(self)),
            Endpoint::ExtRequest => approval::request(self).await,
            Endpoint::ExtToken => approval::token(self).await,
            Endpoint::UploadUi => management_app::upload(self).await,
            Endpoint::CheckUi => Ok(upload_and_check::check::<ManagementApp>(self).await),
            Endpoint::InstallUi => Ok(management_app::install(self)),
            Endpoint::Init => Ok(other_endpoints::init(self)),
            Endpoint::InitReply => other_endpoints::personalise(self).await,
            Endpoint::Config => Ok(config::read(self)),
            Endpoint::ConfigUpdate => config::change(self).await,
            Endpoint::Attestation => Ok(other_endpoints::attestation(self)),
            Endpoint::Selftest => Ok(other_endpoints::selftest(self)),
            Endpoint::Shutdown => Ok(upgrade::shutdown(self)),
            Endpoint::KeyList => Ok(other_endpoints::no_keys()),
            Endpoint::KeySearch => other_endpoints::search(self).await,
            Endpoint::Keys => Ok(Answer::status(404)),
            Endpoint::Crypto => Ok(Answer::status(406)),
        }
    }
}
