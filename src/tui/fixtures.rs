//! Screens for tests, each with the run that it shows. The run itself is built with `engine::fixtures`.

mod audits;
mod two_hundred;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;

use crate::engine::fixtures::{self, TestRun, firmware};
use crate::engine::{DeviceFact, DeviceSeed, Fact, Intent, Message, Mode, Progress, Reopened};
use crate::model::{
    Doubt, Failure, FailureKind, FlsState, LinkFault, LinkTrust, Outcome, PayloadFacts, Skip,
    Stage, TlsFault, Touched, Unproven, Verdict,
};

use super::theme::Theme;
use super::ui::{Effect, Ui};
use super::view::{self, Scene};

pub(super) use audits::{
    app_only, audited, both, log_contradicts, staged, waiting_for_people, windowed,
};
pub(super) use two_hundred::{two_hundred_over, two_hundred_planned, two_hundred_running};

pub(super) const MB: u64 = 1024 * 1024;

/// A run and the screen that shows it.
pub(super) struct TestScreen {
    pub(super) run: TestRun,
    pub(super) ui: Ui,
    pub(super) theme: Theme,
    /// How many of the run's messages the screen has taken in.
    taken: usize,
}

impl TestScreen {
    pub(super) fn new(mode: Mode, seeds: Vec<DeviceSeed>) -> Self {
        Self::of(mode, seeds, firmware(3 * MB))
    }

    /// The same, with another payload.
    pub(super) fn of(mode: Mode, seeds: Vec<DeviceSeed>, payload: PayloadFacts) -> Self {
        let mut run = TestRun::new(mode, seeds, payload);
        run.wait(131);
        run.begin();
        Self {
            run,
            ui: Ui::new(Size::new(80, 24)),
            theme: Theme {
                colour: true,
                ascii: false,
            },
            taken: 0,
        }
    }

