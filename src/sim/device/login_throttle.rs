//! How a device slows down those who guess ([section 6](crate::hem#6-authentication)). The scenario's tempo is the
//! caller's to apply.

use std::time::Duration;

use tokio::time::Instant;

/// Every reply takes at least this long,
pub(in crate::sim) const USUAL: Duration = Duration::from_millis(500);
/// and to a login this long after three failures,
const THROTTLED: Duration = Duration::from_millis(1_500);
const FAILURES: u32 = 3;
/// until so long after the last of them.
pub(in crate::sim) const FORGETS: Duration = Duration::from_secs(15);

/// Logins that a device refused.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::sim) struct Throttle {
    failures: u32,
    last: Option<Instant>,
}

impl Throttle {
    /// How many there were since the last good one, as far as the device remembers.
    pub(in crate::sim) fn failures(&self) -> u32 {
        self.failures
    }

    /// A login was refused. Those of before count no more once `forgets` has passed since the last of them.
    pub(in crate::sim) fn failed(&mut self, now: Instant, forgets: Duration) {
        if self.is_over(now, forgets) {
            self.failures = 0;
        }
        self.failures += 1;
        self.last = Some(now);
    }

    /// Somebody logged in.
    pub(in crate::sim) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// How long the reply to a login takes at least, true to the page.
    pub(in crate::sim) fn delay(&self, now: Instant, forgets: Duration) -> Duration {
        if self.failures >= FAILURES && !self.is_over(now, forgets) {
            THROTTLED
        } else {
            USUAL
        }
    }

    fn is_over(&self, now: Instant, forgets: Duration) -> bool {
        let passed = |last| now.saturating_duration_since(last) >= forgets;
        self.last.is_none_or(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_failure_slows_down_and_15_seconds_after_the_last_it_is_over() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut throttle = Throttle::default();
        let delay = |t: &Throttle, seconds| t.delay(at(seconds), FORGETS).as_millis();
        let mut delays = vec![delay(&throttle, 0)];
        for seconds in [0, 10, 20, 30] {
            throttle.failed(at(seconds), FORGETS);
            delays.push(delay(&throttle, seconds));
        }
        assert_eq!(delays, [500, 500, 500, 1_500, 1_500]);
        assert_eq!([44, 45, 60].map(|s| delay(&throttle, s)), [1_500, 500, 500]);
        // The next failure is a first one.
        throttle.failed(at(45), FORGETS);
        assert_eq!((throttle.failures(), delay(&throttle, 45)), (1, 500));
        for seconds in [46, 47] {
            throttle.failed(at(seconds), FORGETS);
        }
        assert_eq!(delay(&throttle, 47), 1_500);
        throttle.succeeded();
        assert_eq!((throttle.failures(), delay(&throttle, 47)), (0, 500));
    }
}
