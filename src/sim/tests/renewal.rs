//! Section 5: what becomes of a certificate that has expired.

use serde_json::json;

use super::*;

const CHECKIN: &str = "/api/system/checkin";

/// A check-in over the plain port: what was asked, what the broker said, what the device made of it.
pub(super) async fn check_in_plain(fleet: &SimFleet) -> [Value; 3] {
    let check = plain(fleet, "GET", CHECKIN, "").await;
    let checked = broker(fleet, "POST", "/checkin", &check.body).await;
    let body = String::from_utf8(checked.body.clone()).unwrap();
    let head = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let report = plain(fleet, "POST", CHECKIN, &head).await;
    assert_eq!(report.status, 200);
    let [check, checked] = [check.json(), checked.json()];
    [
        claims(&check["check"]),
        claims(&checked["checked"]),
        report.json(),
    ]
}

/// Has it reboot; back once it takes connections again.
pub(super) async fn reboot(fleet: &SimFleet) {
    let now = fleet.hem().clock().unwrap();
    let token = fleet.hem().token("system:config", now + 600);
    plain(fleet, "GET", "/api/system/reboot", &bearer(&token)).await;
    within("the reboot", async {
        fleet.hem().wait_for(|j| j.reboots >= 1).await;
        while TcpStream::connect(fleet.hem().addr()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_check_in_names_what_is_served_and_who_is_asked() {
    for device in ["scheme = \"https\"", "scheme = \"http\""] {
        let fleet = one(device).await;
        let check = get(&fleet, CHECKIN, "").await.unwrap().json();
        let text = check["check"].as_str().unwrap();
        let header = text.split('.').next().unwrap();
        let header =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header);
        let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
        assert_eq!(header["ecdh"], "x25519", "{header}");
        let asked = claims(&check["check"]);
        for (field, bytes) in [
            ("jti", 32),
            ("iss", 32),
            ("aud", 32),
            ("qid", 32),
            ("bls", 64),
            ("csn", 16),
        ] {
            assert!(is_base64_of(&asked[field], bytes), "{field}: {asked}");
        }
    }
}

#[tokio::test]
async fn a_device_drops_the_certificate_that_a_check_in_brings() {
    let fleet = one("scheme = \"https\"\ntls = \"expired\"").await;
    let [_, checked, report] = check_in_plain(&fleet).await;
    assert!(checked["newcrt"].is_string(), "{checked}");
    assert_eq!(report["newcrt"], "OK");
    assert!(dial(&fleet).await.is_err());
    reboot(&fleet).await;
    assert!(dial(&fleet).await.is_err());
    // Nothing new for one that is good.
    let fleet = one("scheme = \"https\"").await;
    let [_, checked, report] = check_in_plain(&fleet).await;
    assert!(checked.get("newcrt").is_none() && report.get("newcrt").is_none());
}

#[tokio::test]
async fn a_renewal_by_hand_works_with_the_key_that_is_served() {
    let fleet = one("scheme = \"https\"\ntls = \"expired\"").await;
    let [old, checked, _] = check_in_plain(&fleet).await;
    let set = async |crt: &Value| {
        let now = fleet.hem().clock().unwrap();
        let token = fleet.hem().token("system:config", now + 600);
        let body = json!({ "tls": { "crt": crt } }).to_string();
        let head = format!(
            "{}Content-Length: {}\r\n\r\n{body}",
            bearer(&token),
            body.len()
        );
        plain(&fleet, "POST", "/api/system/config", &head).await
    };
    // Somebody else's certificate, good as it is.
    let other = one("scheme = \"https\"\ntls = \"expired\"").await;
    let [_, foreign, _] = check_in_plain(&other).await;
    assert_eq!(set(&foreign["newcrt"]).await.status, 400);
    let reply = set(&checked["newcrt"]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({ "updated": true, "reboot_required": true })
    );
    // Served from the next boot on.
    assert!(dial(&fleet).await.is_err());
    reboot(&fleet).await;
    assert!(dial(&fleet).await.is_ok());
    let [new, checked, report] = check_in_plain(&fleet).await;
    assert_ne!(new["csn"], old["csn"]);
    assert!(checked.get("newcrt").is_none() && report.get("newcrt").is_none());
}
