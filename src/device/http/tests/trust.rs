//! Whom a device's certificate is believed, and what is said when it is not.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use tokio_rustls::TlsAcceptor;

use super::super::lab::{Guest, HOST, Leaf, Pki, Server, device, patient, spec, tls_spec};
use super::super::{Broker, HttpDevice, Links, SetupError};
use crate::device::Device as _;
use crate::hem::kdf::MasterWordsError;
use crate::model::{
    Credential, DeviceStatus, FailureKind, LinkFault, Pace, Secret, SpkiPin, Timeouts, TlsFault,
    TlsTrust, WordsChoice,
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
