//! Runs outlive their process: the journal, and what reads it.

mod attach;
mod crash;
mod evidence;
mod export;
mod hangup;
mod history;
mod lab;
mod replay;
mod report;
mod resume;
mod run_file;
mod several_runs;
mod status;
mod store;
mod swapped;
