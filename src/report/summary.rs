//! The last words on a run, on the normal screen: how each device stands now. It follows the dashboard as well as plain
//! lines, and does not repeat what they said on the way.

use std::io::{self, Write};

use jiff::Timestamp;

use super::style::{LineStyle, paint};
use super::{Exit, phrases};
use crate::engine::{DeviceState, Fleet, Mode, audit_hint};
use crate::model::{
    AuditReport, AuditVerdict, DeviceId, Outcome, OutcomeKind, Touched, human_duration,
};

/// How the summary is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Whether to write in colour.
    pub color: bool,
    /// The code that the process will end with, explained in the last line; absent where somebody
    /// else explains it (the demo has codes of its own).
    pub exit: Option<Exit>,
}

/// Writes how the run ended: first and loudly that it was halted, which devices have an audit log that contradicts, and
/// which are in doubt; then those that are not well with stage, reason, what was touched and what to do, then
/// what the audit logs leave open, the counts, the duration and the exit code. After `hemfleet audit` only
/// the last line or two.
///
/// `now` counts as the end of a run whose last event has not come.
pub fn print_summary(
    fleet: &Fleet,
    now: Timestamp,
    style: Summary,
    out: &mut impl Write,
) -> io::Result<()> {
    if matches!(fleet.mode(), Mode::Audit { .. }) {
        // The table has named each device with what became of it.
        return closing(fleet, now, style, out);
    }
    if let Some(halt) = fleet.run_halt().filter(|halt| halt.harm > 0) {
        let loud = halt.to_string();
        writeln!(out, "{}", paint(style.color, Some(LineStyle::Bad), &loud))?;
        writeln!(out)?;
    }
    contradicted(fleet, style.color, out)?;
    let doubtful: Vec<&DeviceState> = phrases::in_doubt(fleet).collect();
    if !doubtful.is_empty() {
        let names: Vec<&str> = doubtful.iter().map(|device| device.id.as_str()).collect();
        let loud = format!(
            "IN DOUBT: {} had the install sent and did not show what became of it: {}",
            phrases::devices(names.len()),
            names.join(", ")
        );
        writeln!(out, "{}", paint(style.color, Some(LineStyle::Bad), &loud))?;
        for device in doubtful {
            describe(device, style.color, out)?;
        }
        writeln!(out)?;
    }
    let mut unwell = fleet
        .devices()
        .iter()
        .filter(|device| {
            !phrases::is_in_doubt(device) && device.outcome().is_some_and(wants_a_look)
        })
        .peekable();
    if unwell.peek().is_some() {
        writeln!(
            out,
            "{}",
            paint(
                style.color,
                Some(LineStyle::Heading),
                "Not upgraded, or not proven:"
            )
        )?;
        for device in unwell {
            describe(device, style.color, out)?;
        }
        writeln!(out)?;
    }
    left_alone(fleet, out)?;
    if !fleet.not_asked().is_empty() {
        let names: Vec<&str> = fleet.not_asked().iter().map(DeviceId::as_str).collect();
        let who = names.join(", ");
        writeln!(
            out,
            "left out (could not be asked what is offered to them): {who}"
        )?;
    }
    audits(fleet, out)?;
    closing(fleet, now, style, out)
}

fn wants_a_look(outcome: &Outcome) -> bool {
    !is_left_alone(outcome)
        && !matches!(outcome.kind(), OutcomeKind::Upgraded | OutcomeKind::Current)
}

/// One device with its outcome, what was touched and what to do next.
fn describe(device: &DeviceState, color: bool, out: &mut impl Write) -> io::Result<()> {
    let Some(outcome) = device.outcome() else {
        return writeln!(
            out,
            "  {}: left while the install or the reboot was watched",
            device.id
        );
    };
    let kind = outcome.kind();
    let at = outcome
        .stage()
        .map_or_else(String::new, |stage| format!(" at {stage}"));
    let word = paint(
        color,
        Some(LineStyle::of(kind)),
        &kind.words().to_uppercase(),
    );
    writeln!(out, "  {}: {word}{at}: {}", device.id, outcome.reason())?;
    writeln!(out, "    touched: {}", touched(device, outcome))?;
    if let Some(hint) = outcome.hint() {
        writeln!(out, "    hint: {hint}")?;
    }
    Ok(())
}

