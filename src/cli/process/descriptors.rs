//! File descriptors: whether there are enough for a run, before it begins. Without them a healthy device could
//! not be looked at after its install.
//! Must not: count what is open now; what a run needs at most is reckoned beforehand.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::Refusal;

/// For the terminal, the log, the runtime, the broker and the journal.
const BASE: u64 = 64;

/// For each device that is worked on: its connection, a look-up of its name, the pipes of its ssh and of a
/// shared connection that is opened anew, a file that is saved.
const AT_WORK: u64 = 8;

/// For each device that is locked: the file that says so.
const LOCK: u64 = 1;

/// For each simulated device: its ports, and the connections to them.
const SIMULATED: u64 = 6;

/// Raises the soft limit of open files to what it takes to ask so many `devices`, `concurrency` of them at a
/// time.
///
/// # Errors
///
/// The hard limit is lower than that: nothing was sent.
pub(in crate::cli) fn ensure(concurrency: usize, devices: usize) -> Result<(), Refusal> {
    ensure_beside(0, concurrency, devices)
}

/// The same for a run, which holds one file open for each of its devices throughout (its lock).
///
/// # Errors
///
/// As [`ensure`].
pub(in crate::cli) fn ensure_with_locks(concurrency: usize, devices: usize) -> Result<(), Refusal> {
    ensure_beside(devices, concurrency, devices)
}

fn ensure_beside(locks: usize, concurrency: usize, devices: usize) -> Result<(), Refusal> {
    let need = need(locks, concurrency, devices);
    let limit = raise(need);
    if limit >= need {
        return Ok(());
    }
    let at_a_time = concurrency.min(devices);
    Err(Refusal::new(format!(
        "{devices} devices, {at_a_time} at a time, need {need} open files, and this machine allows {limit}"
    ))
    .hint(match fitting(limit, locks) {
        0 => "raise the hard limit (ulimit -Hn, LimitNOFILE=), or take a part of the fleet with --only".to_owned(),
        fits => format!("say --concurrency {fits}, or raise the hard limit (ulimit -Hn, LimitNOFILE=)"),
    }))
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
