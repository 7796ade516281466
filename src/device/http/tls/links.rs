//! What makes a device's certificate trusted: one TLS configuration for each distinct trust set.
//!
//! Must not: know of single devices or connections. The certificate verifiers stand in `pinned` and
//! `dated`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::ca_verifier::CaVerifier;
use super::pin_verifier::{Anything, Pinned};
use crate::device::http::SetupError;
use crate::device::http::login::derived_keys::TypedWay;
use crate::device::http::ssh::{Jump, Jumps};
use crate::model::{SpkiPin, SshJump, TlsTrust};

/// What the devices of a run share: the jump hosts, and the TLS configurations. Each of these is made once
/// for all devices that trust the same: the system's roots alone cost 0.1 MB and a millisecond or two for
/// every copy.
#[derive(Debug)]
pub struct Links {
    provider: Arc<CryptoProvider>,
    configs: Mutex<HashMap<Trust, Arc<ClientConfig>>>,
    jumps: Jumps,
    /// In which way the last typed secret that a device took had become its key.
    pub(in crate::device::http) typed: Arc<TypedWay>,
}

#[derive(PartialEq, Eq, Hash, Debug)]
enum Trust {
    System,
    Ca(Arc<str>),
    Pin([u8; 32]),
    Insecure,
}

impl Default for Links {
    fn default() -> Self {
        Self::new()
    }
}

impl Links {
    /// Nothing is loaded yet; each trust set is, when the first device needs it.
    pub fn new() -> Self {
        Self::hiding(&[])
    }

    /// The same, whose ssh is started without these variables of the environment: they hold secrets.
    pub fn hiding(variables: &[String]) -> Self {
        Self {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            configs: Mutex::default(),
            jumps: Jumps::hiding(variables),
            typed: Arc::default(),
        }
    }

    /// With jump hosts of the test's own.
    #[cfg(test)]
    pub(in crate::device::http) fn with(jumps: Jumps) -> Self {
        Self {
            jumps,
            ..Self::new()
        }
    }

    /// The jump host of this name, the same for all devices behind it.
    pub(in crate::device::http) fn jump(&self, destination: &SshJump) -> Arc<Jump> {
        self.jumps.get(destination)
    }

    /// The configuration for devices that trust `trust`: TLS 1.3 only (section 2).
    ///
    /// # Errors
    ///
    /// The system has no roots, or the CA text is no certificate.
    pub(in crate::device::http) fn for_devices(
        &self,
        trust: &TlsTrust,
    ) -> Result<Arc<ClientConfig>, SetupError> {
        let key = match trust {
            TlsTrust::System => Trust::System,
            TlsTrust::Ca(pem) => Trust::Ca(Arc::clone(pem)),
            TlsTrust::Pin(SpkiPin(pin)) => Trust::Pin(*pin),
            TlsTrust::Insecure => Trust::Insecure,
        };
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(&key) {
            return Ok(Arc::clone(config));
        }
        let verifier = verifier(trust, &self.provider)?;
        let config = Arc::new(config(verifier, &self.provider, &[&TLS13])?);
        configs.insert(key, Arc::clone(&config));
        Ok(config)
    }
}

/// What judges certificates by `trust`.
pub(in crate::device::http) fn verifier(
    trust: &TlsTrust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    Ok(match trust {
        TlsTrust::System => system(provider)?,
        TlsTrust::Ca(pem) => authorities(pem, provider)?,
        TlsTrust::Pin(pin) => Arc::new(Pinned::new(*pin, provider)),
        TlsTrust::Insecure => Arc::new(Anything::new(provider)),
    })
}

/// The configuration for the broker, an ordinary web server: TLS 1.2 too, always verified.
pub(in crate::device::http) fn for_broker(
    ca_pem: Option<&str>,
) -> Result<ClientConfig, SetupError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match ca_pem {
        Some(pem) => authorities(pem, &provider)?,
        None => system(&provider)?,
    };
    config(verifier, &provider, &[&TLS13, &TLS12])
}

/// Whether a PEM text holds usable authorities.
pub(in crate::device::http) fn check_authorities(pem: &str) -> Result<(), SetupError> {
    roots(pem).map(|_| ())
}

/// A client of these versions of TLS.
pub(in crate::device::http) fn config(
    verifier: Arc<dyn ServerCertVerifier>,
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, SetupError> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(|e| SetupError::Tls {
            what: e.to_string(),
        })?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Sessions are kept by server name, and many devices share one name: a session of one would be
    // offered to another.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn system(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(provider)).map_err(|e| {
        SetupError::NoRoots {
            what: e.to_string(),
        }
    })?;
    Ok(Arc::new(CaVerifier::new(Arc::new(verifier))))
}

fn authorities(
    pem: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(pem)?), Arc::clone(provider))
            .build()
            .map_err(|e| SetupError::BadCa {
                what: e.to_string(),
            })?;
    Ok(Arc::new(CaVerifier::new(verifier)))
}

fn roots(pem: &str) -> Result<RootCertStore, SetupError> {
    let bad = |what: String| SetupError::BadCa { what };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| bad(e.to_string()))?;
        roots.add(certificate).map_err(|e| bad(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("no certificate in it".to_owned()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_trust_is_one_configuration() {
        let links = Links::new();
        let pin = |n| links.for_devices(&TlsTrust::Pin(SpkiPin([n; 32]))).unwrap();
        assert!(Arc::ptr_eq(&pin(1), &pin(1)));
        assert!(!Arc::ptr_eq(&pin(1), &pin(2)));
        let ca = crate::device::http::tests::test_server::Pki::new().ca_pem;
        let trust = |pem: &str| links.for_devices(&TlsTrust::Ca(pem.into())).unwrap();
        assert!(Arc::ptr_eq(&trust(&ca), &trust(&ca)));
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        for pem in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            assert!(
                matches!(check_authorities(pem), Err(SetupError::BadCa { .. })),
                "{pem}"
            );
        }
    }
}
