//! The lab folder: all files that a client needs to upgrade a simulated fleet. Files that the simulator did not write
//! are never overwritten.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::device::clock::unix_now;
use super::device::credential::Credential;
use super::fleet::{SimDevice, SimFleet, reachable};
use super::script::device::AuthScript;
use super::script::values::LinkScheme;
use crate::model::APP_UPLOAD_NAME;

/// The first line of the generated inventory; by it a folder is known to be a lab.
const MARK: &str = "# Written by hemfleet's simulator, and written over by it.";

/// How long the bearer token of `auth = "token"` lives, in seconds.
const TOKEN_LIFE: i64 = 8 * 3600;

const INVENTORY: &str = "fleet.toml";
const CA: &str = "ca.pem";
const IMAGE: &str = "firmware.bin";
const APP: &str = APP_UPLOAD_NAME;
const WRONG_SECRET: &str = "wrong-passphrase";

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabDir {
    /// The inventory, `fleet.toml`.
    pub inventory: PathBuf,
    /// The firmware file.
    pub image: PathBuf,
    /// The management app, where there is one.
    pub app: Option<PathBuf>,
    /// The CA of devices and broker.
    pub ca: PathBuf,
    /// Every credential that a device accepts.
    pub accepted: Vec<Accepted>,
}

/// A credential that devices accept, and where it was written. No secret: the devices are simulated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// What it is, and how keys are derived from it.
    pub kind: &'static str,
    /// The name of its file in the lab folder.
    pub file: String,
    /// What stands in it.
    pub value: String,
    /// The devices that accept it.
    pub devices: Vec<String>,
}

impl SimFleet {
    /// The inventory of this fleet. File names in it are those of [`SimFleet::write_lab`], beside it.
    pub fn inventory_toml(&self) -> String {
        let scenario = self.scenario();
        let mut toml = format!(
            "{MARK}\n# {}\n\n[fleet]\n",
            scenario.about.replace('\n', " ")
        );
        let _ = writeln!(toml, "firmware = \"{IMAGE}\"");
        if scenario.app.is_some() {
            let _ = writeln!(toml, "app = \"{APP}\"");
        }
        if let Some(n) = scenario.client.concurrency {
            let _ = writeln!(toml, "concurrency = {n}");
        }
        let _ = writeln!(toml, "\n[broker]\nurl = \"{}\"", self.broker_url());
        if scenario.broker.scheme == LinkScheme::Https {
            let _ = writeln!(toml, "ca = \"{CA}\"");
        }
        let asks = |d: &SimDevice| d.script().auth == AuthScript::Mobile;
        let asks_phones = self.devices().iter().any(asks);
        toml.push_str(&scenario.client.tables(asks_phones));
        let _ = writeln!(
            toml,
            "\n[defaults]\ntls = {{ ca = \"{CA}\" }}\nauth = {}",
            secret("passphrase", Credential::Passphrase.file(), "")
        );
        for device in self.devices() {
            table(&mut toml, device);
        }
        toml
    }

    /// Writes inventory, CA, image and secrets into a folder, which is made where it is not there.
    /// All files are for their owner only. A lab of the simulator is written over.
    ///
    /// # Errors
    ///
    /// A file of one of these names that the simulator did not write, or a folder that cannot be
    /// written.
    pub fn write_lab(&self, dir: &Path) -> io::Result<LabDir> {
        let mut files = vec![
            (INVENTORY.to_owned(), self.inventory_toml().into_bytes()),
            (CA.to_owned(), self.ca_pem().as_bytes().to_vec()),
            (IMAGE.to_owned(), self.image().to_vec()),
        ];
        if let Some(app) = self.app() {
            files.push((APP.to_owned(), app.to_vec()));
        }
        let wrong = |d: &SimDevice| d.script().auth == AuthScript::WrongPassphrase;
        if self.devices().iter().any(wrong) {
            files.push((WRONG_SECRET.to_owned(), b"not this one\n".to_vec()));
        }
        let accepted = self.accepted();
        let passphrase = Credential::Passphrase;
        // The inventory's defaults name it, whether a device accepts it or not.
        let mut secrets =
            BTreeMap::from([(passphrase.file().to_owned(), passphrase.value().to_owned())]);
        secrets.extend(accepted.iter().map(|a| (a.file.clone(), a.value.clone())));
        for (name, text) in secrets {
            files.push((name, format!("{text}\n").into_bytes()));
        }
        make_dir(dir)?;
        refuse_foreign(dir, files.iter().map(|(name, _)| name.as_str()))?;
        for (name, bytes) in &files {
            write(&dir.join(name), bytes)?;
        }
        Ok(LabDir {
            inventory: dir.join(INVENTORY),
            image: dir.join(IMAGE),
            app: self.app().map(|_| dir.join(APP)),
            ca: dir.join(CA),
            accepted,
        })
    }

