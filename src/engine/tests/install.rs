//! The one install: what its answer, the reboot and the firmware that runs then make of the device. Slow and restless
//! devices are in `after_install`.

use super::*;

#[tokio::test(start_paused = true)]
async fn refused_and_unsent_installs_end_the_attempt_and_a_retry_starts_from_the_upload() {
    for install in [
        Install::Refused(403),
        Install::Refused(406),
        Install::Refused(409),
        Install::NotSent,
    ] {
        let fake = Fake::new().with(|w| w.install = install);
        let (mut run, _) = upgrade(&fake).await;
        let (stage, _, touched) = failed(&run);
        assert_eq!(
            (stage, touched),
            (Stage::Install, Touched::ImageStaged),
            "{install:?}"
        );
        assert_eq!(fake.count("install"), 1);
        fake.world().install = Install::Runs(NEW);
        retry(&mut run).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        assert_eq!((fake.count("upload"), fake.count("install")), (2, 2));
    }
}

/// Only 401, 403, 406 and 409 are a device's own refusals; a proxy or a tunnel says many other things.
#[tokio::test(start_paused = true)]
async fn an_answer_that_no_device_gives_is_no_refusal_and_the_device_is_watched() {
    for status in [
        400, 402, 404, 408, 411, 412, 413, 418, 425, 429, 451, 499, 500, 502, 795,
    ] {
        let fake = Fake::new().with(|w| w.install = Install::Misreported(status, true));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded, "{status}");
        let idle = Fake::new().with(|w| w.install = Install::Misreported(status, false));
        let (mut run, _) = upgrade(&idle).await;
        let odd = Outcome::Unknown(Doubt::OddAnswer { status });
        assert_eq!(outcome(&run), &odd);
        retry(&mut run).await;
        assert_eq!(outcome(&run).kind(), OutcomeKind::Unknown);
        assert_eq!((fake.count("install"), idle.count("install")), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_watched_and_never_asked_again() {
    let happened = Fake::new().with(|w| w.install = Install::LostButRuns(NEW));
    let (run, _) = upgrade(&happened).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let idle = Fake::new().with(|w| w.install = Install::LostAndIdle);
    let (mut run, _) = upgrade(&idle).await;
    assert_eq!(outcome(&run), &Outcome::Unknown(Doubt::AnswerLost));
    // A retry, as often as it is asked for, looks and never installs.
    for _ in 0..3 {
        retry(&mut run).await;
        assert_eq!(outcome(&run).kind(), OutcomeKind::Unknown);
    }
    assert_eq!((idle.count("install"), idle.count("upload")), (1, 1));
    assert_eq!(happened.count("install"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_device_is_looked_at_however_late_the_answer_was_given_up() {
    let fake = Fake::new().with(|w| {
        w.install = Install::LostButRuns(NEW);
        w.answer_takes = Duration::from_secs(600);
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn accepted_but_no_reboot_is_unknown() {
    let fake = Fake::new().with(|w| w.install = Install::AcceptedAndIdle);
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Unknown(Doubt::NoReboot));
}

#[tokio::test(start_paused = true)]
async fn green_needs_a_reboot_that_was_seen() {
    // The signature changes, yet the device never rebooted: not proven.
    let fake = Fake::new().with(|w| w.install = Install::AcceptedAndIdle);
    let mut run = begin(&fake).await;
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    fake.world().fws = Some(NEW);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Unproven(Unproven::RebootNotSeen));
    // A stale `fw_upgrade` from an earlier upgrade is no evidence either.
    let stale = Fake::new().with(|w| {
        w.install = Install::AcceptedAndIdle;
        w.fw_upgrade = true;
    });
    let (run, _) = upgrade(&stale).await;
    assert_eq!(outcome(&run), &Outcome::Unknown(Doubt::NoReboot));
}

#[tokio::test(start_paused = true)]
async fn rolled_back_other_and_none() {
    let back = Fake::new().with(|w| w.install = Install::Runs(OLD));
    let (mut run, _) = upgrade(&back).await;
    assert_eq!(outcome(&run), &Outcome::RolledBack);
    // It is known how the install ended, so a person may try the whole upgrade again.
    back.world().install = Install::Runs(NEW);
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let other = Fake::new().with(|w| w.install = Install::Runs(OTHER));
    let (run, _) = upgrade(&other).await;
    assert!(matches!(
        outcome(&run),
        Outcome::Unproven(Unproven::OtherSignature { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_up_and_vanishes_is_judged_by_where_it_stays() {
    for (first, then, wanted) in [
        (NEW, OLD, OutcomeKind::RolledBack),
        (OLD, NEW, OutcomeKind::Upgraded),
    ] {
        let fake = Fake::new().with(|w| w.install = Install::Flaps(first, then));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(outcome(&run).kind(), wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_device_that_was_power_cycled_is_watched_not_installed() {
    let fake = Fake::new().with(|w| w.install = Install::Dies);
    let (mut run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Lost);
    {
        let mut world = fake.world();
        world.away.clear();
        world.booted = tokio::time::Instant::now();
        world.fws = Some(NEW);
    }
    let events = retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(
        stages(&events),
        [Stage::Probe, Stage::Reboot, Stage::Verify, Stage::Audit]
    );
    assert_eq!(fake.count("install"), 1);
}

/// What this machine lacks, or what stands between, says nothing of a device: nobody is to power-cycle it.
#[tokio::test(start_paused = true)]
async fn a_device_that_could_not_be_looked_at_from_here_is_not_lost() {
    let what = || "os".to_owned();
    for fault in [
        LocalFault::NoDescriptor { what: what() }.into(),
        LocalFault::NoMemory { what: what() }.into(),
        LocalFault::NoPort { what: what() }.into(),
        LocalFault::NoNetwork { what: what() }.into(),
        LocalFault::Forbidden { what: what() }.into(),
        LinkFault::NoAddress { host: what() },
        LinkFault::NoProxy {
            proxy: what(),
            reason: what(),
        },
    ] {
        let fake = Fake::new().with(|w| {
            w.install = Install::Dies;
            w.away_by = Some(fault.clone());
        });
        let (mut run, _) = upgrade(&fake).await;
        let last = fault.to_string();
        let unknown = Outcome::Unknown(Doubt::NotLookedAt { last: last.clone() });
        assert_eq!(outcome(&run), &unknown);
        assert!(outcome(&run).reason().contains(&last));
        assert!(!outcome(&run).hint().unwrap().contains("power-cycle it"));
        {
            let mut world = fake.world();
            world.away.clear();
            world.booted = tokio::time::Instant::now();
            world.fws = Some(NEW);
        }
        retry(&mut run).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        assert_eq!(fake.count("install"), 1);
        // While the limit lasts it is tried on.
        let passing = Fake::new().with(|w| w.away_by = Some(fault));
        let (run, _) = upgrade(&passing).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_back_and_cannot_be_looked_at_is_not_lost() {
    let fake = Fake::new().with(|w| w.install = Install::OtherKey(NEW));
    let (mut run, _) = upgrade(&fake).await;
    assert!(matches!(
        outcome(&run),
        Outcome::Unknown(Doubt::Unseen { .. })
    ));
    assert!(outcome(&run).reason().contains("pinned"));
    let last = only(&run).timeline.last().unwrap();
    assert!(matches!(
        last.failure,
        Some(FailureKind::Link(LinkFault::Tls(_)))
    ));
    fake.world().other_key = None;
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fake.count("install"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_back_with_a_fault_is_not_green() {
    let fake = Fake::new();
    let mut run = begin(&fake).await;
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    fake.world().fls_state = 8;
    run_to_end(&mut run).await;
    assert!(matches!(
        failed(&run),
        (
            Stage::Verify,
            FailureKind::FaultAfterwards(_),
            Touched::InstallSent
        )
    ));
    // Nor is it after a retry that finds the image running, and the fault.
    retry(&mut run).await;
    assert!(matches!(
        failed(&run),
        (Stage::Probe, FailureKind::FaultLatched(_), _)
    ));
    assert_eq!(run.fleet().harm(), 1);
    assert_eq!(fake.count("install"), 1);
    fake.world().fls_state = 0;
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Current);
    assert_eq!(run.fleet().harm(), 0);
}
