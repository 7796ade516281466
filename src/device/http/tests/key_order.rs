//! Which key is tried when, against a device that knows one of the vectors' users.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::test_server::{Guest, Server, device, patient, spec, with_broker};
use crate::device::http::HttpDevice;
use crate::device::{Device as _, LoginError};
use crate::hem::ejwt;
use crate::model::{Credential, Derivation, FailureKind, KdfChoice, Scope, Secret, WordsChoice};

type Notes = Arc<Mutex<Vec<String>>>;

const LIFETIME: Duration = Duration::from_secs(600);

/// Made with other software (`tests/vectors`).
fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ejwt.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn case(vectors: &Value, kind: &str) -> Value {
    let cases = vectors["cases"].as_array().unwrap();
    cases.iter().find(|c| c["kind"] == kind).unwrap().clone()
}

fn secret(kind: &str) -> Secret {
    let case = case(&vectors(), kind);
    let text = case.get("passphrase").or(case.get("words")).unwrap();
    Secret::new(text.as_str().unwrap().into())
}

fn passphrase(choice: KdfChoice) -> Credential {
    Credential::Passphrase(secret("passphrase-pbkdf2"), choice)
}

fn words(choice: WordsChoice) -> Credential {
    Credential::MasterWords(secret("master-words"), choice)
}

