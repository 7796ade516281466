//! What the journal costs: `cargo bench --bench journal`. The limits are less than 5 % of a core while 1,000 devices upload at
//! once, no `record` that holds the dashboard up for 50 ms, a list of 500 runs of 200 devices within 0.3 s, and a run of
//! 1,000 devices read and folded within 2 s. `main` prints the first two, which take real time.
//!
//! Nothing here fails when it is slow: machines differ, and a bench is read by a person.

#![expect(clippy::print_stdout, reason = "a bench reports to whoever runs it")]
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured here is real time"
)]

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use divan::Bencher;
use hemfleet::engine::{
    DeviceFact, DeviceSeed, Event, Fact, Fleet, Intent, Message, Mode, Progress, Recorder as _,
    RunFacts,
};
use hemfleet::hem::firmware_image;
use hemfleet::journal::{DeviceContext, Journal, RunContext, RunRecord};
use hemfleet::model::{
    Credentials, DeviceId, LinkTrust, Outcome, PayloadFacts, Policy, RunId, Stage,
};
use jiff::Timestamp;
use tempfile::TempDir;

/// As often as an upload reports its progress.
const REPORTS: u64 = 4;
const TOTAL: u64 = 3 * 1024 * 1024;

fn id(n: usize) -> DeviceId {
    let (rack, unit) = (n / 40, n % 40);
    DeviceId::new(&format!("payments-prod-hsms-waw-r{rack:02}-u{unit:02}"))
}

/// What a run over so many devices was made from.
fn record(number: u32, devices: usize) -> RunRecord {
    let image = firmware_image::read(Bytes::from(vec![7; 4096])).expect("an image");
    let payload = PayloadFacts {
        app: None,
        firmware: Some(image.facts),
    };
    let seeds = (0..devices).map(|n| DeviceSeed {
        id: id(n),
        group: Some(format!("site-{}", n % 7)),
        tags: Vec::new(),
        link: LinkTrust::Ca,
        credentials: Credentials::Login,
        earlier: None,
        refused: None,
    });
    let context = (0..devices).map(|n| {
        let id = id(n);
        let reach = serde_json::json!(format!("{id}.example:443"));
        DeviceContext {
            reach: serde_json::from_value(reach).expect("a way"),
            url: format!("https://{id}.example"),
            trust: "system".to_owned(),
            auth: "passphrase".to_owned(),
            id,
        }
    });
    let run = RunId::from_random(number.to_be_bytes());
    RunRecord {
        facts: RunFacts::new(run, payload, Mode::Go, devices, seeds),
        context: RunContext {
            user: "ada".to_owned(),
            host: "bastion".to_owned(),
            pid: 4711,
            version: "0.1.0".to_owned(),
            inventory: "/etc/hemfleet/fleet.toml".to_owned(),
            firmware: Some("/srv/images/fw.bin".to_owned()),
            app: None,
            devices: context.collect(),
            policy: Policy::default(),
        },
    }
}

fn event(n: usize, fact: DeviceFact) -> Message {
    Message::Event(Event {
        at: Timestamp::now(),
        fact: Fact::Device {
            device: id(n),
            attempt: 1,
            fact,
        },
    })
}

fn upload(n: usize, sent: u64) -> Message {
    let progress = Progress::Bytes { sent, total: TOTAL };
    let stage = Stage::Upload;
    event(n, DeviceFact::StageProgress { stage, progress })
}

/// All messages of a run over so many devices, with `reports` of each upload.
fn messages(devices: usize, reports: u64) -> Vec<Message> {
    let mut all = vec![Message::Intent(Intent::Begin)];
    for n in 0..devices {
        for stage in Stage::ALL {
            all.push(event(n, DeviceFact::StageStarted { stage, try_no: 1 }));
            if stage == Stage::Upload {
                all.extend((0..reports).map(|report| upload(n, TOTAL * report / reports)));
            }
            all.push(event(
                n,
                DeviceFact::StageFinished {
                    stage,
                    try_no: 1,
                    took: Duration::from_millis(1234),
                    status: Some(200),
                    note: "3.0 MiB at 120 KiB/s".to_owned(),
                    failure: None,
                },
            ));
        }
        let outcome = Outcome::Upgraded;
        all.push(event(n, DeviceFact::Finished { outcome }));
    }
    let fact = Fact::RunFinished { interrupted: false };
    let at = Timestamp::now();
    all.push(Message::Event(Event { at, fact }));
    all
}

