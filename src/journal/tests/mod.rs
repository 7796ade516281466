//! Runs that are written, read and listed; and what a journal is when its file is old, moved or refused.

mod any_messages;
mod doubts;
mod file;
mod formats;
mod runs;
