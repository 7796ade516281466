//! Section 10: mobile approval, at the device and at the broker.

use serde_json::{Value, json};

use super::*;
use crate::model::AuditType;
use crate::sim::tokens::mac_token;
use crate::sim::{PhoneRecording, Shown};

const REQUEST: &str = "/api/auth/ext/request";
const TOKEN: &str = "/api/auth/ext/token";

/// Steps 1 and 2.
async fn ask(fleet: &SimFleet, scope: &str, note: Option<&str>) -> Reply {
    let session = broker(fleet, "GET", "/notify/session", b"").await;
    assert_eq!(session.status, 200);
    let mut wish = session.json();
    wish["scope"] = scope.into();
    if let Some(note) = note {
        wish["note"] = note.into();
    }
    post_json(fleet, REQUEST, &wish).await
}

/// Steps 1 to 3; the event's id.
async fn event(fleet: &SimFleet, scope: &str, note: Option<&str>) -> String {
    let asked = ask(fleet, scope, note).await;
    assert_eq!(asked.status, 200);
    let made = broker(fleet, "POST", "/notify/event/new", &asked.body).await;
    assert_eq!((made.status, &made.json()["sentcnt"]), (200, &1.into()));
    made.json()["eventid"].as_str().unwrap().to_owned()
}

async fn poll(fleet: &SimFleet, id: &str) -> Reply {
    broker(fleet, "GET", &format!("/notify/event/check/{id}"), b"").await
}

async fn withdraw(fleet: &SimFleet, id: &str) -> u16 {
    broker(fleet, "DELETE", &format!("/notify/event/{id}"), b"")
        .await
        .status
}

/// Steps 1 to 4 where the owner approves.
async fn approved(fleet: &SimFleet, scope: &str) -> Value {
    let id = event(fleet, scope, None).await;
    loop {
        let reply = poll(fleet, &id).await;
        if reply.status != 202 {
            assert_eq!(reply.status, 200);
            return json!({ "authreply": reply.json()["authreply"] });
        }
    }
}

#[tokio::test]
async fn an_approval_brings_a_token_of_its_scope_for_15_minutes() {
    let fleet = one("phone = { answer = \"approve\", after = 2 }").await;
    let id = event(&fleet, "system:upgrade", Some("run 7: v1.2.3 — ż")).await;
    for _ in 0..2 {
        assert_eq!(poll(&fleet, &id).await.status, 202);
    }
    let reply = poll(&fleet, &id).await;
    assert_eq!(reply.status, 200);
    // A lost answer can be asked for again.
    assert_eq!(poll(&fleet, &id).await.json(), reply.json());
    let now = fleet.hem().clock().unwrap();
    let reply = post_json(&fleet, TOKEN, &reply.json()).await;
    assert_eq!(reply.status, 200);
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    let claims: Value = mac_token::unverified(&token).unwrap();
    assert_eq!(claims["scope"], "system:upgrade");
    let life = claims["exp"].as_i64().unwrap() - now;
    assert!((900..903).contains(&life), "{life}");
    assert!(!matches!(claims["sub"].as_str(), None | Some("U" | "M")));
    assert_eq!(
        get(&fleet, CHECK, &bearer(&token)).await.unwrap().status,
        404
    );
    let recording = fleet.hem().recording();
    let expected = PhoneRecording {
        requests: 1,
        shown: vec![Shown {
            scope: "system:upgrade".into(),
            note: Some("run 7: v1.2.3 — ż".into()),
        }],
        most_open: 1,
        approved: 1,
        redeemed: 1,
        ..PhoneRecording::default()
    };
    assert_eq!((recording.phone, recording.logins), (expected, 1));
}

#[tokio::test]
async fn a_reply_is_taken_once_by_the_device_that_asked_and_in_the_same_boot() {
    let fleet = one("").await;
    let reply = approved(&fleet, "logger:get").await;
    for (body, status) in [
        (json!({}), 400),
        (json!({ "authreply": 7 }), 400),
        (json!({ "authreply": "a.b.c" }), 401),
        (reply.clone(), 200),
        (reply, 401),
    ] {
        let got = post_json(&fleet, TOKEN, &body).await;
        assert_eq!(got.status, status, "{body}");
    }
    // Another device's phone.
    let other = world("", "scheme = \"http\"\nhost = \"b\"").await;
    let foreign = {
        let text = "about = \"x\"\ntempo = 0.002\n[[device]]\nname = \"other\"\nscheme = \"http\"";
        let scenario = Scenario::parse(text).unwrap();
        let fleet = SimFleet::start(&scenario, &SimOptions::default()).await;
        approved(&fleet.unwrap(), "logger:get").await
    };
    assert_eq!(post_json(&other, TOKEN, &foreign).await.status, 406);
    // After a reboot nobody asked.
    let reply = approved(&fleet, "logger:get").await;
    let token = token(&fleet, "system:config").await;
    get(&fleet, "/api/system/reboot", &bearer(&token))
        .await
        .unwrap();
    back(&fleet, 1).await;
    super::checkin::check_in(&fleet).await;
    assert_eq!(post_json(&fleet, TOKEN, &reply).await.status, 401);
}

