//! One HTTP request and its answer over an open connection ([section 2](crate::hem#2-transport)).

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::connect::Io;
use crate::device::http::link_fault;
use crate::model::{FailureKind, LinkFault};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1024 * 1024;

/// A file may take this many times the limit of a request, as long as bytes keep coming.
const PATIENCE: u32 = 10;

/// How long to wait for a body that nobody needs, so that the connection ends in order.
const FAREWELL: Duration = Duration::from_secs(1);

/// How many bytes of an answer a connection buffers at most: many devices may send their logs at once.
const BUFFER: usize = 64 * 1024;

/// A device's answer.
#[derive(Debug)]
pub(in crate::device::http) struct Answer<T = Bytes> {
    /// The HTTP status, also one outside the usual range such as 795 (section 13).
    pub(in crate::device::http) status: u16,
    /// The body, or why it could not be read. Most answers have no body that matters.
    pub(in crate::device::http) body: Result<T, BodyError>,
}

/// Why a body is not whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::device::http) enum BodyError {
    /// The connection ended before the body did (section 13).
    CutShort(LinkFault),
    /// It is longer than this many bytes.
    TooLong(u64),
    /// Anything else.
    Fault(LinkFault),
}

impl From<LinkFault> for BodyError {
    fn from(fault: LinkFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<BodyError> for FailureKind {
    fn from(broken: BodyError) -> Self {
        Self::Link(match broken {
            BodyError::CutShort(fault) | BodyError::Fault(fault) => fault,
            BodyError::TooLong(limit) => {
                link_fault::garbled(&format!("an answer of over {} MiB", limit / 1024 / 1024))
            }
        })
    }
}

/// Where the body of a 200 goes as it comes.
pub(in crate::device::http) trait Sink: Send {
    /// The longest body that is taken, in bytes.
    const LONGEST: u64;

    /// Takes the next bytes.
    fn take(&mut self, data: Bytes) -> impl Future<Output = ()> + Send;
}

/// Keeps a body as a whole.
impl Sink for BytesMut {
    const LONGEST: u64 = MAX_ANSWER;

    async fn take(&mut self, data: Bytes) {
        self.extend_from_slice(&data);
    }
}

/// Which part of an answer is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::device::http) enum Need {
    /// The status alone decides.
    Status,
    /// A 200 brings JSON.
    Json,
    /// A 200 brings a file, which may be long, and of which every byte counts.
    File,
}

/// An HTTP/1 connection that makes progress only while something is awaited on it, in the same task. Dropping that
/// future drops the socket, so that no request goes on in the background.
pub(in crate::device::http) struct HttpConnection<B> {
    sender: http1::SendRequest<B>,
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl<B> HttpConnection<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    /// Takes over a connection. Nothing is sent yet.
    pub(in crate::device::http) async fn open(io: Box<dyn Io>) -> Result<Self, LinkFault> {
        let (sender, connection) = http1::Builder::new()
            // Some parsers on small machines know header names by their usual spelling only.
            .title_case_headers(true)
            .ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|e| link_fault::exchange(&e))?;
        let driver = Box::pin(async move {
            // Whoever waits for the answer gets the error, too.
            if let Err(e) = connection.await {
                tracing::trace!(error = %crate::model::chain(&e), "connection ended");
            }
        });
        Ok(Self {
            sender,
            driver,
            ended: false,
        })
    }

