//! The body of an upload, held back until the device asks for it with `100 Continue` ([section
//! 7](crate::hem#7-firmware-upgrade)).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Frame, SizeHint};
use hyper::ext::on_informational;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::counting_stream::Written;

/// One TLS record: the step in which progress is made and can be cancelled.
const CHUNK: usize = 16 * 1024;

/// The body has not begun.
const NOT_BEGUN: u64 = u64::MAX;

/// A body that sends nothing before `100 Continue`, and nothing at all after a final answer.
///
/// While it waits, hyper sends only the head. A device that does not know `Expect` gets the body when the wait is
/// over.
pub(in crate::device::http) struct ExpectContinueBody {
    state: BodyState,
    left: Bytes,
    meter: Arc<BodyMeter>,
}

enum BodyState {
    Waiting {
        told: oneshot::Receiver<()>,
        longest: Duration,
        timer: Option<Pin<Box<Sleep>>>,
    },
    Sending,
    /// A final answer came first: not one byte is sent any more.
    Withheld,
}

/// How far an [`ExpectContinueBody`] is, to be read from outside.
#[derive(Debug)]
pub(in crate::device::http) struct BodyMeter {
    written: Written,
    total: u64,
    /// What the socket had taken when the body began, or [`NOT_BEGUN`].
    base: AtomicU64,
    /// What of the body has been given to hyper.
    polled: AtomicU64,
}

impl BodyMeter {
    /// How many bytes of the body the socket took; absent before the body has begun. With TLS this includes its
    /// overhead of at most 0.2 %, but never exceeds what was handed to hyper.
    pub(in crate::device::http) fn sent(&self) -> Option<u64> {
        let base = self.base.load(Ordering::Acquire);
        if base == NOT_BEGUN {
            return None;
        }
        let taken = self.written.bytes().saturating_sub(base);
        Some(taken.min(self.polled.load(Ordering::Acquire)))
    }

    /// Whether the socket took the whole body.
    pub(in crate::device::http) fn is_whole(&self) -> bool {
        self.sent() == Some(self.total)
    }

    fn open(&self) {
        self.base.store(self.written.bytes(), Ordering::Release);
    }
}

/// Gives a request that says `Expect: 100-continue` its body, held back.
///
/// `written` is the count of the connection that the request will go over; `longest` is how long to
/// wait for the device.
pub(in crate::device::http) fn expect_continue(
    mut request: Request<()>,
    body: Bytes,
    written: Written,
    longest: Duration,
) -> (Request<ExpectContinueBody>, Arc<BodyMeter>) {
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    on_informational(&mut request, move |answer| {
        if answer.status() == http::StatusCode::CONTINUE
            && let Ok(mut tell) = tell.lock()
            && let Some(tell) = tell.take()
        {
            let _ = tell.send(());
        }
    });
    let meter = Arc::new(BodyMeter {
        written,
        total: body.len() as u64,
        base: AtomicU64::new(NOT_BEGUN),
        polled: AtomicU64::new(0),
    });
    let state = BodyState::Waiting {
        told,
        longest,
        timer: None,
    };
    let body = ExpectContinueBody {
        state,
        left: body,
        meter: Arc::clone(&meter),
    };
    (request.map(|()| body), meter)
}

impl BodyState {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self::Waiting {
            told,
            longest,
            timer,
        } = self
        else {
            return match self {
                Self::Sending => Poll::Ready(()),
                _ => Poll::Pending,
            };
        };
        match Pin::new(told).poll(cx) {
            Poll::Ready(Ok(())) => {}
            // hyper dropped the callback: the head of a final answer has been read, or the connection
            // is gone. Whoever waits for the answer learns it; the body stays silent.
            Poll::Ready(Err(_)) => {
                *self = Self::Withheld;
                return Poll::Pending;
            }
            Poll::Pending => {
                let timer = timer.get_or_insert_with(|| Box::pin(sleep(*longest)));
                std::task::ready!(timer.as_mut().poll(cx));
            }
        }
        *self = Self::Sending;
        Poll::Ready(())
    }
}

impl Body for ExpectContinueBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !matches!(self.state, BodyState::Sending) {
            std::task::ready!(self.state.poll_open(cx));
            self.meter.open();
        }
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.left.len().min(CHUNK);
        let chunk = self.left.split_to(size);
        self.meter.polled.fetch_add(size as u64, Ordering::AcqRel);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    /// Exact, so that the request has a `Content-Length` and is never chunked (section 2: 411).
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
