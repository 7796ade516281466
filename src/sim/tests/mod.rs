//! The simulator against the protocol page, seen through a bare TCP client: neither hemfleet's device
//! link nor an HTTP library is in between.

mod approval;
mod checkin;
mod config;
mod faults;
mod fresh;
mod lab;
mod logger;
mod login;
mod management_app;
mod other_software;
mod renewal;
mod transport;
mod upgrade;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::device::credential::PASSPHRASE;
use super::{Scenario, SimDevice, SimFleet, SimOptions};
use crate::hem::{ejwt, kdf};
use crate::model::Secret;

const VERSION: &str = "/api/system/version";
const STATUS: &str = "/api/system/status";
const UPLOAD: &str = "/api/system/upgrade/upload_fw";
const CHECK: &str = "/api/system/upgrade/check_fw";
const INSTALL: &str = "/api/system/upgrade/install_fw";

/// A fleet of one device, over plain HTTP unless the lines say otherwise.
async fn one(lines: &str) -> SimFleet {
    let scheme = if lines.contains("scheme") {
        ""
    } else {
        "scheme = \"http\"\n"
    };
    world("", &format!("{scheme}{lines}")).await
}

/// The same, with lines before the device's.
async fn world(top: &str, device: &str) -> SimFleet {
    let text = format!(
        "about = \"test\"\ntempo = 0.002\n{top}\n\
         [client]\nquick = true\n[[device]]\nname = \"hem\"\n{device}"
    );
    let scenario = Scenario::parse(&text).unwrap();
    SimFleet::start(&scenario, &SimOptions::default())
        .await
        .unwrap()
}

/// A fleet of one device over plain HTTP, whose delays are those of the page times `tempo`.
async fn paced(tempo: f64, device: &str) -> SimFleet {
    let fleet = one(device).await;
    let options = SimOptions {
        tempo: Some(tempo),
        ..SimOptions::default()
    };
    SimFleet::start(fleet.scenario(), &options).await.unwrap()
}

/// The claims of a token of any kind.
fn claims(token: &Value) -> Value {
    super::tokens::mac_token::unverified(token.as_str().unwrap()).unwrap()
}

/// Whether these are the base64 of so many bytes.
fn is_base64_of(text: &Value, bytes: usize) -> bool {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap_or("!"));
    decoded.is_ok_and(|b| b.len() == bytes)
}

trait Only {
    fn hem(&self) -> &SimDevice;
}

impl Only for SimFleet {
    fn hem(&self) -> &SimDevice {
        &self.devices()[0]
    }
}

