//! What other software of the vendor's API needs: plain HTTP beside TLS, renewed certificates, the spelling of
//! headers, and the endpoints that an upgrade does not touch.

use serde_json::json;

use super::checkin::check_in;
use super::renewal::{check_in_plain, reboot};
use super::*;

/// Without lower-casing anything.
async fn head(fleet: &SimFleet, request: &str) -> String {
    let mut stream = dial(fleet).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = within("the answer and its end", stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_tls_device_serves_plain_http_beside_it() {
    let fleet = one("scheme = \"https\"").await;
    let status = plain(&fleet, "GET", STATUS, "").await;
    assert_eq!(
        (status.status, &status.json()["https"]),
        (200, &true.into())
    );
    let status = get(&fleet, STATUS, "").await.unwrap().json();
    assert!(status.get("https").is_none());
    // Upgrades are a last resort there, keys are not.
    let token = token(&fleet, "system:upgrade").await;
    let head = bearer(&token);
    assert_eq!(plain(&fleet, "GET", CHECK, &head).await.status, 404);
    for path in ["/api/keymgmt/list", "/api/crypto/hmac/hash"] {
        assert_eq!(plain(&fleet, "GET", path, "").await.status, 418, "{path}");
    }
    // No TLS there, and no plain HTTP on the other.
    let addr = fleet.hem().http_addr().unwrap();
    let tcp = TcpStream::connect(addr).await.unwrap();
    assert!(tls(&fleet, tcp, "my.ence.do").await.is_err());
    let mut tcp = TcpStream::connect(fleet.hem().addr()).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut tcp).await.is_err() || fleet.hem().recording().tls_failures == 1);
    let fleet = one("").await;
    assert!(fleet.hem().http_addr().is_none());
}

#[tokio::test]
async fn a_renewal_may_work_as_the_vendor_says_at_once_or_at_the_next_boot() {
    for (renews, at_once, later) in [("at-once", true, true), ("at-reboot", false, true)] {
        let fleet = one(&format!(
            "scheme = \"https\"\ntls = \"expired\"\nrenews = \"{renews}\""
        ))
        .await;
        assert!(dial(&fleet).await.is_err());
        let [_, _, report] = check_in_plain(&fleet).await;
        assert_eq!(report["newcrt"], "OK");
        assert_eq!(dial(&fleet).await.is_ok(), at_once, "{renews}");
        reboot(&fleet).await;
        assert_eq!(dial(&fleet).await.is_ok(), later, "{renews}");
    }
}

#[tokio::test]
async fn headers_are_spelt_as_the_vendors_clients_know_them() {
    let fleet = one("").await;
    let answer = head(
        &fleet,
        "GET /api/system/version HTTP/1.1\r\nHost: h\r\n\r\n",
    )
    .await;
    for name in ["Content-Type: application/json", "Content-Length: "] {
        assert!(answer.contains(name), "{answer}");
    }
    let answer = head(&fleet, "GET /api/system/status HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK"), "{answer}");
}

#[tokio::test]
async fn pages_of_the_devices_own_origin_may_ask() {
    let fleet = one("").await;
    let ask = |method: &str, path: &str, origin: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\n\r\n")
    };
    let own = "https://my.ence.do";
    let answer = head(&fleet, &ask("OPTIONS", "/api/auth/token", own)).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    for part in ["Access-Control-Allow-Headers: ", "Authorization", own] {
        assert!(answer.contains(part), "{answer}");
    }
    let answer = head(&fleet, &ask("GET", VERSION, own)).await;
    let allowed = format!("Access-Control-Allow-Origin: {own}");
    assert!(answer.contains(&allowed), "{answer}");
    for method in ["OPTIONS", "GET"] {
        let answer = head(&fleet, &ask(method, VERSION, "https://evil.example")).await;
        assert!(answer.starts_with("HTTP/1.1 412"), "{answer}");
        assert!(!answer.contains("Access-Control"), "{answer}");
    }
}

