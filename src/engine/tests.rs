//! Procedures over a device in memory, on paused time, through the run and the pool.

mod any_budget;

mod after_install;
mod approval;
mod at_most_once;
mod audit;
mod audit_login;
mod audit_run;
mod bad_image;
mod before_install;
mod changed_meanwhile;
mod deciding_log;
mod earlier_install;
#[cfg(test)]
pub(super) mod fake_audit_log;
#[cfg(test)]
pub(super) mod fake_device;
mod install;
mod login;
mod management_app;
mod refusals;
mod tries_and_times;
mod whole_run;
mod write_ahead;
use crate::device::LoginError;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    CheckinReport, Credentials, DeviceId, Doubt, FailureKind, LinkFault, LinkTrust, LocalFault,
    MaxFailures, Outcome, OutcomeKind, Payload, Policy, Rollout, RunId, Skip, Stage, TlsFault,
    Touched, Unproven, Verdict, VerdictKind,
};

use self::fake_device::{Fake, Install, NEW, OLD, OTHER, image, reset};

use super::{
    DeviceFact, DeviceSeed, DeviceState, Event, Fact, Fleet, FleetRun, Intent, LogHolder,
    LogKeeper, Mode, Phase, Pool, Progress,
};

fn run_of(fakes: &[Fake], mode: Mode, concurrency: usize) -> FleetRun {
    run_with(fakes, mode, concurrency, image().into(), Policy::default())
}

/// The same, held back like this.
fn run_of_rollout(fakes: &[Fake], concurrency: usize, max_failures: MaxFailures) -> FleetRun {
    let rollout = Rollout { max_failures };
    run_held(
        fakes,
        Mode::Go,
        concurrency,
        image().into(),
        Policy::default(),
        (rollout, None),
    )
}

fn run_with(
    fakes: &[Fake],
    mode: Mode,
    concurrency: usize,
    payload: Payload,
    policy: Policy,
) -> FleetRun {
    run_keeping(fakes, mode, concurrency, payload, policy, None)
}

fn run_keeping(
    fakes: &[Fake],
    mode: Mode,
    concurrency: usize,
    payload: Payload,
    policy: Policy,
    keeper: Option<Arc<dyn LogKeeper>>,
) -> FleetRun {
    let extra = (Rollout::default(), keeper);
    run_held(fakes, mode, concurrency, payload, policy, extra)
}

fn run_held(
    fakes: &[Fake],
    mode: Mode,
    concurrency: usize,
    payload: Payload,
    policy: Policy,
    (rollout, keeper): (Rollout, Option<Arc<dyn LogKeeper>>),
) -> FleetRun {
    let extra = (rollout, keeper, None);
    run_holding(fakes, mode, concurrency, payload, policy, extra)
}

/// The rollout's rules, and where log files go.
type Extra = (
    Rollout,
    Option<Arc<dyn LogKeeper>>,
    Option<Arc<dyn LogHolder>>,
);

fn run_holding(
    fakes: &[Fake],
    mode: Mode,
    concurrency: usize,
    payload: Payload,
    policy: Policy,
    (rollout, keeper, holder): Extra,
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
            earlier: None,
            refused: None,
        }),
    )
    .with_rollout(rollout);
    let devices: Vec<(DeviceId, Fake)> = ids.into_iter().zip(fakes.iter().cloned()).collect();
    FleetRun::new(fleet, |inbox| {
        Pool::new(run, devices, payload, policy, inbox)
            .keeping(keeper)
            .holding(holder)
    })
}

/// One device, upgraded with this policy.
async fn upgrade_by(fake: &Fake, policy: Policy) -> (FleetRun, Vec<Event>) {
    let fakes = std::slice::from_ref(fake);
    let mut run = run_with(fakes, Mode::Go, 1, image().into(), policy);
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
    event.ok().flatten().unwrap_or_else(|| {
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

/// Goes on until a device has started `stage`.
async fn until_started(run: &mut FleetRun, stage: Stage) {
    until(
        run,
        |f| matches!(f, DeviceFact::StageStarted { stage: s, .. } if *s == stage),
    )
    .await;
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
