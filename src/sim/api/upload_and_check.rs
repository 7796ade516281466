//! Uploading and checking a component: what firmware and management app have in common
//! (sections [7](crate::hem#7-firmware-upgrade) and [8](crate::hem#8-management-app)).
//!
//! What was uploaded is kept in `device/staging.rs`. Installing is in `upgrade` and `management_app`.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::header::CONTENT_DISPOSITION;
use tokio::time::Instant;

use super::answer::{Answer, Gone, stand_still};
use super::call::{Call, content_length};
use crate::sim::device::device_core::{DeviceCore, World};
use crate::sim::device::recorder::Recording;
use crate::sim::device::staging::{Check, Slot, Staged};
use crate::sim::device::state::DeviceState;
use crate::sim::script::fault::Act;
use crate::sim::script::fault_point::FaultPoint;

/// A part of the device that can be upgraded.
pub(in crate::sim) trait Component {
    /// What a verification finds out about a valid file.
    type Finding: Clone + Send + 'static;
    /// Where faults of the verification strike.
    const VERIFICATION: FaultPoint;
    /// How long it takes, where the scenario does not say.
    const TAKES: Duration;

    fn slot(state: &mut DeviceState) -> &mut Slot<Self::Finding>;
    /// Where complete uploads are counted.
    fn uploads(recording: &mut Recording) -> &mut u32;
    /// Whether an upload of this name is accepted. The check may still not find it.
    fn takes(name: &str) -> bool;
    /// Whether the check finds a file of this name.
    fn finds(name: &str) -> bool;
    fn verify(world: &World, staged: &Staged) -> Option<Self::Finding>;
}

/// Whether there is a latched fault or a running install (section 3: 409).
pub(super) fn wrong_state(device: &DeviceCore) -> bool {
    let state = device.state();
    state.fls_state != 0 || state.installing
}

/// Name and length from the head of an upload, or how a wrong head is answered.
pub(super) fn announced<C: Component>(call: &Call<'_>) -> Result<(String, u64), Answered> {
    let Some(name) = file_name(call) else {
        return Err(Ok(Answer::status(413)));
    };
    if wrong_state(call.device) {
        return Err(Ok(Answer::status(409)));
    }
    // One of the error paths that close the connection with no response.
    if !C::takes(&name) {
        return Err(Err(Gone::Closed));
    }
    let length = content_length(call.request.headers()).unwrap_or(0);
    Ok((name, length))
}

/// An upload ends with this.
pub(super) type Answered = Result<Answer, Gone>;

/// Reads an upload to its end. What was staged before is overwritten from here on.
pub(in crate::sim) async fn read<C: Component>(
    call: &mut Call<'_>,
    length: u64,
) -> Result<Vec<u8>, Answered> {
    *C::slot(&mut call.device.state()) = Slot::empty();
    match receive(call, length).await {
        Ok(Received::Whole(bytes)) => Ok(bytes),
        Ok(Received::Short) => Err(Ok(Answer::status(406))),
        Ok(Received::Refused(status)) => Err(Ok(Answer::status(status))),
        Err(gone) => Err(Err(gone)),
    }
}

/// Stages what was read; 200.
pub(in crate::sim) fn stage<C: Component>(
    device: &DeviceCore,
    name: String,
    bytes: Bytes,
) -> Answer {
    let mut number = 0;
    device.recorder.record(|recording| {
        let uploads = C::uploads(recording);
        *uploads += 1;
        number = *uploads;
    });
    C::slot(&mut device.state()).stage(Staged {
        bytes,
        name,
        number,
    });
    Answer::status(200)
}

fn file_name(call: &Call<'_>) -> Option<String> {
    let text = call.request.headers().get(CONTENT_DISPOSITION)?;
    let name = text.to_str().ok()?.split_once("filename=")?.1;
    let name = name.split(';').next().unwrap_or_default();
    let name = name.trim().trim_matches('"');
    (!name.is_empty()).then(|| name.to_owned())
}

enum Received {
    Whole(Vec<u8>),
    /// The body ended early.
    Short,
    /// A fault of the scenario.
    Refused(u16),
}

