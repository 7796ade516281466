//! Time as a device has it: a clock that runs at a rate of its own, and the time since boot.

use std::time::Duration;

use tokio::time::Instant;

/// The real time, unix seconds.
pub(in crate::sim) fn unix_now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A clock that runs at a rate of its own (section 13: it gains about 8 %).
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Clock {
    set_to: i64,
    at: Instant,
    rate: f64,
}

impl Clock {
    pub(in crate::sim) fn set(to: i64, rate: f64) -> Self {
        Self {
            set_to: to,
            at: Instant::now(),
            rate,
        }
    }

    /// What it was set to, unix seconds.
    pub(in crate::sim) fn set_to(&self) -> i64 {
        self.set_to
    }

    /// Unix seconds by this clock.
    pub(in crate::sim) fn now(&self) -> i64 {
        let gone = self.at.elapsed().mul_f64(self.rate);
        self.set_to
            .saturating_add(i64::try_from(gone.as_secs()).unwrap_or(i64::MAX))
    }
}

/// Time since boot, in whole seconds as devices report it.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Uptime {
    from: Instant,
    had: Duration,
}

impl Uptime {
    pub(in crate::sim) fn of(had: Duration) -> Self {
        Self {
            from: Instant::now(),
            had,
        }
    }

    pub(in crate::sim) fn seconds(&self) -> u64 {
        (self.had + self.from.elapsed()).as_secs()
    }
}
