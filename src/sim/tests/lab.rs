//! The lab folder and the inventory in it.

use super::*;
use crate::sim::DeviceScript;

const FLEET: &str = r#"
    about = "lab"
    app = { size = 4096 }
    client = { concurrency = 3, audit = "required", on_expired = "checkin", pace = { gap = "1ms" }, retry = { attempts = 2 } }
    [[device]]
    name = 'a "quoted" name'
    group = "warsaw"
    tags = ["usb", "old"]
    [[device]]
    name = "b"
    scheme = "http"
    host = "b.ence.do"
    auth = "wrong-passphrase"
    [[device]]
    name = "c"
    auth = "token"
    [[device]]
    name = "d"
    fresh = true
    auth = "none"
    [[device]]
    name = "e"
    auth = "argon2"
    [[device]]
    name = "f"
    auth = "master-words"
    [[device]]
    name = "g"
    auth = "master-words-legacy"
    [[device]]
    name = "h"
    auth = "mobile"
    tls = "expired"
    renews = "at-once"
"#;

async fn fleet() -> SimFleet {
    let scenario = Scenario::parse(FLEET).unwrap();
    SimFleet::start(&scenario, &SimOptions::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn the_inventory_is_the_issues() {
    let fleet = fleet().await;
    let toml: toml::Table = fleet.inventory_toml().parse().unwrap();
    assert_eq!(toml["fleet"]["firmware"].as_str(), Some("firmware.bin"));
    assert_eq!(toml["fleet"]["concurrency"].as_integer(), Some(3));
    assert_eq!(toml["broker"]["url"].as_str(), Some(fleet.broker_url()));
    assert_eq!(toml["broker"]["ca"].as_str(), Some("ca.pem"));
    assert_eq!(toml["pace"]["gap"].as_str(), Some("1ms"));
    assert_eq!(toml["retry"]["attempts"].as_integer(), Some(2));
    assert!(toml.get("timeouts").is_none());
    assert_eq!(toml["audit"]["mode"].as_str(), Some("required"));
    assert_eq!(toml["tls"]["on_expired"].as_str(), Some("checkin"));
    assert_eq!(toml["defaults"]["tls"]["ca"].as_str(), Some("ca.pem"));
    let auth = &toml["defaults"]["auth"];
    assert_eq!(auth["kind"].as_str(), Some("passphrase"));
    assert_eq!(auth["secret"]["file"].as_str(), Some("passphrase"));
    let devices = toml["device"].as_array().unwrap();
    assert_eq!(devices[0]["name"].as_str(), Some("a \"quoted\" name"));
    assert_eq!(devices[0]["url"].as_str(), Some("https://my.ence.do"));
    let connect = fleet.devices()[0].addr().to_string();
    assert_eq!(devices[0]["connect"].as_str(), Some(connect.as_str()));
    assert_eq!(devices[0]["tags"].as_array().unwrap().len(), 2);
    assert_eq!(devices[1]["url"].as_str(), Some("http://b.ence.do"));
    assert_eq!(
        devices[1]["auth"]["secret"]["file"].as_str(),
        Some("wrong-passphrase")
    );
    assert_eq!(
        devices[2]["auth"]["secret"]["file"].as_str(),
        Some("token-3")
    );
    assert_eq!(devices[3]["auth"]["kind"].as_str(), Some("none"));
    assert_eq!(devices[1]["allow_plain_login"].as_bool(), Some(true));
    assert!(devices[0].get("allow_plain_login").is_none());
    assert_eq!(toml["fleet"]["app"].as_str(), Some("webroot.tar"));
    assert_eq!(devices[4]["auth"]["kdf"].as_str(), Some("auto"));
    for (n, legacy) in [(5, None), (6, Some("auto"))] {
        let auth = &devices[n]["auth"];
        assert_eq!(auth["kind"].as_str(), Some("master_words"));
        assert_eq!(auth["secret"]["file"].as_str(), Some("master-words"));
        assert_eq!(auth.get("legacy").and_then(toml::Value::as_str), legacy);
    }
    assert_eq!(devices[7]["auth"]["kind"].as_str(), Some("mobile"));
    let http = fleet.devices()[7].http_addr().unwrap().to_string();
    assert_eq!(devices[7]["http_connect"].as_str(), Some(http.as_str()));
    assert!(devices[0].get("http_connect").is_some());
    assert!(devices[1].get("http_connect").is_none());
}

#[tokio::test]
async fn a_lab_is_written_and_written_over_but_nothing_else_is() {
    let fleet = fleet().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("deep/lab");
    let lab = fleet.write_lab(&dir).unwrap();
    assert_eq!(std::fs::read(&lab.image).unwrap(), fleet.image());
    assert_eq!(std::fs::read_to_string(&lab.ca).unwrap(), fleet.ca_pem());
    let app = lab.app.as_ref().unwrap();
    assert!(app.ends_with("webroot.tar"));
    assert_eq!(std::fs::read(app).unwrap(), fleet.app().unwrap());
    let secret = std::fs::read_to_string(dir.join("passphrase")).unwrap();
    assert_eq!(secret.trim_end(), PASSPHRASE);
    assert!(dir.join("token-3").exists() && dir.join("wrong-passphrase").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |p: &std::path::Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        for entry in std::fs::read_dir(&dir).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }
    // Everything that is accepted is told, by whom, and where it was written.
    let told: Vec<_> = lab
        .accepted
        .iter()
        .map(|a| (a.kind, a.devices.concat()))
        .collect();
    let expected = [
        ("passphrase (PBKDF2)", "a \"quoted\" namebcfh"),
        ("master words", "a \"quoted\" namebcfh"),
        ("master passphrase (PBKDF2)", "a \"quoted\" namebcfh"),
        ("passphrase (Argon2d)", "eg"),
        ("master words (legacy)", "eg"),
        ("master passphrase (Argon2d)", "eg"),
        ("bearer token (system:upgrade)", "c"),
    ];
    assert_eq!(told, expected.map(|(kind, by)| (kind, by.to_owned())));
    for credential in &lab.accepted {
        let written = std::fs::read_to_string(dir.join(&credential.file)).unwrap();
        assert_eq!(written.trim_end(), credential.value);
    }
    fleet.write_lab(&dir).unwrap();

    let mine = folder.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("firmware.bin"), b"precious").unwrap();
    let error = fleet.write_lab(&mine).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("firmware.bin"), "{error}");
    assert_eq!(
        std::fs::read(mine.join("firmware.bin")).unwrap(),
        b"precious"
    );
    assert!(!mine.join("fleet.toml").exists());

    // A file where the folder is to be: which one is said.
    let error = fleet.write_lab(&mine.join("firmware.bin/lab")).unwrap_err();
    assert!(error.to_string().contains("firmware.bin/lab"), "{error}");
}

