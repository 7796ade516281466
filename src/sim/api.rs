//! The device's endpoints: which there are, and what is judged before one is asked (sections 2, 3
//! and 6).
//!
//! The order of judgement, where the page leaves it open: `Origin`, a bad `Authorization` (always
//! 401), no such endpoint, TLS, length, missing `Authorization`, scope, and last the endpoint itself.
//! Must not: do what an endpoint does.

use std::sync::{Arc, OnceLock};

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, ORIGIN};
use hyper::{Method, Request, Response};
use serde::de::DeserializeOwned;

use super::answer::{Answer, Body, Gone, after, before, respond};
use super::fault::{Act, Point};
use super::journal::Exchange;
use super::logbook::{self, Note};
use super::machine::{Bearer, BootPlan};
use super::port::Ending;
use super::scenario::LinkScheme;
use super::unit::Unit;
use super::{auth, logger, system, upgrade};
use crate::model::{AuditResult, AuditType};

/// JSON bodies (section 2).
const MAX_JSON: u64 = 7_300;
/// Raw uploads at the server (section 2).
const MAX_UPLOAD: u64 = 16 * 1024 * 1024;

/// What the page has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Endpoint {
    Version,
    Status,
    Checkin,
    CheckinReply,
    Challenge,
    Login,
    Upload,
    Check,
    Install,
    Reboot,
    LogKey,
    LogList,
    LogFile,
    /// Keys and crypto: not simulated, but for their refusal over HTTP (section 3).
    Vault,
}

impl Endpoint {
    fn of(method: &Method, path: &str) -> Option<Self> {
        if path.starts_with("/api/keymgmt/") || path.starts_with("/api/crypto/") {
            return Some(Self::Vault);
        }
        Some(match (method.as_str(), path) {
            ("GET", "/api/system/version") => Self::Version,
            ("GET", "/api/system/status") => Self::Status,
            ("GET", "/api/system/checkin") => Self::Checkin,
            ("POST", "/api/system/checkin") => Self::CheckinReply,
            ("GET", "/api/auth/token") => Self::Challenge,
            ("POST", "/api/auth/token") => Self::Login,
            ("POST", "/api/system/upgrade/upload_fw") => Self::Upload,
            ("GET", "/api/system/upgrade/check_fw") => Self::Check,
            ("GET", "/api/system/upgrade/install_fw") => Self::Install,
            ("GET", "/api/system/reboot") => Self::Reboot,
            ("GET", "/api/logger/key") => Self::LogKey,
            ("GET", path) if path.starts_with(logger::LIST) => Self::LogList,
            ("GET", path) if path.starts_with(logger::FILE) => Self::LogFile,
            _ => return None,
        })
    }

    fn point(self) -> Point {
        match self {
            Self::Version => Point::Version,
            Self::Status => Point::Status,
            Self::Checkin => Point::Checkin,
            Self::CheckinReply => Point::CheckinReply,
            Self::Challenge => Point::Challenge,
            Self::Login => Point::Login,
            Self::Upload => Point::Upload,
            Self::Check => Point::Check,
            Self::Install => Point::Install,
            Self::Reboot => Point::Reboot,
            Self::LogKey => Point::LogKey,
            Self::LogList => Point::LogList,
            Self::LogFile => Point::LogFile,
            Self::Vault => Point::Any,
        }
    }

    /// What appliances do not have (section 1).
    fn is_ppa_only(self) -> bool {
        self.is_upgrade() || matches!(self, Self::LogList | Self::LogFile)
    }

    fn is_upgrade(self) -> bool {
        matches!(self, Self::Upload | Self::Check | Self::Install)
    }

