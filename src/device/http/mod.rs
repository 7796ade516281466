//! Devices over HTTP: the adapter of [`super::Device`], and the broker's client.
//!
//! `send` sends one request at a time (`pacing`), each over a connection of its own. `connection` opens it, through
//! a proxy or a jump host (`ssh`) and TLS (`tls`), and speaks HTTP over it; `upload` sends images. `adapter` and
//! `login` say what the answers mean. Every way in which a connection can fail becomes a typed fault in `link_fault`.
//!
//! Requests are never repeated here, and nothing secret is logged.

mod adapter;
mod broker;
mod connection;
mod http_device;
mod link_fault;
mod log_download;
mod login;
mod pacing;
mod request;
mod send;
mod setup_error;
mod shared_links;
mod ssh;
#[cfg(test)]
mod tests;
mod tls;
mod upload;

pub use self::broker::client::Broker;
pub use self::http_device::HttpDevice;
pub use self::setup_error::SetupError;
pub use self::shared_links::Links;

/// The `User-Agent` for devices and broker.
const USER_AGENT: &str = concat!("hemfleet/", env!("CARGO_PKG_VERSION"));
