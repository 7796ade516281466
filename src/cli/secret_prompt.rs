//! The secrets of a run, with the terminal given back whatever happens at a prompt.
//! Must not: read a secret itself (that is `config`).

use std::io;

use tokio::sync::mpsc;

use crate::config::secrets::prompt;
use crate::config::secrets::prompt::TerminalPrompter;
use crate::config::secrets::source::SecretStore;
use crate::config::{self, Settings};
use crate::hem::kdf::check_master_words;
use crate::model::{AuthMethod, Secret};

use super::Refusal;

/// Reads the secrets of the devices; nothing where an interrupt came first.
pub(super) async fn secrets(
    settings: &Settings,
    interrupts: &mut mpsc::Receiver<()>,
) -> Result<Option<SecretStore>, Refusal> {
    let (devices, hidden) = (settings.devices.clone(), settings.secret_variables.clone());
    let read = tokio::task::spawn_blocking(move || {
        SecretStore::resolve(
            &devices,
            &mut TerminalPrompter,
            &config::process_env,
            &hidden,
            &judge,
        )
    });
    tokio::select! {
        read = read => Ok(Some(read.map_err(io::Error::other)??)),
        Some(()) = interrupts.recv() => {
            // The prompt is still waiting, with the echo off.
            prompt::restore();
            Ok(None)
        }
    }
}

/// Names a wrong word of a master key, or a wrong checksum, before anything is sent (section 6): by its
/// number, never the word itself.
fn judge(auth: &AuthMethod, secret: &Secret) -> Result<(), String> {
    match auth {
        AuthMethod::MasterWords(..) => {
            check_master_words(secret).map_err(|e| format!("no master key: {e}"))
        }
        _ => Ok(()),
    }
}
