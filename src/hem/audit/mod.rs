//! The audit log ([section 9](crate::hem#9-audit-log)): its key, its files, and what a file says of one upgrade.
//!
//! [`LogReader`] and [`Verifier`] read and verify files as they come, [`prove_key`] proves the log key, [`Search`] and
//! [`upgrade_verdict`] find an upgrade's entry, and simulated devices write their files with [`sign_line`].
//!
//! Do not read more into "verified" than the page allows: the MAC key stands in clear in its key line, and lines are
//! not chained. Verification shows accidents and gaps, not somebody who rewrites a file on its way. A line is as
//! trustworthy as the link over which it was read.

mod log_key;
mod log_line;
mod log_reader;
mod log_writer;
#[cfg(test)]
mod tests;
mod upgrade_search;
mod verifier;

/// The largest log file that is read, in bytes, from a device or from the disk. The page has no number; a
/// line takes some 60 bytes, so that this is about a million entries in one boot.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;

pub use log_key::{KeyAnswer, KeyFault, LogKey, LogList, parse_key_answer, parse_list, prove_key};
pub use log_reader::{Digest, LogReader, WINDOW};
pub use log_writer::{NewEntry, answer_key, key_line, sign_line};
pub use upgrade_search::{
    Found, Login, Search, UpgradeMark, find_refusal, find_upgrade, upgrade_verdict,
};
pub use verifier::{Delivery, LogLine, Verified, Verifier, verify};
