//! Logging in to a device, with a secret or by its owner's phone, and when to do it again (protocol page, sections 5,
//! 6 and 10). The phone's part is in `approval`.

use std::time::Duration;

use tokio::time::Instant;

use crate::device::{Device, LoginError, Session};
use crate::hem::audit::Login;
use crate::model::{BrokerFault, Credentials, FailureKind, Outcome, Scope, Stage, human_duration};

use super::attempt::{Attempt, Running};
use super::retry::is_transient;
use crate::engine::event::{DeviceFact, Seen};

/// The shortest token that is asked for: one login serves the whole upgrade.
const MIN_TOKEN: Duration = Duration::from_secs(60 * 60);
/// The longest token that makes sense (section 6).
const MAX_TOKEN: Duration = Duration::from_secs(8 * 60 * 60);
/// What the phone stamps onto a token (section 10).
const PHONE_TOKEN: Duration = Duration::from_secs(15 * 60);
/// With less than this left of a token from a phone, the owner is asked again.
const PHONE_SPARE: Duration = Duration::from_secs(60);

/// How a device is entered.
pub(in crate::engine) enum Access {
    /// A fresh device wants no login.
    Open(Session),
    /// A login, which may have to be renewed.
    Login {
        session: Session,
        scope: Scope,
        checked_in: bool,
    },
}

/// Why a login did not come about.
pub(in crate::engine) enum Refused {
    /// The device or the broker said so.
    Login(LoginError),
    /// So did a person, or something after a person had agreed: not to be repeated by itself.
    Final(FailureKind),
}

impl From<LoginError> for Refused {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

/// What follows from a login that did not come about.
pub(super) enum Next {
    /// Once more at once.
    Again(FailureKind),
    /// The secret was mistyped: ask for it again.
    AskAgain(FailureKind),
    /// A check-in, then once more.
    Checkin(FailureKind),
    /// It may pass by itself.
    Later(FailureKind),
    /// Nothing.
    End(FailureKind),
}

impl<D: Device> Attempt<D> {
    /// Sets the clock if a login needs it, and logs in if the device wants it.
    pub(super) async fn enter(&mut self, seen: &Seen, scope: Scope) -> Result<Access, Outcome> {
        if !seen.status.initialised {
            return Ok(Access::Open(Session::anonymous()));
        }
        let mut checked_in = false;
        if self.needs_clock(seen) {
            self.checkin().await?;
            checked_in = true;
        }
        let session = self.login(scope, &mut checked_in).await?;
        Ok(Access::Login {
            session,
            scope,
            checked_in,
        })
    }

    /// Logs in for `scope` (section 6): what [`Self::after_login`] allows, and nothing else, is repeated.
    async fn login(&mut self, scope: Scope, checked_in: &mut bool) -> Result<Session, Outcome> {
        let mut try_no = 1;
        let mut ask = false;
        loop {
            let running = self.begin(Stage::Login, try_no).await;
            let refused = match self.log_in(Stage::Login, scope, ask).await {
                Ok(Ok(session)) => return Ok(self.entered(running, scope, session).await),
                Ok(Err(refused)) => refused,
                Err(outcome) => {
                    self.end_failed(running, FailureKind::Stopped).await;
                    return Err(outcome);
                }
            };
            ask = false;
            match self.after_login(refused, *checked_in) {
                Next::Again(kind) => self.end_failed(running, kind).await,
                Next::AskAgain(kind) => {
                    self.end_failed(running, kind).await;
                    ask = true;
                }
                Next::Checkin(kind) => {
                    // The clock may be unset since a reboot.
                    self.repeated = true;
                    self.end_failed(running, kind).await;
                    self.checkin().await?;
                    *checked_in = true;
                }
                Next::Later(kind) => {
                    try_no = self.again(running, kind).await?;
                    continue;
                }
                Next::End(kind) => return Err(self.fail(running, kind).await),
            }
            try_no += 1;
        }
    }

    async fn entered(&self, running: Running, scope: Scope, session: Session) -> Session {
        let (status, note) = match self.device.credentials() {
            Credentials::Token => (None, "token as given".to_owned()),
            Credentials::Mobile => {
                let life = human_duration(PHONE_TOKEN);
                (
                    Some(200),
                    format!("{scope}, approved on the phone, valid {life}"),
                )
            }
            Credentials::None | Credentials::Login | Credentials::Prompt => {
                let how = session
                    .derivation
                    .map_or_else(String::new, |d| format!(", {d}"));
                let life = human_duration(self.token_lifetime());
                (Some(200), format!("{scope}{how}, valid {life}"))
            }
        };
        self.end(running, status, note).await;
        session
    }

    /// One login, with whatever the inventory gives; a person is asked first where that is wanted, or with
    /// `ask`. What a device accepts is told, and remembered for its log.
    ///
    /// # Errors
    ///
    /// Outside: a person stopped it.
    pub(super) async fn log_in(
        &mut self,
        stage: Stage,
        scope: Scope,
        ask: bool,
    ) -> Result<Result<Session, Refused>, Outcome> {
        let credentials = self.device.credentials();
        let entered = if credentials == Credentials::Mobile {
            self.approve(stage, scope).await?
        } else {
            self.with_secret(scope, ask).await?
        };
        let login = match credentials {
            Credentials::Mobile => Login::Mobile,
            Credentials::Login | Credentials::Prompt => Login::Secret,
            Credentials::Token | Credentials::None => return Ok(entered),
        };
        match &entered {
            Ok(session) => {
                if scope == Scope::Upgrade {
                    self.history().logged_in(login, session.issued.clone());
                }
                let derivation = session.derivation;
                let fact = DeviceFact::LoggedIn { scope, derivation };
                self.events.send(fact).await;
            }
            Err(Refused::Login(
                LoginError::OtherDerivation { .. }
                | LoginError::ClockApart { .. }
                | LoginError::Failed(FailureKind::WrongSecret),
            )) if login == Login::Secret => {
                let left = self.history().was_refused();
                self.events.send(DeviceFact::LoginRefused { left }).await;
            }
            Err(_) => {}
        }
        Ok(entered)
    }

