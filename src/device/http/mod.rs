//! Devices over HTTP: the adapter of [`Device`] (sections 2 to 7), and the broker's client.
//!
//! A connection for each request, opened by `dial` (TCP, proxy, TLS), spoken over by `exchange` or
//! `upload`; `turn` lets one request through at a time. Every way in which a connection can fail ends
//! as a typed fault (`fault`).
//!
//! Must not: repeat a request, judge what an answer means for the upgrade, or log anything secret.

mod broker;
mod dated;
mod dial;
mod exchange;
mod fault;
mod gate;
mod login;
mod metered;
mod pinned;
mod tls;
mod turn;
mod upload;

#[cfg(test)]
mod lab;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use http_body_util::Full;
use hyper::{Method, Request};
use rustls::pki_types::ServerName;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

pub use self::broker::Broker;
pub use self::tls::Links;

use self::dial::{Route, Security, dial};
use self::exchange::{Answer, Need, exchange};
use self::login::Logins;
use self::turn::Turnstile;
use super::{CheckAnswer, Device, InstallAnswer, LoginError, Session, UploadProgress, Validated};
use crate::hem::wire::{self, WireError, path};
use crate::model::{
    BrokerFault, CheckinReport, Credential, Credentials, DeviceSpec, DeviceStatus, DeviceVersion,
    FailureKind, FirmwareImage, LinkFault, Pace, Scheme, Secret, Timeouts, TlsFault,
    human_duration,
};

const USER_AGENT: &str = concat!("hemfleet/", env!("CARGO_PKG_VERSION"));

/// How long a device's `100 Continue` is waited for before the body is sent all the same.
const GATE: Duration = Duration::from_secs(1);

/// Why a device or the broker cannot even be tried: found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The URL's host can be no name in a certificate or in a `Host` header.
    #[error("{host:?} is no host name")]
    BadHost {
        /// The host.
        host: String,
    },
    /// A token that no HTTP header can carry.
    #[error("the token is empty or holds characters that no HTTP header may hold")]
    BadToken,
    /// A CA file without a usable certificate.
    #[error("no usable certificate authority: {what}")]
    BadCa {
        /// What is wrong with it.
        what: String,
    },
    /// This machine has no root certificates.
    #[error("the system's root certificates cannot be used: {what}")]
    NoRoots {
        /// Why not.
        what: String,
    },
    /// The TLS library refused its settings.
    #[error("TLS cannot be set up: {what}")]
    Tls {
        /// Why not.
        what: String,
    },
    /// The broker's URL.
    #[error("broker url: {what}")]
    BadBrokerUrl {
        /// What is wrong with it.
        what: String,
    },
}

/// One device of the inventory, over HTTP. It lives for one run: what it knows of refused logins and
/// of its key holds for the run.
pub struct HttpDevice {
    spec: DeviceSpec,
    credential: Credential,
    timeouts: Timeouts,
    broker: Arc<Broker>,
    route: Route,
    host: header::HeaderValue,
    turnstile: Turnstile,
    logins: Logins,
    gate: Duration,
}

/// No usable answer, and whether anything of the request had been handed to the socket.
struct Unanswered {
    fault: LinkFault,
    sent: bool,
}

impl From<Unanswered> for FailureKind {
    fn from(unanswered: Unanswered) -> Self {
        Self::Link(unanswered.fault)
    }
}

impl From<Unanswered> for LoginError {
    fn from(unanswered: Unanswered) -> Self {
        Self::Failed(unanswered.into())
    }
}

impl From<WireError> for FailureKind {
    fn from(e: WireError) -> Self {
        Self::BadAnswer {
            what: e.to_string(),
        }
    }
}

