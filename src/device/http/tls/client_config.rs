//! TLS configurations: which verifier a kind of trust stands for, and which versions of TLS are spoken.
//!
//! The configurations of a run's devices are kept in `shared_links`; the verifiers are in `ca_verifier` and `pin_verifier`.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::ca_verifier::CaVerifier;
use super::pin_verifier::{InsecureVerifier, PinVerifier};
use crate::device::http::SetupError;
use crate::model::TlsTrust;

/// The verifier that `trust` stands for.
pub(in crate::device::http) fn verifier(
    trust: &TlsTrust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    Ok(match trust {
        TlsTrust::System => system(provider)?,
        TlsTrust::Ca(pem) => authorities(pem, provider)?,
        TlsTrust::Pin(pin) => Arc::new(PinVerifier::new(*pin, provider)),
        TlsTrust::Insecure => Arc::new(InsecureVerifier::new(provider)),
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

/// The configuration for a verifier and versions of TLS.
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
    // Sessions are kept by server name, which many devices share: one would be offered another's session.
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
