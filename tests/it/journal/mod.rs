//! Runs outlive their process: the journal, and what reads it.

mod crash;
mod export;
mod history;
mod report;
mod lab;
mod resume;
mod status;
