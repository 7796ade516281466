//! Limits of this process: enough open files for a run, ensured before it begins, and no core dumps. Without file
//! descriptors a healthy device could not be reached after its install. The need is estimated beforehand; open files are
//! not counted.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the terminal, the log, the runtime, the broker and the journal.
const BASE: u64 = 64;

/// For each device that is worked on: its connection, a look-up of its name, the pipes of its ssh and of a
/// shared connection that is opened anew, a file that is saved.
const AT_WORK: u64 = 8;

/// For each device that is locked: the file that says so.
const LOCK: u64 = 1;

/// For each simulated device: its ports, and the connections to them.
const SIMULATED: u64 = 6;

/// This process may not open as many files as it may need.
#[derive(Debug, thiserror::Error)]
#[error(
    "{devices} devices, {at_a_time} at a time, need {need} open files, and this machine allows {limit}"
)]
pub struct TooFewFiles {
    devices: usize,
    at_a_time: usize,
    need: u64,
    limit: u64,
    /// How many devices at a time the limit is enough for.
    fits: u64,
}

impl TooFewFiles {
    /// What to do about it.
    pub(in crate::cli) fn hint(&self) -> String {
        match self.fits {
            0 => "raise the hard limit (ulimit -Hn, LimitNOFILE=), or take a part of the fleet with --only".to_owned(),
            fits => format!("say --concurrency {fits}, or raise the hard limit (ulimit -Hn, LimitNOFILE=)"),
        }
    }
}

/// Raises the soft limit of open files to what `concurrency` of `devices` at a time may need.
///
/// # Errors
///
/// The hard limit is lower than that. Nothing was sent yet.
pub(in crate::cli) fn ensure_files(concurrency: usize, devices: usize) -> Result<(), TooFewFiles> {
    ensure(0, concurrency, devices)
}

/// The same for a run, which also holds the lock of each device open.
///
/// # Errors
///
/// As [`ensure_files`].
pub(in crate::cli) fn ensure_files_and_locks(
    concurrency: usize,
    devices: usize,
) -> Result<(), TooFewFiles> {
    ensure(devices, concurrency, devices)
}

fn ensure(locks: usize, concurrency: usize, devices: usize) -> Result<(), TooFewFiles> {
    let need = need(locks, concurrency, devices);
    let limit = raise(need);
    if limit >= need {
        return Ok(());
    }
    Err(TooFewFiles {
        devices,
        at_a_time: concurrency.min(devices),
        need,
        limit,
        fits: fitting(limit, locks),
    })
}

/// The same for simulated devices in this process, as far as the hard limit goes: whether it is enough shows
/// when their ports are opened.
pub(in crate::cli) fn make_room_for_simulated(devices: usize) {
    raise(BASE + SIMULATED * count(devices));
}

/// Raises the soft limit to `need`, as far as it goes; what it is then.
fn raise(need: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No number means no limit.
    let current = current.unwrap_or(u64::MAX);
    let wanted = need.min(maximum.unwrap_or(u64::MAX));
    if current >= wanted {
        return current;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => {
            tracing::debug!(from = current, to = wanted, "limit of open files raised");
            wanted
        }
        Err(_) => current,
    }
}

fn need(locks: usize, concurrency: usize, devices: usize) -> u64 {
    BASE + AT_WORK * count(concurrency.min(devices)) + LOCK * count(locks)
}

/// How many devices at a time `limit` is enough for.
fn fitting(limit: u64, locks: usize) -> u64 {
    limit.saturating_sub(BASE + LOCK * count(locks)) / AT_WORK
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX / 16)
}

/// Switches core dumps off, for this process and the programs that it starts, and on Linux keeps other
/// programs of the same user from reading its memory.
pub(in crate::cli) fn keep_memory_private() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    // A core that is piped to a program has no size to be limited.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_fit_fits_and_one_more_does_not() {
        for (limit, devices) in [(256, 100), (1024, 500), (1024, 900), (4096, 2000)] {
            let fits = usize::try_from(fitting(limit, devices)).unwrap();
            assert!(need(devices, fits, devices) <= limit, "{limit} {devices}");
            assert!(
                need(devices, fits + 1, devices) > limit,
                "{limit} {devices}"
            );
        }
        assert_eq!(fitting(100, 900), 0);
    }

    #[test]
    fn more_at_a_time_than_there_are_devices_cost_nothing() {
        assert_eq!(need(3, 500, 3), need(3, 3, 3));
    }
}
