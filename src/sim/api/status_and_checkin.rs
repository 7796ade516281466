//! Version, status, and the device's two steps of a check-in (sections [4](crate::hem#4-version-and-status) and
//! [5](crate::hem#5-check-in)). None of these endpoints requires a token.

use hyper::header::HOST;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Gone, odd};
use super::call::Call;
use super::management_app;
use crate::sim::firmware_images;
use crate::sim::script::device::Model;
use crate::sim::script::fault::Act;
use crate::sim::script::values::LinkScheme;

/// Latched by an order to lock the device (section 4).
const LOCKED: u32 = 0x40;
/// Latched by an order to brick it: shut down after check-in.
const SHUT_DOWN: u32 = 0x80;

/// `GET /api/system/version`.
pub(in crate::sim) fn version(call: &Call<'_>) -> Answer {
    let device = call.device;
    let state = device.state();
    let mut json = json!({
        "hwv": match device.script.model {
            Model::Ppa => "PPA rev 2.2",
            Model::Epa => "EPA rev 1.0 @x",
        },
        "blv": "Encedo nGINE BL v1.1.0",
        "fwv": state.running.fwv,
        "fwk": firmware_images::fwk().to_string(),
        "fws": state.running.fws.to_string(),
    });
    if device.script.model == Model::Ppa {
        json["uis"] = management_app::reported(device, &state).into();
        // The id of the card inside, always the same for one device.
        json["sd_cid"] = call.device.card().into();
    }
    Answer {
        absent: &["blk", "bls", "uis", "sd_csd", "sd_cid"],
        ..Answer::object(json)
    }
}

/// `GET /api/system/status`.
pub(in crate::sim) fn status(call: &Call<'_>) -> Answer {
    let script = &call.device.script;
    let state = call.device.state();
    let mut json = json!({
        "ctx": 1,
        "uptime": state.boot.uptime.seconds(),
        "temp": 38,
        "fls_state": state.fls_state,
    });
    if script.model == Model::Ppa {
        json["storage"] = json!(["7733248:-", "7733248:-"]);
    }
    if script.fresh {
        json["inited"] = false.into();
    }
    if let Some(clock) = state.boot.clock {
        let now = clock.now();
        let text = jiff::Timestamp::from_second(now).map(|t| t.to_string());
        json["ts"] = text.unwrap_or_default().into();
        json["time"] = now.into();
    }
    if !call.tls {
        json["https"] = (script.scheme == LinkScheme::Https).into();
    }
    if host(call).is_some_and(|asked| asked != script.host()) {
        json["hostname"] = script.host().into();
    }
    if !state.settings.trusted_ts {
        json["tts"] = false.into();
    }
    if state.boot.fw_upgrade {
        json["fw_upgrade"] = true.into();
    }
    Answer {
        absent: &[
            "inited",
            "ts",
            "time",
            "https",
            "hostname",
            "tts",
            "fw_upgrade",
            "format",
        ],
        ..Answer::object(json)
    }
}

/// The requested host, without its port.
fn host(call: &Call<'_>) -> Option<String> {
    let text = call.request.headers().get(HOST)?.to_str().ok()?;
    let authority: hyper::http::uri::Authority = text.parse().ok()?;
    Some(authority.host().to_owned())
}

/// `GET /api/system/checkin`.
pub(in crate::sim) fn checkin(call: &Call<'_>) -> Answer {
    let mut state = call.device.state();
    let jti = crate::sim::tokens::mac_token::random_text();
    let uis = (!call.device.is_epa()).then(|| management_app::reported(call.device, &state));
    let fws = state.running.fws.to_string();
    let csn = call.device.serial();
    let check = call.device.identity.ask(&jti, &fws, uis.as_deref(), &csn);
    // Clients forward objects verbatim, so that the unknown field of an odd answer must come back.
    state.boot.asked = Some((jti, call.act == Some(Act::Odd)));
    Answer::object(json!({ "check": check }))
}

#[derive(Deserialize)]
struct Checked {
    checked: Option<String>,
    future: Option<Value>,
}

/// `POST /api/system/checkin`.
pub(super) async fn checkin_reply(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let body: Checked = match call.json().await {
        Ok(body) => body,
        Err(refusal) => return refusal.answer(),
    };
    let Some(checked) = body.checked else {
        return Ok(Answer::status(400));
    };
    // A question is used once: whatever happens to this reply, the next one needs a new question.
    let Some((jti, was_odd)) = call.device.state().boot.asked.take() else {
        return Ok(Answer::status(401));
    };
    if was_odd && body.future != Some(odd()) {
        return Ok(Answer::status(400));
    }
    let Some(reply) = call.device.identity.hear(&checked).filter(|r| r.jti == jti) else {
        return Ok(Answer::status(401));
    };
    call.device.set_clock(reply.iat);
    call.device.recorder.record(|j| j.checkins += 1);
    call.device.state().fls_state |= match reply.order {
        Some('L') => LOCKED,
        Some('B') => SHUT_DOWN,
        _ => 0,
    };
    let status = reply.order.map_or_else(|| "OK".into(), |o| o.to_string());
    let mut json = Map::from_iter([("status".to_owned(), Value::from(status))]);
    let newcrt = reply.newcrt.map(|_| {
        call.device.renew();
        "OK".to_owned()
    });
    for (name, value) in [
        ("newcrt", newcrt),
        ("newfws", reply.newfws),
        ("newuis", reply.newuis),
    ] {
        if let Some(value) = value {
            json.insert(name.to_owned(), value.into());
        }
    }
    Ok(Answer {
        absent: &["newcrt", "newfws", "newuis"],
        ..Answer::object(Value::Object(json))
    })
}