/// Reads the body at the device's rate. The client gets its `100 Continue` only now, after everything that could
/// refuse the upload.
async fn receive(call: &mut Call<'_>, length: u64) -> Result<Received, Gone> {
    let began = Instant::now();
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    let mut trap = Trap::of(call.act.as_ref());
    loop {
        if trap.is_due(bytes.len()) {
            match trap.spring(call).await? {
                Some(status) => return Ok(Received::Refused(status)),
                None => trap = Trap::none(),
            }
        }
        let frame = match call.request.body_mut().frame().await {
            None => break,
            Some(Err(_)) => return Ok(Received::Short),
            Some(Ok(frame)) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        call.exchange.received(data.len() as u64);
        bytes.extend_from_slice(&data);
        if let Some(rate) = call.device.script.upload_rate {
            let micros = (bytes.len() as u64).saturating_mul(1_000_000) / rate;
            tokio::time::sleep_until(began + Duration::from_micros(micros)).await;
        }
    }
    if bytes.is_empty() || (bytes.len() as u64) < length {
        return Ok(Received::Short);
    }
    Ok(Received::Whole(bytes))
}

/// A fault that strikes after a number of bytes.
struct Trap(Option<(u64, Act)>);

impl Trap {
    fn none() -> Self {
        Self(None)
    }

    fn of(act: Option<&Act>) -> Self {
        Self(match act {
            Some(
                act @ (Act::Status { after, .. }
                | Act::Reset { after }
                | Act::Close { after }
                | Act::Stall { after, .. }),
            ) if *after > 0 => Some((*after, act.clone())),
            _ => None,
        })
    }

    fn is_due(&self, received: usize) -> bool {
        matches!(self.0, Some((after, _)) if received as u64 >= after)
    }

    /// The status to answer with; `None` where the upload goes on.
    async fn spring(&self, call: &mut Call<'_>) -> Result<Option<u16>, Gone> {
        match &self.0 {
            Some((_, Act::Status { status, .. })) => Ok(Some(*status)),
            Some((_, Act::Reset { .. })) => Err(Gone::Reset),
            Some((_, Act::Close { .. })) => Err(Gone::Closed),
            Some((_, Act::Stall { lasts, .. })) => {
                call.exchange.abandoned();
                stand_still(*lasts).await;
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

/// `check_fw` and `check_ui`: the first call starts the verification, further calls poll it.
pub(in crate::sim) async fn check<C: Component>(call: &Call<'_>) -> Answer {
    let device = call.device;
    if wrong_state(device) {
        return Answer::status(409);
    }
    let staged = {
        let mut state = device.state();
        let slot = C::slot(&mut state);
        // The check finds the file only by the name that an upload should use.
        let found = |s: &&Staged| C::finds(&s.name);
        let Some(staged) = slot.staged.as_ref().filter(found).cloned() else {
            return Answer::status(404);
        };
        if !matches!(slot.check, Check::Idle) {
            return Answer::status(poll::<C>(device, &mut slot.check));
        }
        staged
    };
    let number = staged.number;
    let act = device.strike(C::VERIFICATION);
    let finding = match act {
        Some(Act::Fail) => None,
        _ => verify::<C>(device, staged).await,
    };
    let mut state = device.state();
    let slot = C::slot(&mut state);
    // Another upload may have come in between, in violation of section 2.
    if slot.staged.as_ref().is_none_or(|s| s.number != number) {
        return Answer::status(409);
    }
    slot.check = Check::Running {
        since: Instant::now(),
        polls: 0,
        endless: act == Some(Act::Endless),
        finding,
    };
    Answer::status(201)
}

/// The real verification, off the async threads.
async fn verify<C: Component>(device: &DeviceCore, staged: Staged) -> Option<C::Finding> {
    let world = std::sync::Arc::clone(&device.world);
    let verified = tokio::task::spawn_blocking(move || C::verify(&world, &staged));
    verified.await.ok().flatten()
}

/// Polls a verification: 202, 200 or 406.
fn poll<C: Component>(device: &DeviceCore, check: &mut Check<C::Finding>) -> u16 {
    let script = &device.script;
    let takes = || {
        script
            .check
            .map_or_else(|| device.world.delay(C::TAKES), |own| own.0)
    };
    check.poll(|since, polls| {
        script
            .check_polls
            .map_or_else(|| since.elapsed() >= takes(), |wanted| polls >= wanted)
    })
}
