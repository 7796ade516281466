//! What a run needs before it may touch a device: locks the devices, reads the secrets, and restores the terminal if a prompt is
//! interrupted. The prompt itself is `config::secrets::prompt`.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::device_locks::{DeviceLocks, LocksRefused};
use super::output::headless_secrets::HeadlessPrompt;
use super::process::limits;
use super::{CliError, wiring};
use crate::config::secrets::prompt::{self, TerminalPrompter};
use crate::config::secrets::secret_store::SecretStore;
use crate::config::{self, Settings};
use crate::device::http::HttpDevice;
use crate::engine::StopSignal;
use crate::hem::kdf::check_master_words;
use crate::model::{AuthMethod, Credentials, DeviceId, DeviceSpec, Secret};

/// The adapters of all devices, with their secrets; nothing where an interrupt comes first. Nothing is sent yet.
pub(super) async fn devices_with_secrets(
    settings: &Settings,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> Result<Option<Vec<(DeviceId, HttpDevice)>>, CliError> {
    limits::ensure_files(settings.concurrency, settings.devices.len())?;
    let prompted = |spec: &&DeviceSpec| spec.auth.credentials() == Credentials::Prompt;
    if let Some(spec) = settings.devices.iter().find(prompted)
        && !HeadlessPrompt::has_terminal()
    {
        return Err(CliError::NoTerminalToAsk(spec.id.clone()));
    }
    let Some(secrets) = secrets(settings, interrupts).await? else {
        return Ok(None);
    };
    wiring::devices(settings, |spec| secrets.credential(spec)).map(Some)
}

/// Reads the secrets of the devices; nothing where an interrupt comes first.
async fn secrets(
    settings: &Settings,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> Result<Option<SecretStore>, CliError> {
    let (devices, hidden) = (settings.devices.clone(), settings.secret_variables.clone());
    let read = tokio::task::spawn_blocking(move || {
        SecretStore::resolve(
            &devices,
            &mut TerminalPrompter,
            &config::process_env,
            &hidden,
            &check_secret,
        )
    });
    tokio::select! {
        read = read => Ok(Some(read.map_err(io::Error::other)??)),
        Some(_) = interrupts.recv() => {
            // The prompt is still waiting, with the echo off.
            prompt::restore();
            Ok(None)
        }
    }
}

/// Locks the devices before anything else is done; false if an interrupt comes first.
pub(super) async fn take_locks(
    locks: &Arc<DeviceLocks>,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> Result<bool, CliError> {
    tokio::select! {
        taken = locks.take() => taken.map(|()| true).map_err(nothing_sent),
        Some(_) = interrupts.recv() => Ok(false),
    }
}

/// Locks that are refused before the first request.
pub(super) fn nothing_sent(refused: LocksRefused) -> CliError {
    let sent = "nothing was sent to any device";
    CliError::Locks { refused, sent }
}

/// Names a wrong word of a master key, or a wrong checksum, before anything is sent (section 6): by its
/// number, never the word itself.
fn check_secret(auth: &AuthMethod, secret: &Secret) -> Result<(), String> {
    match auth {
        AuthMethod::MasterWords(..) => {
            check_master_words(secret).map_err(|e| format!("no master key: {e}"))
        }
        _ => Ok(()),
    }
}
