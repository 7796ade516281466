//! Logs in: challenge, key, eJWT, token ([section 6](crate::hem#6-authentication)). A login that was answered is never
//! repeated here.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::derived_keys::DerivedKeys;
use crate::device::http::HttpDevice;
use crate::device::http::request::Call;
use crate::device::{LoginError, Session};
use crate::hem::ejwt::{self, PrivateKey};
use crate::hem::json::{self, Challenge};
use crate::hem::limits::{CHALLENGE_SECONDS, FAST_CLOCK, MAX_CLOCK_SKEW, MAX_JSON_BODY};
use crate::hem::path;
use crate::model::{Credential, Derivation, FailureKind, Scope, Secret};

/// How much earlier than the device's now the eJWT says it was made.
const BACKDATED: i64 = 5;

/// For so long after a check-in the device's clock, which gains about 8 %, is not more than
/// [`MAX_CLOCK_SKEW`] ahead by itself: a greater difference is the fault of this machine's clock then, and no
/// reason for a refusal.
const CLOCK_HOLDS: Duration = Duration::from_secs(10 * 60);

/// A challenge older than this is replaced before it is answered: it expires after [`CHALLENGE_SECONDS`], and the
/// device's clock runs fast. It gets this old only in a long queue for key derivations.
const STALE: Duration = Duration::from_secs(30);

/// How far a time in the device's log may be off, as times are cut to seconds.
const ROUNDING: Duration = Duration::from_secs(2);

/// The end of the year 9999, in unix seconds.
const MAX_TIME: i64 = 253_402_300_799;

/// A challenge, with both clocks at its arrival.
struct ReceivedChallenge {
    challenge: Challenge,
    /// Just before the request was sent. The token's life is counted from here, so never too long.
    at: Instant,
    /// This machine's clock, unix seconds.
    local: i64,
    /// The device's clock, unix seconds; the local one where the challenge has no `exp`.
    device: i64,
    /// Whether `device` came from the device.
    known: bool,
}

impl From<FailureKind> for LoginError {
    fn from(kind: FailureKind) -> Self {
        Self::Failed(kind)
    }
}

impl HttpDevice {
    /// See [`crate::device::Device::login`].
    pub(in crate::device::http) async fn log_in(
        &self,
        scope: Scope,
        lifetime: Duration,
    ) -> Result<Session, LoginError> {
        match (&self.credential, scope) {
            // Nothing is known of a token made elsewhere; the inventory says that it is for the upgrade.
            (Credential::None | Credential::Mobile, _) | (Credential::Token(_), Scope::Log) => {
                return Err(FailureKind::NoCredential.into());
            }
            (Credential::Token(token), Scope::Upgrade) => {
                return Ok(Session {
                    token: Some(token.clone()),
                    ..Session::anonymous()
                });
            }
            (Credential::Passphrase(..) | Credential::MasterWords(..) | Credential::Prompt, _) => {}
        }
        let _turn = self.logins.turn.lock().await;
        self.logins.are_left()?;
        let keys = self.logins.keys().clone();
        let keys = keys.ok_or(LoginError::SecretWanted)?;
        let way = keys.way();
        let mut asked = self.challenge().await?;
        self.logins.is_same_device(scope, &asked.challenge.eid)?;
        let key = keys.key(way, &asked.challenge.eid).await?;
        if asked.at.elapsed() > STALE {
            asked = self.challenge().await?;
        }
        let answered = self.answer(&asked, &key, scope, lifetime).await?;
        let token = answered.ok_or_else(|| self.refused(&asked, &keys, way))?;
        keys.accept();
        if scope == Scope::Upgrade {
            self.logins.upgraded_at(&asked.challenge.eid);
        }
        if matches!(self.credential, Credential::Prompt) {
            self.logins.typed.worked(way);
        }
        Ok(Session {
            token: Some(token),
            expires: asked.at.checked_add(lifetime.mul_f64(1.0 / FAST_CLOCK)),
            issued: asked
                .known
                .then(|| issued(asked.device, asked.at.elapsed())),
            derivation: Some(way),
        })
    }

