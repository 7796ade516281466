//! The terminal: `guard` takes it and gives it back, `input` reads it and `frame_writer` writes to it, each in a
//! thread of its own.

pub(super) mod frame_writer;
pub(super) mod guard;
pub(super) mod input;
