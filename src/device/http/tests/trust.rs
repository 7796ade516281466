//! Which certificates of a device are trusted, and what is said of the others.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use tokio_rustls::TlsAcceptor;

use super::test_server::{
    Guest, HOST, Leaf, Pki, Server, Thief, device, patient, spec, tls_spec, within,
};
use crate::device::Device as _;
use crate::device::http::tls::client_config as trusting;
use crate::device::http::{Broker, HttpDevice, Links, SetupError};
use crate::hem::kdf::MasterWordsError;
use crate::model::{
    BrokerFault, Credential, DeviceStatus, FailureKind, LinkFault, Pace, Secret, SpkiPin, Timeouts,
    TlsFault, TlsTrust, WordsChoice,
};

/// Asks for the status of a server behind `tls`.
async fn look(tls: TlsAcceptor, trust: TlsTrust) -> Result<DeviceStatus, FailureKind> {
    let server = Server::start(Some(tls), |mut guest: Guest, _| async move {
        guest.head().await;
        // Ends with TCP's end of file, without TLS's farewell, as small servers do.
        guest
            .say("HTTP/1.1 200 OK\r\n\r\n{\"uptime\":5,\"fls_state\":0}")
            .await;
    })
    .await;
    device(tls_spec(server.at, trust), Credential::None, patient())
        .status()
        .await
}