    /// What a 401 to an answered challenge means.
    fn refused(
        &self,
        asked: &ReceivedChallenge,
        keys: &Arc<DerivedKeys>,
        way: Derivation,
    ) -> LoginError {
        self.logins.count_refusal();
        let left = self.logins.are_left();
        let seconds = asked.local.abs_diff(asked.device);
        if seconds > MAX_CLOCK_SKEW && !self.logins.clock_was_set_within(CLOCK_HOLDS) {
            return match left {
                Ok(()) => LoginError::ClockApart { seconds },
                Err(used_up) => used_up.into(),
            };
        }
        let typed = matches!(self.credential, Credential::Prompt) && !keys.is_accepted();
        match (keys.refuse(&asked.challenge.eid), left) {
            (Some(_), Ok(())) if typed && self.logins.is_asked_for_again(keys) => {
                FailureKind::WrongSecret.into()
            }
            (Some(next), Ok(())) => LoginError::OtherDerivation { refused: way, next },
            // The other derivation might be the right one, but there is no try left.
            (Some(_), Err(used_up)) => used_up.into(),
            (None, _) => {
                if typed {
                    // Mistyped: ask for another one, unless it has been given already.
                    let mut current = self.logins.keys();
                    if current.as_ref().is_some_and(|c| Arc::ptr_eq(c, keys)) {
                        *current = None;
                    }
                }
                FailureKind::WrongSecret.into()
            }
        }
    }

    /// Answers a challenge, which spends its nonce whatever the outcome. `None` is a 401.
    async fn answer(
        &self,
        asked: &ReceivedChallenge,
        key: &PrivateKey,
        scope: Scope,
        lifetime: Duration,
    ) -> Result<Option<Secret>, LoginError> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let ejwt = ejwt::issue(
            key,
            &asked.challenge,
            (asked.device - BACKDATED).max(0),
            asked.device.saturating_add(seconds),
            scope.as_str(),
        )
        .map_err(|e| bad_answer(&e))?;
        let body = Bytes::from(json::auth_body(&ejwt));
        if body.len() > MAX_JSON_BODY {
            return Err(bad_answer(&"a challenge too long to answer").into());
        }
        let answer = self.call(Call::post(path::TOKEN, body)).await?;
        match answer.status {
            200 => {
                let body = answer.body.map_err(FailureKind::from)?;
                Ok(Some(json::parse_token(&body).map_err(|e| bad_answer(&e))?))
            }
            401 => Ok(None),
            403 => Err(LoginError::ClockUnset),
            status => Err(FailureKind::Status { status }.into()),
        }
    }

    /// Asks for a challenge.
    async fn challenge(&self) -> Result<ReceivedChallenge, LoginError> {
        let at = Instant::now();
        let answer = self.call(Call::get(path::TOKEN)).await?;
        match answer.status {
            200 => {}
            403 => return Err(LoginError::ClockUnset),
            status => {
                if status == 401 {
                    self.logins.count_refusal();
                }
                return Err(FailureKind::Status { status }.into());
            }
        }
        let body = answer.body.map_err(FailureKind::from)?;
        let challenge = json::parse_challenge(&body).map_err(|e| bad_answer(&e))?;
        let local = jiff::Timestamp::now().as_second();
        let device = match challenge.exp {
            // With the trusted-time option off a device may count from its boot, so that small values are fine.
            Some(exp) if (0..=MAX_TIME).contains(&exp) => exp - CHALLENGE_SECONDS,
            Some(_) => return Err(bad_answer(&"field exp is no time").into()),
            None => local,
        };
        Ok(ReceivedChallenge {
            known: challenge.exp.is_some(),
            challenge,
            at,
            local,
            device,
        })
    }
}

/// When a token was issued, on the device's clock: the clock was read as `device`, and the token arrived `took`
/// later. The range is as narrow as possible, as another run's token in it could not be told apart.
pub(in crate::device::http) fn issued(device: i64, took: Duration) -> RangeInclusive<u64> {
    let asked = u64::try_from(device).unwrap_or(0);
    let since = took.mul_f64(FAST_CLOCK).saturating_add(ROUNDING).as_secs();
    asked.saturating_sub(ROUNDING.as_secs())..=asked.saturating_add(since)
}

fn bad_answer(e: &impl std::fmt::Display) -> FailureKind {
    FailureKind::BadAnswer {
        what: e.to_string(),
    }
}
