//! Where and how fast simulated devices run, and the ports that follow from it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::device::listener::{Ports, ShutPort};
use super::script::device::DeviceScript;
use super::script::values::LinkScheme;

/// A receive buffer that makes a throttled device hold its sender back, as a small machine does,
/// instead of taking everything into the kernel's buffers at once.
const SMALL_BUFFER: u32 = 16 * 1024;

/// Where and how fast simulated devices run.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The address that devices and broker listen on.
    pub listen: IpAddr,
    /// The first device's port; the others have the ports after it, in order. Any free ones where absent.
    pub port: Option<u16>,
    /// The same for the plain ports of devices that speak TLS. Where it is `port`, one port serves both.
    pub http_port: Option<u16>,
    /// Where the broker listens, if not on the same address and any free port.
    pub broker: Option<SocketAddr>,
    /// The host name of devices whose script has none.
    pub host: Option<String>,
    /// Scales the delays of the page; the scenario's own where absent.
    pub tempo: Option<f64>,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: None,
            http_port: None,
            broker: None,
            host: None,
            tempo: None,
        }
    }
}

impl SimOptions {
    /// Whether TLS and plain HTTP share a port, so that a device has one name and port for both.
    pub(super) fn one_port(&self) -> bool {
        self.port.is_some() && self.port == self.http_port
    }

    /// The ports of the device at this place of the scenario.
    pub(super) fn ports(&self, script: &DeviceScript, index: usize) -> io::Result<Ports<ShutPort>> {
        let buffer = script.upload_rate.map(|_| SMALL_BUFFER);
        let at = |first: Option<u16>| {
            let port = match first {
                None => 0,
                Some(first) => u16::try_from(index)
                    .ok()
                    .and_then(|i| first.checked_add(i))
                    .ok_or_else(|| io::Error::other("no ports left after the first"))?,
            };
            take(SocketAddr::new(self.listen, port), buffer)
        };
        let own = at(self.port)?;
        let plain = match script.scheme {
            LinkScheme::Https if !self.one_port() => Some(at(self.http_port)?),
            _ => None,
        };
        Ok(Ports { own, plain })
    }
}

/// Takes a port; the error says which one.
pub(super) fn take(addr: SocketAddr, receive_buffer: Option<u32>) -> io::Result<ShutPort> {
    ShutPort::take(addr, receive_buffer)
        .map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {addr}: {e}")))
}
