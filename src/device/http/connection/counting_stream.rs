//! The lowest layer of a connection: counts the bytes that the socket took, and keeps an early answer readable.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that the socket took so far; cheap to clone and to read from anywhere.
#[derive(Clone, Debug, Default)]
pub(in crate::device::http) struct Written(Arc<AtomicU64>);

impl Written {
    /// The number of bytes so far; never decreases.
    pub(in crate::device::http) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::AcqRel);
    }
}

/// A stream that counts what is written, and survives a reset while writing.
///
/// A device that refuses in the middle of a body answers and closes, and the bytes still under way make the kernel
/// reset the connection. The next write fails, hyper gives up, and the answer, which is in the receive buffer, is
/// lost (about every third time on loopback). So the first failed write is remembered, later ones are accepted and
/// dropped, and the read side decides: it finds the answer, or its end of file becomes the remembered error.
#[derive(Debug)]
pub(super) struct CountingStream<S> {
    inner: S,
    written: Written,
    broken: Option<io::ErrorKind>,
}

impl<S> CountingStream<S> {
    /// Wraps a stream; the count begins at zero.
    pub(in crate::device::http) fn new(inner: S) -> Self {
        Self {
            inner,
            written: Written::default(),
            broken: None,
        }
    }

    /// The count, to be read while the stream is in use elsewhere.
    pub(in crate::device::http) fn written(&self) -> Written {
        self.written.clone()
    }

    /// What the layer above is told of a write.
    fn wrote(&mut self, result: io::Result<usize>, offered: usize) -> io::Result<usize> {
        match result {
            Ok(n) => {
                self.written.add(n);
                Ok(n)
            }
            Err(e) if is_reset(e.kind()) => {
                self.broken = Some(e.kind());
                Ok(offered)
            }
            Err(e) => Err(e),
        }
    }
}

/// Whether an error means that the other end is gone.
pub(in crate::device::http) fn is_reset(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for CountingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        match self.broken {
            Some(kind) if buf.filled().len() == before && buf.remaining() > 0 => {
                Poll::Ready(Err(kind.into()))
            }
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountingStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.broken.is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = ready!(Pin::new(&mut self.inner).poll_write(cx, buf));
        Poll::Ready(self.wrote(result, buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = bufs.iter().map(|b| b.len()).sum();
        if self.broken.is_some() {
            return Poll::Ready(Ok(offered));
        }
        let result = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs));
        Poll::Ready(self.wrote(result, offered))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken.is_some() {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        Poll::Ready(self.wrote(result.map(|()| 0), 0).map(|_| ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken.is_some() {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(Pin::new(&mut self.inner).poll_shutdown(cx));
        Poll::Ready(self.wrote(result.map(|()| 0), 0).map(|_| ()))
    }
}

/// The layer above TLS: treats a connection that ends without `close_notify` as an end of file.
///
/// Small servers just close TCP. Nothing is lost by that: an answer that was cut short shows by its
/// `Content-Length`, or by JSON that does not close.
#[derive(Debug)]
pub(super) struct EofTolerant<S>(pub(in crate::device::http) S);

impl<S: AsyncRead + Unpin> AsyncRead for EofTolerant<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.0).poll_read(cx, buf)) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            other => Poll::Ready(other),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for EofTolerant<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A socket after a reset: writes fail, what had arrived is still there to be read.
    struct Reset(&'static [u8]);

    impl AsyncRead for Reset {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let n = self.0.len().min(buf.remaining());
            buf.put_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Reset {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }
    }

    #[tokio::test]
    async fn after_a_reset_the_read_side_decides() {
        let mut stream = CountingStream::new(Reset(b"answer"));
        stream.write_all(b"image").await.unwrap();
        stream.write_all(b"more of it").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(
            stream.written().bytes(),
            0,
            "nothing was taken by the socket"
        );
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        let e = stream.read_u8().await.unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn what_the_socket_took_is_counted() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = CountingStream::new(near);
        let written = stream.written();
        stream.write_all(b"12345").await.unwrap();
        assert_eq!(written.bytes(), 5);
        let mut seen = [0; 5];
        far.read_exact(&mut seen).await.unwrap();
    }
}
