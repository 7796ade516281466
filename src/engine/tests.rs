//! Procedures over a device in memory, on paused time, through the run and the pool.

mod any_budget;
mod any_order;
mod approval;
mod audit;
mod changed_meanwhile;
#[cfg(test)]
pub(super) mod fake_audit_log;
#[cfg(test)]
pub(super) mod fake_device;
mod login;
mod management_app;
mod refusals;
mod rollout;
mod steps;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use crate::device::LoginError;
use crate::model::{
    CheckinReport, Credentials, DeviceId, Doubt, FailureKind, LinkFault, LinkTrust, LocalFault,
    MaxFailures, Outcome, OutcomeKind, Payload, Policy, Rollout, RunId, Skip, Stage, TlsFault,
    Touched, Unproven, Verdict, VerdictKind,
};

use self::fake_device::{Fake, Install, NEW, OLD, OTHER, image, reset};
use super::{
    DeviceFact, DeviceSeed, DeviceState, Event, Fact, Fleet, FleetRun, Intent, LogKeeper, Mode,
    Phase, Pool, Progress,
};

fn run_of(fakes: &[Fake], mode: Mode, concurrency: usize) -> FleetRun {
    session_with(fakes, mode, concurrency, image().into(), Policy::default())
}

/// The same, held back like this.
fn run_of_rollout(fakes: &[Fake], concurrency: usize, max_failures: MaxFailures) -> FleetRun {
    let rollout = Rollout { max_failures };
    session_held(
        fakes,
        Mode::Go,
        concurrency,
        image().into(),
        Policy::default(),
        (rollout, None),
    )
}

fn session_with(
    fakes: &[Fake],
    mode: Mode,
    concurrency: usize,
    payload: Payload,
    policy: Policy,
) -> FleetRun {
    session_keeping(fakes, mode, concurrency, payload, policy, None)
}

fn session_keeping(
    fakes: &[Fake],
    mode: Mode,
    concurrency: usize,
    payload: Payload,
    policy: Policy,
    keeper: Option<Arc<dyn LogKeeper>>,
) -> FleetRun {
    let extra = (Rollout::default(), keeper);
    session_held(fakes, mode, concurrency, payload, policy, extra)
}

fn session_held(
    fakes: &[Fake],
    mode: Mode,
    concurrency: usize,
    payload: Payload,
    policy: Policy,
    (rollout, keeper): (Rollout, Option<Arc<dyn LogKeeper>>),
) -> FleetRun {
    let ids: Vec<DeviceId> = (1..=fakes.len())
        .map(|n| DeviceId::new(&format!("vault-{n:02}")))
        .collect();
    let run = RunId::from_random([1, 2, 3, 4]);
    let fleet = Fleet::new(
        run.clone(),
        payload.facts(),
        mode,
        concurrency,
        ids.iter().zip(fakes).map(|(id, fake)| DeviceSeed {
            credentials: fake.world().credentials,
            id: id.clone(),
            group: None,
            tags: Vec::new(),
            link: LinkTrust::Ca,
        }),
    )
    .with_rollout(rollout);
    let devices: Vec<(DeviceId, Fake)> = ids.into_iter().zip(fakes.iter().cloned()).collect();
    FleetRun::new(fleet, |inbox| {
        Pool::new(run, devices, payload, policy, inbox).keeping(keeper)
    })
}

/// One device, upgraded with this policy.
async fn upgrade_by(fake: &Fake, policy: Policy) -> (FleetRun, Vec<Event>) {
    let fakes = std::slice::from_ref(fake);
    let mut run = session_with(fakes, Mode::Go, 1, image().into(), policy);
    run.intend(Intent::Begin);
    let events = run_to_end(&mut run).await;
    (run, events)
}

fn facts(events: &[Event]) -> impl Iterator<Item = &DeviceFact> {
    events.iter().filter_map(|e| match &e.fact {
        Fact::Device { fact, .. } => Some(fact),
        _ => None,
    })
}

/// The notes of the plan.
fn notes(run: &FleetRun) -> String {
    only(run).verdict.as_ref().unwrap().reason()
}

/// The next event. Time is paused: what takes longer than this does not come at all.
async fn next(run: &mut FleetRun) -> Event {
    const LIMIT: Duration = Duration::from_secs(48 * 3600);
    let event = tokio::time::timeout(LIMIT, run.next()).await;
    event.unwrap_or_else(|_| {
        panic!(
            "no event comes any more; the devices: {:#?}",
            run.fleet().devices()
        )
    })
}

/// Runs until nothing is left to do; everything that happened.
async fn run_to_end(run: &mut FleetRun) -> Vec<Event> {
    let mut events = Vec::new();
    while !run.fleet().is_over() {
        if run.fleet().waits_for_budget() {
            // As without a dashboard.
            run.intend(Intent::Halt);
            continue;
        }
        events.push(next(run).await);
    }
    events
}

