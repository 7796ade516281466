//! Whom a device's certificate is believed (section 2).

pub(super) mod ca_verifier;
pub(super) mod client_config;
pub(super) mod pin_verifier;
