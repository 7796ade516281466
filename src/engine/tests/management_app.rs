//! The management app, by itself and before the firmware.

use bytes::Bytes;

use super::fake_device::NEW_APP;
use super::*;
use crate::model::{
    AppFacts, AppImage, AppTrailer, AppVersion, AuditMode, AuditObstacle, AuditPolicy,
    AuditVerdict, Component, Fwk,
};

pub(super) fn app() -> AppImage {
    AppImage {
        bytes: Bytes::from_static(&[5; 500]),
        facts: AppFacts {
            file_bytes: 500,
            sha256: [1; 32],
            trailer: Some(AppTrailer {
                key: Fwk([4; 32]),
                verifies: true,
            }),
            version: Some(NEW_APP),
        },
    }
}

pub(super) fn both() -> Payload {
    Payload {
        app: Some(app()),
        firmware: Some(image()),
    }
}

fn app_only() -> Payload {
    Payload {
        app: Some(app()),
        firmware: None,
    }
}

fn required() -> Policy {
    Policy {
        audit: AuditPolicy {
            mode: AuditMode::Required,
            files: 3,
        },
        ..Policy::default()
    }
}

async fn roll(fake: &Fake, payload: Payload, policy: Policy) -> (FleetRun, Vec<Event>) {
    let fakes = std::slice::from_ref(fake);
    let mut run = run_with(fakes, Mode::Go, 1, payload, policy);
    run.intend(Intent::Begin);
    let events = run_to_end(&mut run).await;
    (run, events)
}

/// Somebody reboots the device.
fn reboot(fake: &Fake) {
    let mut world = fake.world();
    world.booted = tokio::time::Instant::now();
    world.clock_set = false;
    world.log.boot();
}

const APP_STAGES: [Stage; 4] = [
    Stage::UploadUi,
    Stage::CheckUi,
    Stage::InstallUi,
    Stage::VerifyUi,
];

fn installs(fake: &Fake) -> (usize, usize) {
    (fake.count("install app"), fake.count("install"))
}

#[tokio::test(start_paused = true)]
async fn the_app_goes_first_and_the_firmware_last() {
    let fake = Fake::new();
    let (run, events) = roll(&fake, both(), required()).await;
    // Its log entry is passed over: the one that confirms is the firmware's.
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let stages = stages(&events);
    assert_eq!(stages[2..6], APP_STAGES);
    assert_eq!(stages[6], Stage::Upload);
    assert_eq!(stages.last(), Some(&Stage::Audit));
    assert_eq!(installs(&fake), (1, 1));
    assert_eq!(fake.count("login"), 1);
    let fake = Fake::new().with(|w| {
        w.log.upgrade = super::fake_audit_log::LogEntry::LeftOut;
    });
    let (run, _) = roll(&fake, both(), Policy::default()).await;
    let report = only(&run).audit.as_ref().unwrap();
    assert!(matches!(report.verdict, AuditVerdict::Missing { .. }));
}

