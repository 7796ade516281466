//! The scenario: a script for simulated devices, and what is expected to become of them.
//!
//! The same file drives `hemfleet sim --scenario`, `hemfleet demo --scenario` and the tests
//! (`tests/scenarios/*.toml`). Unknown keys are refused everywhere. The whole format:
//!
//! ```toml
//! about = "what this scenario shows, in one line"
//! tempo = 0.01                 # scales the delays that the page gives devices; 1 = true to the page
//!
//! [image]                      # the firmware that is rolled out; all keys optional
//! size = 200000                # bytes, footer included
//! version = "1.2.3"            # goes into the footer's name
//! kind = "signed"              # "other-key": signed by a key that devices do not know
//!                              # "no-footer" · "mode80": signed in mode 0x80
//!                              # "new-layout": valid, but its footer is one that only devices know
//!
//! [app]                        # the management app that is rolled out; where this is not there, none is
//! size = 300000                # bytes of the archive, webroot.tar
//!
//! [broker]                     # check-in, notifications, downloads
//! down = false                 # true: nothing listens there
//! scheme = "https"             # or "http"
//! offer = false                # true: check-ins name the image as `newfws`, and the app as `newuis`
//! download = "right"           # "wrong": another file than the one of that name · "short": half of it
//!
//! [client]                     # written into the generated fleet.toml, for the client only
//! quick = true                 # short pauses and limits, for tests; single keys below win
//! concurrency = 8
//! max_failures = 3             # [rollout] max_failures; or a share, "5%"
//! force = true                 # a hint to the harness: use --force
//! component = "both"           # a hint to the harness: use --component firmware, ui or both
//! audit = "wanted"             # [audit] mode; or "required" · "off"
//! on_expired = "fail"          # [tls] on_expired; or "checkin"
//! approval = { at_once = 3, wait = "5s", poll = "10ms" }
//! timeouts = { connect = "1s", request = "5s", upload = "1m", upload_stall = "2s", check = "20s", reboot = "10s" }
//! pace = { gap = "1ms", check_poll = "10ms", reboot_poll = "20ms", reboot_settle = "50ms" }
//! retry = { attempts = 3, backoff = "20ms" }
//!
//! [[device]]
//! name = "vault-01"            # all other keys are optional; the values here are the defaults
//! group = "warsaw"             # (none)
//! tags = []
//! model = "PPA"                # or "EPA"
//! host = "my.ence.do"          # for an EPA c1.rack.cloud.ence.do
//! fresh = false                # true: factory state, no user
//! clock = "set"                # or "unset", as after every power-up
//! clock_offset = 0             # seconds that a set clock is ahead of the real one
//! clock_rate = 1.08            # real devices gain about 8 %
//! trusted_time = true          # false: logins work without a clock
//! scheme = "https"             # or "http"
//! allow_plain_login = true     # for scheme = "http": what the inventory says
//! tls = "good"                 # "expired" · "wrong-name" · "unknown-ca" · "self-signed"
//! renews = "never"             # for tls = "expired": a check-in delivers a good certificate (`newcrt`), which is
//!                              # dropped, as real devices do; or served "at-once", or from the next boot on
//!                              # ("at-reboot"), as the vendor says
//! auth = "passphrase"          # what the inventory has: "passphrase" by PBKDF2 · "argon2": the same by Argon2d ·
//!                              # "master-words" · "master-words-legacy" · "master-passphrase" · "mobile": the phone ·
//!                              # "wrong-passphrase" · "token": one that is valid once the clock is set · "none".
//!                              # The device knows its user's key and its master's (by words and by a passphrase), as
//!                              # Manager 1 makes them for "argon2" and "master-words-legacy", as Manager 2 does for
//!                              # all others; and its phone
//! phone = { answer = "approve", after = 1 }  # or "deny" · "expire", after so many polls in vain; or "never". A list
//!                              # answers the first request, the second and so on: ["deny", "approve"]
//! runs = "old"                 # "image": already current
//! runs_ui = "old"              # "image": already serves the app
//! uis = "version"              # what it reports of the app: the hash of its manifest · "signer-key"
//! version = "1.2.2"            # of the old firmware
//! fls_state = 0                # latched faults, as bits
//! uptime = "72h"               # since boot, at start
//! upload_rate = 1000000        # bytes a second (as fast as it goes)
//! check_polls = 3              # answers 202 this often; or by time:
//! check = "20s"                # how long the verification takes; default 20 s times tempo
//! reboot = "20s"               # how long it is gone; default 20 s times tempo
//! panic_at = "check"           # a hint to the harness: its client panics at this stage
//! log_files = 0                # closed files of the audit log from boots before, a day apart: every 4th named
//!                              # by a small number, every 2nd with CRLF, every 5th with a second key line,
//!                              # the newest with another run's UPGRADE OK
//! log_bytes = 0                # up to how many bytes each closed file is filled with entries when it is read
//! faults = [ { at = "upload", do = "reset", after = 100000, times = 1 } ]
//! expect = { outcome = "upgraded", uploads = 1, installs = 1 }
//! ```
//!
//! A **fault** strikes `at` a point, `times = n` times (once, where nothing is said; `always = true`
//! for ever), after `skip = n` unharmed occasions. Points: `connect`, the endpoints `version`,
//! `status`, `checkin`, `checkin-reply`, `challenge`, `login`, `upload`, `check`, `install`,
//! `ext-request`, `ext-token`, `upload-ui`, `check-ui`, `install-ui`, `reboot`, `log-key`, `log-list`,
//! `log-file`, or `any` of them. At the broker: `relay`, its handling of this device's check-in; `notify`, of
//! this device's events; `notify-session`, of anybody's session. Behind them: `verification` and
//! `ui-verification`, what the first `check` or `check-ui` of an upload starts; `boot`, the reboot that follows
//! an install; `upgrade-entry`, the audit entry that an install leaves behind, of the firmware or of the app (OK
//! with 200, ERROR with 406 and 409, scripted ones included; a scripted 403 leaves its entry as well). One
//! request suffers at most one fault, the first in the file; at a boot all strike together. In the table the
//! broker's points are endpoints, too.
//!
//! | `do` | at | what happens |
//! | --- | --- | --- |
//! | `status`, `status = n` | endpoints | this status, nothing done; at uploads before the body, or `after = bytes` of it |
//! | `reset` | connect, endpoints | RST; at uploads `after = bytes` |
//! | `close` | connect, endpoints | closed without a response; at uploads `after = bytes` |
//! | `stall` | connect, endpoints | stands still, `for = "…"` or for ever; at uploads `after = bytes` |
//! | `refuse` | connect | nothing listens at first, `for = "…"` or for ever |
//! | `slow`, `for = "…"` | endpoints | done, but answered late |
//! | `lose-answer`, `happened = true/false` | endpoints | RST instead of the answer; done or not |
//! | `misreport`, `status = n` | endpoints | done, and something on the way answers this status instead |
//! | `short` | endpoints | a body shorter than its `Content-Length` |
//! | `garbled` | endpoints | 200 and something that is no JSON |
//! | `odd` | endpoints | extra fields, `null` for absent ones, a body where none is usual |
//! | `omit`, `field = "exp"` | endpoints | leaves the field out |
//! | `fail` | verifications | it ends in 406, whatever the image |
//! | `endless` | verifications | it never ends |
//! | `order`, `order = "L"` | relay | the backend orders an action: L, W, R, B or U |
//! | `linger`, `for = "…"` | boot | answers as before until the reboot really begins; 2 s times tempo otherwise |
//! | `rollback` | boot | the bootloader refuses the image: same `fws`, no `fw_upgrade` |
//! | `other-fws` | boot | comes back with an `fws` that is neither the old nor the image's |
//! | `never` | boot | does not come back |
//! | `hang`, `for = "…"` | boot | accepts TCP after the boot, answers only later |
//! | `vanish`, `for = "…"` | boot | is up this long, then reboots once more; with `rollback` it runs the image at first, then the old one |
//! | `tamper` | upgrade-entry | somebody turns an ERROR into OK: the MAC of the line fits no more |
//! | `log-error` | upgrade-entry | ERROR is written, whatever happened |
//! | `leave-out` | upgrade-entry | nothing is written |
//!
//! A log file that ends early is `{ at = "log-file", do = "short", always = true }`, one that stays busy
//! `{ at = "log-file", do = "status", status = 406, always = true }`; the running session's file is busy
//! anyway.
//!
//! **`expect`** is for tests and the demo; every key is optional: `outcome` (`upgraded`, `unproven`,
//! `current`, `skipped`, `failed`, `rolled_back`, `lost`, `unknown`, `cancelled`) · `stage` · `status`
//! · `code` (the JSON events' word) · `retries` (scheduled by the client itself) · what the device
//! counted: `uploads` (completed), `checks` (polls), `installs` (requests received), `logins` (tokens
//! issued), `image_bytes` (received in all uploads together), `ui_uploads`, `ui_installs` (the same of the app),
//! `approvals` and `withdrawn` (requests to the phone) · `runs` and `runs_ui` (`old`, `image` or `other`) ·
//! `audit` (`confirmed`, `contradicted`, `missing`, `unavailable`) · `after_retry` (the outcome once a person
//! retried).
//!
//! What a key means on the wire is explained where it is carried out.

