//! Getting a token: by passphrase, or by approval on the owner's phone (sections 6 and 10).

pub(super) mod approval;
pub(super) mod derived_keys;
pub(super) mod logins;
pub(super) mod token;
