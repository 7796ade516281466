//! Single requests: what is sent, and every way in which an answer can fail to come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::test_server::{Guest, HOST, Server, device, nobody, patient, spec};
use crate::device::{CheckAnswer, Device as _, InstallAnswer, Session, Validated};
use crate::model::{Component, Credential, FailureKind, LinkFault, Secret, Timeouts};

const VERSION: &str = r#"{"hwv":"PPA rev 2.2","fwv":"Encedo nGINE FW v1.2.2"}"#;

fn token(text: &str) -> Session {
    Session {
        token: Some(Secret::new(text.into())),
        ..Session::anonymous()
    }
}

/// A server that says the same raw text to everybody and closes.
async fn saying(text: &'static str) -> Server {
    Server::start(None, move |mut guest: Guest, _| async move {
        guest.head().await;
        guest.say(text).await;
    })
    .await
}

async fn version_of(text: &'static str) -> Result<String, FailureKind> {
    let server = saying(text).await;
    let device = device(spec(server.at), Credential::None, patient());
    device.version().await.map(|v| v.hwv)
}

fn link<T: std::fmt::Debug>(result: Result<T, FailureKind>) -> LinkFault {
    match result {
        Err(FailureKind::Link(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_request_has_its_connection_and_a_plain_head() {
    let server = Server::start(
        None,
        |mut guest: Guest, notes: Arc<Mutex<Vec<String>>>| async move {
            let (head, _) = guest.request().await;
            notes.lock().unwrap().push(format!("{}\n{head}", guest.n));
            guest.answer(200, VERSION).await;
        },
    )
    .await;
    let device = device(spec(server.at), Credential::None, patient());
    device.version().await.unwrap();
    device.version().await.unwrap();
    let notes = server.noted();
    assert_eq!(notes.len(), 2);
    assert!(
        notes[1].starts_with("1\nGET /api/system/version HTTP/1.1\r\n"),
        "{}",
        notes[1]
    );
    assert!(
        notes[1].contains(&format!("\r\nHost: {HOST}\r\n")),
        "{}",
        notes[1]
    );
    assert!(
        notes[1].contains("\r\nConnection: close\r\n"),
        "{}",
        notes[1]
    );
    for absent in [
        "Origin",
        "Authorization",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        assert!(!notes[1].contains(absent), "{}", notes[1]);
    }
}

#[tokio::test]
async fn a_token_is_sent_and_an_impossible_one_is_not() {
    let server = Server::start(
        None,
        |mut guest: Guest, notes: Arc<Mutex<Vec<String>>>| async move {
            let head = guest.head().await;
            notes.lock().unwrap().push(head);
            guest.say("HTTP/1.1 202 X\r\n\r\n").await;
        },
    )
    .await;
    let device = device(spec(server.at), Credential::None, patient());
    let limit = Duration::from_secs(60);
    let running = device
        .check(Component::Firmware, &token("abc.def"), limit)
        .await
        .unwrap();
    assert!(matches!(running, CheckAnswer::Running));
    assert!(server.noted()[0].contains("\r\nAuthorization: Bearer abc.def\r\n"));
    let bad = token("abc\r\nX: y");
    assert!(matches!(
        device.check(Component::Firmware, &bad, limit).await,
        Err(FailureKind::Link(LinkFault::Garbled { .. }))
    ));
    let answer = device
        .install(Validated::by_device(Component::Firmware), &bad)
        .await;
    assert!(matches!(answer, InstallAnswer::NotSent(_)), "{answer:?}");
    assert_eq!(server.noted().len(), 1);
}

#[tokio::test]
async fn strange_statuses_are_failures_and_never_panics() {
    for (text, expected) in [
        ("HTTP/1.1 411 X\r\nContent-Length: 0\r\n\r\n", 411),
        ("HTTP/1.1 412 X\r\n\r\n{}", 412),
        // Cut short, and nobody cares: the status has said it all.
        ("HTTP/1.1 413 X\r\nContent-Length: 9\r\n\r\n{", 413),
        ("HTTP/1.1 418 I'm a teapot\r\n\r\n", 418),
        ("HTTP/1.1 795 ?\r\nContent-Length: 0\r\n\r\n", 795),
        ("HTTP/1.1 999\r\n\r\n", 999),
        ("HTTP/1.0 404 Not Found\r\n\r\n", 404),
        ("HTTP/1.1 201 X\r\n\r\n", 201),
    ] {
        assert_eq!(
            version_of(text).await,
            Err(FailureKind::Status { status: expected }),
            "{text}"
        );
    }
    for text in [
        "HTTP/1.1 042 X\r\n\r\n",
        "HTTP/1.1 2000 X\r\n\r\n",
        "HTTP/1.1 -1 X\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0\0\0\0\0\0",
    ] {
        let fault = link(version_of(text).await);
        assert!(
            matches!(fault, LinkFault::Garbled { .. }),
            "{text}: {fault:?}"
        );
    }
}

/// Section 13: what is not needed may be missing, `null`, stale or of any shape.
#[tokio::test]
async fn only_what_is_needed_is_demanded() {
    for (version, uis) in [
        (r#"{"hwv":"PPA","fwv":"v1","x":{"y":[]}}"#, None),
        (
            r#"{"hwv":"PPA","fwv":"v1","fwk":null,"fws":7,"uis":null}"#,
            None,
        ),
        (
            r#"{"hwv":"PPA","fwv":"v1","fws":"short","uis":"abc="}"#,
            Some("abc="),
        ),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n\r\n{version}").leak();
        let server = saying(text).await;
        let device = device(spec(server.at), Credential::None, patient());
        let version = device.version().await.unwrap();
        assert_eq!((version.fws, version.fwk), (None, None));
        assert_eq!(version.uis.as_deref(), uis);
    }
    for status in [
        r#"{"uptime":5,"fls_state":0,"hostname":null,"temp":"hot","storage":{}}"#,
        r#"{"uptime":5.9,"fls_state":0,"inited":null,"time":null,"ts":7,"fw_upgrade":"yes"}"#,
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n\r\n{status}").leak();
        let server = saying(text).await;
        let device = device(spec(server.at), Credential::None, patient());
        let status = device.status().await.unwrap();
        assert_eq!(status.uptime, Duration::from_secs(5));
        assert_eq!(
            (status.clock, status.initialised, status.fw_upgrade),
            (None, true, false)
        );
    }
    for needed in [
        r#"{"hwv":"PPA","fwv":null}"#,
        r#"{"hwv":7,"fwv":"v1"}"#,
        "[]",
        "",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n\r\n{needed}").leak();
        let bad = version_of(text).await;
        assert!(matches!(bad, Err(FailureKind::BadAnswer { .. })), "{bad:?}");
    }
}

#[tokio::test]
async fn an_interim_answer_is_not_the_answer() {
    let text = "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{\"hwv\":\"PPA\",\"fwv\":\"x\"}";
    assert_eq!(version_of(text).await, Ok("PPA".into()));
}

#[tokio::test]
async fn bodies_that_are_short_or_endless_are_faults() {
    let fault = link(version_of("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"hwv\":").await);
    assert!(matches!(fault, LinkFault::Garbled { .. }), "{fault:?}");
    let bad = version_of("HTTP/1.1 200 OK\r\n\r\n{\"hwv\":").await;
    assert!(matches!(bad, Err(FailureKind::BadAnswer { .. })), "{bad:?}");

    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest
            .say("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")
            .await;
        guest.say(&" ".repeat(9_000_000)).await;
    })
    .await;
    let device = device(spec(server.at), Credential::None, patient());
    let fault = link(device.status().await);
    assert!(
        matches!(&fault, LinkFault::Garbled { what } if what.contains("1 MiB")),
        "{fault:?}"
    );
}

#[tokio::test]
async fn where_the_status_decides_the_body_does_not_matter() {
    let server = saying("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort").await;
    let device = device(spec(server.at), Credential::None, patient());
    let valid = device
        .check(
            Component::Firmware,
            &Session::anonymous(),
            Duration::from_secs(60),
        )
        .await
        .unwrap();
    let CheckAnswer::Valid(validated) = valid else {
        panic!("{valid:?}")
    };
    let answer = device.install(validated, &Session::anonymous()).await;
    assert_eq!(answer, InstallAnswer::Accepted);
}

#[tokio::test]
async fn no_answer_is_told_apart() {
    assert_eq!(link(version_of("").await), LinkFault::ClosedWithoutAnswer);
    assert_eq!(
        link(version_of("HTTP/1.1 20").await),
        LinkFault::ClosedWithoutAnswer
    );

    let reset = Server::tuned(
        None,
        |tcp| tcp.set_zero_linger().unwrap(),
        |mut guest: Guest, _| async move {
            guest.head().await;
        },
    )
    .await;
    let device_at = |at, timeouts| device(spec(at), Credential::None, timeouts);
    assert_eq!(
        link(device_at(reset.at, patient()).version().await),
        LinkFault::Reset
    );

    let silent = Server::start(None, |guest: Guest, _| guest.hang()).await;
    let request = Duration::from_millis(40);
    let hasty = Timeouts {
        request,
        ..patient()
    };
    assert_eq!(
        link(device_at(silent.at, hasty).version().await),
        LinkFault::NoAnswer { after: request }
    );
}

/// No resolver is ever asked for a name with so long a label.
fn unresolvable() -> String {
    "x".repeat(64) + ".invalid"
}

#[tokio::test]
async fn nobody_there_is_told_apart() {
    let gone = nobody();
    let fault = link(
        device(spec(gone), Credential::None, patient())
            .version()
            .await,
    );
    assert_eq!(
        fault,
        LinkFault::Refused {
            target: gone.to_string()
        }
    );

    let mut nowhere = spec(gone);
    nowhere.endpoint.connect.as_mut().unwrap().host = unresolvable();
    let fault = link(device(nowhere, Credential::None, patient()).version().await);
    assert_eq!(
        fault,
        LinkFault::NoAddress {
            host: unresolvable()
        }
    );
}

async fn install_at(text: &'static str) -> InstallAnswer {
    let server = saying(text).await;
    let device = device(spec(server.at), Credential::None, patient());
    device
        .install(
            Validated::by_device(Component::Firmware),
            &Session::anonymous(),
        )
        .await
}

#[tokio::test]
async fn every_end_of_an_install_has_its_name() {
    assert_eq!(
        install_at("HTTP/1.1 200 OK\r\n\r\n").await,
        InstallAnswer::Accepted
    );
    for status in [401, 403, 406, 409] {
        let text = format!("HTTP/1.1 {status} X\r\n\r\n").leak();
        assert_eq!(install_at(text).await, InstallAnswer::Refused { status });
    }
    for status in [
        201, 202, 302, 400, 402, 404, 408, 411, 413, 418, 429, 499, 500, 795,
    ] {
        let text = format!("HTTP/1.1 {status} X\r\n\r\n").leak();
        assert_eq!(install_at(text).await, InstallAnswer::Odd { status });
    }
    for text in ["", "HTTP/1.1 ", "nonsense\r\n\r\n"] {
        let answer = install_at(text).await;
        assert!(
            matches!(answer, InstallAnswer::Unclear { .. }),
            "{text}: {answer:?}"
        );
    }
    let gone = nobody();
    let device = device(spec(gone), Credential::None, patient());
    let answer = device
        .install(
            Validated::by_device(Component::Firmware),
            &Session::anonymous(),
        )
        .await;
    assert!(
        matches!(answer, InstallAnswer::NotSent(LinkFault::Refused { .. })),
        "{answer:?}"
    );
}
