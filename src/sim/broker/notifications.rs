//! The broker's notifications and the phones behind them: sessions, events, and what each owner decides by the
//! scenario ([section 10](crate::hem#10-mobile-approval)).
//!
//! It knows of a device what a request says, and never looks at its state.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::hem::path;
use crate::sim::api::answer::{Answer, Gone, after, before, odd};
use crate::sim::device::clock::unix_now;
use crate::sim::device::device_core::DeviceCore;
use crate::sim::device::recorder::Shown;
use crate::sim::script::device::PhoneAnswer;
use crate::sim::script::fault::Act;
use crate::sim::script::fault_point::FaultPoint;
use crate::sim::tokens::approval::{ApprovalRequest, Phone};
use crate::sim::tokens::mac_token::random_text;

/// The requests to all phones.
#[derive(Default)]
pub(in crate::sim) struct Notifications {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Session keys that were handed out; with those came an unknown field that must come back.
    sessions: HashSet<String>,
    odd_sessions: HashSet<String>,
    events: HashMap<String, Event>,
    open: u32,
    most_open: u32,
}

/// One request on the way to a phone.
struct Event {
    device: Arc<DeviceCore>,
    request: ApprovalRequest,
    polls: u32,
    /// What the owner decides.
    decision: PhoneAnswer,
    /// What was answered, once it was.
    answer: Option<Value>,
}

/// An answer, and the fault that strikes on its way out.
pub(super) type Said = (Result<Answer, Gone>, Option<Act>);

impl Notifications {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most events that were open at once.
    pub(in crate::sim) fn most_open(&self) -> u32 {
        self.lock().most_open
    }

    /// `GET /notify/session`. It is not yet known whose session it is, so that a fault of any device
    /// strikes.
    pub(in crate::sim) async fn session(&self, devices: &[Arc<DeviceCore>]) -> Said {
        let act = devices
            .iter()
            .find_map(|d| d.strike(FaultPoint::NotifySession));
        let epk = self.begin(act == Some(Act::Odd));
        faulty(act, || Answer::object(json!({ "epk": epk }))).await
    }

    /// `POST /notify/session`: the same for the device of this `eid`, and whether it has a phone. One that nobody
    /// has heard of has none, which the page leaves open.
    pub(super) async fn session_with(
        &self,
        object: &serde_json::Map<String, Value>,
        devices: &HashMap<String, Arc<DeviceCore>>,
    ) -> Said {
        let Some(eid) = object.get("eid").and_then(Value::as_str) else {
            return (Ok(Answer::status(400)), None);
        };
        let device = devices.get(eid);
        let act = device.and_then(|d| d.strike(FaultPoint::NotifySession));
        let epk = self.begin(act == Some(Act::Odd));
        let paired = device.is_some_and(|d| !d.script.fresh);
        faulty(act, || {
            Answer::object(json!({ "epk": epk, "paired": paired }))
        })
        .await
    }

    /// The key of a new session; an odd one comes with an unknown field.
    fn begin(&self, is_odd: bool) -> String {
        let epk = random_text();
        let mut inner = self.lock();
        if is_odd {
            inner.odd_sessions.insert(epk.clone());
        }
        inner.sessions.insert(epk.clone());
        epk
    }

    /// `POST /notify/event/new`, with the object that the device gave.
    pub(super) async fn new_event(
        &self,
        object: &serde_json::Map<String, Value>,
        devices: &HashMap<String, Arc<DeviceCore>>,
    ) -> Said {
        let text = |field| object.get(field).and_then(Value::as_str);
        let Some(authreq) = text("authreq") else {
            return (Ok(Answer::status(400)), None);
        };
        let Some(request) = ApprovalRequest::open(authreq) else {
            return (Ok(Answer::status(401)), None);
        };
        let Some(device) = devices.get(&request.iss) else {
            return (Ok(Answer::status(401)), None);
        };
        let act = device.strike(FaultPoint::Notify);
        let verbatim = text("epk") == Some(&request.epk)
            && (!request.is_odd || object.get("future") == Some(&odd()));
        faulty(act, || self.take(device, request, verbatim)).await
    }

