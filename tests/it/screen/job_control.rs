//! The program is stopped, continued and quit under a shell with job control: whoever gets the terminal gets it as it
//! was before.

use std::ffi::OsStr;

use super::tty::{Tty, signal};
use super::{CTRL_C, rebooting};

const CTRL_Z: &str = "\x1a";
const CTRL_BACKSLASH: &str = "\x1c";

/// A shell with job control, which leaves the terminal's modes alone while it reads; nothing where there is none.
pub(super) fn shell() -> Option<Tty> {
    let found = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];
    let Some(bash) = found
        .iter()
        .find(|path| std::path::Path::new(path).exists())
    else {
        eprintln!("skipped: there is no bash");
        return None;
    };
    let args = ["--norc", "--noprofile", "--noediting", "-i"];
    let dir = tempfile::tempdir().unwrap();
    let env = [
        ("PS1", "shell> "),
        ("HEMFLEET", env!("CARGO_BIN_EXE_hemfleet")),
    ];
    let tty = Tty::run(OsStr::new(bash), &args, &env, dir, (100, 30));
    tty.wait_for("shell>");
    Some(tty)
}

/// An inventory whose secret is typed; its device is not there.
fn asking(dir: &std::path::Path) {
    let text = "[[device]]\nname = \"a\"\nurl = \"https://127.0.0.1:9\"\n\
                auth = { kind = \"passphrase\", secret = { prompt = \"Warsaw vaults\" } }\n\
                [retry]\nattempts = 1\n";
    std::fs::write(dir.join("fleet.toml"), text).unwrap();
    let image = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/firmware/signed-v1.2.3.bin"
    );
    std::fs::copy(image, dir.join("fw.bin")).unwrap();
}

const RUN: &str =
    "\"$HEMFLEET\" run -c fleet.toml --firmware fw.bin --yes --output plain; echo code $?\r";

/// How often a text was written.
pub(super) fn times(tty: &Tty, text: &str) -> usize {
    tty.output().matches(text).count()
}

#[test]
fn ctrl_z_at_a_secrets_prompt_gives_the_echo_back_and_fg_asks_again_without_it() {
    let Some(mut tty) = shell() else { return };
    asking(tty.dir());
    tty.press(RUN);
    tty.wait_for("Warsaw vaults: ");
    for asked in 1..3 {
        tty.press("hunter2");
        tty.press(CTRL_Z);
        tty.wait_until("the shell", || times(&tty, "Stopped") == asked);
        tty.wait_for_echo(true);
        // In the background it waits, and is not stopped for reading.
        if asked == 2 {
            tty.press("bg\r");
            tty.press("echo mar''ker\r");
            tty.wait_for("marker");
            tty.wait_for_echo(true);
        }
        tty.press("fg\r");
        tty.wait_until("the question again", || {
            times(&tty, "Warsaw vaults: ") == asked + 1
        });
        tty.wait_for_echo(false);
    }
    tty.press("swordfish\r");
    tty.wait_for("code 1");
    tty.wait_for_echo(true);
    for secret in ["hunter2", "swordfish"] {
        assert!(!tty.output().contains(secret), "{}", tty.output());
    }
    tty.press("exit\r");
    tty.end();
}

#[test]
fn quitting_at_a_secrets_prompt_gives_the_echo_back() {
    let dir = tempfile::tempdir().unwrap();
    asking(dir.path());
    let args = ["run", "-c", "fleet.toml", "--firmware", "fw.bin"];
    let mut tty = Tty::start(&args, dir, 80, 24);
    tty.wait_for("Warsaw vaults: ");
    // Nobody would continue it here: it is not stopped, and asks again.
    tty.press(CTRL_Z);
    tty.wait_until("the question again", || times(&tty, "Warsaw vaults: ") == 2);
    tty.wait_for_echo(false);
    tty.signal("USR1");
    tty.press(CTRL_BACKSLASH);
    assert_ne!(tty.end(), 0);
}

