//! Reads the secrets that the inventory points at, each source once. No message shows a secret, or what a command
//! prints beside it.

use std::collections::{HashMap, HashSet};
use std::io;

use zeroize::Zeroizing;

use super::command::Commands;
use super::secret_reader::{self, first_line, read_bounded};
use crate::config::diagnostic::{Diagnostic, Diagnostics, quoted};
use crate::config::environment::{Env, reason, unset};
use crate::config::toml::single_values::{ValueError, ValueResult};
use crate::model::{AuthMethod, Credential, DeviceSpec, Secret, SecretSource};

/// How often a person is asked for a secret that cannot be one.
const PROMPTS: usize = 3;

/// Says what is wrong with a secret that can be judged by itself, without a word of it.
pub type SecretCheck<'j> = dyn Fn(&AuthMethod, &Secret) -> Result<(), String> + 'j;

/// Asks the person at the terminal for a secret.
pub trait Prompter {
    /// Shows `text` and reads one line without echo.
    fn ask(&mut self, text: &str) -> io::Result<Zeroizing<String>>;
}

/// The secrets of a fleet.
#[derive(Debug, Default)]
pub struct SecretStore(HashMap<SecretSource, Secret>);

impl SecretStore {
    /// Reads every distinct source that `devices` name, prompts last. What `judge` says of a secret is a
    /// fault; a person is asked for another one at once. Commands are run without the variables `hidden`,
    /// which hold secrets that are not theirs to know.
    ///
    /// # Errors
    ///
    /// All that failed, together; never with a secret in it.
    pub fn resolve(
        devices: &[DeviceSpec],
        prompter: &mut dyn Prompter,
        env: &Env<'_>,
        hidden: &[String],
        judge: &SecretCheck<'_>,
    ) -> Result<Self, Diagnostics> {
        let mut store = Self::default();
        let mut faults = Diagnostics::default();
        let mut failed: HashSet<&SecretSource> = HashSet::new();
        let users = Users::of(devices);
        let commands = Commands::without(hidden);
        let is_prompt = |d: &&DeviceSpec| matches!(d.auth.source(), Some(SecretSource::Prompt(_)));
        let (prompts, others): (Vec<_>, Vec<_>) = devices.iter().partition(is_prompt);
        for device in others.into_iter().chain(prompts) {
            let Some(source) = device.auth.source() else {
                continue;
            };
            if failed.contains(&source) {
                continue;
            }
            // Nobody is asked for a passphrase of a run that cannot start anyway.
            if is_prompt(&device) && !faults.is_empty() {
                break;
            }
            let read = match store.0.get(source) {
                Some(known) => Ok(known.clone()),
                None => read(source, prompter, env, &commands, &|secret| {
                    let mut of_it = users.of_source(source);
                    of_it.try_for_each(|d| fits(&d.auth, secret, judge))
                }),
            };
            let fitting = |secret| fits(&device.auth, &secret, judge).map(|()| secret);
            match read.and_then(fitting) {
                Ok(secret) => {
                    store.0.insert(source.clone(), secret);
                }
                Err(error) => {
                    failed.insert(source);
                    faults.push(fault(error, users.of_source(source)));
                }
            }
        }
        if faults.is_empty() {
            Ok(store)
        } else {
            Err(faults)
        }
    }

    /// What the device logs in with. A device that is not of the fleet that was resolved gets
    /// [`Credential::None`]: it will be refused, and no other's secret is tried on it.
    pub fn credential(&self, device: &DeviceSpec) -> Credential {
        let find = |s| self.0.get(s).cloned();
        match &device.auth {
            AuthMethod::None => None,
            AuthMethod::Token(s) => find(s).map(Credential::Token),
            AuthMethod::Passphrase(s, kdf) => find(s).map(|s| Credential::Passphrase(s, *kdf)),
            AuthMethod::MasterWords(s, choice) => {
                find(s).map(|s| Credential::MasterWords(s, *choice))
            }
            AuthMethod::Prompt => Some(Credential::Prompt),
            AuthMethod::Mobile => Some(Credential::Mobile),
        }
        .unwrap_or(Credential::None)
    }
}

