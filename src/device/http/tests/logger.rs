//! The audit log over the wire: key, pages, and files that come whole or do not.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::lab::{Guest, Server, device, patient, spec};
use crate::device::{Device as _, LogFile, LogKey, LogPage, Session};
use crate::hem::audit;
use crate::model::{Credential, FailureKind, LinkFault, LogEnd, LogId, Secret, Timeouts};

type Notes = Arc<Mutex<Vec<String>>>;

fn vector(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/audit");
    std::fs::read(dir.join(name)).unwrap()
}

fn key_json() -> String {
    String::from_utf8(vector("made.key.json")).unwrap()
}

fn key() -> LogKey {
    audit::prove_key(&audit::parse_key_answer(key_json().as_bytes()).unwrap()).unwrap()
}

fn session() -> Session {
    Session {
        token: Some(Secret::new("t.o.k".into())),
        ..Session::anonymous()
    }
}

/// Says the same to everybody and closes; notes the heads.
async fn saying(text: String) -> Server {
    Server::start(None, move |mut guest: Guest, notes: Notes| {
        let text = text.clone();
        async move {
            let head = guest.head().await;
            notes.lock().unwrap().push(head);
            guest.say(&text).await;
        }
    })
    .await
}

fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}")
}

async fn file(text: String) -> Result<LogFile, FailureKind> {
    let server = saying(text).await;
    let device = device(spec(server.at), Credential::None, patient());
    let id = LogId::new("0a1b2c3d").unwrap();
    let file = device.log_file(&session(), &id, &key()).await;
    let head = server.noted().remove(0);
    assert!(
        head.starts_with("GET /api/logger/0a1b2c3d HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\nAuthorization: Bearer t.o.k\r\n"),
        "{head}"
    );
    file
}

fn log() -> String {
    String::from_utf8(vector("upgrade-ok.log")).unwrap()
}

#[tokio::test]
async fn a_file_is_handed_over_as_it_came_and_verified() {
    let came = file(answer(200, &log())).await.unwrap();
    assert_eq!(came.raw, log());
    assert_eq!(came.log.end, LogEnd::Whole);
    let tampered = String::from_utf8(vector("tampered-line.log")).unwrap();
    let came = file(answer(200, &tampered)).await.unwrap();
    assert!(!came.log.verifies());
    assert_eq!(came.raw, tampered);
}

#[tokio::test]
async fn a_file_that_is_cut_short_is_handed_over_as_far_as_it_came() {
    let log = log();
    let promised = log.len() + 1;
    for cut in [log.len(), log.len() / 2, 0] {
        let part = &log[..cut];
        let came = file(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {promised}\r\n\r\n{part}"
        ))
        .await
        .unwrap();
        assert_eq!(came.raw, part);
        assert!(
            matches!(came.log.end, LogEnd::CutShort { .. }),
            "{:?}",
            came.log.end
        );
    }
    let chunk = log.len();
    let came = file(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk:x}\r\n{log}\r\n"
    ))
    .await
    .unwrap();
    assert_eq!(came.raw, log);
    assert!(matches!(came.log.end, LogEnd::CutShort { .. }));
}

#[tokio::test]
async fn a_long_file_is_read_to_its_end() {
    // More than an answer of JSON may have, verified off the async threads.
    let long = log() + &"#\n".repeat(1024 * 1024);
    let came = file(answer(200, &long)).await.unwrap();
    assert_eq!(came.raw.len(), long.len());
    assert_eq!(came.log.end, LogEnd::Whole);

    let endless = "#".repeat(16 * 1024 * 1024 + 1);
    match file(answer(200, &endless)).await {
        Err(FailureKind::Link(LinkFault::Garbled { what })) => {
            assert!(what.contains("16 MiB"), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_stops_coming_is_no_file() {
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest
            .say("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n# Enc")
            .await;
        guest.hang().await;
    })
    .await;
    let request = Duration::from_millis(30);
    let timeouts = Timeouts {
        request,
        ..patient()
    };
    let device = device(spec(server.at), Credential::None, timeouts);
    let id = LogId::new("1").unwrap();
    let file = device.log_file(&session(), &id, &key()).await;
    assert_eq!(file, Err(LinkFault::NoAnswer { after: request }.into()));
}

#[tokio::test]
async fn what_is_refused_is_told() {
    for status in [401, 403, 404, 406, 409, 418, 500, 795] {
        let expected = FailureKind::Status { status };
        assert_eq!(file(answer(status, "x")).await, Err(expected.clone()));
        let server = saying(answer(status, "")).await;
        let device = device(spec(server.at), Credential::None, patient());
        assert_eq!(device.log_page(&session(), 0).await, Err(expected.clone()));
        assert_eq!(device.log_key(&session()).await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn the_key_is_proven_and_kept_as_it_came() {
    let server = saying(answer(200, &key_json())).await;
    let proven = device(spec(server.at), Credential::None, patient())
        .log_key(&session())
        .await
        .unwrap();
    assert_eq!(proven.key, key());
    assert_eq!(proven.answer, key_json());
    assert!(server.noted()[0].starts_with("GET /api/logger/key HTTP/1.1\r\n"));

    let mut other: serde_json::Value = serde_json::from_str(&key_json()).unwrap();
    other["nonce"] = "AAAA".into();
    for (json, is_answer) in [(other.to_string(), true), ("{}".to_owned(), false)] {
        let server = saying(answer(200, &json)).await;
        let e = device(spec(server.at), Credential::None, patient())
            .log_key(&session())
            .await
            .unwrap_err();
        assert_eq!(
            matches!(e, FailureKind::KeyNotProven { .. }),
            is_answer,
            "{e:?}"
        );
    }
}

#[tokio::test]
async fn pages_follow_each_other_whatever_stands_in_them() {
    let id = |text| LogId::new(text).unwrap();
    for (json, page) in [
        (
            r#"{"total":9,"id":["6911aabb","2"],"x":null}"#,
            LogPage {
                ids: vec![id("6911aabb"), id("2")],
                unusable: 0,
                next: 130,
            },
        ),
        // What is no id stands in the list all the same, and counts for the next page.
        (
            r#"{"total":null,"id":["../x",7,"2"]}"#,
            LogPage {
                ids: vec![id("2")],
                unusable: 2,
                next: 131,
            },
        ),
        (
            r#"{"total":"9","id":[]}"#,
            LogPage {
                ids: vec![],
                unusable: 0,
                next: 128,
            },
        ),
    ] {
        let server = saying(answer(200, json)).await;
        let device = device(spec(server.at), Credential::None, patient());
        assert_eq!(device.log_page(&session(), 128).await, Ok(page), "{json}");
        assert!(server.noted()[0].starts_with("GET /api/logger/list/128 HTTP/1.1\r\n"));
    }
    for json in ["{}", r#"{"id":null}"#, r#"{"id":"2"}"#, "<html>"] {
        let server = saying(answer(200, json)).await;
        let device = device(spec(server.at), Credential::None, patient());
        let e = device.log_page(&session(), 0).await.unwrap_err();
        assert!(matches!(e, FailureKind::BadAnswer { .. }), "{json}: {e:?}");
    }
}
