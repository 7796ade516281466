//! `hemfleet config init`: asks a few questions and writes an inventory. Each answer is judged by loading what the
//! inventory would be with it. What it says of each key in full is in `config.example.toml`.

mod draft;

use std::io::{self, BufRead, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use self::draft::{Draft, Route};
use crate::cli::CliError;
use crate::cli::output::plain_stdout::plain_stdout;
use crate::cli::output::stderr_and_log::say;
use crate::cli::process::private_file;
use crate::model::{counted, printable};

/// `hemfleet config init`.
pub(in crate::cli) fn init(path: &Path) -> Result<ExitCode, CliError> {
    let exists = || CliError::Exists(path.to_owned());
    if path.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let stdin = io::stdin();
    let mut asking = Asking {
        is_terminal: stdin.is_terminal(),
        answers: stdin.lock(),
        draft: Draft::new(path),
    };
    asking.fleet()?;
    asking.login()?;
    asking.devices()?;
    let Asking { draft, .. } = asking;
    let written = private_file::new_file(path, draft.text().as_bytes());
    written.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => exists(),
        _ => CliError::Unwritten {
            path: path.to_owned(),
            source: e,
        },
    })?;
    let shown = path.display();
    let devices = counted(draft.devices.len(), "device", "devices");
    writeln!(
        plain_stdout(),
        "{shown}: written, with {devices}. Next: hemfleet config check -c {shown}"
    )?;
    if let Some(variable) = &draft.variable {
        writeln!(plain_stdout(), "Set {variable} before that.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The questions, and what the answers have come to.
struct Asking<R> {
    is_terminal: bool,
    answers: R,
    draft: Draft,
}

impl<R: BufRead> Asking<R> {
    fn fleet(&mut self) -> Result<(), CliError> {
        self.ask(
            "Firmware image (empty: named later, with --firmware)",
            "",
            |draft, answer| {
                let path = || draft.seen_from_inventory(answer);
                draft.firmware = (!answer.is_empty()).then(path);
                Ok(())
            },
        )?;
        self.ask(
            "How are the devices reached: direct, proxy or ssh",
            "direct",
            |draft, answer| {
                draft.route = match answer {
                    "direct" => Route::Direct,
                    // Until the next question.
                    "proxy" => Route::Proxy("socks5h://localhost:1080".to_owned()),
                    "ssh" => Route::Ssh,
                    _ => return Err("say direct, proxy or ssh".to_owned()),
                };
                Ok(())
            },
        )?;
        if let Route::Proxy(_) = self.draft.route {
            self.ask(
                "The proxy, such as socks5h://jump-7:1080",
                "",
                |draft, answer| {
                    draft.route = Route::Proxy(answer.to_owned());
                    Ok(())
                },
            )?;
        }
        self.ask(
            "Their URL, by the name in their certificates",
            "https://my.ence.do",
            |draft, answer| {
                answer.clone_into(&mut draft.url);
                Ok(())
            },
        )
    }

    fn login(&mut self) -> Result<(), CliError> {
        self.ask(
            "How does one log in: none, prompt, passphrase, master_words, mobile or token",
            "prompt",
            |draft, answer| {
                answer.clone_into(&mut draft.kind);
                draft.has_secret = matches!(answer, "passphrase" | "master_words" | "token");
                Ok(())
            },
        )?;
        if !self.draft.has_secret {
            return Ok(());
        }
        self.ask(
            "The environment variable that holds the secret (empty: it is typed)",
            "",
            |draft, answer| {
                draft.variable = (!answer.is_empty()).then(|| answer.to_owned());
                Ok(())
            },
        )
    }

    fn devices(&mut self) -> Result<(), CliError> {
        loop {
            let n = self.draft.devices.len() + 1;
            let (question, default) = match n {
                1 => ("Name of the first device", "vault-01"),
                _ => ("Name of the next device (empty: no more)", ""),
            };
            self.ask(question, default, |draft, answer| {
                if !answer.is_empty() {
                    draft.add(answer);
                }
                Ok(())
            })?;
            if self.draft.devices.len() < n {
                return Ok(());
            }
            let question = match self.draft.route {
                Route::Ssh => "The host it is plugged into, as ssh takes it",
                _ => "Where it is reached, as host:port (empty: by the URL)",
            };
            self.ask(question, "", |draft, answer| {
                if let Some(device) = draft.devices.last_mut() {
                    answer.clone_into(&mut device.address);
                }
                Ok(())
            })?;
        }
    }

    /// Asks until the answer fits; an empty one is the default. Where nobody sits at a terminal, an answer that does
    /// not fit ends it, and the end of the input answers with the defaults.
    fn ask(
        &mut self,
        question: &str,
        default: &str,
        take: impl Fn(&mut Draft, &str) -> Result<(), String>,
    ) -> Result<(), CliError> {
        loop {
            let shown = if default.is_empty() {
                format!("{question}: ")
            } else {
                format!("{question} [{default}]: ")
            };
            let typed = self.read(&shown)?;
            let answer = match typed.trim() {
                "" => default,
                answer => answer,
            };
            let mut draft = self.draft.clone();
            let why = match take(&mut draft, answer) {
                Ok(()) => draft.fault(),
                Err(why) => Some(why),
            };
            let Some(why) = why else {
                self.draft = draft;
                return Ok(());
            };
            if !self.is_terminal {
                return Err(CliError::Answer {
                    question: question.to_owned(),
                    answer: printable(answer, 100),
                    why,
                });
            }
            say(&format!("{why}\n"));
        }
    }

    /// One line; what was asked and answered shows on standard error in any case.
    fn read(&mut self, question: &str) -> Result<String, CliError> {
        say(question);
        let mut line = String::new();
        let n = self.answers.read_line(&mut line)?;
        if !self.is_terminal {
            say(&format!("{}\n", printable(line.trim(), 100)));
        } else if n == 0 {
            say("\n");
            return Err(CliError::NotAnswered);
        }
        Ok(line)
    }
}
