//! One request and its answer on a connection of their own (section 2).
//!
//! Must not: open connections, or know what a status means.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::dial::Io;
use super::fault;
use crate::model::LinkFault;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// How long a body that nobody needs is waited for, so that the connection ends in order.
const FAREWELL: Duration = Duration::from_secs(1);

/// A device's answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status, also one outside the usual range such as 795 (section 13).
    pub(super) status: u16,
    /// The body, or why it could not be read; most answers have none that matters.
    pub(super) body: Result<Bytes, LinkFault>,
}

/// What of an answer is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// The status alone decides.
    Status,
    /// A 200 brings JSON.
    Json,
}

/// An HTTP/1 connection that runs only while something is awaited on it, in the same task: dropping
/// the one who waits drops the socket too, and nothing of a request goes on behind anybody's back.
pub(super) struct Conversation<B> {
    sender: http1::SendRequest<B>,
    connection: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl<B> Conversation<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    /// Takes over a connection. Nothing is sent yet.
    pub(super) async fn start(io: Box<dyn Io>) -> Result<Self, LinkFault> {
        let (sender, connection) = http1::Builder::new()
            // Some parsers on small machines know header names by their usual spelling only.
            .title_case_headers(true)
            .ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|e| fault::exchange(&e))?;
        let connection = Box::pin(async move {
            // What ends the connection is told to the one who waits for the answer.
            if let Err(e) = connection.await {
                tracing::trace!(error = %fault::chain(&e), "connection ended");
            }
        });
        Ok(Self {
            sender,
            connection,
            ended: false,
        })
    }

    /// Hands the request over; the answer's head comes from awaiting the future beside the connection.
    pub(super) fn send(
        &mut self,
        request: Request<B>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + Send + use<B> {
        self.sender.send_request(request)
    }

    /// Awaits `work` while the connection runs.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if !self.ended {
                self.ended = self.connection.as_mut().poll(cx).is_ready();
            }
            match work.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(done),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Sends a request and reads its answer, all within `limit`.
///
/// # Errors
///
/// No head of an answer came. A body that could not be read is part of the [`Answer`].
pub(super) async fn exchange<B>(
    io: Box<dyn Io>,
    request: Request<B>,
    need: Need,
    limit: Duration,
) -> Result<Answer, LinkFault>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let deadline = Instant::now() + limit;
    let late = LinkFault::NoAnswer { after: limit };
    let mut conversation = Conversation::start(io).await?;
    let head = conversation.send(request);
    let response = timeout_at(deadline, conversation.beside(head))
        .await
        .map_err(|_| late.clone())?
        .map_err(|e| fault::exchange(&e))?;
    let status = response.status().as_u16();

    let needed = need == Need::Json && status == 200;
    let until = if needed {
        deadline
    } else {
        deadline.min(Instant::now() + FAREWELL)
    };
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
    let body = match timeout_at(until, conversation.beside(body)).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(e)) => Err(body_fault(&*e)),
        Err(_) => Err(late),
    };
    Ok(Answer { status, body })
}

fn body_fault(e: &(dyn std::error::Error + Send + Sync + 'static)) -> LinkFault {
    if e.is::<LengthLimitError>() {
        return fault::garbled("an answer of over 1 MiB");
    }
    match e.downcast_ref::<hyper::Error>().map(fault::exchange) {
        Some(LinkFault::ClosedWithoutAnswer) | None => fault::garbled("the answer was cut short"),
        Some(fault) => fault,
    }
}
