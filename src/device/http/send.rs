//! Sends requests to a device: one at a time, each over a connection of its own ([section 2](crate::hem#2-transport)).
//!
//! What an answer means is in `adapter` and `login`.

use bytes::BytesMut;
use http::header;
use http_body_util::Full;
use hyper::{Method, Request};
use tokio::time::Instant;

use super::connection::connect::connect;
use super::connection::exchange::{Answer, Sink, exchange};
use super::http_device::{HttpDevice, bearer};
use super::request::{Call, RequestError};
use super::{USER_AGENT, link_fault, upload};
use crate::device::{Image, Session, UploadProgress};
use crate::hem::path;
use crate::model::{APP_UPLOAD_NAME, FailureKind, LinkFault};

const UNUSABLE_TOKEN: &str = "a token that no HTTP header can carry";

impl HttpDevice {
    /// The head that all requests share. `None` where no header can carry the token.
    fn head(
        &self,
        method: Method,
        path: &str,
        session: Option<&Session>,
    ) -> Option<http::request::Builder> {
        let mut head = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.host.clone())
            .header(header::USER_AGENT, USER_AGENT)
            // The device closes anyway; this saves it the wait.
            .header(header::CONNECTION, "close");
        if let Some(token) = session.and_then(|s| s.token.as_ref()) {
            head = head.header(header::AUTHORIZATION, bearer(token)?);
        }
        Some(head)
    }

    /// Sends a request when it is its turn, over a connection of its own.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Answer, RequestError> {
        let mut came = BytesMut::new();
        let answer = self.call_into(call, &mut came).await?;
        Ok(Answer {
            status: answer.status,
            body: answer.body.map(|()| came.freeze()),
        })
    }

    /// The same; the body of a 200 goes to `sink` as it comes.
    pub(super) async fn call_into(
        &self,
        call: Call<'_>,
        sink: &mut impl Sink,
    ) -> Result<Answer<()>, RequestError> {
        let unsent = |fault| RequestError { fault, sent: false };
        let method = if call.body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let mut head = self
            .head(method.clone(), &call.path, call.session)
            .ok_or_else(|| unsent(link_fault::garbled(UNUSABLE_TOKEN)))?;
        if let Some(body) = &call.body {
            head = head
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CONTENT_LENGTH, body.len());
        }
        let request = head
            .body(Full::new(call.body.unwrap_or_default()))
            .map_err(|e| unsent(link_fault::garbled(&e.to_string())))?;
        let limit = call.limit.unwrap_or(self.timeouts.request);

        let _turn = self.pacing.wait_for_turn().await;
        let begun = Instant::now();
        let result = match connect(call.over.unwrap_or(&self.route)).await {
            Err(fault) => Err(unsent(fault)),
            Ok(connection) => {
                let (written, before) = (connection.written.clone(), connection.written.bytes());
                exchange(connection.io, request, call.need, limit, sink)
                    .await
                    .map_err(|fault| RequestError {
                        fault,
                        sent: written.bytes() > before,
                    })
            }
        };
        let outcome = result.as_ref().map(|a| a.status).map_err(|e| &e.fault);
        self.log(&method, &call.path, begun, outcome);
        result
    }

    /// Sends an image when it is its turn (section 7). `Ok` is a 200 for the whole image.
    pub(super) async fn send_image(
        &self,
        session: &Session,
        image: Image<'_>,
        progress: &dyn UploadProgress,
    ) -> Result<(), FailureKind> {
        let (path, name) = match image {
            Image::Firmware(image) => (path::UPLOAD_FW, image.facts.format.upload_name()),
            Image::Ui(_) => (path::UPLOAD_UI, APP_UPLOAD_NAME),
        };
        let bad = |what: &str| FailureKind::BadAnswer {
            what: what.to_owned(),
        };
        let head = self
            .head(Method::POST, path, Some(session))
            .ok_or_else(|| bad(UNUSABLE_TOKEN))?
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"{name}\""),
            )
            .header(header::CONTENT_LENGTH, image.bytes().len())
            .header(header::EXPECT, "100-continue")
            .body(())
            .map_err(|e| bad(&e.to_string()))?;
        let limits = upload::Limits {
            continue_wait: self.continue_wait,
            whole: self.timeouts.upload,
            stall: self.timeouts.upload_stall,
            answer: self.timeouts.request,
        };

        let _turn = self.pacing.wait_for_turn().await;
        let begun = Instant::now();
        let result = match connect(&self.route).await {
            Ok(connection) => {
                upload::send(connection, head, image.bytes().clone(), limits, progress).await
            }
            Err(fault) => Err(fault),
        };
        self.log(
            &Method::POST,
            path,
            begun,
            result.as_ref().map(|a| a.status),
        );
        match result? {
            upload::Answered {
                status: 200,
                whole: true,
            } => Ok(()),
            // An older image may still be staged, and a check would find that one valid.
            upload::Answered {
                status: 200,
                whole: false,
            } => Err(bad("200 before the whole image was sent")),
            upload::Answered { status, .. } => Err(FailureKind::Status { status }),
        }
    }

    fn log(&self, method: &Method, path: &str, begun: Instant, result: Result<u16, &LinkFault>) {
        let took = begun.elapsed();
        let device = self.spec.id.as_str();
        match result {
            Ok(status) => tracing::debug!(device, %method, path, status, ?took, "answered"),
            Err(fault) => tracing::debug!(device, %method, path, %fault, ?took, "not answered"),
        }
    }
}
