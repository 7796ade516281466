//! Inventories that load, and what they mean. Those that are refused are in `faults`, random ones in `any_text`.

mod any_text;
mod faults;
mod schema;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hemfleet::config::{
    self, DEFAULT_BROKER, DEFAULT_CONCURRENCY, EXAMPLE, Loaded, Overrides, Settings,
};
use hemfleet::model::{
    ApprovalPolicy, AuditMode, AuditPolicy, AuthMethod, ImageTrust, KdfChoice, MaxFailures, Notify,
    OnExpired, OnHangUp, Policy, ProxyKind, Rollout, Scheme, SecretSource, TlsTrust, WordsChoice,
};

/// An environment of the tests' own.
fn env(name: &str) -> Option<OsString> {
    match name {
        "HEM_PASSPHRASE" => Some("correct horse".into()),
        "EMPTY" => Some(OsString::new()),
        _ => None,
    }
}

/// Paths in messages are relative, so that they say the same on every machine: tests run in the
/// folder of the crate.
fn fixture(folder: &str, name: &str) -> PathBuf {
    Path::new("tests/config").join(folder).join(name)
}

fn load(path: &Path) -> Loaded {
    config::load(path, &Overrides::default(), &env)
}

fn load_text(text: &str, overrides: &Overrides) -> Loaded {
    config::load_text(Path::new("fleet.toml"), text, overrides, &env)
}

fn settings(loaded: Loaded) -> Settings {
    let Some(settings) = loaded.settings else {
        panic!("{}", loaded.faults.render(false, 100));
    };
    settings
}

fn rendered(loaded: &Loaded) -> String {
    assert!(loaded.settings.is_none(), "it should have been refused");
    loaded.faults.render(false, 100)
}