    /// The scopes of which one must begin the token's (section 6); none where no token is needed.
    fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Upload => &["system:upgrade"],
            Self::Check | Self::Install => &["system:upgrade", "system:config"],
            Self::Reboot => &["system:config", "system:upgrade", "system:shutdown"],
            Self::LogKey | Self::LogList | Self::LogFile => &["logger:get"],
            Self::Vault => &["keymgmt:"],
            _ => &[],
        }
    }

    /// The largest body, where the endpoint takes one.
    fn longest(self) -> Option<u64> {
        match self {
            Self::Upload => Some(MAX_UPLOAD),
            Self::CheckinReply | Self::Login => Some(MAX_JSON),
            _ => None,
        }
    }
}

/// The connection that a request came over.
#[derive(Clone, Default)]
pub(super) struct Link {
    pub(super) ending: Ending,
    /// The reboot that begins once this connection has ended.
    pub(super) plan: Arc<OnceLock<BootPlan>>,
}

/// One request as the endpoints see it.
pub(super) struct Call<'a> {
    pub(super) unit: &'a Unit,
    pub(super) request: Request<Incoming>,
    pub(super) exchange: Exchange<'a>,
    pub(super) act: Option<Act>,
    pub(super) plan: &'a OnceLock<BootPlan>,
}

