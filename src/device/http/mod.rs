//! Devices over HTTP: the adapter of [`super::Device`] (sections 2 to 10), and the broker's client.
//!
//! A connection for each request, opened by `dial` (TCP, proxy or `ssh`, TLS), spoken over by `exchange` or
//! `upload`; `turn` lets one request through at a time. Every way in which a connection can fail ends
//! as a typed fault (`fault`).
//!
//! Must not: repeat a request, judge what an answer means for the upgrade, or log anything secret.

mod broker;
mod dated;
mod dial;
mod download;
mod exchange;
mod fault;
mod gate;
mod intake;
mod keys;
mod login;
mod metered;
mod phone;
mod pinned;
mod port;
mod request;
mod setup;
mod ssh;
mod tls;
mod turn;
mod upload;

#[cfg(test)]
mod lab;
#[cfg(test)]
mod tests;

pub use self::broker::Broker;
pub use self::request::HttpDevice;
pub use self::setup::SetupError;
pub use self::tls::Links;

/// How hemfleet calls itself to devices and to the broker.
const USER_AGENT: &str = concat!("hemfleet/", env!("CARGO_PKG_VERSION"));
