//! A device's TCP ports: listening, not listening, and connections that can be reset.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A port on which nothing listens, yet: connections to it are refused, as during a reboot. It stays
/// taken all the same, so that nobody else can have it when the device comes back.
pub(in crate::sim) struct ShutPort {
    socket: TcpSocket,
    receive_buffer: Option<u32>,
}

/// A port that is listened on.
pub(in crate::sim) struct OpenPort {
    listener: TcpListener,
    receive_buffer: Option<u32>,
}

impl ShutPort {
    /// Takes the port; 0 is any free one. The receive buffer bounds how far a sender can run ahead.
    pub(in crate::sim) fn take(addr: SocketAddr, receive_buffer: Option<u32>) -> io::Result<Self> {
        let socket = match addr {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(addr)?;
        Ok(Self {
            socket,
            receive_buffer,
        })
    }

    pub(in crate::sim) fn addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(in crate::sim) fn open(self) -> io::Result<OpenPort> {
        Ok(OpenPort {
            listener: self.socket.listen(1024)?,
            receive_buffer: self.receive_buffer,
        })
    }
}

impl OpenPort {
    pub(in crate::sim) async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.listener.accept().await?;
        // Without it small answers wait for acknowledgements that are delayed by 40 ms.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Stops listening; connections that wait to be accepted are reset.
    pub(super) async fn shut(self) -> io::Result<ShutPort> {
        let addr = self.listener.local_addr()?;
        drop(self.listener);
        // Between the two somebody's outgoing connection may get hold of the port for a moment.
        let mut tries = 0;
        loop {
            match ShutPort::take(addr, self.receive_buffer) {
                Err(e) if e.kind() == io::ErrorKind::AddrInUse && tries < 500 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                done => return done,
            }
        }
    }
}

/// The ports of a device: its own, and where that one speaks TLS, another for plain HTTP (section 2).
pub(in crate::sim) struct Ports<P> {
    pub(in crate::sim) own: P,
    pub(in crate::sim) plain: Option<P>,
}

impl Ports<ShutPort> {
    pub(in crate::sim) fn open(self) -> io::Result<Ports<OpenPort>> {
        Ok(Ports {
            own: self.own.open()?,
            plain: self.plain.map(ShutPort::open).transpose()?,
        })
    }
}

impl Ports<OpenPort> {
    /// The next connection, and whether it came to the plain port.
    pub(in crate::sim) async fn accept(&self) -> io::Result<(TcpStream, bool)> {
        let plain = async {
            match &self.plain {
                Some(port) => port.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            tcp = self.own.accept() => Ok((tcp?, false)),
            tcp = plain => Ok((tcp?, true)),
        }
    }

    /// Stops listening.
    pub(super) async fn shut(self) -> io::Result<Ports<ShutPort>> {
        Ok(Ports {
            own: self.own.shut().await?,
            plain: match self.plain {
                Some(port) => Some(port.shut().await?),
                None => None,
            },
        })
    }
}

/// Lets a request handler decide how the connection below it ends.
#[derive(Clone, Default)]
pub(in crate::sim) struct Ending(Arc<AtomicBool>);

impl Ending {
    /// The connection is to end in a reset, as soon as it is dropped.
    pub(in crate::sim) fn reset(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection whose end can be made a reset.
pub(in crate::sim) struct Wire {
    tcp: TcpStream,
    ending: Ending,
}

impl Wire {
    pub(in crate::sim) fn new(tcp: TcpStream, ending: Ending) -> Self {
        Self { tcp, ending }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.ending.0.load(Ordering::Relaxed) {
            // Where it fails the connection is closed in order, which is a fault as well.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
