//! The device's settings: read, changed, kept over a reboot.

use serde_json::json;

use super::*;

const CONFIG: &str = "/api/system/config";

async fn set(fleet: &SimFleet, token: &str, body: &Value) -> Reply {
    let body = body.to_string();
    post(fleet, CONFIG, &bearer(token), body.as_bytes())
        .await
        .unwrap()
}

async fn settings(fleet: &SimFleet, token: &str) -> Value {
    get(fleet, CONFIG, &bearer(token)).await.unwrap().json()
}

#[tokio::test]
async fn the_settings_name_the_keys_of_the_session_and_of_the_log() {
    let fleet = one("").await;
    let rights = token(&fleet, "system:config").await;
    let found = settings(&fleet, &rights).await;
    let challenge = get(&fleet, "/api/auth/token", "").await.unwrap().json();
    assert_eq!(found["spk"], challenge["spk"]);
    assert_eq!(found["eid"], challenge["eid"]);
    let log = token(&fleet, "logger:get").await;
    let key = get(&fleet, "/api/logger/key", &bearer(&log)).await.unwrap();
    assert_eq!(found["eid_sign"], key.json()["key"]);
    assert!(is_base64_of(&found["nonce"], 32), "{found}");
    assert_ne!(found["nonce"], settings(&fleet, &rights).await["nonce"]);
    assert_eq!(found["http_option_hsts"], false);
    assert_eq!(found["http_option_dosprot_mode"], 0);
}

#[tokio::test]
async fn what_is_changed_stays_changed_over_a_reboot() {
    let fleet = one("").await;
    let rights = token(&fleet, "system:config").await;
    let wanted = json!({
        "user": "Bob", "email": "", "origin": "*", "ctx": 7, "allow_keysearch": false,
        "trusted_ts": false, "trusted_backend": false, "dnsd": true,
        "http_option_hsts": true, "http_option_dosprot_mode": 4,
    });
    let reply = set(&fleet, &rights, &wanted).await;
    assert_eq!(
        (reply.status, &reply.json()["updated"]),
        (200, &true.into())
    );
    get(&fleet, "/api/system/reboot", &bearer(&rights))
        .await
        .unwrap();
    // The trusted time is off now: logins work without a check-in.
    assert_eq!(back(&fleet, 1).await["tts"], false);
    let rights = token(&fleet, "system:config").await;
    let found = settings(&fleet, &rights).await;
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(&found[name], value, "{name}");
    }
}

#[tokio::test]
async fn changes_want_their_scope_and_the_right_kinds_of_values() {
    let fleet = one("").await;
    let rights = token(&fleet, "system:config").await;
    let before = settings(&fleet, &rights).await;
    let reading = token(&fleet, "logger:get").await;
    assert_eq!(
        set(&fleet, &reading, &json!({ "user": "x" })).await.status,
        403
    );
    let nobody = post(&fleet, CONFIG, "", b"{\"user\":\"x\"}").await.unwrap();
    assert_eq!(nobody.status, 401);
    for (body, status) in [
        (json!({}), 400),
        (json!([]), 400),
        (json!({ "user": 7 }), 400),
        (json!({ "user": "x", "trusted_ts": "yes" }), 400),
        (json!({ "unheard_of": 1 }), 400),
        (json!({ "tls": { "crt": "no certificate" } }), 400),
        // Not simulated, and said so by the status of an operation that failed.
        (json!({ "wipeout": true }), 406),
        (json!({ "gen_csr": true }), 406),
    ] {
        assert_eq!(set(&fleet, &rights, &body).await.status, status, "{body}");
    }
    let after = settings(&fleet, &rights).await;
    assert_eq!(
        (&after["user"], &after["trusted_ts"]),
        (&before["user"], &before["trusted_ts"])
    );
    get(&fleet, "/api/system/reboot", &bearer(&rights))
        .await
        .unwrap();
    let (_, file) = super::logger::closed(&fleet).await;
    let told = super::logger::told(&file);
    assert!(
        told.ends_with(&[(0xc, 1), (0x12, 1), (0x12, 1), (2, 0)]),
        "{told:x?}"
    );
}
