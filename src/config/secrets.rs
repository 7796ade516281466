//! Reads the secrets that the inventory points at, each source once.
//! Must not: show a secret, or anything a command wrote beside it, in a fault or anywhere else.

use std::collections::HashMap;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};

use zeroize::Zeroizing;

use super::fault::{Fault, Faults, quoted};
use super::resolve::{Env, reason, unset};
use super::secret_file;
use super::value::{Checked, Complaint};
use crate::model::{AuthMethod, Credential, DeviceSpec, Secret, SecretSource, printable};

/// More than any passphrase or token; what goes on longer is not one.
const LONGEST: usize = 64 * 1024;

/// Asks the person at the terminal for a secret.
pub trait Prompter {
    /// Shows `text` and reads one line without echo.
    fn ask(&mut self, text: &str) -> io::Result<Zeroizing<String>>;
}

/// Asks at the controlling terminal, whatever standard input and output are.
#[derive(Debug, Default)]
pub struct TerminalPrompter;

impl Prompter for TerminalPrompter {
    fn ask(&mut self, text: &str) -> io::Result<Zeroizing<String>> {
        rpassword::prompt_password(format!("{}: ", printable(text, 200))).map(Zeroizing::new)
    }
}

/// The secrets of a fleet.
#[derive(Debug, Default)]
pub struct SecretStore(HashMap<SecretSource, Secret>);