#[test]
fn a_stopped_dashboard_lends_the_terminal_and_goes_on_without_it_in_the_background() {
    let Some(mut tty) = shell() else { return };
    let scenario = tty.dir().join("scenario.toml");
    std::fs::write(&scenario, rebooting("6s")).unwrap();
    tty.press("sh -c 'echo $$ >pid; exec \"$HEMFLEET\" demo --scenario scenario.toml'\r");
    tty.wait_for_line(&["gone-1", "reboot"]);
    tty.wait_for_echo(false);
    let id = std::fs::read_to_string(tty.dir().join("pid")).unwrap();
    let id = id.trim();

    signal(id, "TSTP");
    tty.wait_until("the shell", || times(&tty, "Stopped") == 1);
    tty.wait("the normal screen", |s| {
        !s.alternate_screen() && !s.hide_cursor()
    });
    tty.wait_for("hemfleet is stopped, and watches no device meanwhile");
    tty.wait_for_echo(true);
    tty.press("fg\r");
    tty.wait("the dashboard", |s| s.alternate_screen() && s.hide_cursor());
    tty.wait_for_line(&["gone-1"]);
    tty.wait_for_line(&["NAME", "STAGE"]);
    tty.wait_for_echo(false);
    tty.press("?");
    tty.wait_for("retry the selected device");
    tty.press("\x1b");
    tty.wait("the help to close", |s| {
        !s.contents().contains("retry the selected device")
    });

    // Without a word; what the shell finds is not our doing, but fg has to mend it.
    signal(id, "STOP");
    tty.wait_until("the shell", || times(&tty, "Stopped") == 2);
    tty.press("fg\r");
    tty.wait_for_echo(false);
    tty.wait_for_line(&["NAME", "STAGE"]);

    signal(id, "TSTP");
    tty.wait_until("the shell", || times(&tty, "Stopped") == 3);
    tty.press("bg\r");
    tty.wait_for_log("gone-1: UPGRADED");
    // What is typed goes to the shell all the while.
    tty.press("echo mar''ker\r");
    tty.wait_for("marker");
    tty.wait_for_echo(true);
    tty.wait("the normal screen", |s| !s.alternate_screen());
    tty.press("fg\r");
    tty.wait("the dashboard", |s| s.alternate_screen() && s.hide_cursor());
    tty.wait_for_line(&["gone-1", "upgraded"]);
    tty.press("q");
    tty.wait_for("as the scenario expects");
    tty.press("exit\r");
    tty.end();
}

#[test]
fn the_dashboard_survives_usr1_and_gives_the_terminal_back_when_it_is_quit() {
    let mut tty = Tty::demo(&rebooting("45s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    tty.signal("USR1");
    tty.signal("USR2");
    // What is typed while the terminal is given back belongs to the terminal, and Ctrl-\ there throws away what is
    // on its way to the screen: each time, wait until the dashboard has taken it again.
    for (name, taken) in [("TSTP", 2), ("CONT", 3)] {
        tty.signal(name);
        tty.wait_until("the dashboard to take the terminal again", || {
            times(&tty, "\x1b[?1049h") == taken
        });
    }
    tty.press("?");
    tty.wait_for("retry the selected device");
    tty.press("\x1b");
    // A key in raw mode, and no signal: the run goes on.
    tty.press(CTRL_Z);
    tty.press(CTRL_BACKSLASH);
    tty.press("?");
    tty.wait_for("retry the selected device");
    tty.signal("QUIT");
    assert_ne!(tty.end(), 0);
    assert!(tty.log().contains("ended by SIGQUIT"), "{}", tty.log());
    // As often as the title was saved it was given back.
    assert_eq!(times(&tty, "\x1b[22;2t"), times(&tty, "\x1b[23;2t"));
}

#[test]
fn ctrl_c_after_fg_still_stops_at_a_prompt() {
    let Some(mut tty) = shell() else { return };
    asking(tty.dir());
    tty.press(RUN);
    tty.wait_for("Warsaw vaults: ");
    tty.press(CTRL_Z);
    tty.wait_for("Stopped");
    tty.press("fg\r");
    tty.wait_until("the question again", || times(&tty, "Warsaw vaults: ") == 2);
    tty.wait_for_echo(false);
    tty.press(CTRL_C);
    tty.wait_for_echo(true);
    tty.press("echo mar''ker\r");
    tty.wait_for("marker");
    tty.press("exit\r");
    tty.end();
}
