//! One request at a time to a device, and a gap between them: devices stall under load ([section
//! 2](crate::hem#2-transport)).

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

/// Lets one request through at a time.
#[derive(Debug)]
pub(super) struct Pacing {
    gap: Duration,
    /// When the last request ended.
    last: Mutex<Option<Instant>>,
}

/// The permission to send a request. The gap begins when it is dropped, even if the request was abandoned: the
/// device may still be busy with it.
#[derive(Debug)]
pub(super) struct PacingGuard<'a>(MutexGuard<'a, Option<Instant>>);

impl Pacing {
    /// With `gap` between the end of one request and the next.
    pub(super) fn new(gap: Duration) -> Self {
        Self {
            gap,
            last: Mutex::new(None),
        }
    }

    /// Waits until no other request runs and the gap is over.
    pub(super) async fn wait_for_turn(&self) -> PacingGuard<'_> {
        let last = self.last.lock().await;
        if let Some(ended) = *last {
            sleep_until(ended + self.gap).await;
        }
        PacingGuard(last)
    }
}

impl Drop for PacingGuard<'_> {
    fn drop(&mut self) {
        *self.0 = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gap_follows_every_request() {
        let gap = Duration::from_millis(150);
        let pacing = Pacing::new(gap);
        let begun = Instant::now();
        drop(pacing.wait_for_turn().await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        drop(pacing.wait_for_turn().await);
        assert_eq!(begun.elapsed(), gap);
        // A second one in the queue waits for the first, and then for the gap.
        let first = pacing.wait_for_turn().await;
        let mut second = std::pin::pin!(pacing.wait_for_turn());
        let early = tokio::time::timeout(gap * 10, second.as_mut()).await;
        assert!(early.is_err());
        let freed = Instant::now();
        drop(first);
        second.await;
        assert_eq!(freed.elapsed(), gap);
    }
}
