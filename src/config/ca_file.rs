//! CA files: read and checked when the inventory is loaded, before any device is contacted. Whether a device's
//! certificate is trusted is up to `device::http::tls`.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use x509_parser::pem::Pem;

use super::diagnostic::shown_path;
use super::environment::unreadable;
use super::toml::single_values::{ValueError, ValueResult};

/// No bundle of CAs in use comes near it.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The text of a PEM file with at least one certificate in it.
pub(super) fn certificates(path: &Path) -> ValueResult<Arc<str>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|e| unreadable(path, "CA file", &e))?;
    if bytes.len() as u64 > LARGEST {
        return Err(
            ValueError::new(format!("the CA file {} is over 4 MiB", shown_path(path)))
                .hint("is it the right file?"),
        );
    }
    let what_is_wrong =
        |what: &str| ValueError::new(format!("the CA file {} {what}", shown_path(path)));
    let der = bytes.starts_with(&[0x30, 0x82]);
    let text = String::from_utf8_lossy(&bytes);
    let mut found = 0;
    for block in Pem::iter_from_buffer(text.as_bytes()) {
        let block = block.map_err(|_| {
            what_is_wrong("holds a damaged PEM block")
                .hint("copy it anew, from -----BEGIN to END-----")
        })?;
        if block.label == "CERTIFICATE" {
            block.parse_x509().map_err(|_| {
                what_is_wrong("holds something called a certificate that is none")
                    .hint("copy it anew, from -----BEGIN to END-----")
            })?;
            found += 1;
        }
    }
    if found > 0 {
        return Ok(Arc::from(text));
    }
    let error = what_is_wrong("holds no certificate in PEM form");
    Err(if der {
        error.hint(
            "it looks like DER; convert it: openssl x509 -inform der -in FILE -out site-ca.pem",
        )
    } else {
        error.hint("it should have a line -----BEGIN CERTIFICATE-----")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> ValueError {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, bytes).unwrap();
        certificates(&path).unwrap_err()
    }

    #[test]
    fn a_certificate_is_found() {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(vec!["ca.example".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, format!("a comment\n{}", cert.pem())).unwrap();
        assert!(certificates(&path).unwrap().contains("BEGIN CERTIFICATE"));
        std::fs::write(&path, key.serialize_pem()).unwrap();
        assert!(
            certificates(&path)
                .unwrap_err()
                .message
                .ends_with("holds no certificate in PEM form")
        );
        std::fs::write(&path, cert.der()).unwrap();
        assert!(
            certificates(&path)
                .unwrap_err()
                .hint
                .unwrap()
                .contains("-inform der")
        );
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(
            error(b"")
                .message
                .ends_with("holds no certificate in PEM form")
        );
        assert!(
            error(b"\xff\xfe")
                .message
                .ends_with("holds no certificate in PEM form")
        );
        let broken = b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n";
        assert!(error(broken).message.ends_with("damaged PEM block"));
        let hollow = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(error(hollow).message.contains("that is none"));
    }
}