    async fn with_secret(
        &mut self,
        scope: Scope,
        mut ask: bool,
    ) -> Result<Result<Session, Refused>, Outcome> {
        let lifetime = self.token_lifetime();
        loop {
            if ask && !self.ask_secret().await? {
                return Ok(Err(Refused::Final(FailureKind::NoSecret)));
            }
            match self
                .unless_cancelled(self.device.login(scope, lifetime))
                .await?
            {
                Err(LoginError::SecretWanted) => ask = true,
                entered => return Ok(entered.map_err(Refused::Login)),
            }
        }
    }

    /// Waits for the secret to be typed; says whether it was.
    async fn ask_secret(&mut self) -> Result<bool, Outcome> {
        // A secret that came before it was asked for is no answer.
        while self.answers.try_recv().is_ok() {}
        self.events.send(DeviceFact::SecretWanted).await;
        let typed = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(self.stopped()),
            typed = self.answers.recv() => typed,
        };
        Ok(match typed {
            Some(secret) => {
                self.device.give_secret(secret);
                true
            }
            None => false,
        })
    }

    /// What a refused login leads to (section 6). A 401 is final for its secret, but for clocks that are
    /// apart and for the other derivation; never more than three.
    pub(super) fn after_login(&self, refused: Refused, checked_in: bool) -> Next {
        let wrong = FailureKind::WrongSecret;
        let next = match refused {
            Refused::Final(kind) => Next::End(kind),
            Refused::Login(error) => match error {
                LoginError::ClockUnset if checked_in => Next::End(FailureKind::ClockUnset),
                LoginError::ClockUnset => Next::Checkin(FailureKind::ClockUnset),
                LoginError::ClockApart { .. } if self.is_mobile() => {
                    let ahead = FailureKind::Broker(BrokerFault::ClockAhead);
                    if self.history().may_set_back() {
                        Next::Checkin(ahead)
                    } else {
                        self.history().asked_phone();
                        Next::End(ahead)
                    }
                }
                LoginError::ClockApart { .. } if !checked_in => Next::Checkin(wrong),
                // A challenge without `exp` does not tell the device's clock, but the status did.
                LoginError::Failed(FailureKind::WrongSecret)
                    if self.clocks_apart && !checked_in =>
                {
                    Next::Checkin(wrong)
                }
                LoginError::OtherDerivation { .. } => Next::Again(wrong),
                LoginError::ClockApart { .. } | LoginError::Failed(FailureKind::WrongSecret) => {
                    match self.device.credentials() {
                        Credentials::Prompt => Next::AskAgain(wrong),
                        _ => Next::End(wrong),
                    }
                }
                LoginError::Failed(kind) if is_transient(&kind) => Next::Later(kind),
                LoginError::Failed(kind) => Next::End(kind),
                LoginError::SecretWanted => Next::End(FailureKind::NoSecret),
            },
        };
        match next {
            Next::Again(_) | Next::AskAgain(_) | Next::Checkin(_)
                if self.history().logins_used_up() =>
            {
                Next::End(FailureKind::LoginsUsedUp)
            }
            next => next,
        }
    }

    fn is_mobile(&self) -> bool {
        self.device.credentials() == Credentials::Mobile
    }

    /// Long enough for everything up to the install, so that one login does.
    pub(super) fn token_lifetime(&self) -> Duration {
        let limits = &self.policy.timeouts;
        (limits.upload + limits.check + limits.request)
            .mul_f64(1.2)
            .clamp(MIN_TOKEN, MAX_TOKEN)
    }

    /// Whether the token dies within `need`, so that it is renewed before the step that needs it so long.
    ///
    /// A second approval is a nuisance to the owner, so that a token from a phone is used as long as it
    /// certainly lives when a request *begins*: the device judges it by the head of the request
    /// (section 3), and an upload may outlive it.
    pub(super) fn expires_within(&self, access: &Access, need: Duration) -> bool {
        let Access::Login { session, .. } = access else {
            return false;
        };
        let need = match self.device.credentials() {
            Credentials::Mobile => need.min(PHONE_SPARE),
            _ => need.min(self.token_lifetime() / 2),
        };
        session.expires.is_some_and(|at| at < Instant::now() + need)
    }

    /// A session that lives for at least `need`: the one place that decides about expiry. A token about
    /// to expire is renewed before a step, not in it.
    pub(in crate::engine) async fn session(
        &mut self,
        access: &mut Access,
        need: Duration,
    ) -> Result<Session, Outcome> {
        let renew = self.expires_within(access, need);
        match access {
            Access::Open(session) => Ok(session.clone()),
            Access::Login {
                session,
                scope,
                checked_in,
            } => {
                if renew {
                    *session = self.login(*scope, checked_in).await?;
                }
                Ok(session.clone())
            }
        }
    }
}