impl HttpDevice {
    /// Prepares a device; nothing is sent. `links` is shared by all devices of a run.
    ///
    /// # Errors
    ///
    /// The inventory's host, token or CA cannot be used at all. A machine without root certificates is
    /// no such error: it fails, device by device, when a connection is opened.
    pub fn new(
        spec: DeviceSpec,
        credential: Credential,
        timeouts: Timeouts,
        pace: &Pace,
        broker: Arc<Broker>,
        links: &Links,
    ) -> Result<Self, SetupError> {
        let host = &spec.endpoint.authority.host;
        let bad_host = || SetupError::BadHost { host: host.clone() };
        let security = match spec.endpoint.scheme {
            Scheme::Http => Security::Plain,
            Scheme::Https => {
                let name = ServerName::try_from(host.clone()).map_err(|_| bad_host())?;
                match links.for_devices(&spec.tls) {
                    Ok(config) => Security::Tls {
                        connector: TlsConnector::from(config),
                        name,
                    },
                    Err(e @ SetupError::NoRoots { .. }) => {
                        let what = e.to_string();
                        Security::Broken(TlsFault::Other { what })
                    }
                    Err(e) => return Err(e),
                }
            }
        };
        if let Credential::Token(token) = &credential {
            bearer(token).ok_or(SetupError::BadToken)?;
        }
        let host_header = header::HeaderValue::try_from(spec.endpoint.host_header());
        Ok(Self {
            host: host_header.map_err(|_| bad_host())?,
            route: Route {
                target: spec.endpoint.target().clone(),
                proxy: spec.proxy.clone(),
                security,
                limit: timeouts.connect,
            },
            turnstile: Turnstile::new(pace.gap),
            logins: Logins::default(),
            gate: GATE,
            spec,
            credential,
            timeouts,
            broker,
        })
    }

    /// The head that all requests share. `None` where the token can stand in no header.
    fn head(
        &self,
        method: Method,
        path: &str,
        session: Option<&Session>,
    ) -> Option<http::request::Builder> {
        let mut head = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.host.clone())
            .header(header::USER_AGENT, USER_AGENT)
            // The device closes anyway; saying so spares it the wait.
            .header(header::CONNECTION, "close");
        if let Some(token) = session.and_then(|s| s.token.as_ref()) {
            head = head.header(header::AUTHORIZATION, bearer(token)?);
        }
        Some(head)
    }

    /// One request within the general limit, for the steps that need no token.
    async fn call(
        &self,
        method: Method,
        path: &str,
        session: Option<&Session>,
        body: Option<Bytes>,
        need: Need,
    ) -> Result<Answer, Unanswered> {
        self.call_within(method, path, session, body, need, self.timeouts.request)
            .await
    }

    async fn call_within(
        &self,
        method: Method,
        path: &str,
        session: Option<&Session>,
        body: Option<Bytes>,
        need: Need,
        limit: Duration,
    ) -> Result<Answer, Unanswered> {
        let unsent = |fault| Unanswered { fault, sent: false };
        let mut head = self
            .head(method.clone(), path, session)
            .ok_or_else(|| unsent(fault::garbled(UNUSABLE_TOKEN)))?;
        if let Some(body) = &body {
            head = head
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CONTENT_LENGTH, body.len());
        }
        let request = head
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|e| unsent(fault::garbled(&e.to_string())))?;

        let _turn = self.turnstile.turn().await;
        let begun = Instant::now();
        let result = match dial(&self.route).await {
            Err(fault) => Err(unsent(fault)),
            Ok(link) => {
                let (written, before) = (link.written.clone(), link.written.bytes());
                exchange(link.io, request, need, limit)
                    .await
                    .map_err(|fault| Unanswered {
                        fault,
                        sent: written.bytes() > before,
                    })
            }
        };
        self.log(
            &method,
            path,
            begun,
            result.as_ref().map(|a| a.status).map_err(|e| &e.fault),
        );
        result
    }

    async fn send_image(
        &self,
        session: &Session,
        image: &FirmwareImage,
        progress: &dyn UploadProgress,
    ) -> Result<(), FailureKind> {
        let name = image.facts.format.upload_name();
        let bad = |what: &str| FailureKind::BadAnswer {
            what: what.to_owned(),
        };
        let head = self
            .head(Method::POST, path::UPLOAD_FW, Some(session))
            .ok_or_else(|| bad(UNUSABLE_TOKEN))?
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"{name}\""),
            )
            .header(header::CONTENT_LENGTH, image.bytes.len())
            .header(header::EXPECT, "100-continue")
            .body(())
            .map_err(|e| bad(&e.to_string()))?;
        let limits = upload::Limits {
            gate: self.gate,
            whole: self.timeouts.upload,
            stall: self.timeouts.upload_stall,
            answer: self.timeouts.request,
        };

        let _turn = self.turnstile.turn().await;
        let begun = Instant::now();
        let result = match dial(&self.route).await {
            Ok(link) => upload::send(link, head, image.bytes.clone(), limits, progress).await,
            Err(fault) => Err(fault),
        };
        self.log(
            &Method::POST,
            path::UPLOAD_FW,
            begun,
            result.as_ref().map(|a| a.status),
        );
        match result? {
            upload::Answered {
                status: 200,
                whole: true,
            } => Ok(()),
            // An older image may be staged there, and a check would find that one valid.
            upload::Answered {
                status: 200,
                whole: false,
            } => Err(bad("200 before the whole image was sent")),
            upload::Answered { status, .. } => Err(FailureKind::Status { status }),
        }
    }

    fn log(&self, method: &Method, path: &str, begun: Instant, result: Result<u16, &LinkFault>) {
        let took = begun.elapsed();
        let device = self.spec.id.as_str();
        match result {
            Ok(status) => tracing::debug!(device, %method, path, status, ?took, "answered"),
            Err(fault) => tracing::debug!(device, %method, path, %fault, ?took, "not answered"),
        }
    }
}