#[tokio::test(start_paused = true)]
async fn the_app_alone_reboots_nothing_and_its_entry_is_not_asked_for() {
    let fake = Fake::new();
    let (run, events) = roll(&fake, app_only(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::AppInstalled);
    assert_eq!(outcome(&run).kind(), OutcomeKind::Upgraded);
    assert_eq!(stages(&events)[2..6], APP_STAGES);
    let report = only(&run).audit.as_ref().unwrap();
    assert_eq!(
        report.verdict,
        AuditVerdict::Unavailable(AuditObstacle::Busy)
    );
    assert_eq!(fake.count("login for the log"), 0);
    let current = Fake::new().with(|w| w.fws = Some(NEW));
    let (run, _) = roll(&current, both(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::AppInstalled);
    assert!(notes(&run).contains("only the app"));
    assert_eq!(installs(&current), (1, 0));
    let epa = Fake::new().with(|w| w.hwv = "EPA");
    let (run, _) = roll(&epa, app_only(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::Skipped(Skip::Epa));
    // Required: it cannot be, before somebody reboots the device.
    let fake = Fake::new();
    let (mut run, _) = roll(&fake, app_only(), required()).await;
    assert!(notes(&run).contains("after the next reboot"));
    assert!(matches!(
        failed(&run),
        (Stage::Audit, FailureKind::NotConfirmed { .. }, _)
    ));
    // Nor does a retry before that find it missing.
    retry(&mut run).await;
    assert_eq!(failed(&run).0, Stage::Audit);
    let report = only(&run).audit.as_ref().unwrap();
    let busy = AuditVerdict::Unavailable(AuditObstacle::Busy);
    assert_eq!(report.verdict, busy);
    reboot(&fake);
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::AppInstalled);
    assert_eq!(installs(&fake), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_check_of_the_app_is_left_alone_at_first() {
    let fake = Fake::new();
    let mut run = run_with(
        std::slice::from_ref(&fake),
        Mode::Go,
        1,
        app_only(),
        Policy::default(),
    );
    run.intend(Intent::Begin);
    let started = |f: &DeviceFact| {
        matches!(
            f,
            DeviceFact::StageProgress {
                stage: Stage::CheckUi,
                progress: Progress::Polls { polls: 1, .. }
            }
        )
    };
    until(&mut run, started).await;
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert_eq!(fake.count("check app"), 1);
    run_to_end(&mut run).await;
    assert_eq!(fake.count("check app"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_serves_what_it_served_goes_no_further() {
    let same = Fake::new().with(|w| w.install_app = Install::AcceptedAndIdle);
    let (run, _) = roll(&same, both(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::Unproven(Unproven::AppUnchanged));
    assert_eq!(installs(&same), (1, 0));
    let mute = Fake::new().with(|w| {
        w.uis = None;
        w.install_app = Install::AcceptedAndIdle;
    });
    let (run, _) = roll(&mute, both(), Policy::default()).await;
    assert!(notes(&run).contains("reports no uis"));
    assert_eq!(outcome(&run), &Outcome::Unproven(Unproven::NoAppHash));
    assert_eq!(installs(&mute), (1, 0));
    // What it says afterwards is enough where it is the manifest's hash.
    let speaks = Fake::new().with(|w| w.uis = None);
    let (run, _) = roll(&speaks, both(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    for install in [
        Install::Refused(406),
        Install::Refused(409),
        Install::NotSent,
    ] {
        let fake = Fake::new().with(|w| w.install_app = install);
        let (run, _) = roll(&fake, both(), Policy::default()).await;
        let (stage, _, touched) = failed(&run);
        assert_eq!((stage, touched), (Stage::InstallUi, Touched::ImageStaged));
        assert_eq!(installs(&fake), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_apps_install_is_looked_at_and_never_asked_again() {
    let happened = Fake::new().with(|w| w.install_app = Install::LostButRuns(NEW));
    let (run, _) = roll(&happened, both(), required()).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(installs(&happened), (1, 1));
    let idle = Fake::new().with(|w| w.install_app = Install::LostAndIdle);
    let (mut run, _) = roll(&idle, both(), Policy::default()).await;
    for _ in 0..3 {
        assert_eq!(outcome(&run), &Outcome::Unknown(Doubt::AppUnseen));
        let events = retry(&mut run).await;
        assert_eq!(stages(&events), [Stage::VerifyUi]);
    }
    assert_eq!(installs(&idle), (1, 0));
    // It is there after all: the firmware follows, and the app is not sent again.
    idle.world().uis = Some(NEW_APP.to_string());
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(installs(&idle), (1, 1));
    assert_eq!(idle.count("upload app"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_silent_after_the_app_is_lost_and_only_looked_at() {
    let fake = Fake::new().with(|w| w.install_app = Install::Dies);
    let (mut run, _) = roll(&fake, app_only(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::Lost);
    {
        let mut world = fake.world();
        world.away.clear();
        world.uis = Some(NEW_APP.to_string());
    }
    let events = retry(&mut run).await;
    assert_eq!(stages(&events), [Stage::VerifyUi, Stage::Audit]);
    assert_eq!(outcome(&run), &Outcome::AppInstalled);
    assert_eq!(installs(&fake), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_entry_of_an_app_that_was_in_doubt_is_passed_over_once() {
    let fake = Fake::new().with(|w| w.install_app = Install::Dies);
    let (mut run, _) = roll(&fake, both(), required()).await;
    assert_eq!(outcome(&run), &Outcome::Lost);
    {
        let mut world = fake.world();
        world.away.clear();
        world.uis = Some(NEW_APP.to_string());
    }
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(installs(&fake), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_the_app_does_not_send_the_app_again() {
    let fake = Fake::new().with(|w| w.install = Install::Refused(409));
    let (mut run, _) = roll(&fake, both(), Policy::default()).await;
    // The app was installed: that is what the device has been touched with.
    assert_eq!(failed(&run).2, Touched::InstallSent);
    fake.world().install = Install::Runs(NEW);
    let events = retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert!(!stages(&events).contains(&Stage::UploadUi));
    assert_eq!(installs(&fake), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_the_app_says_that_it_was_installed() {
    for wishes in 1..=2 {
        let fake = Fake::new();
        let fakes = std::slice::from_ref(&fake);
        let mut run = run_with(fakes, Mode::Go, 1, both(), Policy::default());
        run.intend(Intent::Begin);
        until_started(&mut run, Stage::Upload).await;
        assert!(only(&run).pending.is_none());
        for _ in 0..wishes {
            run.intend(Intent::Interrupt);
        }
        run_to_end(&mut run).await;
        assert_eq!(outcome(&run), &Outcome::Cancelled(Touched::InstallSent));
        let hint = outcome(&run).hint().unwrap();
        assert!(hint.contains("app was installed"), "{hint}");
        assert_eq!(installs(&fake), (1, 0));
    }
    // Between its install and what it serves then: in doubt, and watched.
    let fake = Fake::new();
    let fakes = std::slice::from_ref(&fake);
    let mut run = run_with(fakes, Mode::Go, 1, both(), Policy::default());
    run.intend(Intent::Begin);
    until(
        &mut run,
        |f| matches!(f, DeviceFact::InstallBegun { pending } if pending.component == Component::Ui),
    )
    .await;
    run.intend(Intent::Interrupt);
    run.intend(Intent::Interrupt);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Unknown(Doubt::StoppedWatching));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_read_again_turns_an_app_into_no_firmware() {
    // The firmware was there before: only the app is this run's doing.
    let fake = Fake::new().with(|w| w.fws = Some(NEW));
    let (mut run, _) = roll(&fake, both(), required()).await;
    assert_eq!(failed(&run).0, Stage::Audit);
    reboot(&fake);
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::AppInstalled);
    assert_eq!(installs(&fake), (1, 0));
}

/// One app after another, as devices are found with them.
#[tokio::test(start_paused = true)]
async fn only_the_hash_of_the_manifest_proves_the_app() {
    // It is there already: nothing is sent.
    let there = Fake::new().with(|w| w.uis = Some(NEW_APP.to_string()));
    let (run, _) = roll(&there, app_only(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::Current);
    assert_eq!(there.count("upload app"), 0);
    let there = Fake::new().with(|w| w.uis = Some(NEW_APP.to_string()));
    let (run, _) = roll(&there, both(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert!(notes(&run).contains("only the firmware"), "{}", notes(&run));
    assert_eq!(installs(&there), (0, 1));

    // Another one is there afterwards: changed, not proven, and the firmware does not follow.
    let mut other = both();
    other.app.as_mut().unwrap().facts.version = Some(AppVersion([7; 32]));
    let fake = Fake::new();
    let (run, _) = roll(&fake, other.clone(), Policy::default()).await;
    let now = NEW_APP.to_string();
    assert_eq!(
        outcome(&run),
        &Outcome::Unproven(Unproven::AppChanged { now })
    );
    assert_eq!(outcome(&run).code(), "app_changed");
    assert_eq!(installs(&fake), (1, 0));

    // The signer's key, before and after.
    let key = || Some(Fwk([4; 32]).to_string());
    let signer = Fake::new().with(|w| {
        w.uis = key();
        w.install_app = Install::AcceptedAndIdle;
    });
    let (run, _) = roll(&signer, both(), Policy::default()).await;
    assert!(notes(&run).contains("the signer's key"), "{}", notes(&run));
    assert_eq!(outcome(&run), &Outcome::Unproven(Unproven::AppUntold));
    assert!(outcome(&run).reason().contains("signer's key"));
    assert_eq!(installs(&signer), (1, 0));
    // Whether the install happened at all is not known either where its answer was lost.
    let lost = Fake::new().with(|w| {
        w.uis = key();
        w.install_app = Install::LostAndIdle;
    });
    let (run, _) = roll(&lost, both(), Policy::default()).await;
    assert_eq!(outcome(&run), &Outcome::Unknown(Doubt::AppUnseen));

    // Nothing is known of a file without a manifest.
    let mut blind = app_only();
    blind.app.as_mut().unwrap().facts.version = None;
    let (run, _) = roll(&Fake::new(), blind, Policy::default()).await;
    assert!(
        notes(&run).contains("not known beforehand"),
        "{}",
        notes(&run)
    );
    assert_eq!(outcome(&run).kind(), OutcomeKind::Unproven);
}
