//! Runs outlive their process: the journal, and what reads it.

mod crash;
mod evidence;
mod lab;
mod resume;
