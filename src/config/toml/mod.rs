//! The text of an inventory: parsed, read key by key, with whatever may be a secret overwritten.
//! The keys themselves are in `inventory`.

pub(super) mod parser;
pub(super) mod reader;
pub(super) mod redact;
pub(super) mod source;
pub(super) mod value;
