//! Logging in: challenge, key, eJWT, token (section 6).
//!
//! Must not: repeat an answered login, or let the secret or the key out of this file.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::HttpDevice;
use super::request::Call;
use crate::device::{LoginError, Session};
use crate::hem::ejwt::{self, PrivateKey};
use crate::hem::kdf;
use crate::hem::wire::{self, Challenge, path};
use crate::model::{Credential, Derivation, FailureKind, Scope, Secret};

/// After so many 401 in one run no login is tried any more (section 6).
const MAX_REFUSED: u32 = 3;

/// How much earlier than the device's now the eJWT says it was made.
const BACKDATED: i64 = 5;

/// Clocks that differ by more may be why a login was refused (section 6).
const CLOCKS_APART: u64 = 60;

/// A challenge older than this is not answered any more: it dies after 60 s, and the device's clock
/// runs fast. Only a long queue for the key derivation makes one so old.
const STALE: Duration = Duration::from_secs(30);

/// The end of the year 9999, in unix seconds.
const MAX_TIME: i64 = 253_402_300_799;

/// What a device's logins need to remember for one run.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// The derived key and the `eid` it was salted with.
    key: Mutex<Option<(String, PrivateKey)>>,
    /// How often the device said 401.
    refused: AtomicU32,
}

/// A challenge, with both clocks at its arrival.
struct Asked {
    challenge: Challenge,
    /// Before the request left: the token's life is reckoned from here, never too long.
    at: Instant,
    /// This machine's clock, unix seconds.
    local: i64,
    /// The device's clock, unix seconds; the local one where the challenge has no `exp`.
    device: i64,
}

impl From<FailureKind> for LoginError {
    fn from(kind: FailureKind) -> Self {
        Self::Failed(kind)
    }
}

impl HttpDevice {
    /// See [`crate::device::Device::login`].
    pub(super) async fn log_in(
        &self,
        scope: Scope,
        lifetime: Duration,
    ) -> Result<Session, LoginError> {
        let passphrase = match &self.credential {
            Credential::None
            | Credential::Prompt
            | Credential::MasterWords(..)
            | Credential::Mobile => return Err(FailureKind::NoCredential.into()),
            Credential::Token(token) => {
                return Ok(Session {
                    token: Some(token.clone()),
                    ..Session::anonymous()
                });
            }
            Credential::Passphrase(passphrase, _) => passphrase,
        };
        if self.logins.refused.load(Ordering::Acquire) >= MAX_REFUSED {
            return Err(FailureKind::LoginsUsedUp.into());
        }
        let mut asked = self.ask().await?;
        let key = self.key(passphrase, &asked.challenge.eid).await?;
        if asked.at.elapsed() > STALE {
            asked = self.ask().await?;
        }
        self.answer(&asked, &key, scope, lifetime).await
    }

    /// Answers a challenge. Its nonce is spent by that, however it ends.
    async fn answer(
        &self,
        asked: &Asked,
        key: &PrivateKey,
        scope: Scope,
        lifetime: Duration,
    ) -> Result<Session, LoginError> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let ejwt = ejwt::issue(
            key,
            &asked.challenge,
            (asked.device - BACKDATED).max(0),
            asked.device.saturating_add(seconds),
            scope.as_str(),
        )
        .map_err(|e| bad_answer(&e))?;
        let body = Bytes::from(wire::auth_body(&ejwt));
        if body.len() > wire::MAX_JSON_BODY {
            return Err(bad_answer(&"a challenge too long to answer").into());
        }
        let answer = self.call(Call::post(path::TOKEN, body)).await?;
        match answer.status {
            200 => {
                let body = answer.body.map_err(FailureKind::from)?;
                Ok(Session {
                    token: Some(wire::parse_token(&body).map_err(|e| bad_answer(&e))?),
                    // The device's clock gains about 8 %: ten is on the safe side.
                    expires: asked.at.checked_add(lifetime.mul_f64(1.0 / 1.1)),
                    issued: None,
                    derivation: Some(Derivation::Pbkdf2),
                })
            }
            401 => {
                self.logins.refused.fetch_add(1, Ordering::AcqRel);
                let seconds = asked.local.abs_diff(asked.device);
                if seconds > CLOCKS_APART {
                    return Err(LoginError::ClockApart { seconds });
                }
                Err(FailureKind::WrongSecret.into())
            }
            403 => Err(LoginError::ClockUnset),
            status => Err(FailureKind::Status { status }.into()),
        }
    }

    /// Asks for a challenge.
    async fn ask(&self) -> Result<Asked, LoginError> {
        let at = Instant::now();
        let answer = self.call(Call::get(path::TOKEN)).await?;
        match answer.status {
            200 => {}
            403 => return Err(LoginError::ClockUnset),
            status => {
                if status == 401 {
                    self.logins.refused.fetch_add(1, Ordering::AcqRel);
                }
                return Err(FailureKind::Status { status }.into());
            }
        }
        let body = answer.body.map_err(FailureKind::from)?;
        let challenge = wire::parse_challenge(&body).map_err(|e| bad_answer(&e))?;
        let local = jiff::Timestamp::now().as_second();
        let device = match challenge.exp {
            // With the trusted-time option off a device may count from its boot: small is fine.
            Some(exp) if (0..=MAX_TIME).contains(&exp) => exp - wire::CHALLENGE_SECONDS,
            Some(_) => return Err(bad_answer(&"field exp is no time").into()),
            None => local,
        };
        Ok(Asked {
            challenge,
            at,
            local,
            device,
        })
    }

    /// The key, derived on the first call of a run and remembered for this `eid`.
    async fn key(&self, passphrase: &Secret, eid: &str) -> Result<PrivateKey, LoginError> {
        let mut known = self.logins.key.lock().await;
        if let Some((salt, key)) = &*known
            && salt == eid
        {
            return Ok(key.clone());
        }
        let key = derive(passphrase.clone(), eid.to_owned()).await?;
        *known = Some((eid.to_owned(), key.clone()));
        Ok(key)
    }
}

/// Derives off the async threads, never more at once than there are cores, in the whole process.
async fn derive(passphrase: Secret, eid: String) -> Result<PrivateKey, FailureKind> {
    static CORES: OnceLock<Arc<Semaphore>> = OnceLock::new();
    let cores = CORES.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Arc::new(Semaphore::new(cores))
    });
    let died = |what: String| FailureKind::Panicked { what };
    let permit = Arc::clone(cores)
        .acquire_owned()
        .await
        .map_err(|e| died(e.to_string()))?;
    tokio::task::spawn_blocking(move || {
        let key = kdf::pbkdf2(&passphrase, &eid);
        drop(permit);
        key
    })
    .await
    .map_err(|e| died(format!("key derivation: {e}")))
}

fn bad_answer(e: &impl std::fmt::Display) -> FailureKind {
    FailureKind::BadAnswer {
        what: e.to_string(),
    }
}