#[tokio::test]
async fn a_token_of_the_lab_is_valid() {
    let fleet = one("auth = \"token\"").await;
    let folder = tempfile::tempdir().unwrap();
    fleet.write_lab(folder.path()).unwrap();
    let token = std::fs::read_to_string(folder.path().join("token-1")).unwrap();
    let reply = get(&fleet, CHECK, &bearer(token.trim_end())).await.unwrap();
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn plain_fleets_are_true_to_the_page() {
    let scenario = Scenario::plain(20);
    let fleet = SimFleet::start(&scenario, &SimOptions::default())
        .await
        .unwrap();
    assert_eq!((fleet.devices().len(), scenario.tempo), (20, 1.0));
    let names: std::collections::HashSet<_> = fleet.devices().iter().map(SimDevice::name).collect();
    assert_eq!(names.len(), 20);
    assert_eq!(
        fleet.device("sim-07").unwrap().script().faults,
        DeviceScript::named("x").faults
    );
    assert!(crate::hem::firmware_image::verify(&fleet.image()).is_ok());
}

/// A port that was free a moment ago, with its successor.
fn free_pair() -> u16 {
    loop {
        let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if std::net::TcpListener::bind(("127.0.0.1", port.saturating_add(1))).is_ok() {
            return port;
        }
    }
}

#[tokio::test]
async fn ports_host_and_broker_can_be_fixed() {
    let (port, http, broker) = (free_pair(), free_pair(), free_pair());
    let options = SimOptions {
        port: Some(port),
        http_port: Some(http),
        broker: Some(([127, 0, 0, 1], broker).into()),
        host: Some("hem.example".to_owned()),
        ..SimOptions::default()
    };
    // Somebody else may have been quicker.
    if let Ok(fleet) = SimFleet::start(&Scenario::plain(2), &options).await {
        assert_eq!(fleet.broker_url(), format!("https://127.0.0.1:{broker}"));
        let ports: Vec<_> = fleet.devices().iter().map(|d| d.addr().port()).collect();
        assert_eq!(ports, [port, port + 1]);
        let plain = |d: &SimDevice| d.http_addr().unwrap().port();
        let ports: Vec<_> = fleet.devices().iter().map(plain).collect();
        assert_eq!(ports, [http, http + 1]);
        assert_eq!(fleet.hem().script().host(), "hem.example");
        assert!(get(&fleet, VERSION, "").await.is_ok());
        // Taken now.
        let error = SimFleet::start(&Scenario::plain(1), &options).await.err();
        assert!(error.unwrap().to_string().contains("cannot listen"));
    }
}

#[tokio::test]
async fn one_port_may_serve_both() {
    let port = free_pair();
    let options = SimOptions {
        port: Some(port),
        http_port: Some(port),
        ..SimOptions::default()
    };
    if let Ok(fleet) = SimFleet::start(&Scenario::plain(1), &options).await {
        assert_eq!(fleet.hem().http_addr(), Some(fleet.hem().addr()));
        assert_eq!(get(&fleet, VERSION, "").await.unwrap().status, 200);
        assert_eq!(plain(&fleet, "GET", STATUS, "").await.status, 200);
    }
}
