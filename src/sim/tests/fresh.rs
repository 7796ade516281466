//! Section 1: a device in factory state, and what it leaves open.

use super::checkin::check_in;
use super::*;

const INIT: &str = "/api/auth/init";
const USBMODE: &str = "/api/system/upgrade/usbmode";

#[tokio::test]
async fn a_fresh_device_wants_no_token_for_what_the_page_names() {
    for path in [
        "/api/system/reboot",
        USBMODE,
        "/api/system/selftest",
        "/api/system/config/attestation",
        CHECK,
    ] {
        let fleet = one("fresh = true").await;
        let open = get(&fleet, path, "").await.unwrap().status;
        assert!(matches!(open, 200 | 404), "{path}: {open}");
        let invalid = get(&fleet, path, &bearer("x")).await.map(|r| r.status);
        assert!(matches!(invalid, Ok(401) | Err(_)), "{path}: {invalid:?}");
        let owned = one("").await;
        assert_eq!(get(&owned, path, "").await.unwrap().status, 401, "{path}");
    }
    // Everything else stays shut.
    let fleet = one("fresh = true").await;
    for path in [
        "/api/system/config",
        "/api/system/shutdown",
        "/api/logger/key",
    ] {
        assert_eq!(get(&fleet, path, "").await.unwrap().status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_fresh_device_reboots_for_anybody() {
    for path in ["/api/system/reboot", USBMODE] {
        let fleet = one("fresh = true").await;
        assert_eq!(get(&fleet, path, "").await.unwrap().status, 200);
        let status = back(&fleet, 1).await;
        assert_eq!(status["inited"], false, "{path}");
        assert!(status.get("fw_upgrade").is_none(), "{path}");
    }
}

#[tokio::test]
async fn personalisation_begins_with_a_challenge_once_the_clock_is_set() {
    let fleet = one("fresh = true\nclock = \"unset\"").await;
    assert_eq!(get(&fleet, INIT, "").await.unwrap().status, 403);
    let body = b"{\"init\":\"a.b.c\"}";
    assert_eq!(post(&fleet, INIT, "", body).await.unwrap().status, 403);
    check_in(&fleet).await;
    let challenge = get(&fleet, INIT, "").await.unwrap();
    assert_eq!(challenge.status, 200);
    let challenge = challenge.json();
    for field in ["spk", "jti", "eid"] {
        assert!(is_base64_of(&challenge[field], 32), "{field}: {challenge}");
    }
    assert!(challenge["genuine"].is_string(), "{challenge}");
    let life = challenge["exp"].as_i64().unwrap() - fleet.hem().clock().unwrap();
    assert!((50..=60).contains(&life), "{life}");
    // Nobody is let in: personalisation itself is not simulated.
    for (body, status) in [("{}", 400), ("{\"init\":\"a.b.c\"}", 401)] {
        let reply = post(&fleet, INIT, "", body.as_bytes()).await.unwrap();
        assert_eq!(reply.status, status, "{body}");
    }
    let owned = one("").await;
    assert_eq!(get(&owned, INIT, "").await.unwrap().status, 406);
    assert_eq!(post(&owned, INIT, "", body).await.unwrap().status, 406);
    let ill = one("fresh = true\nfls_state = 8").await;
    assert_eq!(get(&ill, INIT, "").await.unwrap().status, 409);
}

#[tokio::test]
async fn the_usb_mode_has_the_rights_and_the_traces_of_an_upgrade() {
    let fleet = one("").await;
    let wrong = token(&fleet, "logger:get").await;
    assert_eq!(
        get(&fleet, USBMODE, &bearer(&wrong)).await.unwrap().status,
        403
    );
    let right = token(&fleet, "system:config").await;
    assert_eq!(
        get(&fleet, USBMODE, &bearer(&right)).await.unwrap().status,
        200
    );
    let (_, file) = super::logger::closed(&fleet).await;
    let told: Vec<_> = super::logger::told(&file);
    assert!(told.ends_with(&[(0xc, 1), (0xd, 0), (4, 0)]), "{told:x?}");
    assert_eq!(fleet.hem().recording().installs_executed, 0);
    let ill = one("fresh = true\nfls_state = 8").await;
    assert_eq!(get(&ill, USBMODE, "").await.unwrap().status, 409);
    let appliance = one("model = \"EPA\"").await;
    let right = token(&appliance, "system:upgrade").await;
    assert_eq!(
        get(&appliance, USBMODE, &bearer(&right))
            .await
            .unwrap()
            .status,
        404
    );
}
