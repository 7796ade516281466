//! Fleets for tests, brought where they are by events and wishes only, as in a run.
//! Must not: build what a run could not lead to.

mod audits;

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use ratatui::{Terminal, crossterm};

use crate::engine::{
    Command, DeviceFact, DeviceSeed, Event, Fact, Fleet, Intent, Message, Mode, PendingInstall,
    Progress, Seen,
};
use crate::model::{
    Component, Credentials, DeviceId, DeviceStatus, DeviceVersion, Failure, FailureKind, FlsState,
    Fwk, Fws, ImageFacts, ImageFooter, ImageFormat, LinkFault, LinkTrust, Outcome, PayloadFacts,
    RunId, SigningMode, Skip, Stage, TlsFault, Touched, Unproven, Verdict,
};

use super::theme::Theme;
use super::ui::{Action, Ui};
use super::view::{self, Scene};

pub(super) use audits::{app_only, audited, both, people, staged, windowed};

pub(super) const MB: u64 = 1024 * 1024;

fn payload() -> PayloadFacts {
    PayloadFacts {
        app: None,
        firmware: Some(image()),
    }
}

pub(super) fn image() -> ImageFacts {
    ImageFacts {
        file_bytes: 3 * MB,
        image_bytes: 3 * MB,
        sha256: [0xab; 32],
        format: ImageFormat::Binary,
        footer: Some(ImageFooter {
            name: "Encedo nGINE FW v1.2.3".to_owned(),
            mode: SigningMode::Plain,
            signed_at: None,
            fwk: Fwk([0x9d; 32]),
            fws: Fws([0xf5; 64]),
        }),
    }
}

fn version(label: &str, fws: u8, hwv: &str) -> DeviceVersion {
    DeviceVersion {
        uis: None,
        sd_cid: None,
        hwv: hwv.to_owned(),
        fwv: format!("Encedo nGINE FW v{label}"),
        fwk: Some(Fwk([0x9d; 32])),
        fws: Some(Fws([fws; 64])),
    }
}

fn seen(label: &str, hwv: &str) -> Box<Seen> {
    Box::new(Seen {
        version: version(label, 0x11, hwv),
        status: DeviceStatus {
            uptime: Duration::from_secs(86400),
            clock: Some(1_700_000_000),
            initialised: true,
            fls_state: FlsState(0),
            trusted_time: true,
            fw_upgrade: false,
        },
    })
}

/// A fleet, its screen, and a clock that only the test moves.
pub(super) struct Rig {
    pub(super) fleet: Fleet,
    pub(super) ui: Ui,
    pub(super) look: Theme,
    pub(super) now: Timestamp,
}

impl Rig {
    pub(super) fn new(mode: Mode, seeds: Vec<DeviceSeed>) -> Self {
        Self::of(mode, seeds, payload())
    }

    /// The same, with another payload.
    pub(super) fn of(mode: Mode, seeds: Vec<DeviceSeed>, payload: PayloadFacts) -> Self {
        let run = RunId::from_random([0x7f, 0x3a, 0, 1]);
        let devices = seeds.len();
        let mut rig = Self {
            fleet: Fleet::new(run.clone(), payload.clone(), mode, 8, seeds),
            ui: Ui::new(Size::new(80, 24)),
            look: Theme {
                colour: true,
                ascii: false,
            },
            now: "2026-11-23T12:02:11Z".parse().unwrap(),
        };
        rig.event(Fact::RunStarted {
            run,
            payload: Box::new(payload),
            devices,
        });
        rig.intend(Intent::Begin);
        rig
    }

    pub(super) fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub(super) fn event(&mut self, fact: Fact) {
        let event = Event { at: self.now, fact };
        let commands = self.fleet.update(&Message::Event(event.clone()));
        self.ui.event(&event);
        self.obey(commands);
    }

    pub(super) fn intend(&mut self, intent: Intent) {
        let commands = self.fleet.update(&Message::Intent(intent));
        self.obey(commands);
    }

    /// Does what a session does by itself; tasks are the test's.
    fn obey(&mut self, commands: Vec<Command>) {
        for command in commands {
            if let Command::Finish {
                device, outcome, ..
            } = command
            {
                self.tell(device.as_str(), DeviceFact::Finished { outcome });
            }
        }
    }