    /// A stage that takes `seconds` and succeeds.
    pub(super) fn end(&mut self, name: &str, stage: Stage, seconds: u64, note: &str) {
        self.run.start(name, stage, 1);
        self.run.wait(seconds);
        self.run
            .stage_done(name, stage, seconds * 1000 + 200, 200, note);
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
                self.run.install_begun(name);
            }
            self.end(name, stage, seconds, note);
            if stage == Stage::Probe {
                self.run.planned_upgrade(name, &[]);
            }
        }
    }

    pub(super) fn upgraded(&mut self, name: &str) {
        self.up_to(name, Stage::Verify);
        self.run.returned(name);
        let note = "Encedo nGINE FW v1.2.3 · signature matches";
        self.end(name, Stage::Verify, 0, note);
        self.run.finish(name, Outcome::Upgraded);
    }

    /// Brings the screen up to the run's last event.
    pub(super) fn catch_up(&mut self) {
        for message in &self.run.messages[self.taken..] {
            if let Message::Event(event) = message {
                self.ui.event(event);
            }
        }
        self.taken = self.run.messages.len();
    }

    /// Presses keys: a character each, or a name in angle brackets.
    pub(super) fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut all = Vec::new();
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let (event, used) = match rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
                Some((name, _)) => (named(name), name.len() + 2),
                None => (plain(KeyCode::Char(c)), c.len_utf8()),
            };
            rest = &rest[used..];
            self.catch_up();
            let effects = self.ui.key(&event, &self.run.fleet);
            for effect in &effects {
                if let Effect::Intend(intent) = effect {
                    self.run.intend(intent.clone());
                }
            }
            all.extend(effects);
        }
        all
    }

    pub(super) fn select(&mut self, name: &str) {
        self.press("g");
        while self.ui.selected(&self.run.fleet).unwrap().id.as_str() != name {
            self.press("j");
        }
    }

    /// The screen at this size.
    pub(super) fn buffer(&mut self, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        self.catch_up();
        self.ui.size = Size::new(width, height);
        view::settle(&mut self.ui, &self.run.fleet);
        terminal
            .draw(|frame| {
                let scene = Scene {
                    fleet: &self.run.fleet,
                    ui: &self.ui,
                    theme: self.theme,
                    now: self.run.now,
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
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Back" => KeyCode::Backspace,
        "C-c" => {
            return KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        }
        other => panic!("no key {other}"),
    })
}

fn seed(name: &str, group: &str, link: LinkTrust) -> DeviceSeed {
    DeviceSeed {
        group: Some(group.to_owned()),
        tags: vec!["usb".to_owned()],
        ..fixtures::seed(name, link)
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
pub(super) fn plan() -> TestScreen {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    screen.run.wait(1);
    for n in 1..=6 {
        let name = format!("vault-{n:02}");
        let notes: &[&str] = match n {
            4 => &["clock not set: checks in first"],
            _ => &[],
        };
        screen.end(&name, Stage::Probe, 0, "");
        screen.run.planned_upgrade(name.as_str(), notes);
    }
    screen.run.planned("vault-07", Verdict::Current);
    screen.run.planned_upgrade("vault-08", &[]);
    screen.run.planned("vault-09", expired().into());
    screen
        .run
        .planned("vault-10", FailureKind::FaultLatched(FlsState(0x0a)).into());
    screen.run.planned_upgrade("vault-11", &[]);
    screen.run.planned("rack-c1", Verdict::Skip(Skip::Epa));
    screen
}

/// What the plan says of a device that an earlier run left in doubt.
pub(super) fn watched_first() -> Verdict {
    Verdict::Watch {
        notes: vec![
            "install sent 12 s ago by run ca1e2001: do not unplug".to_owned(),
            "answers as before, runs 1.2.2".to_owned(),
        ],
        goes_on: true,
    }
}

/// A plan in which the first devices are in doubt, and all others current.
pub(super) fn in_doubt(devices: usize) -> TestScreen {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    for (n, seed) in seeds().iter().enumerate() {
        let verdict = if n < devices {
            watched_first()
        } else {
            Verdict::Current
        };
        screen.run.planned(seed.id.as_str(), verdict);
    }
    screen
}

/// The plan of a run that another process goes on with: some devices were finished before, others not begun.
pub(super) fn resumed() -> TestScreen {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    for seed in seeds() {
        screen.run.planned_upgrade(seed.id.as_str(), &[]);
    }
    screen.run.intend(Intent::Confirm);
    for name in ["vault-01", "vault-02", "vault-05"] {
        screen.upgraded(name);
    }
    screen.up_to("vault-03", Stage::Verify);
    screen.run.finish("vault-03", Outcome::RolledBack);
    screen.up_to("vault-04", Stage::Upload);
    screen.run.event(Fact::RunReopened(Box::new(Reopened {
        by: "ann on desk, process 7".to_owned(),
        mode: Mode::Confirm,
        concurrency: 2,
        max_failures: None,
        gone: Vec::new(),
        earlier: BTreeMap::new(),
        refused: BTreeMap::new(),
    })));
    screen.run.intend(Intent::Begin);
    for seed in seeds() {
        let device = screen.run.fleet.device(&seed.id).unwrap();
        if device.outcome().is_none() {
            screen.run.planned_upgrade(seed.id.as_str(), &[]);
        }
    }
    screen
}

/// A run in which every stage occurs.
pub(super) fn running() -> TestScreen {
    let mut screen = TestScreen::new(Mode::Go, seeds());
    screen.upgraded("vault-01");
    screen.end(
        "rack-c1",
        Stage::Probe,
        0,
        "Encedo nGINE FW v1.2.2 · EPA rev 1.0 @x",
    );
    screen.run.planned("rack-c1", Verdict::Skip(Skip::Epa));
    screen.run.finish("rack-c1", Outcome::Skipped(Skip::Epa));
    screen.up_to("vault-04", Stage::Reboot);
    screen.run.start("vault-04", Stage::Reboot, 1);
    screen.up_to("vault-03", Stage::Check);
    screen.run.start("vault-03", Stage::Check, 1);
    screen.up_to("vault-05", Stage::Check);
    let refused = FailureKind::ImageRefused { status: 406 };
    screen
        .run
        .fail("vault-05", Stage::Check, refused, Touched::ImageStaged);
    screen.up_to("vault-02", Stage::Upload);
    screen.run.start("vault-02", Stage::Upload, 1);
    screen.end("vault-06", Stage::Probe, 0, "");
    screen.run.planned_upgrade("vault-06", &[]);
    let reset = FailureKind::Link(LinkFault::Reset);
    screen.run.start("vault-06", Stage::Upload, 1);
    screen
        .run
        .stage_failed("vault-06", Stage::Upload, 600, reset.clone());
    screen.run.tell(
        "vault-06",
        DeviceFact::RetryScheduled {
            stage: Stage::Upload,
            next_try: 2,
            of: 3,
            wait: Duration::from_secs(6),
            after: reset,
        },
    );
    screen.run.start("vault-07", Stage::Login, 1);
    screen.run.wait(2);
    let sent = MB * 7 / 5;
    screen.run.progress(
        "vault-02",
        Stage::Upload,
        Progress::Bytes {
            sent,
            total: 3 * MB,
        },
    );
    screen.run.progress(
        "vault-03",
        Stage::Check,
        Progress::Polls {
            polls: 4,
            status: 202,
        },
    );
    screen.run.progress(
        "vault-04",
        Stage::Reboot,
        Progress::Silent {
            last: "connection refused by 127.0.0.1:8446".to_owned(),
            normal: Duration::from_secs(60),
        },
    );
    screen
}

/// A run that is over, in which everything has gone wrong that can.
pub(super) fn finished() -> TestScreen {
    let mut screen = running();
    screen.run.install_begun("vault-10");
    screen.run.wait(40);
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
        ("vault-10", Outcome::Unknown(Doubt::AnswerLost)),
        ("vault-11", Outcome::Upgraded),
    ] {
        if matches!(outcome, Outcome::Upgraded) {
            screen.run.returned(name);
        }
        screen.run.finish(name, outcome);
    }
    screen
}