async fn until(run: &mut FleetRun, wanted: impl Fn(&DeviceFact) -> bool) {
    loop {
        if let Fact::Device { fact, .. } = next(run).await.fact
            && wanted(&fact)
        {
            return;
        }
    }
}

async fn begin(fake: &Fake) -> FleetRun {
    let mut run = run_of(std::slice::from_ref(fake), Mode::Go, 1);
    run.intend(Intent::Begin);
    tokio::task::yield_now().await;
    run
}

async fn upgrade(fake: &Fake) -> (FleetRun, Vec<Event>) {
    let mut run = begin(fake).await;
    let events = run_to_end(&mut run).await;
    (run, events)
}

fn only(run: &FleetRun) -> &DeviceState {
    &run.fleet().devices()[0]
}

fn outcome(run: &FleetRun) -> &Outcome {
    only(run).outcome().unwrap()
}

fn failed(run: &FleetRun) -> (Stage, FailureKind, Touched) {
    match outcome(run) {
        Outcome::Failed(f) => (f.stage, f.kind.clone(), f.touched),
        other => panic!("{other:?}"),
    }
}

fn stages(events: &[Event]) -> Vec<Stage> {
    events
        .iter()
        .filter_map(|e| match &e.fact {
            Fact::Device {
                fact: DeviceFact::StageStarted { stage, .. },
                ..
            } => Some(*stage),
            _ => None,
        })
        .collect()
}

