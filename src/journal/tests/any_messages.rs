//! Whatever is recorded in whatever order: what is read again leads to the same state, after every message of it.

use proptest::prelude::*;

use super::super::JournalledRun;
use super::super::fixtures::{TestJournal, record};
use crate::engine::fixtures::{
    finished, firmware, install_begun, numbered, started, status, version,
};
use crate::engine::{
    DeviceFact, EarlierInstall, EarlierRefusal, Event, Fact, Fleet, Intent, Message, Mode,
    Progress, Recorder as _, Reopened, RunFacts, Seen, TaskEnd,
};
use crate::model::{
    Component, DeviceId, Doubt, FailureKind, Fws, MaxFailures, Outcome, RunId, Scope, Secret, Skip,
    Stage, Touched, Unproven, Verdict,
};

const DEVICES: usize = 3;

fn device() -> impl Strategy<Value = DeviceId> {
    // One more than there are.
    (1..=DEVICES + 1).prop_map(|n| DeviceId::new(&format!("vault-{n:02}")))
}

fn stage() -> impl Strategy<Value = Stage> {
    proptest::sample::select(&Stage::ALL[..])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    proptest::sample::select(vec![
        Outcome::Upgraded,
        Outcome::AppInstalled,
        Outcome::Current,
        Outcome::RolledBack,
        Outcome::Lost,
        Outcome::Unproven(Unproven::RebootNotSeen),
        Outcome::Unknown(Doubt::Unseen {
            last: "\u{1b}[2J \"quoted\" ż \0".to_owned(),
        }),
        Outcome::Cancelled(Touched::ImageStaged),
        Outcome::Halted(Touched::Nothing),
        Outcome::Skipped(Skip::LeftOut),
    ])
}

fn fact() -> impl Strategy<Value = DeviceFact> {
    let text = "\\PC{0,12}";
    prop_oneof![
        stage().prop_map(started),
        (stage(), any::<u64>(), any::<u64>()).prop_map(|(stage, sent, total)| {
            let progress = Progress::Bytes { sent, total };
            DeviceFact::StageProgress { stage, progress }
        }),
        (stage(), any::<u32>(), text, any::<bool>()).prop_map(|(stage, ms, note, failed)| {
            DeviceFact::StageFinished {
                stage,
                try_no: 1,
                took: std::time::Duration::from_micros(ms.into()),
                status: failed.then_some(503),
                note,
                failure: failed.then_some(FailureKind::WrongSecret),
            }
        }),
        Just(DeviceFact::PermitAsked),
        Just(DeviceFact::SecretWanted),
        Just(announced()),
        Just(install_begun()),
        outcome().prop_map(|outcome| DeviceFact::Returned {
            component: Component::Firmware,
            version: Box::new(version(Fws([7; 64]))),
            outcome: Some(outcome),
        }),
        Just(DeviceFact::LoggedIn {
            scope: Scope::Upgrade,
            derivation: None,
        }),
        (0..9_u32).prop_map(|left| DeviceFact::LoginRefused { left }),
        any::<[bool; 4]>().prop_map(planned),
        outcome().prop_map(finished),
    ]
}

/// A look that may have been answered, by the device or by another one, and may show a refusal.
fn planned([answered, other, watch, was_refused]: [bool; 4]) -> DeviceFact {
    let mut version = version(Fws([7; 64]));
    version.sd_cid = other.then(|| "other".to_owned());
    let status = status();
    DeviceFact::Planned {
        seen: answered.then(|| Box::new(Seen { version, status })),
        verdict: if watch {
            Verdict::Watch {
                notes: Vec::new(),
                goes_on: true,
            }
        } else {
            Verdict::Current
        },
        refused: was_refused.then(|| Box::new(refused())),
    }
}

fn refused() -> EarlierRefusal {
    EarlierRefusal {
        run: RunId::from_random([9; 4]),
        at: jiff::Timestamp::UNIX_EPOCH,
        image: Some("ab".repeat(32)),
        device: None,
    }
}

/// Another process goes on, and knows what other runs left.
fn reopened(mode: Mode, device: DeviceId, in_doubt: bool) -> Fact {
    let mut pending = crate::engine::fixtures::pending();
    pending.device.sd_cid = Some("this".to_owned());
    let earlier = EarlierInstall {
        run: RunId::from_random([9; 4]),
        image: None,
        pending,
    };
    let earlier = in_doubt.then(|| (device.clone(), earlier));
    Fact::RunReopened(Box::new(Reopened {
        by: "ann on desk, process 7".to_owned(),
        mode,
        concurrency: 2,
        max_failures: None,
        gone: Vec::new(),
        earlier: earlier.into_iter().collect(),
        refused: [(device, refused())].into(),
    }))
}

