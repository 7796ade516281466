//! Endpoints that an upgrade does not need, but other software of the vendor's API does, as the vendor's published
//! description of firmware 1.2.2 has them.
//!
//! There are no keys and no crypto: the repository is empty, and every operation fails for want of a key.

use hyper::Method;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue,
};
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Gone};
use super::call::Call;
use super::login::session_key;
use crate::hem::limits::CHALLENGE_SECONDS;
use crate::sim::device::clock::unix_now;
use crate::sim::device::device_core::DeviceCore;
use crate::sim::tokens::mac_token;
use crate::sim::tokens::mac_token::random_text;

/// Adds the headers that let a page of an allowed origin ask and read the answer (CORS).
pub(super) fn allow_origin(headers: &mut HeaderMap, origin: HeaderValue, method: &Method) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let mut say = |name, value| headers.insert(name, HeaderValue::from_static(value));
    say(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    if method == Method::OPTIONS {
        say(ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS");
        say(
            ACCESS_CONTROL_ALLOW_HEADERS,
            "Content-Type, Cache-Control, Pragma, Expires, Authorization, Content-Disposition",
        );
        say(ACCESS_CONTROL_MAX_AGE, "86400");
    }
}

/// Whether personalisation may begin: the opposite of the page's rules for a login.
fn may_begin(call: &Call<'_>) -> Result<i64, u16> {
    if call.device.state().fls_state != 0 {
        return Err(409);
    }
    if !call.device.script.fresh {
        return Err(406);
    }
    call.device.now().ok_or(403)
}

/// `GET /api/auth/init`: the challenge with which personalisation begins.
pub(super) fn init(call: &Call<'_>) -> Answer {
    let now = match may_begin(call) {
        Ok(now) => now,
        Err(status) => return Answer::status(status),
    };
    let device = call.device;
    let spk = session_key(&device.state().boot.session);
    Answer::object(json!({
        "exp": now + CHALLENGE_SECONDS,
        "spk": spk,
        "jti": random_text(),
        "genuine": genuine(device),
        "eid": device.identity.eid(),
    }))
}

#[derive(Deserialize)]
struct Init {
    init: Option<String>,
}

/// `POST /api/auth/init`: always refused, so that fresh devices stay fresh.
pub(super) async fn personalise(call: &mut Call<'_>) -> Result<Answer, Gone> {
    if let Err(status) = may_begin(call) {
        return Ok(Answer::status(status));
    }
    match call.json::<Init>().await {
        Ok(Init { init: Some(_) }) => Ok(Answer::status(401)),
        Ok(Init { init: None }) => Ok(Answer::status(400)),
        Err(refusal) => refusal.answer(),
    }
}

/// The proof that a device is genuine; here it proves nothing.
fn genuine(device: &DeviceCore) -> String {
    mac_token::seal(&device.identity.key(), &json!({ "iat": unix_now() }))
}

/// `GET /api/system/config/attestation`: a certificate that attests nothing.
pub(in crate::sim) fn attestation(call: &Call<'_>) -> Answer {
    let device = call.device;
    Answer::object(json!({ "crt": device.world.attestation, "genuine": genuine(device) }))
}

/// `GET /api/system/selftest`.
pub(super) fn selftest(call: &Call<'_>) -> Answer {
    let now = call.device.now();
    let state = call.device.state();
    Answer::object(json!({
        "fls_state": state.fls_state,
        "selftest_ts": now,
        "last_selftest_ts": now,
        "last_entropytest_ts": now,
        "last_kat_ts": now,
        "kat_busy": false,
        "last_fls_state": state.fls_state,
        "se_state": 0,
        "repo_stats": {
            "total": 0, "deleted": 0, "invalid": 0, "fragmented": 0, "freeslots": 1024,
        },
    }))
}

/// `GET /api/keymgmt/list`.
pub(super) fn no_keys() -> Answer {
    Answer::object(json!({ "offset": 0, "deleted": 0, "total": 0, "listed": 0, "list": [] }))
}

#[derive(Deserialize)]
struct Search {
    descr: Option<String>,
}

/// `POST /api/keymgmt/search`.
pub(in crate::sim) async fn search(call: &mut Call<'_>) -> Result<Answer, Gone> {
    match call.json::<Search>().await {
        Ok(Search { descr: Some(_) }) => Ok(no_keys()),
        Ok(Search { descr: None }) => Ok(Answer::status(400)),
        Err(refusal) => refusal.answer(),
    }
}
