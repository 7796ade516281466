//! The real stack against simulated devices on real sockets: each file of `tests/scenarios`, played with the library's
//! own wiring. The tests compare what hemfleet says, and what the devices counted, with what the file expects.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use hemfleet::cli::{scenario_verdict, wiring};
use hemfleet::config::secrets::secret_store::{Prompter, SecretStore};
use hemfleet::config::{self, Overrides, Settings};
use hemfleet::device::http::HttpDevice;
use hemfleet::device::{
    Approval, ApprovalAnswer, ApprovalReply, CheckAnswer, Device, Image, InstallAnswer, LogFile,
    LogPage, LoginError, ProvenKey, RawLog, Session as Entry, UploadProgress, Validated,
};
use hemfleet::engine::{DeviceFact, Fact, FleetRun, Intent, Mode};
use hemfleet::hem::audit::{LogKey, Search};
use hemfleet::hem::{firmware_image, management_app};
use hemfleet::model::{
    CheckinReport, Component, Credentials, DeviceId, DeviceStatus, DeviceVersion, FailureKind,
    LinkTrust, LogId, Payload, Scope, Secret, Stage,
};
use hemfleet::sim::{self, Scenario, SimFleet, SimOptions};
use rstest::rstest;

/// A device whose task panics at a stage: a bug of ours, planted.
struct PanicAt {
    device: HttpDevice,
    at: Option<Stage>,
}

impl PanicAt {
    fn stage(&self, stage: Stage) {
        assert!(self.at != Some(stage), "planted panic at {stage}");
    }
}

impl Device for PanicAt {
    async fn version(&self) -> Result<DeviceVersion, FailureKind> {
        self.stage(Stage::Probe);
        self.device.version().await
    }

    async fn status(&self) -> Result<DeviceStatus, FailureKind> {
        self.device.status().await
    }

    async fn checkin(&self) -> Result<CheckinReport, FailureKind> {
        self.stage(Stage::Checkin);
        self.device.checkin().await
    }

    fn credentials(&self) -> Credentials {
        self.device.credentials()
    }

    async fn checkin_in_clear(&self) -> Result<CheckinReport, FailureKind> {
        self.device.checkin_in_clear().await
    }

    fn link(&self) -> LinkTrust {
        self.device.link()
    }

    fn may_carry_token(&self) -> bool {
        self.device.may_carry_token()
    }

    async fn login(&self, scope: Scope, lifetime: Duration) -> Result<Entry, LoginError> {
        self.stage(Stage::Login);
        self.device.login(scope, lifetime).await
    }

    fn give_secret(&self, secret: Secret) {
        self.device.give_secret(secret);
    }

    fn upgraded_eid(&self) -> Option<String> {
        self.device.upgraded_eid()
    }

    fn expect_eid(&self, eid: &str) {
        self.device.expect_eid(eid);
    }

    async fn request_approval(&self, scope: Scope, note: &str) -> Result<Approval, LoginError> {
        self.device.request_approval(scope, note).await
    }

    async fn poll_approval(&self, approval: &Approval) -> Result<ApprovalAnswer, FailureKind> {
        self.device.poll_approval(approval).await
    }

    async fn redeem_approval(
        &self,
        approval: &Approval,
        reply: ApprovalReply,
    ) -> Result<Entry, LoginError> {
        self.device.redeem_approval(approval, reply).await
    }

    async fn withdraw_approval(&self, approval: &Approval) -> Result<(), FailureKind> {
        self.device.withdraw_approval(approval).await
    }

    async fn upload(
        &self,
        session: &Entry,
        image: Image<'_>,
        progress: &dyn UploadProgress,
    ) -> Result<(), FailureKind> {
        self.stage(Stage::Upload);
        self.device.upload(session, image, progress).await
    }

    async fn check(
        &self,
        component: Component,
        session: &Entry,
        limit: Duration,
    ) -> Result<CheckAnswer, FailureKind> {
        self.stage(Stage::Check);
        self.device.check(component, session, limit).await
    }

    async fn install(&self, validated: Validated, session: &Entry) -> InstallAnswer {
        self.stage(Stage::Install);
        self.device.install(validated, session).await
    }

    async fn log_key(&self, session: &Entry) -> Result<ProvenKey, FailureKind> {
        self.stage(Stage::Audit);
        self.device.log_key(session).await
    }

    async fn log_page(&self, session: &Entry, offset: usize) -> Result<LogPage, FailureKind> {
        self.device.log_page(session, offset).await
    }

    async fn log_file(
        &self,
        session: &Entry,
        id: &LogId,
        key: &LogKey,
        search: Option<Search>,
        raw: Option<Box<dyn RawLog>>,
    ) -> Result<LogFile, FailureKind> {
        self.device.log_file(session, id, key, search, raw).await
    }
}

struct Nobody;

impl Prompter for Nobody {
    fn ask(&mut self, _: &str) -> io::Result<zeroize::Zeroizing<String>> {
        Err(io::Error::other("nobody is here to be asked"))
    }
}