/// The devices of each source.
struct Users<'d>(HashMap<&'d SecretSource, Vec<&'d DeviceSpec>>);

impl<'d> Users<'d> {
    fn of(devices: &'d [DeviceSpec]) -> Self {
        let mut all: HashMap<_, Vec<_>> = HashMap::new();
        for device in devices {
            if let Some(source) = device.auth.source() {
                all.entry(source).or_default().push(device);
            }
        }
        Self(all)
    }

    fn of_source(&self, source: &SecretSource) -> impl Iterator<Item = &'d DeviceSpec> {
        self.0.get(source).into_iter().flatten().copied()
    }
}

fn fault<'d>(error: ValueError, users: impl Iterator<Item = &'d DeviceSpec>) -> Diagnostic {
    let users: Vec<&str> = users.map(|d| d.id.as_str()).collect();
    let first = users.first().copied().unwrap_or_default();
    let mut fault = Diagnostic::new(error.message).key("auth.secret");
    fault = match users.len() {
        0 | 1 => fault.device(first),
        n => fault.device(format!("{first} and {} more", n - 1)),
    };
    match error.hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// Reads a source; `check` is for what a person types, who can be asked again.
fn read(
    source: &SecretSource,
    prompter: &mut dyn Prompter,
    env: &Env<'_>,
    commands: &Commands<'_>,
    check: &dyn Fn(&Secret) -> ValueResult<()>,
) -> ValueResult<Secret> {
    match source {
        SecretSource::Env(name) => match env(name) {
            Some(value) => {
                let value = Zeroizing::new(value.into_encoded_bytes());
                first_line(&value).ok_or_else(|| unset(name, true))
            }
            None => Err(unset(name, false)),
        },
        SecretSource::File(path) => {
            let shown = crate::config::diagnostic::shown_path(path);
            let bytes = read_bounded(&mut secret_reader::open(path)?)
                .map_err(|e| ValueError::new(format!("the secret file {shown}: {}", reason(&e))))?;
            first_line(&bytes).ok_or_else(|| {
                ValueError::new(format!(
                    "the first line of the secret file {shown} is empty"
                ))
                .hint("write the secret on its first line")
            })
        }
        SecretSource::Command(words) => commands.run(words),
        SecretSource::Prompt(text) => ask(text, prompter, check),
    }
}

/// A token becomes part of a header line; a passphrase may be any bytes; the rest is up to `judge`.
fn fits(auth: &AuthMethod, secret: &Secret, judge: &SecretCheck<'_>) -> ValueResult<()> {
    if matches!(auth, AuthMethod::Token(_)) && !secret.expose().iter().all(u8::is_ascii_graphic) {
        return Err(
            ValueError::new("the token holds blanks or characters that no token has")
                .hint("a token is one word of letters, digits and -._~+/="),
        );
    }
    judge(auth, secret).map_err(|message| {
        ValueError::new(message).hint(match auth {
            AuthMethod::MasterWords(..) => {
                "all 24 words stand on one line, with blanks between them"
            }
            _ => "look where it comes from",
        })
    })
}

/// Asks until the answer can be one, but not for ever.
fn ask(
    text: &str,
    prompter: &mut dyn Prompter,
    check: &dyn Fn(&Secret) -> ValueResult<()>,
) -> ValueResult<Secret> {
    let mut question = text.to_owned();
    let mut left = PROMPTS;
    loop {
        let answer = prompter.ask(&question).map_err(|e| {
            ValueError::new(format!("cannot ask for {}: {}", quoted(text), reason(&e)))
                .hint("without a terminal a secret comes from { env }, { file } or { command }")
        })?;
        let nothing = || ValueError::new(format!("nothing was typed for {}", quoted(text)));
        let typed = first_line(answer.as_bytes()).ok_or_else(nothing);
        left -= 1;
        match typed.and_then(|secret| check(&secret).map(|()| secret)) {
            Err(error) if left > 0 => question = format!("{}; {text}", error.message),
            answered => return answered,
        }
    }
}

#[cfg(test)]
mod tests;
