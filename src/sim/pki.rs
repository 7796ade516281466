//! The simulator's certificates: a CA made at start, and leaves good and bad.
//! Must not: be used for anything but simulated devices.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

use super::device_script::Certificate;

/// The simulator's CA and another one that nobody is told of.
pub(super) struct Pki {
    ca: Issuer<'static, KeyPair>,
    ca_pem: String,
    stranger: Issuer<'static, KeyPair>,
    /// Devices often share their host name (section 1); one leaf serves them all.
    leaves: Mutex<HashMap<(String, Certificate), TlsAcceptor>>,
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
    pub(super) fn new() -> io::Result<Self> {
        let (ca, ca_pem) = authority("hemfleet simulator CA").map_err(io::Error::other)?;
        let (stranger, _) = authority("somebody else's CA").map_err(io::Error::other)?;
        Ok(Self {
            ca,
            ca_pem,
            stranger,
            leaves: Mutex::default(),
        })
    }

    pub(super) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same as base64 DER.
    pub(super) fn ca_der(&self) -> String {
        let lines = self.ca_pem.lines().map(str::trim);
        lines.filter(|l| !l.starts_with('-')).collect()
    }

    /// The TLS side of a device that is called `host`.
    pub(super) fn device(&self, host: &str, kind: Certificate) -> io::Result<TlsAcceptor> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host.to_owned(), kind);
        if let Some(acceptor) = leaves.get(&key) {
            return Ok(acceptor.clone());
        }
        let acceptor = self
            .leaf(&[host.to_owned()], kind, Versions::Device)
            .map_err(io::Error::other)?;
        leaves.insert(key, acceptor.clone());
        Ok(acceptor)
    }

    /// The TLS side of the broker, which is called by its address.
    pub(super) fn web(&self, names: &[String]) -> io::Result<TlsAcceptor> {
        self.leaf(names, Certificate::Good, Versions::Web)
            .map_err(io::Error::other)
    }

    fn leaf(
        &self,
        names: &[String],
        kind: Certificate,
        versions: Versions,
    ) -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
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
        let key = KeyPair::generate()?;
        let certificate = match kind {
            Certificate::SelfSigned => params.self_signed(&key)?,
            Certificate::UnknownCa => params.signed_by(&key, &self.stranger)?,
            _ => params.signed_by(&key, &self.ca)?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = match versions {
            Versions::Device => &[&rustls::version::TLS13],
            Versions::Web => rustls::ALL_VERSIONS,
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        // A small server keeps no sessions, and no connection is used twice.
        config.send_tls13_tickets = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
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