#[tokio::test]
async fn what_a_request_needs() {
    let fleet = one("").await;
    let session = broker(&fleet, "GET", "/notify/session", b"").await.json();
    let epk = session["epk"].as_str().unwrap();
    let long = "ż".repeat(129);
    for (body, status) in [
        (json!({ "epk": epk, "scope": "logger:get" }), 200),
        (
            json!({ "epk": epk, "scope": "logger:get", "exp": 7, "note": "ż".repeat(128) }),
            200,
        ),
        (json!({ "epk": epk }), 400),
        (json!({ "epk": epk, "scope": "" }), 400),
        (json!({ "scope": "logger:get" }), 400),
        (json!({ "epk": "AAAA", "scope": "logger:get" }), 400),
        (
            json!({ "epk": epk, "scope": "logger:get", "note": "" }),
            400,
        ),
        (
            json!({ "epk": epk, "scope": "logger:get", "note": long }),
            400,
        ),
    ] {
        let reply = post_json(&fleet, REQUEST, &body).await;
        assert_eq!(reply.status, status, "{body}");
    }
    for (lines, status) in [
        ("clock = \"unset\"", 403),
        ("clock = \"unset\"\ntrusted_time = false", 403),
        ("fls_state = 2", 409),
        ("fresh = true", 409),
    ] {
        let fleet = one(lines).await;
        assert_eq!(ask(&fleet, "logger:get", None).await.status, status);
    }
}

#[tokio::test]
async fn the_broker_takes_what_a_device_gave_and_nothing_else() {
    let fleet = one("").await;
    let asked = ask(&fleet, "logger:get", None).await.json();
    let mut other_key = asked.clone();
    other_key["epk"] = "AAAA".into();
    // A key that the broker never handed out.
    let strange =
        json!({ "epk": crate::sim::tokens::mac_token::random_text(), "scope": "logger:get" });
    let strange = post_json(&fleet, REQUEST, &strange).await.json();
    for (body, status) in [
        (json!({}), 400),
        (json!({ "authreq": "a.b.c", "epk": "x" }), 401),
        (other_key, 400),
        (strange, 400),
    ] {
        let body = body.to_string();
        let reply = broker(&fleet, "POST", "/notify/event/new", body.as_bytes()).await;
        assert_eq!(reply.status, status, "{body}");
    }
    assert_eq!(poll(&fleet, "unknown").await.status, 404);
    assert_eq!(withdraw(&fleet, "unknown").await, 404);
    assert_eq!(fleet.hem().recording().phone.shown, []);
}

#[tokio::test]
async fn a_device_ahead_of_the_broker_wants_a_check_in() {
    let fleet = one("clock_offset = 7200").await;
    let asked = ask(&fleet, "logger:get", None).await;
    assert_eq!(asked.status, 200);
    let reply = broker(&fleet, "POST", "/notify/event/new", &asked.body).await;
    assert_eq!(reply.status, 401);
    super::checkin::check_in(&fleet).await;
    let id = event(&fleet, "logger:get", None).await;
    assert_eq!(poll(&fleet, &id).await.status, 202);
}

#[tokio::test]
async fn owners_refuse_or_do_not_look() {
    let fleet = one("phone = { answer = \"deny\", after = 0 }").await;
    let id = event(&fleet, "logger:get", None).await;
    assert_eq!(poll(&fleet, &id).await.json(), json!({ "deny": true }));
    assert_eq!(withdraw(&fleet, &id).await, 200);
    let phone = fleet.hem().recording().phone;
    assert_eq!((phone.denied, phone.withdrawn, phone.open), (1, 0, 0));

    let fleet = one("phone = { answer = \"expire\", after = 1 }").await;
    let id = event(&fleet, "logger:get", None).await;
    for status in [202, 404, 404] {
        assert_eq!(poll(&fleet, &id).await.status, status);
    }
    let phone = fleet.hem().recording().phone;
    assert_eq!((phone.expired, phone.open), (1, 0));

    let fleet = one("phone = { answer = \"never\" }").await;
    let ids = [
        event(&fleet, "logger:get", None).await,
        event(&fleet, "system:upgrade", None).await,
    ];
    for id in &ids {
        for _ in 0..5 {
            assert_eq!(poll(&fleet, id).await.status, 202);
        }
        assert_eq!(withdraw(&fleet, id).await, 200);
        assert_eq!(poll(&fleet, id).await.status, 404);
    }
    let phone = fleet.hem().recording().phone;
    assert_eq!((phone.withdrawn, phone.open, phone.most_open), (2, 0, 2));
    assert_eq!(fleet.most_events_at_once(), 2);
}

