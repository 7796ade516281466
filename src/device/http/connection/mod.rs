//! One connection for each request: how it is opened, what it counts, and what is said on it (section 2).

pub(super) mod connect;
pub(super) mod counting_stream;
pub(super) mod exchange;
pub(super) mod expect_continue;
