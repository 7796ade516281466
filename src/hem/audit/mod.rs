//! The audit log (section 9): its key, its files, and what a file says of one upgrade.
//!
//! Owns: reading and verifying files as they come ([`LogReader`], [`Verifier`]), the log key and its own
//! signature ([`prove_key`]), the search for an upgrade's entry ([`Search`], [`upgrade_verdict`]), and writing true files
//! for a simulator.
//! Must not: fetch anything, or say more than the page allows. The MAC key stands in clear in its key
//! line and lines are not chained: what is "verified" here shows accidents and gaps, not somebody who
//! rewrites a file on its way. A line is as trustworthy as the link over which it was read.

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
