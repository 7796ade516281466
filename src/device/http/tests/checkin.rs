//! Check-ins: three steps, objects passed on as they are, and a broker that fails.

use std::sync::{Arc, Mutex};

use super::test_server::{Guest, HOST, Leaf, Pki, Server, patient, spec, tls_spec, with_broker};
use crate::device::Device as _;
use crate::device::http::{Broker, HttpDevice, Links, SetupError};
use crate::model::{
    BrokerFault, Credential, DeviceSpec, FailureKind, HostPort, LinkFault, Pace, Proxy, ProxyKind,
    Stage, TlsFault, TlsTrust,
};

type Notes = Arc<Mutex<Vec<String>>>;

const CHECK: &str = r#"{ "unknown": 1.50, "check":"abc" }"#;
const CHECKED: &str = r#"{"checked":"def","x":[null]}"#;

async fn device_saying(status: u16, report: &'static str) -> Server {
    Server::start(None, move |mut guest: Guest, notes: Notes| async move {
        let (head, body) = guest.request().await;
        if head.starts_with("GET /api/system/checkin ") {
            guest.answer(200, CHECK).await;
        } else {
            assert!(
                head.contains("\r\nContent-Type: application/json\r\n"),
                "{head}"
            );
            notes.lock().unwrap().push(String::from_utf8(body).unwrap());
            guest.answer(status, report).await;
        }
    })
    .await
}

async fn broker_saying(text: &'static str) -> Server {
    Server::start(None, move |mut guest: Guest, notes: Notes| async move {
        let (head, body) = broker_request(&mut guest).await;
        notes.lock().unwrap().push(format!("{head} {body}"));
        guest.say(text).await;
    })
    .await
}

/// The broker's client spells its header names otherwise.
async fn broker_request(guest: &mut Guest) -> (String, String) {
    use tokio::io::AsyncReadExt as _;
    let head = guest.head().await;
    let length = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    guest.io.read_exact(&mut body).await.unwrap();
    (
        head.lines().next().unwrap().to_owned(),
        String::from_utf8(body).unwrap(),
    )
}

fn device(at: &Server, broker: Broker) -> HttpDevice {
    HttpDevice::new(
        spec(at.at),
        Credential::None,
        patient(),
        &Pace {
            gap: std::time::Duration::ZERO,
            ..Pace::default()
        },
        Arc::new(broker),
        &Links::new(),
    )
    .unwrap()
}

