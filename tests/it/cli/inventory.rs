//! Which inventory is taken where `-c` names none.

use std::path::Path;

use super::program::{Program, code, hemfleet, text};

const GOOD: &str = "[[device]]\nname = \"a\"\nurl = \"https://x\"\n";

fn check(within: &Path) -> Program {
    let mut check = hemfleet();
    check.within(within).args(["config", "check"]);
    check
}

#[test]
fn the_inventory_is_named_by_c_else_by_the_variable_else_by_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let none = check(dir.path()).output().unwrap();
    assert_eq!(code(&none), 2);
    for wanted in ["-c", "HEMFLEET_CONFIG", "./fleet.toml"] {
        assert!(
            text(&none.stderr).contains(wanted),
            "{}",
            text(&none.stderr)
        );
    }
    std::fs::write(dir.path().join("fleet.toml"), GOOD).unwrap();
    let here = check(dir.path()).output().unwrap();
    assert_eq!(text(&here.stderr), "inventory: ./fleet.toml\n");
    assert_eq!(
        text(&here.stdout),
        "./fleet.toml: 1 device, nothing wrong\n"
    );
    let other = dir.path().join("other.toml");
    std::fs::write(&other, GOOD.repeat(2).replacen("\"a\"", "\"b\"", 1)).unwrap();
    let of_variable = check(dir.path())
        .env("HEMFLEET_CONFIG", "other.toml")
        .output()
        .unwrap();
    let said = text(&of_variable.stderr);
    assert!(
        said.starts_with("inventory: other.toml (HEMFLEET_CONFIG)\n"),
        "{said}"
    );
    assert!(said.contains("other.toml:"), "{said}");
    // An empty variable names nothing, and -c wins without a word.
    let empty = check(dir.path())
        .env("HEMFLEET_CONFIG", "")
        .output()
        .unwrap();
    assert_eq!(text(&empty.stderr), "inventory: ./fleet.toml\n");
    let mut given = check(dir.path());
    given.env("HEMFLEET_CONFIG", "other.toml");
    let given = given.args(["-c", "fleet.toml"]).output().unwrap();
    assert_eq!((code(&given), text(&given.stderr)), (0, ""));
}

#[test]
fn a_command_without_an_inventory_asks_for_none() {
    let dir = tempfile::tempdir().unwrap();
    let log = super::program::root().join("tests/vectors/audit/vendor-sample.log");
    let mut verify = hemfleet();
    verify
        .within(dir.path())
        .args(["audit", "verify"])
        .arg(&log);
    let verify = verify
        .arg("--key")
        .arg(log.with_extension("key.json"))
        .output()
        .unwrap();
    assert_eq!((code(&verify), text(&verify.stderr)), (0, ""));
}
