//! Commands that print a secret. Each runs in its own process group, without the other secrets in its environment,
//! for a limited time, and ends with this process at the latest. It cannot use the terminal, which belongs to the
//! prompts and the dashboard.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};
use zeroize::Zeroizing;

use super::secret_reader::{first_line, read_bounded};
use crate::config::diagnostic::quoted;
use crate::config::environment::reason;
use crate::config::toml::single_values::{ValueError, ValueResult};
use crate::model::Secret;

/// How long a command may take to say a secret: it may be asking a person for the key to its store, in a
/// window of its own.
const LIMIT: Duration = Duration::from_secs(120);

/// A companion in the group of the command: it reads standard input, where nothing ever comes, and at its
/// end kills the group, itself included. That end comes when this process ends, however it does.
const LEASH: &str = "trap '' HUP INT QUIT TERM TSTP; read -r _; kill -9 0";

/// How commands are run.
pub(super) struct Commands<'h> {
    /// Variables that hold secrets.
    hidden: &'h [String],
}

/// A command that runs, and the companion that ends it with this process.
struct Running {
    command: Child,
    group: Pid,
    companion: Option<(Child, Option<ChildStdin>)>,
}

impl<'h> Commands<'h> {
    /// Commands that do not see the variables `hidden`.
    pub(super) fn without(hidden: &'h [String]) -> Self {
        Self { hidden }
    }

    /// The first line of what a command writes.
    pub(super) fn run(&self, words: &[String]) -> ValueResult<Secret> {
        self.run_within(words, LIMIT)
    }

    fn run_within(&self, words: &[String], limit: Duration) -> ValueResult<Secret> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(ValueError::new("an empty command"));
        };
        let name = quoted(program);
        let mut running = self.start(program, arguments).map_err(|e| {
            ValueError::new(format!("cannot run the command {name}: {}", reason(&e)))
                .hint("no shell is involved: the first word is the program, looked up in PATH")
        })?;
        let output = running.output_within(limit);
        // Whoever has said all, or too much, is not waited for: it has ended, or is ended now.
        let status = running.end();
        let output = output.map_err(|e| {
            let error = ValueError::new(format!("the command {name}: {}", reason(&e)));
            match e.kind() {
                io::ErrorKind::TimedOut => error
                    .hint("run it by hand: it may wait for an answer that nobody gives here"),
                io::ErrorKind::WouldBlock => error.hint(
                    "a command cannot ask in the terminal here: unlock its store before, or let it ask \
                     in a window of its own, as gpg's agent does",
                ),
                _ => error,
            }
        })?;
        let status =
            status.map_err(|e| ValueError::new(format!("the command {name}: {}", reason(&e))))?;
        if !status.success() {
            return Err(
                ValueError::new(format!("the command {name} ended with {status}"))
                    .hint("run it by hand: its first line of output is the secret"),
            );
        }
        first_line(&output).ok_or_else(|| {
            ValueError::new(format!("the command {name} wrote no secret"))
                .hint("its first line of standard output is the secret")
        })
    }

    fn start(&self, program: &str, arguments: &[String]) -> io::Result<Running> {
        // Standard error is the person's: gpg and its like say there what they want.
        let command = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let number = i32::try_from(command.id()).map_err(io::Error::other)?;
        let group = Pid::from_raw(number).ok_or_else(|| io::Error::other("no process number"))?;
        let mut running = Running {
            command,
            group,
            companion: None,
        };
        let mut companion = self
            .command("/bin/sh")
            .args(["-c", LEASH])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(number)
            .spawn()?;
        let leash = companion.stdin.take();
        running.companion = Some((companion, leash));
        Ok(running)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for name in self.hidden {
            command.env_remove(name);
        }
        command
    }
}

