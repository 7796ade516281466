//! Getting a token: by passphrase or master words ([section 6](crate::hem#6-authentication)), or by approval on the
//! owner's phone ([section 10](crate::hem#10-mobile-approval)).

pub(super) mod approval;
pub(super) mod derived_keys;
pub(super) mod login_memory;
pub(super) mod passphrase;
