//! A run from its beginning to its end, and the ways to stop it.

use super::*;

#[tokio::test(start_paused = true)]
async fn all_well() {
    let fake = Fake::new();
    let (run, events) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(
        stages(&events),
        [
            Stage::Probe,
            Stage::Login,
            Stage::Upload,
            Stage::Check,
            Stage::Install,
            Stage::Reboot,
            Stage::Verify,
            Stage::Audit
        ]
    );
    assert_eq!(fake.count("install"), 1);
    // The one before the log is read: no clock outlives a reboot.
    assert_eq!(fake.count("checkin"), 1);
    let polled = events.iter().any(|e| {
        matches!(
            &e.fact,
            Fact::Device {
                fact: DeviceFact::StageProgress {
                    progress: Progress::Polls {
                        polls: 2,
                        status: 202
                    },
                    ..
                },
                ..
            }
        )
    });
    assert!(polled);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_that_devices_failure() {
    let bad = Fake::new().with(|w| w.panic_at = Some("check"));
    let good = Fake::new();
    let mut run = run_of(&[bad.clone(), good], Mode::Go, 2);
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert!(matches!(
        failed(&run),
        (
            Stage::Check,
            FailureKind::Panicked { .. },
            Touched::ImageStaged
        )
    ));
    assert_eq!(run.fleet().devices()[1].outcome(), Some(&Outcome::Upgraded));
    // A panic after the install leaves doubt, and a retry only watches.
    let late = Fake::new().with(|w| w.panic_at = Some("install"));
    let (mut run, _) = upgrade(&late).await;
    assert!(matches!(
        outcome(&run),
        Outcome::Unknown(Doubt::Panicked(_))
    ));
    late.world().panic_at = None;
    retry(&mut run).await;
    assert_eq!(late.count("upload"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_interrupt_drains_and_the_second_names_what_is_in_doubt() {
    let fakes = [Fake::new(), Fake::new(), Fake::new()];
    fakes[1].world().upload_takes = Duration::from_secs(3600);
    let mut run = run_of(&fakes, Mode::Go, 2);
    run.intend(Intent::Begin);
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    run.intend(Intent::Interrupt);
    run_to_end(&mut run).await;
    let kinds: Vec<_> = run
        .fleet()
        .devices()
        .iter()
        .map(|r| r.outcome().unwrap().clone())
        .collect();
    assert_eq!(
        kinds,
        [
            Outcome::Upgraded,
            Outcome::Cancelled(Touched::ImageSent),
            Outcome::Cancelled(Touched::Nothing)
        ]
    );
    let fakes = [Fake::new()];
    let mut run = run_of(&fakes, Mode::Go, 2);
    run.intend(Intent::Begin);
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    run.intend(Intent::Interrupt);
    run.intend(Intent::Interrupt);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Unknown(Doubt::StoppedWatching));
}

#[tokio::test(start_paused = true)]
async fn draining_as_often_as_one_likes_never_aborts() {
    let fake = Fake::new();
    let mut run = begin(&fake).await;
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    run.intend(Intent::Interrupt);
    run.intend(Intent::Drain);
    run.intend(Intent::Drain);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn cancel_stops_before_the_install_and_not_after() {
    let fake = Fake::new();
    let mut run = begin(&fake).await;
    until_started(&mut run, Stage::Check).await;
    run.intend(Intent::Cancel(only(&run).id.clone()));
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Cancelled(Touched::ImageStaged));
    let last = only(&run).timeline.last().unwrap();
    assert_eq!(
        (last.stage, &last.failure),
        (Stage::Check, &Some(FailureKind::Stopped))
    );
    assert_eq!(fake.count("install"), 0);
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let fake = Fake::new();
    let mut run = begin(&fake).await;
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    run.intend(Intent::Cancel(only(&run).id.clone()));
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn the_plan_changes_nothing_and_only_what_it_says_is_upgraded() {
    let fakes = [
        Fake::new(),
        Fake::new().with(|w| w.fws = Some(NEW)),
        Fake::new().with(|w| w.hwv = "EPA"),
        Fake::new().with(|w| w.fls_state = 1),
    ];
    let mut run = run_of(&fakes, Mode::Confirm, 2);
    run.intend(Intent::Begin);
    while run.fleet().phase() != Phase::Planned {
        next(&mut run).await;
    }
    assert_eq!(run.fleet().planned(VerdictKind::Upgrade), 1);
    for fake in &fakes {
        assert_eq!(fake.count("login") + fake.count("upload"), 0);
    }
    // Another look while the plan is shown.
    run.intend(Intent::Retry(DeviceId::new("vault-04")));
    fakes[3].world().fls_state = 0;
    while run.fleet().phase() != Phase::Planned {
        next(&mut run).await;
    }
    assert_eq!(run.fleet().planned(VerdictKind::Upgrade), 2);
    assert!(!run.fleet().is_over());
    run.intend(Intent::Confirm);
    run_to_end(&mut run).await;
    let kinds: Vec<_> = run
        .fleet()
        .devices()
        .iter()
        .map(|r| r.outcome_kind().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            OutcomeKind::Upgraded,
            OutcomeKind::Current,
            OutcomeKind::Skipped,
            OutcomeKind::Upgraded
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_alone_ends_with_the_plan() {
    let fakes = [
        Fake::new(),
        Fake::new().with(|w| w.probes.extend(vec![reset(); 3])),
    ];
    let mut run = run_of(&fakes, Mode::Plan, 1);
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert!(matches!(
        run.fleet().devices()[1].verdict,
        Some(Verdict::Cannot(_))
    ));
    assert!(run.fleet().devices().iter().all(|r| r.outcome().is_none()));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limit_run_at_once() {
    let fakes: Vec<Fake> = (0..10).map(|_| Fake::new()).collect();
    let mut run = run_of(&fakes, Mode::Go, 3);
    run.intend(Intent::Begin);
    while !run.fleet().is_over() {
        assert!(run.fleet().counts().running <= 3);
        next(&mut run).await;
    }
    assert_eq!(run.fleet().counts().of(OutcomeKind::Upgraded), 10);
}