impl Running {
    /// What a command writes until it ends. It is read on a thread of its own, which is left behind where
    /// somebody outside of the group keeps the pipe open: nothing waits for that one.
    fn output_within(&mut self, limit: Duration) -> io::Result<Zeroizing<Vec<u8>>> {
        let no_output = || io::Error::other("no standard output");
        let mut stdout = self.command.stdout.take().ok_or_else(no_output)?;
        let group = self.group;
        let (done, output) = mpsc::sync_channel(2);
        let stopped = done.clone();
        thread::Builder::new().spawn(move || {
            let read = read_bounded(&mut stdout)
                .and_then(|bytes| await_change(group, WaitIdOptions::EXITED).map(|_| bytes));
            // Nobody takes it any more where the limit is over.
            let _ = done.send(read);
        })?;
        thread::Builder::new().spawn(move || tell_if_stopped(group, &stopped))?;
        output.recv_timeout(limit).map_err(|_| {
            let limit = humantime::format_duration(limit);
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it did not end within {limit}"),
            )
        })?
    }

    /// Ends the whole group, and collects the two that are children of this process.
    fn end(&mut self) -> io::Result<std::process::ExitStatus> {
        // The command is not collected yet, so that its number is still its group's, and nobody else's.
        let _ = kill_process_group(self.group, Signal::KILL);
        if let Some((mut companion, _leash)) = self.companion.take() {
            let _ = companion.wait();
        }
        self.command.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.companion.is_some() || matches!(self.command.try_wait(), Ok(None)) {
            let _ = self.end();
        }
    }
}

/// Waits for what a process does next, and leaves it to be collected by `wait`, so that its number stays
/// its own.
fn await_change(pid: Pid, what: WaitIdOptions) -> io::Result<Option<WaitIdStatus>> {
    let options = what | WaitIdOptions::NOWAIT;
    Ok(retry_on_intr(|| waitid(WaitId::Pid(pid), options))?)
}

/// A command that wants the terminal is stopped by the kernel; it would stand there until the limit.
fn tell_if_stopped(pid: Pid, told: &SyncSender<io::Result<Zeroizing<Vec<u8>>>>) {
    let change = await_change(pid, WaitIdOptions::EXITED | WaitIdOptions::STOPPED);
    if let Ok(Some(status)) = change
        && status.stopped()
    {
        let stopped = io::Error::new(
            io::ErrorKind::WouldBlock,
            "it was stopped, as who reaches for the terminal is",
        );
        // Nobody takes it where the command has said all.
        let _ = told.send(Err(stopped));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    fn run(words: &[String], limit: Duration) -> ValueResult<Secret> {
        Commands::without(&[]).run_within(words, limit)
    }

    /// Waits until no process has this number any more.
    fn await_end(pid: &str) {
        for _ in 0..1000 {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "no event tells of a stranger's end"
            )]
            thread::sleep(Duration::from_millis(20));
        }
        panic!("process {pid} lives on after 20 s");
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        for words in [
            ["sleep", "600", "0"].map(str::to_owned).to_vec(),
            sh("echo hunter2; exec >&-; exec sleep 600"),
        ] {
            let error = run(&words, Duration::from_millis(300)).unwrap_err();
            assert!(error.message.ends_with("it did not end within 300ms"));
        }
    }

    #[test]
    fn what_a_command_began_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let began = |path: &Path| fs::read_to_string(path).unwrap().trim().to_owned();
        let script = format!("sleep 600 & echo $! >{0}; wait", file.display());
        run(&sh(&script), Duration::from_secs(2)).unwrap_err();
        await_end(&began(&file));
        // Also where the command itself has ended well.
        let script = format!(
            "sleep 600 >/dev/null & echo $! >{0}; echo hunter2",
            file.display()
        );
        let secret = run(&sh(&script), Duration::from_secs(60)).unwrap();
        assert_eq!(secret.expose(), b"hunter2");
        await_end(&began(&file));
    }

    #[test]
    fn a_command_that_is_stopped_is_not_waited_for() {
        let error = run(&sh("kill -STOP $$; echo x"), Duration::from_secs(60)).unwrap_err();
        assert!(
            error.message.contains("it was stopped"),
            "{}",
            error.message
        );
    }

    #[test]
    fn a_command_does_not_see_the_secrets_of_others() {
        // PATH is there in every environment; what it finds needs none.
        let hidden = ["PATH".to_owned()];
        let words = ["/bin/sh", "-c", "/usr/bin/env | /bin/grep -c ^PATH="].map(str::to_owned);
        let error = Commands::without(&hidden)
            .run_within(&words, LIMIT)
            .unwrap_err();
        // grep says 0, and ends with 1.
        assert!(
            error.message.contains("exit status: 1"),
            "{}",
            error.message
        );
    }
}
