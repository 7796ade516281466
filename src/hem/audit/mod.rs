//! The audit log (section 9): its key, its files, and what a file says of one upgrade.
//!
//! Owns: reading and verifying files ([`verify`]), the log key and its own signature ([`prove_key`]), the
//! search for an upgrade's entry ([`find_upgrade`], [`judge`]), and writing true files for a simulator.
//! Must not: fetch anything, or say more than the page allows. The MAC key stands in clear in its key
//! line and lines are not chained: what is "verified" here shows accidents and gaps, not somebody who
//! rewrites a file on its way. A line is as trustworthy as the link over which it was read.

mod file;
mod key;
mod line;
mod search;
mod write;

#[cfg(test)]
mod tests;

pub use file::{Delivery, verify};
pub use key::{KeyAnswer, KeyFault, LogKey, LogList, parse_key_answer, parse_list, prove_key};
pub use search::{Login, UpgradeMark, find_refusal, find_upgrade, judge};
pub use write::{NewEntry, answer_key, key_line, sign_line};