fn relay(server: &Server, path: &str) -> Broker {
    Broker::new(&format!("http://{}{path}", server.at), None, &patient()).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"checked\":\"def\",\"x\":[null]}";

#[tokio::test]
async fn both_objects_are_passed_on_byte_for_byte() {
    let hem = device_saying(200, r#"{"status":"OK","newcrt":"OK","newfws":"abc"}"#).await;
    let broker = broker_saying(OK).await;
    let report = device(&hem, relay(&broker, "/base/"))
        .checkin()
        .await
        .unwrap();
    assert_eq!(
        (report.action, report.newcrt.as_deref()),
        (None, Some("OK"))
    );
    assert_eq!(
        broker.noted(),
        [format!("POST /base/checkin HTTP/1.1 {CHECK}")]
    );
    assert_eq!(hem.noted(), [CHECKED]);
}

#[tokio::test]
async fn an_ordered_action_and_a_refusal_are_told() {
    let broker = broker_saying(OK).await;
    let hem = device_saying(200, r#"{"status":"W"}"#).await;
    let report = device(&hem, relay(&broker, "")).checkin().await.unwrap();
    assert_eq!(report.action.as_deref(), Some("W"));
    for status in [400, 401] {
        let hem = device_saying(status, "").await;
        let e = device(&hem, relay(&broker, ""))
            .checkin()
            .await
            .unwrap_err();
        assert_eq!(e, FailureKind::CheckinRefused { status });
    }
    let hem = device_saying(500, "").await;
    let e = device(&hem, relay(&broker, ""))
        .checkin()
        .await
        .unwrap_err();
    assert_eq!(e, FailureKind::Status { status: 500 });
}

#[tokio::test]
async fn a_broker_that_fails_is_told() {
    let hem = device_saying(200, "{}").await;
    for (text, status) in [
        ("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 503),
        // Followed, it would become a GET of something else.
        (
            "HTTP/1.1 302 X\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
            302,
        ),
    ] {
        let broker = broker_saying(text).await;
        let e = device(&hem, relay(&broker, ""))
            .checkin()
            .await
            .unwrap_err();
        assert_eq!(e, BrokerFault::Status { status }.into());
    }
    let broker =
        broker_saying("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>portal</html>").await;
    let e = device(&hem, relay(&broker, ""))
        .checkin()
        .await
        .unwrap_err();
    assert!(
        matches!(e, FailureKind::Broker(BrokerFault::Garbled { .. })),
        "{e:?}"
    );
    let gone = Broker::new("http://me:word@127.0.0.1:1", None, &patient()).unwrap();
    match device(&hem, gone).checkin().await.unwrap_err() {
        FailureKind::Broker(BrokerFault::Unreachable { what }) => {
            // Where and why, without the client's own layers and what the URL may hold.
            assert!(what.starts_with("127.0.0.1:1: "), "{what}");
            assert!(what.contains("refused"), "{what}");
            assert!(!what.contains("client error"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    assert!(hem.noted().is_empty());
}

#[tokio::test]
async fn a_redirect_that_repeats_the_post_is_followed() {
    let broker = Server::start(None, |mut guest: Guest, notes: Notes| async move {
        let (head, body) = broker_request(&mut guest).await;
        notes.lock().unwrap().push(body);
        if head.contains("/v2/") {
            guest.say(OK).await;
        } else {
            guest
                .say("HTTP/1.1 307 X\r\nLocation: /v2/checkin\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    let hem = device_saying(200, r#"{"status":"OK"}"#).await;
    device(&hem, relay(&broker, "")).checkin().await.unwrap();
    assert_eq!(broker.noted(), [CHECK, CHECK]);
}

#[tokio::test]
async fn a_broker_over_tls_is_always_verified() {
    let pki = Pki::new();
    let (tls, _) = pki.leaf("localhost", Leaf::Good);
    let broker = Server::start(Some(tls), |mut guest: Guest, _| async move {
        broker_request(&mut guest).await;
        guest.answer(200, CHECKED).await;
    })
    .await;
    let hem = device_saying(200, r#"{"status":"OK"}"#).await;
    let url = format!("https://localhost:{}", broker.at.port());
    let ours = Broker::new(&url, Some(&pki.ca_pem), &patient()).unwrap();
    device(&hem, ours).checkin().await.unwrap();
    let strange = Broker::new(&url, Some(&Pki::new().ca_pem), &patient()).unwrap();
    match device(&hem, strange).checkin().await.unwrap_err() {
        FailureKind::Broker(BrokerFault::Unreachable { what }) => {
            assert!(what.starts_with("localhost:"), "{what}");
            assert!(what.contains("UnknownIssuer"), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_brokers_are_refused_at_once() {
    let make = |url, ca| Broker::new(url, ca, &patient()).err();
    for url in ["", "api.encedo.com", "ftp://x", "http://"] {
        assert!(
            matches!(make(url, None), Some(SetupError::BadBrokerUrl { .. })),
            "{url}"
        );
    }
    assert!(matches!(
        make("https://x", Some("no")),
        Some(SetupError::BadCa { .. })
    ));
}

/// A device that speaks HTTPS with an expired certificate, and HTTP at `http`.
fn expired(https: &Server, http: Option<&Server>, pki: &Pki, broker: &Server) -> HttpDevice {
    let mut spec = tls_spec(https.at, TlsTrust::Ca(pki.ca_pem.as_str().into()));
    spec.endpoint.http_connect = http.map(|server| HostPort {
        host: server.at.ip().to_string(),
        port: server.at.port(),
    });
    let device = device_of(spec);
    with_broker(device, &format!("http://{}", broker.at))
}

fn device_of(spec: DeviceSpec) -> HttpDevice {
    super::test_server::device(spec, Credential::None, patient())
}

async fn nothing_behind(pki: &Pki) -> Server {
    let (tls, _) = pki.leaf(HOST, Leaf::Expired);
    Server::start(Some(tls), |guest: Guest, _| guest.hang()).await
}

#[tokio::test]
async fn a_check_in_in_clear_goes_round_the_expired_certificate() {
    let pki = Pki::new();
    let https = nothing_behind(&pki).await;
    let broker = broker_saying(OK).await;
    let http = device_saying(200, r#"{"status":"OK","newcrt":"OK"}"#).await;
    let device = expired(&https, Some(&http), &pki, &broker);
    assert!(matches!(
        device.checkin().await,
        Err(FailureKind::Link(LinkFault::Tls(TlsFault::Expired { .. })))
    ));
    let report = device.checkin_in_clear().await.unwrap();
    assert_eq!(report.newcrt.as_deref(), Some("OK"));
    assert_eq!(http.noted(), [CHECKED]);
    // All else still goes the way of the inventory.
    assert!(matches!(
        device.status().await,
        Err(FailureKind::Link(LinkFault::Tls(TlsFault::Expired { .. })))
    ));
}

#[tokio::test]
async fn where_plain_http_is_must_be_known() {
    let pki = Pki::new();
    let https = nothing_behind(&pki).await;
    let broker = broker_saying(OK).await;
    let device = expired(&https, None, &pki, &broker);
    let expected = FailureKind::NoPlainHttp {
        target: https.at.to_string(),
    };
    assert_eq!(device.checkin_in_clear().await, Err(expected.clone()));
    let hint = expected.hint(Stage::Checkin);
    assert!(hint.contains("http_connect"), "{hint}");

    // Beside port 443 it is port 80, on the same way.
    let proxy = Server::start(None, |mut guest: Guest, notes: Notes| async move {
        let head = guest.head().await;
        notes.lock().unwrap().push(head);
        guest.say("HTTP/1.1 403 Not through me\r\n\r\n").await;
    })
    .await;
    let mut through = tls_spec(proxy.at, TlsTrust::Insecure);
    through.proxy = Some(Proxy {
        kind: ProxyKind::Http,
        at: through.endpoint.connect.take().unwrap(),
    });
    device_of(through).checkin_in_clear().await.unwrap_err();
    let asked = format!("CONNECT {HOST}:80 HTTP/1.1\r\n");
    assert!(proxy.noted()[0].starts_with(&asked), "{:?}", proxy.noted());

    // A device without TLS is asked where it always is.
    let plain = device_saying(200, r#"{"status":"OK"}"#).await;
    let device = with_broker(device_of(spec(plain.at)), &format!("http://{}", broker.at));
    device.checkin_in_clear().await.unwrap();
}
