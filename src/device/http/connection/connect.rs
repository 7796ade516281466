//! Opens the connection to a device: directly, through a proxy or through a jump host, then TLS where the URL says so.

use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_socks::tcp::Socks5Stream;

use super::counting_stream::{CountingStream, EofTolerant, Written};
use crate::device::http::link_fault;
use crate::device::http::ssh::JumpHost;
use crate::model::{HostPort, LinkFault, Proxy, ProxyKind, TlsFault, human_duration, printable};

/// Small enough that the bytes handed to the socket show the progress of an upload: the kernel's default of 4 MiB
/// would swallow a whole image, and a frozen device would show 100 %.
const SEND_BUFFER: u32 = 64 * 1024;

/// One TLS record. If rustls buffered more, progress would be less exact.
const TLS_BUFFER: usize = 16 * 1024;

/// The longest head of an answer that a proxy may give to `CONNECT`.
const MAX_PROXY_HEAD: usize = 16 * 1024;

/// The route to one device.
pub(in crate::device::http) struct Route {
    /// Where the TCP connection ends.
    pub(in crate::device::http) target: HostPort,
    /// What is on the way there.
    pub(in crate::device::http) via: Via,
    /// What stands between TCP and HTTP.
    pub(in crate::device::http) security: Security,
    /// For TCP, proxy or jump host, and TLS together.
    pub(in crate::device::http) limit: Duration,
}

/// What is on the way to a device.
pub(in crate::device::http) enum Via {
    /// Nothing.
    Direct,
    /// A proxy.
    Proxy(Proxy),
    /// A jump host.
    Ssh(Arc<JumpHost>),
}

/// What stands between TCP and HTTP.
pub(in crate::device::http) enum Security {
    /// Nothing: an `http://` device.
    Plain,
    /// TLS with this name, wherever the connection goes.
    Tls {
        /// The trust set.
        connector: TlsConnector,
        /// The name in the certificate.
        name: ServerName<'static>,
    },
    /// Trust could not be set up on this machine: every connection fails with this.
    Broken(TlsFault),
}

/// A byte stream of any kind.
pub(in crate::device::http) trait Io:
    AsyncRead + AsyncWrite + Send + Unpin
{
}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open connection, TLS included.
pub(in crate::device::http) struct Connection {
    /// The stream to speak HTTP over.
    pub(in crate::device::http) io: Box<dyn Io>,
    /// What its socket took so far; behind a proxy or a jump host, what was handed to the tunnel.
    pub(in crate::device::http) written: Written,
    /// Whether there is a tunnel, which may still hold some MiB of that.
    pub(in crate::device::http) tunnel: bool,
}

/// Opens a connection. Dropping the future closes what was opened.
///
/// # Errors
///
/// The fault, which names the proxy if that failed. Not one byte of a request has been sent.
pub(in crate::device::http) async fn connect(route: &Route) -> Result<Connection, LinkFault> {
    let deadline = Instant::now() + route.limit;
    let late = || LinkFault::ConnectTimeout {
        target: route.target.to_string(),
        after: route.limit,
    };
    if let Security::Broken(fault) = &route.security {
        return Err(fault.clone().into());
    }
    let stream: Box<dyn Io> = match &route.via {
        Via::Direct => Box::new(connect_tcp(&route.target, deadline, route.limit).await?),
        Via::Proxy(proxy) => {
            let tcp = connect_tcp(&proxy.at, deadline, route.limit)
                .await
                .map_err(|e| match e {
                    local @ LinkFault::Local(_) => local,
                    other => LinkFault::NoProxy {
                        proxy: proxy.at.to_string(),
                        reason: printable(&other.to_string(), 120),
                    },
                })?;
            let tunnel = timeout_at(deadline, tunnel(tcp, proxy, &route.target));
            Box::new(tunnel.await.map_err(|_| late())??)
        }
        Via::Ssh(jump) => {
            let stream = timeout_at(deadline, jump.open(&route.target));
            Box::new(stream.await.map_err(|_| LinkFault::Ssh {
                jump: jump.name().to_owned(),
                reason: format!("not connected within {}", human_duration(route.limit)),
            })??)
        }
    };
    let counted = CountingStream::new(stream);
    let written = counted.written();
    let io: Box<dyn Io> = match &route.security {
        Security::Tls { connector, name } => {
            let handshake = connector.connect_with(name.clone(), counted, |connection| {
                connection.set_buffer_limit(Some(TLS_BUFFER));
            });
            let tls = timeout_at(deadline, handshake)
                .await
                .map_err(|_| late())?
                .map_err(|e| link_fault::handshake(&e, &name.to_str()))?;
            Box::new(EofTolerant(tls))
        }
        Security::Plain | Security::Broken(_) => Box::new(counted),
    };
    let tunnel = !matches!(route.via, Via::Direct);
    Ok(Connection {
        io,
        written,
        tunnel,
    })
}