    fn take(&self, device: &Arc<DeviceCore>, request: ApprovalRequest, verbatim: bool) -> Answer {
        let mut inner = self.lock();
        let was_odd = inner.odd_sessions.contains(&request.epk);
        let forwarded = !was_odd || request.future == Some(odd());
        if !verbatim || !forwarded || !inner.sessions.contains(&request.epk) {
            return Answer::status(400);
        }
        // A request from the future is refused, without any tolerance.
        if request.iat > unix_now() {
            return Answer::status(401);
        }
        let shown = Shown {
            scope: request.scope.clone(),
            note: request.note.clone(),
        };
        let mut decision = PhoneAnswer::Approve;
        device.recorder.record(|j| {
            decision = device.script.phone.decision(j.phone.shown.len());
            j.phone.shown.push(shown);
            j.phone.open += 1;
            j.phone.most_open = j.phone.most_open.max(j.phone.open);
        });
        inner.open += 1;
        inner.most_open = inner.most_open.max(inner.open);
        // Url-safe: it becomes part of a path.
        let id = random_text().replace(['+', '/', '='], "-");
        let event = Event {
            device: Arc::clone(device),
            request,
            polls: 0,
            decision,
            answer: None,
        };
        inner.events.insert(id.clone(), event);
        Answer {
            absent: &["expires"],
            ..Answer::object(json!({ "eventid": id, "sentcnt": 1 }))
        }
    }

    /// `GET /notify/event/check/{id}`.
    pub(in crate::sim) async fn check(&self, asked: &str) -> Option<Said> {
        let id = asked.strip_prefix(path::NOTIFY_CHECK)?;
        Some(match self.device(id) {
            None => (Ok(Answer::status(404)), None),
            Some(device) => {
                let act = device.strike(FaultPoint::Notify);
                faulty(act, || self.ask_the_phone(id)).await
            }
        })
    }

    /// `DELETE /notify/event/{id}`.
    pub(in crate::sim) async fn withdraw(&self, asked: &str) -> Option<Said> {
        let id = asked.strip_prefix(path::NOTIFY_EVENT)?;
        Some(match self.device(id) {
            None => (Ok(Answer::status(404)), None),
            Some(device) => {
                let act = device.strike(FaultPoint::Notify);
                faulty(act, || self.remove(id)).await
            }
        })
    }

    /// Whose event this is.
    fn device(&self, id: &str) -> Option<Arc<DeviceCore>> {
        let inner = self.lock();
        inner.events.get(id).map(|e| Arc::clone(&e.device))
    }

    fn ask_the_phone(&self, id: &str) -> Answer {
        let mut inner = self.lock();
        let Some(event) = inner.events.get_mut(id) else {
            return Answer::status(404);
        };
        if let Some(answer) = &event.answer {
            return Answer::object(answer.clone());
        }
        let decision = event.decision;
        event.polls += 1;
        if decision == PhoneAnswer::Never || event.polls <= event.device.script.phone.after {
            return Answer::status(202);
        }
        let device = Arc::clone(&event.device);
        let answer = match decision {
            PhoneAnswer::Approve => {
                let reply = Phone::of(&device.identity).approve(&event.request);
                json!({ "authreply": reply })
            }
            PhoneAnswer::Deny => json!({ "deny": true }),
            PhoneAnswer::Expire | PhoneAnswer::Never => {
                inner.events.remove(id);
                inner.open -= 1;
                device.recorder.record(|j| {
                    j.phone.open -= 1;
                    j.phone.expired += 1;
                });
                return Answer::status(404);
            }
        };
        event.answer = Some(answer.clone());
        inner.open -= 1;
        device.recorder.record(|j| {
            j.phone.open -= 1;
            match decision {
                PhoneAnswer::Approve => j.phone.approved += 1,
                _ => j.phone.denied += 1,
            }
        });
        Answer {
            absent: &["authreply", "deny"],
            ..Answer::object(answer)
        }
    }

    fn remove(&self, id: &str) -> Answer {
        let mut inner = self.lock();
        let Some(event) = inner.events.remove(id) else {
            return Answer::status(404);
        };
        // An answered request is no longer on the phone.
        if event.answer.is_none() {
            inner.open -= 1;
            event.device.recorder.record(|j| {
                j.phone.open -= 1;
                j.phone.withdrawn += 1;
            });
        }
        Answer::status(200)
    }
}

/// Carries a request out, unless a fault prevents it.
pub(super) async fn faulty(act: Option<Act>, done: impl FnOnce() -> Answer) -> Said {
    let said = if let Some(said) = before(act.as_ref()).await {
        said
    } else {
        after(act.as_ref(), done()).await
    };
    (said, act)
}
