//! What the devices of a run share: TLS configurations, jump hosts, and how typed secrets became keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::version::TLS13;

use super::login::derived_keys::TypedDerivation;
use super::setup_error::SetupError;
use super::ssh::{JumpHost, JumpHosts};
use super::tls::client_config;
use crate::model::{SpkiPin, SshJump, TlsTrust};

/// What the devices of a run share: jump hosts and TLS configurations. There is one configuration for all devices
/// with the same trust, since each copy of the system's roots takes 0.1 MB and a millisecond or two.
#[derive(Debug)]
pub struct Links {
    provider: Arc<CryptoProvider>,
    configs: Mutex<HashMap<Trust, Arc<ClientConfig>>>,
    jumps: JumpHosts,
    /// How the last typed secret that a device accepted became its key.
    pub(super) typed: Arc<TypedDerivation>,
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
    /// Loads nothing yet: roots are loaded when the first device needs them.
    pub fn new() -> Self {
        Self::hiding(&[])
    }

    /// The same, hiding these environment variables, which hold secrets, from ssh.
    pub fn hiding(variables: &[String]) -> Self {
        Self {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            configs: Mutex::default(),
            jumps: JumpHosts::hiding(variables),
            typed: Arc::default(),
        }
    }

    /// With jump hosts of the test's own.
    #[cfg(test)]
    pub(super) fn with(jumps: JumpHosts) -> Self {
        Self {
            jumps,
            ..Self::new()
        }
    }

    /// The jump host of this name, the same for all devices behind it.
    pub(super) fn jump(&self, destination: &SshJump) -> Arc<JumpHost> {
        self.jumps.get(destination)
    }

    /// The configuration for devices that trust `trust`: TLS 1.3 only (section 2).
    ///
    /// # Errors
    ///
    /// The system has no roots, or the CA text is no certificate.
    pub(super) fn for_devices(&self, trust: &TlsTrust) -> Result<Arc<ClientConfig>, SetupError> {
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
        let verifier = client_config::verifier(trust, &self.provider)?;
        let config = Arc::new(client_config::config(verifier, &self.provider, &[&TLS13])?);
        configs.insert(key, Arc::clone(&config));
        Ok(config)
    }
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
}
