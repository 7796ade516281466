//! What other software of the vendor's API asks a device for, and an upgrade does not: as the vendor's
//! published description of firmware 1.2.2 has it, as far as that costs little.
//!
//! There are no keys and no crypto here: the repository is empty, and every operation fails for want of a key.
//! Must not: grow into a key store.

use hyper::Method;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue,
};
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Gone};
use super::api::Call;
use super::clock::unix_now;
use super::sealed;

/// Lets a page of an allowed origin read the answer; and before that, ask.
pub(super) fn allow(headers: &mut HeaderMap, origin: HeaderValue, method: &Method) {
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

/// `/api/auth/init`: devices are personalised already, and fresh ones stay as they are.
pub(super) fn init(call: &Call<'_>) -> Answer {
    Answer::status(if call.unit.script.fresh { 404 } else { 406 })
}

/// `GET /api/system/config`.
pub(super) fn config(call: &Call<'_>) -> Answer {
    let unit = call.unit;
    Answer::object(json!({
        "iat": 1_659_436_962,
        "uts": 1_659_436_962,
        "devid": "0123456789abcdef",
        "eid": unit.identity.eid(),
        "user": "Alice",
        "email": "alice@example.com",
        "hostname": unit.script.host(),
        "dnsd": false,
        "trusted_ts": unit.script.trusted_time,
        "trusted_backend": true,
        "allow_keysearch": true,
        "origin": format!("https://{}", unit.script.host()),
        "ctx": 1,
        "ip": "192.168.7.1/24",
    }))
}

/// `GET /api/system/config/attestation`: a certificate, which attests nothing.
pub(super) fn attestation(call: &Call<'_>) -> Answer {
    let unit = call.unit;
    let genuine = sealed::seal(&unit.identity.key(), &json!({ "iat": unix_now() }));
    Answer::object(json!({ "crt": unit.world.attestation, "genuine": genuine }))
}

/// `GET /api/system/selftest`.
pub(super) fn selftest(call: &Call<'_>) -> Answer {
    let now = call.unit.now();
    let machine = call.unit.machine();
    Answer::object(json!({
        "fls_state": machine.fls_state,
        "selftest_ts": now,
        "last_selftest_ts": now,
        "last_fls_state": machine.fls_state,
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
pub(super) async fn search(call: &mut Call<'_>) -> Result<Answer, Gone> {
    match call.json::<Search>().await {
        Ok(Search { descr: Some(_) }) => Ok(no_keys()),
        Ok(Search { descr: None }) => Ok(Answer::status(400)),
        Err(refusal) => refusal.answer(),
    }
}
