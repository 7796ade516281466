//! One request at a time and a gap between them ([section 2](crate::hem#2-transport)), as a device sees it on its
//! socket. `pacing` has tests of its own; these show that every kind of request goes through it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::test_server::{Guest, Server, device, patient, spec, within};
use crate::device::http::{Broker, HttpDevice, Links};
use crate::device::{Device as _, Image, Session, UploadProgress, Validated};
use crate::hem::firmware_image;
use crate::model::{Component, Credential, Pace, Scope, Secret};

const STATUS: &str = r#"{"uptime":5,"fls_state":0}"#;

/// Answers everybody alike, and notes who asked for what.
async fn patient_server() -> Server {
    Server::start(
        None,
        |mut guest: Guest, notes: Arc<Mutex<Vec<String>>>| async move {
            let head = guest.head().await;
            let line = head.lines().next().unwrap_or_default().to_owned();
            notes.lock().unwrap().push(line);
            guest.answer(200, STATUS).await;
        },
    )
    .await
}

/// A device that rests for so long between two requests.
fn paced(server: &Server, gap: Duration) -> HttpDevice {
    let broker = Broker::new(&format!("http://{}", server.at), None, &patient()).unwrap();
    let pace = Pace {
        gap,
        ..Pace::default()
    };
    let secret = Credential::Token(Secret::new("t.o.k".into()));
    let (spec, links) = (spec(server.at), Links::new());
    HttpDevice::new(spec, secret, patient(), &pace, Arc::new(broker), &links).unwrap()
}

struct Unseen;

impl UploadProgress for Unseen {
    fn sent(&self, _: u64) {}
}

type Asking<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

#[tokio::test]
async fn every_kind_of_request_keeps_the_gap() {
    let session = Session::anonymous();
    let firmware = firmware_image::read(Bytes::from(vec![0xa5; 4096])).unwrap();
    for kind in [
        "version", "status", "checkin", "upload", "check", "install", "log key", "log page",
        "approval",
    ] {
        let server = patient_server().await;
        let rested = paced(&server, Duration::from_secs(3600));
        rested.status().await.unwrap();
        let limit = Duration::from_secs(60);
        let asking: Asking<'_> = match kind {
            "version" => Box::pin(async { drop(rested.version().await) }),
            "status" => Box::pin(async { drop(rested.status().await) }),
            "checkin" => Box::pin(async { drop(rested.checkin().await) }),
            "upload" => Box::pin(async {
                let image = Image::Firmware(&firmware);
                drop(rested.upload(&session, image, &Unseen).await);
            }),
            "check" => Box::pin(async {
                drop(rested.check(Component::Firmware, &session, limit).await);
            }),
            "install" => Box::pin(async {
                let validated = Validated::by_device(Component::Firmware);
                let _ = rested.install(validated, &session).await;
            }),
            "log key" => Box::pin(async { drop(rested.log_key(&session).await) }),
            "log page" => Box::pin(async { drop(rested.log_page(&session, 0).await) }),
            _ => Box::pin(async { drop(rested.request_approval(Scope::Log, "n").await) }),
        };
        // Somebody else, who keeps no gap, is served three times meanwhile.
        let restless = device(spec(server.at), Credential::None, patient());
        let others = async {
            for _ in 0..3 {
                restless.status().await.unwrap();
            }
        };
        tokio::select! {
            biased;
            () = asking => panic!("{kind}: answered without the gap: {:?}", server.noted()),
            () = others => {}
        }
        assert_eq!(server.noted().len(), 4, "{kind}: {:?}", server.noted());
    }
}

#[tokio::test]
async fn a_device_is_asked_one_thing_at_a_time() {
    // The first is answered only once the test says so.
    let (answer, may_answer) = tokio::sync::watch::channel(false);
    let server = Server::start(
        None,
        move |mut guest: Guest, notes: Arc<Mutex<Vec<String>>>| {
            let mut may_answer = may_answer.clone();
            async move {
                guest.head().await;
                notes.lock().unwrap().push(format!("asked {}", guest.n));
                if guest.n == 0 {
                    let _ = may_answer.wait_for(|may| *may).await;
                }
                notes.lock().unwrap().push(format!("answers {}", guest.n));
                guest.answer(200, STATUS).await;
            }
        },
    )
    .await;
    let asked = paced(&server, Duration::ZERO);
    let release = async {
        within("the first request arrived", async {
            while server.noted().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // Time enough for the second to arrive as well, were it not held back: another device is served.
        let restless = device(spec(server.at), Credential::None, patient());
        restless.status().await.unwrap();
        answer.send_replace(true);
    };
    let (first, second, ()) = tokio::join!(asked.status(), asked.status(), release);
    first.unwrap();
    second.unwrap();
    let noted = server.noted();
    let of = |n: usize| noted.iter().position(|note| *note == format!("asked {n}"));
    let end = noted.iter().position(|note| note == "answers 0");
    // 1 is the other device, 2 the second request.
    assert!(of(1) < end && end < of(2) && of(2).is_some(), "{noted:?}");
}
