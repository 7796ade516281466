//! `--only`: names, groups, tags, patterns of them, and what is left out.

use super::program::{Program, code, hemfleet, text};

/// An inventory of devices that nobody reaches, and what `plan` says of it.
struct Fleet(tempfile::TempDir);

impl Fleet {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = super::program::vector("signed-v1.2.3.bin");
        let mut inventory = format!(
            "[fleet]\nfirmware = {image:?}\n[retry]\nattempts = 1\n[defaults]\nurl = \"http://127.0.0.1:1\"\n"
        );
        for (name, group, tags) in [
            ("hsm-waw-r01", "waw", "usb"),
            ("hsm-waw-r02", "waw", ""),
            ("hsm-fra-r01", "fra", "usb"),
            ("rack-1", "spare", ""),
            ("rack[2]", "spare", ""),
        ] {
            let port = inventory.len();
            inventory.push_str(&format!(
                "[[device]]\nname = \"{name}\"\nconnect = \"127.0.0.1:{port}\"\ngroup = \"{group}\"\ntags = [\"{tags}\"]\n"
            ).replace("[\"\"]", "[]"));
        }
        std::fs::write(dir.path().join("fleet.toml"), inventory).unwrap();
        Self(dir)
    }

    fn plan(&self, only: &[&str]) -> Program {
        let mut plan = hemfleet();
        plan.args(["plan", "--json", "-c"]);
        plan.arg(self.0.path().join("fleet.toml"));
        for words in only {
            plan.args(["--only", words]);
        }
        plan
    }

    /// Who is selected.
    fn names(&self, only: &[&str]) -> Vec<String> {
        let output = self.plan(only).output().unwrap();
        let said = text(&output.stdout);
        assert_eq!(code(&output), 1, "{only:?}: {}", text(&output.stderr));
        let events = super::json(said.as_bytes());
        let planned = super::of(&events, "device_finished");
        let mut names: Vec<String> = planned
            .iter()
            .chain(&super::of(&events, "device_planned"))
            .map(|event| event["device"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

#[test]
fn words_patterns_and_what_they_are_compared_with_select() {
    let fleet = Fleet::new();
    let all = [
        "hsm-fra-r01",
        "hsm-waw-r01",
        "hsm-waw-r02",
        "rack-1",
        "rack[2]",
    ];
    for (only, wanted) in [
        (&["waw"][..], &all[1..3]),
        (&["hsm-waw-r01,spare"], &[all[1], all[3], all[4]]),
        (&["hsm-waw-*"], &all[1..3]),
        (&["hsm-???-r01"], &all[..2]),
        (&["hsm-waw-r0[2-9]"], &all[2..3]),
        // A name that looks like a pattern is a name.
        (&["rack[2]"], &all[4..]),
        (&["group:w*", "tag:usb"], &all[..3]),
        (&["name:*r01"], &all[..2]),
        // Names are no groups.
        (&["group:spare"], &all[3..]),
        (&["!rack*"], &all[..3]),
        (&["!tag:usb", "!group:spare"], &all[2..3]),
        // What is left out is left out, in whatever order.
        (&["!hsm-waw-r01,waw"], &all[2..3]),
        (&["**"], &all[..]),
    ] {
        assert_eq!(fleet.names(only), wanted, "{only:?}");
    }
}

#[test]
fn a_word_that_matches_nothing_names_what_is_near() {
    let fleet = Fleet::new();
    for (only, says) in [
        ("hsm-wav-*", "no device, group or tag matches `hsm-wav-*`"),
        ("hsm-wav-*", "did you mean `hsm-waw-r01` or `hsm-waw-r02`?"),
        ("group:war", "no group is called `war`"),
        ("group:war", "did you mean `waw`?"),
        ("tag:waw", "no tag is called `waw`"),
        ("waw,!rack-9", "did you mean `rack-1`"),
        ("waw,!group:w*", "these words together leave no device"),
        ("rack-[", "no pattern"),
        ("", "no device, group or tag is called ``"),
    ] {
        let output = fleet.plan(&[only]).output().unwrap();
        let err = text(&output.stderr);
        assert_eq!(code(&output), 2, "{only}: {err}");
        assert!(err.contains(says), "{only}: {err}");
        assert!(output.stdout.is_empty());
    }
}