    /// Something happened to a device in its current attempt.
    pub(super) fn tell(&mut self, name: &str, fact: DeviceFact) {
        let device = DeviceId::new(name);
        let attempt = self.fleet.device(&device).unwrap().attempt;
        self.event(Fact::Device {
            device,
            attempt,
            fact,
        });
    }

    pub(super) fn begin(&mut self, name: &str, stage: Stage) {
        self.tell(name, DeviceFact::StageStarted { stage, try_no: 1 });
    }

    /// A try of a stage ended after `seconds`.
    pub(super) fn end(&mut self, name: &str, stage: Stage, seconds: i64, note: &str) {
        self.begin(name, stage);
        self.wait(seconds);
        self.tell(
            name,
            DeviceFact::StageFinished {
                stage,
                try_no: 1,
                took: Duration::from_secs(seconds.unsigned_abs()) + Duration::from_millis(200),
                status: Some(200),
                note: note.to_owned(),
                failure: None,
            },
        );
    }

    pub(super) fn fail_stage(&mut self, name: &str, stage: Stage, try_no: u32, kind: FailureKind) {
        self.tell(name, DeviceFact::StageStarted { stage, try_no });
        self.tell(
            name,
            DeviceFact::StageFinished {
                stage,
                try_no,
                took: Duration::from_millis(600),
                status: kind.status(),
                note: String::new(),
                failure: Some(kind),
            },
        );
    }

    pub(super) fn progress(&mut self, name: &str, stage: Stage, progress: Progress) {
        self.tell(name, DeviceFact::StageProgress { stage, progress });
    }

    pub(super) fn finish(&mut self, name: &str, outcome: Outcome) {
        self.tell(name, DeviceFact::Finished { outcome });
    }

    pub(super) fn fail(&mut self, name: &str, stage: Stage, kind: FailureKind, touched: Touched) {
        self.fail_stage(name, stage, 1, kind.clone());
        let failure = Failure {
            stage,
            kind,
            touched,
        };
        self.finish(name, Outcome::Failed(failure));
    }

    /// From the probe up to, not including, `until`.
    pub(super) fn up_to(&mut self, name: &str, until: Stage) {
        let probe = "Encedo nGINE FW v1.2.2 · PPA rev 2.2 · healthy · clock set";
        let notes = [
            (Stage::Probe, 0, probe),
            (Stage::Login, 1, "system:upgrade, valid 1:00:00"),
            (Stage::Upload, 4, ""),
            (Stage::Check, 34, "valid after 9 polls"),
            (Stage::Install, 0, "accepted"),
            (Stage::Reboot, 31, "back, up for 12 s"),
        ];
        for (stage, seconds, note) in notes {
            if stage >= until {
                return;
            }
            if stage == Stage::Install {
                self.install_begun(name);
            }
            self.end(name, stage, seconds, note);
            if stage == Stage::Probe {
                self.planned(name, Verdict::Upgrade { notes: Vec::new() });
            }
        }
    }

    pub(super) fn install_begun(&mut self, name: &str) {
        let pending = PendingInstall {
            component: Component::Firmware,
            uis_before: None,
            device: crate::model::DeviceMark::default(),
            mark: None,
            since: tokio::time::Instant::now(),
            uptime_before: Duration::from_secs(86400),
            fw_upgrade_before: false,
            fws_before: Some(Fws([0x11; 64])),
        };
        self.tell(
            name,
            DeviceFact::InstallBegun {
                pending: Box::new(pending),
            },
        );
    }

    pub(super) fn planned(&mut self, name: &str, verdict: Verdict) {
        let hwv = if verdict == Verdict::Skip(Skip::Epa) {
            "EPA rev 1.0 @x"
        } else {
            "PPA rev 2.2"
        };
        let label = if verdict == Verdict::Current {
            "1.2.3"
        } else {
            "1.2.2"
        };
        let seen = match verdict {
            Verdict::Cannot(_) => None,
            _ => Some(seen(label, hwv)),
        };
        self.tell(name, DeviceFact::Planned { seen, verdict });
    }

