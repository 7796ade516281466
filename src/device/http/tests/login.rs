//! Logins against a server that verifies with real cryptography.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::test_server::{Guest, Server, device, patient, spec};
use crate::device::http::HttpDevice;
use crate::device::{Device as _, LoginError};
use crate::hem::ejwt;
use crate::model::{
    AuthMethod, Component, Credential, Credentials, Derivation, DeviceSpec, FailureKind, KdfChoice,
    Scope, Secret, SecretSource,
};

type Notes = Arc<Mutex<Vec<String>>>;

const SESSION: [u8; 32] = [9; 32];
const LIFETIME: Duration = Duration::from_secs(3600);

fn passphrase(server: &Server) -> HttpDevice {
    let secret = Secret::new("hunter2".into());
    device(
        spec(server.at),
        Credential::Passphrase(secret, KdfChoice::Pbkdf2),
        patient(),
    )
}

/// A device whose clock is `ahead` of ours and which answers each eJWT with `status`. Notes `ask` for
/// a challenge and the claims of each eJWT.
async fn with_clock(ahead: Option<i64>, status: u16) -> Server {
    Server::start(None, move |mut guest: Guest, notes: Notes| async move {
        let (head, body) = guest.request().await;
        let note = |text: String| notes.lock().unwrap().push(text);
        if head.starts_with("GET /api/auth/token ") {
            note("ask".into());
            let spk = ejwt::public_key_b64(&ejwt::PrivateKey::from_bytes(SESSION));
            let exp = ahead.map(|ahead| jiff::Timestamp::now().as_second() + 60 + ahead);
            let challenge = json!({"exp": exp, "spk": spk, "jti": "n", "lbl": "Alice", "eid": "e"});
            guest.answer(200, &challenge.to_string()).await;
        } else if head.starts_with("GET ") {
            guest.answer(202, "").await;
        } else {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let claims = ejwt::verify(body["auth"].as_str().unwrap(), &SESSION).unwrap();
            note(serde_json::to_string(&claims).unwrap());
            guest.answer(status, r#"{"token":"t.o.k"}"#).await;
        }
    })
    .await
}

fn claims(server: &Server) -> ejwt::Claims {
    serde_json::from_str(server.noted().last().unwrap()).unwrap()
}

#[tokio::test]
async fn a_login_uses_the_clock_of_the_device() {
    for ahead in [Some(43_200), Some(-86_400), None] {
        let server = with_clock(ahead, 200).await;
        let begun = Instant::now();
        let session = passphrase(&server)
            .login(Scope::Upgrade, LIFETIME)
            .await
            .unwrap();
        assert_eq!(session.token.unwrap().expose(), b"t.o.k");
        assert_eq!(session.derivation, Some(Derivation::Pbkdf2));
        let expires = session.expires.unwrap();
        assert!(expires >= begun + LIFETIME * 9 / 10);
        assert!(expires <= Instant::now() + LIFETIME * 10 / 11);
        let claims = claims(&server);
        assert_eq!(claims.exp - claims.iat, 3605);
        assert_eq!(claims.scope, "system:upgrade");
        let off = claims.iat - jiff::Timestamp::now().as_second() - ahead.unwrap_or(0);
        assert!((-65..=0).contains(&off), "{off}");
        // As the log may have it: from the device's now on, for as long as this login took and no longer.
        let now = u64::try_from(claims.iat + 5).unwrap();
        let took = begun.elapsed().mul_f64(1.1).as_secs();
        assert_eq!(session.issued.is_some(), ahead.is_some());
        if let Some(issued) = session.issued {
            assert_eq!(*issued.start(), now - 2);
            assert!((now + 2..=now + took + 3).contains(issued.end()));
        }
    }
}

/// Behind the same tunnel another device may answer after the reboot. It is told nothing of the secret.
#[tokio::test]
async fn the_log_of_another_device_is_not_logged_in_for() {
    let server = Server::start(None, |mut guest: Guest, notes: Notes| async move {
        let (head, _) = guest.request().await;
        notes
            .lock()
            .unwrap()
            .push(head.lines().next().unwrap().to_owned());
        if head.starts_with("GET ") {
            let eid = if guest.n < 4 { "e" } else { "another" };
            let spk = ejwt::public_key_b64(&ejwt::PrivateKey::from_bytes(SESSION));
            let challenge = json!({"spk": spk, "jti": "n", "lbl": "Alice", "eid": eid});
            guest.answer(200, &challenge.to_string()).await;
        } else {
            guest.answer(200, r#"{"token":"t.o.k"}"#).await;
        }
    })
    .await;
    let device = passphrase(&server);
    for scope in [Scope::Upgrade, Scope::Log] {
        device.login(scope, LIFETIME).await.unwrap();
    }
    let told = device.login(Scope::Log, LIFETIME).await.unwrap_err();
    assert!(
        matches!(&told, LoginError::Failed(FailureKind::OtherDevice { what }) if what.contains("eid")),
        "{told:?}"
    );
    assert_eq!(server.noted().len(), 5, "nothing answers that challenge");
    // A new upgrade is of whatever device is there now.
    device.login(Scope::Upgrade, LIFETIME).await.unwrap();
    device.login(Scope::Log, LIFETIME).await.unwrap();
}

#[tokio::test]
async fn after_three_refusals_the_device_is_left_in_peace() {
    let server = with_clock(Some(0), 401).await;
    let device = passphrase(&server);
    for _ in 0..3 {
        assert_eq!(
            device.login(Scope::Upgrade, LIFETIME).await.unwrap_err(),
            FailureKind::WrongSecret.into()
        );
    }
    assert_eq!(server.noted().len(), 6);
    assert_eq!(
        device.login(Scope::Upgrade, LIFETIME).await.unwrap_err(),
        FailureKind::LoginsUsedUp.into()
    );
    assert_eq!(server.noted().len(), 6);
}

/// Another process has begun the run, and was killed.
#[tokio::test]
async fn refusals_of_a_process_before_this_one_count() {
    let server = with_clock(Some(0), 401).await;
    let device = passphrase(&server).after_refused_logins(2);
    for wanted in [FailureKind::WrongSecret, FailureKind::LoginsUsedUp] {
        let said = device.login(Scope::Upgrade, LIFETIME).await.unwrap_err();
        assert_eq!(said, wanted.into());
    }
    assert_eq!(server.noted().len(), 2);
}

#[tokio::test]
async fn clocks_apart_are_told_from_a_wrong_secret() {
    let server = with_clock(Some(3_000), 401).await;
    match passphrase(&server).login(Scope::Upgrade, LIFETIME).await {
        Err(LoginError::ClockApart { seconds }) => {
            assert!((2_990..=3_010).contains(&seconds), "{seconds}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unset_clock_is_told_at_both_steps() {
    let server = with_clock(Some(0), 403).await;
    assert_eq!(
        passphrase(&server)
            .login(Scope::Upgrade, LIFETIME)
            .await
            .unwrap_err(),
        LoginError::ClockUnset
    );
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest.answer(403, "").await;
    })
    .await;
    assert_eq!(
        passphrase(&server)
            .login(Scope::Upgrade, LIFETIME)
            .await
            .unwrap_err(),
        LoginError::ClockUnset
    );
}

#[tokio::test]
async fn other_answers_are_told() {
    for status in [400, 409, 411, 412, 413, 418, 500, 795] {
        let expected = LoginError::from(FailureKind::Status { status });
        let server = with_clock(Some(0), status).await;
        let at_answer = passphrase(&server).login(Scope::Upgrade, LIFETIME).await;
        assert_eq!(at_answer.unwrap_err(), expected);
        let server = Server::start(None, move |mut guest: Guest, _| async move {
            guest.head().await;
            guest.answer(status, "").await;
        })
        .await;
        let at_challenge = passphrase(&server).login(Scope::Upgrade, LIFETIME).await;
        assert_eq!(at_challenge.unwrap_err(), expected);
    }
    for challenge in [
        r#"{"spk":"AAAA","jti":"n","eid":"e"}"#,
        "{}",
        r#"{"exp":-1,"spk":"A","jti":"n","eid":"e"}"#,
        r#"{"exp":null,"spk":null,"jti":"n","eid":"e"}"#,
        r#"{"exp":1,"spk":"A","jti":"n","eid":7}"#,
    ] {
        let server = Server::start(None, move |mut guest: Guest, _| async move {
            guest.head().await;
            guest.answer(200, challenge).await;
        })
        .await;
        let e = passphrase(&server)
            .login(Scope::Upgrade, LIFETIME)
            .await
            .unwrap_err();
        assert!(
            matches!(e, LoginError::Failed(FailureKind::BadAnswer { .. })),
            "{e:?}"
        );
    }
}

#[tokio::test]
async fn tokens_and_nothing_ask_nobody() {
    let server = with_clock(Some(0), 200).await;
    let token = Credential::Token(Secret::new("abc".into()));
    let with_token = device(spec(server.at), token, patient());
    let session = with_token.login(Scope::Upgrade, LIFETIME).await.unwrap();
    assert_eq!(session.token.unwrap().expose(), b"abc");
    assert_eq!(session.expires, None);
    // What a token from elsewhere is good for is not known: it is for the upgrade alone.
    assert_eq!(
        with_token.login(Scope::Log, LIFETIME).await.unwrap_err(),
        FailureKind::NoCredential.into()
    );
    let phone = device(spec(server.at), Credential::Mobile, patient());
    assert_eq!(
        phone.login(Scope::Upgrade, LIFETIME).await.unwrap_err(),
        FailureKind::NoCredential.into()
    );
    let without = device(spec(server.at), Credential::None, patient());
    assert_eq!(
        without.login(Scope::Upgrade, LIFETIME).await.unwrap_err(),
        FailureKind::NoCredential.into()
    );
    assert!(server.noted().is_empty());
}

/// A plan reads no secret, and has to say all the same what a run would do.
#[tokio::test]
async fn what_there_is_to_enter_with_is_known_without_the_secret() {
    let server = with_clock(Some(0), 200).await;
    let source = || SecretSource::Env("HEM".to_owned());
    for (auth, wanted) in [
        (AuthMethod::None, Credentials::None),
        (AuthMethod::Token(source()), Credentials::Token),
        (
            AuthMethod::Passphrase(source(), KdfChoice::Pbkdf2),
            Credentials::Login,
        ),
    ] {
        let spec = DeviceSpec {
            auth,
            ..spec(server.at)
        };
        let device = device(spec, Credential::None, patient());
        assert_eq!(device.credentials(), wanted);
    }
}

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_of_requests_and_no_secret() {
    // While there is one subscriber only, a line that another test's thread is the first to reach is
    // switched off for all threads, since that thread has none. A second one makes each be asked.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = with_clock(Some(0), 200).await;
    let device = passphrase(&server);
    let session = device.login(Scope::Upgrade, LIFETIME).await.unwrap();
    let _ = device.check(Component::Firmware, &session, LIFETIME).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("/api/auth/token") && text.contains("status=200"),
        "{text}"
    );
    for secret in ["hunter2", "t.o.k", "eyJ", "Bearer"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Serves this challenge, and notes what comes back.
async fn with_challenge(status: u16, challenge: Value) -> Server {
    Server::start(None, move |mut guest: Guest, notes: Notes| {
        let challenge = challenge.clone();
        async move {
            let (head, _) = guest.request().await;
            let line = head.lines().next().unwrap().to_owned();
            notes.lock().unwrap().push(line);
            guest.answer(status, &challenge.to_string()).await;
        }
    })
    .await
}

/// A device that refuses even to be asked is left in peace after three times, one that stumbles is not.
#[tokio::test]
async fn a_401_to_the_question_for_a_challenge_is_a_refusal() {
    for (status, last) in [
        (401, FailureKind::LoginsUsedUp),
        (500, FailureKind::Status { status: 500 }),
    ] {
        let server = with_challenge(status, json!({})).await;
        let device = passphrase(&server);
        for _ in 0..3 {
            let told = device.login(Scope::Upgrade, LIFETIME).await.unwrap_err();
            assert_eq!(told, FailureKind::Status { status }.into());
        }
        let told = device.login(Scope::Upgrade, LIFETIME).await.unwrap_err();
        assert_eq!(told, last.into());
    }
}

/// No secret's answer goes to a challenge that cannot be right.
#[tokio::test]
async fn a_challenge_that_cannot_be_answered_is_not_answered() {
    let spk = ejwt::public_key_b64(&ejwt::PrivateKey::from_bytes(SESSION));
    // Each of these takes six bytes in JSON.
    let wide = "\u{1}".repeat(1000);
    for (exp, text, why) in [
        (-1, "n", "no time"),
        (253_402_300_800_i64, "n", "no time"),
        (1_800_000_000, &wide, "too long to answer"),
    ] {
        let challenge = json!({"exp": exp, "spk": spk, "jti": text, "lbl": text, "eid": text});
        let server = with_challenge(200, challenge).await;
        let told = passphrase(&server)
            .login(Scope::Upgrade, LIFETIME)
            .await
            .unwrap_err();
        assert!(
            matches!(&told, LoginError::Failed(FailureKind::BadAnswer { what }) if what.contains(why)),
            "{told:?}"
        );
        assert_eq!(server.noted().len(), 1);
    }
}