async fn retry(run: &mut FleetRun) -> Vec<Event> {
    let id = only(run).id.clone();
    run.intend(Intent::Retry(id));
    run_to_end(run).await
}

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
async fn devices_that_need_nothing_are_left_alone() {
    let epa = Fake::new().with(|w| w.hwv = "EPA rev 1.0 @x");
    let (run, _) = upgrade(&epa).await;
    assert_eq!(outcome(&run), &Outcome::Skipped(Skip::Epa));
    let current = Fake::new().with(|w| w.fws = Some(NEW));
    let (run, _) = upgrade(&current).await;
    assert_eq!(outcome(&run), &Outcome::Current);
    for fake in [epa, current] {
        assert_eq!(fake.count("login") + fake.count("upload"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_latched_fault_and_a_missing_login_fail_before_anything_is_sent() {
    let fault = Fake::new().with(|w| w.fls_state = 2);
    let (run, _) = upgrade(&fault).await;
    assert!(matches!(
        failed(&run),
        (Stage::Probe, FailureKind::FaultLatched(_), Touched::Nothing)
    ));
    let locked = Fake::new().with(|w| w.credentials = Credentials::None);
    let (run, _) = upgrade(&locked).await;
    assert!(matches!(
        failed(&run),
        (Stage::Probe, FailureKind::NoCredential, _)
    ));
    let fresh = Fake::new().with(|w| {
        w.credentials = Credentials::None;
        w.initialised = false;
        w.clock_set = false;
    });
    let (run, _) = upgrade(&fresh).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fresh.count("checkin") + fresh.count("login"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unset_clock_is_set_first_and_only_for_a_login() {
    let fake = Fake::new().with(|w| w.clock_set = false);
    let (run, events) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(stages(&events)[1], Stage::Checkin);
    let token = Fake::new().with(|w| {
        w.clock_set = false;
        w.credentials = Credentials::Token;
        w.logins.clear();
    });
    let mut run = begin(&token).await;
    until(&mut run, |f| {
        matches!(
            f,
            DeviceFact::StageStarted {
                stage: Stage::Login,
                ..
            }
        )
    })
    .await;
    assert_eq!(token.count("checkin"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_403_or_clocks_apart_lead_to_one_checkin_and_one_more_login() {
    for error in [
        LoginError::ClockUnset,
        LoginError::ClockApart { seconds: 300 },
    ] {
        let fake = Fake::new().with(|w| w.logins.push_back(error.clone()));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded, "{error:?}");
        // The last check-in is the one before the log is read.
        assert_eq!((fake.count("login"), fake.count("checkin")), (2, 2));
        let twice = Fake::new().with(|w| w.logins.extend([error.clone(), error.clone()]));
        let (run, _) = upgrade(&twice).await;
        assert_eq!(failed(&run).0, Stage::Login);
        assert_eq!((twice.count("login"), twice.count("checkin")), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_never_tried_again_by_itself() {
    let fake = Fake::new().with(|w| {
        w.logins
            .push_back(LoginError::Failed(FailureKind::WrongSecret));
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(
        failed(&run),
        (Stage::Login, FailureKind::WrongSecret, Touched::Nothing)
    );
    assert_eq!(fake.count("login"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_401_with_a_clock_that_the_status_shows_to_be_off_is_checked_in_once() {
    let wrong = || LoginError::Failed(FailureKind::WrongSecret);
    let fake = Fake::new().with(|w| {
        w.clock_offset = 7200;
        w.logins.push_back(wrong());
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let twice = Fake::new().with(|w| {
        w.clock_offset = 7200;
        w.logins.extend([wrong(), wrong()]);
    });
    let (run, _) = upgrade(&twice).await;
    assert_eq!(failed(&run).1, FailureKind::WrongSecret);
    assert_eq!((twice.count("login"), twice.count("checkin")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_order_of_the_backend_to_lock_stops_the_attempt() {
    let order = |action: &str| {
        Ok(CheckinReport {
            action: Some(action.to_owned()),
            ..CheckinReport::default()
        })
    };
    let fake = Fake::new().with(|w| {
        w.clock_set = false;
        w.checkins.push_back(order("L"));
    });
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        failed(&run),
        (Stage::Checkin, FailureKind::BackendAction { .. }, _)
    ));
    let report = Fake::new().with(|w| {
        w.clock_set = false;
        w.checkins.push_back(order("R"));
    });
    let (run, _) = upgrade(&report).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert!(
        only(&run)
            .timeline
            .iter()
            .any(|s| s.note.contains("ORDERS: R"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_repeated_and_no_more() {
    let fake = Fake::new().with(|w| {
        w.probes.extend([reset(), reset()]);
        w.logins.push_back(LoginError::Failed(reset()));
        w.uploads.push_back((500, reset()));
        w.checks.push_back(Err(FailureKind::Status { status: 503 }));
    });
    let (run, events) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let scheduled = events
        .iter()
        .filter(|e| {
            matches!(
                &e.fact,
                Fact::Device {
                    fact: DeviceFact::RetryScheduled { .. },
                    ..
                }
            )
        })
        .count();
    assert_eq!(scheduled, 5);
    let thrice = Fake::new().with(|w| w.uploads.extend(vec![(500, reset()); 3]));
    let (run, _) = upgrade(&thrice).await;
    assert_eq!(failed(&run), (Stage::Upload, reset(), Touched::ImageSent));
    assert_eq!(thrice.count("upload"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_upload_touches_nothing() {
    for status in [401, 403, 404, 409, 413, 795] {
        let fake = Fake::new().with(|w| w.uploads.push_back((0, FailureKind::Status { status })));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(
            failed(&run),
            (
                Stage::Upload,
                FailureKind::Status { status },
                Touched::Nothing
            )
        );
        assert_eq!(fake.count("upload"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_image_is_not_installed() {
    for status in [400, 406, 409] {
        let fake = Fake::new().with(|w| w.checks.push_back(Ok(status)));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(
            failed(&run),
            (
                Stage::Check,
                FailureKind::ImageRefused { status },
                Touched::ImageStaged
            )
        );
        assert_eq!(fake.count("install"), 0);
    }
    for status in [401, 403, 404, 795] {
        let fake = Fake::new().with(|w| w.checks.push_back(Ok(status)));
        let (run, _) = upgrade(&fake).await;
        assert_eq!(failed(&run).1, FailureKind::Status { status });
        assert_eq!(fake.count("install"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_without_end_is_given_up() {
    let fake = Fake::new().with(|w| w.checks.extend(vec![Ok(202); 10_000]));
    let (run, _) = upgrade(&fake).await;
    assert!(matches!(
        failed(&run),
        (
            Stage::Check,
            FailureKind::CheckTimeout {
                polls: 140..=150,
                ..
            },
            _
        )
    ));
    assert_eq!(fake.count("install"), 0);
}

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
async fn untrusted_tls_is_not_asked_again() {
    let kind = FailureKind::Link(LinkFault::Tls(TlsFault::UnknownIssuer));
    let fake = Fake::new().with(|w| w.probes.push_back(kind.clone()));
    let (run, _) = upgrade(&fake).await;
    assert_eq!(failed(&run), (Stage::Probe, kind, Touched::Nothing));
    assert_eq!(fake.count("version"), 1);
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
async fn without_trusted_time_no_clock_is_needed() {
    let fake = Fake::new().with(|w| {
        w.clock_set = false;
        w.trusted_time = false;
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fake.count("checkin"), 0);
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

#[tokio::test(start_paused = true)]
async fn cancel_stops_before_the_install_and_not_after() {
    let fake = Fake::new();
    let mut run = begin(&fake).await;
    until(&mut run, |f| {
        matches!(
            f,
            DeviceFact::StageStarted {
                stage: Stage::Check,
                ..
            }
        )
    })
    .await;
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
