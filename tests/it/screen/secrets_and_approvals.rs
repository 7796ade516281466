//! What a person does during a run: typing secrets, and approving on a phone.

use std::path::PathBuf;

use super::tty::Tty;
use super::{CTRL_C, ENTER, ESC};

/// What every simulated device accepts.
const PASSPHRASE: &str = "correct horse — bateria ósma";

/// A simulated fleet in a terminal of its own.
struct SimulatedFleet {
    sim: Tty,
    inventory: PathBuf,
}

impl SimulatedFleet {
    fn new(scenario: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scenario.toml");
        std::fs::write(&path, scenario).unwrap();
        let inventory = dir.path().join("fleet.toml");
        let (path, lab) = (
            path.to_str().unwrap(),
            dir.path().to_str().unwrap().to_owned(),
        );
        let args = ["sim", "--scenario", path, "--dir", &lab];
        let sim = Tty::start(&args, dir, 100, 30);
        sim.wait_for("Ctrl-C stops them");
        Self { sim, inventory }
    }

    /// The same fleet, where every secret is typed when the device is reached.
    fn typed(scenario: &str) -> Self {
        let lab = Self::new(scenario);
        let text = std::fs::read_to_string(&lab.inventory).unwrap();
        let written = "auth = { kind = \"passphrase\", secret = { file = \"passphrase\" } }";
        assert!(text.contains(written), "{text}");
        std::fs::write(&lab.inventory, text.replace(written, "auth = \"prompt\"")).unwrap();
        lab
    }

    fn run(&self, more: &[&str], columns: u16, lines: u16) -> Tty {
        let inventory = self.inventory.to_str().unwrap();
        let args = [&["run", "-c", inventory, "--yes", "-vv"], more].concat();
        Tty::start(&args, tempfile::tempdir().unwrap(), columns, lines)
    }
}

impl Drop for SimulatedFleet {
    fn drop(&mut self) {
        self.sim.press(CTRL_C);
    }
}

/// Two devices that are well.
const TWO_DEVICES: &str = r#"
about = "for a person"
tempo = 0.01
client = { quick = true, concurrency = 2, timeouts = { reboot = "50s" } }
[image]
size = 60000
[[device]]
name = "vault-01"
[[device]]
name = "vault-02"
"#;

#[test]
fn a_secret_is_typed_or_pasted_and_is_nowhere_to_be_seen() {
    let lab = SimulatedFleet::typed(TWO_DEVICES);
    let mut tty = lab.run(&["--concurrency", "1"], 80, 24);
    tty.wait_for("The passphrase of vault-01");
    tty.press("hunter2-żółw");
    tty.wait_for("> ••••••••••••▏");
    tty.press(ENTER);
    tty.wait_for("401: the last one was not accepted");
    // Put off, it waits for the key.
    tty.press(ESC);
    tty.wait("the box to close", |s| {
        !s.contents().contains("A secret is wanted")
    });
    tty.wait_for_line(&["vault-01", "waits for its secret", "p types it"]);
    tty.press("p");
    tty.wait_for("The passphrase of vault-01");
    // As terminals bracket what is pasted: its line end does not send it.
    tty.press(&format!("\x1b[200~{PASSPHRASE}\n\x1b[201~"));
    tty.wait_for("> ••••••••••••••••••••••••••••▏");
    tty.press(ENTER);
    tty.wait_for("The passphrase of vault-02");
    tty.wait("no refusal of another device", |s| {
        !s.contents().contains("not accepted")
    });
    tty.press(PASSPHRASE);
    tty.press(ENTER);
    tty.wait_for_line(&["OVER: every device is upgraded"]);
    tty.press("q");
    assert_eq!(tty.end(), 0);
    for secret in ["hunter2", "żółw", "correct horse", "bateria"] {
        assert!(!tty.log().contains(secret), "{}", tty.log());
        assert!(!tty.output().contains(secret), "{}", tty.output());
    }
}

#[test]
fn a_secret_typed_at_a_prompt_is_nowhere_to_be_seen() {
    for output in ["plain", "json"] {
        let lab = SimulatedFleet::typed(TWO_DEVICES);
        let mut tty = lab.run(&["--output", output, "--only", "vault-01"], 200, 50);
        tty.wait_for("passphrase of vault-01:");
        tty.press("hunter2\r");
        tty.wait_for("not accepted; once more: passphrase of vault-01:");
        tty.press(PASSPHRASE);
        tty.press(ENTER);
        assert_eq!(tty.end(), 0);
        tty.wait_for("upgraded");
        for secret in ["hunter2", "correct horse", "bateria"] {
            assert!(!tty.output().contains(secret), "{}", tty.output());
        }
    }
}

#[test]
fn one_ctrl_c_at_a_secrets_prompt_is_the_first_one_only() {
    let lab = SimulatedFleet::typed(TWO_DEVICES);
    let mut tty = lab.run(&["--output", "plain"], 120, 40);
    // Whichever comes first.
    tty.wait_for("passphrase of vault-0");
    tty.press(CTRL_C);
    assert_eq!(tty.end(), 130);
    tty.wait_for("exit code 130");
    assert!(tty.output().contains("stopping: nothing new starts"));
    assert!(!tty.output().contains("stopping now"), "{}", tty.output());
}

/// An owner who is asleep.
const PHONE: &str = r#"
about = "for a phone"
tempo = 0.01
client = { quick = true, approval = { at_once = 1, wait = "5m" } }
[[device]]
name = "vault-01"
auth = "mobile"
phone = { answer = "never" }
[[device]]
name = "vault-02"
auth = "mobile"
phone = { answer = "never" }
"#;

#[test]
fn who_waits_for_whom_counts_down_and_what_is_given_up_is_withdrawn() {
    // Nothing that was put on a phone stays there.
    let all_withdrawn = |log: &str| {
        let made = log.matches("path=\"/notify/event/new\" status=200").count();
        let withdrawn = log.matches("method=DELETE path=\"/notify/event/\" status=200");
        made > 0 && withdrawn.count() == made
    };
    let lab = SimulatedFleet::new(PHONE);
    let mut tty = lab.run(&["--concurrency", "2"], 80, 24);
    tty.wait("one phone that is asked, and one device behind it", |s| {
        let text = s.contents();
        text.contains("WAITING: 1 phone") && text.contains("1 queued")
    });
    // Any two moments of it, the later one later.
    let left = |text: &str| {
        let (before, _) = text.split_once(" phone: approve the upgrade")?;
        before.rsplit(' ').next().map(str::to_owned)
    };
    let first = std::cell::OnceCell::new();
    tty.wait("the countdown to go on", |s| {
        left(&s.contents()).is_some_and(|now| now < *first.get_or_init(|| now.clone()))
    });
    tty.wait_for("waits for its turn to ask a phone");
    tty.press("C");
    tty.wait_for("Cancel all devices");
    tty.press("y");
    tty.wait_for_line(&["vault-01", "stopped before anything was changed"]);
    tty.wait_for_line(&["vault-02", "stopped before anything was changed"]);
    tty.press("q");
    assert_eq!(tty.end(), 130);
    assert!(all_withdrawn(&tty.log()), "{}", tty.log());

    let mut tty = lab.run(&["--only", "vault-01"], 80, 24);
    tty.wait_for("phone: approve the upgrade");
    tty.press(CTRL_C);
    assert_eq!(tty.end(), 130);
    assert!(all_withdrawn(&tty.log()), "{}", tty.log());
}
