//! The answers of devices and broker, and what scripted faults make of them on their way out.
//!
//! Every response has its shape from here: `Content-Type: application/json`, and no body for errors ([section
//! 2](crate::hem#2-transport)).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::Sleep;

use crate::sim::device::listener::Ending;
use crate::sim::script::fault::Act;

/// The body of a response.
pub(in crate::sim) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The connection ends without a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(in crate::sim) enum Gone {
    #[error("closed without a response")]
    Closed,
    #[error("reset")]
    Reset,
}

/// What an endpoint has to say.
#[derive(Clone, PartialEq, Debug, Default)]
pub(in crate::sim) struct Answer {
    pub(in crate::sim) status: u16,
    pub(in crate::sim) json: Option<Map<String, Value>>,
    /// A body that is no JSON: a log file. The page says that every response is labelled as JSON; the vendor's
    /// description has plain text for this one, and the vendor's acceptance suite reads it only as that.
    pub(in crate::sim) text: Option<String>,
    /// Fields that are absent here, but that some builds send as `null` (section 13).
    pub(in crate::sim) absent: &'static [&'static str],
}

impl Answer {
    /// A status alone: errors, and most success of the upgrade endpoints.
    pub(in crate::sim) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// 200 with an object.
    pub(in crate::sim) fn object(json: Value) -> Self {
        let json = match json {
            Value::Object(map) => map,
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        Self {
            status: 200,
            json: Some(json),
            ..Self::default()
        }
    }

    /// 200 with a log file.
    pub(in crate::sim) fn text(text: String) -> Self {
        Self {
            status: 200,
            text: Some(text),
            ..Self::default()
        }
    }
}

/// What a fault does before the endpoint is asked. `None`: the endpoint is asked.
pub(in crate::sim) async fn before(act: Option<&Act>) -> Option<Result<Answer, Gone>> {
    match act? {
        Act::Status { status, after: 0 } => Some(Ok(Answer::status(*status))),
        Act::Reset { after: 0 } | Act::LoseAnswer { happened: false } => Some(Err(Gone::Reset)),
        Act::Close { after: 0 } => Some(Err(Gone::Closed)),
        Act::Stall { after: 0, lasts } => {
            stand_still(*lasts).await;
            None
        }
        _ => None,
    }
}

/// For a while, or for ever.
pub(in crate::sim) async fn stand_still(lasts: Option<Duration>) {
    match lasts {
        Some(lasts) => tokio::time::sleep(lasts).await,
        None => std::future::pending().await,
    }
}

/// What a fault makes of the endpoint's answer.
pub(in crate::sim) async fn after(act: Option<&Act>, answer: Answer) -> Result<Answer, Gone> {
    let mut answer = answer;
    match act {
        Some(Act::Slow { lasts }) => tokio::time::sleep(*lasts).await,
        Some(Act::LoseAnswer { happened: true }) => return Err(Gone::Reset),
        Some(Act::Misreport { status }) => return Ok(Answer::status(*status)),
        Some(Act::Odd) if answer.text.is_none() => {
            let json = answer.json.get_or_insert_default();
            for name in answer.absent {
                json.entry(*name).or_insert(Value::Null);
            }
            json.insert("future".to_owned(), odd());
        }
        Some(Act::Omit { field }) => {
            if let Some(json) = &mut answer.json {
                json.remove(field);
            }
        }
        _ => {}
    }
    Ok(answer)
}

/// A field that no version of the page knows.
pub(in crate::sim) fn odd() -> Value {
    json!({ "a": [1, null, "ż"] })
}

/// Puts an answer on its way, or ends the connection.
pub(in crate::sim) fn respond(
    answer: Result<Answer, Gone>,
    act: Option<&Act>,
    ending: &Ending,
) -> Result<Response<Body>, Gone> {
    let answer = answer.inspect_err(|gone| {
        if *gone == Gone::Reset {
            ending.reset();
        }
    })?;
    let json = answer.json.map(|map| Value::Object(map).to_string());
    let label = match answer.text {
        Some(_) => "text/plain",
        None => "application/json",
    };
    let text = match act {
        Some(Act::Garbled) => "<html><body>It works!</body></html>".to_owned(),
        _ => answer.text.or(json).unwrap_or_default(),
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if matches!(act, Some(Act::Short)) {
        let promised = text.len().max(2);
        let mut response = cut(text.as_bytes(), promised);
        *response.status_mut() = status;
        return Ok(labelled(response, label));
    }
    let body = Full::new(Bytes::from(text)).map_err(|e| match e {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    Ok(labelled(response, label))
}

fn labelled(mut response: Response<Body>, label: &'static str) -> Response<Body> {
    let label = HeaderValue::from_static(label);
    response.headers_mut().insert(CONTENT_TYPE, label);
    response
}

/// A response that promises so many bytes, and ends after half of those that there are.
pub(in crate::sim) fn cut(bytes: &[u8], promised: usize) -> Response<Body> {
    let mut response = Response::new(Cut::new(bytes).boxed_unsync());
    let promised = HeaderValue::from(promised);
    response.headers_mut().insert(CONTENT_LENGTH, promised);
    response
}

/// The first half of a body; then the connection ends.
struct Cut {
    half: Option<Bytes>,
    /// What stands before the end must have left first, or the client would see no answer at all.
    pause: Pin<Box<Sleep>>,
}

impl Cut {
    fn new(bytes: &[u8]) -> Self {
        let half = bytes[..bytes.len() / 2].to_vec();
        Self {
            half: Some(half.into()),
            pause: Box::pin(tokio::time::sleep(Duration::from_millis(20))),
        }
    }
}

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        ready!(self.pause.as_mut().poll(cx));
        Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
