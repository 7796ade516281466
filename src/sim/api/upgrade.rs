//! The firmware's endpoints ([section 7](crate::hem#7-firmware-upgrade)), the reboot and the shutdown. Reboots are
//! carried out in `device/lifecycle.rs`.

use std::time::Duration;

use super::answer::{Answer, Gone};
use super::call::Call;
use super::upload_and_check::{self, Component, wrong_state};
use crate::hem::intel_hex::{self, HexFault};
use crate::model::{ImageFormat, MAX_IMAGE_BYTES};
use crate::sim::device::device_core::World;
use crate::sim::device::recorder::Recording;
use crate::sim::device::staging::{Slot, Staged};
use crate::sim::device::state::{BootPlan, DeviceState};
use crate::sim::firmware_images::{self, Firmware};
use crate::sim::script::fault_point::FaultPoint;

/// The firmware, as a component: `bin`, or the same image as `hex`.
pub(in crate::sim) struct Image;

impl Component for Image {
    type Finding = Firmware;
    const VERIFICATION: FaultPoint = FaultPoint::Verification;
    const TAKES: Duration = Duration::from_secs(20);

    fn slot(state: &mut DeviceState) -> &mut Slot<Firmware> {
        &mut state.staged
    }

    fn uploads(recording: &mut Recording) -> &mut u32 {
        &mut recording.uploads
    }

    fn takes(name: &str) -> bool {
        format(name).is_some()
    }

    fn finds(name: &str) -> bool {
        format(name).is_some_and(|f| f.upload_name() == name)
    }

    /// Footer, key and Ed25519 signature.
    fn verify(world: &World, staged: &Staged) -> Option<Firmware> {
        match format(&staged.name)? {
            ImageFormat::Binary => firmware_images::verify(&staged.bytes, &world.version),
            ImageFormat::IntelHex => {
                let image = intel_hex::decode(&staged.bytes).ok()?;
                firmware_images::verify(&image, &world.version)
            }
        }
    }
}

/// The format that a file name's extension stands for.
fn format(name: &str) -> Option<ImageFormat> {
    match name.rsplit_once('.')?.1 {
        "bin" => Some(ImageFormat::Binary),
        "hex" => Some(ImageFormat::IntelHex),
        _ => None,
    }
}

/// Whether the decoded image is over 3 MiB.
fn over_3_mib(hex: &[u8]) -> bool {
    matches!(intel_hex::decode(hex), Err(e) if e.fault == HexFault::TooLarge)
}

/// `POST /api/system/upgrade/upload_fw`.
pub(in crate::sim) async fn upload(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let (name, length) = match upload_and_check::announced::<Image>(call) {
        Ok(announced) => announced,
        Err(answered) => return answered,
    };
    let is_hex = format(&name) == Some(ImageFormat::IntelHex);
    // The other error path that closes the connection with no response.
    if !is_hex && length > MAX_IMAGE_BYTES as u64 {
        return Err(Gone::Closed);
    }
    let bytes = match upload_and_check::read::<Image>(call, length).await {
        Ok(bytes) => bytes,
        Err(answered) => return answered,
    };
    if is_hex && over_3_mib(&bytes) {
        return Err(Gone::Closed);
    }
    // Devices that hold the fleet's own image share one copy.
    let image = &call.device.world.image;
    let bytes = if *image == bytes {
        image.clone()
    } else {
        bytes.into()
    };
    Ok(upload_and_check::stage::<Image>(call.device, name, bytes))
}

/// `GET /api/system/upgrade/install_fw`. `admission` writes the audit entry, as a scripted refusal leaves one, too.
pub(in crate::sim) fn install(call: &Call<'_>) -> Answer {
    if wrong_state(call.device) {
        return Answer::status(409);
    }
    let mut state = call.device.state();
    let Some(firmware) = state.staged.verified().cloned() else {
        return Answer::status(406);
    };
    let acts = state.faults.strike_all(FaultPoint::Boot);
    let plan = BootPlan::install(firmware, &state.running, acts);
    state.installing = true;
    drop(state);
    call.device.recorder.record(|j| j.installs_executed += 1);
    // A connection carries one request, so that no other reboot can be planned on it.
    let _ = call.plan.set(plan);
    Answer::status(200)
}

/// `GET /api/system/upgrade/usbmode`: boots into the bootloader. As nobody sends anything over USB here, the device
/// comes up again as it was.
pub(super) fn usbmode(call: &Call<'_>) -> Answer {
    if wrong_state(call.device) {
        return Answer::status(409);
    }
    plan_reboot(call, BootPlan::default())
}

/// `GET /api/system/reboot`.
pub(in crate::sim) fn reboot(call: &Call<'_>) -> Answer {
    plan_reboot(call, BootPlan::default())
}

/// `GET /api/system/shutdown`: gone for good, as nobody plugs it in again.
pub(in crate::sim) fn shutdown(call: &Call<'_>) -> Answer {
    plan_reboot(
        call,
        BootPlan {
            never: true,
            ..BootPlan::default()
        },
    )
}

fn plan_reboot(call: &Call<'_>, plan: BootPlan) -> Answer {
    let mut state = call.device.state();
    if state.installing {
        return Answer::status(409);
    }
    state.installing = true;
    drop(state);
    let _ = call.plan.set(plan);
    Answer::status(200)
}
