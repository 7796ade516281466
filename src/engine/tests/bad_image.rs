//! A bad image halts the run: what a fleet's devices go through when their installs go wrong.

use super::*;

/// Devices whose bootloader refuses the image.
fn rolls_back() -> Fake {
    Fake::new().with(|w| w.install = Install::Runs(OLD))
}

/// One whose image arrives long after the others' installs.
fn late(upload: u64) -> Fake {
    Fake::new().with(|w| w.upload_takes = Duration::from_secs(upload))
}

fn installs(fakes: &[Fake]) -> usize {
    fakes.iter().map(|fake| fake.count("install")).sum()
}

fn fleet_of(fakes: &[Fake], concurrency: usize) -> FleetRun {
    let mut run = run_of(fakes, Mode::Go, concurrency);
    run.intend(Intent::Begin);
    run
}

/// Until somebody is to say whether the run goes on.
async fn until_halted(run: &mut FleetRun) -> Vec<Event> {
    let mut events = Vec::new();
    while !run.fleet().waits_for_budget() {
        events.extend(run.next().await);
    }
    events
}

fn kind(run: &FleetRun, n: usize) -> OutcomeKind {
    run.fleet().devices()[n].outcome_kind().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_bad_image_is_installed_on_three_devices_and_not_on_eight() {
    let fakes: Vec<Fake> = (0..8).map(|_| rolls_back()).collect();
    let mut run = fleet_of(&fakes, 1);
    let events = run_to_end(&mut run).await;
    assert_eq!(installs(&fakes), 3);
    assert!(fakes[3..].iter().all(|fake| fake.world().asked.is_empty()));
    let halts: Vec<_> = events
        .iter()
        .filter_map(|e| match &e.fact {
            Fact::RunHalted(halt) => Some((halt.harm, halt.allowed, halt.devices.len())),
            _ => None,
        })
        .collect();
    assert_eq!(halts, [(3, 3, 3)]);
    let device = &run.fleet().devices()[3];
    assert_eq!(device.outcome(), Some(&Outcome::Halted(Touched::Nothing)));
}

#[tokio::test(start_paused = true)]
async fn devices_under_way_stop_before_their_install_and_those_past_it_are_watched() {
    let lost = Fake::new().with(|w| w.install = Install::Dies);
    let fakes = [rolls_back(), lost, late(400), late(170), late(100_000)];
    // The one that is lost is known to be after three minutes; the fourth installs shortly before that.
    let mut run = fleet_of(&fakes, 4);
    let events = run_to_end(&mut run).await;
    assert!(!stages(&events).is_empty());
    assert_eq!(kind(&run, 0), OutcomeKind::RolledBack);
    assert_eq!(kind(&run, 1), OutcomeKind::Lost);
    let outcome = |n: usize| run.fleet().devices()[n].outcome().unwrap();
    assert_eq!(outcome(2), &Outcome::Halted(Touched::ImageSent));
    assert_eq!(outcome(3), &Outcome::Upgraded, "it was past its install");
    let reason = outcome(2).reason();
    assert!(reason.contains("max_failures"), "{reason}");
    assert_eq!(fakes[2].count("install") + fakes[4].count("install"), 0);
}

#[tokio::test(start_paused = true)]
async fn while_a_person_is_asked_staged_devices_wait_and_a_new_budget_lets_them_go_on() {
    let fakes = [rolls_back(), late(200), late(200), Fake::new()];
    let mut run = run_of_rollout(&fakes, 3, MaxFailures::Number(1));
    run.intend(Intent::Begin);
    until_halted(&mut run).await;
    // Nobody answers for an hour; the images arrive, are checked, and wait.
    let staged = |run: &FleetRun| {
        run.fleet()
            .devices()
            .iter()
            .filter(|device| device.wants_permit)
            .count()
    };
    while staged(&run) < 2 {
        run.next().await;
    }
    tokio::time::sleep(Duration::from_secs(3600)).await;
    while run.try_next().is_some() {}
    assert_eq!((installs(&fakes), staged(&run)), (1, 2));
    assert!(fakes[3].world().asked.is_empty(), "nothing new starts");
    let asked = fakes[1].count("status");
    // What is spent already is no budget.
    for spent in [0, 1] {
        run.intend(Intent::GoOn(MaxFailures::Number(spent)));
        assert!(run.fleet().is_halted());
    }
    run.intend(Intent::GoOn(MaxFailures::Number(5)));
    let events = run_to_end(&mut run).await;
    let resumed = |e: &Event| matches!(e.fact, Fact::RunResumed { harm: 1, .. });
    assert_eq!(events.iter().filter(|e| resumed(e)).count(), 1);
    for n in 1..4 {
        assert_eq!(kind(&run, n), OutcomeKind::Upgraded);
    }
    assert!(
        fakes[1].count("status") > asked + 1,
        "the last look comes after the wait"
    );
}

/// The device that spent the budget leaves its place, and nothing but a look takes it.
#[tokio::test(start_paused = true)]
async fn a_lost_device_is_looked_at_again_at_once_while_staged_ones_wait_in_a_halted_run() {
    let lost = || Fake::new().with(|w| w.install = Install::Dies);
    let fakes = [lost(), lost(), late(200), late(200)];
    let mut run = run_of_rollout(&fakes, 3, MaxFailures::Number(2));
    run.intend(Intent::Begin);
    until_halted(&mut run).await;
    // Both are lost by and by, the third is staged and keeps its place; the fourth is in line before them all.
    let settled = |run: &FleetRun| {
        let devices = run.fleet().devices();
        devices[1].outcome().is_some() && devices[2].wants_permit
    };
    while !settled(&run) {
        next(&mut run).await;
    }
    for fake in &fakes[..2] {
        let mut world = fake.world();
        world.away.clear();
        world.booted = tokio::time::Instant::now();
        world.fws = Some(NEW);
    }
    for n in 0..2 {
        let id = run.fleet().devices()[n].id.clone();
        run.intend(Intent::Retry(id));
        assert!(run.fleet().devices()[n].has_task(), "it waits in line");
    }
    let back = |run: &FleetRun| {
        let devices = run.fleet().devices();
        devices[..2].iter().all(|device| device.outcome().is_some())
    };
    while !back(&run) {
        next(&mut run).await;
    }
    assert_eq!(kind(&run, 0), OutcomeKind::Upgraded);
    assert_eq!(kind(&run, 1), OutcomeKind::Upgraded);
    assert!(run.fleet().is_halted() && run.fleet().devices()[2].wants_permit);
    assert_eq!(installs(&fakes), 2);
    assert!(fakes[3].world().asked.is_empty(), "nothing new starts");
}

#[tokio::test(start_paused = true)]
async fn a_staged_device_that_waits_is_stopped_with_its_image_staged() {
    let mut fakes: Vec<Fake> = (0..3).map(|_| rolls_back()).collect();
    fakes.push(late(200));
    let mut run = fleet_of(&fakes, 4);
    until_halted(&mut run).await;
    until(&mut run, |f| matches!(f, DeviceFact::PermitAsked)).await;
    run.intend(Intent::Halt);
    run_to_end(&mut run).await;
    let staged = Outcome::Halted(Touched::ImageStaged);
    assert_eq!(run.fleet().devices()[3].outcome(), Some(&staged));
    assert_eq!(
        (staged.kind(), staged.code()),
        (OutcomeKind::Cancelled, "max_failures")
    );
    // A retry of it is asked about as well.
    let id = run.fleet().devices()[3].id.clone();
    run.intend(Intent::Retry(id));
    assert!(run.fleet().waits_for_budget());
    run.intend(Intent::GoOn(MaxFailures::Number(10)));
    run_to_end(&mut run).await;
    assert_eq!(kind(&run, 3), OutcomeKind::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn leave_that_is_taken_back_during_the_last_look_sends_nothing() {
    let mut fakes: Vec<Fake> = (0..3).map(|_| rolls_back()).collect();
    let slow = Fake::new();
    fakes.push(slow.clone());
    let mut run = fleet_of(&fakes, 4);
    loop {
        run.next().await;
        let device = &run.fleet().devices()[3];
        if device.permit {
            // Its last look takes longer than the others need to roll back.
            slow.world().request_takes = Duration::from_secs(600);
            break;
        }
    }
    until_halted(&mut run).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    while run.try_next().is_some() {}
    assert_eq!(slow.count("install"), 0);
    assert!(run.fleet().devices()[3].wants_permit);
    // It is left alone until somebody has decided.
    let asked = slow.count("status");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    while run.try_next().is_some() {}
    assert_eq!(slow.count("status"), asked);
    run.intend(Intent::GoOn(MaxFailures::Number(10)));
    run_to_end(&mut run).await;
    assert_eq!(kind(&run, 3), OutcomeKind::Upgraded);
    assert_eq!(slow.count("install"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_management_app_asks_for_leave_as_well() {
    let mut fakes: Vec<Fake> = (0..3).map(|_| rolls_back()).collect();
    fakes.push(late(200));
    for fake in &fakes[..3] {
        fake.world().upload_takes = Duration::ZERO;
    }
    let mut run = run_with(
        &fakes,
        Mode::Go,
        4,
        management_app::both(),
        Policy::default(),
    );
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(fakes[3].count("install app") + fakes[3].count("install"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_its_install_does_not_count_and_what_turns_out_well_no_longer() {
    let refused = || Fake::new().with(|w| w.install = Install::Refused(409));
    let fakes: Vec<Fake> = (0..6).map(|_| refused()).collect();
    let mut run = fleet_of(&fakes, 2);
    run_to_end(&mut run).await;
    assert_eq!((run.fleet().harm(), run.fleet().is_halted()), (0, false));
    // Lost, and found again by a retry.
    let lost = Fake::new().with(|w| w.install = Install::Dies);
    let mut run = fleet_of(std::slice::from_ref(&lost), 1);
    run_to_end(&mut run).await;
    assert_eq!((run.fleet().harm(), run.fleet().is_halted()), (2, false));
    {
        let mut world = lost.world();
        world.away.clear();
        world.booted = tokio::time::Instant::now();
        world.fws = Some(NEW);
    }
    retry(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(run.fleet().harm(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_share_is_of_those_to_be_upgraded() {
    // A tenth of 20 is 2; but 5 of them run the image already, and a tenth of 15 is 1.
    let mut fakes: Vec<Fake> = (0..5)
        .map(|_| Fake::new().with(|w| w.fws = Some(NEW)))
        .collect();
    fakes.push(rolls_back());
    fakes.extend((0..14).map(|_| Fake::new()));
    let mut run = run_of_rollout(&fakes, 1, MaxFailures::Share(10));
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(run.fleet().allowed_harm(), 1);
    assert_eq!(installs(&fakes), 1);
}

#[tokio::test(start_paused = true)]
async fn a_share_counts_devices_of_which_nothing_is_known_yet() {
    let fakes: Vec<Fake> = (0..10).map(|_| Fake::new()).collect();
    let mut run = run_of_rollout(&fakes, 2, MaxFailures::Share(50));
    assert_eq!(run.fleet().max_failures(), MaxFailures::Share(50));
    assert_eq!(run.fleet().allowed_harm(), 5);
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(run.fleet().allowed_harm(), 5);
}

/// A run that is being stopped ends anyway: no person is told that it was halted, and none is asked.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_being_stopped_is_not_halted_as_well() {
    let fakes: Vec<Fake> = (0..3).map(|_| rolls_back()).collect();
    let mut run = fleet_of(&fakes, 3);
    for _ in 0..3 {
        until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    }
    run.intend(Intent::Interrupt);
    let events = run_to_end(&mut run).await;
    assert_eq!(run.fleet().harm(), 3);
    assert!(!run.fleet().is_halted());
    assert!(!events.iter().any(|e| matches!(e.fact, Fact::RunHalted(_))));
}
