//! Connections, one for each request: opening them, counting their bytes, and speaking HTTP over them.

pub(super) mod connect;
pub(super) mod counting_stream;
pub(super) mod exchange;
pub(super) mod expect_continue;