async fn until_over(session: &mut FleetRun, retries: &mut HashMap<DeviceId, u32>) {
    // Longer than anything here takes, on the slowest machine.
    const PATIENCE: Duration = Duration::from_secs(180);
    while !session.fleet().is_over() {
        if session.fleet().waits_for_budget() {
            // As without a dashboard.
            session.intend(Intent::Halt);
            continue;
        }
        let event = tokio::time::timeout(PATIENCE, session.next()).await;
        let event = event
            .ok()
            .flatten()
            .unwrap_or_else(|| panic!("no event comes any more; {:#?}", session.fleet().devices()));
        if let Fact::Device { device, fact, .. } = event.fact
            && matches!(fact, DeviceFact::RetryScheduled { .. })
        {
            *retries.entry(device).or_default() += 1;
        }
    }
}

/// What `--component` says is rolled out, of the files that the inventory names.
fn payload(settings: &Settings, component: Option<sim::Component>) -> Payload {
    let read = |path: &Option<PathBuf>| Bytes::from(std::fs::read(path.as_ref().unwrap()).unwrap());
    let firmware = || firmware_image::read(read(&settings.firmware)).unwrap();
    let app = || management_app::read(read(&settings.app)).unwrap().image;
    match component {
        None | Some(sim::Component::Firmware) => firmware().into(),
        Some(sim::Component::Ui) => Payload {
            app: Some(app()),
            firmware: None,
        },
        Some(sim::Component::Both) => Payload {
            app: Some(app()),
            firmware: Some(firmware()),
        },
    }
}

/// Plays a scenario, then the retries that it expects; everything that is not as expected.
async fn play(scenario: &Scenario) -> Vec<String> {
    let sims = SimFleet::start(scenario, &SimOptions::default())
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let lab = sims.write_lab(dir.path()).unwrap();
    let overrides = Overrides {
        force: scenario.client.force,
        ..Overrides::default()
    };
    let loaded = config::load(&lab.inventory, &overrides, &|_| None);
    assert!(
        loaded.faults.is_empty(),
        "{}",
        loaded.faults.render(false, 100)
    );
    let settings = loaded.settings.unwrap();
    let payload = payload(&settings, scenario.client.component);
    let secrets = SecretStore::resolve(&settings.devices, &mut Nobody, &|_| None, &[], &|_, _| {
        Ok(())
    })
    .map_err(|faults| faults.render(false, 100))
    .unwrap();
    let devices = wiring::devices(&settings, |spec| secrets.credential(spec))
        .unwrap()
        .into_iter()
        .zip(&scenario.devices)
        .map(|((id, device), script)| {
            let at = script.panic_at;
            (id, PanicAt { device, at })
        })
        .collect();
    let mut session = wiring::session(&settings, payload, devices, Mode::Go).unwrap();
    let mut retries = HashMap::new();
    session.intend(Intent::Begin);
    until_over(&mut session, &mut retries).await;

    let mut mismatches = scenario_verdict::mismatches(session.fleet(), scenario, &sims);
    for (row, script) in session.fleet().devices().iter().zip(&scenario.devices) {
        let got = retries.get(&row.id).copied().unwrap_or(0);
        if script.expect.retries.is_some_and(|wanted| wanted != got) {
            mismatches.push(format!("{}: {got} retries", row.id));
        }
    }
    for device in sims.devices() {
        let journal = device.recording();
        if journal.max_overlap > 1 {
            mismatches.push(format!("{}: overlapping requests", device.name()));
        }
        if journal.too_soon > 0 {
            mismatches.push(format!(
                "{}: {} requests too soon",
                device.name(),
                journal.too_soon
            ));
        }
    }
    if scenario
        .devices
        .iter()
        .any(|d| d.expect.after_retry.is_some())
    {
        for script in &scenario.devices {
            if script.expect.after_retry.is_some() {
                session.intend(Intent::Retry(DeviceId::new(&script.name)));
            }
        }
        until_over(&mut session, &mut retries).await;
        for (row, script) in session.fleet().devices().iter().zip(&scenario.devices) {
            if script.expect.after_retry.is_some()
                && row.outcome_kind() != script.expect.after_retry
            {
                mismatches.push(format!("{}: after the retry {:?}", row.id, row.outcome()));
            }
        }
    }
    // A fault that never struck proves nothing of what the scenario is about.
    for device in sims.devices() {
        for fault in device.idle_faults() {
            mismatches.push(format!("{}: never struck: {fault:?}", device.name()));
        }
    }
    for row in session.fleet().devices() {
        if !mismatches.is_empty() {
            mismatches.push(format!(
                "{}: {:?} {:#?}",
                row.id,
                row.outcome(),
                row.timeline
            ));
        }
    }
    sims.shutdown().await;
    mismatches
}

/// A test for each file, so that each runs in parallel, fails under its own name, and can be run alone. The large fleet
/// takes minutes: `.ci/run` plays it, in release.
#[rstest]
fn scenario(
    #[files("tests/scenarios/*.toml")]
    #[exclude("two-hundred")]
    path: PathBuf,
) {
    let text = std::fs::read_to_string(&path).unwrap();
    let scenario = Scenario::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mismatches = runtime.block_on(play(&scenario));
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}
