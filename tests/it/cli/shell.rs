//! What a shell, `man` and an editor are given.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::program::{code, hemfleet, run, text, vector};

#[test]
fn completions_and_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        assert_eq!(code(&script), 0);
        for word in ["plan", "fetch", "completions", "--only", "schema"] {
            let word = if shell == "fish" {
                word.trim_start_matches('-')
            } else {
                word
            };
            assert!(text(&script.stdout).contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(code(&run(&["completions", "csh"])), 2);
    let page = run(&["man"]);
    assert_eq!(code(&page), 0);
    assert!(text(&page.stdout).contains(".TH hemfleet 1"));
    let dir = tempfile::tempdir().unwrap();
    let man = dir.path().join("man1");
    let pages = |expected| assert_eq!(code(&run(&["man", man.to_str().unwrap()])), expected);
    pages(0);
    // Those of an older hemfleet are replaced.
    pages(0);
    for page in ["hemfleet.1", "hemfleet-run.1", "hemfleet-config-check.1"] {
        assert!(man.join(page).is_file(), "{page}");
    }
    let plan = std::fs::read_to_string(man.join("hemfleet-plan.1")).unwrap();
    assert!(plan.contains("HEMFLEET_CONFIG"), "{plan}");
}

#[test]
fn the_schema_is_json_for_editors() {
    let schema = run(&["config", "schema"]);
    assert_eq!(code(&schema), 0);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(schema["properties"]["device"]["items"]["properties"]["url"].is_object());
}

/// Answers the questions of `config init` in this folder; exit code, and what was said.
fn init(dir: &Path, answers: &str) -> (i32, String) {
    let mut init = hemfleet();
    init.within(dir).args(["config", "init"]).typed(answers);
    let output = init.output().unwrap();
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    (code(&output), said)
}

fn check(dir: &Path) -> (i32, String) {
    let mut check = hemfleet();
    check.within(dir).args(["config", "check"]).env("HEM", "x");
    let output = check.output().unwrap();
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    (code(&output), said)
}

#[test]
fn init_writes_an_inventory_that_checks_whatever_is_answered() {
    let image = vector("signed-v1.2.3.bin");
    let image = image.to_str().unwrap();
    for (answers, devices, says) in [
        // Nobody answers: the defaults.
        (
            String::new(),
            "1 device",
            &["name = \"vault-01\"", "kind = \"prompt\""][..],
        ),
        (
            format!(
                "{image}\nproxy\nsocks5h://jump:1080\nhttps://hem\ntoken\nHEM\na\nh:1\nb\nh:2\n\n"
            ),
            "2 devices",
            &[
                "proxy = \"socks5h://jump:1080\"",
                "url = \"https://hem\"",
                "env = \"HEM\"",
                "connect = \"h:2\"",
            ],
        ),
        (
            "\nssh\n\nmaster_words\n\na\nhost-1\nb\nadmin@host-2\n".to_owned(),
            "2 devices",
            &["ssh = \"admin@host-2\"", "prompt = "],
        ),
        (
            "\n\nhttp://192.168.7.1\nnone\n\n\n".to_owned(),
            "1 device",
            &["kind = \"none\""],
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (exit, said) = init(dir.path(), &answers);
        assert_eq!(exit, 0, "{said}");
        let file = dir.path().join("fleet.toml");
        let written = std::fs::read_to_string(&file).unwrap();
        for wanted in says {
            assert!(written.contains(wanted), "{wanted} in {written}");
        }
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let (exit, said) = check(dir.path());
        assert_eq!(exit, 0, "{said}\n{written}");
        assert!(said.contains(devices), "{said}");
        // Never written over.
        let (exit, said) = init(dir.path(), &answers);
        assert_eq!(exit, 2);
        assert!(said.contains("exists"), "{said}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
    }
}

#[test]
fn an_answer_that_does_not_fit_writes_nothing_and_says_which() {
    let damaged = vector("damaged.bin");
    let damaged = damaged.to_str().unwrap();
    for (answers, says) in [
        ("absent.bin", "Firmware image"),
        (damaged, "does not verify"),
        ("\nboat", "say direct, proxy or ssh"),
        ("\nproxy\nftp://x", "The proxy"),
        ("\n\nftp://x", "Their URL"),
        ("\n\n\npassword", "is no kind of login"),
        (
            "\n\n\ntoken\nmy secret",
            "not the name of an environment variable",
        ),
        ("\n\n\n\na\n\na", "`a`"),
        ("\n\n\n\na\nh:99999", "Where it is reached"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (exit, said) = init(dir.path(), answers);
        assert_eq!(exit, 2, "{answers:?}: {said}");
        assert!(said.contains(says), "{answers:?}: {said}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
