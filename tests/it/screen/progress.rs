//! The line of progress of commands without a dashboard.

use std::net::TcpListener;

use super::tty::Tty;

/// A device that is never done with its handshake, and one that is not there.
fn inventory(listener: &TcpListener) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let image = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let image = image.join("tests/vectors/firmware/signed-v1.2.3.bin");
    let at = listener.local_addr().unwrap();
    let text = format!(
        "[fleet]\nfirmware = {image:?}\n[timeouts]\nconnect = \"3s\"\n[retry]\nattempts = 1\n\
         [[device]]\nname = \"mute\"\nurl = \"https://x\"\nconnect = \"{at}\"\n\
         [[device]]\nname = \"absent\"\nurl = \"https://x\"\nconnect = \"127.0.0.1:1\"\n"
    );
    std::fs::write(dir.path().join("fleet.toml"), text).unwrap();
    dir
}

#[test]
fn plan_and_audit_say_how_far_they_are_and_leave_nothing_of_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for (command, shows, last) in [
        ("plan", "looked at ", "2 devices: 0 will be upgraded"),
        ("audit", "read the logs of ", "exit code 3"),
    ] {
        let tty = Tty::start(&[command], inventory(&listener), 100, 30);
        tty.wait_for(&format!("{shows}1 of 2…"));
        tty.wait_for(last);
        assert_eq!(tty.end(), if command == "plan" { 1 } else { 3 });
        tty.wait("a screen without progress, in order", |screen| {
            let screen = screen.contents();
            let at = |text: &str| screen.find(text);
            // In the order of the inventory, although the other one was done first.
            !screen.contains(shows)
                && at("inventory: ./fleet.toml") < at("mute")
                && at("mute") < at("absent")
        });
    }
}
