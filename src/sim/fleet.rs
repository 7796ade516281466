//! A fleet of simulated devices with its broker: start it, look inside, shut it down.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::broker::notifications::Notifications;
use super::broker::server::{self, Broker};
use super::device::certificates::{DeviceCertificates, Pki};
use super::device::credential::Credential;
use super::device::device_core::{DeviceCore, World};
use super::device::lifecycle;
use super::device::listener::ShutPort;
use super::device::recorder::Recording;
use super::firmware_images;
use super::management_app_file;
use super::options::{SimOptions, take};
use super::script::device::{Certificate, DeviceScript};
use super::script::fault::ScriptedFault;
use super::script::scenario::Scenario;
use super::script::values::{LinkScheme, Runs};
use crate::model::Fws;

/// The broker's public name (section 12).
const VENDOR: &str = "api.encedo.com";

/// A running fleet. Dropping it ends everything that it runs.
pub struct SimFleet {
    scenario: Scenario,
    world: Arc<World>,
    pki: Pki,
    devices: Vec<SimDevice>,
    broker: Arc<Broker>,
    broker_url: String,
    tasks: JoinSet<io::Result<()>>,
}

/// A handle to one simulated device: what tests know about it that a client cannot see.
#[derive(Clone)]
pub struct SimDevice {
    pub(super) core: Arc<DeviceCore>,
    addr: SocketAddr,
    http: Option<SocketAddr>,
    index: usize,
}