/// A journal in a folder of its own.
fn journal() -> (TempDir, Journal) {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = Journal::open(&dir.path().join("journal.db")).expect("a journal");
    (dir, journal)
}

fn keep(journal: &Journal, record: &RunRecord, messages: &[Message]) {
    let writer = journal.begin(record).expect("a run");
    let mut fleet = Fleet::of(record.facts.clone());
    for message in messages {
        writer.record(message);
        let _ = fleet.update(message);
    }
    writer.finish(&fleet).expect("a whole run");
}

/// 500 runs of 200 devices.
fn history() -> &'static (TempDir, Journal) {
    thread_local! {
        static KEPT: &'static (TempDir, Journal) = {
            let (dir, journal) = journal();
            let messages = messages(200, 0);
            // The end of each stage says as much here as all of it.
            let few: Vec<_> = messages.into_iter().step_by(4).collect();
            for number in 0..500 {
                keep(&journal, &record(number, 200), &few);
            }
            Box::leak(Box::new((dir, journal)))
        };
    }
    KEPT.with(|kept| *kept)
}

/// `hemfleet history`.
#[divan::bench(sample_count = 10)]
fn list_of_500_runs_of_200_devices(bencher: Bencher) {
    let (_, journal) = history();
    bencher.bench_local(|| journal.runs().expect("runs"));
}

/// What `hemfleet run` asks before it begins.
#[divan::bench(sample_count = 10)]
fn open_installs_among_500_runs_of_200_devices(bencher: Bencher) {
    let (_, journal) = history();
    bencher.bench_local(|| journal.open_installs().expect("installs"));
}

/// `hemfleet resume`, before the first question to a device.
#[divan::bench(sample_count = 10)]
fn load_and_fold_1000_devices(bencher: Bencher) {
    let (_dir, journal) = journal();
    let record = record(1, 1000);
    keep(&journal, &record, &messages(1000, 100));
    bencher.bench_local(|| {
        let run = journal.load(&record.facts.run).expect("a run");
        run.fold()
    });
}

/// The time that this process has spent on a processor, in all its threads.
fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (seconds, nanos) = (spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs());
    Duration::new(seconds, u32::try_from(nanos).unwrap_or_default())
}

/// 1,000 devices upload at once, for some seconds; one of them announces its install in each of them.
fn record_in_real_time() {
    const DEVICES: usize = 1000;
    const SECONDS: u64 = 5;
    let (dir, journal) = journal();
    let record = record(1, DEVICES);
    let writer = journal.begin(&record).expect("a run");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let reports: Vec<Vec<Message>> = (0..REPORTS * SECONDS)
        .map(|report| (0..DEVICES).map(|n| upload(n, report)).collect())
        .collect();
    let (begun, spent) = (Instant::now(), cpu());
    let mut longest = Duration::ZERO;
    let mut on_disk = Duration::ZERO;
    for (n, batch) in reports.iter().enumerate() {
        for message in batch {
            let before = Instant::now();
            writer.record(message);
            longest = longest.max(before.elapsed());
        }
        if (n as u64).is_multiple_of(REPORTS) {
            let before = Instant::now();
            runtime.block_on(writer.on_disk()).expect("a disk");
            on_disk = on_disk.max(before.elapsed());
        }
        let next = Duration::from_millis(1000 / REPORTS * (n as u64 + 1));
        thread::sleep(next.saturating_sub(begun.elapsed()));
    }
    drop(writer);
    let (took, spent) = (begun.elapsed(), cpu().saturating_sub(spent));
    let share = spent.as_secs_f64() / took.as_secs_f64() * 100.0;
    let size = std::fs::metadata(dir.path().join("journal.db")).map_or(0, |found| found.len());
    println!(
        "recording {DEVICES} uploads at once, {REPORTS} messages a second each, for {SECONDS} s:"
    );
    println!(
        "  {share:.1} % of a core; longest record() {longest:?}; longest on_disk() {on_disk:?}; {size} bytes"
    );
}

fn main() {
    record_in_real_time();
    divan::main();
}
