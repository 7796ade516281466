//! One device of the inventory, ready for requests: its route, what is remembered of its logins, its pacing.
//!
//! `send` sends requests to it, `adapter` says what the answers mean.

use std::sync::Arc;
use std::time::Duration;

use http::header;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::broker::client::Broker;
use super::connection::connect::{Route, Security, Via};
use super::login::login_memory::Logins;
use super::pacing::Pacing;
use super::setup_error::SetupError;
use super::shared_links::Links;
use crate::hem::kdf;
use crate::model::{Credential, DeviceSpec, HostPort, Pace, Scheme, Secret, Timeouts, TlsFault};

/// How long to wait for `100 Continue` before the body is sent anyway.
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// One device of the inventory, over HTTP. It lives for one run, and so does what it knows of refused logins and
/// derived keys.
pub struct HttpDevice {
    pub(super) spec: DeviceSpec,
    pub(super) credential: Credential,
    pub(super) timeouts: Timeouts,
    pub(super) broker: Arc<Broker>,
    pub(super) route: Route,
    /// The route to its plain HTTP, where that is known.
    pub(super) clear: Option<Route>,
    pub(super) host: header::HeaderValue,
    pub(super) pacing: Pacing,
    pub(super) logins: Logins,
    /// The wait for `100 Continue`; tests shrink it.
    pub(super) continue_wait: Duration,
}

impl HttpDevice {
    /// Prepares a device; nothing is sent. `shared_links` is shared by all devices of a run.
    ///
    /// # Errors
    ///
    /// The inventory's host, token, master words or CA cannot be used at all. A machine without root
    /// certificates is no such error: each device fails when its connection is opened.
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
            pacing: Pacing::new(pace.gap),
            logins: Logins::new(&credential, Arc::clone(&links.typed)),
            continue_wait: CONTINUE_WAIT,
            spec,
            credential,
            timeouts,
            broker,
        })
    }

    /// The same device, which has answered so many logins with 401 already in a run that is gone on with (section 6).
    #[must_use]
    pub fn after_refused_logins(self, times: u32) -> Self {
        self.logins.were_refused(times);
        self
    }
}

/// Where a device's plain HTTP is: where the inventory says, else at port 80 for a device at port 443. For other
/// ports it is not known.
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
pub(super) fn bearer(token: &Secret) -> Option<header::HeaderValue> {
    let token = token.expose();
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let mut value = header::HeaderValue::try_from([b"Bearer ", token].concat()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