#[tokio::test]
async fn unknown_fields_must_be_forwarded() {
    let odd = "{ at = \"ext-request\", do = \"odd\", always = true }, \
               { at = \"notify-session\", do = \"odd\", always = true }, \
               { at = \"notify\", do = \"odd\", always = true }, \
               { at = \"ext-token\", do = \"odd\" }";
    let fleet = one(&format!("faults = [{odd}]")).await;
    let reply = approved(&fleet, "logger:get").await;
    let reply = post_json(&fleet, TOKEN, &reply).await;
    assert_eq!(reply.status, 200);
    assert!(reply.json()["future"].is_object());

    // The session's field, and the device's own.
    let session = broker(&fleet, "GET", "/notify/session", b"").await.json();
    let trimmed = json!({ "epk": session["epk"], "scope": "logger:get" });
    let asked = post_json(&fleet, REQUEST, &trimmed).await;
    let made = broker(&fleet, "POST", "/notify/event/new", &asked.body).await;
    assert_eq!(made.status, 400);
    let asked = ask(&fleet, "logger:get", None).await.json();
    let trimmed = json!({ "authreq": asked["authreq"], "epk": asked["epk"] }).to_string();
    let made = broker(&fleet, "POST", "/notify/event/new", trimmed.as_bytes()).await;
    assert_eq!(made.status, 400);
}

#[tokio::test]
async fn each_step_can_fail() {
    let faults = "{ at = \"ext-request\", do = \"status\", status = 500 }, \
                  { at = \"ext-token\", do = \"status\", status = 401 }, \
                  { at = \"notify-session\", do = \"status\", status = 503 }, \
                  { at = \"notify\", do = \"status\", status = 502, skip = 1 }";
    let fleet = one(&format!("faults = [{faults}]")).await;
    let session = broker(&fleet, "GET", "/notify/session", b"").await;
    assert_eq!(session.status, 503);
    assert_eq!(ask(&fleet, "logger:get", None).await.status, 500);
    let id = event(&fleet, "logger:get", None).await;
    for status in [502, 202, 200] {
        assert_eq!(poll(&fleet, &id).await.status, status);
    }
    let reply = poll(&fleet, &id).await.json();
    for status in [401, 200] {
        assert_eq!(post_json(&fleet, TOKEN, &reply).await.status, status);
    }
}

#[tokio::test]
async fn an_approval_is_logged_as_one() {
    let fleet = one("").await;
    let reply = approved(&fleet, "system:config").await;
    let reply = post_json(&fleet, TOKEN, &reply).await.json();
    let bearer = bearer(reply["token"].as_str().unwrap());
    assert_eq!(
        get(&fleet, "/api/logger/key", &bearer)
            .await
            .unwrap()
            .status,
        403
    );
    get(&fleet, "/api/system/reboot", &bearer).await.unwrap();
    let (_, file) = super::logger::closed(&fleet).await;
    let kinds: Vec<AuditType> = file.entries.iter().map(|e| e.kind).collect();
    let tail = [
        AuditType::TOKEN_MOBILE,
        AuditType::FAILED_SCOPE_CHECK,
        AuditType(2),
    ];
    assert!(kinds.ends_with(&tail), "{kinds:?}");
    let entries = &file.entries[kinds.len() - 3..];
    assert!(entries.iter().all(|e| e.subject == entries[0].subject));
}

#[tokio::test]
async fn an_owner_may_refuse_at_first_and_approve_later() {
    let fleet = one("phone = { answer = [\"deny\", \"approve\"], after = 0 }").await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let id = event(&fleet, "logger:get", None).await;
        let answer = poll(&fleet, &id).await.json();
        answers.push(answer.get("authreply").is_some());
        if answers.last() == Some(&true) {
            let reply = post_json(&fleet, TOKEN, &answer).await;
            assert_eq!(reply.status, 200);
        }
    }
    assert_eq!(answers, [false, true, true]);
    let phone = fleet.hem().recording().phone;
    assert_eq!((phone.denied, phone.approved, phone.redeemed), (1, 2, 2));
}

#[tokio::test]
async fn the_broker_knows_which_device_has_a_phone() {
    let session = async |fleet: &SimFleet, body: Value| {
        broker(
            fleet,
            "POST",
            "/notify/session",
            body.to_string().as_bytes(),
        )
        .await
    };
    let eid = |fleet: &SimFleet| fleet.hem().core.identity.eid();
    for (device, paired) in [("", true), ("fresh = true", false)] {
        let fleet = one(device).await;
        let reply = session(&fleet, json!({ "eid": eid(&fleet) })).await;
        assert_eq!(reply.status, 200);
        let reply = reply.json();
        assert_eq!(reply["paired"], paired, "{device}");
        assert!(is_base64_of(&reply["epk"], 32), "{reply}");
    }
    let fleet = one("").await;
    // A session like any other: an approval goes through with it.
    let reply = session(&fleet, json!({ "eid": eid(&fleet) })).await.json();
    let wish = json!({ "epk": reply["epk"], "scope": "logger:get" });
    let asked = post_json(&fleet, REQUEST, &wish).await;
    let made = broker(&fleet, "POST", "/notify/event/new", &asked.body).await;
    assert_eq!(made.status, 200);
    // A device that the broker has never heard of.
    let nobody = json!({ "eid": crate::sim::tokens::mac_token::random_text() });
    assert_eq!(session(&fleet, nobody).await.json()["paired"], false);
    for body in [json!({}), json!({ "eid": 7 }), json!([])] {
        assert_eq!(session(&fleet, body.clone()).await.status, 400, "{body}");
    }
}
