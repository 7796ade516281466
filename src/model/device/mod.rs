//! What a device is, where it is reached, and what it says of itself.

pub(super) mod facts;
pub(super) mod link_trust;
pub(super) mod reach;
pub(super) mod spec;
pub(super) mod ssh_jump;
