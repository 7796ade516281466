//! A device's settings, and the shape of a change to them, as the vendor's published description of firmware 1.2.2 has
//! them. The endpoints are in `api/config.rs`.
//!
//! Wiping, a new passphrase, requests for certificates and private keys are not simulated.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::sim::script::device::DeviceScript;

/// What a device remembers over its reboots.
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that the vendor's API has, each by its own name"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::sim) struct Settings {
    pub(in crate::sim) user: String,
    email: String,
    /// Whose pages may ask, beside its own.
    pub(in crate::sim) origin: String,
    /// The trusted-time option (section 5).
    pub(in crate::sim) trusted_ts: bool,
    trusted_backend: bool,
    allow_keysearch: bool,
    dnsd: bool,
    ctx: u64,
    http_option_hsts: bool,
    http_option_dosprot_mode: u64,
    storage_mode: u64,
    storage_disk0size: u64,
}

impl Settings {
    /// Those of a device that nobody has changed.
    pub(in crate::sim) fn of(script: &DeviceScript) -> Self {
        Self {
            user: "Alice".to_owned(),
            email: "alice@example.com".to_owned(),
            origin: format!("https://{}", script.host()),
            trusted_ts: script.trusted_time,
            trusted_backend: true,
            allow_keysearch: true,
            dnsd: false,
            ctx: 1,
            http_option_hsts: false,
            http_option_dosprot_mode: 0,
            storage_mode: 81,
            storage_disk0size: 7_733_248,
        }
    }

    /// As `GET` shows them; what is about storage is for devices that have some.
    pub(in crate::sim) fn show(&self, has_storage: bool) -> Map<String, Value> {
        let mut shown = Map::from_iter([
            ("user".to_owned(), json!(self.user)),
            ("email".to_owned(), json!(self.email)),
            ("origin".to_owned(), json!(self.origin)),
            ("trusted_ts".to_owned(), json!(self.trusted_ts)),
            ("trusted_backend".to_owned(), json!(self.trusted_backend)),
            ("allow_keysearch".to_owned(), json!(self.allow_keysearch)),
            ("dnsd".to_owned(), json!(self.dnsd)),
            ("ctx".to_owned(), json!(self.ctx)),
            ("http_option_hsts".to_owned(), json!(self.http_option_hsts)),
            (
                "http_option_dosprot_mode".to_owned(),
                json!(self.http_option_dosprot_mode),
            ),
        ]);
        if has_storage {
            shown.insert("storage_mode".to_owned(), json!(self.storage_mode));
            let size = json!(self.storage_disk0size);
            shown.insert("storage_disk0size".to_owned(), size);
        }
        shown
    }

    /// Takes over what a change names.
    pub(in crate::sim) fn take(&mut self, change: Change) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut self.user, change.user);
        set(&mut self.email, change.email);
        set(&mut self.origin, change.origin);
        set(&mut self.trusted_ts, change.trusted_ts);
        set(&mut self.trusted_backend, change.trusted_backend);
        set(&mut self.allow_keysearch, change.allow_keysearch);
        set(&mut self.dnsd, change.dnsd);
        set(&mut self.ctx, change.ctx);
        set(&mut self.http_option_hsts, change.http_option_hsts);
        set(
            &mut self.http_option_dosprot_mode,
            change.http_option_dosprot_mode,
        );
        set(&mut self.storage_mode, change.storage_mode);
        set(&mut self.storage_disk0size, change.storage_disk0size);
    }
}

/// The body of a change; what it does not name stays as it is.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sim) struct Change {
    user: Option<String>,
    email: Option<String>,
    origin: Option<String>,
    trusted_ts: Option<bool>,
    trusted_backend: Option<bool>,
    allow_keysearch: Option<bool>,
    dnsd: Option<bool>,
    ctx: Option<u64>,
    http_option_hsts: Option<bool>,
    http_option_dosprot_mode: Option<u64>,
    storage_mode: Option<u64>,
    storage_disk0size: Option<u64>,
    pub(in crate::sim) tls: Option<Tls>,
    wipeout: Option<Value>,
    gen_csr: Option<Value>,
    userkey: Option<Value>,
}

#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::sim) struct Tls {
    /// A certificate, base64 of DER.
    pub(in crate::sim) crt: Option<String>,
    /// A private key under a transport key.
    key: Option<Value>,
}

impl Change {
    pub(in crate::sim) fn is_not_simulated(&self) -> bool {
        let key = self.tls.as_ref().and_then(|tls| tls.key.as_ref());
        [&self.wipeout, &self.gen_csr, &self.userkey]
            .into_iter()
            .any(Option::is_some)
            || key.is_some()
    }
}
