//! A fleet of simulated devices with its broker: start, look inside, shut down.
//! Must not: write files (that is `lab`).

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::broker::{self, Broker};
use super::credential::Credential;
use super::device_script::{DeviceScript, Runs};
use super::firmware;
use super::journal::Journal;
use super::life;
use super::pki::Pki;
use super::port::ShutPort;
use super::scenario::{LinkScheme, Scenario};
use super::unit::{Unit, World};
use crate::model::Fws;

/// A receive buffer that makes a throttled device hold its sender back, as a small machine does,
/// instead of taking everything into the kernel's buffers at once.
const SMALL_BUFFER: u32 = 16 * 1024;

/// Where and how fast simulated devices run.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The address that devices and broker listen on.
    pub listen: IpAddr,
    /// The broker's port; devices have the ports after it, in order. Any free ones where absent.
    pub first_port: Option<u16>,
    /// Scales the delays of the page; the scenario's own where absent.
    pub tempo: Option<f64>,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            first_port: None,
            tempo: None,
        }
    }
}

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
    unit: Arc<Unit>,
    addr: SocketAddr,
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
        let image = firmware::image(&scenario.image);
        let world = Arc::new(World {
            firmware: firmware::verify(&image, &scenario.image.version),
            version: scenario.image.version.clone(),
            image,
            tempo: options.tempo.unwrap_or(scenario.tempo),
            offer: scenario.broker.offer,
        });
        let ports = Ports::new(options);
        let broker_port = ports.take(0, None)?;
        let mut tasks = JoinSet::new();
        let mut devices = Vec::with_capacity(scenario.devices.len());
        for (index, script) in scenario.devices.iter().enumerate() {
            let buffer = script.upload_rate.map(|_| SMALL_BUFFER);
            let port = ports.take(index + 1, buffer)?;
            let addr = port.addr()?;
            let tls = match script.scheme {
                LinkScheme::Http => None,
                LinkScheme::Https => Some(pki.device(script.host(), script.tls)?),
            };
            let gap = scenario.client.gap();
            let unit = Arc::new(Unit::new(script.clone(), Arc::clone(&world), tls, gap));
            let life = life::begin(Arc::clone(&unit), port)?;
            spawn(&mut tasks, script.name.clone(), life);
            devices.push(SimDevice { unit, addr, index });
        }
        let broker = Arc::new(Broker {
            world: Arc::clone(&world),
            devices: by_identity(&devices),
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

    /// The scenario that it plays.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The firmware file to roll out.
    pub fn image(&self) -> Bytes {
        self.world.image.clone()
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
        let names = [host.ip().to_string(), "localhost".to_owned()];
        let tls = match scheme {
            LinkScheme::Http => None,
            LinkScheme::Https => Some(pki.web(&names)?),
        };
        let serve = broker::serve(Arc::clone(broker), port.open()?, tls);
        spawn(tasks, "broker".to_owned(), serve);
    }
    Ok(format!("{}://{host}", scheme.as_str()))
}

fn by_identity(devices: &[SimDevice]) -> HashMap<String, Arc<Unit>> {
    let entry = |d: &SimDevice| (d.unit.identity.eid(), Arc::clone(&d.unit));
    devices.iter().map(entry).collect()
}

/// Where a client on this machine finds what listens on any address.
pub(super) fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

struct Ports {
    listen: IpAddr,
    first: Option<u16>,
}

impl Ports {
    fn new(options: &SimOptions) -> Self {
        Self {
            listen: options.listen,
            first: options.first_port,
        }
    }

    fn take(&self, index: usize, receive_buffer: Option<u32>) -> io::Result<ShutPort> {
        let port = match self.first {
            None => 0,
            Some(first) => u16::try_from(index)
                .ok()
                .and_then(|i| first.checked_add(i))
                .ok_or_else(|| io::Error::other("no ports left after the first"))?,
        };
        let addr = SocketAddr::new(self.listen, port);
        ShutPort::take(addr, receive_buffer)
            .map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {addr}: {e}")))
    }
}

impl SimDevice {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.unit.script.name
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its place in the scenario.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// What its owner logs in with; a fresh device has no owner.
    pub(super) fn credential(&self) -> Option<Credential> {
        (!self.unit.script.fresh).then(|| self.unit.credential())
    }

    /// Its script.
    pub fn script(&self) -> &DeviceScript {
        &self.unit.script
    }

    /// What it has seen until now.
    pub fn journal(&self) -> Journal {
        self.unit.recorder.snapshot()
    }

    /// Waits until its journal fulfils a condition.
    pub async fn wait_for(&self, fulfilled: impl FnMut(&Journal) -> bool) -> Journal {
        self.unit.recorder.wait_for(fulfilled).await
    }

    /// The signature of what it runs now.
    pub fn fws(&self) -> Fws {
        self.unit.machine().running.fws
    }

    /// Which firmware it runs now.
    pub fn runs(&self) -> Runs {
        let running = self.unit.machine().running.clone();
        if Some(&running) == self.unit.world.firmware.as_ref() {
            Runs::Image
        } else if running == firmware::Firmware::earlier(&self.unit.script.version) {
            Runs::Old
        } else {
            Runs::Other
        }
    }

    /// Whether an image is staged that was not installed.
    pub fn has_staged(&self) -> bool {
        self.unit.machine().staged.is_some()
    }

    /// Its clock, unix seconds, if it is set.
    pub fn clock(&self) -> Option<i64> {
        self.unit.machine().boot.clock.map(|c| c.now())
    }

    /// Logins refused in a row; from three on replies are slower.
    pub fn refused_logins(&self) -> u32 {
        self.unit.machine().boot.refused
    }

    /// A bearer token of this boot, as somebody obtained it elsewhere; `exp` is unix seconds of the
    /// device's clock.
    pub fn token(&self, scope: &str, exp: i64) -> String {
        self.unit.token(scope, exp)
    }

    /// How long a client has to pause between two requests, by the scenario.
    pub fn gap(&self) -> Duration {
        self.unit.recorder.gap()
    }
}
