//! The life of a device on its socket: up, gone for a reboot, up again (sections [2](crate::hem#2-transport) and
//! [7](crate::hem#7-firmware-upgrade)). Requests are answered in `api/admission.rs`.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::certificates::DeviceCertificates;
use super::device_core::DeviceCore;
use super::listener::{Ending, OpenPort, Ports, ShutPort, Wire};
use super::state::BootPlan;
use crate::sim::api::admission;
use crate::sim::api::answer::stand_still;
use crate::sim::api::call::Connection;
use crate::sim::script::fault::Act;
use crate::sim::script::fault_point::FaultPoint;

/// How long a device is gone in a reboot, where the scenario does not say.
const REBOOT: Duration = Duration::from_secs(20);

/// How long a device answers as before once it has said that it will reboot (section 13).
const LINGER: Duration = Duration::from_secs(2);

/// How a device begins.
enum Start {
    Up(Ports<OpenPort>),
    /// Nothing listens, for a while or for ever.
    Absent(Ports<ShutPort>, Option<Duration>),
}

/// Opens a device's ports, unless it is absent at first. The returned future is the device's life: dropping it ends
/// the device and all its connections.
pub(in crate::sim) fn begin(
    device: Arc<DeviceCore>,
    ports: Ports<ShutPort>,
) -> io::Result<impl Future<Output = io::Result<()>> + Send> {
    let start = match device.absence() {
        Some(Act::Refuse { lasts }) => Start::Absent(ports, lasts),
        _ => Start::Up(ports.open()?),
    };
    Ok(live(device, start))
}

async fn live(device: Arc<DeviceCore>, start: Start) -> io::Result<()> {
    let mut open = match start {
        Start::Up(open) => open,
        Start::Absent(ports, lasts) => {
            // The ports are held meanwhile, so that nobody else answers there.
            stand_still(lasts).await;
            ports.open()?
        }
    };
    let mut boot = BootPlan::default();
    loop {
        if !boot.hang.is_zero() {
            hang(&open, boot.hang).await;
        }
        let again = boot.vanish.map(|(up, becomes)| {
            let plan = BootPlan {
                becomes,
                ..BootPlan::default()
            };
            (Instant::now() + up, plan)
        });
        boot = serve(&device, &open, again).await;
        let ports = open.shut().await?;
        device.recorder.record(|j| j.reboots += 1);
        let own = device.script.reboot.map(|p| p.0);
        sleep(own.unwrap_or_else(|| device.world.delay(REBOOT))).await;
        if boot.never {
            std::future::pending::<()>().await;
        }
        device.reboot(&boot);
        open = ports.open()?;
    }
}

/// Accepts TCP and says nothing.
async fn hang(ports: &Ports<OpenPort>, lasts: Duration) {
    let end = Instant::now() + lasts;
    let mut held = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = sleep_until(end) => return,
            stream = ports.accept() => held.extend(stream),
        }
    }
}

/// Serves until a reboot is due: a requested one, or the one that is already `due`.
async fn serve(
    device: &Arc<DeviceCore>,
    ports: &Ports<OpenPort>,
    mut due: Option<(Instant, BootPlan)>,
) -> BootPlan {
    let mut connections = JoinSet::new();
    loop {
        let deadline = due.as_ref().map(|(at, _)| *at);
        tokio::select! {
            biased;
            () = async { sleep_until(deadline.unwrap_or_else(Instant::now)).await },
                if deadline.is_some() => return due.map(|(_, plan)| plan).unwrap_or_default(),
            Some(ended) = connections.join_next() => {
                if let Ok(Some(plan)) = ended {
                    let plan: BootPlan = plan;
                    let linger = plan.linger.unwrap_or_else(|| device.world.delay(LINGER));
                    due = Some((Instant::now() + linger, plan));
                }
            }
            accepted = ports.accept() => {
                // Out of file descriptors, or the client is gone: go on with the next connection.
                if let Ok((tcp, is_plain)) = accepted {
                    connections.spawn(connection(Arc::clone(device), tcp, is_plain));
                } else {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

/// Serves one connection to its end. Returns the reboot that begins then, if one was requested.
async fn connection(device: Arc<DeviceCore>, tcp: TcpStream, is_plain: bool) -> Option<BootPlan> {
    device.recorder.record(|j| j.connections += 1);
    let ending = Ending::default();
    let tls = match &device.tls {
        Some(_) if is_plain => None,
        Some(_) if device.one_port && !begins_tls(&tcp).await => None,
        certificates => certificates.as_ref().map(DeviceCertificates::serving),
    };
    let wire = Wire::new(tcp, ending.clone());
    match device.strike(FaultPoint::Connect) {
        Some(Act::Reset { .. }) => {
            ending.reset();
            return None;
        }
        Some(Act::Close { .. }) => return None,
        Some(Act::Stall { lasts, .. }) => stand_still(lasts).await,
        _ => {}
    }
    let link = Connection {
        ending,
        tls: tls.is_some(),
        ..Connection::default()
    };
    match tls {
        None => talk(&device, wire, &link).await,
        Some(acceptor) => match acceptor.accept(wire).await {
            Ok(stream) => talk(&device, stream, &link).await,
            Err(_) => device.recorder.record(|j| j.tls_failures += 1),
        },
    }
    link.plan.get().cloned()
}

/// Whether the client begins with a TLS handshake record.
async fn begins_tls(tcp: &TcpStream) -> bool {
    let mut first = [0];
    matches!(tcp.peek(&mut first).await, Ok(1)) && first == [0x16]
}

/// One request and its response; then the server closes (section 2).
async fn talk<S>(device: &Arc<DeviceCore>, stream: S, link: &Connection)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service =
        service_fn(|request| admission::answer(Arc::clone(device), link.clone(), request));
    // An error means that a fault or the client ended the connection.
    let _ = http1::Builder::new()
        .keep_alive(false)
        // A client that has sent less than it promised is still told 406.
        .half_close(true)
        // Some of the vendor's own clients know headers by this spelling alone.
        .title_case_headers(true)
        // Not every device knows the date.
        .auto_date_header(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
