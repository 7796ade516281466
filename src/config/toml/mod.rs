//! The text of an inventory: parsed, read key by key, with what may be a secret overwritten.
//! The keys, and what may be a secret, are known to `inventory`.

pub(super) mod parser;
pub(super) mod reader;
pub(super) mod source;
pub(super) mod value;