/// A device, and a broker under `/b`, whose user is the vectors' one of `kind`; nobody where there is no
/// such kind. Its clock is `ahead` of ours, whatever the check-ins. Notes the scope of what it took, and `401`.
async fn knowing(kind: &str, ahead: i64, eid: Option<&'static str>) -> Server {
    let vectors = vectors();
    let user = vectors["cases"].as_array().unwrap().iter();
    let user = user
        .filter(|c| c["kind"] == kind)
        .map(|c| c["public_key_b64"].clone())
        .next();
    let hex = vectors["device_session_private_key_hex"].as_str().unwrap();
    let session: [u8; 32] =
        std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap());
    let mut challenge = vectors["challenge"].clone();
    if let Some(eid) = eid {
        challenge["eid"] = eid.into();
    }
    Server::start(None, move |mut guest: Guest, notes: Notes| {
        let (mut challenge, user) = (challenge.clone(), user.clone());
        async move {
            let (head, body) = guest.request().await;
            if head.contains("/checkin ") {
                // Good for the device's steps and for the broker's.
                guest.answer(200, r#"{"status":"OK"}"#).await;
            } else if head.starts_with("GET ") {
                let now = jiff::Timestamp::now().as_second();
                challenge["exp"] = json!(now + 60 + ahead);
                guest.answer(200, &challenge.to_string()).await;
            } else {
                let body: Value = serde_json::from_slice(&body).unwrap();
                let claims = ejwt::verify(body["auth"].as_str().unwrap(), &session).unwrap();
                let known = user.is_some_and(|user| user == claims.iss.as_str());
                let (status, note) = if known {
                    (200, claims.scope)
                } else {
                    (401, "401".to_owned())
                };
                notes.lock().unwrap().push(note);
                guest.answer(status, r#"{"token":"t.o.k"}"#).await;
            }
        }
    })
    .await
}

fn entering(server: &Server, credential: Credential) -> HttpDevice {
    device(spec(server.at), credential, patient())
}

async fn login(device: &HttpDevice, scope: Scope) -> Result<Derivation, LoginError> {
    let session = device.login(scope, LIFETIME).await?;
    assert_eq!(session.token.unwrap().expose(), b"t.o.k");
    Ok(session.derivation.unwrap())
}

fn other(refused: Derivation, next: Derivation) -> Result<Derivation, LoginError> {
    Err(LoginError::OtherDerivation { refused, next })
}

fn wrong() -> Result<Derivation, LoginError> {
    Err(FailureKind::WrongSecret.into())
}

fn used_up() -> Result<Derivation, LoginError> {
    Err(FailureKind::LoginsUsedUp.into())
}

#[tokio::test]
async fn every_kind_of_user_is_entered_as_and_what_worked_is_kept_for_the_log() {
    for (kind, credential, derivation) in [
        (
            "passphrase-pbkdf2",
            passphrase(KdfChoice::Pbkdf2),
            Derivation::Pbkdf2,
        ),
        (
            "passphrase-argon2d",
            passphrase(KdfChoice::Argon2),
            Derivation::Argon2d,
        ),
        (
            "master-words",
            words(WordsChoice::Current),
            Derivation::MasterWords,
        ),
        (
            "master-words-legacy",
            words(WordsChoice::Legacy),
            Derivation::MasterWordsLegacy,
        ),
    ] {
        let server = knowing(kind, 0, None).await;
        let device = entering(&server, credential);
        for scope in [Scope::Upgrade, Scope::Log] {
            assert_eq!(login(&device, scope).await, Ok(derivation), "{kind}");
        }
        assert_eq!(server.noted(), ["system:upgrade", "logger:get"]);
    }
}

#[tokio::test]
async fn the_second_way_is_tried_after_the_first_and_kept() {
    use Derivation::{Argon2d, MasterWords, MasterWordsLegacy, Pbkdf2};
    for (kind, credential, first, second) in [
        (
            "passphrase-argon2d",
            passphrase(KdfChoice::Auto),
            Pbkdf2,
            Argon2d,
        ),
        (
            "master-words-legacy",
            words(WordsChoice::Auto),
            MasterWords,
            MasterWordsLegacy,
        ),
    ] {
        let server = knowing(kind, 0, None).await;
        let device = entering(&server, credential);
        let refused = login(&device, Scope::Upgrade).await;
        assert_eq!(refused, other(first, second));
        for scope in [Scope::Upgrade, Scope::Log] {
            assert_eq!(login(&device, scope).await, Ok(second), "{kind}");
        }
        assert_eq!(server.noted(), ["401", "system:upgrade", "logger:get"]);
    }
}

#[tokio::test]
async fn all_ways_and_scopes_together_are_refused_three_times_at_most() {
    use Derivation::{Argon2d, Pbkdf2};
    let server = knowing("nobody", 0, None).await;
    let device = entering(&server, passphrase(KdfChoice::Auto));
    assert_eq!(login(&device, Scope::Upgrade).await, other(Pbkdf2, Argon2d));
    assert_eq!(login(&device, Scope::Upgrade).await, wrong());
    // A person's retry; the other way might be the right one, but may not be tried any more.
    assert_eq!(login(&device, Scope::Log).await, used_up());
    assert_eq!(login(&device, Scope::Upgrade).await, used_up());
    assert_eq!(server.noted(), ["401"; 3]);
}

#[tokio::test]
async fn an_eid_that_cannot_be_argon2s_salt_leaves_one_way() {
    let server = knowing("nobody", 0, Some("no base64!")).await;
    let auto = entering(&server, passphrase(KdfChoice::Auto));
    assert_eq!(login(&auto, Scope::Upgrade).await, wrong());
    let argon2 = entering(&server, passphrase(KdfChoice::Argon2));
    match login(&argon2, Scope::Upgrade).await {
        Err(LoginError::Failed(FailureKind::BadAnswer { what })) => {
            assert!(what.contains("eid"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.noted(), ["401"]);
}

#[tokio::test]
async fn clocks_apart_come_first_and_a_check_in_settles_them() {
    use Derivation::{Argon2d, Pbkdf2};
    let server = knowing("passphrase-argon2d", 3_000, None).await;
    let device = entering(&server, passphrase(KdfChoice::Auto));
    for _ in 0..2 {
        let refused = login(&device, Scope::Upgrade).await;
        assert!(
            matches!(refused, Err(LoginError::ClockApart { .. })),
            "{refused:?}"
        );
    }
    // No third one: the check-in would be made for nothing.
    assert_eq!(login(&device, Scope::Upgrade).await, used_up());

    // Once a check-in has set the device's clock, it is ours that is wrong.
    let url = format!("http://{}/b", server.at);
    let device = with_broker(entering(&server, passphrase(KdfChoice::Auto)), &url);
    let refused = login(&device, Scope::Upgrade).await;
    assert!(matches!(refused, Err(LoginError::ClockApart { .. })));
    device.checkin().await.unwrap();
    assert_eq!(login(&device, Scope::Upgrade).await, other(Pbkdf2, Argon2d));
    assert_eq!(login(&device, Scope::Upgrade).await, Ok(Argon2d));
}

#[tokio::test]
async fn a_secret_that_is_to_be_typed_is_asked_for_before_anything_is_sent() {
    use Derivation::Argon2d;
    let server = knowing("passphrase-argon2d", 0, None).await;
    let device = entering(&server, Credential::Prompt);
    let wanted = || Err(LoginError::SecretWanted);
    assert_eq!(login(&device, Scope::Upgrade).await, wanted());
    assert!(server.noted().is_empty());

    // Refused in one way it may be mistyped; typed again unchanged, it is not.
    device.give_secret(secret("passphrase-argon2d"));
    assert_eq!(login(&device, Scope::Upgrade).await, wrong());
    assert_eq!(login(&device, Scope::Upgrade).await, wanted());
    device.give_secret(secret("passphrase-argon2d"));
    assert_eq!(login(&device, Scope::Upgrade).await, Ok(Argon2d));
    // Kept for the log, and not asked for again.
    assert_eq!(login(&device, Scope::Log).await, Ok(Argon2d));
}

#[tokio::test]
async fn one_slip_at_a_prompt_leaves_both_kinds_of_users_a_chance() {
    use Derivation::{Argon2d, Pbkdf2};
    for (kind, sent) in [
        ("passphrase-pbkdf2", &["401", "system:upgrade"][..]),
        ("passphrase-argon2d", &["401", "401", "system:upgrade"]),
    ] {
        let server = knowing(kind, 0, None).await;
        let device = entering(&server, Credential::Prompt);
        device.give_secret(Secret::new("mistyped".into()));
        assert_eq!(login(&device, Scope::Upgrade).await, wrong());
        device.give_secret(secret(kind));
        let entered = login(&device, Scope::Upgrade).await;
        if kind == "passphrase-pbkdf2" {
            assert_eq!(entered, Ok(Pbkdf2));
        } else {
            assert_eq!(entered, other(Pbkdf2, Argon2d));
            assert_eq!(login(&device, Scope::Upgrade).await, Ok(Argon2d));
        }
        assert_eq!(server.noted(), sent, "{kind}");
    }
}

#[tokio::test]
async fn what_worked_for_one_typed_secret_comes_first_for_the_next() {
    let server = knowing("passphrase-argon2d", 0, None).await;
    let likely = Arc::new(crate::device::http::login::derived_keys::TypedDerivation::default());
    likely.worked(Derivation::Argon2d);
    let mut device = entering(&server, Credential::Prompt);
    device.logins =
        crate::device::http::login::login_memory::Logins::new(&Credential::Prompt, likely);
    device.give_secret(secret("passphrase-argon2d"));
    let entered = login(&device, Scope::Upgrade).await;
    assert_eq!(entered, Ok(Derivation::Argon2d));
}

#[tokio::test]
async fn a_mistyped_secret_is_forgotten_and_its_refusals_are_not() {
    use Derivation::Pbkdf2;
    let server = knowing("passphrase-pbkdf2", 0, None).await;
    let device = entering(&server, Credential::Prompt);
    device.give_secret(Secret::new("mistyped".into()));
    assert_eq!(login(&device, Scope::Upgrade).await, wrong());
    device.give_secret(Secret::new("mistyped".into()));
    assert_eq!(login(&device, Scope::Upgrade).await, wrong());
    assert_eq!(
        login(&device, Scope::Upgrade).await,
        Err(LoginError::SecretWanted)
    );
    device.give_secret(secret("passphrase-pbkdf2"));
    assert_eq!(login(&device, Scope::Upgrade).await, Ok(Pbkdf2));
    // The third 401 of this run, for another secret.
    device.give_secret(Secret::new("mistyped".into()));
    assert_eq!(login(&device, Scope::Log).await, used_up());
    device.give_secret(secret("passphrase-pbkdf2"));
    assert_eq!(login(&device, Scope::Log).await, used_up());
}

#[tokio::test]
async fn only_a_prompt_takes_another_secret() {
    let server = knowing("passphrase-pbkdf2", 0, None).await;
    let device = entering(&server, passphrase(KdfChoice::Pbkdf2));
    device.give_secret(Secret::new("another".into()));
    assert_eq!(login(&device, Scope::Upgrade).await, Ok(Derivation::Pbkdf2));
}