const UNUSABLE_TOKEN: &str = "a token that no HTTP header can carry";

/// The `Authorization` header, hidden from logs.
fn bearer(token: &Secret) -> Option<header::HeaderValue> {
    let token = token.expose();
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let mut value = header::HeaderValue::try_from([b"Bearer ", token].concat()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The JSON of a 200.
fn json(answer: Answer) -> Result<Bytes, FailureKind> {
    match answer.status {
        200 => Ok(answer.body?),
        status => Err(FailureKind::Status { status }),
    }
}

impl Device for HttpDevice {
    async fn version(&self) -> Result<DeviceVersion, FailureKind> {
        let answer = self
            .call(Method::GET, path::VERSION, None, None, Need::Json)
            .await?;
        Ok(wire::parse_version(&json(answer)?)?)
    }

    async fn status(&self) -> Result<DeviceStatus, FailureKind> {
        let answer = self
            .call(Method::GET, path::STATUS, None, None, Need::Json)
            .await?;
        Ok(wire::parse_status(&json(answer)?)?)
    }

    async fn checkin(&self) -> Result<CheckinReport, FailureKind> {
        let answer = self
            .call(Method::GET, path::CHECKIN, None, None, Need::Json)
            .await?;
        let check = json(answer)?;
        wire::require_object(&check)?;
        let reply = self
            .broker
            .checkin(check)
            .await
            .map_err(|fault: BrokerFault| {
                tracing::debug!(device = self.spec.id.as_str(), %fault, "check-in not relayed");
                fault
            })?;
        let answer = self
            .call(Method::POST, path::CHECKIN, None, Some(reply), Need::Json)
            .await?;
        match answer.status {
            status @ (400 | 401) => Err(FailureKind::CheckinRefused { status }),
            _ => Ok(wire::parse_checkin_report(&json(answer)?)?),
        }
    }

    fn credentials(&self) -> Credentials {
        match self.credential {
            Credential::None => Credentials::None,
            Credential::Token(_) => Credentials::Token,
            Credential::Passphrase(_) => Credentials::Login,
        }
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
        let answer = self
            .call_within(
                Method::GET,
                path::CHECK_FW,
                Some(session),
                None,
                Need::Status,
                limit,
            )
            .await?;
        match answer.status {
            200 => Ok(CheckAnswer::Valid(Validated::by_device())),
            201 => Ok(CheckAnswer::Started),
            202 => Ok(CheckAnswer::Running),
            status => Err(FailureKind::Status { status }),
        }
    }

    async fn install(&self, _validated: Validated, session: &Session) -> InstallAnswer {
        let answer = self
            .call(
                Method::GET,
                path::INSTALL_FW,
                Some(session),
                None,
                Need::Status,
            )
            .await;
        match answer {
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