impl SimFleet {
    /// Starts all devices and the broker.
    ///
    /// # Errors
    ///
    /// Ports that are taken, or certificates that cannot be made.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime, and an async signature says so"
    )]
    pub async fn start(scenario: &Scenario, options: &SimOptions) -> io::Result<Self> {
        let pki = Pki::new()?;
        let world = Arc::new(world(scenario, options, &pki));
        let free = SocketAddr::new(options.listen, 0);
        let broker_port = take(options.broker.unwrap_or(free), None)?;
        let mut tasks = JoinSet::new();
        let mut devices = Vec::with_capacity(scenario.devices.len());
        for (index, script) in scenario.devices.iter().enumerate() {
            let mut script = script.clone();
            script.host = script.host.or_else(|| options.host.clone());
            let ports = options.ports(&script, index)?;
            let addr = ports.own.addr()?;
            let http = ports.plain.as_ref().map(ShutPort::addr).transpose()?;
            let is_tls = script.scheme == LinkScheme::Https;
            let http = http.or_else(|| (is_tls && options.one_port()).then_some(addr));
            let tls = certificates(&pki, &script)?;
            let name = script.name.clone();
            let core = Arc::new(DeviceCore::new(
                script,
                Arc::clone(&world),
                tls,
                scenario.client.gap(),
                options.one_port(),
            ));
            let life = lifecycle::begin(Arc::clone(&core), ports)?;
            spawn(&mut tasks, name, life);
            devices.push(SimDevice {
                core,
                addr,
                http,
                index,
            });
        }
        let broker = Arc::new(Broker {
            world: Arc::clone(&world),
            devices: by_identity(&devices),
            in_order: devices.iter().map(|d| Arc::clone(&d.core)).collect(),
            notifications: Notifications::default(),
            requests: Mutex::default(),
        });
        let broker_url = open_broker(scenario, &broker, broker_port, &pki, &mut tasks)?;
        Ok(Self {
            scenario: scenario.clone(),
            world,
            pki,
            devices,
            broker,
            broker_url,
            tasks,
        })
    }

    /// The devices, in the order of the scenario.
    pub fn devices(&self) -> &[SimDevice] {
        &self.devices
    }

    /// The device of this name.
    pub fn device(&self, name: &str) -> Option<&SimDevice> {
        self.devices.iter().find(|d| d.name() == name)
    }

    /// The scenario that the fleet plays.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The firmware file to roll out.
    pub fn image(&self) -> Bytes {
        self.world.image.clone()
    }

    /// The management app to roll out, if there is one.
    pub fn app(&self) -> Option<Bytes> {
        self.world.app.clone()
    }

    /// The most requests that were open on all phones together at any time.
    pub fn most_events_at_once(&self) -> u32 {
        self.broker.notifications.most_open()
    }

    /// The CA of devices and broker, made at start.
    pub fn ca_pem(&self) -> &str {
        self.pki.ca_pem()
    }

    /// The broker's base URL.
    pub fn broker_url(&self) -> &str {
        &self.broker_url
    }

    /// The broker's requests in order, as `POST /checkin`.
    pub fn broker_requests(&self) -> Vec<String> {
        let requests = self.broker.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends all tasks and waits until they are gone.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

fn spawn(
    tasks: &mut JoinSet<io::Result<()>>,
    name: String,
    life: impl Future<Output = io::Result<()>> + Send + 'static,
) {
    tasks.spawn(async move {
        let end = life.await;
        if let Err(e) = &end {
            tracing::error!(%name, "simulated device stopped: {e}");
        }
        end
    });
}

/// Opens the broker's port, unless it is to be down; its base URL.
fn open_broker(
    scenario: &Scenario,
    broker: &Arc<Broker>,
    port: ShutPort,
    pki: &Pki,
    tasks: &mut JoinSet<io::Result<()>>,
) -> io::Result<String> {
    let addr = port.addr()?;
    let host = SocketAddr::new(reachable(addr.ip()), addr.port());
    let scheme = scenario.broker.scheme;
    if scenario.broker.down {
        // The port stays taken, and nobody listens there.
        tasks.spawn(async move {
            let _held = port;
            std::future::pending().await
        });
    } else {
        // The vendor's own software knows the broker by its public name alone.
        let names = [host.ip().to_string(), "localhost".into(), VENDOR.into()];
        let tls = match scheme {
            LinkScheme::Http => None,
            LinkScheme::Https => Some(pki.web(&names)?),
        };
        let serve = server::serve(Arc::clone(broker), port.open()?, tls);
        spawn(tasks, "broker".to_owned(), serve);
    }
    Ok(format!("{}://{host}", scheme.as_str()))
}

fn by_identity(devices: &[SimDevice]) -> HashMap<String, Arc<DeviceCore>> {
    let entry = |d: &SimDevice| (d.core.identity.eid(), Arc::clone(&d.core));
    devices.iter().map(entry).collect()
}

/// The address at which a client on this machine reaches a listener on any address.
pub(super) fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

fn world(scenario: &Scenario, options: &SimOptions, pki: &Pki) -> World {
    let image = firmware_images::image(&scenario.image);
    World {
        firmware: firmware_images::verify(&image, &scenario.image.version),
        version: scenario.image.version.clone(),
        image,
        tempo: options.tempo.unwrap_or(scenario.tempo),
        offer: scenario.broker.offer,
        app: scenario
            .app
            .as_ref()
            .map(|a| management_app_file::archive(a.size)),
        download: scenario.broker.download,
        attestation: pki.ca_der(),
    }
}

fn certificates(pki: &Pki, script: &DeviceScript) -> io::Result<Option<DeviceCertificates>> {
    if script.scheme == LinkScheme::Http {
        return Ok(None);
    }
    let renewed = match script.tls {
        Certificate::Expired => Some(pki.device(script.host(), Certificate::Good)?),
        _ => None,
    };
    let serving = pki.device(script.host(), script.tls)?;
    Ok(Some(DeviceCertificates::new(serving, renewed)))
}

impl SimDevice {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.core.script.name
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens for plain HTTP, if it speaks TLS otherwise.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Its place in the scenario.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// What its user and its master log in with; a fresh device has neither.
    pub(super) fn credentials(&self) -> impl Iterator<Item = Credential> {
        let owned = !self.core.script.fresh;
        let all = owned.then(|| self.core.credentials());
        all.into_iter().flatten()
    }

    /// Its script.
    pub fn script(&self) -> &DeviceScript {
        &self.core.script
    }

    /// What it has recorded until now.
    pub fn recording(&self) -> Recording {
        self.core.recorder.snapshot()
    }

    /// Waits until its recording fulfils a condition.
    pub async fn wait_for(&self, fulfilled: impl FnMut(&Recording) -> bool) -> Recording {
        self.core.recorder.wait_for(fulfilled).await
    }

    /// The signature of what it runs now.
    pub fn fws(&self) -> Fws {
        self.core.state().running.fws
    }

    /// Which firmware it runs now.
    pub fn runs(&self) -> Runs {
        let running = self.core.state().running.clone();
        if Some(&running) == self.core.world.firmware.as_ref() {
            Runs::Image
        } else if running == firmware_images::Firmware::earlier(&self.core.script.version) {
            Runs::Old
        } else {
            Runs::Other
        }
    }

    /// Which management app it serves now.
    pub fn runs_ui(&self) -> Runs {
        let uis = self.core.state().uis.clone();
        let image = self.core.world.app.as_ref().map(management_app_file::uis);
        if image.is_some_and(|image| image == uis) {
            Runs::Image
        } else if uis == management_app_file::earlier_uis() {
            Runs::Old
        } else {
            Runs::Other
        }
    }

    /// Whether an image is staged that was not installed.
    pub fn has_staged(&self) -> bool {
        !self.core.state().staged.is_empty()
    }

    /// Its clock, unix seconds, if it is set.
    pub fn clock(&self) -> Option<i64> {
        self.core.state().boot.clock.map(|c| c.now())
    }

    /// Logins refused in a row, as far as the device remembers; from three on its replies to logins are slower.
    pub fn refused_logins(&self) -> u32 {
        self.core.state().boot.throttle.failures()
    }

    /// Faults of its script that have not struck. If there are any at the end, the scenario has shown less than it
    /// says. A device that refuses connections at first does not count.
    pub fn idle_faults(&self) -> Vec<ScriptedFault> {
        self.core.state().faults.idle().cloned().collect()
    }

    /// A bearer token of this boot, as somebody obtained it elsewhere; `exp` is unix seconds of the
    /// device's clock.
    pub fn token(&self, scope: &str, exp: i64) -> String {
        self.core.token(scope, exp)
    }

    /// The pause between two requests that the scenario expects of a client.
    pub fn gap(&self) -> Duration {
        self.core.recorder.gap()
    }
}
