//! Settings and images → devices → session: puts the rooms together, for the commands and for the tests. Files are read
//! by `load`, secrets by `locks_and_secrets`.

use std::sync::Arc;

use crate::config::Settings;
use crate::device::Device;
use crate::device::http::{Broker, HttpDevice, Links};
use crate::engine::{
    Command, DeviceSeed, Fleet, FleetRun, Launcher, LogHolder, LogKeeper, Mode, NotRecorded, Pool,
    Recorder, RunFacts,
};
use crate::model::{Credential, DeviceId, DeviceSpec, Payload, PayloadFacts, Policy, RunId};

use super::CliError;
use super::output::stderr_and_log;

/// The adapters of all devices; nothing is sent yet.
pub fn devices(
    settings: &Settings,
    credential: impl Fn(&DeviceSpec) -> Credential,
) -> Result<Vec<(DeviceId, HttpDevice)>, CliError> {
    devices_of(settings, &broker(settings)?, credential)
}

/// The broker of a run; nothing is sent yet.
pub(super) fn broker(settings: &Settings) -> Result<Arc<Broker>, CliError> {
    let broker = Broker::new(
        &settings.broker.url,
        settings.broker.ca_pem.as_deref(),
        &settings.policy.timeouts,
    );
    broker.map(Arc::new).map_err(CliError::Broker)
}

/// [`devices`] with the broker at hand.
pub(super) fn devices_of(
    settings: &Settings,
    broker: &Arc<Broker>,
    credential: impl Fn(&DeviceSpec) -> Credential,
) -> Result<Vec<(DeviceId, HttpDevice)>, CliError> {
    let limits = &settings.policy.timeouts;
    let links = Arc::new(Links::hiding(&settings.secret_variables));
    settings
        .devices
        .iter()
        .map(|spec| {
            let device = HttpDevice::new(
                spec.clone(),
                credential(spec),
                limits.clone(),
                &settings.policy.pace,
                Arc::clone(broker),
                &links,
            )
            .map_err(|source| CliError::Device {
                device: spec.id.clone(),
                source,
            })?;
            Ok((spec.id.clone(), device))
        })
        .collect()
}

/// A session over `devices` in which nothing has happened yet, and of which nothing is kept: for tests.
pub fn session<D: Device>(
    settings: &Settings,
    payload: Payload,
    devices: Vec<(DeviceId, D)>,
    mode: Mode,
) -> Result<FleetRun, CliError> {
    let facts = facts(run_id()?, settings, payload.facts(), mode);
    let policy = &settings.policy;
    let session = session_over(Fleet::of(facts), policy, payload, devices, Kept::nowhere());
    Ok(session)
}

/// A name for a run that has none yet; the log has it in each line from here on.
pub(super) fn run_id() -> Result<RunId, CliError> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(CliError::Randomness)?;
    let run = RunId::from_random(random);
    stderr_and_log::of_run(&run);
    Ok(run)
}

/// A session that ends before it begins: of a run that was stopped before there were devices to work on, or that has none.
pub(super) fn idle_session(facts: RunFacts) -> FleetRun {
    struct Idle;
    impl Launcher for Idle {
        fn launch(&mut self, _: Command) {}
    }
    FleetRun::new(Fleet::of(facts), |_| Idle)
}

/// Where a session leaves what outlives it.
pub(super) struct Kept {
    /// Its messages.
    pub(super) recorder: Arc<dyn Recorder>,
    /// The log files that it reads for themselves.
    pub(super) logs: Option<Arc<dyn LogKeeper>>,
    /// Those that decide a verdict.
    pub(super) deciding: Option<Arc<dyn LogHolder>>,
}

impl Kept {
    /// Nothing outlives it.
    pub(super) fn nowhere() -> Self {
        Self {
            recorder: Arc::new(NotRecorded),
            logs: None,
            deciding: None,
        }
    }
}

/// A session over a fleet: a new one, or one that another process left.
pub(super) fn session_over<D: Device>(
    fleet: Fleet,
    policy: &Policy,
    payload: Payload,
    devices: Vec<(DeviceId, D)>,
    kept: Kept,
) -> FleetRun {
    let (run, policy) = (fleet.run().clone(), policy.clone());
    let Kept {
        recorder,
        logs,
        deciding,
    } = kept;
    let pool_recorder = Arc::clone(&recorder);
    let refused_logins = fleet.refused_logins();
    let session = FleetRun::new(fleet, |inbox| {
        Pool::new(run, devices, payload, policy, inbox)
            .keeping(logs)
            .holding(deciding)
            .recorded_by(pool_recorder)
            .after_refused_logins(&refused_logins)
    });
    session.recorded_by(recorder)
}

/// What a run is made from.
pub(super) fn facts(
    run: RunId,
    settings: &Settings,
    payload: PayloadFacts,
    mode: Mode,
) -> RunFacts {
    let devices = settings.devices.iter().map(DeviceSeed::from);
    RunFacts {
        max_failures: settings.rollout.max_failures,
        check_limit: settings.policy.timeouts.check,
        ..RunFacts::new(run, payload, mode, settings.concurrency, devices)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::{self, Overrides};
    use crate::model::MaxFailures;

    #[test]
    fn a_fleet_knows_the_limits_of_its_inventory() {
        let text = "[timeouts]\ncheck = \"90s\"\n[rollout]\nmax_failures = 7\n[[device]]\nname = \"vault-01\"\n\
                    url = \"https://my.ence.do\"\nauth = { kind = \"none\" }\n";
        let path = Path::new("fleet.toml");
        let loaded = config::load_text(path, text, &Overrides::default(), &|_| None);
        let settings = loaded.settings.unwrap();
        let run = RunId::from_random([0; 4]);
        let session = idle_session(facts(run, &settings, PayloadFacts::default(), Mode::Go));
        let fleet = session.fleet();
        assert_eq!(fleet.check_limit(), Duration::from_secs(90));
        assert_eq!(fleet.max_failures(), MaxFailures::Number(7));
    }
}
