//! The firmware upgrade's endpoints (section 7) and the reboot.
//! Must not: carry the reboot out; that is `life`.

use http_body_util::BodyExt as _;
use hyper::header::CONTENT_DISPOSITION;
use tokio::time::{Duration, Instant};

use super::answer::{Answer, Gone, stand_still};
use super::api::{Call, content_length};
use super::fault::{Act, Point};
use super::firmware::{self, Firmware};
use super::machine::{BootPlan, Check, Staged};
use super::unit::Unit;
use crate::hem::intel_hex::{self, HexFault};
use crate::model::{ImageFormat, MAX_IMAGE_BYTES};

/// How long a verification takes, where the scenario does not say.
const CHECK: Duration = Duration::from_secs(20);

/// A latched fault, or an install that runs (section 3: 409).
fn wrong_state(unit: &Unit) -> bool {
    let machine = unit.machine();
    machine.fls_state != 0 || machine.installing
}

/// `POST /api/system/upgrade/upload_fw`.
pub(super) async fn upload(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let Some(name) = file_name(call) else {
        return Ok(Answer::status(413));
    };
    if wrong_state(call.unit) {
        return Ok(Answer::status(409));
    }
    let length = content_length(call.request.headers()).unwrap_or(0);
    // The two error paths that close the connection with no response.
    let Some(format) = format(&name) else {
        return Err(Gone::Closed);
    };
    if format == ImageFormat::Binary && length > MAX_IMAGE_BYTES as u64 {
        return Err(Gone::Closed);
    }
    // Whatever was staged before, its file is written over from here on.
    {
        let mut machine = call.unit.machine();
        machine.staged = None;
        machine.check = Check::Idle;
    }
    let bytes = match receive(call, length).await? {
        Received::Whole(bytes) => bytes,
        Received::Short => return Ok(Answer::status(406)),
        Received::Refused(status) => return Ok(Answer::status(status)),
    };
    if format == ImageFormat::IntelHex && over_3_mib(&bytes) {
        return Err(Gone::Closed);
    }
    // The fleet's own image is kept once, however many devices hold it.
    let image = &call.unit.world.image;
    let bytes = if *image == bytes {
        image.clone()
    } else {
        bytes.into()
    };
    let mut number = 0;
    call.unit.recorder.note(|j| {
        j.uploads += 1;
        number = j.uploads;
    });
    call.unit.machine().staged = Some(Staged {
        bytes,
        name,
        number,
    });
    Ok(Answer::status(200))
}

/// The format that a file name's ending stands for.
fn format(name: &str) -> Option<ImageFormat> {
    match name.rsplit_once('.')?.1 {
        "bin" => Some(ImageFormat::Binary),
        "hex" => Some(ImageFormat::IntelHex),
        _ => None,
    }
}

/// The 3 MiB are the decoded image's.
fn over_3_mib(hex: &[u8]) -> bool {
    matches!(intel_hex::decode(hex), Err(e) if e.fault == HexFault::TooLarge)
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

/// Reads the body, at the device's rate. Only now, after all that could refuse it, does the client
/// learn with a `100 Continue` that it may send.
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
        if let Some(rate) = call.unit.script.upload_rate {
            let micros = (bytes.len() as u64).saturating_mul(1_000_000) / rate;
            tokio::time::sleep_until(began + Duration::from_micros(micros)).await;
        }
    }
    if bytes.is_empty() || (bytes.len() as u64) < length {
        return Ok(Received::Short);
    }
    Ok(Received::Whole(bytes))
}

/// A fault that waits for so many bytes.
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

    /// The status to answer with, or none where the upload goes on.
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

/// `GET /api/system/upgrade/check_fw`.
pub(super) async fn check(call: &Call<'_>) -> Answer {
    let unit = call.unit;
    if wrong_state(unit) {
        return Answer::status(409);
    }
    let staged = {
        let mut machine = unit.machine();
        // The check finds the file by the very name that an upload should have given it.
        let found = |s: &&Staged| format(&s.name).is_some_and(|f| f.upload_name() == s.name);
        let Some(staged) = machine.staged.as_ref().filter(found).cloned() else {
            return Answer::status(404);
        };
        if !matches!(machine.check, Check::Idle) {
            return Answer::status(poll(unit, &mut machine.check));
        }
        staged
    };
    let number = staged.number;
    let act = unit.strike(Point::Verification);
    let finding = match act {
        Some(Act::Fail) => None,
        _ => verify(unit, staged).await,
    };
    let mut machine = unit.machine();
    // Another upload may have come in between, against section 2.
    if machine.staged.as_ref().is_none_or(|s| s.number != number) {
        return Answer::status(409);
    }
    machine.check = Check::Running {
        since: Instant::now(),
        polls: 0,
        endless: act == Some(Act::Endless),
        finding,
    };
    Answer::status(201)
}

/// The real verification: footer, key and Ed25519 signature, off the async threads.
async fn verify(unit: &Unit, staged: Staged) -> Option<Firmware> {
    let version = unit.world.version.clone();
    let verified = tokio::task::spawn_blocking(move || match format(&staged.name)? {
        ImageFormat::Binary => firmware::verify(&staged.bytes, &version),
        ImageFormat::IntelHex => {
            let image = intel_hex::decode(&staged.bytes).ok()?;
            firmware::verify(&image, &version)
        }
    });
    verified.await.ok().flatten()
}

/// A further call: 202, 200 or 406; the last two again and again.
fn poll(unit: &Unit, check: &mut Check) -> u16 {
    if let Check::Running {
        since,
        polls,
        endless,
        finding,
    } = check
    {
        let done = match unit.script.check_polls {
            Some(wanted) => *polls >= wanted,
            None => since.elapsed() >= check_time(unit),
        };
        if *endless || !done {
            *polls += 1;
            return 202;
        }
        *check = Check::Done(finding.take());
    }
    match check {
        Check::Done(Some(_)) => 200,
        _ => 406,
    }
}

fn check_time(unit: &Unit) -> Duration {
    let own = unit.script.check.map(|p| p.0);
    own.unwrap_or_else(|| unit.world.delay(CHECK))
}

/// `GET /api/system/upgrade/install_fw`. The audit entry of each answer is written by `api`, for refusals of
/// a scenario leave one as well.
pub(super) fn install(call: &Call<'_>) -> Answer {
    if wrong_state(call.unit) {
        return Answer::status(409);
    }
    let mut machine = call.unit.machine();
    let Check::Done(Some(firmware)) = &machine.check else {
        return Answer::status(406);
    };
    let firmware = firmware.clone();
    let plan = BootPlan::install(firmware, machine.faults.strike_all(Point::Boot));
    machine.installing = true;
    drop(machine);
    call.unit.recorder.note(|j| j.installs_executed += 1);
    // One connection carries one request, so that nothing can have been planned over it before.
    let _ = call.plan.set(plan);
    Answer::status(200)
}

/// `GET /api/system/reboot`.
pub(super) fn reboot(call: &Call<'_>) -> Answer {
    let mut machine = call.unit.machine();
    if machine.installing {
        return Answer::status(409);
    }
    machine.installing = true;
    drop(machine);
    let _ = call.plan.set(BootPlan::default());
    Answer::status(200)
}