/// Answers one request, or ends its connection.
pub(super) async fn answer(
    unit: Arc<Unit>,
    link: Link,
    request: Request<Incoming>,
) -> Result<Response<Body>, Gone> {
    let path = request.uri().path().to_owned();
    let endpoint = Endpoint::of(request.method(), &path);
    let boot = unit.machine().boot.number;
    let mut call = Call {
        unit: &unit,
        exchange: unit.recorder.begin(request.method().as_str(), &path, boot),
        request,
        act: unit.strike(endpoint.map_or(Point::Any, Endpoint::point)),
        plan: &link.plan,
    };
    if let Some(Act::Stall { after: 0, .. }) = call.act {
        call.exchange.abandoned();
    }
    let said = match before(call.act.as_ref()).await {
        Some(said) => {
            // Scripted refusals leave the entries of real ones; but what was not done has not happened.
            if let Ok(answer) = &said
                && answer.status >= 400
            {
                call.leave_entry(endpoint, answer.status);
            }
            said
        }
        None => match call.judge(endpoint).await {
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
    respond(said, call.act.as_ref(), &link.ending)
}

impl Call<'_> {
    async fn judge(&mut self, endpoint: Option<Endpoint>) -> Result<Answer, Gone> {
        match self.refusal(endpoint) {
            Err(status) => Ok(Answer::status(status)),
            Ok(endpoint) => self.carry_out(endpoint).await,
        }
    }

    /// What can be refused before the endpoint is asked, and before any byte of the body.
    fn refusal(&self, endpoint: Option<Endpoint>) -> Result<Endpoint, u16> {
        let unit = self.unit;
        let headers = self.request.headers();
        if let Some(origin) = headers.get(ORIGIN) {
            let host = unit.script.host();
            let own = [format!("https://{host}"), format!("http://{host}")];
            if !own.iter().any(|o| origin.as_bytes() == o.as_bytes()) {
                return Err(412);
            }
        }
        let scope = self.bearer()?.map(|b| b.scope);
        let endpoint = endpoint.ok_or(404_u16)?;
        if endpoint == Endpoint::Vault && unit.script.scheme == LinkScheme::Http {
            return Err(418);
        }
        if endpoint.is_ppa_only() && unit.is_epa() {
            return Err(404);
        }
        if let Some(longest) = endpoint.longest() {
            match content_length(headers) {
                None => return Err(411),
                Some(length) if length > longest => return Err(413),
                Some(_) => {}
            }
        }
        let allowed = endpoint.scopes();
        match scope {
            _ if allowed.is_empty() => {}
            None if endpoint.is_upgrade() && unit.script.fresh => {}
            None => return Err(401),
            Some(scope) if allowed.iter().any(|a| scope.starts_with(a)) => {}
            Some(_) => return Err(403),
        }
        Ok(endpoint)
    }

    /// Writes what an answer leaves behind in the audit log (sections 7 and 9). The page does not say whose
    /// scope a failed check names: here it is the token's.
    fn leave_entry(&self, endpoint: Option<Endpoint>, status: u16) {
        let Some(endpoint) = endpoint else { return };
        let (kind, result) = match (endpoint, status) {
            (_, 403) if !endpoint.scopes().is_empty() => {
                (AuditType::FAILED_SCOPE_CHECK, AuditResult::Failed)
            }
            (Endpoint::Install, 200) => (AuditType::UPGRADE, AuditResult::Ok),
            (Endpoint::Install, 406 | 409) => (AuditType::UPGRADE, AuditResult::Error),
            (Endpoint::Reboot, 200) => (logbook::REBOOT, AuditResult::Ok),
            (Endpoint::LogList, 200) => (logbook::LISTED, AuditResult::Ok),
            (Endpoint::LogFile, 200) => (logbook::READ, AuditResult::Ok),
            _ => return,
        };
        let (subject, scope) = match self.bearer() {
            Ok(Some(bearer)) => (bearer.sub.to_string(), bearer.scope),
            _ => Default::default(),
        };
        let extra = match kind {
            AuditType::FAILED_SCOPE_CHECK => scope.as_bytes(),
            _ => b"",
        };
        self.unit.machine().note(&Note {
            kind,
            result,
            subject: &subject,
            extra,
        });
    }

    /// The token that came along. Present but invalid is always 401 (section 2).
    fn bearer(&self) -> Result<Option<Bearer>, u16> {
        let Some(header) = self.request.headers().get(AUTHORIZATION) else {
            return Ok(None);
        };
        let bearer = header
            .to_str()
            .ok()
            .and_then(|h| h.strip_prefix("Bearer "))
            .ok_or(401_u16)?;
        let now = self.unit.now().ok_or(401_u16)?;
        let bearer = self.unit.machine().boot.bearer(bearer, now);
        bearer.map(Some).ok_or(401)
    }

    async fn carry_out(&mut self, endpoint: Endpoint) -> Result<Answer, Gone> {
        match endpoint {
            Endpoint::Version => Ok(system::version(self)),
            Endpoint::Status => Ok(system::status(self)),
            Endpoint::Checkin => Ok(system::ask(self)),
            Endpoint::CheckinReply => system::hear(self).await,
            Endpoint::Challenge => Ok(auth::challenge(self).await),
            Endpoint::Login => auth::login(self).await,
            Endpoint::Upload => upgrade::upload(self).await,
            Endpoint::Check => Ok(upgrade::check(self).await),
            Endpoint::Install => Ok(upgrade::install(self)),
            Endpoint::Reboot => Ok(upgrade::reboot(self)),
            Endpoint::LogKey => Ok(logger::key(self)),
            Endpoint::LogList => Ok(logger::list(self)),
            Endpoint::LogFile => Ok(logger::file(self)),
            Endpoint::Vault => Ok(Answer::status(404)),
        }
    }

    /// Reads a JSON body; 400 where it is none.
    pub(super) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let longest = usize::try_from(MAX_JSON).unwrap_or(usize::MAX);
        let body = Limited::new(self.request.body_mut(), longest)
            .collect()
            .await;
        let bytes = body.map_err(|_| Refusal::Gone(Gone::Closed))?.to_bytes();
        self.exchange.received(bytes.len() as u64);
        serde_json::from_slice(&bytes).map_err(|_| Refusal::Status(400))
    }
}

/// Why a body was not read.
pub(super) enum Refusal {
    /// The connection broke.
    Gone(Gone),
    /// It is not what it should be.
    Status(u16),
}

impl Refusal {
    pub(super) fn answer(self) -> Result<Answer, Gone> {
        match self {
            Self::Gone(gone) => Err(gone),
            Self::Status(status) => Ok(Answer::status(status)),
        }
    }
}

/// What `Content-Length` says; nothing for a chunked body.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