fn announced() -> DeviceFact {
    DeviceFact::InstallAnnounced {
        pending: Box::new(crate::engine::fixtures::pending()),
    }
}

fn intent() -> impl Strategy<Value = Intent> {
    prop_oneof![
        Just(Intent::Begin),
        Just(Intent::Confirm),
        device().prop_map(Intent::Retry),
        device().prop_map(Intent::Cancel),
        proptest::collection::vec(device(), 0..4).prop_map(Intent::RetryAll),
        proptest::collection::vec(device(), 0..4).prop_map(Intent::LeaveOut),
        Just(Intent::CancelAll),
        Just(Intent::Halt),
        (0..9_u32).prop_map(|n| Intent::GoOn(MaxFailures::Number(n))),
        Just(Intent::Drain),
        Just(Intent::Interrupt),
        device().prop_map(|device| Intent::Answer(device, Secret::new(b"hunter2".to_vec()))),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let at = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap();
    prop_oneof![
        8 => (device(), 0..3_u32, fact(), 0..2_000_000_000_i64).prop_map(
            move |(device, attempt, fact, seconds)| {
                let fact = Fact::Device { device, attempt, fact };
                Message::Event(Event { at: at(seconds), fact })
            }
        ),
        1 => any::<bool>().prop_map(move |interrupted| {
            Message::Event(Event { at: at(1), fact: Fact::RunFinished { interrupted } })
        }),
        1 => (device(), 0..3_u32, "\\PC{0,9}").prop_map(|(device, attempt, what)| {
            Message::TaskLost { device, attempt, how: TaskEnd::Panicked(what) }
        }),
        1 => (device(), proptest::sample::select(&[Mode::Confirm, Mode::Go][..]), any::<bool>()).prop_map(
            move |(device, mode, in_doubt)| {
                let fact = reopened(mode, device, in_doubt);
                Message::Event(Event { at: at(1), fact })
            }
        ),
        4 => intent().prop_map(Message::Intent),
    ]
}

/// The state, but for moments: they are counted from the start of the machine, and each reader has its own.
fn state(fleet: &Fleet) -> String {
    let text = format!("{fleet:?}");
    // Nor has the index an order of its own.
    let (before, index) = text.split_once("index: {").unwrap();
    let (_, after) = index.split_once('}').unwrap();
    let text = format!("{before}{after}");
    let mut rest = text.as_str();
    let mut without = String::new();
    while let Some((before, after)) = rest.split_once("Instant {") {
        without += before;
        rest = after.split_once('}').unwrap().1;
    }
    without + rest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is read leads to the state that the live fleet was in, after each of the messages.
    #[test]
    fn what_is_read_is_what_was_lived(
        mode in proptest::sample::select(&[Mode::Plan, Mode::Confirm, Mode::Go][..]),
        messages in proptest::collection::vec(message(), 0..40),
    ) {
        let kept = TestJournal::new();
        let run = RunId::from_random([1; 4]);
        let facts = RunFacts::new(run.clone(), firmware(1000), mode, 2, numbered(DEVICES));
        let record = record(facts);
        let writer = kept.journal.begin(&record).unwrap();
        let mut live = Fleet::of(record.facts.clone());
        let mut lived = vec![state(&live)];
        for message in &messages {
            writer.record(message);
            live.update(message);
            lived.push(state(&live));
        }
        writer.finish(&live).unwrap();
        let loaded = kept.journal.load(&run).unwrap();
        prop_assert_eq!(loaded.messages.len(), messages.len());
        for (n, lived) in lived.iter().enumerate() {
            // As after a death at any moment.
            let cut = JournalledRun {
                record: loaded.record.clone(),
                messages: loaded.messages[..n].to_vec(),
            };
            prop_assert_eq!(&state(&cut.fold()), lived);
        }
        // What the list says needs no fold, and is what a fold says.
        let listed = kept.journal.find(run.as_str()).unwrap();
        kept.journal.conn().execute("UPDATE run SET folded = NULL", []).unwrap();
        let folded = kept.journal.find(run.as_str()).unwrap();
        if live.ended().is_some() {
            prop_assert_eq!(listed, folded);
        }
    }
}