    pub(super) fn upgraded(&mut self, name: &str) {
        self.up_to(name, Stage::Verify);
        self.returned(name, "1.2.3", 0xf5);
        self.end(
            name,
            Stage::Verify,
            0,
            "Encedo nGINE FW v1.2.3 · signature matches",
        );
        self.finish(name, Outcome::Upgraded);
    }

    pub(super) fn returned(&mut self, name: &str, label: &str, fws: u8) {
        let version = version(label, fws, "PPA rev 2.2");
        self.tell(
            name,
            DeviceFact::Returned {
                component: Component::Firmware,
                version: Box::new(version),
                outcome: None,
            },
        );
    }

    /// Presses keys: a character each, or a name in angle brackets.
    pub(super) fn press(&mut self, keys: &str) -> Vec<Action> {
        let mut all = Vec::new();
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let (event, used) = match rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
                Some((name, _)) => (named(name), name.len() + 2),
                None => (plain(KeyCode::Char(c)), c.len_utf8()),
            };
            rest = &rest[used..];
            let actions = self.ui.key(&event, &self.fleet);
            for action in &actions {
                if let Action::Intend(intent) = action {
                    self.intend(intent.clone());
                }
            }
            all.extend(actions);
        }
        all
    }

    pub(super) fn select(&mut self, name: &str) {
        self.press("g");
        while self.ui.selected(&self.fleet).unwrap().id.as_str() != name {
            self.press("j");
        }
    }

    /// The screen at this size.
    pub(super) fn buffer(&mut self, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        self.ui.size = Size::new(width, height);
        view::settle(&mut self.ui, &self.fleet);
        terminal
            .draw(|frame| {
                let scene = Scene {
                    fleet: &self.fleet,
                    ui: &self.ui,
                    look: self.look,
                    now: self.now,
                    zone: &TimeZone::UTC,
                };
                view::draw(&scene, frame.buffer_mut());
            })
            .unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen at this size as text, with a border that shows where it ends.
    pub(super) fn text(&mut self, width: u16, height: u16) -> String {
        let buffer = self.buffer(width, height);
        let mut out = String::new();
        for y in 0..height {
            let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            out.push('|');
            out.push_str(&line);
            out.push_str("|\n");
        }
        out
    }
}

fn plain(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn named(name: &str) -> KeyEvent {
    plain(match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Back" => KeyCode::Backspace,
        "C-c" => {
            return KeyEvent::new(KeyCode::Char('c'), crossterm::event::KeyModifiers::CONTROL);
        }
        other => panic!("no key {other}"),
    })
}

fn seed(name: &str, group: &str, link: LinkTrust) -> DeviceSeed {
    DeviceSeed {
        credentials: Credentials::Login,
        id: DeviceId::new(name),
        group: Some(group.to_owned()),
        tags: vec!["usb".to_owned()],
        link,
    }
}

pub(super) fn seeds() -> Vec<DeviceSeed> {
    let mut seeds: Vec<DeviceSeed> = (1..=8)
        .map(|n| {
            seed(
                &format!("vault-{n:02}"),
                if n <= 4 { "warsaw" } else { "berlin" },
                LinkTrust::Ca,
            )
        })
        .collect();
    seeds[2].link = LinkTrust::Insecure;
    seeds[6].link = LinkTrust::Http;
    seeds.push(seed("vault-09", "berlin", LinkTrust::Pinned));
    seeds.push(seed("vault-10", "berlin", LinkTrust::Ca));
    seeds.push(seed("vault-11", "berlin", LinkTrust::Ca));
    seeds.insert(1, seed("rack-c1", "rack", LinkTrust::System));
    seeds
}

pub(super) fn expired() -> FailureKind {
    FailureKind::Link(LinkFault::Tls(TlsFault::Expired {
        days: 12,
        not_after: "2026-11-11T00:00:00Z".to_owned(),
    }))
}

