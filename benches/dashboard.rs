//! What the dashboard costs with 2,000 devices, of which 200 are under way: `cargo bench`. The limits are a frame under
//! 1 ms of CPU, a key answered within 50 ms, and under 10 KB a second to a terminal of 120×40; `main` prints the bytes.
//!
//! Nothing here fails when it is slow: machines differ, and a bench is read by a person.

#![expect(clippy::print_stdout, reason = "a bench reports to whoever runs it")]

use std::time::Duration;

use bytes::Bytes;
use divan::{Bencher, black_box};
use hemfleet::engine::{
    DeviceFact, DeviceSeed, Event, Fact, Fleet, Intent, Message, Mode, Progress,
};
use hemfleet::hem::firmware_image;
use hemfleet::model::{
    Credentials, DeviceId, Failure, FailureKind, LinkTrust, Outcome, PayloadFacts, RunId, Stage,
    Touched,
};
use hemfleet::tui::Offscreen;
use jiff::Timestamp;

const DEVICES: usize = 2000;
const ACTIVE: usize = 200;
/// As often as an upload reports its progress.
const REPORTS: u64 = 4;
const TOTAL: u64 = 3 * 1024 * 1024;

/// A fleet in the middle of its run, and the screen that shows it.
struct Run {
    fleet: Fleet,
    screen: Offscreen,
    now: Timestamp,
    sent: u64,
}

fn id(n: usize) -> DeviceId {
    let (rack, unit) = (n / 40, n % 40);
    DeviceId::new(&format!("payments-prod-hsms-waw-r{rack:02}-u{unit:02}"))
}

impl Run {
    /// A tenth has ended, of which some failed; the next tenth uploads; the rest waits.
    fn new(width: u16, height: u16) -> Self {
        let seeds = (0..DEVICES).map(|n| DeviceSeed {
            id: id(n),
            group: Some(format!("site-{}", n % 7)),
            tags: Vec::new(),
            link: LinkTrust::Ca,
            credentials: Credentials::Login,
            earlier: None,
            refused: None,
        });
        let image = firmware_image::read(Bytes::from(vec![7; 4096])).expect("an image");
        let payload = PayloadFacts {
            app: None,
            firmware: Some(image.facts),
        };
        let run = RunId::from_random([1, 2, 3, 4]);
        let mut run = Self {
            fleet: Fleet::new(run.clone(), payload.clone(), Mode::Go, ACTIVE, seeds),
            screen: Offscreen::new(width, height).expect("a screen in memory"),
            now: "2026-11-28T12:00:00Z".parse().expect("a time"),
            sent: 0,
        };
        run.fact(Fact::RunStarted {
            run: run.fleet.run().clone(),
            payload: Box::new(payload),
            devices: DEVICES,
        });
        run.fleet.update(&Message::Intent(Intent::Begin));
        for n in 0..ACTIVE {
            run.tell(
                n,
                DeviceFact::StageStarted {
                    stage: Stage::Probe,
                    try_no: 1,
                },
            );
            let outcome = match n % 5 {
                0 => Outcome::Failed(Failure {
                    stage: Stage::Check,
                    kind: FailureKind::ImageRefused { status: 406 },
                    touched: Touched::ImageStaged,
                }),
                _ => Outcome::Upgraded,
            };
            run.tell(n, DeviceFact::Finished { outcome });
        }
        for n in ACTIVE..2 * ACTIVE {
            run.tell(
                n,
                DeviceFact::StageStarted {
                    stage: Stage::Upload,
                    try_no: 1,
                },
            );
        }
        // A screen full of uploads: that changes the most.
        for _ in 0..ACTIVE + 60 {
            run.screen.key('j', &run.fleet);
        }
        run.report();
        run.draw();
        run
    }

    fn fact(&mut self, fact: Fact) {
        let event = Event { at: self.now, fact };
        self.fleet.update(&Message::Event(event.clone()));
        self.screen.event(&event);
    }

    fn tell(&mut self, n: usize, fact: DeviceFact) {
        self.fact(Fact::Device {
            device: id(n),
            attempt: 1,
            fact,
        });
    }

    /// Every device under way reports its progress.
    fn report(&mut self) {
        self.sent = (self.sent + 40_000) % TOTAL;
        for n in ACTIVE..2 * ACTIVE {
            let progress = Progress::Bytes {
                sent: (self.sent + 1000 * n as u64) % TOTAL,
                total: TOTAL,
            };
            self.tell(
                n,
                DeviceFact::StageProgress {
                    stage: Stage::Upload,
                    progress,
                },
            );
        }
        self.now += Duration::from_millis(1000 / REPORTS);
    }

    fn draw(&mut self) -> usize {
        self.screen
            .draw(&self.fleet, self.now)
            .expect("a screen in memory")
    }
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];

#[divan::bench(args = SIZES)]
fn frame_after_progress_of_200_devices(bencher: Bencher, (width, height): (u16, u16)) {
    let run = std::cell::RefCell::new(Run::new(width, height));
    bencher
        .with_inputs(|| run.borrow_mut().report())
        .bench_local_values(|()| black_box(run.borrow_mut().draw()));
}

#[divan::bench(args = SIZES)]
fn key_and_frame(bencher: Bencher, (width, height): (u16, u16)) {
    let mut run = Run::new(width, height);
    bencher.bench_local(|| {
        run.screen.key('j', &run.fleet);
        black_box(run.draw())
    });
}

#[divan::bench]
fn filter_key_and_frame(bencher: Bencher) {
    let mut run = Run::new(120, 40);
    run.screen.key('/', &run.fleet);
    let mut letters = "payments-prod".chars().cycle();
    bencher.bench_local(|| {
        let letter = letters.next().unwrap_or('p');
        run.screen.key(letter, &run.fleet);
        black_box(run.draw())
    });
}

#[divan::bench]
fn reducer_takes_in_progress_of_200_devices(bencher: Bencher) {
    let mut run = Run::new(120, 40);
    bencher.bench_local(|| run.report());
}

fn main() {
    for (width, height) in SIZES {
        let mut run = Run::new(width, height);
        let before = run.draw();
        for _ in 0..REPORTS * 10 {
            run.report();
            run.draw();
        }
        let each = (run.draw() - before) / 10;
        println!(
            "{width}x{height}: {each} bytes a second to the terminal, {REPORTS} reports a second of each upload"
        );
    }
    divan::main();
}