#[derive(Debug, Default)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Self> {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n");
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let rest = &bytes[end + 4..];
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 100 {
            return Self::read(rest);
        }
        Ok(Self {
            status,
            head: head.to_lowercase(),
            body: rest.to_vec(),
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn dial(fleet: &SimFleet) -> io::Result<Box<dyn Stream>> {
    let tcp = TcpStream::connect(fleet.hem().addr()).await?;
    if fleet.hem().script().scheme == super::LinkScheme::Http {
        return Ok(Box::new(tcp));
    }
    let name = fleet.hem().script().host().to_owned();
    Ok(Box::new(tls(fleet, tcp, &name).await?))
}

async fn tls(
    fleet: &SimFleet,
    tcp: TcpStream,
    name: &str,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(fleet.ca_pem().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

/// Sends bytes, reads until the device closes.
async fn raw(fleet: &SimFleet, bytes: &[u8]) -> io::Result<Reply> {
    let mut stream = dial(fleet).await?;
    stream.write_all(bytes).await?;
    rest(&mut stream).await
}

/// Waits, but not for ever; `what` is what the failure says was waited for.
async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    const PATIENCE: Duration = Duration::from_secs(60);
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Reply> {
    let mut answer = Vec::new();
    let closed = within("the answer and its end", stream.read_to_end(&mut answer)).await;
    match closed {
        Err(e) if answer.is_empty() => return Err(e),
        _ => {}
    }
    Reply::read(&answer)
}

async fn get(fleet: &SimFleet, path: &str, headers: &str) -> io::Result<Reply> {
    raw(
        fleet,
        format!("GET {path} HTTP/1.1\r\nHost: my.ence.do\r\n{headers}\r\n").as_bytes(),
    )
    .await
}

async fn post(fleet: &SimFleet, path: &str, headers: &str, body: &[u8]) -> io::Result<Reply> {
    let mut bytes = format!(
        "POST {path} HTTP/1.1\r\nHost: my.ence.do\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    raw(fleet, &bytes).await
}

async fn post_json(fleet: &SimFleet, path: &str, json: &Value) -> Reply {
    post(fleet, path, "", json.to_string().as_bytes())
        .await
        .unwrap()
}

/// One request to the plain port of a device that speaks TLS otherwise.
async fn plain(fleet: &SimFleet, method: &str, path: &str, headers: &str) -> Reply {
    let addr = fleet.hem().http_addr().unwrap();
    let mut tcp = TcpStream::connect(addr).await.unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: my.ence.do\r\n{headers}\r\n");
    tcp.write_all(text.as_bytes()).await.unwrap();
    rest(&mut tcp).await.unwrap()
}

/// One request to the broker, over TLS with the fleet's CA.
async fn broker(fleet: &SimFleet, method: &str, path: &str, body: &[u8]) -> Reply {
    let url = fleet.broker_url();
    let (scheme, addr) = url.split_once("://").unwrap();
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    let mut tcp = TcpStream::connect(addr).await.unwrap();
    if scheme == "http" {
        tcp.write_all(&bytes).await.unwrap();
        return rest(&mut tcp).await.unwrap();
    }
    let mut stream = tls(fleet, tcp, "api.encedo.com").await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    rest(&mut stream).await.unwrap()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// What an upload has to say in its head, without its length.
fn upload_head(token: &str) -> String {
    format!(
        "{}Content-Type: application/octet-stream\r\n\
         Content-Disposition: attachment; filename=\"firmware.bin\"\r\n",
        bearer(token)
    )
}

/// A login as the page describes it; `exp` is relative to the device's clock.
async fn login(fleet: &SimFleet, passphrase: &str, scope: &str, life: i64) -> Reply {
    let challenge = get(fleet, "/api/auth/token", "").await.unwrap();
    assert_eq!(challenge.status, 200);
    let ejwt = answer_challenge(&challenge.body, passphrase, scope, life);
    post_json(
        fleet,
        "/api/auth/token",
        &serde_json::json!({ "auth": ejwt }),
    )
    .await
}

fn answer_challenge(body: &[u8], passphrase: &str, scope: &str, life: i64) -> String {
    let secret = Secret::new(passphrase.as_bytes().to_vec());
    answer_with(body, |eid| kdf::pbkdf2(&secret, eid), scope, life)
}

fn answer_with(
    body: &[u8],
    key: impl FnOnce(&str) -> ejwt::PrivateKey,
    scope: &str,
    life: i64,
) -> String {
    let challenge = ejwt::parse_challenge(body).unwrap();
    let key = key(&challenge.eid);
    let now = challenge.exp.unwrap() - 60;
    ejwt::issue(&key, &challenge, now - 5, now + life, scope).unwrap()
}

/// A login with a key that no device knows, which costs no derivation.
async fn stranger(fleet: &SimFleet) -> Reply {
    let challenge = get(fleet, "/api/auth/token", "").await.unwrap();
    let key = |_: &str| ejwt::PrivateKey::from_bytes([7; 32]);
    let ejwt = answer_with(&challenge.body, key, "logger:get", 60);
    let body = serde_json::json!({ "auth": ejwt });
    post_json(fleet, "/api/auth/token", &body).await
}

async fn token(fleet: &SimFleet, scope: &str) -> String {
    let reply = login(fleet, PASSPHRASE, scope, 3600).await;
    assert_eq!(reply.status, 200);
    reply.json()["token"].as_str().unwrap().to_owned()
}

async fn upload(fleet: &SimFleet, token: &str, image: &[u8]) -> io::Result<Reply> {
    post(fleet, UPLOAD, &upload_head(token), image).await
}

/// Polls the verification to its end; the statuses in order.
async fn check(fleet: &SimFleet, token: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    loop {
        let status = get(fleet, CHECK, &bearer(token)).await.unwrap().status;
        statuses.push(status);
        if !matches!(status, 201 | 202) {
            return statuses;
        }
    }
}

/// Everything up to and including the answer to the install.
async fn install(fleet: &SimFleet) -> Reply {
    let token = token(fleet, "system:upgrade").await;
    assert_eq!(
        upload(fleet, &token, &fleet.image()).await.unwrap().status,
        200
    );
    assert_eq!(check(fleet, &token).await.last(), Some(&200));
    get(fleet, INSTALL, &bearer(&token)).await.unwrap()
}

/// Waits until the device is back from reboot number `n`.
async fn back(fleet: &SimFleet, n: u32) -> Value {
    within("the reboot", fleet.hem().wait_for(|j| j.reboots >= n)).await;
    loop {
        // Refused while it is down: the poll is the event.
        if let Ok(reply) = get(fleet, "/api/system/status", "").await {
            return reply.json();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn version(fleet: &SimFleet) -> Value {
    get(fleet, "/api/system/version", "").await.unwrap().json()
}
