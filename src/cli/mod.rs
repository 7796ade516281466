//! Arguments, wiring and the exit code.
//!
//! This room defines the commands and puts the other rooms together for each of them. The rules of an upgrade are in
//! `engine`, those of the inventory in `config`, the dashboard in `tui`.

mod args;
mod commands;
mod device_locks;
mod drift;
mod earlier_runs;
mod error;
mod evidence;
mod image_file;
mod journal_file;
mod journal_lines;
mod kept_logs;
mod load;
mod locks_and_secrets;
mod output;
mod process;
mod run_context;
pub mod scenario_verdict;
mod start_gate;
pub mod wiring;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::report::Exit;

pub use error::CliError;

use args::{AuditSaved, Cli, Command, Config};

/// Diagnostics are cut for this many columns.
const MESSAGE_WIDTH: usize = 100;

/// Shows an error with its sources and its hint on standard error.
fn print(error: &CliError) {
    let mut text = match error {
        CliError::Faults(faults) => {
            let color = io::stderr().is_terminal() && !output::show_session::no_color();
            format!("{}\n", faults.render(color, MESSAGE_WIDTH).trim_end())
        }
        other => format!("error: {}\n", crate::model::chain(other)),
    };
    if let Some(hint) = error.hint() {
        text.extend(["hint: ", &hint, "\n"]);
    }
    output::stderr_and_log::say(&text);
}

/// Runs the program; clap prints its own usage errors and ends with 2.
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // Also after a panic.
    let _finish = output::logging::Finish;
    if let Err(e) = process::limits::keep_memory_private() {
        output::stderr_and_log::say(&format!(
            "WARNING: core dumps stay on, and may hold secrets: {e}"
        ));
    }
    let done = load::say_inventory(&matches).and_then(|()| dispatch(&cli));
    done.unwrap_or_else(|error| {
        print(&error);
        Exit::Usage.into()
    })
}

fn dispatch(cli: &Cli) -> Result<ExitCode, CliError> {
    match &cli.command {
        Command::Plan(plan) => commands::run::plan(cli, plan).map(ExitCode::from),
        Command::Run(run) => commands::run::run(cli, run).map(ExitCode::from),
        Command::Resume(resume) => commands::resume::resume(cli, resume).map(ExitCode::from),
        Command::History(history) => commands::history::history(history),
        Command::Status(status) => commands::status::status(status),
        Command::Report(report) => commands::report::report(report),
        Command::Replay(replay) => commands::replay::replay(cli, replay),
        Command::Attach(attach) => commands::attach::attach(cli, attach),
        Command::Evidence(evidence) => commands::evidence::evidence(evidence),
        Command::Demo(demo) => commands::demo::demo(cli, demo),
        Command::Sim(sim) => commands::sim::sim(cli, sim),
        Command::Audit(audit) => match &audit.saved {
            Some(AuditSaved::Verify(args)) => commands::audit::verify(args),
            None => commands::audit::read_logs(cli, &audit.read).map(ExitCode::from),
        },
        Command::Fetch(fetch) => commands::fetch::fetch(cli, fetch).map(ExitCode::from),
        Command::Inspect(inspect) => commands::inspect::inspect(inspect),
        Command::Config(Config::Example) => commands::config::example(),
        Command::Config(Config::Init(init)) => commands::config_init::init(&init.file),
        Command::Config(Config::Schema) => commands::config::schema(),
        Command::Completions(args) => commands::shell::completions(args.shell),
        Command::Man(man) => commands::shell::man(man.dir.as_deref()),
        Command::Config(Config::Check(check)) => commands::config::check(check),
    }
}

/// The runtime that everything with a socket runs on.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}
