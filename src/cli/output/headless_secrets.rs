//! Prompts for secrets that are typed during a run without the dashboard, one at a time. The run goes on while a prompt
//! is open.

use std::future;
use std::io;

use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::config::secrets::prompt::{self, TerminalPrompter};
use crate::config::secrets::secret_store::Prompter as _;
use crate::engine::{DeviceState, Fleet, Intent};
use crate::model::{DeviceId, LinkTrust, Secret};

/// Where a person is asked.
#[derive(Default)]
pub(in crate::cli) struct HeadlessPrompt {
    open: Option<Prompt>,
}

struct Prompt {
    device: DeviceId,
    typed: JoinHandle<io::Result<Zeroizing<String>>>,
}

impl HeadlessPrompt {
    /// Whether there is anybody to be asked.
    pub(in crate::cli) fn has_terminal() -> bool {
        prompt::has_terminal()
    }

    /// Opens the prompt of the first device that waits for its secret, unless one is open. Once the run
    /// is being stopped nobody is asked any more.
    pub(super) fn ask_next(&mut self, fleet: &Fleet) {
        if self.open.is_some() || fleet.stop().is_some() || fleet.secrets_wanted() == 0 {
            return;
        }
        if let Some(device) = fleet.devices().iter().find(|device| device.wants_secret()) {
            let text = question(device);
            self.open = Some(Prompt {
                device: device.id.clone(),
                typed: tokio::task::spawn_blocking(move || TerminalPrompter.ask(&text)),
            });
        }
    }

    /// What follows from the prompt that is open, once it has been answered; nothing where an empty line
    /// has to be asked for again. Safe to drop while waiting.
    pub(in crate::cli) async fn answer(&mut self) -> Option<Intent> {
        let Some(prompt) = &mut self.open else {
            return future::pending().await;
        };
        let typed = (&mut prompt.typed).await.map_err(io::Error::other);
        let device = prompt.device.clone();
        self.open = None;
        match typed.and_then(|typed| typed) {
            // No device has an empty passphrase, and each wrong one is counted there.
            Ok(text) if text.is_empty() => None,
            Ok(text) => Some(Intent::Answer(
                device,
                Secret::new(text.as_bytes().to_vec()),
            )),
            Err(error) => {
                tracing::error!(%device, %error, "no secret could be asked for: stopping this device");
                Some(Intent::Cancel(device))
            }
        }
    }
}

impl Drop for HeadlessPrompt {
    /// A prompt that was left open has switched the echo off.
    fn drop(&mut self) {
        if self.open.is_some() {
            prompt::restore();
        }
    }
}

fn question(device: &DeviceState) -> String {
    let again = if device.secret_refused() {
        "not accepted; once more: "
    } else {
        ""
    };
    match device.link {
        LinkTrust::Insecure => format!(
            "{again}passphrase of {} (its certificate is NOT checked)",
            device.id
        ),
        LinkTrust::Http => format!("{again}passphrase of {} (NOT encrypted)", device.id),
        _ => format!("{again}passphrase of {}", device.id),
    }
}