/// What was done to the device, and what that leaves it with where this is certain.
fn touched(device: &DeviceState, outcome: &Outcome) -> String {
    let touched = outcome.touched();
    let before = device.from_label();
    let runs = match (outcome, touched, before) {
        (Outcome::Unproven(_), _, _) => device.to_label().map(|to| format!("; reports {to}")),
        (Outcome::RolledBack, _, Some(from)) => Some(format!("; runs {from} as before")),
        (_, Touched::InstallSent, Some(from)) => Some(format!("; ran {from} before")),
        // A device out of reach may run something else by now: perhaps another hemfleet has just installed on it.
        (Outcome::Failed(f), _, Some(from)) if f.is_out_of_reach() => {
            Some(format!("; ran {from} when it was last seen"))
        }
        (_, _, Some(from)) => Some(format!("; still runs {from}")),
        (_, _, None) => None,
    };
    format!("{touched}{}", runs.unwrap_or_default())
}

/// Devices of which only the names are worth saying, with one line for each reason.
fn left_alone(fleet: &Fleet, out: &mut impl Write) -> io::Result<()> {
    let mut groups: Vec<(&Outcome, Vec<&str>)> = Vec::new();
    for device in fleet.devices() {
        let Some(outcome) = device.outcome().filter(|outcome| is_left_alone(outcome)) else {
            continue;
        };
        match groups.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, names)) => names.push(device.id.as_str()),
            None => groups.push((outcome, vec![device.id.as_str()])),
        }
    }
    for (outcome, names) in groups {
        let who = who(fleet, &names);
        writeln!(out, "{} ({}): {who}", outcome.kind(), outcome.reason())?;
    }
    Ok(())
}

/// The devices whose audit log contradicts their upgrade, whatever they ended as: an alarm.
fn contradicted(fleet: &Fleet, color: bool, out: &mut impl Write) -> io::Result<()> {
    let devices: Vec<&DeviceState> = fleet
        .devices()
        .iter()
        .filter(|device| device.log_contradicts())
        .collect();
    if devices.is_empty() {
        return Ok(());
    }
    let head = match devices.len() {
        1 => "the audit log of 1 device contradicts its upgrade".to_owned(),
        n => format!("the audit logs of {n} devices contradict their upgrades"),
    };
    let head = format!("LOG CONTRADICTS: {head}");
    writeln!(out, "{}", paint(color, Some(LineStyle::Bad), &head))?;
    for (device, report) in devices.into_iter().filter_map(with_report) {
        let ended = device.outcome_kind().map_or("running", OutcomeKind::words);
        let (id, verdict) = (&device.id, &report.verdict);
        let over = report.over().unwrap_or_default();
        let file = report
            .file
            .as_ref()
            .map_or_else(String::new, |f| format!("file {f}, "));
        writeln!(out, "  {id} ({ended}): {file}{verdict}; {over}")?;
        if let Some(hint) = audit_hint(verdict) {
            writeln!(out, "    hint: {hint}")?;
        }
    }
    writeln!(out)
}

fn with_report(device: &DeviceState) -> Option<(&DeviceState, &AuditReport)> {
    device.audit.as_deref().map(|report| (device, report))
}

/// What the audit logs leave open: one line for each reason is enough.
fn audits(fleet: &Fleet, out: &mut impl Write) -> io::Result<()> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (device, report) in fleet.devices().iter().filter_map(with_report) {
        let why = match &report.verdict {
            AuditVerdict::Confirmed { .. }
            | AuditVerdict::Refused { .. }
            | AuditVerdict::Contradicted { .. } => continue,
            AuditVerdict::Missing { .. } => "audit missing (no entry of this upgrade)".to_owned(),
            AuditVerdict::Unavailable(why) => format!("audit unavailable ({why})"),
        };
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(device.id.as_str()),
            None => groups.push((why, vec![device.id.as_str()])),
        }
    }
    for (why, names) in groups {
        writeln!(out, "{why}: {}", who(fleet, &names))?;
    }
    Ok(())
}

