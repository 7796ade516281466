//! The audit log over the wire: key, pages, and files that come whole or do not.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::test_server::{Guest, Server, device, patient, spec};
use crate::device::{Device as _, LogPage, RawLog, Session};
use crate::hem::audit;
use crate::hem::audit::LogKey;
use crate::model::{AuditLog, Credential, FailureKind, LinkFault, LogEnd, LogId, Secret, Timeouts};

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

/// What came of a file, and the bytes that were handed on to be kept.
struct Came {
    log: AuditLog,
    raw: Vec<u8>,
    whole: bool,
    kept: Option<Result<(), String>>,
}

/// Keeps in memory, up to so many bytes.
struct Shelf(Arc<Mutex<(Vec<u8>, Option<bool>)>>, usize);

impl RawLog for Shelf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut there = self.0.lock().unwrap();
        if there.0.len() + bytes.len() > self.1 {
            return Err(io::Error::other("no room"));
        }
        there.0.extend_from_slice(bytes);
        Ok(())
    }

    fn keep(self: Box<Self>, whole: bool) -> io::Result<()> {
        self.0.lock().unwrap().1 = Some(whole);
        Ok(())
    }
}

async fn file(text: String) -> Result<Came, FailureKind> {
    file_kept(text, usize::MAX).await
}

async fn file_kept(text: String, room: usize) -> Result<Came, FailureKind> {
    let server = saying(text).await;
    let device = device(spec(server.at), Credential::None, patient());
    let id = LogId::new("0a1b2c3d").unwrap();
    let shelf = Arc::new(Mutex::new((Vec::new(), None)));
    let raw = Box::new(Shelf(Arc::clone(&shelf), room));
    let file = device
        .log_file(&session(), &id, &key(), None, Some(raw))
        .await;
    let head = server.noted().remove(0);
    assert!(
        head.starts_with("GET /api/logger/0a1b2c3d HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\nAuthorization: Bearer t.o.k\r\n"),
        "{head}"
    );
    let file = file?;
    let mut shelf = shelf.lock().unwrap();
    Ok(Came {
        log: file.log,
        raw: std::mem::take(&mut shelf.0),
        whole: shelf.1 == Some(true),
        kept: file.kept,
    })
}

fn log() -> String {
    String::from_utf8(vector("upgrade-ok.log")).unwrap()
}

#[tokio::test]
async fn a_file_is_handed_over_as_it_came_and_verified() {
    let came = file(answer(200, &log())).await.unwrap();
    assert_eq!(came.raw, log().into_bytes());
    assert!(came.whole && came.kept == Some(Ok(())));
    assert_eq!(came.log.end, LogEnd::Whole);
    let tampered = String::from_utf8(vector("tampered-line.log")).unwrap();
    let came = file(answer(200, &tampered)).await.unwrap();
    assert!(!came.log.verifies());
    assert_eq!(came.raw, tampered.into_bytes());
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
        assert_eq!(came.raw, part.as_bytes());
        assert!(!came.whole);
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
    assert_eq!(came.raw, log.into_bytes());
    assert!(matches!(came.log.end, LogEnd::CutShort { .. }));
}

#[tokio::test]
async fn a_long_file_is_read_to_its_end() {
    // More than an answer of JSON may have, verified off the async threads.
    let long = log() + &"#\n".repeat(1024 * 1024);
    let came = file(answer(200, &long)).await.unwrap();
    assert_eq!(came.raw.len(), long.len());
    assert_eq!(came.log.end, LogEnd::Whole);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_told_as_such_and_not_kept() {
    let huge = "#\n".repeat(32 * 1024 * 1024 + 1);
    let kind = file(answer(200, &huge)).await.err();
    let what = "file 0a1b2c3d is larger than 64 MiB".to_owned();
    assert_eq!(kind, Some(FailureKind::LogTooLarge { what }));
}

#[tokio::test]
async fn a_file_that_cannot_be_kept_is_read_all_the_same() {
    let came = file_kept(answer(200, &log()), 10).await.unwrap();
    assert_eq!(came.log.end, LogEnd::Whole);
    assert_eq!(came.kept, Some(Err("no room".to_owned())));
}

#[tokio::test]
async fn a_page_of_more_ids_than_devices_send_is_refused() {
    let page = |n| format!("{{\"id\":[{}\"62310ba5\"]}}", "\"2\",".repeat(n));
    for (n, refused) in [(127, false), (128, true), (90_000, true)] {
        let server = saying(answer(200, &page(n))).await;
        let device = device(spec(server.at), Credential::None, patient());
        match device.log_page(&session(), 0).await {
            Ok(page) => assert!(!refused && page.ids.len() == 128),
            Err(FailureKind::LogTooLarge { what }) => {
                assert!(refused && what.contains(&(n + 1).to_string()), "{what}");
            }
            Err(other) => panic!("{other:?}"),
        }
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
    let file = device.log_file(&session(), &id, &key(), None, None).await;
    assert_eq!(file, Err(LinkFault::NoAnswer { after: request }.into()));
}

#[tokio::test]
async fn what_is_refused_is_told() {
    for status in [401, 403, 404, 406, 409, 418, 500, 795] {
        let expected = FailureKind::Status { status };
        assert_eq!(
            file(answer(status, "x")).await.err(),
            Some(expected.clone())
        );
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
