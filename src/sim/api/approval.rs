//! Mobile approval at the device: requesting one, and redeeming it ([section 10](crate::hem#10-mobile-approval)).
//! Broker and phone are in `broker/notifications.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep_until;

use super::answer::{Answer, Gone};
use super::call::Call;
use super::login::reply_at;
use crate::hem::limits::{MAX_NOTE, PHONE_TOKEN_LIFE};
use crate::model::AuditType;
use crate::sim::device::state::Bearer;
use crate::sim::script::fault::Act;
use crate::sim::tokens::approval::{ApprovalRequest, Phone};
use crate::sim::tokens::mac_token::random_text;

/// The longest scope, in bytes (the vendor's description; the page says nothing here).
const MAX_SCOPE: usize = 1_023;

#[derive(Deserialize)]
struct ApprovalWanted {
    epk: Option<String>,
    scope: Option<String>,
    note: Option<String>,
    future: Option<Value>,
}

impl ApprovalWanted {
    /// The broker's key and the scope, if the request is valid.
    fn key_and_scope(&self) -> Option<(&str, &str)> {
        let (epk, scope) = (self.epk.as_deref()?, self.scope.as_deref()?);
        let is_key = STANDARD.decode(epk).is_ok_and(|k| k.len() == 32);
        let notes = 1..=MAX_NOTE;
        let is_note = |n: &String| notes.contains(&n.chars().count());
        let good = is_key
            && (1..=MAX_SCOPE).contains(&scope.len())
            && self.note.as_ref().is_none_or(is_note);
        good.then_some((epk, scope))
    }
}

/// The device's clock, which a mobile approval needs even with the trusted-time option off.
fn clock(call: &Call<'_>) -> Result<i64, u16> {
    let state = call.device.state();
    if call.device.script.fresh || state.fls_state != 0 {
        return Err(409);
    }
    state.boot.clock.map(|c| c.now()).ok_or(403)
}

/// `POST /api/auth/ext/request`.
pub(in crate::sim) async fn request(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let wanted: ApprovalWanted = match call.json().await {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal.answer(),
    };
    let Some((epk, scope)) = wanted.key_and_scope() else {
        return Ok(Answer::status(400));
    };
    let now = match clock(call) {
        Ok(now) => now,
        Err(status) => return Ok(Answer::status(status)),
    };
    let device = call.device;
    let request = ApprovalRequest {
        jti: random_text(),
        iss: device.identity.eid(),
        iat: now,
        epk: epk.to_owned(),
        scope: scope.to_owned(),
        note: wanted.note.clone(),
        future: wanted.future.clone(),
        is_odd: call.act == Some(Act::Odd),
    };
    device.state().boot.remember_approval(&request);
    device.recorder.record(|j| j.phone.requests += 1);
    Ok(Answer {
        absent: &["ctx"],
        ..Answer::object(json!({ "authreq": request.seal(&device.identity), "epk": epk }))
    })
}

#[derive(Deserialize)]
struct Reply {
    authreply: Option<String>,
}

/// `POST /api/auth/ext/token`.
pub(in crate::sim) async fn token(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let reply_at = reply_at(call);
    let answer = match call.json::<Reply>().await {
        Ok(Reply {
            authreply: Some(reply),
        }) => match redeem(call, &reply) {
            Ok(token) => Answer::object(json!({ "token": token })),
            Err(status) => Answer::status(status),
        },
        Ok(Reply { authreply: None }) => Answer::status(400),
        Err(refusal) => refusal.answer()?,
    };
    sleep_until(reply_at).await;
    Ok(answer)
}

fn redeem(call: &Call<'_>, authreply: &str) -> Result<String, u16> {
    let now = clock(call)?;
    let device = call.device;
    let phone = Phone::of(&device.identity);
    let approval = phone.read(authreply)?;
    let mut state = device.state();
    // A request is redeemed once, in the boot that made it, and for the scope that it asked for.
    let asked = state
        .boot
        .take_approval(&approval.jti, now)
        .ok_or(401_u16)?;
    if asked != approval.scope {
        return Err(401);
    }
    // The 15 minutes are counted by the device's clock.
    let exp = now.saturating_add_unsigned(PHONE_TOKEN_LIFE.as_secs());
    let bearer = Bearer::new(phone.name(), asked, now, exp);
    let token = state.issue(&bearer, AuditType::TOKEN_MOBILE, &phone.kid());
    drop(state);
    device.recorder.record(|j| {
        j.logins += 1;
        j.phone.redeemed += 1;
    });
    Ok(token)
}
