//! The broker's client: requests and their answers (sections [5](crate::hem#5-check-in),
//! [10](crate::hem#10-mobile-approval) and [12](crate::hem#12-broker)).
//!
//! What it relays between device and broker it passes on unread, and never logs. Its certificate is always verified.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};

use crate::device::http::SetupError;
use crate::device::http::tls::client_config;
use crate::hem::limits::MAX_JSON_BODY;
use crate::hem::{json, path};
use crate::model::{BrokerFault, Timeouts, printable};

/// The longest answer that is read, in bytes; a device takes far less.
const MAX_ANSWER: usize = 64 * 1024;

/// The broker of a run. The system's roots are loaded when it is first needed.
#[derive(Debug)]
pub struct Broker {
    /// Without query and fragment; its path may be that of a relay.
    pub(in crate::device::http) base: Url,
    ca_pem: Option<String>,
    connect: Duration,
    /// How long to wait for an answer, or for a part of a download.
    pub(in crate::device::http) request: Duration,
    /// How long a whole download may take.
    pub(super) transfer: Duration,
    client: OnceLock<Result<Client, BrokerFault>>,
}

/// What the broker answered.
#[derive(Debug)]
pub(in crate::device::http) struct Reply {
    /// The HTTP status.
    pub(in crate::device::http) status: u16,
    /// The body of a 200; other bodies are not read.
    pub(in crate::device::http) body: Bytes,
}

impl Reply {
    /// The JSON object of a 200.
    pub(in crate::device::http) fn object(self) -> Result<Bytes, BrokerFault> {
        if self.status != 200 {
            return Err(BrokerFault::Status {
                status: self.status,
            });
        }
        json::require_object(&self.body).map_err(|e| garbled(&e.to_string()))?;
        Ok(self.body)
    }
}

impl Broker {
    /// A broker at `url` (a path in it is kept), trusted by the system's roots or, where `ca_pem` is
    /// given, by those authorities alone.
    ///
    /// # Errors
    ///
    /// The URL's scheme is neither `http` nor `https`, or the PEM text holds no certificate.
    pub fn new(url: &str, ca_pem: Option<&str>, timeouts: &Timeouts) -> Result<Self, SetupError> {
        let bad = |what: &str| SetupError::BadBrokerUrl {
            what: what.to_owned(),
        };
        let mut base = Url::parse(url).map_err(|e| bad(&e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(bad("neither http:// nor https://"));
        }
        base.set_query(None);
        base.set_fragment(None);
        if let Some(pem) = ca_pem {
            client_config::check_authorities(pem)?;
        }
        Ok(Self {
            base,
            ca_pem: ca_pem.map(str::to_owned),
            connect: timeouts.connect,
            request: timeouts.request,
            transfer: timeouts.upload,
            client: OnceLock::new(),
        })
    }

    /// Relays a device's check object and returns the reply, both byte for byte (section 5).
    pub(in crate::device::http) async fn checkin(
        &self,
        check: Bytes,
    ) -> Result<Bytes, BrokerFault> {
        let reply = self.post(path::BROKER_CHECKIN, check).await?.object()?;
        if reply.len() > MAX_JSON_BODY {
            return Err(garbled("longer than a device takes"));
        }
        Ok(reply)
    }

    /// GETs `path`, followed by `name` where one is given.
    pub(in crate::device::http) async fn get(
        &self,
        path: &str,
        name: Option<&str>,
    ) -> Result<Reply, BrokerFault> {
        self.ask(Method::GET, path, name, None).await
    }

    /// POSTs JSON, byte for byte.
    pub(in crate::device::http) async fn post(
        &self,
        path: &str,
        json: Bytes,
    ) -> Result<Reply, BrokerFault> {
        self.ask(Method::POST, path, None, Some(json)).await
    }

    /// DELETEs `name` under `path`.
    pub(in crate::device::http) async fn delete(
        &self,
        path: &str,
        name: &str,
    ) -> Result<Reply, BrokerFault> {
        self.ask(Method::DELETE, path, Some(name), None).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        name: Option<&str>,
        json: Option<Bytes>,
    ) -> Result<Reply, BrokerFault> {
        let begun = tokio::time::Instant::now();
        let client = self.client()?;
        let mut request = client.request(method.clone(), self.url(path, name));
        if let Some(json) = json {
            request = request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(json);
        }
        let mut answer = request.send().await.map_err(|e| self.unreachable(e))?;
        let status = answer.status().as_u16();
        tracing::debug!(%method, path, status, took = ?begun.elapsed(), "broker");
        let mut body = BytesMut::new();
        if status == 200 {
            while let Some(chunk) = answer.chunk().await.map_err(|e| self.unreachable(e))? {
                if body.len() + chunk.len() > MAX_ANSWER {
                    return Err(garbled("too long"));
                }
                body.extend_from_slice(&chunk);
            }
        }
        Ok(Reply {
            status,
            body: body.freeze(),
        })
    }

    /// `path` under the base URL. Whatever `name` holds, it stays one segment of the path.
    pub(in crate::device::http) fn url(&self, path: &str, name: Option<&str>) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&(base + path.trim_end_matches('/')));
        if let (Some(name), Ok(mut segments)) = (name, url.path_segments_mut()) {
            segments.push(name);
        }
        url
    }

    pub(super) fn unreachable(&self, error: reqwest::Error) -> BrokerFault {
        // A redirect may have led to another host.
        let at = error.url().unwrap_or(&self.base);
        // Host and port alone: the URL may hold a user's name and password.
        let host = at.host_str().unwrap_or_default().to_owned();
        let port = at.port_or_known_default().unwrap_or_default();
        let error = error.without_url();
        let why = crate::model::chain(cause(&error));
        BrokerFault::Unreachable {
            what: printable(&format!("{host}:{port}: {why}"), 300),
        }
    }

    pub(in crate::device::http) fn client(&self) -> Result<Client, BrokerFault> {
        self.client.get_or_init(|| self.build()).clone()
    }

    fn build(&self) -> Result<Client, BrokerFault> {
        let failed = |what: String| BrokerFault::Unreachable { what };
        let tls =
            client_config::for_broker(self.ca_pem.as_deref()).map_err(|e| failed(e.to_string()))?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .user_agent(crate::device::http::USER_AGENT)
            .redirect(redirects())
            // A kept connection may be dead when the next request comes. Requests are too rare for reuse to pay,
            // and an approval must neither be asked for twice nor be left on the phone.
            .pool_max_idle_per_host(0)
            .connect_timeout(self.connect)
            .timeout(self.request);
        // A relay on this machine is never behind the environment's proxy.
        if is_loopback(&self.base) {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|e| failed(crate::model::chain(&e)))
    }
}

/// Follows only redirects that repeat the request unchanged, and never from https to http. Others are reported by
/// their status.
fn redirects() -> Policy {
    Policy::custom(|attempt| {
        let repeats = matches!(attempt.status().as_u16(), 307 | 308);
        let from = attempt.previous().last().map_or("https", Url::scheme);
        let weaker = from == "https" && attempt.url().scheme() != "https";
        if repeats && !weaker && attempt.previous().len() <= 3 {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    })
}

/// The cause of an error, without the two outer layers that only say that something failed.
fn cause(error: &reqwest::Error) -> &(dyn Error + 'static) {
    match error.source() {
        Some(client) => client.source().unwrap_or(client),
        None => error,
    }
}

/// An unusable answer of the broker.
pub(in crate::device::http) fn garbled(what: &str) -> BrokerFault {
    BrokerFault::Garbled {
        what: printable(what, 200),
    }
}
