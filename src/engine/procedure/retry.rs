//! When a step is tried again by itself, how often, and after what wait.
//!
//! A stage that fails goes through [`Attempt::again`], which tells of the failure and of the wait. A request inside a
//! stage counts its tries with [`Tries`]. What a refused login leads to is in `login`.

use std::future::Future;
use std::time::Duration;

use crate::engine::event::{DeviceFact, Progress};
use crate::model::{
    BrokerFault, FailureKind, LinkFault, Outcome, Retry, SshTrouble, Stage, TlsFault,
};

use super::attempt::{Attempt, Running};

/// The longest wait between two tries of one step, before jitter.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// The tries of one request that have been made so far.
pub(super) struct Tries {
    policy: Retry,
    made: u32,
}

impl Tries {
    /// Starts to count; `policy` says how many there may be.
    pub(super) fn new(policy: &Retry) -> Self {
        Self {
            policy: policy.clone(),
            made: 0,
        }
    }

    /// A try failed: how long to wait before the next one. `None` if the failure does not pass by itself or no
    /// try is left.
    pub(super) fn wait_after(&mut self, kind: &FailureKind) -> Option<Duration> {
        self.made += 1;
        let again = self.made < self.policy.attempts && is_transient(kind);
        again.then(|| backoff(self.policy.backoff, self.made))
    }
}

impl<D> Attempt<D> {
    /// Ends a try of a stage that failed and waits for the next one, whose number it returns. Ends the attempt
    /// instead if the failure must not be repeated or no try is left.
    pub(super) async fn again(
        &mut self,
        running: Running,
        kind: FailureKind,
    ) -> Result<u32, Outcome> {
        let of = self.policy.retry.attempts;
        let (stage, try_no) = (running.stage, running.try_no);
        if try_no >= of || !may_repeat(stage, &kind) {
            return Err(self.fail(running, kind).await);
        }
        self.repeated = true;
        self.end_failed(running, kind.clone()).await;
        let wait = backoff(self.policy.retry.backoff, try_no);
        let next_try = try_no + 1;
        self.events
            .send(DeviceFact::RetryScheduled {
                stage,
                next_try,
                of,
                wait,
                after: kind,
            })
            .await;
        self.pause(wait).await?;
        Ok(next_try)
    }

    /// Asks, and asks again what may pass by itself, as often as the inventory says. Only for requests that change
    /// nothing on the device.
    pub(super) async fn ask<T, F>(
        &self,
        stage: Stage,
        request: impl Fn() -> F,
    ) -> Result<T, FailureKind>
    where
        F: Future<Output = Result<T, FailureKind>>,
    {
        let mut tries = Tries::new(&self.policy.retry);
        loop {
            let kind = match request().await {
                Err(kind) => kind,
                answer => return answer,
            };
            let Some(wait) = tries.wait_after(&kind) else {
                return Err(kind);
            };
            let what = format!("{kind}; once more");
            self.events.send_progress(stage, Progress::Step { what });
            tokio::time::sleep(wait).await;
        }
    }
}

/// Whether a stage may be tried again after this failure: what may pass by itself, and an upload that did not arrive
/// whole. Never after a refusal, and never an install.
fn may_repeat(stage: Stage, kind: &FailureKind) -> bool {
    if stage.is_past_install() {
        return false;
    }
    let upload = matches!(stage, Stage::Upload | Stage::UploadUi);
    is_transient(kind) || (upload && *kind == FailureKind::Status { status: 406 })
}

/// Whether a failure may pass by itself: the link broke, or the device or the broker failed inside.
pub(super) fn is_transient(kind: &FailureKind) -> bool {
    match kind {
        // Asking again earns no trust and no permission. Other TLS trouble may be a handshake that was cut short.
        FailureKind::Link(LinkFault::Tls(fault)) => matches!(fault, TlsFault::Other { .. }),
        FailureKind::Link(LinkFault::Ssh { reason, .. }) => !SshTrouble::of(reason).is_refusal(),
        FailureKind::Link(_) | FailureKind::Broker(BrokerFault::Unreachable { .. }) => true,
        FailureKind::Broker(BrokerFault::Status { status }) | FailureKind::Status { status } => {
            (500..=599).contains(status)
        }
        _ => false,
    }
}

/// The wait after try `try_no` failed: it doubles up to a minute, give or take a quarter.
pub(in crate::engine) fn backoff(first: Duration, try_no: u32) -> Duration {
    let doubled = first.saturating_mul(1 << (try_no - 1).min(16));
    let mut random = [0_u8; 2];
    // Without randomness there is no jitter, which is better than no retry.
    let share = match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX),
        Err(_) => 0.5,
    };
    doubled.min(MAX_BACKOFF).mul_f64(0.75 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_is_bounded() {
        let first = Duration::from_secs(2);
        for _ in 0..100 {
            assert!(backoff(first, 1) < backoff(first, 2));
            assert!(backoff(first, 2) < backoff(first, 3));
            assert!(backoff(first, 40) <= Duration::from_secs(75));
        }
    }

    #[test]
    fn refusals_are_never_repeated() {
        for stage in Stage::ALL {
            for status in [400, 401, 403, 404, 409, 411, 413, 418, 795] {
                assert!(
                    !may_repeat(stage, &FailureKind::Status { status }),
                    "{stage} {status}"
                );
            }
            assert!(!may_repeat(stage, &FailureKind::WrongSecret));
            assert!(!may_repeat(
                stage,
                &FailureKind::ImageRefused { status: 406 }
            ));
        }
        assert!(may_repeat(
            Stage::Upload,
            &FailureKind::Status { status: 406 }
        ));
        assert!(!may_repeat(
            Stage::Check,
            &FailureKind::Status { status: 406 }
        ));
        assert!(may_repeat(
            Stage::Probe,
            &FailureKind::Link(LinkFault::Reset)
        ));
        assert!(!may_repeat(
            Stage::Install,
            &FailureKind::Link(LinkFault::Reset)
        ));
        assert!(!may_repeat(
            Stage::Probe,
            &FailureKind::Link(LinkFault::Tls(TlsFault::UnknownIssuer))
        ));
        for (reason, again) in [
            ("admin@host7: Permission denied (publickey).", false),
            ("Host key verification failed.", false),
            ("Connection to host7 closed by remote host.", true),
        ] {
            let (jump, reason) = ("host7".into(), reason.into());
            let kind = LinkFault::Ssh { jump, reason }.into();
            assert_eq!(may_repeat(Stage::Probe, &kind), again, "{kind}");
        }
    }
}
