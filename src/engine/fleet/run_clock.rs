//! How long a run has worked: while something ran or was going to run by itself. The time that a screen stands open
//! afterwards, or a halted run waits for a person, is no time of the run.

use std::time::Duration;

use jiff::Timestamp;

/// Counts the time of a run by its events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunClock {
    /// What earlier spans of work took.
    past: Duration,
    /// When something happened last.
    last: Option<Timestamp>,
    /// Since when there has been work without a break.
    since: Option<Timestamp>,
    began: bool,
}

impl RunClock {
    /// Something happened, and afterwards there is work or none.
    pub(super) fn tick(&mut self, at: Timestamp, works: bool) {
        self.last = Some(at);
        match (self.since, works) {
            (None, true) => {
                self.since = Some(at);
                self.began = true;
            }
            (Some(since), false) => {
                self.past += span(since, at);
                self.since = None;
            }
            _ => {}
        }
    }

    /// Nothing happened any more since the last event: the process was gone.
    pub(super) fn stop(&mut self) {
        if let Some(last) = self.last {
            self.tick(last, false);
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.since.is_some()
    }

    /// The time worked until `now`; nothing where nothing began.
    pub(super) fn elapsed(&self, now: Timestamp) -> Option<Duration> {
        let current = self.since.map(|since| span(since, now));
        self.began.then(|| self.past + current.unwrap_or_default())
    }
}

/// How long it is from `from` to `to`; zero where the clock was set back.
pub(super) fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}
