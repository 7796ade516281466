//! The management app's endpoints ([section 8](crate::hem#8-management-app)). Its file is made and verified in
//! `management_app_file.rs`.

use std::time::Duration;

use super::answer::{Answer, Gone};
use super::call::Call;
use super::upload_and_check::{self, Component, wrong_state};
use crate::model::APP_UPLOAD_NAME;
use crate::sim::device::device_core::{DeviceCore, World};
use crate::sim::device::recorder::Recording;
use crate::sim::device::staging::{Slot, Staged};
use crate::sim::device::state::DeviceState;
use crate::sim::firmware_images;
use crate::sim::management_app_file;
use crate::sim::script::device::UisScript;
use crate::sim::script::fault_point::FaultPoint;

/// The app, as a component.
pub(super) struct ManagementApp;

impl Component for ManagementApp {
    type Finding = String;
    const VERIFICATION: FaultPoint = FaultPoint::UiVerification;
    /// Slow: the vendor's client waits 20 to 60 s before its first poll.
    const TAKES: Duration = Duration::from_secs(40);

    fn slot(state: &mut DeviceState) -> &mut Slot<String> {
        &mut state.staged_app
    }

    fn uploads(recording: &mut Recording) -> &mut u32 {
        &mut recording.ui_uploads
    }

    fn takes(name: &str) -> bool {
        name.rsplit_once('.').is_some_and(|(_, end)| end == "tar")
    }

    fn finds(name: &str) -> bool {
        name == APP_UPLOAD_NAME
    }

    fn verify(_: &World, staged: &Staged) -> Option<String> {
        management_app_file::verify(&staged.bytes)
    }
}

/// What the device reports of the app that it serves.
pub(super) fn reported(device: &DeviceCore, state: &DeviceState) -> String {
    match device.script.uis {
        UisScript::Version => state.uis.clone(),
        UisScript::SignerKey => firmware_images::fwk().to_string(),
    }
}

/// `POST /api/system/upgrade/upload_ui`.
pub(in crate::sim) async fn upload(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let (name, length) = match upload_and_check::announced::<ManagementApp>(call) {
        Ok(announced) => announced,
        Err(answered) => return answered,
    };
    match upload_and_check::read::<ManagementApp>(call, length).await {
        Ok(bytes) => Ok(upload_and_check::stage::<ManagementApp>(
            call.device,
            name,
            bytes.into(),
        )),
        Err(answered) => answered,
    }
}

/// `GET /api/system/upgrade/install_ui`. `admission` writes the audit entry.
pub(in crate::sim) fn install(call: &Call<'_>) -> Answer {
    if wrong_state(call.device) {
        return Answer::status(409);
    }
    let mut state = call.device.state();
    let Some(uis) = state.staged_app.verified().cloned() else {
        return Answer::status(406);
    };
    state.uis = uis;
    state.staged_app = Slot::empty();
    drop(state);
    call.device.recorder.record(|j| j.ui_installs_executed += 1);
    Answer::status(200)
}
