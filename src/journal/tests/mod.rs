//! Runs that are written, read and listed.

mod runs;