fn who(fleet: &Fleet, names: &[&str]) -> String {
    if names.len() == fleet.devices().len() {
        "all devices".to_owned()
    } else {
        names.join(", ")
    }
}

fn is_left_alone(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Skipped(_)
            | Outcome::Cancelled(Touched::Nothing)
            | Outcome::Halted(Touched::Nothing)
    )
}

fn closing(fleet: &Fleet, now: Timestamp, style: Summary, out: &mut impl Write) -> io::Result<()> {
    let whole = || {
        let end = fleet.ended().unwrap_or(now);
        std::time::Duration::try_from(end.duration_since(fleet.started()?)).ok()
    };
    // A screen may have stood open long after the last device; of a plan there is nothing else.
    let took = fleet
        .elapsed(now)
        .or_else(whole)
        .map_or_else(String::new, |took| format!(" in {}", human_duration(took)));
    let how = if fleet.stop().is_some() {
        "stopped"
    } else if Exit::of(fleet) == Exit::Halted {
        "halted"
    } else {
        "finished"
    };
    writeln!(
        out,
        "{}",
        paint(
            style.color,
            Some(LineStyle::Heading),
            &format!(
                "run {} {how}{took}: {} of {}",
                fleet.run(),
                phrases::counts(&fleet.counts()),
                phrases::devices(fleet.devices().len())
            )
        )
    )?;
    if let Some(audits) = phrases::audits(&fleet.audits()) {
        writeln!(out, "audit logs: {audits}")?;
    }
    match style.exit {
        Some(exit) => writeln!(out, "exit code {}: {}", exit.code(), exit.meaning(fleet)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Intent;
    use crate::engine::fixtures::TestRun;
    use crate::model::{
        AuditObstacle, Doubt, Failure, FailureKind, Skip, Stage, Unproven, Verdict,
    };
    use crate::report::fixtures::{self, unplugged};

    fn written(run: &TestRun, color: bool) -> String {
        let exit = Some(Exit::of(&run.fleet));
        let mut out = Vec::new();
        print_summary(&run.fleet, run.now, Summary { color, exit }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn who_could_not_be_asked_is_named_and_explains_the_exit_code() {
        let mut run = fixtures::run(Mode::Go, 1);
        run.leave_out(&[fixtures::id(7)]);
        run.begin();
        fixtures::upgrade(&mut run, 0);
        run.end();
        let said = written(&run, false);
        let wanted = "left out (could not be asked what is offered to them): vault-08\n";
        assert!(said.contains(wanted), "{said}");
        let last = said.lines().last().unwrap();
        assert!(
            last.starts_with("exit code 1: some device could not be asked"),
            "{last}"
        );
    }

    #[test]
    fn what_a_device_out_of_reach_runs_by_now_is_not_claimed() {
        let mut run = fixtures::run(Mode::Go, 2);
        run.begin();
        for (n, kind) in [(0, unplugged()), (1, FailureKind::WrongSecret)] {
            run.planned_upgrade(n, &[]);
            let failure = Failure {
                stage: Stage::Login,
                kind,
                touched: Touched::Nothing,
            };
            run.finish(n, Outcome::Failed(failure));
        }
        run.end();
        let said = written(&run, false);
        let touched: Vec<&str> = said.lines().filter(|l| l.contains("touched:")).collect();
        let [gone, there] = touched[..] else {
            panic!("{said}")
        };
        assert!(gone.ends_with(" when it was last seen"), "{gone}");
        assert!(there.contains("; still runs "), "{there}");
    }

    #[test]
    fn all_well_is_two_lines() {
        let mut run = fixtures::run(Mode::Go, 2);
        run.begin();
        fixtures::upgrade(&mut run, 0);
        run.planned(1, Verdict::Current);
        run.finish(1, Outcome::Current);
        run.end();
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn what_the_logs_say_is_told_even_where_every_device_is_upgraded() {
        let mut run = fixtures::run(Mode::Go, 6);
        run.begin();
        let broker = || fixtures::unavailable(AuditObstacle::NoBroker);
        for (n, report) in [
            fixtures::confirmed(),
            fixtures::contradicted(),
            fixtures::unverified(),
            broker(),
            fixtures::missing(),
            broker(),
        ]
        .into_iter()
        .enumerate()
        {
            fixtures::upgrade_to_log(&mut run, n);
            run.audit(n, report);
            run.finish(n, Outcome::Upgraded);
        }
        run.end();
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn a_log_that_contradicts_comes_before_everything_else() {
        let mut run = fixtures::run(Mode::Go, 3);
        run.begin();
        run.finish(0, Outcome::Lost);
        fixtures::refuse(&mut run, 1);
        fixtures::upgrade_to_log(&mut run, 2);
        run.audit(2, fixtures::contradicted());
        run.finish(2, Outcome::Upgraded);
        run.end();
        let text = written(&run, false);
        let first: Vec<&str> = text.lines().take(2).collect();
        assert_eq!(
            first[0],
            "LOG CONTRADICTS: the audit log of 1 device contradicts its upgrade"
        );
        assert!(
            first[1].starts_with("  vault-03 (upgraded): file 62310ba5, "),
            "{text}"
        );
        assert_eq!(text.matches("vault-03").count(), 1, "{text}");
    }

    #[test]
    fn every_outcome() {
        let mut run = fixtures::run(Mode::Go, 9);
        run.begin();
        fixtures::upgrade(&mut run, 0);
        fixtures::refuse(&mut run, 1);
        for n in [2, 3, 4, 5, 8] {
            run.planned_upgrade(n, &[]);
        }
        run.finish(2, Outcome::Lost);
        run.finish(3, Outcome::RolledBack);
        run.finish(4, Outcome::Unknown(Doubt::AnswerLost));
        run.returned(5);
        let now = "bm90IHRo".to_owned();
        run.finish(5, Outcome::Unproven(Unproven::OtherSignature { now }));
        run.finish(6, Outcome::Skipped(Skip::Epa));
        run.finish(7, Verdict::from(unplugged()).outcome().unwrap());
        run.finish(8, Outcome::Cancelled(Touched::ImageStaged));
        run.end();
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn an_interrupted_run_with_a_device_under_way() {
        let mut run = fixtures::run(Mode::Go, 3);
        run.begin();
        run.start(0, crate::model::Stage::Reboot, 1);
        run.intend(Intent::Interrupt);
        run.intend(Intent::Interrupt);
        run.finish(1, Outcome::Cancelled(Touched::Nothing));
        run.pass(2500);
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn a_plan_that_nobody_confirmed_is_two_lines_and_a_code() {
        let mut run = fixtures::run(Mode::Confirm, 40);
        run.begin();
        for n in 0..40 {
            run.planned_upgrade(n, &[]);
        }
        run.intend(Intent::Interrupt);
        for n in 0..40 {
            run.finish(n, Outcome::Cancelled(Touched::Nothing));
        }
        run.end();
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn colour_only_where_wanted() {
        let mut run = fixtures::run(Mode::Go, 1);
        run.begin();
        run.finish(0, Outcome::Lost);
        assert!(!written(&run, false).contains('\x1b'));
        assert!(written(&run, true).starts_with("\x1b[31mIN DOUBT"));
    }

    #[test]
    fn a_code_that_somebody_else_explains_is_left_to_them() {
        let mut run = fixtures::run(Mode::Go, 1);
        run.begin();
        run.finish(0, Outcome::Upgraded);
        let mut out = Vec::new();
        let style = Summary {
            color: false,
            exit: None,
        };
        print_summary(&run.fleet, run.now, style, &mut out).unwrap();
        assert!(!String::from_utf8(out).unwrap().contains("exit code"));
    }
}