/// The plan of a fleet in which everything occurs.
pub(super) fn plan() -> Rig {
    let mut rig = Rig::new(Mode::Confirm, seeds());
    rig.wait(1);
    for n in 1..=6 {
        let notes = match n {
            4 => vec!["clock not set: checks in first".to_owned()],
            _ => Vec::new(),
        };
        rig.end(&format!("vault-{n:02}"), Stage::Probe, 0, "");
        rig.planned(&format!("vault-{n:02}"), Verdict::Upgrade { notes });
    }
    rig.planned("vault-07", Verdict::Current);
    rig.planned("vault-08", Verdict::Upgrade { notes: Vec::new() });
    rig.planned("vault-09", expired().into());
    rig.planned("vault-10", FailureKind::FaultLatched(FlsState(0x0a)).into());
    rig.planned("vault-11", Verdict::Upgrade { notes: Vec::new() });
    rig.planned("rack-c1", Verdict::Skip(Skip::Epa));
    rig
}

/// A run in which every stage occurs.
pub(super) fn running() -> Rig {
    let mut rig = Rig::new(Mode::Go, seeds());
    rig.upgraded("vault-01");
    rig.end(
        "rack-c1",
        Stage::Probe,
        0,
        "Encedo nGINE FW v1.2.2 · EPA rev 1.0 @x",
    );
    rig.planned("rack-c1", Verdict::Skip(Skip::Epa));
    rig.finish("rack-c1", Outcome::Skipped(Skip::Epa));
    rig.up_to("vault-04", Stage::Reboot);
    rig.begin("vault-04", Stage::Reboot);
    rig.up_to("vault-03", Stage::Check);
    rig.begin("vault-03", Stage::Check);
    rig.up_to("vault-05", Stage::Check);
    let refused = FailureKind::ImageRefused { status: 406 };
    rig.fail("vault-05", Stage::Check, refused, Touched::ImageStaged);
    rig.up_to("vault-02", Stage::Upload);
    rig.begin("vault-02", Stage::Upload);
    rig.end("vault-06", Stage::Probe, 0, "");
    rig.planned("vault-06", Verdict::Upgrade { notes: Vec::new() });
    let reset = FailureKind::Link(LinkFault::Reset);
    rig.fail_stage("vault-06", Stage::Upload, 1, reset.clone());
    rig.tell(
        "vault-06",
        DeviceFact::RetryScheduled {
            stage: Stage::Upload,
            next_try: 2,
            of: 3,
            wait: Duration::from_secs(6),
            after: reset,
        },
    );
    rig.begin("vault-07", Stage::Login);
    rig.wait(2);
    let sent = MB * 7 / 5;
    rig.progress(
        "vault-02",
        Stage::Upload,
        Progress::Bytes {
            sent,
            total: 3 * MB,
        },
    );
    rig.progress(
        "vault-03",
        Stage::Check,
        Progress::Polls {
            polls: 4,
            status: 202,
        },
    );
    rig.progress(
        "vault-04",
        Stage::Reboot,
        Progress::Silent {
            last: "connection refused by 127.0.0.1:8446".to_owned(),
            normal: Duration::from_secs(60),
        },
    );
    rig
}

/// A run that is over, with everything that can have gone wrong.
pub(super) fn finished() -> Rig {
    let mut rig = running();
    rig.install_begun("vault-10");
    rig.wait(40);
    for (name, outcome) in [
        ("vault-02", Outcome::Upgraded),
        ("vault-03", Outcome::RolledBack),
        ("vault-04", Outcome::Lost),
        ("vault-06", Outcome::Cancelled(Touched::ImageSent)),
        ("vault-07", Outcome::Current),
        (
            "vault-08",
            Outcome::Unproven(Unproven::OtherSignature {
                now: "MzMzMzMz".to_owned(),
            }),
        ),
        (
            "vault-09",
            Outcome::Failed(Failure {
                stage: Stage::Probe,
                kind: expired(),
                touched: Touched::Nothing,
            }),
        ),
        (
            "vault-10",
            Outcome::Unknown(crate::model::Doubt::AnswerLost),
        ),
        ("vault-11", Outcome::Upgraded),
    ] {
        if matches!(outcome, Outcome::Upgraded) {
            rig.returned(name, "1.2.3", 0xf5);
        }
        rig.finish(name, outcome);
    }
    rig
}
