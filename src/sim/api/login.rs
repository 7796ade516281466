//! Logging in, with the real cryptography of `hem` ([section 6](crate::hem#6-authentication)). What a token is good for
//! is checked in `admission`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use x25519_dalek::{PublicKey, StaticSecret};

use super::answer::{Answer, Gone};
use super::call::Call;
use crate::hem::ejwt;
use crate::hem::limits::CHALLENGE_SECONDS;
use crate::model::AuditType;
use crate::sim::device::credential::Account;
use crate::sim::device::login_throttle::{FORGETS, USUAL};
use crate::sim::device::state::Bearer;
use crate::sim::tokens::mac_token;

/// `GET /api/auth/token`. Failed logins do not slow this down.
pub(in crate::sim) async fn challenge(call: &Call<'_>) -> Answer {
    let reply_at = Instant::now() + call.device.world.delay(USUAL);
    let answer = make_challenge(call);
    tokio::time::sleep_until(reply_at).await;
    answer
}

fn make_challenge(call: &Call<'_>) -> Answer {
    let now = match clock(call) {
        Ok(now) => now,
        Err(status) => return Answer::status(status),
    };
    let mut state = call.device.state();
    let exp = now + CHALLENGE_SECONDS;
    let jti = state.boot.new_nonce(exp);
    Answer {
        absent: &["note"],
        ..Answer::object(json!({
            "exp": exp,
            "spk": session_key(&state.boot.session),
            "jti": jti,
            "lbl": state.settings.user,
            "eid": call.device.identity.eid(),
        }))
    }
}

/// `spk`: the public half of a boot's session key.
pub(super) fn session_key(session: &[u8; 32]) -> String {
    let session = StaticSecret::from(*session);
    STANDARD.encode(PublicKey::from(&session).as_bytes())
}

/// The device's clock, or the status by which logins are refused.
fn clock(call: &Call<'_>) -> Result<i64, u16> {
    if call.device.script.fresh || call.device.state().fls_state != 0 {
        return Err(409);
    }
    call.device.now().ok_or(403)
}

/// The earliest time for the reply to a login.
pub(super) fn reply_at(call: &Call<'_>) -> Instant {
    let world = &call.device.world;
    let (now, throttle) = (Instant::now(), call.device.state().boot.throttle);
    now + world.delay(throttle.delay(now, world.delay(FORGETS)))
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<String>,
}

/// What is read of a login before it is verified.
#[derive(Deserialize)]
struct Claimed {
    jti: String,
    #[serde(default)]
    iss: String,
}

/// `POST /api/auth/token`.
pub(in crate::sim) async fn login(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let reply_at = reply_at(call);
    let answer = match call.json::<Auth>().await {
        Ok(Auth { auth: Some(ejwt) }) => {
            let claimed: Option<Claimed> = mac_token::unverified(&ejwt);
            let account = match &claimed {
                Some(claimed) => call.device.account(&claimed.iss).await,
                None => None,
            };
            let nonce = claimed.map(|c| c.jti);
            match issue_token(call, &ejwt, nonce.as_deref(), account.as_ref()) {
                Ok(token) => Answer::object(json!({ "token": token })),
                Err(status) => Answer::status(status),
            }
        }
        Ok(Auth { auth: None }) => Answer::status(400),
        Err(refusal) => refusal.answer()?,
    };
    tokio::time::sleep_until(reply_at).await;
    Ok(answer)
}

/// Verifies a login and issues its token. `account` is the one whose key the login claims, if the device knows it.
fn issue_token(
    call: &Call<'_>,
    ejwt: &str,
    nonce: Option<&str>,
    account: Option<&Account>,
) -> Result<String, u16> {
    let now = clock(call)?;
    let forgets = call.device.world.delay(FORGETS);
    let mut state = call.device.state();
    // A nonce is spent by any attempt, good or bad.
    let fresh = nonce.is_some_and(|n| state.boot.spend_nonce(n, now));
    let claims = ejwt::verify(ejwt, &state.boot.session)
        .ok()
        .filter(|claims| fresh && claims.exp > now);
    let known = claims
        .zip(account)
        .filter(|(c, account)| c.iss == account.key);
    let Some((claims, account)) = known else {
        state.boot.throttle.failed(Instant::now(), forgets);
        return Err(401);
    };
    state.boot.throttle.succeeded();
    let bearer = Bearer::new(account.role.to_string(), claims.scope, now, claims.exp);
    let token = state.issue(&bearer, AuditType::TOKEN, bearer.scope.as_bytes());
    drop(state);
    call.device.recorder.record(|j| j.logins += 1);
    Ok(token)
}