/// Opens TCP to the first address of a host that answers. Each address gets its share of the remaining time, so that
/// one black hole does not use it all.
async fn connect_tcp(
    at: &HostPort,
    deadline: Instant,
    limit: Duration,
) -> Result<TcpStream, LinkFault> {
    let target = at.to_string();
    let late = || LinkFault::ConnectTimeout {
        target: target.clone(),
        after: limit,
    };
    let unknown = || LinkFault::NoAddress {
        host: printable(&at.host, 255),
    };
    let addresses: Vec<SocketAddr> = timeout_at(deadline, lookup_host((at.host.as_str(), at.port)))
        .await
        // A silent name server says nothing about the device.
        .map_err(|_| unknown())?
        .map_err(|e| link_fault::local(&e).map_or_else(unknown, LinkFault::from))?
        .collect();
    let mut last = unknown();
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        left -= 1;
        let fault = match timeout(share, open(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(NotOpen { error, .. })) if error.kind() == std::io::ErrorKind::TimedOut => {
                late()
            }
            Ok(Err(NotOpen { error, at_once })) => link_fault::connecting(&error, &target, at_once),
            Err(_) => late(),
        };
        // A machine without IPv6 itself fails at one of two addresses: the fault of the other one counts.
        if last.spares_device() || !fault.spares_device() {
            last = fault;
        }
    }
    Err(last)
}

/// A connection that was not opened.
struct NotOpen {
    error: std::io::Error,
    /// Whether this machine refused it, without asking anybody.
    at_once: bool,
}

impl From<std::io::Error> for NotOpen {
    fn from(error: std::io::Error) -> Self {
        Self {
            error,
            at_once: true,
        }
    }
}

async fn open(address: SocketAddr) -> Result<TcpStream, NotOpen> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let mut connecting = pin!(socket.connect(address));
    // What this machine knows by itself, such as a missing route, it reports at once.
    let stream = match poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx))).await {
        Poll::Ready(said) => said?,
        Poll::Pending => connecting.await.map_err(|error| NotOpen {
            error,
            at_once: false,
        })?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn through(proxy: &Proxy, reason: &str) -> LinkFault {
    LinkFault::Proxy {
        proxy: proxy.at.to_string(),
        reason: printable(reason, 120),
    }
}

/// Asks a proxy to connect to `target`. The proxy resolves the name, as names of devices may be known only behind
/// it.
async fn tunnel(
    mut tcp: TcpStream,
    proxy: &Proxy,
    target: &HostPort,
) -> Result<TcpStream, LinkFault> {
    match proxy.kind {
        ProxyKind::Socks5 => {
            match Socks5Stream::connect_with_socket(tcp, (target.host.as_str(), target.port)).await
            {
                Ok(stream) => Ok(stream.into_inner()),
                // The proxy says this of the device.
                Err(tokio_socks::Error::ConnectionRefused) => Err(LinkFault::Refused {
                    target: target.to_string(),
                }),
                Err(e) => Err(through(proxy, &e.to_string())),
            }
        }
        ProxyKind::Http => {
            let status = ask_connect(&mut tcp, target)
                .await
                .map_err(|e| match e.kind() {
                    std::io::ErrorKind::UnexpectedEof => through(proxy, "closed the connection"),
                    _ => through(proxy, &e.to_string()),
                })?;
            let code = status
                .split(' ')
                .nth(1)
                .and_then(|code| code.parse::<u16>().ok());
            match code {
                Some(200..=299) => Ok(tcp),
                Some(_) => {
                    let (_, words) = status.split_once(' ').unwrap_or_default();
                    Err(through(proxy, words))
                }
                None => Err(through(proxy, "not an HTTP proxy")),
            }
        }
    }
}

/// Sends `CONNECT` and reads the head of the answer, byte by byte: what follows it belongs to the
/// device. Returns the status line.
async fn ask_connect(tcp: &mut TcpStream, target: &HostPort) -> std::io::Result<String> {
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    tcp.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        if head.len() == MAX_PROXY_HEAD {
            return Err(std::io::Error::other("answer too long"));
        }
        head.push(tcp.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head.lines().next().unwrap_or_default().to_owned())
}
