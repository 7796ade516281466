//! Ways to a device: proxies, and names that only a proxy knows.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::test_server::{Guest, HOST, Leaf, Pki, Server, device, nobody, patient, spec, tls_spec};
use crate::device::Device as _;
use crate::model::{
    Credential, DeviceSpec, FailureKind, HostPort, LinkFault, Proxy, ProxyKind, TlsTrust,
};

type Notes = Arc<Mutex<Vec<String>>>;

const STATUS: &str = r#"{"uptime":5,"fls_state":0}"#;

fn via(mut spec: DeviceSpec, kind: ProxyKind) -> DeviceSpec {
    let at = spec.endpoint.connect.take().unwrap();
    spec.proxy = Some(Proxy { kind, at });
    spec
}

/// Speaks SOCKS5 up to `reply`, noting the name asked for.
async fn socks(guest: &mut Guest, notes: &Notes, reply: u8) {
    let mut hello = [0; 3];
    guest.io.read_exact(&mut hello).await.unwrap();
    assert_eq!(hello, [5, 1, 0]);
    guest.io.write_all(&[5, 0]).await.unwrap();
    let mut head = [0; 5];
    guest.io.read_exact(&mut head).await.unwrap();
    assert_eq!(head[..4], [5, 1, 0, 3], "the name must go to the proxy");
    let mut name = vec![0; usize::from(head[4])];
    guest.io.read_exact(&mut name).await.unwrap();
    let port = guest.io.read_u16().await.unwrap();
    notes
        .lock()
        .unwrap()
        .push(format!("{}:{port}", String::from_utf8(name).unwrap()));
    guest
        .io
        .write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
        .await
        .unwrap();
}

#[tokio::test]
async fn socks5_is_given_the_name() {
    let server = Server::start(None, |mut guest: Guest, notes: Notes| async move {
        socks(&mut guest, &notes, 0).await;
        guest.head().await;
        guest.answer(200, STATUS).await;
    })
    .await;
    let device = device(
        via(spec(server.at), ProxyKind::Socks5),
        Credential::None,
        patient(),
    );
    device.status().await.unwrap();
    assert_eq!(server.noted(), [format!("{HOST}:80")]);
}

#[tokio::test]
async fn socks5_refusals_are_told_apart() {
    for (reply, device_refused) in [(5, true), (4, false), (2, false)] {
        let server = Server::start(None, move |mut guest: Guest, notes: Notes| async move {
            socks(&mut guest, &notes, reply).await;
        })
        .await;
        let spec = via(spec(server.at), ProxyKind::Socks5);
        let fault = device(spec, Credential::None, patient())
            .status()
            .await
            .unwrap_err();
        if device_refused {
            let target = format!("{HOST}:80");
            assert_eq!(fault, LinkFault::Refused { target }.into());
        } else {
            assert!(
                matches!(fault, FailureKind::Link(LinkFault::Proxy { .. })),
                "{fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn connect_opens_a_tunnel_for_tls_too() {
    let pki = Pki::new();
    let (tls, _) = pki.leaf(HOST, Leaf::Good);
    let server = Server::start(None, move |mut guest: Guest, notes: Notes| {
        let tls = tls.clone();
        async move {
            let head = guest.head().await;
            notes.lock().unwrap().push(head);
            guest
                .say("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
                .await;
            let io = Box::new(tls.accept(guest.io).await.unwrap());
            let mut guest = Guest { n: guest.n, io };
            guest.head().await;
            guest.answer(200, STATUS).await;
        }
    })
    .await;
    let trust = TlsTrust::Ca(pki.ca_pem.as_str().into());
    let spec = via(tls_spec(server.at, trust), ProxyKind::Http);
    device(spec, Credential::None, patient())
        .status()
        .await
        .unwrap();
    assert_eq!(
        server.noted(),
        [format!(
            "CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n"
        )]
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    for (reply, expected) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "407 Proxy Authentication Required",
        ),
        ("SSH-2.0-x\r\n\r\n", "not an HTTP proxy"),
        ("", "closed the connection"),
    ] {
        let server = Server::start(None, move |mut guest: Guest, _| async move {
            guest.head().await;
            guest.say(reply).await;
        })
        .await;
        let spec = via(spec(server.at), ProxyKind::Http);
        let fault = device(spec, Credential::None, patient())
            .status()
            .await
            .unwrap_err();
        let proxy = server.at.to_string();
        let reason = expected.to_owned();
        assert_eq!(fault, LinkFault::Proxy { proxy, reason }.into());
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let spec = via(spec(nobody()), ProxyKind::Http);
    let fault = device(spec, Credential::None, patient())
        .status()
        .await
        .unwrap_err();
    assert!(
        matches!(&fault, FailureKind::Link(LinkFault::NoProxy { reason, .. }) if reason.contains("refused")),
        "{fault:?}"
    );
}

#[tokio::test]
async fn the_host_header_keeps_an_unusual_port() {
    let server = Server::start(None, |mut guest: Guest, notes: Notes| async move {
        let head = guest.head().await;
        notes.lock().unwrap().push(head);
        guest.answer(200, STATUS).await;
    })
    .await;
    let mut spec = spec(server.at);
    spec.endpoint.authority = HostPort {
        host: "::1".into(),
        port: 8080,
    };
    device(spec, Credential::None, patient())
        .status()
        .await
        .unwrap();
    assert!(
        server.noted()[0].contains("\r\nHost: [::1]:8080\r\n"),
        "{:?}",
        server.noted()
    );
}
