//! Runs outlive their process: the journal, and what reads it.

mod crash;
mod export;
mod history;
mod lab;
mod report;
mod resume;
mod status;