impl SecretStore {
    /// Reads every distinct source that `devices` name, prompts last.
    ///
    /// # Errors
    ///
    /// All that failed, together; never with a secret in it.
    pub fn resolve(
        devices: &[DeviceSpec],
        prompter: &mut dyn Prompter,
        env: &Env<'_>,
    ) -> Result<Self, Faults> {
        let mut store = Self::default();
        let mut faults = Faults::default();
        let mut failed: Vec<&SecretSource> = Vec::new();
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
                None => read(source, prompter, env),
            };
            match read.and_then(|secret| fits(&device.auth, secret)) {
                Ok(secret) => {
                    store.0.insert(source.clone(), secret);
                }
                Err(complaint) => {
                    failed.push(source);
                    faults.push(fault(complaint, source, devices));
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

fn fault(complaint: Complaint, source: &SecretSource, devices: &[DeviceSpec]) -> Fault {
    let users: Vec<&str> = devices
        .iter()
        .filter(|d| d.auth.source() == Some(source))
        .map(|d| d.id.as_str())
        .collect();
    let first = users.first().copied().unwrap_or_default();
    let mut fault = Fault::new(complaint.message).key("auth.secret");
    fault = match users.len() {
        0 | 1 => fault.device(first),
        n => fault.device(format!("{first} and {} more", n - 1)),
    };
    match complaint.hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

fn read(source: &SecretSource, prompter: &mut dyn Prompter, env: &Env<'_>) -> Checked<Secret> {
    match source {
        SecretSource::Env(name) => match env(name) {
            Some(value) => {
                let value = Zeroizing::new(value.into_encoded_bytes());
                line_of(&value).ok_or_else(|| unset(name, true))
            }
            None => Err(unset(name, false)),
        },
        SecretSource::File(path) => {
            let shown = super::fault::shown_path(path);
            let bytes = read_bounded(&mut secret_file::open(path)?)
                .map_err(|e| Complaint::new(format!("the secret file {shown}: {}", reason(&e))))?;
            line_of(&bytes).ok_or_else(|| {
                Complaint::new(format!(
                    "the first line of the secret file {shown} is empty"
                ))
                .hint("write the secret on its first line")
            })
        }
        SecretSource::Command(words) => run(words),
        SecretSource::Prompt(text) => ask(text, prompter),
    }
}

/// A token becomes part of a header line; a passphrase may be any bytes.
fn fits(auth: &AuthMethod, secret: Secret) -> Checked<Secret> {
    if matches!(auth, AuthMethod::Token(_)) && !secret.expose().iter().all(u8::is_ascii_graphic) {
        return Err(
            Complaint::new("the token holds blanks or characters that no token has")
                .hint("a token is one word of letters, digits and -._~+/="),
        );
    }
    Ok(secret)
}

/// The first line, without its end; `None` if there is nothing in it.
fn line_of(bytes: &[u8]) -> Option<Secret> {
    let line = bytes.split(|b| *b == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (!line.is_empty()).then(|| Secret::new(line.to_vec()))
}

/// Everything there is, up to a bound, in one buffer that never moves: a buffer that grows would
/// leave copies behind that nobody wipes.
fn read_bounded(from: &mut dyn Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; LONGEST + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    if filled > LONGEST {
        return Err(io::Error::other("more than 64 KiB, which is no secret"));
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn run(words: &[String]) -> Checked<Secret> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Complaint::new("an empty command"));
    };
    let name = quoted(program);
    // Standard error is the person's: gpg and its like say there what they want.
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let mut child = child.map_err(|e| {
        Complaint::new(format!("cannot run the command {name}: {}", reason(&e)))
            .hint("no shell is involved: the first word is the program, looked up in PATH")
    })?;
    let output = match child.stdout.take() {
        Some(mut stdout) => read_bounded(&mut stdout),
        None => Err(io::Error::other("no standard output")),
    };
    let output = output.map_err(|e| {
        stop(&mut child);
        Complaint::new(format!("the command {name}: {}", reason(&e)))
    })?;
    let status = child
        .wait()
        .map_err(|e| Complaint::new(format!("the command {name}: {}", reason(&e))))?;
    if !status.success() {
        return Err(
            Complaint::new(format!("the command {name} ended with {status}"))
                .hint("run it by hand: its first line of output is the secret"),
        );
    }
    line_of(&output).ok_or_else(|| {
        Complaint::new(format!("the command {name} wrote no secret"))
            .hint("its first line of standard output is the secret")
    })
}

/// Ends a command whose output nobody reads any more.
fn stop(child: &mut Child) {
    // It may have ended by itself meanwhile, which is as good.
    let _ = child.kill();
    let _ = child.wait();
}

fn ask(text: &str, prompter: &mut dyn Prompter) -> Checked<Secret> {
    let answer = prompter.ask(text).map_err(|e| {
        Complaint::new(format!("cannot ask for {}: {}", quoted(text), reason(&e)))
            .hint("without a terminal a secret comes from { env }, { file } or { command }")
    })?;
    line_of(answer.as_bytes())
        .ok_or_else(|| Complaint::new(format!("nothing was typed for {}", quoted(text))))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::model::{DeviceId, Endpoint, HostPort, KdfChoice, Scheme, TlsTrust};

    fn device(name: &str, auth: AuthMethod) -> DeviceSpec {
        DeviceSpec {
            id: DeviceId::new(name),
            endpoint: Endpoint {
                scheme: Scheme::Https,
                authority: HostPort {
                    host: "my.ence.do".to_owned(),
                    port: 443,
                },
                connect: None,
                http_connect: None,
            },
            proxy: None,
            ssh: None,
            group: None,
            tags: vec![],
            tls: TlsTrust::System,
            auth,
            allow_plain_login: false,
        }
    }

    fn passphrase(name: &str, source: SecretSource) -> DeviceSpec {
        device(name, AuthMethod::Passphrase(source, KdfChoice::Auto))
    }

    fn command(words: &[&str]) -> SecretSource {
        SecretSource::Command(words.iter().map(ToString::to_string).collect())
    }

    /// Answers, and remembers what it was asked.
    #[derive(Default)]
    struct Person {
        asked: Vec<String>,
        answers: Vec<io::Result<&'static str>>,
    }

    impl Prompter for Person {
        fn ask(&mut self, text: &str) -> io::Result<Zeroizing<String>> {
            self.asked.push(text.to_owned());
            self.answers.remove(0).map(|a| Zeroizing::new(a.to_owned()))
        }
    }

    fn env(name: &str) -> Option<OsString> {
        match name {
            "PASS" => Some("correct horse \n".into()),
            "BLANKS" => Some("to ken".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        }
    }

    fn shown(faults: &Faults) -> String {
        faults.render(false, 100)
    }

    fn bytes(credential: &Credential) -> &[u8] {
        match credential {
            Credential::Token(s) | Credential::Passphrase(s, _) => s.expose(),
            other => panic!("no secret in {other:?}"),
        }
    }

    #[test]
    fn each_source_is_read_once() {
        let prompt = || SecretSource::Prompt("Warsaw vaults".to_owned());
        let fleet = [
            passphrase("prompted", prompt()),
            passphrase("env", SecretSource::Env("PASS".to_owned())),
            passphrase("too", prompt()),
            device("fresh", AuthMethod::None),
        ];
        let mut person = Person {
            answers: vec![Ok("hunter2")],
            ..Person::default()
        };
        let store = SecretStore::resolve(&fleet, &mut person, &env).unwrap();
        assert_eq!(person.asked, ["Warsaw vaults"]);
        assert_eq!(bytes(&store.credential(&fleet[0])), b"hunter2");
        assert_eq!(bytes(&store.credential(&fleet[1])), b"correct horse ");
        assert_eq!(bytes(&store.credential(&fleet[2])), b"hunter2");
        assert!(matches!(store.credential(&fleet[3]), Credential::None));
        let stranger = passphrase("x", SecretSource::Env("OTHER".to_owned()));
        assert!(matches!(store.credential(&stranger), Credential::None));
        assert!(!format!("{store:?}").contains("hunter2"));
    }

    #[test]
    fn all_failures_come_together_and_nobody_is_asked_in_vain() {
        let fleet = [
            passphrase("a", SecretSource::Prompt("Warsaw".to_owned())),
            passphrase("b", SecretSource::Env("UNSET".to_owned())),
            passphrase("c", SecretSource::Env("EMPTY".to_owned())),
            device(
                "d",
                AuthMethod::Token(SecretSource::Env("BLANKS".to_owned())),
            ),
            passphrase("e", SecretSource::Env("UNSET".to_owned())),
            passphrase("f", SecretSource::File("no-such-file".into())),
            passphrase("g", command(&["no-such-program-of-hemfleet"])),
        ];
        let mut person = Person::default();
        let faults = SecretStore::resolve(&fleet, &mut person, &env).unwrap_err();
        assert!(person.asked.is_empty());
        assert_eq!(faults.len(), 5, "{}", shown(&faults));
        let text = shown(&faults);
        assert!(text.contains("device: b and 1 more"), "{text}");
        assert!(!text.contains("to ken"), "{text}");
    }

    #[test]
    fn an_empty_answer_and_a_missing_terminal_are_faults() {
        let fleet = [
            passphrase("a", SecretSource::Prompt("Warsaw".to_owned())),
            passphrase("b", SecretSource::Prompt("Krak\u{f3}w".to_owned())),
        ];
        let mut person = Person {
            answers: vec![Ok(""), Err(io::Error::other("no terminal"))],
            ..Person::default()
        };
        let faults = SecretStore::resolve(&fleet, &mut person, &env).unwrap_err();
        let text = shown(&faults);
        assert!(text.contains("nothing was typed for `Warsaw`"), "{text}");
    }

    #[cfg(unix)]
    fn one(source: SecretSource) -> Result<Vec<u8>, String> {
        let fleet = [passphrase("a", source)];
        SecretStore::resolve(&fleet, &mut Person::default(), &env)
            .map(|store| bytes(&store.credential(&fleet[0])).to_vec())
            .map_err(|faults| shown(&faults))
    }

    #[cfg(unix)]
    #[test]
    fn commands_run_without_a_shell_and_their_output_stays_secret() {
        assert_eq!(
            one(command(&["printf", "a $HOME\\r\\nrest"])).unwrap(),
            b"a $HOME"
        );
        for (words, said) in [
            (
                ["sh", "-c", "echo hunter2; exit 3"],
                "ended with exit status: 3",
            ),
            (["sh", "-c", "echo; echo hunter2"], "wrote no secret"),
            (["sh", "-c", "kill -9 $$"], "ended with signal: 9"),
            (["sh", "-c", "yes hunter2"], "more than 64 KiB"),
            (
                ["sh", "-c", "read x && echo hunter2"],
                "ended with exit status: 1",
            ),
        ] {
            let text = one(command(&words)).unwrap_err();
            assert!(
                text.contains(said) && text.contains("command `sh`"),
                "{text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_are_judged_before_they_are_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pass");
        let write = |bytes: &[u8], mode| {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            one(SecretSource::File(path.clone()))
        };
        assert_eq!(write(b"hunter2\r\nsecond", 0o600).unwrap(), b"hunter2");
        assert_eq!(
            write(b"\xff\x00 no text", 0o600).unwrap(),
            b"\xff\x00 no text"
        );
        for (bytes, mode, said) in [
            (&b"hunter2"[..], 0o640, "others may read"),
            (b"", 0o600, "is empty"),
            (b"\nhunter2", 0o600, "is empty"),
            (&vec![b'x'; LONGEST + 1], 0o600, "more than 64 KiB"),
        ] {
            let text = write(bytes, mode).unwrap_err();
            assert!(text.contains(said) && !text.contains("hunter2"), "{text}");
        }
        let text = one(SecretSource::File(dir.path().to_path_buf())).unwrap_err();
        assert!(text.contains("is a folder"), "{text}");
    }
}
