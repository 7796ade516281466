//! Runs outlive their process: the journal, and what reads it.

mod attach;
mod hangup;
mod replay;
mod run_file;
