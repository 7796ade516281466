//! A device's requests: their heads, their turn, and what became of them.
//!
//! Must not: know what an answer means; that is `port` and `login`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use http_body_util::Full;
use hyper::{Method, Request};
use rustls::pki_types::ServerName;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::connection::connect::{Route, Security, Via, dial};
use super::connection::exchange::{Answer, Need, Sink, exchange};
use super::login::token::Logins;
use super::pacing::Pacing;
use super::setup_error::SetupError;
use super::tls::links::Links;
use super::{Broker, USER_AGENT, link_fault, upload};
use crate::device::{Image, LoginError, Session, UploadProgress};
use crate::hem::json::{WireError, path};
use crate::hem::kdf;
use crate::model::{
    APP_UPLOAD_NAME, Credential, DeviceSpec, FailureKind, HostPort, LinkFault, Pace, Scheme,
    Secret, Timeouts, TlsFault,
};

/// How long a device's `100 Continue` is waited for before the body is sent all the same.
const GATE: Duration = Duration::from_secs(1);

const UNUSABLE_TOKEN: &str = "a token that no HTTP header can carry";

/// One device of the inventory, over HTTP. It lives for one run: what it knows of refused logins and
/// of its key holds for the run.
pub struct HttpDevice {
    pub(super) spec: DeviceSpec,
    pub(super) credential: Credential,
    pub(super) timeouts: Timeouts,
    pub(super) broker: Arc<Broker>,
    route: Route,
    /// The way to its plain HTTP, where that is known.
    pub(super) clear: Option<Route>,
    host: header::HeaderValue,
    turnstile: Pacing,
    pub(super) logins: Logins,
    /// The wait for `100 Continue`; tests shrink it.
    pub(super) gate: Duration,
}

/// One request, as an endpoint wants it.
pub(super) struct Call<'a> {
    path: Cow<'static, str>,
    session: Option<&'a Session>,
    /// JSON; its presence makes the request a POST.
    body: Option<Bytes>,
    need: Need,
    limit: Option<Duration>,
    /// Another way than the device's own.
    over: Option<&'a Route>,
}

impl<'a> Call<'a> {
    /// A GET whose 200 brings JSON.
    pub(super) fn get(path: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: path.into(),
            session: None,
            body: None,
            need: Need::Json,
            limit: None,
            over: None,
        }
    }

    /// A POST of JSON whose 200 brings JSON.
    pub(super) fn post(path: &'static str, body: Bytes) -> Self {
        Self {
            body: Some(body),
            ..Self::get(path)
        }
    }

    /// With a token, where the session has one.
    pub(super) fn of(self, session: &'a Session) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// With a token, where the session has one; of the answer the status alone matters.
    pub(super) fn with(self, session: &'a Session) -> Self {
        Self {
            need: Need::Status,
            ..self.of(session)
        }
    }

    /// For a file, which may be long.
    pub(super) fn file(self) -> Self {
        Self {
            need: Need::File,
            ..self
        }
    }

    /// Another way than the device's own, where one is given.
    pub(super) fn over(self, route: Option<&'a Route>) -> Self {
        Self {
            over: route,
            ..self
        }
    }

    /// Answered within `limit` rather than the general one.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }
}

