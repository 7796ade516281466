//! A request as an endpoint describes it, and the error of getting no answer. `send` sends it.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use super::connection::connect::Route;
use super::connection::exchange::Need;
use crate::device::{LoginError, Session};
use crate::hem::json::WireError;
use crate::model::{FailureKind, LinkFault};

/// A request as an endpoint takes it.
pub(super) struct Call<'a> {
    pub(super) path: Cow<'static, str>,
    pub(super) session: Option<&'a Session>,
    /// JSON; its presence makes the request a POST.
    pub(super) body: Option<Bytes>,
    pub(super) need: Need,
    pub(super) limit: Option<Duration>,
    /// Another route than the device's own.
    pub(super) over: Option<&'a Route>,
}

impl<'a> Call<'a> {
    /// A GET whose 200 brings JSON.
    pub(super) fn get(path: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: path.into(),
            session: None,
            body: None,
            need: Need::Json,
            limit: None,
            over: None,
        }
    }

    /// A POST of JSON whose 200 brings JSON.
    pub(super) fn post(path: &'static str, body: Bytes) -> Self {
        Self {
            body: Some(body),
            ..Self::get(path)
        }
    }

    /// With a token, where the session has one.
    pub(super) fn of(self, session: &'a Session) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// With a token, where the session has one; only the answer's status matters.
    pub(super) fn with(self, session: &'a Session) -> Self {
        Self {
            need: Need::Status,
            ..self.of(session)
        }
    }

    /// A 200 brings a file, which may be long.
    pub(super) fn file(self) -> Self {
        Self {
            need: Need::File,
            ..self
        }
    }

    /// Over another route than the device's own, where one is given.
    pub(super) fn over(self, route: Option<&'a Route>) -> Self {
        Self {
            over: route,
            ..self
        }
    }

    /// With a time limit of its own.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }
}

/// No usable answer came.
pub(super) struct RequestError {
    /// Why not.
    pub(super) fault: LinkFault,
    /// Whether anything of the request had been handed to the socket.
    pub(super) sent: bool,
}

impl From<RequestError> for FailureKind {
    fn from(unanswered: RequestError) -> Self {
        Self::Link(unanswered.fault)
    }
}

impl From<RequestError> for LoginError {
    fn from(unanswered: RequestError) -> Self {
        Self::Failed(unanswered.into())
    }
}

impl From<WireError> for FailureKind {
    fn from(e: WireError) -> Self {
        Self::BadAnswer {
            what: e.to_string(),
        }
    }
}
