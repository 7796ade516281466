//! What a device does between its install and the verdict, where it is slow, restless or half broken.

use super::*;
use crate::model::Timeouts;

/// Upgrades a device that becomes like this when `stage` begins.
async fn changed_at(
    fake: &Fake,
    policy: Policy,
    wanted: Stage,
    change: impl FnOnce(&Fake),
) -> FleetRun {
    let fakes = std::slice::from_ref(fake);
    let mut run = run_with(fakes, Mode::Go, 1, image().into(), policy);
    run.intend(Intent::Begin);
    until(
        &mut run,
        |f| matches!(f, DeviceFact::StageStarted { stage, .. } if *stage == wanted),
    )
    .await;
    change(fake);
    run_to_end(&mut run).await;
    run
}

/// However late the reboot was seen, what the device runs is asked for once more.
#[tokio::test(start_paused = true)]
async fn a_version_that_cannot_be_read_right_after_the_reboot_is_asked_for_again() {
    let short = Policy {
        timeouts: Timeouts {
            reboot: Duration::from_secs(30),
            ..Timeouts::default()
        },
        ..Policy::default()
    };
    for policy in [Policy::default(), short] {
        let fake = Fake::new();
        let run = changed_at(&fake, policy, Stage::Verify, |fake| {
            fake.world().probes.extend(vec![reset(); 4]);
        })
        .await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_never_read_after_the_reboot_proves_nothing() {
    let never = |kind: FailureKind| async {
        let fake = Fake::new();
        let run = changed_at(&fake, Policy::default(), Stage::Verify, |fake| {
            fake.world().probes.extend(vec![kind; 1000]);
        })
        .await;
        assert!(fake.count("version") < 200, "it is asked without end");
        outcome(&run).clone()
    };
    let broken = never(FailureKind::Status { status: 500 }).await;
    assert_eq!(broken, Outcome::Unproven(Unproven::NoSignature));
    assert_eq!(never(reset()).await, Outcome::Lost);
}

/// A bootloader gives an image more than one chance, and each boot is too short for the next one to be noticed
/// as an absence.
#[tokio::test(start_paused = true)]
async fn a_device_that_reboots_between_two_looks_is_not_judged_before_it_stays_up() {
    let fake = Fake::new().with(|w| w.install = Install::AcceptedAndIdle);
    let run = changed_at(&fake, Policy::default(), Stage::Reboot, |fake| {
        let up = tokio::time::Instant::now() + Duration::from_secs(20);
        let after = |seconds| up + Duration::from_secs(seconds);
        let mut world = fake.world();
        // It answers three seconds after it has booted, so that the uptime of the next boot is a smaller one.
        world.away.push((up, after(3)));
        world
            .boots
            .extend([(up, NEW), (after(7), NEW), (after(14), OLD)]);
    })
    .await;
    assert_eq!(outcome(&run), &Outcome::RolledBack);
}

/// A retry has as long as a first attempt to see the device come back.
#[tokio::test(start_paused = true)]
async fn a_lost_device_that_is_power_cycled_during_the_retry_is_waited_for() {
    let fake = Fake::new().with(|w| w.install = Install::Dies);
    let (mut run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Lost);
    {
        let now = tokio::time::Instant::now();
        let up = now + Duration::from_secs(100);
        let mut world = fake.world();
        world.away = vec![(now, up)];
        world.boots.push_back((up, NEW));
    }
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fake.count("install"), 1);
}

/// Somebody else's install is waited for, and whoever waits is told to stop.
#[tokio::test(start_paused = true)]
async fn waiting_for_somebody_elses_install_can_be_stopped() {
    let fake = Fake::new().with(|w| {
        let status = FailureKind::Status { status: 409 };
        w.uploads.push_back((0, status));
    });
    let mut run = begin(&fake).await;
    until(&mut run, |f| {
        matches!(f, DeviceFact::StageProgress { progress: Progress::Step { what }, .. } if what.starts_with("409"))
    })
    .await;
    run.intend(Intent::Cancel(only(&run).id.clone()));
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Cancelled(Touched::Nothing));
    let last = only(&run).timeline.last().unwrap();
    assert_eq!(last.failure, Some(FailureKind::Stopped));
}