/// No usable answer came.
pub(super) struct Unanswered {
    /// Why not.
    pub(super) fault: LinkFault,
    /// Whether anything of the request had been handed to the socket.
    pub(super) sent: bool,
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
    /// The inventory's host, token, master words or CA cannot be used at all. A machine without root
    /// certificates is no such error: it fails, device by device, when a connection is opened.
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
        if let Credential::MasterWords(words, _) = &credential {
            kdf::check_master_words(words)?;
        }
        let route = |target, security| Route {
            target,
            via: match (&spec.ssh, &spec.proxy) {
                (Some(jump), _) => Via::Ssh(links.jump(jump)),
                (None, Some(proxy)) => Via::Proxy(proxy.clone()),
                (None, None) => Via::Direct,
            },
            security,
            limit: timeouts.connect,
        };
        let host_header = header::HeaderValue::try_from(spec.endpoint.host_header());
        Ok(Self {
            host: host_header.map_err(|_| bad_host())?,
            clear: plain_target(&spec).map(|target| route(target, Security::Plain)),
            route: route(spec.target(), security),
            turnstile: Pacing::new(pace.gap),
            logins: Logins::new(&credential, Arc::clone(&links.typed)),
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

    /// Makes a request when it is its turn, over a connection of its own.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Answer, Unanswered> {
        let mut came = BytesMut::new();
        let answer = self.call_into(call, &mut came).await?;
        Ok(Answer {
            status: answer.status,
            body: answer.body.map(|()| came.freeze()),
        })
    }

    /// The same; the body of a 200 goes to `sink` as it comes.
    pub(super) async fn call_into(
        &self,
        call: Call<'_>,
        sink: &mut impl Sink,
    ) -> Result<Answer<()>, Unanswered> {
        let unsent = |fault| Unanswered { fault, sent: false };
        let method = if call.body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let mut head = self
            .head(method.clone(), &call.path, call.session)
            .ok_or_else(|| unsent(link_fault::garbled(UNUSABLE_TOKEN)))?;
        if let Some(body) = &call.body {
            head = head
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CONTENT_LENGTH, body.len());
        }
        let request = head
            .body(Full::new(call.body.unwrap_or_default()))
            .map_err(|e| unsent(link_fault::garbled(&e.to_string())))?;
        let limit = call.limit.unwrap_or(self.timeouts.request);

        let _turn = self.turnstile.turn().await;
        let begun = Instant::now();
        let result = match dial(call.over.unwrap_or(&self.route)).await {
            Err(fault) => Err(unsent(fault)),
            Ok(link) => {
                let (written, before) = (link.written.clone(), link.written.bytes());
                exchange(link.io, request, call.need, limit, sink)
                    .await
                    .map_err(|fault| Unanswered {
                        fault,
                        sent: written.bytes() > before,
                    })
            }
        };
        let outcome = result.as_ref().map(|a| a.status).map_err(|e| &e.fault);
        self.log(&method, &call.path, begun, outcome);
        result
    }

    /// Sends an image when it is its turn (section 7). `Ok` is a 200 for the whole of it.
    pub(super) async fn send_image(
        &self,
        session: &Session,
        image: Image<'_>,
        progress: &dyn UploadProgress,
    ) -> Result<(), FailureKind> {
        let (path, name) = match image {
            Image::Firmware(image) => (path::UPLOAD_FW, image.facts.format.upload_name()),
            Image::Ui(_) => (path::UPLOAD_UI, APP_UPLOAD_NAME),
        };
        let bad = |what: &str| FailureKind::BadAnswer {
            what: what.to_owned(),
        };
        let head = self
            .head(Method::POST, path, Some(session))
            .ok_or_else(|| bad(UNUSABLE_TOKEN))?
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"{name}\""),
            )
            .header(header::CONTENT_LENGTH, image.bytes().len())
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
            Ok(link) => upload::send(link, head, image.bytes().clone(), limits, progress).await,
            Err(fault) => Err(fault),
        };
        self.log(
            &Method::POST,
            path,
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

/// Where a device's plain HTTP is: where the inventory says so, else at port 80 beside port 443. Of any
/// other port nothing follows.
fn plain_target(spec: &DeviceSpec) -> Option<HostPort> {
    let target = spec.target();
    match (spec.endpoint.scheme, &spec.endpoint.http_connect) {
        (Scheme::Http, _) => Some(target),
        (Scheme::Https, Some(at)) => Some(at.clone()),
        (Scheme::Https, None) if target.port == Scheme::Https.default_port() => Some(HostPort {
            port: Scheme::Http.default_port(),
            ..target
        }),
        (Scheme::Https, None) => None,
    }
}

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
