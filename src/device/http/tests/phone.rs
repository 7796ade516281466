//! Approvals: what is passed on between broker and device, and every way in which one can end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::test_server::{Guest, Server, device, patient, spec, with_broker};
use crate::device::http::HttpDevice;
use crate::device::{Approval, ApprovalAnswer, ApprovalReply, Device as _, LoginError, Session};
use crate::model::{BrokerFault, Credential, FailureKind, Scope, Secret};

type Notes = Arc<Mutex<Vec<String>>>;

const EPK: &str = r#"{ "epk":"abc", "new":1.50 }"#;
const REQUEST: &str = r#"{"authreq":"r.e.q" ,"epk":"abc","x":[null]}"#;
const CLOCK: u64 = 1_768_000_000;

/// Device, and broker under `/b`, in one: answers by the first of `script` that the request line
/// contains, else as all goes well. Notes request lines and bodies.
async fn saying(script: &'static [(&'static str, u16, &'static str)]) -> Server {
    Server::start(None, move |mut guest: Guest, notes: Notes| async move {
        let (head, body) = guest.request().await;
        let line = head.lines().next().unwrap().to_owned();
        let line = line.trim_end_matches(" HTTP/1.1");
        let body = String::from_utf8(body).unwrap();
        notes.lock().unwrap().push(format!("{line} {body}"));
        let usual = [
            (
                "GET /api/system/status",
                200,
                r#"{"uptime":1,"fls_state":0,"time":1768000000}"#,
            ),
            ("/notify/session", 200, EPK),
            ("/api/auth/ext/request", 200, REQUEST),
            (
                "/notify/event/new",
                200,
                r#"{"eventid":"e/1 %?","sentcnt":null}"#,
            ),
            ("/api/auth/ext/token", 200, r#"{"token":"t.o.k"}"#),
            ("checkin", 200, r#"{"status":"OK"}"#),
            ("", 200, ""),
        ];
        let mut all = script.iter().chain(&usual);
        let (_, status, json) = all.find(|(part, ..)| line.contains(part)).unwrap();
        guest.answer(*status, json).await;
    })
    .await
}

fn phone(server: &Server) -> HttpDevice {
    let device = device(spec(server.at), Credential::Mobile, patient());
    with_broker(device, &format!("http://{}/b", server.at))
}

async fn asked(
    script: &'static [(&'static str, u16, &'static str)],
) -> Result<Approval, LoginError> {
    let server = saying(script).await;
    phone(&server).request_approval(Scope::Upgrade, "n").await
}

#[tokio::test]
async fn broker_and_device_are_given_each_others_words_as_they_stand() {
    let server = saying(&[(
        "/notify/event/new",
        200,
        r#"{"eventid":"e/1%?","sentcnt":null}"#,
    )])
    .await;
    let device = phone(&server);
    let approval = device
        .request_approval(Scope::Log, "run \"7\" ż")
        .await
        .unwrap();
    let expected = Approval {
        event: "e/1%?".into(),
        scope: Scope::Log,
    };
    assert_eq!(approval, expected);
    let asked = r#"{ "epk":"abc", "new":1.50 ,"scope":"logger:get","note":"run \"7\" ż"}"#;
    assert_eq!(
        server.noted(),
        [
            "GET /api/system/status ".to_owned(),
            "GET /b/notify/session ".to_owned(),
            format!("POST /api/auth/ext/request {asked}"),
            format!("POST /b/notify/event/new {REQUEST}"),
        ]
    );
    // Whatever the broker calls it, it stays one segment of a path.
    device.poll_approval(&approval).await.unwrap_err();
    device.withdraw_approval(&approval).await.unwrap();
    assert_eq!(
        server.noted()[4..],
        [
            "GET /b/notify/event/check/e%2F1%25%3F ",
            "DELETE /b/notify/event/e%2F1%25%3F "
        ]
    );
}

#[tokio::test]
async fn whoever_refuses_a_request_is_told() {
    let clock = asked(&[("/ext/request", 403, "")]).await.unwrap_err();
    assert_eq!(clock, LoginError::ClockUnset);
    for (script, kind) in [
        (
            [("/ext/request", 409, "")].as_slice(),
            FailureKind::Status { status: 409 },
        ),
        (
            &[("/notify/session", 503, "")],
            BrokerFault::Status { status: 503 }.into(),
        ),
        (
            &[("/notify/event/new", 400, "")],
            BrokerFault::Status { status: 400 }.into(),
        ),
    ] {
        let script: &'static [_] = script.to_vec().leak();
        assert_eq!(asked(script).await.unwrap_err(), kind.into(), "{script:?}");
    }
}

#[tokio::test]
async fn words_that_cannot_be_passed_on_are_refused() {
    for (part, json) in [
        ("/notify/session", "<html>portal</html>"),
        ("/notify/session", "[]"),
        // What the owner is to approve is not the broker's to choose.
        ("/notify/session", r#"{"epk":"a","scope":"system:config"}"#),
        ("/notify/event/new", r#"{"eventid":null}"#),
        ("/notify/event/new", r#"{"eventid":".."}"#),
        ("/notify/event/new", r#"{"eventid":"a b"}"#),
    ] {
        let script: &'static [_] = vec![(part, 200, json)].leak();
        let e = asked(script).await.unwrap_err();
        let garbled = matches!(
            e,
            LoginError::Failed(FailureKind::Broker(BrokerFault::Garbled { .. }))
        );
        assert!(garbled, "{json}: {e:?}");
    }
    let long = format!(r#"{{"epk":"{}"}}"#, "x".repeat(7_300));
    let script: &'static [_] = vec![("/notify/session", 200, &*long.leak())].leak();
    let server = saying(script).await;
    let e = phone(&server).request_approval(Scope::Log, "n").await;
    assert!(
        matches!(
            e,
            Err(LoginError::Failed(FailureKind::Broker(
                BrokerFault::Garbled { .. }
            )))
        ),
        "{e:?}"
    );
    assert_eq!(server.noted().len(), 2, "the device is not asked");
    let e = asked(&[("/ext/request", 200, "[]")]).await.unwrap_err();
    assert!(
        matches!(e, LoginError::Failed(FailureKind::BadAnswer { .. })),
        "{e:?}"
    );
}

#[tokio::test]
async fn a_clock_ahead_of_the_brokers_asks_for_one_check_in() {
    let server = saying(&[("/notify/event/new", 401, "")]).await;
    let device = phone(&server);
    match device.request_approval(Scope::Log, "n").await {
        Err(LoginError::ClockApart { seconds }) => {
            let local = jiff::Timestamp::now().as_second();
            let off = local.abs_diff(i64::try_from(CLOCK).unwrap());
            assert!(off.abs_diff(seconds) < 10, "{seconds}");
        }
        other => panic!("{other:?}"),
    }
    // A check-in that came before is none because of this: who asks decides when it is enough.
    device.checkin().await.unwrap();
    let again = device.request_approval(Scope::Log, "n").await;
    assert!(
        matches!(again, Err(LoginError::ClockApart { .. })),
        "{again:?}"
    );
}

fn approval() -> Approval {
    Approval {
        event: "e1".into(),
        scope: Scope::Upgrade,
    }
}

async fn polled(status: u16, json: &'static str) -> Result<ApprovalAnswer, FailureKind> {
    let script: &'static [_] = vec![("/notify/event/check/e1", status, json)].leak();
    let server = saying(script).await;
    phone(&server).poll_approval(&approval()).await
}

#[tokio::test]
async fn every_word_of_the_owner_has_its_name() {
    use ApprovalAnswer::{Approved, Denied, Expired, Pending};
    assert!(matches!(polled(202, "").await, Ok(Pending)));
    assert!(matches!(polled(404, "").await, Ok(Expired)));
    assert!(matches!(
        polled(200, r#"{"deny":true,"authreply":null}"#).await,
        Ok(Denied)
    ));
    let answer = polled(200, r#"{"authreply":"r.e.p","deny":null,"x":1}"#).await;
    let Ok(Approved(reply)) = answer else {
        panic!("{answer:?}")
    };
    assert!(!format!("{reply:?}").contains("r.e.p"));
    let status = polled(795, "").await.unwrap_err();
    assert_eq!(status, BrokerFault::Status { status: 795 }.into());
    for json in ["{}", "", r#"{"deny":false}"#, r#"{"authreply":7}"#] {
        let e = polled(200, json).await.unwrap_err();
        assert!(
            matches!(e, FailureKind::Broker(BrokerFault::Garbled { .. })),
            "{json}: {e:?}"
        );
    }
}

async fn redeemed(server: &Server) -> Result<Session, LoginError> {
    let answer = phone(server).poll_approval(&approval()).await.unwrap();
    let ApprovalAnswer::Approved(reply) = answer else {
        panic!("{answer:?}")
    };
    phone(server).redeem_approval(&approval(), reply).await
}

const APPROVED: (&str, u16, &str) = ("/check/e1", 200, r#"{"authreply":"r\"p"}"#);

#[tokio::test]
async fn a_reply_becomes_a_token_of_less_than_fifteen_minutes() {
    let server = saying(&[APPROVED]).await;
    let begun = Instant::now();
    let session = redeemed(&server).await.unwrap();
    assert_eq!(session.token.unwrap().expose(), b"t.o.k");
    let expires = session.expires.unwrap();
    assert!(expires > begun + Duration::from_secs(12 * 60));
    assert!(expires < Instant::now() + Duration::from_secs(13 * 60));
    let issued = session.issued.unwrap();
    // Of the redeeming alone, however long the owner took.
    assert_eq!(*issued.start(), CLOCK - 2);
    assert!((CLOCK + 2..CLOCK + 60).contains(issued.end()));
    assert_eq!(session.derivation, None);
    let last = server.noted().pop().unwrap();
    assert_eq!(last, r#"POST /api/auth/ext/token {"authreply":"r\"p"}"#);

    // Without a clock the token is as good.
    let server = saying(&[APPROVED, ("/system/status", 500, "")]).await;
    let session = redeemed(&server).await.unwrap();
    assert_eq!((session.token.is_some(), session.issued), (true, None));
}

#[tokio::test]
async fn a_reply_that_is_not_accepted_is_told_and_counts() {
    for (status, error) in [
        (401, FailureKind::ApprovalRefused { status: 401 }.into()),
        (406, FailureKind::ApprovalRefused { status: 406 }.into()),
        (403, LoginError::ClockUnset),
        (409, FailureKind::Status { status: 409 }.into()),
    ] {
        let script: &'static [_] = vec![APPROVED, ("/ext/token", status, "")].leak();
        let server = saying(script).await;
        assert_eq!(redeemed(&server).await.unwrap_err(), error);
    }
    let server = saying(&[("/ext/token", 401, "")]).await;
    let device = phone(&server);
    let reply = || ApprovalReply(Secret::new(b"\"r\"".to_vec()));
    for _ in 0..3 {
        device
            .redeem_approval(&approval(), reply())
            .await
            .unwrap_err();
    }
    let sent = server.noted().len();
    let used_up = LoginError::from(FailureKind::LoginsUsedUp);
    let again = device.redeem_approval(&approval(), reply()).await;
    assert_eq!(again.unwrap_err(), used_up);
    let again = device.request_approval(Scope::Log, "n").await;
    assert_eq!(again.unwrap_err(), used_up);
    assert_eq!(server.noted().len(), sent);
}

#[tokio::test]
async fn what_the_broker_has_forgotten_is_withdrawn() {
    for (status, expected) in [
        (200, Ok(())),
        (204, Ok(())),
        (404, Ok(())),
        (500, Err(BrokerFault::Status { status: 500 }.into())),
    ] {
        let script: &'static [_] = vec![("DELETE", status, "")].leak();
        let server = saying(script).await;
        assert_eq!(
            phone(&server).withdraw_approval(&approval()).await,
            expected
        );
    }
}
