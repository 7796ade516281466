//! What a run did to one device in all its attempts: the tokens by which its log knows an upgrade (protocol page,
//! section 9), the refused logins (section 6), and whether its management app is installed. What the dashboard shows of
//! a device is in `device_state`.
//!
//! Must not: hold a secret.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use crate::hem::audit::{Login, UpgradeMark};
use crate::hem::limits::{MAX_LOGIN_REFUSALS, SLOW_CLOCK, UPTIME_ROUNDING};
use crate::model::DeviceStatus;

/// What this run did to one device.
#[derive(Debug, Default)]
pub(in crate::engine) struct DeviceHistory {
    /// The tokens for the upgrade that it got in the present boot of the device.
    tokens: Vec<Token>,
    /// The uptime at the last look, and when that was answered.
    seen: Option<(Instant, Duration)>,
    /// How often it answered a login with 401.
    refused: u32,
    /// Whether a check-in answered the broker's 401 to a phone's event, and no request came about since.
    clock_was_ahead: bool,
    /// Whether the management app was seen to be installed.
    pub(in crate::engine) app_done: bool,
}

#[derive(Debug)]
struct Token {
    login: Login,
    issued: Option<RangeInclusive<u64>>,
    /// Installs behind it that wrote an entry of their own and ended no session.
    installs: usize,
}

impl DeviceHistory {
    /// The same device, which has refused so many logins in the process that began the run.
    pub(in crate::engine) fn after_refused_logins(times: u32) -> Self {
        Self {
            refused: times,
            ..Self::default()
        }
    }

    /// The device said `status`, asked for and answered at these times. Says whether it has rebooted since
    /// the last look. After a reboot its log is another file, and what was done before it stands in none that
    /// matters: a token dies with its boot.
    pub(in crate::engine) fn saw(
        &mut self,
        status: &DeviceStatus,
        asked: Instant,
        answered: Instant,
    ) -> bool {
        // A slow answer may be of any moment in between: no more time has passed for certain than from the
        // one's coming to the other's leaving.
        let rebooted = self.seen.is_some_and(|(at, uptime)| {
            let since = asked.saturating_duration_since(at);
            status.uptime + UPTIME_ROUNDING < uptime + since.mul_f64(SLOW_CLOCK)
        });
        if rebooted {
            self.tokens.clear();
        }
        self.seen = Some((answered, status.uptime));
        rebooted
    }

    /// How long the device has been up at `now` at the least, unless it has rebooted since it was seen last.
    pub(in crate::engine) fn uptime_at_least(&self, now: Instant) -> Option<Duration> {
        let (at, uptime) = self.seen?;
        Some(uptime + now.saturating_duration_since(at).mul_f64(SLOW_CLOCK))
    }

    /// The device gave a token for the upgrade.
    pub(in crate::engine) fn logged_in(
        &mut self,
        login: Login,
        issued: Option<RangeInclusive<u64>>,
    ) {
        self.tokens.push(Token {
            login,
            issued,
            installs: 0,
        });
    }

    /// An install was answered, wrote its entry, and did not end the session: the management app's, or one
    /// that was refused with 406 or 409.
    pub(in crate::engine) fn wrote_install(&mut self) {
        if let Some(token) = self.tokens.last_mut() {
            token.installs += 1;
        }
    }

    /// By what the next install is known in the log; nothing where this run has no token of its own.
    pub(in crate::engine) fn mark(&self) -> Option<UpgradeMark> {
        let last = self.tokens.last()?;
        let issued: Option<Vec<_>> = self.tokens.iter().map(|t| t.issued.clone()).collect();
        Some(match issued {
            Some(issued) => UpgradeMark {
                login: last.login,
                issued,
                earlier: self.tokens.iter().map(|t| t.installs).sum(),
            },
            // Without its time only the last token can be found, and only what stands behind that one.
            None => UpgradeMark {
                login: last.login,
                issued: Vec::new(),
                earlier: last.installs,
            },
        })
    }

    /// A secret was answered with 401. After how many more no login is tried any more.
    pub(in crate::engine) fn was_refused(&mut self) -> u32 {
        self.refused += 1;
        MAX_LOGIN_REFUSALS.saturating_sub(self.refused)
    }

    /// The broker says that the device's clock is ahead. Whether that may be answered with a check-in: one
    /// for each request, whatever was checked in before (section 10, step 3).
    pub(in crate::engine) fn may_set_back(&mut self) -> bool {
        !std::mem::replace(&mut self.clock_was_ahead, true)
    }

    /// A request was made, or given up: the next one may check in again.
    pub(in crate::engine) fn asked_phone(&mut self) {
        self.clock_was_ahead = false;
    }

    /// Whether no further login may be tried.
    pub(in crate::engine) fn logins_used_up(&self) -> bool {
        self.refused >= MAX_LOGIN_REFUSALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FlsState;

    fn up(seconds: u64) -> DeviceStatus {
        DeviceStatus {
            uptime: Duration::from_secs(seconds),
            clock: None,
            initialised: true,
            fls_state: FlsState(0),
            trusted_time: true,
            fw_upgrade: false,
        }
    }

    #[test]
    fn tokens_and_entries_are_forgotten_with_the_boot_that_they_belong_to() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut history = DeviceHistory::default();
        history.saw(&up(5000), at(0), at(0));
        assert_eq!(history.mark(), None);
        history.wrote_install();
        history.logged_in(Login::Secret, Some(10..=70));
        history.wrote_install();
        history.saw(&up(5108), at(100), at(100));
        history.logged_in(Login::Secret, Some(100..=160));
        let both = UpgradeMark {
            login: Login::Secret,
            issued: vec![10..=70, 100..=160],
            earlier: 1,
        };
        assert_eq!(history.mark(), Some(both));
        history.saw(&up(40), at(200), at(200));
        assert_eq!(history.mark(), None);
    }

    #[test]
    fn a_token_of_unknown_time_can_only_be_the_last_one() {
        let mut history = DeviceHistory::default();
        history.logged_in(Login::Secret, Some(10..=70));
        history.wrote_install();
        history.logged_in(Login::Secret, None);
        let last = UpgradeMark {
            login: Login::Secret,
            issued: Vec::new(),
            earlier: 0,
        };
        assert_eq!(history.mark(), Some(last));
    }

    /// Uptimes are whole seconds: two of them may be lost by rounding, and a tenth of the time by a slow clock.
    #[test]
    fn a_slow_clock_and_rounding_are_no_reboot() {
        let start = Instant::now();
        let later = start + Duration::from_secs(10);
        for (uptime, rebooted) in [(5010, false), (5007, false), (5006, true)] {
            let mut history = DeviceHistory::default();
            assert!(!history.saw(&up(5000), start, start));
            assert_eq!(history.saw(&up(uptime), later, later), rebooted, "{uptime}");
        }
    }
}
