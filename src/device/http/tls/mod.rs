//! Which certificates of a device are trusted ([section 2](crate::hem#2-transport)).

pub(super) mod ca_verifier;
pub(super) mod client_config;
pub(super) mod pin_verifier;
