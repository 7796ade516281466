//! Limits and tolerances of the protocol page, for whoever keeps to them: hemfleet's client, its simulated
//! devices, or both. Limits of the files that are sent stand in `model`, beside the types of the files.

use std::time::Duration;

/// The longest JSON request body that a device takes, in bytes ([section 2](crate::hem#2-transport)).
pub const MAX_JSON_BODY: usize = 7_300;

/// The longest body of an upload that a device's server takes, in bytes ([section 2](crate::hem#2-transport)). An
/// Intel HEX file may be that large, its image may not.
pub const MAX_UPLOAD_BYTES: usize = 16 * 1024 * 1024;

/// How long after it was made a challenge expires, in seconds of the device's clock: its `exp` minus this is the
/// device's now ([section 6](crate::hem#6-authentication)).
pub const CHALLENGE_SECONDS: i64 = 60;

/// The most ids on one page of the list of log files ([section 9](crate::hem#9-audit-log)). Without a limit, a
/// device that sent 90,000 would have memory taken for each of them.
pub const MAX_LOG_IDS: usize = 128;

/// The longest note of an approval, in characters ([section 10](crate::hem#10-mobile-approval)).
pub const MAX_NOTE: usize = 128;

/// The life that the phone stamps onto a token ([section 10](crate::hem#10-mobile-approval)).
pub const PHONE_TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);

/// How much faster than this machine's clock a device's may run: 8 % were measured (section 6).
pub const FAST_CLOCK: f64 = 1.1;

/// How much slower than this machine's clock a device's may run.
pub const SLOW_CLOCK: f64 = 0.9;

/// Seconds between two clocks from which a 401 may mean the clock and not the secret (section 6).
pub const MAX_CLOCK_SKEW: u64 = 60;

/// After this many 401 answers a device is not logged in to any more in this run (section 6).
pub const MAX_LOGIN_REFUSALS: u32 = 3;

/// Uptimes are whole seconds, and a status takes its time: by so much two of them may be closer than they are.
pub const UPTIME_ROUNDING: Duration = Duration::from_secs(2);
