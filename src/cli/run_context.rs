//! What the journal keeps of a run beside its messages: who runs it, on what, with which files and rules. No secret, and no
//! source of one.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::config::Settings;
use crate::journal::{DeviceContext, RunContext};
use crate::model::{AuthMethod, DeviceSpec, Payload, Reach, Scheme, TlsTrust, hex, printable};

/// The context of a run of this process.
pub(super) fn run_context(settings: &Settings, payload: &Payload, inventory: &Path) -> RunContext {
    let who = Who::this_process();
    RunContext {
        user: who.user,
        host: who.host,
        pid: who.pid,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        inventory: absolute(inventory),
        firmware: payload
            .firmware
            .as_ref()
            .and(settings.firmware.as_deref())
            .map(absolute),
        app: payload
            .app
            .as_ref()
            .and(settings.app.as_deref())
            .map(absolute),
        devices: settings.devices.iter().map(device_context).collect(),
        policy: settings.policy.clone(),
    }
}

/// How a device is reached and trusted.
pub(super) fn device_context(spec: &DeviceSpec) -> DeviceContext {
    let scheme = match spec.endpoint.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let trust = match &spec.tls {
        TlsTrust::System => "system".to_owned(),
        TlsTrust::Ca(pem) => format!("ca {}", hex(&Sha256::digest(pem.as_bytes())[..8])),
        TlsTrust::Pin(pin) => format!("pin sha256//{}", STANDARD.encode(pin.0)),
        TlsTrust::Insecure => "insecure".to_owned(),
    };
    let auth = match &spec.auth {
        AuthMethod::None => "none",
        AuthMethod::Token(_) => "token",
        AuthMethod::Passphrase(..) => "passphrase",
        AuthMethod::Prompt => "prompt",
        AuthMethod::MasterWords(..) => "master_words",
        AuthMethod::Mobile => "mobile",
    };
    DeviceContext {
        id: spec.id.clone(),
        reach: Reach::of(spec),
        url: format!("{scheme}://{}", spec.endpoint.authority),
        trust,
        auth: auth.to_owned(),
    }
}

/// A user, a machine and a process.
pub(super) struct Who {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) pid: u32,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &str| printable(text, 64);
        write!(
            f,
            "{} on {}, process {}",
            word(&self.user),
            word(&self.host),
            self.pid
        )
    }
}

impl Who {
    /// Who runs this process.
    pub(super) fn this_process() -> Self {
        let user = ["USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        let uid = rustix::process::getuid().as_raw();
        Self {
            user: user.unwrap_or_else(|| format!("uid {uid}")),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            pid: std::process::id(),
        }
    }
}

/// The path from the root, as text.
fn absolute(path: &Path) -> String {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    full.to_string_lossy().into_owned()
}
