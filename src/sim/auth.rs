//! Logging in (section 6), with the real cryptography of `hem`.
//! Must not: judge what a token is good for; that is `api`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use x25519_dalek::{PublicKey, StaticSecret};

use super::answer::{Answer, Gone};
use super::api::Call;
use super::machine::Bearer;
use super::sealed;
use super::unit::Owner;
use crate::hem::ejwt;
use crate::model::AuditType;

/// Every reply takes at least this long,
const USUAL: Duration = Duration::from_millis(500);
/// and this long after three failures.
const THROTTLED: Duration = Duration::from_millis(1_500);
const FAILURES: u32 = 3;

/// How long a challenge lives, in seconds of the device's clock.
const DEADLINE: i64 = 60;

/// `GET /api/auth/token`.
pub(super) async fn challenge(call: &Call<'_>) -> Answer {
    let reply_at = reply_at(call);
    let answer = make_challenge(call);
    tokio::time::sleep_until(reply_at).await;
    answer
}

fn make_challenge(call: &Call<'_>) -> Answer {
    let now = match clock(call) {
        Ok(now) => now,
        Err(status) => return Answer::status(status),
    };
    let mut machine = call.unit.machine();
    let exp = now + DEADLINE;
    let jti = machine.boot.nonce(exp);
    let session = StaticSecret::from(machine.boot.session);
    Answer {
        absent: &["note"],
        ..Answer::object(json!({
            "exp": exp,
            "spk": STANDARD.encode(PublicKey::from(&session).as_bytes()),
            "jti": jti,
            "lbl": "Alice",
            "eid": call.unit.identity.eid(),
        }))
    }
}

/// The device's clock, or why nobody logs in now.
fn clock(call: &Call<'_>) -> Result<i64, u16> {
    if call.unit.script.fresh || call.unit.machine().fls_state != 0 {
        return Err(409);
    }
    call.unit.now().ok_or(403)
}

/// When a reply may leave at the earliest.
pub(super) fn reply_at(call: &Call<'_>) -> Instant {
    let refused = call.unit.machine().boot.refused;
    Instant::now() + call.unit.world.delay(delay(refused))
}

/// How long a reply takes at least, after so many failures.
pub(super) fn delay(refused: u32) -> Duration {
    if refused < FAILURES { USUAL } else { THROTTLED }
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<String>,
}

#[derive(Deserialize)]
struct Nonce {
    jti: String,
}

/// `POST /api/auth/token`.
pub(super) async fn login(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let reply_at = reply_at(call);
    let answer = match call.json::<Auth>().await {
        Ok(Auth { auth: Some(ejwt) }) => {
            let owners = call.unit.owners().await;
            match judge(call, &ejwt, &owners) {
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

fn judge(call: &Call<'_>, ejwt: &str, owners: &[Owner]) -> Result<String, u16> {
    let now = clock(call)?;
    let mut machine = call.unit.machine();
    // A nonce is spent by any attempt, good or bad.
    let named: Option<Nonce> = sealed::unverified(ejwt);
    let fresh = named.is_some_and(|n| machine.boot.spend(&n.jti, now));
    let claims = ejwt::verify(ejwt, &machine.boot.session)
        .ok()
        .filter(|claims| fresh && claims.exp > now);
    let known = claims.and_then(|claims| {
        let owner = owners.iter().find(|o| o.key == claims.iss)?;
        Some((claims, owner))
    });
    let Some((claims, owner)) = known else {
        machine.boot.refused += 1;
        return Err(401);
    };
    machine.boot.refused = 0;
    let bearer = Bearer {
        sub: owner.role.to_string(),
        scope: claims.scope,
        exp: claims.exp,
    };
    let token = machine.issue(&bearer, AuditType::TOKEN, bearer.scope.as_bytes());
    drop(machine);
    call.unit.recorder.note(|j| j.logins += 1);
    Ok(token)
}
