//! A request as the endpoints see it: its device, its token, its body.

use std::sync::Arc;
use std::sync::OnceLock;

use http_body_util::{BodyExt as _, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, ORIGIN};
use serde::de::DeserializeOwned;

use super::answer::{Answer, Gone};
use crate::hem::limits::MAX_JSON_BODY;
use crate::sim::device::device_core::DeviceCore;
use crate::sim::device::listener::Ending;
use crate::sim::device::recorder::OpenRequest;
use crate::sim::device::state::{Bearer, BootPlan};
use crate::sim::script::fault::Act;

/// The connection that a request came over.
#[derive(Clone, Default)]
pub(in crate::sim) struct Connection {
    pub(in crate::sim) ending: Ending,
    /// The reboot that begins once this connection has ended.
    pub(in crate::sim) plan: Arc<OnceLock<BootPlan>>,
    /// Whether it is encrypted.
    pub(in crate::sim) tls: bool,
}

/// One request as the endpoints see it.
pub(in crate::sim) struct Call<'a> {
    pub(in crate::sim) device: &'a DeviceCore,
    pub(in crate::sim) request: Request<Incoming>,
    pub(super) exchange: OpenRequest<'a>,
    pub(in crate::sim) act: Option<Act>,
    pub(in crate::sim) plan: &'a OnceLock<BootPlan>,
    pub(in crate::sim) tls: bool,
}

impl Call<'_> {
    /// Whether pages of this origin may ask: a device allows its own name, and the origin in its settings.
    pub(super) fn origin_is_allowed(&self) -> bool {
        let Some(origin) = self.request.headers().get(ORIGIN) else {
            return true;
        };
        let host = self.device.script.host();
        let set = self.device.state().settings.origin.clone();
        let known = [format!("https://{host}"), format!("http://{host}"), set];
        let is_known = |o: &String| o == "*" || origin.as_bytes() == o.as_bytes();
        known.iter().any(is_known)
    }

    /// The claims of the request's token, if it has one. An invalid one is always 401 (section 2).
    pub(super) fn bearer(&self) -> Result<Option<Bearer>, u16> {
        let Some(header) = self.request.headers().get(AUTHORIZATION) else {
            return Ok(None);
        };
        let bearer = header
            .to_str()
            .ok()
            .and_then(|h| h.strip_prefix("Bearer "))
            .ok_or(401_u16)?;
        let now = self.device.now().ok_or(401_u16)?;
        let bearer = self.device.state().boot.bearer(bearer, now);
        bearer.map(Some).ok_or(401)
    }

    /// Reads a JSON body; 400 where it is none.
    pub(in crate::sim) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let body = Limited::new(self.request.body_mut(), MAX_JSON_BODY)
            .collect()
            .await;
        let bytes = body.map_err(|_| Refusal::Gone(Gone::Closed))?.to_bytes();
        self.exchange.received(bytes.len() as u64);
        serde_json::from_slice(&bytes).map_err(|_| Refusal::Status(400))
    }
}

/// Why a body is not used.
pub(in crate::sim) enum Refusal {
    /// The connection broke.
    Gone(Gone),
    /// The body is wrong: what to answer.
    Status(u16),
}

impl Refusal {
    pub(in crate::sim) fn answer(self) -> Result<Answer, Gone> {
        match self {
            Self::Gone(gone) => Err(gone),
            Self::Status(status) => Ok(Answer::status(status)),
        }
    }
}

/// What `Content-Length` says; `None` for a chunked body.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