#[tokio::test]
async fn what_an_upgrade_does_not_need_is_answered_too() {
    let fleet = one("scheme = \"https\"").await;
    let [config, logger, list, keys] = [
        token(&fleet, "system:config").await,
        token(&fleet, "logger:get").await,
        token(&fleet, "keymgmt:list").await,
        token(&fleet, "keymgmt:use:00").await,
    ];
    for (path, token, status) in [
        ("/api/system/config", &config, 200),
        ("/api/system/config", &list, 403),
        ("/api/system/config/attestation", &list, 200),
        ("/api/system/selftest", &logger, 200),
        ("/api/system/shutdown", &logger, 403),
        ("/api/keymgmt/list", &list, 200),
        ("/api/keymgmt/list/0/15", &list, 200),
        ("/api/keymgmt/list/0", &config, 403),
        ("/api/keymgmt/get/00", &list, 404),
        ("/api/crypto/hmac/hash", &list, 403),
        ("/api/crypto/hmac/hash", &keys, 406),
        ("/api/auth/init", &config, 406),
        ("/api/storage/lock", &config, 404),
    ] {
        let reply = get(&fleet, path, &bearer(token)).await.unwrap();
        assert_eq!(reply.status, status, "{path}");
    }
    for path in [
        "/api/system/config",
        "/api/system/selftest",
        "/api/keymgmt/list",
    ] {
        assert_eq!(get(&fleet, path, "").await.unwrap().status, 401, "{path}");
    }
    let known = get(&fleet, "/api/system/config", &bearer(&config)).await;
    let challenge = get(&fleet, "/api/auth/token", "").await.unwrap().json();
    assert_eq!(known.unwrap().json()["eid"], challenge["eid"]);
    let head = bearer(&list);
    let search = json!({ "descr": "^Q0NURVNU" }).to_string();
    let found = post(&fleet, "/api/keymgmt/search", &head, search.as_bytes()).await;
    assert_eq!(found.unwrap().json()["total"], 0);
    // The master has no business with keys.
    let challenge = get(&fleet, "/api/auth/token", "").await.unwrap();
    let words = crate::sim::device::credential::Credential::MasterWords;
    let key = |eid: &str| words.private_key(eid).unwrap();
    let ejwt = answer_with(&challenge.body, key, "keymgmt:list", 600);
    let reply = post_json(&fleet, "/api/auth/token", &json!({ "auth": ejwt })).await;
    let master = reply.json()["token"].as_str().unwrap().to_owned();
    let reply = get(&fleet, "/api/keymgmt/list", &bearer(&master)).await;
    assert_eq!(reply.unwrap().status, 403);
}

#[tokio::test]
async fn a_shutdown_is_for_good() {
    let fleet = one("").await;
    let token = token(&fleet, "system:shutdown").await;
    let reply = get(&fleet, "/api/system/shutdown", &bearer(&token)).await;
    assert_eq!(reply.unwrap().status, 200);
    within("the reboot", fleet.hem().wait_for(|j| j.reboots >= 1)).await;
    assert!(get(&fleet, VERSION, "").await.is_err());
}

#[tokio::test]
async fn a_drifting_clock_judges_deadlines_and_expiries() {
    let fleet = one("clock_offset = 7200\nclock_rate = 2.0").await;
    let real = jiff::Timestamp::now().as_second();
    let device = fleet.hem().clock().unwrap();
    assert!((7190..7260).contains(&(device - real)));
    // Two hours of the client's own time are over before they begin.
    let late = login(&fleet, PASSPHRASE, "logger:get", real + 3600 - device).await;
    assert_eq!(late.status, 401);
    check_in(&fleet).await;
    let device = fleet.hem().clock().unwrap();
    assert!((device - jiff::Timestamp::now().as_second()).abs() < 30);
    let reply = login(&fleet, PASSPHRASE, "logger:get", real + 3600 - device).await;
    assert_eq!(reply.status, 200);
}
