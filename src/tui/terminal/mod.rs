//! The terminal: guarded, read and written without waiting for it.

pub(super) mod frame_writer;
pub(super) mod guard;
pub(super) mod input;
