//! The simulator's certificates: a CA made at start, the certificates that devices serve, and their renewal.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::sim::script::device::Certificate;
use crate::sim::tokens::mac_token::random;

/// A certificate, and the TLS side that shows it.
#[derive(Clone)]
pub(in crate::sim) struct Leaf {
    pub(super) acceptor: TlsAcceptor,
    /// The certificate itself.
    der: CertificateDer<'static>,
    key: Arc<KeyPair>,
}

impl Leaf {
    fn new(
        der: CertificateDer<'static>,
        key: Arc<KeyPair>,
        versions: Versions,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = match versions {
            Versions::Device => &[&rustls::version::TLS13],
            Versions::Web => rustls::ALL_VERSIONS,
        };
        // This refuses a certificate of another key.
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_single_cert(
                vec![der.clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        // A small server keeps no sessions, and no connection is used twice.
        config.send_tls13_tickets = 0;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            der,
            key,
        })
    }

    /// The same key with another certificate (base64 of DER); `None` if that is invalid or of another key.
    pub(in crate::sim) fn renewed(&self, der: &str) -> Option<Self> {
        let der = CertificateDer::from(STANDARD.decode(der).ok()?);
        Self::new(der, Arc::clone(&self.key), Versions::Device).ok()
    }

    /// The certificate as base64 of DER.
    pub(super) fn der(&self) -> String {
        STANDARD.encode(&self.der)
    }

    /// The certificate's serial number, base64: the `csn` of a check-in (section 5).
    pub(in crate::sim) fn serial(&self) -> String {
        let parsed = X509Certificate::from_der(&self.der);
        let serial = parsed.map(|(_, c)| c.raw_serial().to_vec());
        STANDARD.encode(serial.unwrap_or_default())
    }
}

/// A device's certificates: the one that it serves, and the one that the backend has for it.
pub(in crate::sim) struct DeviceCertificates {
    serving: Mutex<Leaf>,
    /// To be served from the next boot on.
    next: Mutex<Option<Leaf>>,
    /// What the backend has for it.
    pub(super) renewed: Option<Leaf>,
}

impl DeviceCertificates {
    pub(in crate::sim) fn new(serving: Leaf, renewed: Option<Leaf>) -> Self {
        Self {
            serving: Mutex::new(serving),
            next: Mutex::default(),
            renewed,
        }
    }

    pub(super) fn leaf(&self) -> MutexGuard<'_, Leaf> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::sim) fn serving(&self) -> TlsAcceptor {
        self.leaf().acceptor.clone()
    }

    pub(in crate::sim) fn next(&self) -> MutexGuard<'_, Option<Leaf>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device comes up.
    pub(super) fn boot(&self) {
        if let Some(next) = self.next().take() {
            *self.leaf() = next;
        }
    }
}

/// The simulator's CA, and another one that no client knows.
pub(in crate::sim) struct Pki {
    ca: Issuer<'static, KeyPair>,
    ca_pem: String,
    stranger: Issuer<'static, KeyPair>,
    /// Devices often share their host name (section 1); one leaf serves them all.
    leaves: Mutex<HashMap<(String, Certificate), Leaf>>,
    /// The key of each host, the same for all its certificates.
    keys: Mutex<HashMap<String, Arc<KeyPair>>>,
}

/// Which TLS versions are spoken.
#[derive(Clone, Copy)]
enum Versions {
    /// Devices speak TLS 1.3 only (section 2).
    Device,
    /// The broker is a web server like any other.
    Web,
}

impl Pki {
    pub(in crate::sim) fn new() -> io::Result<Self> {
        let (ca, ca_pem) = authority("hemfleet simulator CA").map_err(io::Error::other)?;
        let (stranger, _) = authority("somebody else's CA").map_err(io::Error::other)?;
        Ok(Self {
            ca,
            ca_pem,
            stranger,
            leaves: Mutex::default(),
            keys: Mutex::default(),
        })
    }

    pub(in crate::sim) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same as base64 DER.
    pub(in crate::sim) fn ca_der(&self) -> String {
        let lines = self.ca_pem.lines().map(str::trim);
        lines.filter(|l| !l.starts_with('-')).collect()
    }

    /// The TLS side of a device that is called `host`.
    pub(in crate::sim) fn device(&self, host: &str, kind: Certificate) -> io::Result<Leaf> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (host.to_owned(), kind);
        if let Some(leaf) = leaves.get(&place) {
            return Ok(leaf.clone());
        }
        let key = self.key(host).map_err(io::Error::other)?;
        let leaf = self
            .leaf(&[host.to_owned()], kind, key, Versions::Device)
            .map_err(io::Error::other)?;
        leaves.insert(place, leaf.clone());
        Ok(leaf)
    }

    fn key(&self, host: &str) -> Result<Arc<KeyPair>, rcgen::Error> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(host) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(KeyPair::generate()?);
        keys.insert(host.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// The TLS side of the broker, which is called by its address.
    pub(in crate::sim) fn web(&self, names: &[String]) -> io::Result<TlsAcceptor> {
        let key = Arc::new(KeyPair::generate().map_err(io::Error::other)?);
        self.leaf(names, Certificate::Good, key, Versions::Web)
            .map(|leaf| leaf.acceptor)
            .map_err(io::Error::other)
    }

    fn leaf(
        &self,
        names: &[String],
        kind: Certificate,
        key: Arc<KeyPair>,
        versions: Versions,
    ) -> Result<Leaf, Box<dyn std::error::Error + Send + Sync>> {
        let names = match kind {
            Certificate::WrongName => vec!["other.ence.do".to_owned()],
            _ => names.to_vec(),
        };
        let mut params = CertificateParams::new(names.clone())?;
        if let Some(name) = names.first() {
            params
                .distinguished_name
                .push(DnType::CommonName, name.as_str());
        }
        params.use_authority_key_identifier_extension = kind != Certificate::SelfSigned;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match kind {
            Certificate::Expired => date_time_ymd(2025, 3, 1),
            _ => date_time_ymd(2060, 1, 1),
        };
        params.serial_number = Some(serial());
        let certificate = match kind {
            Certificate::SelfSigned => params.self_signed(&*key)?,
            Certificate::UnknownCa => params.signed_by(&*key, &self.stranger)?,
            _ => params.signed_by(&*key, &self.ca)?,
        };
        Ok(Leaf::new(certificate.der().clone(), key, versions)?)
    }
}

/// 16 random bytes, as public authorities use them.
fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = random()[..16].try_into().unwrap_or_default();
    // Positive, and without a leading zero that an encoding would cut.
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn authority(name: &str) -> Result<(Issuer<'static, KeyPair>, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}
