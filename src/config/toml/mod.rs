//! The text of an inventory: parsed, and read key by key. Which keys there are, and what may be a secret, is known
//! to `inventory`.

pub(super) mod key;
pub(super) mod parser;
pub(super) mod reader;
pub(super) mod single_values;
pub(super) mod source;
