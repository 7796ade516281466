//! Section 6: authentication.

use serde_json::json;

use super::*;
use crate::sim::device::credential::Credential;

const CONFIG: &str = "/api/system/config";

#[tokio::test]
async fn a_login_brings_a_token_of_its_scope() {
    let fleet = one("").await;
    let token = token(&fleet, "system:config").await;
    assert_eq!(
        get(&fleet, CHECK, &bearer(&token)).await.unwrap().status,
        404
    );
    // Upload takes system:upgrade alone.
    assert_eq!(upload(&fleet, &token, b"x").await.unwrap().status, 403);
    let recording = fleet.hem().recording();
    assert_eq!((recording.logins, recording.login_attempts()), (1, 1));
    let other = super::token(&fleet, "logger:get").await;
    for path in [CHECK, INSTALL, "/api/system/reboot"] {
        assert_eq!(
            get(&fleet, path, &bearer(&other)).await.unwrap().status,
            403
        );
    }
}

#[tokio::test]
async fn a_device_accepts_the_keys_of_one_kind_of_software_and_no_other() {
    use Credential::{
        MasterPassphrase, MasterPassphraseArgon2, MasterWords, MasterWordsLegacy, Passphrase,
        PassphraseArgon2,
    };
    let kinds = [
        ("passphrase", [Passphrase, MasterWords, MasterPassphrase]),
        (
            "argon2",
            [PassphraseArgon2, MasterWordsLegacy, MasterPassphraseArgon2],
        ),
        ("master-words", [Passphrase, MasterWords, MasterPassphrase]),
        (
            "master-words-legacy",
            [PassphraseArgon2, MasterWordsLegacy, MasterPassphraseArgon2],
        ),
        ("mobile", [Passphrase, MasterWords, MasterPassphrase]),
    ];
    for (auth, own) in kinds {
        let fleet = one(&format!("auth = \"{auth}\"")).await;
        for (credential, role) in [
            (Passphrase, "U"),
            (PassphraseArgon2, "U"),
            (MasterWords, "M"),
            (MasterWordsLegacy, "M"),
            (MasterPassphrase, "M"),
            (MasterPassphraseArgon2, "M"),
        ] {
            let challenge = get(&fleet, "/api/auth/token", "").await.unwrap();
            let key = |eid: &str| credential.private_key(eid).unwrap();
            let ejwt = answer_with(&challenge.body, key, "logger:get", 3600);
            let reply = post_json(&fleet, "/api/auth/token", &json!({ "auth": ejwt })).await;
            let status = if own.contains(&credential) { 200 } else { 401 };
            assert_eq!(reply.status, status, "{credential:?} at {auth}");
            if status == 200 {
                let token: serde_json::Value = reply.json()["token"].clone();
                let claims: serde_json::Value =
                    crate::sim::tokens::mac_token::unverified(token.as_str().unwrap()).unwrap();
                assert_eq!(claims["sub"], role);
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_passphrase_is_401() {
    let fleet = one("").await;
    assert_eq!(
        login(&fleet, "wrong", "system:upgrade", 3600).await.status,
        401
    );
    assert_eq!(fleet.hem().recording().logins, 0);
    assert_eq!(
        login(&fleet, PASSPHRASE, "system:upgrade", 3600)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_nonce_is_spent_by_any_attempt() {
    let fleet = one("").await;
    let challenge = get(&fleet, "/api/auth/token", "").await.unwrap();
    let wrong = answer_challenge(&challenge.body, "wrong", "system:upgrade", 3600);
    let right = answer_challenge(&challenge.body, PASSPHRASE, "system:upgrade", 3600);
    for ejwt in [&wrong, &right] {
        let reply = post_json(&fleet, "/api/auth/token", &json!({ "auth": ejwt })).await;
        assert_eq!(reply.status, 401);
    }
    // And by a good one too.
    let challenge = get(&fleet, "/api/auth/token", "").await.unwrap();
    let right = answer_challenge(&challenge.body, PASSPHRASE, "system:upgrade", 3600);
    let body = json!({ "auth": right });
    assert_eq!(
        post_json(&fleet, "/api/auth/token", &body).await.status,
        200
    );
    assert_eq!(
        post_json(&fleet, "/api/auth/token", &body).await.status,
        401
    );
}

#[tokio::test]
async fn an_expiry_that_is_past_on_the_devices_clock_is_401() {
    let fleet = one("clock_offset = 7200").await;
    let challenge = get(&fleet, "/api/auth/token", "").await.unwrap();
    let ahead = challenge.json()["exp"].as_i64().unwrap() - 60 - jiff::Timestamp::now().as_second();
    assert!((7170..7230).contains(&ahead), "{ahead}");
    assert_eq!(
        login(&fleet, PASSPHRASE, "system:upgrade", -3600)
            .await
            .status,
        401
    );
    assert_eq!(
        login(&fleet, PASSPHRASE, "system:upgrade", 3600)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_token_expires_by_the_devices_clock() {
    let fleet = one("clock_offset = 7200").await;
    let now = fleet.hem().clock().unwrap();
    assert!(now > jiff::Timestamp::now().as_second() + 7000);
    for (exp, status) in [(now - 1, 401), (now + 3600, 404)] {
        let token = fleet.hem().token("system:upgrade", exp);
        assert_eq!(
            get(&fleet, CHECK, &bearer(&token)).await.unwrap().status,
            status
        );
    }
}

#[tokio::test]
async fn nobody_logs_in_without_a_clock_a_user_or_health() {
    for (lines, status) in [
        ("clock = \"unset\"", 403),
        ("fresh = true", 409),
        ("fls_state = 2", 409),
        ("clock = \"unset\"\ntrusted_time = false", 200),
    ] {
        let fleet = one(lines).await;
        let reply = get(&fleet, "/api/auth/token", "").await.unwrap();
        assert_eq!(reply.status, status, "{lines}");
        if status != 200 {
            let body = json!({ "auth": "a.b.c" });
            let reply = post_json(&fleet, "/api/auth/token", &body).await;
            assert_eq!(reply.status, status, "{lines}");
        }
    }
}

#[tokio::test]
async fn bad_arguments_are_400() {
    let fleet = one("").await;
    for body in ["", "{", "[]", "{}", "{\"auth\":null}"] {
        let reply = post(&fleet, "/api/auth/token", "", body.as_bytes()).await;
        assert_eq!(reply.unwrap().status, 400, "{body}");
    }
    for ejwt in ["", "...", "x"] {
        let reply = post_json(&fleet, "/api/auth/token", &json!({ "auth": ejwt })).await;
        assert_eq!(reply.status, 401, "{ejwt}");
    }
}

#[tokio::test]
async fn a_fresh_device_wants_no_token_for_the_upgrade() {
    let fleet = one("fresh = true").await;
    let head = "Content-Disposition: attachment; filename=\"firmware.bin\"\r\n";
    let reply = post(&fleet, UPLOAD, head, &fleet.image()).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(get(&fleet, CHECK, "").await.unwrap().status, 201);
    assert_eq!(get(&fleet, CHECK, &bearer("x")).await.unwrap().status, 401);
    assert_eq!(get(&fleet, CONFIG, "").await.unwrap().status, 401);
}

#[tokio::test]
async fn tokens_say_when_they_were_issued_and_have_an_id_of_their_own() {
    let fleet = one("").await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..2 {
        let now = fleet.hem().clock().unwrap();
        let said = claims(&token(&fleet, "logger:get").await.into());
        let age = said["iat"].as_i64().unwrap() - now;
        assert!((0..60).contains(&age), "{said}");
        assert!(
            ids.insert(said["jti"].as_str().unwrap().to_owned()),
            "{said}"
        );
    }
}

#[tokio::test]
async fn the_master_may_have_a_passphrase_beside_the_words() {
    for auth in ["passphrase", "argon2"] {
        let fleet = one(&format!("auth = \"{auth}\"")).await;
        let folder = tempfile::tempdir().unwrap();
        fleet.write_lab(folder.path()).unwrap();
        let secret = std::fs::read(folder.path().join("master-passphrase")).unwrap();
        let secret = Secret::new(secret.trim_ascii_end().to_vec());
        let challenge = get(&fleet, "/api/auth/token", "").await.unwrap();
        let key = |eid: &str| match auth {
            "argon2" => kdf::argon2d(&secret, eid).unwrap(),
            _ => kdf::pbkdf2(&secret, eid),
        };
        let ejwt = answer_with(&challenge.body, key, "logger:get", 600);
        let reply = post_json(&fleet, "/api/auth/token", &json!({ "auth": ejwt })).await;
        assert_eq!(reply.status, 200, "{auth}");
        assert_eq!(claims(&reply.json()["token"])["sub"], "M", "{auth}");
    }
}

#[tokio::test]
async fn the_throttle_holds_no_challenge_back() {
    let fleet = paced(0.3, "").await;
    for _ in 0..3 {
        assert_eq!(stranger(&fleet).await.status, 401);
    }
    let body = json!({ "auth": "a.b.c" });
    let login = post_json(&fleet, "/api/auth/token", &body);
    let challenge = async {
        let arrived = |j: &crate::sim::Recording| j.login_attempts() == 4;
        within("what the device is to see", fleet.hem().wait_for(arrived)).await;
        get(&fleet, "/api/auth/token", "").await.unwrap()
    };
    tokio::select! {
        biased;
        reply = login => panic!("the login, which is throttled, was answered first: {reply:?}"),
        challenge = challenge => assert_eq!(challenge.status, 200),
    }
}

#[tokio::test]
async fn failures_are_counted_until_somebody_logs_in() {
    // Slow enough for the device to remember them on a loaded machine.
    let fleet = paced(0.2, "").await;
    // The first brings the derivation of the device's own keys.
    stranger(&fleet).await;
    let known = token(&fleet, "s").await;
    assert!(!known.is_empty() && fleet.hem().refused_logins() == 0);
    for _ in 0..3 {
        assert_eq!(stranger(&fleet).await.status, 401);
    }
    assert_eq!(fleet.hem().refused_logins(), 3);
    assert_eq!(login(&fleet, PASSPHRASE, "s", 60).await.status, 200);
    assert_eq!(fleet.hem().refused_logins(), 0);
}

#[tokio::test]
async fn a_reply_waits_for_its_time() {
    let fleet = one("").await;
    let slow = Scenario {
        tempo: 100.0,
        ..fleet.scenario().clone()
    };
    let fleet = SimFleet::start(&slow, &SimOptions::default())
        .await
        .unwrap();
    let others = async {
        within(
            "the request",
            fleet.hem().wait_for(|j| j.requests.len() == 1),
        )
        .await;
        for _ in 0..3 {
            version(&fleet).await;
        }
    };
    tokio::select! {
        reply = get(&fleet, "/api/auth/token", "") => panic!("too early: {reply:?}"),
        () = others => {}
    }
}
