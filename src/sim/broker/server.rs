//! The broker's server: the check-in relay with the backend behind it, and downloads
//! (sections [5](crate::hem#5-check-in) and [12](crate::hem#12-broker)). Notifications are in `notifications`.
//!
//! It knows of a device what a check-in says, and never looks at its state.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

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

use super::notifications::{Notifications, Said, faulty};
use crate::hem::path::{self, download_name};
use crate::sim::api::answer::{Answer, Body, Gone, cut, respond};
use crate::sim::device::clock::unix_now;
use crate::sim::device::device_core::{DeviceCore, World};
use crate::sim::device::listener::{Ending, OpenPort, Wire};
use crate::sim::firmware_images;
use crate::sim::management_app_file;
use crate::sim::script::fault::Act;
use crate::sim::script::fault_point::FaultPoint;
use crate::sim::script::world::{Download, ImageScript};
use crate::sim::tokens::checkin::{self, Reply};

/// The longest body that is read, in bytes; any question of a device is shorter.
const MAX_BODY: usize = 64 * 1024;

/// The relay and what it knows.
pub(in crate::sim) struct Broker {
    pub(in crate::sim) world: Arc<World>,
    /// The backend's register of devices, by identity.
    pub(in crate::sim) devices: HashMap<String, Arc<DeviceCore>>,
    /// The same in the order of the scenario.
    pub(in crate::sim) in_order: Vec<Arc<DeviceCore>>,
    pub(in crate::sim) notifications: Notifications,
    pub(in crate::sim) requests: Mutex<Vec<String>>,
}

/// Runs the broker until it is dropped.
pub(in crate::sim) async fn serve(
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
        // As devices do, for the same reason (`device/lifecycle.rs`).
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    broker: Arc<Broker>,
    ending: Ending,
    request: Request<Incoming>,
) -> Result<Response<Body>, Gone> {
    let asked = request.uri().path().to_owned();
    let method = request.method().to_string();
    broker
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(format!("{method} {asked}"));
    let phones = &broker.notifications;
    let said = match (method.as_str(), asked.as_str()) {
        ("POST", path::BROKER_CHECKIN) => match object(request).await? {
            Some(object) => Some(broker.relay(object).await),
            None => Some((Ok(Answer::status(400)), None)),
        },
        ("GET", path::NOTIFY_SESSION) => Some(phones.session(&broker.in_order).await),
        ("POST", path::NOTIFY_SESSION) => match object(request).await? {
            Some(object) => Some(phones.session_with(&object, &broker.devices).await),
            None => Some((Ok(Answer::status(400)), None)),
        },
        ("POST", path::NOTIFY_NEW) => match object(request).await? {
            Some(object) => Some(phones.new_event(&object, &broker.devices).await),
            None => Some((Ok(Answer::status(400)), None)),
        },
        ("GET", asked) if asked.starts_with(path::NOTIFY_CHECK) => phones.check(asked).await,
        ("DELETE", asked) => phones.withdraw(asked).await,
        ("GET", asked) => match broker.download(asked) {
            Some(file) => return Ok(file),
            None => None,
        },
        _ => None,
    };
    let (said, act) = said.unwrap_or((Ok(Answer::status(404)), None));
    respond(said, act.as_ref(), &ending)
}

/// Reads a body as a JSON object; `None` where it is none.
async fn object(request: Request<Incoming>) -> Result<Option<Map<String, Value>>, Gone> {
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|_| Gone::Closed)?.to_bytes();
    Ok(serde_json::from_slice(&body).ok())
}

impl Broker {
    /// `POST /checkin`.
    async fn relay(&self, mut object: Map<String, Value>) -> Said {
        let question = object.remove("check");
        let question = question
            .as_ref()
            .and_then(Value::as_str)
            .and_then(checkin::hear);
        let device = question.as_ref().and_then(|q| self.devices.get(&q.iss));
        let (Some(question), Some(device)) = (question, device) else {
            return (Ok(Answer::status(401)), None);
        };
        let act = device.strike(FaultPoint::Relay);
        let fault = act.clone();
        let newcrt = device.newcrt(&question.csn);
        faulty(act, || {
            self.check_in(&question, fault.as_ref(), newcrt, object)
        })
        .await
    }

    /// The backend's reply. Unknown fields are returned as they came.
    fn check_in(
        &self,
        question: &checkin::Question,
        act: Option<&Act>,
        newcrt: Option<String>,
        unknown: Map<String, Value>,
    ) -> Answer {
        let world = &self.world;
        let offered = |name: Option<String>| name.filter(|_| world.offer);
        let newfws = offered(world.firmware.as_ref().map(|f| f.fws.to_string()));
        let newuis = offered(world.app.as_ref().map(management_app_file::uis));
        let reply = Reply {
            jti: question.jti.clone(),
            iat: unix_now(),
            order: match act {
                Some(Act::Order { order }) => Some(*order),
                _ => None,
            },
            newcrt,
            newfws: newfws.filter(|fws| *fws != question.fws),
            // An appliance has no app, so that none is offered.
            newuis: newuis.filter(|uis| question.uis.as_ref().is_some_and(|own| own != uis)),
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

    /// `GET /download/firmware/{v}/bin` and `GET /download/dashboard/{v}`.
    fn download(&self, asked: &str) -> Option<Response<Body>> {
        let world = &self.world;
        let file = if let Some(rest) = asked.strip_prefix(path::DOWNLOAD_FIRMWARE) {
            let fws = world.firmware.as_ref()?.fws.to_string();
            (rest.strip_suffix("/bin")? == download_name(&fws)).then(|| world.image.clone())?
        } else {
            let name = asked.strip_prefix(path::DOWNLOAD_UI)?;
            let app = world.app.as_ref()?;
            // The vendor's own acceptance suite knows its app by this name alone.
            (name == "current" || name == download_name(&management_app_file::uis(app)))
                .then(|| app.clone())?
        };
        Some(match world.download {
            Download::Right => whole(file),
            Download::Wrong if asked.starts_with(path::DOWNLOAD_UI) => {
                whole(management_app_file::archive(file.len() / 2))
            }
            Download::Wrong => whole(firmware_images::image(&ImageScript {
                size: file.len(),
                version: "0.0.1".to_owned(),
                ..ImageScript::default()
            })),
            Download::Short => cut(&file, file.len()),
        })
    }
}

fn whole(file: Bytes) -> Response<Body> {
    Response::new(Full::new(file).map_err(|e| match e {}).boxed_unsync())
}
