//! The terminal after a panic. The program has no command that panics, so this test binary runs itself in a terminal,
//! with a session whose devices are a few lines.

use hemfleet::engine::{
    Command, DeviceFact, DeviceSeed, Event, Fact, Fleet, FleetRun, Launcher, Message, Mode,
};
use hemfleet::model::{
    Credentials, DeviceId, LinkTrust, Notify, OnHangUp, Outcome, PayloadFacts, RunId, Stage,
    Touched,
};
use hemfleet::tui::{self, Announcements, DashboardExit, Options, Theme};
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::tty::Tty;

/// Tells the child which panic is wanted.
const CHILD: &str = "HEMFLEET_TEST_PANIC";

/// This very binary, with nothing but [`child`] to run.
fn panicking(kind: &str) -> Tty {
    let program = std::env::current_exe().unwrap();
    let args = ["--exact", "screen::panics::child", "--nocapture"];
    let dir = tempfile::tempdir().unwrap();
    Tty::run(program.as_os_str(), &args, &[(CHILD, kind)], dir, (80, 24))
}

#[test]
fn a_panic_in_a_devices_task_does_not_tear_the_screen() {
    let mut tty = panicking("task");
    tty.wait_for_line(&["vault-01", "probe", "reading version and status"]);
    tty.wait("a whole screen", |s| {
        s.alternate_screen() && !s.contents().contains("panicked")
    });
    tty.press("qy");
    assert_eq!(tty.end(), 0);
}

#[test]
fn a_panic_of_the_dashboard_gives_the_terminal_back_before_it_is_told() {
    let tty = panicking("dashboard");
    assert_eq!(tty.end(), 101);
    tty.wait_for("the dashboard itself");
}

/// A device whose task panics at once, and goes on as if nothing had happened.
struct Careless(mpsc::Sender<Message>);

impl Launcher for Careless {
    fn launch(&mut self, command: Command) {
        let (device, fact) = match command {
            Command::Start { device, .. } => {
                let stage = Stage::Probe;
                (device, DeviceFact::StageStarted { stage, try_no: 1 })
            }
            Command::Cancel { device } => {
                let outcome = Outcome::Cancelled(Touched::Nothing);
                (device, DeviceFact::Finished { outcome })
            }
            _ => return,
        };
        let inbox = self.0.clone();
        tokio::spawn(async move {
            let task = tokio::spawn(async { panic!("in a task") });
            assert!(task.await.is_err());
            let event = Event::of_device(&device, 1, fact);
            inbox.send(Message::Event(event)).await.unwrap();
        });
    }
}

/// Not a test of its own: what [`panicking`] runs. Does nothing where nobody asks for a panic.
#[test]
fn child() {
    let Some(kind) = std::env::var_os(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let exit = runtime.block_on(async {
        let seed = DeviceSeed {
            credentials: Credentials::None,
            id: DeviceId::new("vault-01"),
            group: None,
            tags: Vec::new(),
            link: LinkTrust::Ca,
            earlier: None,
            refused: None,
        };
        let run = RunId::from_random([0; 4]);
        let fleet = Fleet::new(run, PayloadFacts::default(), Mode::Go, 1, [seed]);
        let mut session = FleetRun::new(fleet, Careless);
        let (_tx, mut interrupts) = mpsc::channel(1);
        let announcements = Announcements {
            notify: Notify::Off,
            osc: true,
        };
        let options = Options {
            announcements,
            mouse: false,
            theme: Theme::from_env(false, |_| None),
            zone: TimeZone::UTC,
            on_hang_up: OnHangUp::Drain,
            journal: Some(""),
            may_start: &mut || Box::pin(async { Ok(()) }),
            on_event: &mut |_, event| {
                let begun = matches!(&event.fact, Fact::Device { .. });
                assert!(kind != "dashboard" || !begun, "the dashboard itself");
            },
        };
        tui::run(&mut session, &mut interrupts, options).await
    });
    assert_eq!(exit.unwrap(), DashboardExit::Interrupted);
}