fn tls(result: Result<DeviceStatus, FailureKind>) -> TlsFault {
    match result {
        Err(FailureKind::Link(LinkFault::Tls(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

fn ca(pki: &Pki) -> TlsTrust {
    TlsTrust::Ca(pki.ca_pem.as_str().into())
}

#[tokio::test]
async fn a_good_certificate_is_trusted_by_its_authority_alone() {
    let pki = Pki::new();
    let (good, _) = pki.leaf(HOST, Leaf::Good);
    look(good.clone(), ca(&pki)).await.unwrap();
    assert_eq!(
        tls(look(good, ca(&Pki::new())).await),
        TlsFault::UnknownIssuer
    );
}

#[tokio::test]
async fn expired_is_said_only_where_all_else_is_good() {
    let pki = Pki::new();
    let (expired, _) = pki.leaf(HOST, Leaf::Expired);
    match tls(look(expired.clone(), ca(&pki)).await) {
        TlsFault::Expired { days, not_after } => {
            assert!(days > 1000, "{days}");
            assert_eq!(not_after, "2021-03-04T00:00:00Z");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        tls(look(expired, ca(&Pki::new())).await),
        TlsFault::UnknownIssuer
    );
    let (elsewhere, _) = pki.leaf("other.ence.do", Leaf::Expired);
    let fault = tls(look(elsewhere, ca(&pki)).await);
    assert!(matches!(fault, TlsFault::WrongName { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_certificate_of_the_future_is_told() {
    let pki = Pki::new();
    let (future, _) = pki.leaf(HOST, Leaf::NotYet);
    let not_before = "3020-01-02T00:00:00Z".to_owned();
    assert_eq!(
        tls(look(future.clone(), ca(&pki)).await),
        TlsFault::NotYetValid { not_before }
    );
    assert_eq!(
        tls(look(future, ca(&Pki::new())).await),
        TlsFault::UnknownIssuer
    );
}

#[tokio::test]
async fn another_name_is_told_with_the_names() {
    let pki = Pki::new();
    let (other, _) = pki.leaf("other.ence.do", Leaf::Good);
    assert_eq!(
        tls(look(other, ca(&pki)).await),
        TlsFault::WrongName {
            wanted: HOST.into(),
            names: "other.ence.do".into(),
        }
    );
}

#[tokio::test]
async fn a_pin_stands_for_the_key_alone() {
    let pki = Pki::new();
    let (expired, pin) = pki.leaf("other.ence.do", Leaf::Expired);
    look(expired.clone(), TlsTrust::Pin(pin)).await.unwrap();
    let (_, others) = pki.leaf(HOST, Leaf::Good);
    let fault = tls(look(expired, TlsTrust::Pin(others)).await);
    let TlsFault::PinMismatch { got } = fault else {
        panic!("{fault:?}")
    };
    let encode = |pin: SpkiPin| base64::engine::general_purpose::STANDARD.encode(pin.0);
    assert_eq!(got, encode(pin));
}

/// Every way to trust a server that shows a good certificate; `pin` is that of the key in it.
fn every_trust(pki: &Pki, pin: SpkiPin) -> [TlsTrust; 3] {
    [TlsTrust::Pin(pin), ca(pki), TlsTrust::Insecure]
}

#[tokio::test]
async fn a_certificate_shown_without_its_key_is_refused_however_it_is_trusted() {
    let pki = Pki::new();
    let (stolen, pin) = pki.stolen(HOST, Thief::Tls13);
    let mut accepted = Vec::new();
    for trust in every_trust(&pki, pin) {
        match look(stolen.clone(), trust.clone()).await {
            Ok(_) => accepted.push(trust),
            refused => assert_eq!(tls(refused), TlsFault::WithoutKey, "{trust:?}"),
        }
    }
    assert_eq!(accepted, []);
}

/// The handshake alone of a client that trusts so, over either version of TLS: devices are spoken to in TLS 1.3
/// alone, so that their verifiers meet TLS 1.2 only here.
async fn handshake(server: TlsAcceptor, trust: &TlsTrust) -> Result<(), rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = trusting::verifier(trust, &provider).unwrap();
    let config = trusting::config(verifier, &provider, rustls::ALL_VERSIONS).unwrap();
    let (near, far) = tokio::io::duplex(16 * 1024);
    let name = rustls::pki_types::ServerName::try_from(HOST).unwrap();
    let client = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, near);
    let both = async { tokio::join!(client, server.accept(far)) };
    let (client, _) = within("a handshake over memory ended well or badly", both).await;
    let refused = |e: std::io::Error| {
        let inner = e.into_inner().expect("a fault of TLS");
        *inner.downcast::<rustls::Error>().expect("a fault of TLS")
    };
    client.map(drop).map_err(refused)
}

#[tokio::test]
async fn either_version_of_tls_wants_the_key_of_the_certificate() {
    use rustls::{CertificateError, Error};
    let pki = Pki::new();
    let mut accepted = Vec::new();
    for (thief, honest) in [(Thief::Tls13, Leaf::Good), (Thief::Tls12, Leaf::OldTls)] {
        let (stolen, pin) = pki.stolen(HOST, thief);
        for trust in every_trust(&pki, pin) {
            let bad = Error::InvalidCertificate(CertificateError::BadSignature);
            match handshake(stolen.clone(), &trust).await {
                Ok(()) => accepted.push((thief, trust)),
                Err(refused) => assert_eq!(refused, bad, "{trust:?} {thief:?}"),
            }
        }
        // The same with the certificate's own key: it is the key that makes the difference.
        let (good, pin) = pki.leaf(HOST, honest);
        for trust in every_trust(&pki, pin) {
            assert_eq!(handshake(good.clone(), &trust).await, Ok(()), "{trust:?}");
        }
    }
    assert_eq!(accepted, []);
}

#[tokio::test]
async fn a_brokers_certificate_shown_without_its_key_is_refused() {
    let pki = Pki::new();
    for thief in [Thief::Tls13, Thief::Tls12] {
        let (stolen, _) = pki.stolen("127.0.0.1", thief);
        let server = Server::start(Some(stolen), |mut guest: Guest, _| async move {
            guest.head().await;
            guest.answer(200, "{}").await;
        })
        .await;
        let url = format!("https://{}", server.at);
        let broker = Broker::new(&url, Some(&pki.ca_pem), &patient()).unwrap();
        let fault = broker.get("/notify/session", None).await.unwrap_err();
        let BrokerFault::Unreachable { what } = &fault else {
            panic!("{thief:?}: {fault:?}")
        };
        assert!(what.contains("BadSignature"), "{thief:?}: {what}");
    }
}

#[tokio::test]
async fn insecure_takes_anything() {
    let (expired, _) = Pki::new().leaf("other.ence.do", Leaf::Expired);
    look(expired, TlsTrust::Insecure).await.unwrap();
}

#[tokio::test]
async fn what_is_no_tls_is_told() {
    for greeting in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let server = Server::start(None, move |mut guest: Guest, _| async move {
            guest.say(greeting).await;
            guest.hang().await;
        })
        .await;
        let spec = tls_spec(server.at, TlsTrust::Insecure);
        let fault = tls(device(spec, Credential::None, patient()).status().await);
        assert_eq!(fault, TlsFault::NotTls, "{greeting}");
    }
}

#[tokio::test]
async fn older_tls_is_refused() {
    let (old, _) = Pki::new().leaf(HOST, Leaf::OldTls);
    let fault = tls(look(old, TlsTrust::Insecure).await);
    assert!(matches!(fault, TlsFault::Other { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_device_that_accepts_tcp_and_hangs_is_not_connected() {
    let server = Server::start(None, |guest: Guest, _| guest.hang()).await;
    let connect = Duration::from_millis(50);
    let timeouts = Timeouts {
        connect,
        ..patient()
    };
    let spec = tls_spec(server.at, TlsTrust::Insecure);
    let fault = device(spec, Credential::None, timeouts)
        .status()
        .await
        .unwrap_err();
    let target = server.at.to_string();
    assert_eq!(
        fault,
        LinkFault::ConnectTimeout {
            target,
            after: connect
        }
        .into()
    );
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_sent() {
    let timeouts = patient();
    let broker = Arc::new(Broker::new("http://127.0.0.1:9", None, &timeouts).unwrap());
    let at = "127.0.0.1:9".parse().unwrap();
    let make = |spec, credential| {
        HttpDevice::new(
            spec,
            credential,
            patient(),
            &Pace::default(),
            Arc::clone(&broker),
            &Links::new(),
        )
        .err()
    };
    assert_eq!(make(spec(at), Credential::None), None);
    let token = |text: &str| Credential::Token(Secret::new(text.into()));
    assert_eq!(make(spec(at), token("abc")), None);
    for bad in ["", "a b", "ż", "a\n"] {
        assert_eq!(
            make(spec(at), token(bad)),
            Some(SetupError::BadToken),
            "{bad}"
        );
    }
    let words = |text: &str| Credential::MasterWords(Secret::new(text.into()), WordsChoice::Auto);
    assert_eq!(
        make(spec(at), words("abandon")),
        Some(SetupError::BadWords(MasterWordsError::Count { found: 1 }))
    );
    let bad_ca = tls_spec(at, TlsTrust::Ca("no certificate".into()));
    assert!(matches!(
        make(bad_ca, Credential::None),
        Some(SetupError::BadCa { .. })
    ));
    let mut bad_host = tls_spec(at, TlsTrust::Insecure);
    bad_host.endpoint.authority.host = "a b".into();
    assert!(matches!(
        make(bad_host, Credential::None),
        Some(SetupError::BadHost { .. })
    ));
}
