//! A moment that outlives its process (`#[serde(with)]`): another process reads how long ago it was.
//!
//! While the machine stays up its own clock tells that, which nobody sets. After a restart of the machine only the wall
//! clock is left: where that was set back meanwhile, no time has passed.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::Instant;

/// A moment as it is stored.
#[derive(Serialize, Deserialize)]
struct Moment {
    /// By the wall clock.
    at: Timestamp,
    /// By the clock of this start of the machine, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    up: Option<Uptime>,
}

/// A moment by the clock of one start of a machine.
#[derive(Serialize, Deserialize)]
struct Uptime {
    /// Which start.
    boot: String,
    /// How long the machine was up, suspended time included.
    after: Duration,
}

impl Moment {
    fn of(since: Instant) -> Self {
        let ago = since.elapsed();
        let now = Timestamp::now();
        Self {
            at: now.checked_sub(ago).unwrap_or(now),
            up: boot().zip(up()).map(|(boot, now)| Uptime {
                boot: boot.to_owned(),
                after: now.saturating_sub(ago),
            }),
        }
    }

    /// How long ago it was.
    fn ago(&self) -> Duration {
        let same_start = |up: &&Uptime| boot() == Some(&up.boot);
        let by_uptime = self.up.as_ref().filter(same_start).zip(up());
        by_uptime.map_or_else(
            || Duration::try_from(Timestamp::now().duration_since(self.at)).unwrap_or_default(),
            |(then, now)| now.saturating_sub(then.after),
        )
    }
}

/// Which start of the machine this is.
fn boot() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let boot = BOOT.get_or_init(|| read().map(|id| id.trim().to_owned()));
    boot.as_deref()
}

/// How long the machine has been up, suspended time included.
#[cfg(target_os = "linux")]
fn up() -> Option<Duration> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).ok()?;
    Some(Duration::new(seconds, u32::try_from(now.tv_nsec).ok()?))
}

/// Not known here.
#[cfg(not(target_os = "linux"))]
fn up() -> Option<Duration> {
    None
}

pub(super) fn serialize<S: Serializer>(since: &Instant, to: S) -> Result<S::Ok, S::Error> {
    Moment::of(*since).serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instant, D::Error> {
    let moment = Moment::deserialize(from)?;
    let now = Instant::now();
    // A moment before the first one that this machine can name is as good as no time.
    Ok(now.checked_sub(moment.ago()).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours_ago(hours: i64) -> Timestamp {
        Timestamp::now() - jiff::SignedDuration::from_hours(hours)
    }

    #[test]
    fn a_wall_clock_that_is_set_counts_for_nothing_while_the_machine_stays_up() {
        let up = boot().zip(up()).map(|(boot, now)| Uptime {
            boot: boot.to_owned(),
            after: now.saturating_sub(Duration::from_secs(10)),
        });
        if up.is_none() {
            return;
        }
        let at = hours_ago(-1);
        let moment = Moment { at, up };
        assert_eq!(moment.ago().as_secs(), 10);
    }

    #[test]
    fn after_a_restart_the_wall_clock_tells_and_never_less_than_nothing() {
        let other = || {
            let after = Duration::from_secs(1_000_000);
            let boot = "another start".to_owned();
            Some(Uptime { boot, after })
        };
        let two = Moment {
            at: hours_ago(2),
            up: other(),
        };
        assert_eq!(two.ago().as_secs(), 7200);
        let ahead = Moment {
            at: hours_ago(-1),
            up: other(),
        };
        assert_eq!(ahead.ago(), Duration::ZERO);
    }
}
