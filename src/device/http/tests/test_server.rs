//! Small raw servers on loopback that misbehave as told. They are no devices, and share nothing with the simulator.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData as _};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::device::http::connection::connect::Io;
use crate::device::http::{Broker, HttpDevice, Links};
use crate::model::{Credential, DeviceSpec, HostPort, Pace, Scheme, SpkiPin, Timeouts, TlsTrust};

/// The host that devices of these tests are named, wherever they listen.
pub(in crate::device::http) const HOST: &str = "my.ence.do";

/// One connection at a server, with what was read from it.
pub(super) struct Guest {
    /// The how-many-eth connection it is, from zero.
    pub(in crate::device::http) n: usize,
    /// The stream, TLS taken off.
    pub(in crate::device::http) io: Box<dyn Io>,
}

impl Guest {
    /// Reads up to the empty line.
    pub(in crate::device::http) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.io.read_u8().await {
                Ok(b) => head.push(b),
                Err(_) => break,
            }
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads a whole request: the head, and as much as its `Content-Length` says.
    pub(in crate::device::http) async fn request(&mut self) -> (String, Vec<u8>) {
        let head = self.head().await;
        // The broker's client spells its header names otherwise.
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        self.io.read_exact(&mut body).await.unwrap();
        (head, body)
    }

    /// Sends text as it stands.
    pub(super) async fn say(&mut self, text: &str) {
        let _ = self.io.write_all(text.as_bytes()).await;
        let _ = self.io.flush().await;
    }

    /// Answers with a status and JSON.
    pub(in crate::device::http) async fn answer(&mut self, status: u16, json: &str) {
        let length = json.len();
        self.say(&format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
        ))
        .await;
    }

    /// Counts what still comes until the other end closes.
    pub(in crate::device::http) async fn rest(&mut self) -> usize {
        let mut rest = Vec::new();
        let _ = self.io.read_to_end(&mut rest).await;
        rest.len()
    }

    /// Keeps the connection until the other end closes it.
    pub(super) async fn hang(mut self) {
        self.rest().await;
    }
}

/// A server; it stops when dropped.
pub(super) struct Server {
    /// Where it listens.
    pub(in crate::device::http) at: SocketAddr,
    /// What its handler noted, in order.
    pub(super) notes: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Server {
    /// Serves each connection with `handler`, which is given the notes too.
    pub(in crate::device::http) async fn start<F, R>(tls: Option<TlsAcceptor>, handler: F) -> Self
    where
        F: Fn(Guest, Arc<Mutex<Vec<String>>>) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::tuned(tls, |_| (), handler).await
    }

    /// The same, with a word about every socket first.
    pub(super) async fn tuned<T, F, R>(tls: Option<TlsAcceptor>, tune: T, handler: F) -> Self
    where
        T: Fn(&TcpStream) + Send + Sync + 'static,
        F: Fn(Guest, Arc<Mutex<Vec<String>>>) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let notes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&notes);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut guests = JoinSet::new();
            let handler = Arc::new(handler);
            for n in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                tcp.set_nodelay(true).unwrap();
                tune(&tcp);
                let (tls, handler, notes) = (tls.clone(), Arc::clone(&handler), Arc::clone(&kept));
                guests.spawn(async move {
                    let io: Box<dyn Io> = match tls {
                        None => Box::new(tcp),
                        Some(tls) => match tls.accept(tcp).await {
                            Ok(tls) => Box::new(tls),
                            Err(_) => return,
                        },
                    };
                    handler(Guest { n, io }, notes).await;
                });
            }
        });
        Self {
            at,
            notes,
            _task: task,
        }
    }

    /// What was noted so far.
    pub(super) fn noted(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

/// Certificates made for one test.
pub(in crate::device::http) struct Pki {
    /// The authority.
    pub(in crate::device::http) ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// How a leaf differs from a good one.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Leaf {
    Good,
    Expired,
    NotYet,
    /// Good, but behind TLS 1.2 alone.
    OldTls,
}

/// How a server shows a certificate whose key it does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Thief {
    /// It signs the handshake of TLS 1.3 with a key of its own.
    Tls13,
    /// The same in TLS 1.2.
    Tls12,
}