    /// Hands the request over. The future brings the answer's head; [`HttpConnection::drive`] runs it.
    pub(in crate::device::http) fn send(
        &mut self,
        request: Request<B>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + Send + use<B> {
        self.sender.send_request(request)
    }

    /// Awaits `work` while the connection runs.
    pub(in crate::device::http) async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if !self.ended {
                self.ended = self.driver.as_mut().poll(cx).is_ready();
            }
            match work.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(done),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Sends a request and reads its answer, all within `limit`; the body of a 200 that is needed goes to `sink`.
///
/// # Errors
///
/// No head of an answer came. A body that could not be read is part of the [`Answer`].
pub(in crate::device::http) async fn exchange<B, S>(
    io: Box<dyn Io>,
    request: Request<B>,
    need: Need,
    limit: Duration,
    sink: &mut S,
) -> Result<Answer<()>, LinkFault>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    S: Sink,
{
    let deadline = Instant::now() + limit;
    let late = LinkFault::NoAnswer { after: limit };
    let mut http = HttpConnection::open(io).await?;
    let head = http.send(request);
    let response = timeout_at(deadline, http.drive(head))
        .await
        .map_err(|_| late.clone())?
        .map_err(|e| link_fault::exchange(&e))?;
    let status = response.status().as_u16();

    let needed = need != Need::Status && status == 200;
    let mut reading = Reading {
        until: deadline,
        rest: Duration::ZERO,
        limit,
    };
    let body = response.into_body();
    let body = if needed {
        if need == Need::File {
            reading.rest = limit * (PATIENCE - 1);
        }
        reading.read(&mut http, body, sink).await
    } else {
        reading.until = deadline.min(Instant::now() + FAREWELL);
        let mut nobody = BytesMut::new();
        reading.read(&mut http, body, &mut nobody).await
    };
    Ok(Answer { status, body })
}

/// How a body is read.
struct Reading {
    /// When the next bytes must be there.
    until: Instant,
    /// How much longer `until` may become while bytes keep coming.
    rest: Duration,
    /// The limit of the request.
    limit: Duration,
}

impl Reading {
    async fn read<B, S>(
        mut self,
        http: &mut HttpConnection<B>,
        mut body: Incoming,
        sink: &mut S,
    ) -> Result<(), BodyError>
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
        S: Sink,
    {
        let mut came = 0_u64;
        loop {
            let frame = match timeout_at(self.until, http.drive(body.frame())).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(e))) => return Err(ended(&e)),
                Ok(None) => return Ok(()),
                Err(_) => return Err(LinkFault::NoAnswer { after: self.limit }.into()),
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            came += data.len() as u64;
            if came > S::LONGEST {
                return Err(BodyError::TooLong(S::LONGEST));
            }
            // The device is not charged for the time that the sink takes.
            let begun = Instant::now();
            sink.take(data).await;
            self.until += begun.elapsed();
            self.wait_on();
        }
    }

    /// Bytes came, so wait for more.
    fn wait_on(&mut self) {
        let next = self.until.max(Instant::now() + self.limit);
        let more = (next - self.until).min(self.rest);
        self.until += more;
        self.rest -= more;
    }
}

/// The connection ended before the body did.
fn ended(e: &hyper::Error) -> BodyError {
    match link_fault::exchange(e) {
        LinkFault::ClosedWithoutAnswer => {
            BodyError::CutShort(link_fault::garbled("the answer was cut short"))
        }
        LinkFault::Reset => BodyError::CutShort(LinkFault::Reset),
        other => BodyError::Fault(other),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// The body of a file of which a part comes every `gap`.
    async fn dripping(gap: Duration, parts: usize) -> Result<Bytes, BodyError> {
        let (ours, mut theirs) = duplex(4096);
        let server = tokio::spawn(async move {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {parts}\r\n\r\n");
            let _ = theirs.write_all(head.as_bytes()).await;
            for _ in 0..parts {
                sleep(gap).await;
                let _ = theirs.write_all(b"#").await;
            }
        });
        let request = Request::new(Empty::new());
        let mut came = BytesMut::new();
        let answer = exchange(Box::new(ours), request, Need::File, LIMIT, &mut came).await;
        server.abort();
        answer.unwrap().body.map(|()| came.freeze())
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_has_time_while_bytes_keep_coming() {
        let begun = Instant::now();
        assert_eq!(dripping(LIMIT * 2 / 3, 10).await.unwrap(), "#".repeat(10));
        assert!(begun.elapsed() > LIMIT * 6);
        for (gap, parts) in [(LIMIT * 4 / 3, 1), (LIMIT * 2 / 3, 30)] {
            let begun = Instant::now();
            let broken = dripping(gap, parts).await.unwrap_err();
            let late = LinkFault::NoAnswer { after: LIMIT };
            assert_eq!(broken, BodyError::Fault(late));
            assert!(begun.elapsed() <= LIMIT * PATIENCE);
        }
    }
}
