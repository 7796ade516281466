//! The evidence of a run (`hemfleet evidence`): a folder that anybody can verify without a device, a network or the
//! journal.
//!
//! | file | what it holds | what witnesses it |
//! | --- | --- | --- |
//! | `README.txt` | what the folder proves, and what not | hemfleet has the same text |
//! | `run.json` | what the run was made from | the first line of `events.jsonl` |
//! | `events.jsonl` | the run's messages, each line with the hash of the one before | the chain; `verdicts.json` for its end |
//! | `verdicts.json` | what became of the devices, and what their logs say | the same reducer over the events |
//! | `logs/…` | log files as they came, each with the answer that proves its key | the event of the verdict |
//! | `MANIFEST.sha256` | the SHA-256 of all of these | the signature, where there is one |
//!
//! So a change of one file is named where it was made, and who changes one has to change all. `bundle` writes such a
//! folder, `verification` reads it (its events in `event_chain`); both derive the verdicts by `verdicts`.

mod bundle;
mod documents;
mod event_chain;
mod folder;
mod log_file;
mod manifest;
mod reading;
mod signature;
#[cfg(test)]
mod tests;
mod verdicts;
mod verification;

pub(super) use bundle::{Bundle, EvidenceRefused};
pub(super) use folder::NotVerified;
pub(super) use reading::LogRead;
pub(super) use verification::{Signed, Verified, verify};
