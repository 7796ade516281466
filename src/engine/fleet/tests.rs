//! The reducer by itself: no task, no clock, no device. Each test is a table of messages and of the commands that
//! follow. This file has what the tests share; procedures are tested in `engine::tests`.

mod any_messages;
mod audit;
mod counting;
mod reopened;
mod starting;
mod stopping;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{
    AuditObstacle, AuditReport, AuditVerdict, Component, DeviceId, Doubt, Failure, FailureKind,
    LinkFault, LinkTrust, MaxFailures, Outcome, OutcomeKind, Payload, Rollout, RunId, Skip, Stage,
    Touched, Unproven, Verdict, VerdictKind,
};

use super::counts::FleetCounts;
use crate::engine::fixtures::{
    DeviceName as _, NEW, finished, install_begun, seed, started, version,
};
use crate::engine::tests::fake_device::image;

use crate::engine::{
    Audits, Command, DeviceFact, DevicePhase, Event, Fact, Fleet, Intent, Message, Mode, Phase,
    Resume, Stop, TaskEnd,
};

fn id(n: usize) -> DeviceId {
    n.id()
}

fn fleet(mode: Mode, concurrency: usize, devices: usize) -> Fleet {
    let seeds = (0..devices).map(|n| seed(n, LinkTrust::Ca));
    let run = RunId::from_random([0; 4]);
    Fleet::new(
        run,
        Payload::from(image()).facts(),
        mode,
        concurrency,
        seeds,
    )
}

/// One device, begun.
fn one(mode: Mode) -> Fleet {
    let mut fleet = fleet(mode, 1, 1);
    wish(&mut fleet, Intent::Begin);
    fleet
}

fn wish(fleet: &mut Fleet, intent: Intent) -> Vec<Command> {
    fleet.update(&Message::Intent(intent))
}

fn tell(fleet: &mut Fleet, n: usize, attempt: u32, fact: DeviceFact) -> Vec<Command> {
    fleet.update(&Message::Event(Event {
        at: Timestamp::UNIX_EPOCH,
        fact: Fact::Device {
            device: id(n),
            attempt,
            fact,
        },
    }))
}

fn lost(fleet: &mut Fleet, attempt: u32, how: TaskEnd) -> Vec<Command> {
    fleet.update(&Message::TaskLost {
        device: id(0),
        attempt,
        how,
    })
}

/// What the session makes of [`Command::Finish`]; the other commands are handed back.
fn carry_out_finishes(fleet: &mut Fleet, commands: Vec<Command>) -> Vec<Command> {
    let mut others = Vec::new();
    for command in commands {
        if let Command::Finish {
            device,
            attempt,
            outcome,
        } = command
        {
            others.extend(fleet.update(&Message::Event(Event {
                at: Timestamp::UNIX_EPOCH,
                fact: Fact::Device {
                    device,
                    attempt,
                    fact: finished(outcome),
                },
            })));
        } else {
            others.push(command);
        }
    }
    others
}

fn ended(stage: Stage, failure: Option<FailureKind>) -> DeviceFact {
    DeviceFact::StageFinished {
        stage,
        try_no: 1,
        took: Duration::ZERO,
        status: None,
        note: String::new(),
        failure,
    }
}

fn planned(verdict: Verdict) -> DeviceFact {
    DeviceFact::Planned {
        seen: None,
        verdict,
        refused: None,
    }
}

fn to_upgrade() -> DeviceFact {
    planned(Verdict::Upgrade { notes: Vec::new() })
}

fn unplugged() -> Failure {
    Failure {
        stage: Stage::Probe,
        kind: FailureKind::Link(LinkFault::Reset),
        touched: Touched::Nothing,
    }
}

fn plan(n: usize, attempt: u32) -> Command {
    Command::Plan {
        device: id(n),
        attempt,
        resume: None,
        takes_other: false,
        refused: Vec::new(),
    }
}

fn start(n: usize, attempt: u32) -> Command {
    Command::Start {
        device: id(n),
        attempt,
        resume: None,
        planned: None,
        takes_other: false,
        refused: Vec::new(),
    }
}

fn cancel(n: usize) -> Command {
    Command::Cancel { device: id(n) }
}

fn abort(n: usize) -> Command {
    Command::Abort { device: id(n) }
}

fn finish_command(n: usize, attempt: u32, outcome: Outcome) -> Command {
    Command::Finish {
        device: id(n),
        attempt,
        outcome,
    }
}

fn state(fleet: &Fleet, n: usize) -> &DevicePhase {
    &fleet.devices()[n].state
}

/// Every outcome, and what a further attempt is: none, from the probe, or only watching.
fn outcomes() -> Vec<(Outcome, Option<bool>)> {
    vec![
        (Outcome::Upgraded, None),
        (Outcome::Current, None),
        (Outcome::Skipped(Skip::Epa), None),
        (Outcome::Failed(unplugged()), Some(false)),
        (Outcome::RolledBack, Some(false)),
        (Outcome::Unproven(Unproven::NoSignature), Some(false)),
        (Outcome::Cancelled(Touched::ImageStaged), Some(false)),
        (Outcome::Lost, Some(true)),
        (Outcome::Unknown(Doubt::AnswerLost), Some(true)),
        (Outcome::Unknown(Doubt::StoppedWatching), Some(true)),
        (Outcome::Unproven(Unproven::RebootNotSeen), Some(true)),
    ]
}

fn returned(judged: Outcome) -> DeviceFact {
    DeviceFact::Returned {
        component: Component::Firmware,
        version: Box::new(version(NEW)),
        outcome: Some(judged),
    }
}

/// Upgraded and proven, but not confirmed by its log, and that is required.
fn unconfirmed() -> Outcome {
    Outcome::Failed(Failure {
        stage: Stage::Audit,
        kind: FailureKind::NotConfirmed {
            what: "missing".to_owned(),
        },
        touched: Touched::InstallSent,
    })
}
