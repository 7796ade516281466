//! The management app's endpoints (section 8). The app's file is made and verified in `device/management_app.rs`.

use std::time::Duration;

use super::answer::{Answer, Gone};
use super::call::Call;
use super::component::{self, Component, wrong_state};
use crate::sim::device::firmware;
use crate::sim::device::management_app::{self, FILE};
use crate::sim::device::recorder::Recording;
use crate::sim::device::simulated::{Hardware, World};
use crate::sim::device::staging::{Slot, Staged};
use crate::sim::device::state::InnerState;
use crate::sim::script::device::UisScript;
use crate::sim::script::fault_point::FaultPoint;

/// The app, as a component.
pub(super) struct ManagementApp;

impl Component for ManagementApp {
    type Finding = String;
    const VERIFICATION: FaultPoint = FaultPoint::UiVerification;
    /// Slow: the vendor waits 20 to 60 s before it asks at all.
    const TAKES: Duration = Duration::from_secs(40);

    fn slot(machine: &mut InnerState) -> &mut Slot<String> {
        &mut machine.staged_app
    }

    fn uploads(journal: &mut Recording) -> &mut u32 {
        &mut journal.ui_uploads
    }

    fn takes(name: &str) -> bool {
        name.rsplit_once('.').is_some_and(|(_, end)| end == "tar")
    }

    fn finds(name: &str) -> bool {
        name == FILE
    }

    fn verify(_: &World, staged: &Staged) -> Option<String> {
        management_app::verify(&staged.bytes)
    }
}

/// What the device reports of the app that it serves.
pub(super) fn reported(unit: &Hardware, machine: &InnerState) -> String {
    match unit.script.uis {
        UisScript::Version => machine.uis.clone(),
        UisScript::SignerKey => firmware::fwk().to_string(),
    }
}

/// `POST /api/system/upgrade/upload_ui`.
pub(in crate::sim) async fn upload(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let (name, length) = match component::announced::<ManagementApp>(call) {
        Ok(announced) => announced,
        Err(answered) => return answered,
    };
    match component::read::<ManagementApp>(call, length).await {
        Ok(bytes) => Ok(component::stage::<ManagementApp>(
            call.unit,
            name,
            bytes.into(),
        )),
        Err(answered) => answered,
    }
}

/// `GET /api/system/upgrade/install_ui`. Its audit entry is written by `api`, as the firmware's is.
pub(in crate::sim) fn install(call: &Call<'_>) -> Answer {
    if wrong_state(call.unit) {
        return Answer::status(409);
    }
    let mut machine = call.unit.machine();
    let Some(uis) = machine.staged_app.verified().cloned() else {
        return Answer::status(406);
    };
    machine.uis = uis;
    machine.staged_app = Slot::empty();
    drop(machine);
    call.unit.recorder.note(|j| j.ui_installs_executed += 1);
    Answer::status(200)
}
