//! `/api/system/config`: reading and changing the settings, and renewing the certificate by hand ([section
//! 5](crate::hem#5-check-in)).
//!
//! The settings themselves are in `device/system_config.rs`, the certificates in `device/certificates.rs`.

use serde_json::{Value, json};

use super::answer::{Answer, Gone};
use super::call::Call;
use super::login::session_key;
use crate::sim::device::system_config::Change;
use crate::sim::tokens::mac_token::random_text;

/// `GET /api/system/config`.
pub(in crate::sim) fn read(call: &Call<'_>) -> Answer {
    let device = call.device;
    let now = device.now();
    let state = device.state();
    let mut json = json!({
        "iat": now,
        "uts": state.boot.clock.map(|c| c.set_to()),
        "devid": "0123456789abcdef",
        "instanceid": "01234567-89ab-cdef-0123-456789abcdef",
        "eid": device.identity.eid(),
        "eid_sign": state.log.key().key,
        "hostname": device.script.host(),
        "ip": "192.168.7.1/24",
        "spk": session_key(&state.boot.session),
        "nonce": random_text(),
    });
    let has_storage = !device.is_epa();
    if has_storage {
        json["genuine_id"] = "0123456789abcdef01".into();
        json["storage_capacity"] = 15_466_496.into();
    }
    if let Value::Object(fields) = &mut json {
        fields.extend(state.settings.show(has_storage));
    }
    Answer::object(json)
}

/// `POST /api/system/config`: makes all of a change, or nothing of it. The page leaves open what happens to an
/// unknown key: here it is ignored, and a change without known keys is answered with 400.
pub(in crate::sim) async fn change(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let mut change: Change = match call.json().await {
        Ok(change) => change,
        Err(refusal) => return refusal.answer(),
    };
    if change == Change::default() {
        return Ok(Answer::status(400));
    }
    if change.is_not_simulated() {
        return Ok(Answer::status(406));
    }
    let mut json = json!({ "updated": true });
    if let Some(tls) = change.tls.take() {
        let accepted = tls
            .crt
            .is_some_and(|crt| call.device.take_certificate(&crt));
        if !accepted {
            return Ok(Answer::status(400));
        }
        json["reboot_required"] = true.into();
    }
    call.device.state().settings.take(change);
    Ok(Answer::object(json))
}
