//! Devices over HTTP: the adapter of [`super::Device`] (sections 2 to 10), and the broker's client.
//!
//! A connection for each request, opened by `dial` (TCP, proxy or `ssh`, TLS), spoken over by `exchange` or
//! `upload`; `turn` lets one request through at a time. Every way in which a connection can fail ends
//! as a typed fault (`fault`).
//!
//! Must not: repeat a request, judge what an answer means for the upgrade, or log anything secret.

mod adapter;
mod broker;
mod call;
mod connection;
mod http_device;
mod link_fault;
mod links;
mod log_download;
mod login;
mod pacing;
mod request;
mod setup_error;
mod ssh;
#[cfg(test)]
mod tests;
mod tls;
mod upload;

pub use self::broker::client::Broker;
pub use self::http_device::HttpDevice;
pub use self::links::Links;
pub use self::setup_error::SetupError;

/// How hemfleet calls itself to devices and to the broker.
const USER_AGENT: &str = concat!("hemfleet/", env!("CARGO_PKG_VERSION"));
