//! How fast an upload goes: the bytes of its last seconds. What is older counts less and less, so that a rate is steady
//! and a stall shows.

use std::time::Duration;

use jiff::Timestamp;

use super::run_clock::span;

/// After so many seconds a byte counts for a third.
const MEMORY: f64 = 3.0;
/// News that are closer together than this are taken together.
const SHORTEST: Duration = Duration::from_millis(50);
/// For so long, no news is no stall.
const PATIENCE: Duration = Duration::from_secs(2);
/// So long after its beginning a try has a rate.
const FIRST: Duration = Duration::from_millis(500);

/// The rate of one try of an upload.
#[derive(Clone, Copy, Debug)]
pub struct UploadRate {
    since: Timestamp,
    at: Timestamp,
    sent: u64,
    /// Bytes a second, as if nothing had been sent for ever before the try.
    smoothed: f64,
}

impl UploadRate {
    /// Of a try that begins.
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            since,
            at: since,
            sent: 0,
            smoothed: 0.0,
        }
    }

    /// So many bytes of this try are sent by now.
    #[expect(clippy::cast_precision_loss, reason = "a rate shown with one decimal")]
    pub(super) fn take(&mut self, at: Timestamp, sent: u64) {
        let passed = span(self.at, at);
        if passed < SHORTEST {
            return;
        }
        let rate = sent.saturating_sub(self.sent) as f64 / passed.as_secs_f64();
        self.smoothed += (rate - self.smoothed) * share(passed);
        (self.at, self.sent) = (at, sent);
    }

    /// Bytes a second; nothing at its very beginning.
    pub fn per_second(&self, now: Timestamp) -> Option<f64> {
        let known = span(self.since, self.at);
        if known < FIRST {
            return None;
        }
        let silent = span(self.at, now).saturating_sub(PATIENCE);
        Some(self.smoothed / share(known) * (1.0 - share(silent)))
    }
}

/// How much of what is remembered is of the last `time`.
fn share(time: Duration) -> f64 {
    1.0 - (-time.as_secs_f64() / MEMORY).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn near(rate: Option<f64>, wanted: f64) -> bool {
        rate.is_some_and(|rate| (rate - wanted).abs() < wanted.max(1.0) / 1000.0)
    }

    #[test]
    fn a_steady_upload_has_its_rate_from_its_beginning_on() {
        let mut rate = UploadRate::new(at(0));
        rate.take(at(400), 400);
        assert_eq!(rate.per_second(at(400)), None);
        for n in 2..20 {
            rate.take(at(n * 500), n.unsigned_abs() * 500);
            assert!(near(rate.per_second(at(n * 500)), 1000.0), "{rate:?}");
        }
        // What comes at the same moment is neither lost nor infinitely fast.
        rate.take(at(9501), 10_000);
        rate.take(at(10_000), 10_000);
        assert!(near(rate.per_second(at(10_000)), 1000.0), "{rate:?}");
    }

    #[test]
    fn an_upload_that_stalls_or_changes_its_pace_shows_it_within_seconds() {
        let mut rate = UploadRate::new(at(0));
        rate.take(at(10_000), 10_000);
        let when = |ms| rate.per_second(at(ms)).unwrap();
        assert!(when(12_000) > 999.0 && when(15_000) < 400.0 && when(40_000) < 1.0);
        rate.take(at(20_000), 110_000);
        assert!(rate.per_second(at(20_000)).unwrap() > 9000.0, "{rate:?}");
    }
}
