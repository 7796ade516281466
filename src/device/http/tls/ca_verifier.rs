//! Verifies certificates against certificate authorities, and names the gravest fault first.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// A verifier that calls a certificate *expired* only if nothing else is wrong with it.
///
/// The inner verifier checks the dates before it looks for an issuer, so that it calls a stranger's expired
/// certificate expired, which sounds harmless. Where dates are the fault, the certificate is verified again for a
/// moment when it was valid, and what is wrong then is reported.
#[derive(Debug)]
pub(super) struct CaVerifier {
    inner: Arc<dyn ServerCertVerifier>,
}

impl CaVerifier {
    /// Wraps the verifier that decides.
    pub(in crate::device::http) fn new(inner: Arc<dyn ServerCertVerifier>) -> Self {
        Self { inner }
    }
}

impl ServerCertVerifier for CaVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify_at = |at| {
            self.inner
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at)
                .map_err(|e| reworded(e, end_entity, server_name, at))
        };
        let first = match verify_at(now) {
            Ok(verified) => return Ok(verified),
            Err(e) => e,
        };
        // Several certificates of a chain may be out of date: each round moves to a moment that suits the last one.
        let mut moment = valid_moment(&first);
        for _ in 0..3 {
            let Some(at) = moment else { break };
            match verify_at(at) {
                Ok(_) => break,
                Err(e) => match valid_moment(&e) {
                    Some(next) => moment = Some(next),
                    None => return Err(e),
                },
            }
        }
        Err(first)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A moment at which a certificate with wrong dates was, or will be, valid.
fn valid_moment(e: &Error) -> Option<UnixTime> {
    let seconds = match e {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            not_after.as_secs().checked_sub(1)?
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
            not_before.as_secs().checked_add(1)?
        }
        _ => return None,
    };
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// The same error with the dates or names of the certificate, where the platform's verifier leaves them out or
/// prints them as Rust source.
fn reworded(
    e: Error,
    end_entity: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Error {
    let Ok((_, certificate)) = X509Certificate::from_der(end_entity) else {
        return e;
    };
    let time = |t: x509_parser::time::ASN1Time| {
        UnixTime::since_unix_epoch(Duration::from_secs(
            u64::try_from(t.timestamp()).unwrap_or(0),
        ))
    };
    match e {
        Error::InvalidCertificate(CertificateError::Expired) => CertificateError::ExpiredContext {
            time: now,
            not_after: time(certificate.validity().not_after),
        }
        .into(),
        Error::InvalidCertificate(CertificateError::NotValidYet) => {
            CertificateError::NotValidYetContext {
                time: now,
                not_before: time(certificate.validity().not_before),
            }
            .into()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => CertificateError::NotValidForNameContext {
            expected: server_name.to_owned(),
            presented: names(&certificate),
        }
        .into(),
        // Issuers are found by their name: an authority of the same name with another key (a renewed
        // one, or the last lab's) did not sign this.
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            CertificateError::UnknownIssuer.into()
        }
        other => other,
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
            .ok()
            .map(|ip| ip.to_string()),
        _ => None,
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(name)
        .collect()
}
