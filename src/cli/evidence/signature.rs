//! Signs and verifies the manifest by OpenSSH's `ssh-keygen -Y`: without a shell, without a terminal, and for a limited
//! time. Nothing is asked: a key with a passphrase has to be in an agent.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::model::printable;

/// What a signature is for, so that one for something else fits nothing here.
pub(super) const NAMESPACE: &str = "hemfleet-evidence";
/// How long `ssh-keygen` may take: a key in hardware may wait for a finger.
const LIMIT: Duration = Duration::from_secs(60);
/// Longest text of `ssh-keygen` that is shown.
const MAX_TEXT: usize = 300;
/// Signers that are tried at most, of those that the file has for one key.
const MAX_SIGNERS: usize = 100;

/// Why a signature does not count.
#[derive(Debug)]
pub(super) enum BadSignature {
    /// It is not good, in words.
    Wrong(String),
    /// `ssh-keygen` cannot be run.
    NotRun(io::Error),
}

/// The signature of a file.
pub(super) fn sign(file: &Path, key: &Path) -> Result<Vec<u8>, String> {
    let run = |command: &mut Command| {
        command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key);
    };
    let output = ssh_keygen(file, run).map_err(|e| format!("ssh-keygen cannot be run: {e}"))?;
    if output.status.success() && output.stdout.starts_with(b"-----BEGIN SSH SIGNATURE-----") {
        return Ok(output.stdout);
    }
    Err(words(&output))
}

/// Who of the `signers` signed the file.
pub(super) fn signer(
    file: &Path,
    signature: &Path,
    signers: &Path,
) -> Result<String, BadSignature> {
    let find = |command: &mut Command| {
        command.args(["-Y", "find-principals", "-s"]).arg(signature);
        command.arg("-f").arg(signers);
    };
    let found = ssh_keygen(file, find).map_err(BadSignature::NotRun)?;
    if !found.status.success() {
        let why = format!(
            "nobody of {} signed it ({})",
            signers.display(),
            words(&found)
        );
        return Err(BadSignature::Wrong(why));
    }
    let mut last = None;
    // A line of the file may have several names for one key.
    let names = String::from_utf8_lossy(&found.stdout).into_owned();
    for name in names
        .lines()
        .flat_map(|line| line.split(','))
        .take(MAX_SIGNERS)
    {
        let verify = |command: &mut Command| {
            command.args(["-Y", "verify", "-n", NAMESPACE, "-s"]);
            command.arg(signature).arg("-f").arg(signers);
            command.arg("-I").arg(name.trim());
        };
        let output = ssh_keygen(file, verify).map_err(BadSignature::NotRun)?;
        if output.status.success() {
            return Ok(printable(name.trim(), MAX_TEXT));
        }
        last = Some(words(&output));
    }
    Err(BadSignature::Wrong(
        last.unwrap_or_else(|| "nobody signed it".to_owned()),
    ))
}

/// By which key the file is signed, whosever that is.
pub(super) fn key(file: &Path, signature: &Path) -> Result<String, BadSignature> {
    let check = |command: &mut Command| {
        command.args(["-Y", "check-novalidate", "-n", NAMESPACE, "-s"]);
        command.arg(signature);
    };
    let output = ssh_keygen(file, check).map_err(BadSignature::NotRun)?;
    if !output.status.success() {
        return Err(BadSignature::Wrong(words(&output)));
    }
    let said = words_of(&output.stdout);
    let key = said
        .split_whitespace()
        .find(|word| word.starts_with("SHA256:"));
    Ok(key.unwrap_or("an unknown key").to_owned())
}

/// Runs it with `file` as its standard input.
fn ssh_keygen(file: &Path, arguments: impl FnOnce(&mut Command)) -> io::Result<Output> {
    let mut command = Command::new("ssh-keygen");
    arguments(&mut command);
    command
        .stdin(File::open(file)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its questions go to a program that always declines; and from a group of its own it cannot read the terminal.
        .env("SSH_ASKPASS", "false")
        .env("SSH_ASKPASS_REQUIRE", "force")
        .process_group(0)
        .kill_on_drop(true);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let done = tokio::time::timeout(LIMIT, command.spawn()?.wait_with_output()).await;
        done.unwrap_or_else(|_| {
            let limit = humantime::format_duration(LIMIT);
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it did not end within {limit}"),
            ))
        })
    })
}

/// What it said of why not.
fn words(output: &Output) -> String {
    let said = words_of(&output.stderr);
    if said.is_empty() {
        return format!("ssh-keygen ended with {}", output.status);
    }
    said
}

fn words_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    printable(lines.join("; ").trim_end_matches("; "), MAX_TEXT)
}
