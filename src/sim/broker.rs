//! The simulated broker: the check-in relay with the backend behind it, and downloads (sections 5, 12).
//!
//! Not simulated: mobile approval (`/notify/…` answers 404).
//! Must not: know a device's inner state; what it learns, it learns from the check-in itself.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, Body, Gone, after, before, respond};
use super::checkin::{self, Reply};
use super::clock::unix_now;
use super::fault::{Act, Point};
use super::port::{Ending, OpenPort, Wire};
use super::unit::{Unit, World};

/// Longer than any device's question.
const MAX_BODY: usize = 64 * 1024;

/// The relay and what it knows.
pub(super) struct Broker {
    pub(super) world: Arc<World>,
    /// The backend's register of devices, by identity.
    pub(super) devices: HashMap<String, Arc<Unit>>,
    pub(super) requests: Mutex<Vec<String>>,
}

/// Runs the broker until it is dropped.
pub(super) async fn serve(
    broker: Arc<Broker>,
    open: OpenPort,
    tls: Option<TlsAcceptor>,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = open.accept() => match accepted {
                Ok(tcp) => {
                    let ending = Ending::default();
                    let wire = Wire::new(tcp, ending.clone());
                    let (broker, tls) = (Arc::clone(&broker), tls.clone());
                    connections.spawn(async move {
                        match tls {
                            None => talk(&broker, wire, &ending).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(wire).await {
                                    talk(&broker, stream, &ending).await;
                                }
                            }
                        }
                    });
                }
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}

async fn talk<S>(broker: &Arc<Broker>, stream: S, ending: &Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| answer(Arc::clone(broker), ending.clone(), request));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    broker: Arc<Broker>,
    ending: Ending,
    request: Request<Incoming>,
) -> Result<Response<Body>, Gone> {
    let path = request.uri().path().to_owned();
    let method = request.method().to_string();
    broker
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(format!("{method} {path}"));
    match (method.as_str(), path.as_str()) {
        ("POST", "/checkin") => relay(&broker, &ending, request).await,
        ("GET", path) => Ok(broker.download(path).unwrap_or_else(|| not_found(&ending))),
        _ => Ok(not_found(&ending)),
    }
}

fn not_found(ending: &Ending) -> Response<Body> {
    respond(Ok(Answer::status(404)), None, ending).unwrap_or_default()
}

async fn relay(
    broker: &Broker,
    ending: &Ending,
    request: Request<Incoming>,
) -> Result<Response<Body>, Gone> {
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|_| Gone::Closed)?.to_bytes();
    let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(&body) else {
        return respond(Ok(Answer::status(400)), None, ending);
    };
    let question = object.remove("check");
    let question = question
        .as_ref()
        .and_then(Value::as_str)
        .and_then(checkin::hear);
    let device = question.as_ref().and_then(|q| broker.devices.get(&q.iss));
    let (Some(question), Some(device)) = (question, device) else {
        return respond(Ok(Answer::status(401)), None, ending);
    };
    let act = device.strike(Point::Relay);
    let said = match before(act.as_ref()).await {
        Some(said) => said,
        None => {
            after(
                act.as_ref(),
                broker.check_in(&question, act.as_ref(), object),
            )
            .await
        }
    };
    respond(said, act.as_ref(), ending)
}

impl Broker {
    /// The backend's reply; unknown fields go back as they came.
    fn check_in(
        &self,
        question: &checkin::Question,
        act: Option<&Act>,
        unknown: Map<String, Value>,
    ) -> Answer {
        let newer = self.world.firmware.as_ref().filter(|_| self.world.offer);
        let newfws = newer
            .map(|f| f.fws.to_string())
            .filter(|fws| *fws != question.fws);
        let reply = Reply {
            jti: question.jti.clone(),
            iat: unix_now(),
            order: match act {
                Some(Act::Order { order }) => Some(*order),
                _ => None,
            },
            newfws,
        };
        match checkin::reply(question, &reply) {
            Some(checked) => {
                let mut object = unknown;
                object.insert("checked".to_owned(), checked.into());
                Answer::object(Value::Object(object))
            }
            None => Answer::status(401),
        }
    }

    /// `GET /download/firmware/{v}/bin`.
    fn download(&self, path: &str) -> Option<Response<Body>> {
        let name = path
            .strip_prefix("/download/firmware/")?
            .strip_suffix("/bin")?;
        let firmware = self.world.firmware.as_ref()?;
        if name != URL_SAFE_NO_PAD.encode(firmware.fws.0) {
            return None;
        }
        let image: Bytes = self.world.image.clone();
        Some(Response::new(
            Full::new(image).map_err(|e| match e {}).boxed_unsync(),
        ))
    }
}
