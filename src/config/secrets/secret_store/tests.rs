//! Secrets from every kind of source, and the messages for bad ones. No test needs a terminal.

use std::ffi::OsString;

use super::super::secret_reader::LONGEST;
use super::*;
use crate::model::{KdfChoice, WordsChoice};

#[expect(clippy::unnecessary_wraps, reason = "a judge that takes everything")]
fn any(_: &AuthMethod, _: &Secret) -> Result<(), String> {
    Ok(())
}

fn device(name: &str, auth: AuthMethod) -> DeviceSpec {
    DeviceSpec {
        auth,
        ..DeviceSpec::plain(name, "my.ence.do", 443)
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

fn shown(faults: &Diagnostics) -> String {
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
    let store = SecretStore::resolve(&fleet, &mut person, &env, &[], &any).unwrap();
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
    let faults = SecretStore::resolve(&fleet, &mut person, &env, &[], &any).unwrap_err();
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
        answers: vec![Ok(""), Ok(""), Ok(""), Err(io::Error::other("no terminal"))],
        ..Person::default()
    };
    let faults = SecretStore::resolve(&fleet, &mut person, &env, &[], &any).unwrap_err();
    let text = shown(&faults);
    assert!(text.contains("nothing was typed for `Warsaw`"), "{text}");
    assert_eq!(person.asked.len(), 3);
}

#[test]
fn what_is_judged_bad_is_asked_for_again_or_told() {
    let judge = |auth: &AuthMethod, secret: &Secret| match auth {
        AuthMethod::MasterWords(..) if secret.expose() != b"valid" => Err("bad words".to_owned()),
        _ => Ok(()),
    };
    let words = |name, source| device(name, AuthMethod::MasterWords(source, WordsChoice::Auto));
    let typed = || SecretSource::Prompt("Words".to_owned());
    // Also where the first device that uses it would take anything.
    let fleet = [passphrase("a", typed()), words("b", typed())];
    let mut person = Person {
        answers: vec![Ok(""), Ok("hunter2"), Ok("valid")],
        ..Person::default()
    };
    let store = SecretStore::resolve(&fleet, &mut person, &env, &[], &judge).unwrap();
    assert_eq!(bytes(&store.credential(&fleet[0])), b"valid");
    assert_eq!(
        person.asked,
        [
            "Words",
            "nothing was typed for `Words`; Words",
            "bad words; Words"
        ]
    );
    let mut stubborn = Person {
        answers: vec![Ok("hunter2"), Ok("hunter2"), Ok("hunter2")],
        ..Person::default()
    };
    let faults = SecretStore::resolve(&fleet, &mut stubborn, &env, &[], &judge).unwrap_err();
    assert!(!shown(&faults).contains("hunter2"));
    let fleet = [words("c", SecretSource::Env("PASS".to_owned()))];
    let faults = SecretStore::resolve(&fleet, &mut person, &env, &[], &judge).unwrap_err();
    let text = shown(&faults);
    assert!(
        text.contains("bad words") && text.contains("device: c"),
        "{text}"
    );
    assert!(!text.contains("correct"), "{text}");
}

#[cfg(unix)]
fn one(source: SecretSource) -> Result<Vec<u8>, String> {
    let fleet = [passphrase("a", source)];
    SecretStore::resolve(&fleet, &mut Person::default(), &env, &[], &any)
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