fn names(settings: &Settings) -> Vec<&str> {
    settings.devices.iter().map(|d| d.id.as_str()).collect()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(Path::new("tests/config").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_valid_file_loads() {
    for path in files("valid") {
        settings(load(&path));
    }
}

/// The example with all that is commented out in force, but for the other ways to say what it says already.
fn everything_in_force() -> String {
    let in_force = |line: &'static str| match line.strip_prefix('#') {
        Some(bare) if !bare.starts_with([' ', '#']) && !bare.starts_with("tls = ") => bare,
        _ => line,
    };
    let lines: Vec<&str> = EXAMPLE.lines().map(in_force).collect();
    lines.join("\n")
}

#[test]
fn what_the_example_leaves_out_is_the_default_as_well() {
    let asis = settings_of(EXAMPLE);
    // The one file that loading it would read.
    let full = settings_of(&everything_in_force().replace("\nca = ", "\n#ca = "));
    assert_eq!(full.policy, asis.policy);
    assert_eq!(
        (full.rollout, full.concurrency),
        (asis.rollout, asis.concurrency)
    );
    assert_eq!(full.broker, asis.broker);
    assert!(full.firmware.is_some() && full.app.is_some() && full.images.allow.is_some());
    assert!(asis.firmware.is_none() && asis.app.is_none());
    for (full, asis) in full.devices.iter().zip(&asis.devices) {
        assert_eq!((&full.tls, &full.ssh), (&asis.tls, &asis.ssh));
        assert_eq!(asis.auth, AuthMethod::None);
    }
    assert_eq!(
        load_text(EXAMPLE, &Overrides::default()).warnings().len(),
        1
    );
}

#[test]
fn the_example_loads_and_says_the_defaults() {
    let settings = settings(load_text(EXAMPLE, &Overrides::default()));
    assert_eq!(settings.policy, Policy::default());
    assert_eq!(settings.rollout, Rollout::default());
    assert_eq!(settings.concurrency, DEFAULT_CONCURRENCY);
    assert_eq!(settings.broker.url, DEFAULT_BROKER);
    assert_eq!(settings.broker.ca_pem, None);
    assert_eq!(names(&settings), ["vault-01", "vault-02", "spare"]);
    assert_eq!(settings.devices[0].tls, TlsTrust::System);
    assert!(
        settings
            .devices
            .iter()
            .all(|device| !device.allow_plain_login)
    );
    // What `auth` says is what it would say if it said nothing more than kind and secret.
    let said = everything_in_force().replace("\nca = ", "\n#ca = ");
    let full = settings_of(&said);
    let [first, second, spare] = full.devices.as_slice() else {
        panic!("three devices");
    };
    let silent = said
        .replace(", kdf = \"auto\"", "")
        .replace(", legacy = \"auto\"", "");
    let silent = settings_of(&silent);
    assert_eq!(silent.devices[0].auth, first.auth);
    assert_eq!(silent.devices[1].auth, second.auth);
    assert_eq!(spare.auth, AuthMethod::None);
}

#[test]
fn a_rollout_is_halted_at_a_number_or_a_share() {
    let say = |what: &str| EXAMPLE.replace("max_failures = 3", &format!("max_failures = {what}"));
    for (said, meant) in [
        ("0", MaxFailures::Number(0)),
        ("12", MaxFailures::Number(12)),
        ("\"5%\"", MaxFailures::Share(5)),
    ] {
        assert_eq!(
            settings_of(&say(said)).rollout.max_failures,
            meant,
            "{said}"
        );
    }
    for wrong in ["-1", "\"0%\"", "\"some\"", "2.5", "true", "99999999999"] {
        let loaded = load_text(&say(wrong), &Overrides::default());
        let faults = loaded.faults.render(false, 100);
        assert!(faults.contains("rollout.max_failures"), "{wrong}: {faults}");
        assert!(faults.contains("or a share in quotes"), "{wrong}: {faults}");
    }
}

#[test]
fn a_lost_terminal_drains_the_run_or_lets_it_finish() {
    let say = |said: &str| EXAMPLE.replace("on_hangup = \"drain\"", said);
    for (said, meant) in [
        ("", OnHangUp::Drain),
        ("on_hangup = \"drain\"", OnHangUp::Drain),
        ("on_hangup = \"finish\"", OnHangUp::Finish),
    ] {
        assert_eq!(settings_of(&say(said)).on_hang_up, meant, "{said}");
    }
    let loaded = load_text(&say("on_hangup = \"stop\""), &Overrides::default());
    let faults = loaded.faults.render(false, 100);
    assert!(faults.contains("run.on_hangup"), "{faults}");
}

#[test]
fn how_the_dashboard_uses_the_terminal_is_read() {
    let screen = |said: &str| settings_of(&EXAMPLE.replace("notify = \"desktop\"", said)).screen;
    for (said, meant) in [
        ("notify = \"off\"", Notify::Off),
        ("notify = \"bell\"", Notify::Bell),
        ("", Notify::Desktop),
    ] {
        assert_eq!(screen(said).notify, meant, "{said}");
    }
    assert!(!screen("").mouse);
    assert!(
        settings_of(&EXAMPLE.replace("mouse = false", "mouse = true"))
            .screen
            .mouse
    );
    let wrong = EXAMPLE.replace("notify = \"desktop\"", "notify = \"loud\"\nbell = true");
    let faults = load_text(&wrong, &Overrides::default())
        .faults
        .render(false, 100);
    assert!(
        faults.contains("screen.notify") && faults.contains("screen.bell"),
        "{faults}"
    );
}

fn settings_of(text: &str) -> Settings {
    settings(load_text(text, &Overrides::default()))
}

#[test]
fn the_example_spells_out_every_key() {
    let known = [
        "firmware",
        "concurrency",
        "signers",
        "allow",
        "url",
        "ca",
        "connect",
        "request",
        "upload",
        "upload_stall",
        "check",
        "reboot",
        "gap",
        "check_poll",
        "reboot_poll",
        "reboot_settle",
        "attempts",
        "backoff",
        "name",
        "proxy",
        "group",
        "tags",
        "tls",
        "auth",
        "app",
        "ssh",
        "http_connect",
        "allow_plain_login",
        "on_expired",
        "mode",
        "files",
        "at_once",
        "wait",
        "poll",
        "max_failures",
        "notify",
        "mouse",
    ];
    for key in known {
        let said = EXAMPLE
            .lines()
            .any(|l| l.trim_start_matches('#').starts_with(&format!("{key} = ")));
        assert!(said, "{key} is not in the example");
    }
    for word in [
        "env = ",
        "file = ",
        "command = ",
        "prompt = ",
        "name = ",
        "kdf = ",
        "legacy = ",
        "[secrets.warsaw]",
        "pin = ",
        "insecure = ",
        "system = ",
        "\"direct\"",
    ] {
        assert!(EXAMPLE.contains(word), "{word} is not in the example");
    }
}

#[test]
fn whose_images_are_trusted_is_read_as_it_stands() {
    let key = "nQP5SxVgA0ue8kAzt+qN65Vor8QTOad+oCIjVP+W+N0=";
    let hash = "843d1b4c4ddaad02ab8f854da3627693f3d36439eb91d561ce8e6b5a513f1877";
    // The example's own lines, in force.
    let trusting = EXAMPLE
        .replace("#signers = ", "signers = ")
        .replace("#allow = ", "allow = ");
    let images = settings_of(&trusting).images;
    let signers: Vec<String> = images
        .signers
        .iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    assert_eq!(signers, [key]);
    let shown = format!("{:02x?}", images.allow.unwrap());
    assert_eq!(shown.replace(['[', ']', ',', ' '], ""), hash);
    assert_eq!(settings_of(EXAMPLE).images, ImageTrust::default());
}

#[test]
fn what_is_not_said_has_its_default() {
    let settings = settings(load(&fixture("valid", "minimal.toml")));
    assert_eq!(settings.policy, Policy::default());
    assert_eq!(settings.concurrency, DEFAULT_CONCURRENCY);
    assert_eq!(settings.broker.url, DEFAULT_BROKER);
    assert_eq!(settings.firmware, None);
    let device = &settings.devices[0];
    assert_eq!(device.endpoint.target().to_string(), "my.ence.do:443");
    assert_eq!(
        (&device.tls, &device.auth),
        (&TlsTrust::System, &AuthMethod::None)
    );
    assert!(device.tags.is_empty() && device.group.is_none());
    assert!(device.proxy.is_none() && device.ssh.is_none());
    assert!(device.endpoint.http_connect.is_none() && !device.allow_plain_login);
}

#[test]
fn a_device_wins_over_the_defaults_and_paths_start_at_the_file() {
    let settings = settings(load(&fixture("valid", "tunnels.toml")));
    let folder = Path::new("tests/config/valid");
    assert_eq!(settings.firmware, Some(folder.join("images/firmware.hex")));
    assert_eq!(settings.broker.url, "http://127.0.0.1:8080/relay");
    assert_eq!(settings.policy.timeouts.connect, Duration::from_secs(90));
    assert_eq!(settings.policy.pace.gap, Duration::from_millis(1));
    let [first, second, third, fourth, fifth, sixth, ..] = settings.devices.as_slice() else {
        panic!("six devices and more");
    };
    assert_eq!(first.endpoint.host_header(), "my.ence.do");
    assert_eq!(first.tags, ["usb"]);
    assert!(matches!(&first.tls, TlsTrust::Ca(pem) if pem.contains("BEGIN CERTIFICATE")));
    let command = folder.join("./get-passphrase").to_str().unwrap().to_owned();
    assert_eq!(
        first.auth,
        AuthMethod::Passphrase(
            SecretSource::Command(vec![command, "hem".to_owned()]),
            KdfChoice::Auto
        )
    );
    assert!(second.tags.is_empty());
    assert_eq!(second.proxy.as_ref().unwrap().at.to_string(), "jump-2:1080");
    assert_eq!(
        second.auth,
        AuthMethod::Token(SecretSource::Prompt("Token of b".to_owned()))
    );
    assert_eq!(third.proxy, None);
    assert_eq!(third.endpoint.target().to_string(), "[::1]:8443");
    assert_eq!(
        (third.group.as_deref(), third.link().as_str()),
        (Some("kraków"), "pinned")
    );
    assert_eq!(
        (fourth.endpoint.scheme, fourth.link().as_str()),
        (Scheme::Http, "http")
    );
    assert_eq!(fourth.auth, AuthMethod::None);
    assert_eq!(fifth.proxy.as_ref().unwrap().kind, ProxyKind::Http);
    assert_eq!(fifth.link().as_str(), "insecure");
    assert_eq!(sixth.ssh.as_ref().unwrap().as_str(), "admin@host7");
    assert_eq!(sixth.target().to_string(), "192.168.7.1:443");
}

#[test]
fn every_kind_of_login_and_every_policy_is_read() {
    let loaded = load(&fixture("valid", "logins.toml"));
    insta::assert_snapshot!(loaded.warnings().join("\n"), @r"
    reached unencrypted (http://): `f`, `g`
    will be refused, for they log in over http:// without allow_plain_login = true: `f`
    log in over http://, where the token travels in clear: `g`
    no device uses these of [secrets]: `nobody`
    ");
    assert_eq!(loaded.app, loaded.settings.as_ref().unwrap().app);
    let settings = settings(loaded);
    let folder = Path::new("tests/config/valid");
    assert_eq!(settings.app, Some(folder.join("images/webroot.tar")));
    let policy = &settings.policy;
    assert_eq!(policy.on_expired, OnExpired::Checkin);
    assert_eq!(
        policy.audit,
        AuditPolicy {
            mode: AuditMode::Required,
            files: 100
        }
    );
    // The pause shrinks with the wait.
    assert_eq!(
        policy.approval,
        ApprovalPolicy {
            at_once: 1,
            wait: Duration::from_secs(10),
            poll: Duration::from_secs(1)
        }
    );
    let shared = SecretSource::Env("HEM_PASSPHRASE".to_owned());
    let old = SecretSource::Prompt("Words of the old ones".to_owned());
    let d = SecretSource::Prompt("d".to_owned());
    let auths: Vec<&AuthMethod> = settings.devices.iter().map(|d| &d.auth).collect();
    assert_eq!(
        auths,
        [
            &AuthMethod::Passphrase(shared.clone(), KdfChoice::Auto),
            &AuthMethod::Passphrase(shared, KdfChoice::Argon2),
            &AuthMethod::MasterWords(old, WordsChoice::Legacy),
            &AuthMethod::MasterWords(d.clone(), WordsChoice::Current),
            &AuthMethod::MasterWords(d, WordsChoice::Auto),
            &AuthMethod::Mobile,
            &AuthMethod::Prompt,
            &AuthMethod::Prompt,
        ]
    );
    let clear = |n: usize| {
        let at = settings.devices[n].endpoint.http_connect.as_ref();
        at.unwrap().to_string()
    };
    assert_eq!(
        (clear(0), clear(1)),
        ("127.0.0.1:8080".into(), "[::1]:8081".into())
    );
    let plain: Vec<bool> = settings
        .devices
        .iter()
        .map(|d| d.allow_plain_login)
        .collect();
    assert_eq!(
        plain,
        [false, false, false, false, false, false, true, false]
    );
}

#[test]
fn the_command_line_wins_and_selects() {
    let text = "[fleet]\nfirmware = \"a.bin\"\nconcurrency = 3\n[defaults]\nurl = \"https://x\"\n\
        [[device]]\nname = \"a\"\nconnect = \"h:1\"\ngroup = \"warsaw\"\n\
        [[device]]\nname = \"b\"\nconnect = \"h:2\"\ntags = [\"usb\"]\n\
        [[device]]\nname = \"c\"\nconnect = \"h:3\"\nauth = { kind = \"token\", secret = { env = \"NOT_SET\" } }\n";
    let only = |words: &[&str]| Overrides {
        firmware: Some("b.bin".into()),
        concurrency: Some(9),
        force: true,
        same_key: true,
        allow_downgrade: true,
        resend_refused: false,
        take_replaced: false,
        app: Some("c.tar".into()),
        known: None,
        only: words.iter().map(ToString::to_string).collect(),
    };
    // What only an unselected device needs is not missed.
    let loaded = load_text(text, &only(&["warsaw", "usb", "a"]));
    let settings = settings(loaded);
    assert_eq!(names(&settings), ["a", "b"]);
    assert_eq!(settings.firmware, Some("b.bin".into()));
    assert_eq!(settings.app, Some("c.tar".into()));
    assert_eq!((settings.concurrency, settings.policy.force), (9, true));
    assert!(settings.policy.same_key && settings.policy.allow_downgrade);

    let loaded = load_text(text, &only(&["warsav", "b"]));
    insta::assert_snapshot!(rendered(&loaded), @r#"
    error: no device, group or tag is called `warsav`
    --> command line: warsav
     = hint: did you mean `warsaw`?

    1 fault; nothing was sent to any device
    "#);
    let absurd = Overrides {
        concurrency: Some(0),
        ..only(&["a"])
    };
    insta::assert_snapshot!(rendered(&load_text(text, &absurd)), @r#"
    error: 0 is out of range: 1 to 1024 are allowed
    --> command line: --concurrency
     = hint: choose one within the range, or leave it out for the default

    1 fault; nothing was sent to any device
    "#);
}