use serde::Deserialize;

use super::client_config::ClientConfig;
use super::device::DeviceScript;
use super::world::{AppScript, BrokerScript, ImageScript};
use crate::model::{MAX_APP_BYTES, MAX_IMAGE_BYTES};
use crate::sim::management_app_file;

/// Why a text is no scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// Not TOML, a key that is none, or a value of the wrong kind: with line, column and excerpt.
    #[error("{0}")]
    Syntax(String),
    /// Well written, but meaningless: every fault, one a line.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
}

/// A script for simulated devices; see the module's documentation for the format.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in one line.
    pub about: String,
    /// Scales the delays that the page gives devices.
    #[serde(default = "true_to_the_page")]
    pub tempo: f64,
    /// The firmware that is rolled out.
    #[serde(default)]
    pub image: ImageScript,
    /// The management app that is rolled out, if one is.
    pub app: Option<AppScript>,
    /// The broker.
    #[serde(default)]
    pub broker: BrokerScript,
    /// What the generated inventory tells the client.
    #[serde(default)]
    pub client: ClientConfig,
    /// The devices.
    #[serde(rename = "device")]
    pub devices: Vec<DeviceScript>,
}

fn true_to_the_page() -> f64 {
    1.0
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// Anything that is not the format above, with line and column; or values that make no sense,
    /// all of them together.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|e| ScenarioError::Syntax(e.to_string()))?;
        let faults = scenario.nonsense();
        if faults.is_empty() {
            Ok(scenario)
        } else {
            Err(ScenarioError::Invalid(faults))
        }
    }

    /// Healthy devices without any faults, true to the page: for rehearsals.
    pub fn plain(devices: usize) -> Self {
        let device = |n: usize| DeviceScript {
            group: Some("lab".to_owned()),
            upload_rate: Some(400_000),
            ..DeviceScript::named(&format!("sim-{n:02}"))
        };
        Self {
            about: format!("{devices} healthy devices"),
            tempo: 1.0,
            image: ImageScript {
                size: 1_500_000,
                ..ImageScript::default()
            },
            app: Some(AppScript::default()),
            broker: BrokerScript::default(),
            client: ClientConfig::default(),
            devices: (1..=devices).map(device).collect(),
        }
    }

    fn nonsense(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let sizes = crate::hem::firmware_image::FOOTER_BYTES + 1..=MAX_IMAGE_BYTES;
        if !sizes.contains(&self.image.size) {
            faults.push(format!(
                "[image] size = {}: an image has {} to {} bytes",
                self.image.size,
                sizes.start(),
                sizes.end()
            ));
        }
        let sizes = management_app_file::MIN_BYTES..=MAX_APP_BYTES;
        if let Some(app) = self.app.as_ref().filter(|a| !sizes.contains(&a.size)) {
            faults.push(format!(
                "[app] size = {}: an app has {} to {} bytes",
                app.size,
                sizes.start(),
                sizes.end()
            ));
        }
        if !self.tempo.is_finite() || self.tempo <= 0.0 || self.tempo > 100.0 {
            faults.push(format!("tempo = {}: more than 0, at most 100", self.tempo));
        }
        if self.devices.is_empty() {
            faults.push("no [[device]]".to_owned());
        }
        let mut names = std::collections::HashSet::new();
        for device in &self.devices {
            let name = &device.name;
            if !names.insert(name) {
                faults.push(format!("two devices are named {name:?}"));
            }
            faults.extend(device.nonsense().map(|what| format!("{name}: {what}")));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stage;
    use crate::sim::ScriptDuration;

    #[test]
    fn the_documented_format_is_the_format() {
        let docs: String = include_str!("scenario.rs")
            .lines()
            .skip_while(|l| *l != "//! ```toml")
            .skip(1)
            .take_while(|l| *l != "//! ```")
            .map(|l| l.trim_start_matches("//!").to_owned() + "\n")
            .collect();
        // Both of a pair that excludes itself stand there for the reader.
        let text = docs.replace("check_polls = 3 ", "# ");
        let text = text.replace("renews = ", "# ");
        let scenario = Scenario::parse(&text).unwrap();
        assert_eq!(scenario.devices[0].faults.len(), 1);
        let documented = DeviceScript {
            group: Some("warsaw".into()),
            host: Some("my.ence.do".into()),
            upload_rate: Some(1_000_000),
            check: Some(ScriptDuration::millis(20_000)),
            reboot: Some(ScriptDuration::millis(20_000)),
            panic_at: Some(Stage::Check),
            faults: scenario.devices[0].faults.clone(),
            expect: scenario.devices[0].expect.clone(),
            ..DeviceScript::named("vault-01")
        };
        assert_eq!(scenario.devices[0], documented);
        let bare = Scenario::parse("about = \"x\"\n[[device]]\nname = \"vault-01\"").unwrap();
        assert_eq!(bare.devices[0], DeviceScript::named("vault-01"));
        assert_eq!(bare.image, scenario.image);
    }

    #[test]
    fn errors_say_where() {
        let error = Scenario::parse("about = \"x\"\n[[device]]\nname = \"a\"\nmodle = \"EPA\"");
        let text = error.unwrap_err().to_string();
        assert!(text.contains("line 4") && text.contains("modle"), "{text}");
        let error = Scenario::parse(
            "about = \"x\"\n[[device]]\nname = \"a\"\nfaults = [\n  { at = \"check\", do = \"never\" },\n]",
        );
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("line 4") && text.contains("cannot happen"),
            "{text}"
        );
        let error = Scenario::parse(
            "about = \"x\"\n[[device]]\nname = \"a\"\nexpect = { outcome = \"fine\" }",
        );
        let text = error.unwrap_err().to_string();
        assert!(text.contains("rolled_back"), "{text}");
    }

    #[test]
    fn all_nonsense_is_named_together() {
        let text = "about = \"x\"\ntempo = 0\nimage = { size = 9 }\n\
                    [[device]]\nname = \"a\"\nupload_rate = 0\n[[device]]\nname = \"a\"\nclock_rate = 9.0";
        let Err(ScenarioError::Invalid(faults)) = Scenario::parse(text) else {
            panic!("accepted");
        };
        assert_eq!(faults.len(), 5, "{faults:?}");
    }

    #[test]
    fn every_scenario_of_the_tests_is_one() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension() != Some("toml".as_ref()) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if let Err(e) = Scenario::parse(&text) {
                panic!("{}: {e}", path.display());
            }
        }
    }
}
