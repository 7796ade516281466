//! What the process asks of the operating system: signals, limits, private files.

pub(super) mod limits;
pub(super) mod private_file;
pub(super) mod signals;
