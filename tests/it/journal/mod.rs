//! Runs outlive their process: the journal, and what reads it.

mod attach;
mod crash;
mod hangup;
mod lab;
mod replay;
mod resume;
mod run_file;
