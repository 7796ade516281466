//! The question for a secret at the controlling terminal, without echo. The terminal is restored whenever another
//! process gets it, for a while or for good. Which secret is asked for is up to `secret_store`.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp, tcsetattr,
};
use zeroize::Zeroizing;

use super::secret_store::Prompter;
use crate::model::printable;

/// The longest line that can be typed; terminals take no more.
const TYPED: usize = 4096;

/// How often it is looked whether the process has come to the foreground: nobody tells it.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 300_000_000,
};

/// Asks at the controlling terminal, whatever standard input and output are.
#[derive(Debug, Default)]
pub struct TerminalPrompter;

impl Prompter for TerminalPrompter {
    fn ask(&mut self, text: &str) -> io::Result<Zeroizing<String>> {
        let mut tty = terminal()?;
        let _open = OpenQuestion::begin(tty.try_clone()?, text.to_owned())?;
        let mut line = Zeroizing::new(Vec::with_capacity(TYPED));
        let mut byte = Zeroizing::new([0]);
        // Byte by byte, so that no buffer keeps a copy; never more than there is room for, so that it does
        // not move either.
        while line.len() < TYPED {
            wait_for_input(&tty)?;
            match tty.read(&mut *byte) {
                Ok(0) if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(0) => break,
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) => line.push(byte[0]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        String::from_utf8(std::mem::take(&mut *line))
            .map(Zeroizing::new)
            .map_err(|e| {
                drop(Zeroizing::new(e.into_bytes()));
                io::Error::new(io::ErrorKind::InvalidData, "what was typed is not UTF-8")
            })
    }
}

/// Whether there is a terminal to ask at.
pub fn has_terminal() -> bool {
    terminal().is_ok_and(|tty| tcgetattr(&tty).is_ok())
}

fn terminal() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/tty")
}

/// The question that is open; a process has one terminal, and asks one at a time.
static QUESTION: Mutex<Option<Question>> = Mutex::new(None);

struct Question {
    tty: File,
    text: String,
    /// How the terminal was set before.
    was: Termios,
    terminal: Owner,
}

/// Who has the terminal just now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Ours,
    /// The shell, because the process is about to be stopped, or is.
    Stopped,
    /// The shell, until the process comes to the foreground.
    Background,
}

fn question() -> MutexGuard<'static, Option<Question>> {
    QUESTION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes the question when dropped.
struct OpenQuestion;

impl OpenQuestion {
    fn begin(tty: File, text: String) -> io::Result<Self> {
        let was = tcgetattr(&tty)?;
        let new = Question {
            tty,
            text,
            was,
            terminal: Owner::Ours,
        };
        let mut open = question();
        new.ask()?;
        *open = Some(new);
        Ok(Self)
    }
}

impl Drop for OpenQuestion {
    fn drop(&mut self) {
        if let Some(open) = question().take()
            && open.terminal == Owner::Ours
        {
            open.give_back();
        }
    }
}

impl Question {
    /// Asks, or asks again. The echo is off before the question is there: who is quick, or a program that waits for
    /// the question, would else see the secret on the screen. Ctrl-C stays a signal, which others listen for.
    fn ask(&self) -> io::Result<()> {
        let mut silent = self.was.clone();
        silent.local_modes -= LocalModes::ECHO;
        // Enter shows, so that what follows stands on a line of its own.
        silent.local_modes |= LocalModes::ECHONL;
        tcsetattr(&self.tty, OptionalActions::Now, &silent)?;
        show(&self.text, &mut &self.tty)
    }

    fn give_back(&self) {
        // A terminal that is gone needs nothing back.
        let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.was);
    }

    /// Gives the terminal to somebody else, and nothing that was typed so far with it.
    fn hand_over(&self) {
        let _ = tcflush(&self.tty, QueueSelector::IFlush);
        self.give_back();
        let _ = (&self.tty).write_all(b"\n");
    }

    fn is_foreground(&self) -> bool {
        tcgetpgrp(&self.tty).is_ok_and(|group| group == getpgrp())
    }
}

/// Shows a question in one piece: a run's own lines may come at any time, and would stand in the middle of it.
fn show(text: &str, to: &mut impl io::Write) -> io::Result<()> {
    to.write_all(format!("{}: ", printable(text, 200)).as_bytes())
}

/// Lends the terminal to the shell, because the process is about to be stopped. Does nothing where no question is
/// open, as do the others here.
pub fn suspend() {
    if let Some(open) = question().as_mut()
        && open.terminal == Owner::Ours
    {
        open.hand_over();
        open.terminal = Owner::Stopped;
    }
}

/// The process goes on: asks again, with the echo off again, also where it was stopped without a word before. Not in
/// the background; there it is done once the process comes to the foreground.
pub fn resume() {
    if let Some(open) = question().as_mut() {
        open.terminal = Owner::Background;
        take_again(open);
    }
}

fn take_again(open: &mut Question) {
    if open.is_foreground() {
        // What was typed before is not the beginning of what is typed now.
        let _ = tcflush(&open.tty, QueueSelector::IFlush);
        if open.ask().is_ok() {
            open.terminal = Owner::Ours;
        }
    }
}

/// Closes the question for good, and gives the terminal back; its answer is not waited for any more.
pub fn restore() {
    if let Some(open) = question().take()
        && open.terminal == Owner::Ours
    {
        open.hand_over();
    }
}

/// Waits until something can be read, and is ours to be read: a process in the background that reads is stopped.
fn wait_for_input(tty: &File) -> io::Result<()> {
    loop {
        let lent = question().as_mut().is_some_and(|open| {
            if open.terminal == Owner::Background {
                take_again(open);
            }
            open.terminal != Owner::Ours
        });
        // What is typed meanwhile is for others.
        let events = if lent {
            PollFlags::empty()
        } else {
            PollFlags::IN
        };
        let mut fds = [PollFd::new(tty, events)];
        match poll(&mut fds, Some(&LOOK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            // Where it was hung up, reading says so.
            Ok(_) if !fds[0].revents().intersects(PollFlags::IN) => return Ok(()),
            // The wait may have begun before the terminal was lent: what came then is for the shell.
            Ok(_) if is_ours() => return Ok(()),
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Whether what can be read is an answer; a question that finds itself in the background is lent from now on.
fn is_ours() -> bool {
    let mut question = question();
    let Some(open) = question.as_mut() else {
        // Closed for good: the answer is not waited for any more.
        return true;
    };
    if open.terminal == Owner::Ours && !open.is_foreground() {
        open.terminal = Owner::Background;
    }
    open.terminal == Owner::Ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_written_in_one_piece() {
        struct Writes(Vec<String>);
        impl io::Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(String::from_utf8_lossy(bytes).into_owned());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writes = Writes(Vec::new());
        show("passphrase of vault-01", &mut writes).unwrap();
        assert_eq!(writes.0, ["passphrase of vault-01: "]);
    }
}
