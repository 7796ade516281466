//! How OpenSSH is started for a jump host: without a terminal, secrets or questions.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use tokio::process::Command;

use crate::device::http::link_fault;
use crate::model::{LinkFault, SshJump, printable};

/// The longest message of ssh that is kept.
pub(super) const MAX_TEXT: usize = 300;

/// How ssh is run for one jump host.
#[derive(Debug)]
pub(super) struct SshCommand {
    pub(super) destination: SshJump,
    /// Before all other arguments.
    pub(super) arguments: Vec<OsString>,
    /// Variables of the environment that it does not get.
    pub(super) hidden: Arc<[String]>,
}

impl SshCommand {
    /// The arguments of every ssh. `--` and the destination still have to follow.
    pub(super) fn arguments(&self, options: &[String]) -> Vec<OsString> {
        let mut arguments = self.arguments.clone();
        arguments.push("-oBatchMode=yes".into());
        arguments.extend(options.iter().map(OsString::from));
        arguments
    }

    /// A command that cannot reach the terminal.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for name in self.hidden.iter() {
            command.env_remove(name);
        }
        command
            // Unlike BatchMode, this also reaches the ssh that a ProxyJump starts: its questions go to a program
            // that always declines.
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            // Ctrl-C in a terminal goes to the whole process group; it must not break connections of
            // devices that are being brought to a safe point.
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// The fault of this jump host, in the words of ssh.
    pub(super) fn fault(&self, reason: &str) -> LinkFault {
        LinkFault::Ssh {
            jump: self.destination.to_string(),
            reason: printable(reason, MAX_TEXT),
        }
    }

    pub(super) fn not_run(&self, error: &io::Error) -> LinkFault {
        match link_fault::local(error) {
            Some(local) => local.into(),
            None => self.fault(&format!("cannot be run: {error}")),
        }
    }
}
