//! Whatever is recorded in whatever order: what is read again leads to the same state, after every message of it.

use proptest::prelude::*;

use super::super::JournalledRun;
use super::super::fixtures::{TestJournal, record};
use crate::engine::fixtures::{finished, firmware, install_begun, numbered, started, version};
use crate::engine::{
    DeviceFact, Event, Fact, Fleet, Intent, Message, Mode, Progress, Recorder as _, RunFacts,
    TaskEnd,
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
        Just(DeviceFact::Planned {
            seen: None,
            verdict: Verdict::Current,
            refused: None,
        }),
        outcome().prop_map(finished),
    ]
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
