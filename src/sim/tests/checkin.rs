//! Sections 5 and 12: check-in and broker.

use serde_json::json;

use super::*;

const CHECKIN: &str = "/api/system/checkin";

async fn question(fleet: &SimFleet) -> Reply {
    let question = get(fleet, CHECKIN, "").await.unwrap();
    assert_eq!(question.status, 200);
    question
}

/// A whole check-in.
pub(super) async fn check_in(fleet: &SimFleet) {
    let check = question(fleet).await;
    let checked = broker(fleet, "POST", "/checkin", &check.body).await;
    let reply = post(fleet, CHECKIN, "", &checked.body).await.unwrap();
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_check_in_sets_the_clock() {
    for scheme in ["http", "https"] {
        let top = format!("broker = {{ scheme = \"{scheme}\", offer = true }}");
        let fleet = world(&top, "clock = \"unset\"\nscheme = \"http\"").await;
        assert!(fleet.hem().clock().is_none());
        let check = question(&fleet).await;
        let checked = broker(&fleet, "POST", "/checkin", &check.body).await;
        assert_eq!(checked.status, 200);
        let reply = post(&fleet, CHECKIN, "", &checked.body).await.unwrap();
        assert_eq!((reply.status, &reply.json()["status"]), (200, &"OK".into()));
        assert!(fleet.hem().clock().is_some());
        assert_eq!(
            get(&fleet, "/api/auth/token", "").await.unwrap().status,
            200
        );
        assert_eq!(fleet.broker_requests(), ["POST /checkin"]);

        // The offered firmware can be had under its name (section 12).
        let newfws = reply.json()["newfws"].as_str().unwrap().to_owned();
        let name = newfws.replace('/', "_").replace('+', "-");
        let path = format!("/download/firmware/{}/bin", name.trim_end_matches('='));
        let image = broker(&fleet, "GET", &path, b"").await;
        assert_eq!((image.status, image.body == fleet.image()), (200, true));

        // Replayed.
        let reply = post(&fleet, CHECKIN, "", &checked.body).await.unwrap();
        assert_eq!(reply.status, 401);
    }
}

#[tokio::test]
async fn a_reply_that_does_not_verify_sets_nothing() {
    let fleet = one("clock = \"unset\"").await;
    let reply = post_json(&fleet, CHECKIN, &json!({ "checked": "a.b.c" })).await;
    assert_eq!(reply.status, 401);
    question(&fleet).await;
    let reply = post_json(&fleet, CHECKIN, &json!({ "checked": "a.b.c" })).await;
    assert_eq!(reply.status, 401);
    let reply = post_json(&fleet, CHECKIN, &json!({})).await;
    assert_eq!(reply.status, 400);
    // The reply to an earlier question.
    let first = question(&fleet).await;
    let checked = broker(&fleet, "POST", "/checkin", &first.body).await;
    question(&fleet).await;
    let reply = post(&fleet, CHECKIN, "", &checked.body).await.unwrap();
    assert_eq!(reply.status, 401);
    assert!(fleet.hem().clock().is_none());
}

#[tokio::test]
async fn the_broker_answers_known_devices_only() {
    let fleet = one("").await;
    for (body, status) in [
        ("", 400),
        ("[]", 400),
        ("{}", 401),
        ("{\"check\":\"a.b.c\"}", 401),
    ] {
        let reply = broker(&fleet, "POST", "/checkin", body.as_bytes()).await;
        assert_eq!(reply.status, status, "{body}");
    }
    for path in [
        "/",
        "/notify",
        "/download/firmware/x/bin",
        "/download/dashboard/x",
    ] {
        let reply = broker(&fleet, "GET", path, b"").await;
        assert_eq!(reply.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_backend_may_order_an_action() {
    let fleet = one("faults = [{ at = \"relay\", do = \"order\", order = \"L\" }]").await;
    let check = question(&fleet).await;
    let checked = broker(&fleet, "POST", "/checkin", &check.body).await;
    let reply = post(&fleet, CHECKIN, "", &checked.body).await.unwrap();
    assert_eq!((reply.status, &reply.json()["status"]), (200, &"L".into()));
    let status = get(&fleet, "/api/system/status", "").await.unwrap().json();
    assert_eq!(status["fls_state"], 0x40);
    assert_eq!(
        get(&fleet, "/api/auth/token", "").await.unwrap().status,
        409
    );
}

#[tokio::test]
async fn unknown_fields_must_be_forwarded() {
    let fleet = one("faults = [{ at = \"checkin\", do = \"odd\", times = 2 }]").await;
    let check = question(&fleet).await;
    let checked = broker(&fleet, "POST", "/checkin", &check.body).await;
    let reply = post(&fleet, CHECKIN, "", &checked.body).await.unwrap();
    assert_eq!(reply.status, 200);
    let check = question(&fleet).await.json();
    let trimmed = json!({ "check": check["check"] }).to_string();
    let checked = broker(&fleet, "POST", "/checkin", trimmed.as_bytes()).await;
    let reply = post(&fleet, CHECKIN, "", &checked.body).await.unwrap();
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_broker_may_be_down_or_failing() {
    let fleet = world("broker = { down = true }", "").await;
    let addr = fleet.broker_url().split_once("://").unwrap().1.to_owned();
    let error = TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let fleet = one("faults = [{ at = \"relay\", do = \"status\", status = 503 }]").await;
    let check = question(&fleet).await;
    for status in [503, 200] {
        let reply = broker(&fleet, "POST", "/checkin", &check.body).await;
        assert_eq!(reply.status, status);
    }
}
