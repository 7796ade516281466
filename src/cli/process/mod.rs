//! What the process asks of the system: signals, limits, private files.

pub(super) mod descriptors;
pub(super) mod memory;
pub(super) mod private_file;
pub(super) mod signals;
pub(super) mod state_dir;