impl Pki {
    pub(in crate::device::http) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = params.self_signed(&key).unwrap().pem();
        Self {
            ca_pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// An acceptor with a leaf for `name`, and the pin of its key.
    pub(super) fn leaf(&self, name: &str, leaf: Leaf) -> (TlsAcceptor, SpkiPin) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if leaf == Leaf::Expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 3, 4);
        }
        if leaf == Leaf::NotYet {
            params.not_before = rcgen::date_time_ymd(3020, 1, 2);
            params.not_after = rcgen::date_time_ymd(3021, 1, 1);
        }
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let pin = pin(&key);
        let version = if leaf == Leaf::OldTls {
            &rustls::version::TLS12
        } else {
            &rustls::version::TLS13
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![cert.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        (TlsAcceptor::from(Arc::new(config)), pin)
    }

    /// An acceptor that shows a good certificate for `name` and signs with another key than the
    /// certificate's, whose pin comes along: somebody in between who has seen the certificate, which is no secret.
    pub(super) fn stolen(&self, name: &str, thief: Thief) -> (TlsAcceptor, SpkiPin) {
        let [key, own] = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let own = PrivatePkcs8KeyDer::from(own.serialize_der());
        let own = provider.key_provider.load_private_key(own.into()).unwrap();
        // `CertifiedKey::new` does not compare the two, unlike everything that builds on it.
        let shown = CertifiedKey::new(vec![cert.der().clone()], own);
        let version = match thief {
            Thief::Tls13 => &rustls::version::TLS13,
            Thief::Tls12 => &rustls::version::TLS12,
        };
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        (TlsAcceptor::from(Arc::new(config)), pin(&key))
    }
}

fn pin(key: &KeyPair) -> SpkiPin {
    SpkiPin(Sha256::digest(key.subject_public_key_info()).into())
}

/// Waits for what a test cannot go on without; it fails, saying what did not come, after a minute.
pub(in crate::device::http) async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(Duration::from_secs(60), wait).await;
    came.unwrap_or_else(|_| panic!("not within a minute: {what}"))
}

/// Limits that never decide a test by themselves.
pub(super) fn patient() -> Timeouts {
    let long = Duration::from_secs(60);
    Timeouts {
        connect: long,
        request: long,
        upload: long,
        upload_stall: long,
        check: long,
        reboot: long,
    }
}

/// A device at a loopback address, over plain HTTP.
pub(in crate::device::http) fn spec(at: SocketAddr) -> DeviceSpec {
    let mut spec = DeviceSpec::plain("lab", HOST, 80);
    spec.endpoint.scheme = Scheme::Http;
    spec.endpoint.connect = Some(HostPort {
        host: at.ip().to_string(),
        port: at.port(),
    });
    spec.allow_plain_login = true;
    spec
}

/// An address where nobody listens on any usual machine.
pub(in crate::device::http) fn nobody() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1))
}

/// The same over TLS.
pub(super) fn tls_spec(at: SocketAddr, tls: TlsTrust) -> DeviceSpec {
    let mut spec = spec(at);
    spec.endpoint.scheme = Scheme::Https;
    spec.endpoint.authority.port = 443;
    spec.tls = tls;
    spec
}

/// A device without pause between requests.
pub(in crate::device::http) fn device(
    spec: DeviceSpec,
    credential: Credential,
    timeouts: Timeouts,
) -> HttpDevice {
    linked(spec, credential, timeouts, &Links::new())
}

/// The same, in a run that it shares with others.
pub(super) fn linked(
    spec: DeviceSpec,
    credential: Credential,
    timeouts: Timeouts,
    links: &Links,
) -> HttpDevice {
    let broker = Broker::new("http://127.0.0.1:9", None, &timeouts).unwrap();
    let pace = Pace {
        gap: Duration::ZERO,
        ..Pace::default()
    };
    HttpDevice::new(spec, credential, timeouts, &pace, Arc::new(broker), links).unwrap()
}

/// The same, whose broker is at `url`.
pub(super) fn with_broker(mut device: HttpDevice, url: &str) -> HttpDevice {
    device.broker = Arc::new(Broker::new(url, None, &patient()).unwrap());
    device
}