    /// What devices accept, each secret once; fresh devices accept nothing. Tokens are issued for it.
    fn accepted(&self) -> Vec<Accepted> {
        let mut all: Vec<Accepted> = Vec::new();
        for device in self.devices() {
            for credential in device.credentials() {
                let name = device.name().to_owned();
                match all.iter_mut().find(|a| a.kind == credential.name()) {
                    Some(known) => known.devices.push(name),
                    None => all.push(Accepted {
                        kind: credential.name(),
                        file: credential.file().to_owned(),
                        value: credential.value().to_owned(),
                        devices: vec![name],
                    }),
                }
            }
        }
        for device in self.devices() {
            if device.script().auth == AuthScript::Token {
                // A clock that is not set yet will be, to about the real time.
                let now = device.clock().unwrap_or_else(unix_now);
                all.push(Accepted {
                    kind: "bearer token (system:upgrade)",
                    file: token_file(device.index()),
                    value: device.token("system:upgrade", now + TOKEN_LIFE),
                    devices: vec![device.name().to_owned()],
                });
            }
        }
        all
    }
}

/// An inventory's `auth`, with a further key where there is one.
fn secret(kind: &str, file: &str, more: &str) -> String {
    format!("{{ kind = \"{kind}\", secret = {{ file = \"{file}\" }}{more} }}")
}

fn token_file(index: usize) -> String {
    format!("token-{}", index + 1)
}

fn table(toml: &mut String, device: &SimDevice) {
    let script = device.script();
    let at = SocketAddr::new(reachable(device.addr().ip()), device.addr().port());
    let _ = writeln!(toml, "\n[[device]]\nname = {}", quoted(&script.name));
    let _ = writeln!(
        toml,
        "url = \"{}://{}\"\nconnect = \"{at}\"",
        script.scheme.as_str(),
        script.host()
    );
    if let Some(group) = &script.group {
        let _ = writeln!(toml, "group = {}", quoted(group));
    }
    if !script.tags.is_empty() {
        let tags: Vec<_> = script.tags.iter().map(|t| quoted(t)).collect();
        let _ = writeln!(toml, "tags = [{}]", tags.join(", "));
    }
    if let Some(http) = device.http_addr() {
        let at = SocketAddr::new(reachable(http.ip()), http.port());
        let _ = writeln!(toml, "http_connect = \"{at}\"");
    }
    if script.scheme == LinkScheme::Http && script.allow_plain_login {
        // Without it a client does not log in over such a link.
        toml.push_str("allow_plain_login = true\n");
    }
    let auth = match script.auth {
        AuthScript::Passphrase => return,
        // That it is Manager 1's derivation, the client has to find out.
        AuthScript::Argon2 => {
            let file = Credential::PassphraseArgon2.file();
            secret("passphrase", file, ", kdf = \"auto\"")
        }
        AuthScript::MasterWords => secret("master_words", Credential::MasterWords.file(), ""),
        AuthScript::MasterWordsLegacy => {
            let file = Credential::MasterWordsLegacy.file();
            secret("master_words", file, ", legacy = \"auto\"")
        }
        AuthScript::MasterPassphrase => {
            secret("passphrase", Credential::MasterPassphrase.file(), "")
        }
        AuthScript::Mobile => "{ kind = \"mobile\" }".to_owned(),
        AuthScript::WrongPassphrase => secret("passphrase", WRONG_SECRET, ""),
        AuthScript::Token => secret("token", &token_file(device.index()), ""),
        AuthScript::None => "{ kind = \"none\" }".to_owned(),
    };
    let _ = writeln!(toml, "auth = {auth}");
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|e| named(dir, &e))
}

/// The error with the path in it: the system's own words have none.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot write {}: {error}", path.display()),
    )
}

fn refuse_foreign<'a>(dir: &Path, mut names: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let ours = fs::read(dir.join(INVENTORY)).is_ok_and(|text| text.starts_with(MARK.as_bytes()));
    let foreign = names.find(|name| dir.join(name).symlink_metadata().is_ok());
    match foreign {
        Some(name) if !ours => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!(
                "{} is there already and is not the simulator's",
                dir.join(name).display()
            ),
        )),
        _ => Ok(()),
    }
}

/// Writes a file that only its owner may read, whatever was there before.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(named(path, &e)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|e| named(path, &e))
}
