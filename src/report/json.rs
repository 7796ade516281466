//! JSON lines: each event as one object on one line, for scripts.
//!
//! Every line has `schema`, `ts` (RFC 3339, milliseconds, UTC), `run` and `event`. Within one `schema`
//! fields are added, never renamed, removed or given another meaning: readers ignore what they do not
//! know. A field that does not fit an event is absent, never `null`. Durations end in `_ms`.
//!
//! | `event` | fields beside those four |
//! | --- | --- |
//! | `run_started` | `devices` (number), `concurrency`, `mode`, `image` (see [`JsonLines`]), `app` (`bytes`, `sha256`) |
//! | `device_planned` | device fields; `verdict`, `reason`, `code`, `hint`, `stage`, `status`, `from`, `to`, `from_fws`, `to_fws`, `link`, `group` |
//! | `stage_started` | device fields; `stage`, `try`. From `stage` = `install` on, the request may have been sent |
//! | `stage_progress` | device fields; `stage`, and `bytes`, `total` (upload) or `polls`, `status` (check) or `seen`, `normal_ms` (reboot) or `doing` (login, audit) |
//! | `stage_finished` | device fields; `stage`, `try`, `ok`, `took_ms`, `status`, `note`, and on failure `reason`, `code`, `hint` |
//! | `retry_scheduled` | device fields; `stage`, `try` (the next), `tries`, `wait_ms`, `reason`, `code`, `status` |
//! | `secret_wanted` | device fields: the login waits until somebody types the device's secret |
//! | `approval_requested` | device fields; `scope`, `until` (when it will be withdrawn), `note` (as the phone shows it) |
//! | `device_logged_in` | device fields; `scope`, `derivation` (where a key was derived) |
//! | `log_read` | device fields; `file`, `ok`, `entries`, `reason`, `code`, `link` (`hemfleet audit` only; `code` = `busy` is the running session's file, and no fault) |
//! | `device_audited` | device fields; `verdict`, `link`, `file`, `line`, `counter`, `reason`, `code`; before `device_finished` |
//! | `device_finished` | device fields; `outcome`, `reason`, `code`, `hint`, `stage`, `status`, `touched`, `from`, `to`, `from_fws`, `to_fws`, `took_ms`, `link`, `group` |
//! | `run_finished` | `devices`, `counts` (all outcomes), `verdicts` (plan only), `in_doubt` (names), `interrupted`, `exit_code`, `took_ms` |
//!
//! Device fields: `device` and `attempt`. The fact that an install begins or that a device is back has
//! no event of its own: `stage_started` of `install` and `device_finished` say it. `exit_code` is that
//! of a run or plan that ended like this; the demo exits by its scenario.
//!
//! Must not: write anything but these lines, or show what a device said unescaped (JSON escapes it).

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Exit, Reporter, words};
use crate::engine::{Counts, DeviceFact, Event, Fact, Fleet, Mode, Progress, Row};
use crate::model::{
    AppFacts, AuditReport, Derivation, DeviceId, FailureKind, ImageFacts, LogEnd, LogId, LogRead,
    Outcome, OutcomeKind, Stage, Verdict, VerdictKind,
};

/// The value of `schema`.
pub const SCHEMA: u32 = 1;

/// Writes each event as a line of JSON, and flushes it. See this module's page for the fields.
///
/// `image` of `run_started` has `version` (for people), `name` (the footer's), `format`, `bytes` (the
/// file's), `sha256`, and where the footer was recognised `fws`, `fwk`, `mode` and `signed_at`.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, and nothing but lines of JSON.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn line<B: Serialize>(
        &mut self,
        fleet: &Fleet,
        at: Timestamp,
        event: &'static str,
        body: B,
    ) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line {
            schema: SCHEMA,
            ts: format!("{at:.3}"),
            run: fleet.run().as_str(),
            event,
            body,
        })?;
        line.push(b'\n');
        // One write for each line, so that two writers to the same pipe never mix within one.
        self.out.write_all(&line)?;
        self.out.flush()
    }
}

impl<W: Write> Reporter for JsonLines<W> {
    fn event(&mut self, fleet: &Fleet, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::RunStarted {
                payload, devices, ..
            } => {
                let body = RunStarted {
                    devices: *devices,
                    concurrency: fleet.concurrency(),
                    mode: mode(fleet.mode()),
                    image: payload.firmware.as_ref().map(Image::from),
                    app: payload.app.as_ref().map(App::from),
                };
                self.line(fleet, event.at, "run_started", body)
            }
            Fact::RunFinished { interrupted } => {
                let body = RunFinished::of(fleet, event.at, *interrupted);
                self.line(fleet, event.at, "run_finished", body)
            }
            Fact::Device {
                device,
                attempt,
                fact,
            } => {
                let mut body = DeviceLine {
                    device: device.as_str(),
                    attempt: *attempt,
                    ..DeviceLine::default()
                };
                match body.fill(fleet, device, event.at, fact) {
                    Some(name) => self.line(fleet, event.at, name, body),
                    None => Ok(()),
                }
            }
        }
    }
}

#[derive(Serialize)]
struct Line<'a, B> {
    schema: u32,
    ts: String,
    run: &'a str,
    event: &'static str,
    #[serde(flatten)]
    body: B,
}

#[derive(Serialize)]
struct RunStarted<'a> {
    devices: usize,
    concurrency: usize,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<App>,
}

#[derive(Serialize)]
struct App {
    bytes: u64,
    sha256: String,
}

impl From<&AppFacts> for App {
    fn from(facts: &AppFacts) -> Self {
        Self {
            bytes: facts.file_bytes,
            sha256: facts.sha256_hex(),
        }
    }
}

#[derive(Serialize)]
struct Image<'a> {
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    format: String,
    bytes: u64,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fwk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_at: Option<u32>,
}

impl<'a> From<&'a ImageFacts> for Image<'a> {
    fn from(facts: &'a ImageFacts) -> Self {
        let footer = facts.footer.as_ref();
        Self {
            version: facts.version_label(),
            name: footer.map(|f| f.name.as_str()),
            format: facts.format.to_string(),
            bytes: facts.file_bytes,
            sha256: facts.sha256_hex(),
            fws: footer.map(|f| f.fws.to_string()),
            fwk: footer.map(|f| f.fwk.to_string()),
            mode: footer.map(|f| f.mode.to_string()),
            signed_at: footer.and_then(|f| f.signed_at),
        }
    }
}

#[derive(Serialize)]
struct RunFinished<'a> {
    devices: usize,
    counts: OutcomeCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdicts: Option<VerdictCounts>,
    in_doubt: Vec<&'a str>,
    interrupted: bool,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
}

impl<'a> RunFinished<'a> {
    fn of(fleet: &'a Fleet, at: Timestamp, interrupted: bool) -> Self {
        Self {
            devices: fleet.rows().len(),
            counts: OutcomeCounts(fleet.counts()),
            verdicts: (fleet.mode() == Mode::Plan).then(|| VerdictCounts::of(fleet)),
            in_doubt: words::in_doubt(fleet).map(|row| row.id.as_str()).collect(),
            interrupted,
            exit_code: Exit::of(fleet).code(),
            took_ms: fleet
                .started()
                .and_then(|started| Duration::try_from(at.duration_since(started)).ok())
                .map(ms),
        }
    }
}

/// All of them, those that are zero too.
struct OutcomeCounts(Counts);

impl Serialize for OutcomeCounts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            OutcomeKind::ALL
                .into_iter()
                .map(|kind| (kind.as_str(), self.0.of(kind))),
        )
    }
}

#[derive(Serialize)]
struct VerdictCounts {
    upgrade: usize,
    current: usize,
    skip: usize,
    cannot: usize,
}

impl VerdictCounts {
    fn of(fleet: &Fleet) -> Self {
        Self {
            upgrade: fleet.planned(VerdictKind::Upgrade),
            current: fleet.planned(VerdictKind::Current),
            skip: fleet.planned(VerdictKind::Skip),
            cannot: fleet.planned(VerdictKind::Cannot),
        }
    }
}

/// Everything that an event of a device may carry, in the order in which it is written.
#[derive(Serialize, Default)]
struct DeviceLine<'a> {
    device: &'a str,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    try_no: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    polls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normal_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doing: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    derivation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    touched: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_fws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_fws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
}

impl<'a> DeviceLine<'a> {
    /// Takes over what `fact` says and gives the event's name; absent where it is not an event here.
    fn fill(
        &mut self,
        fleet: &'a Fleet,
        device: &DeviceId,
        at: Timestamp,
        fact: &'a DeviceFact,
    ) -> Option<&'static str> {
        let row = fleet.row(device);
        Some(match fact {
            DeviceFact::StageStarted { stage, try_no } => {
                self.stage = Some(stage.as_str());
                self.try_no = Some(*try_no);
                "stage_started"
            }
            DeviceFact::StageProgress { stage, progress } => {
                self.stage = Some(stage.as_str());
                self.progress(progress);
                "stage_progress"
            }
            DeviceFact::StageFinished {
                stage,
                try_no,
                took,
                status,
                note,
                failure,
            } => {
                self.try_no = Some(*try_no);
                self.ok = Some(failure.is_none());
                self.took_ms = Some(ms(*took));
                self.note = (!note.is_empty()).then_some(note);
                self.stage = Some(stage.as_str());
                if let Some(failure) = failure {
                    self.failure(*stage, failure);
                    self.hint = Some(failure.hint(*stage));
                }
                self.status = status.or(self.status);
                "stage_finished"
            }
            DeviceFact::RetryScheduled {
                stage,
                next_try,
                of,
                wait,
                after,
            } => {
                self.failure(*stage, after);
                self.try_no = Some(*next_try);
                self.tries = Some(*of);
                self.wait_ms = Some(ms(*wait));
                "retry_scheduled"
            }
            DeviceFact::Planned { verdict, .. } => {
                self.row(row);
                self.verdict(fleet, verdict);
                "device_planned"
            }
            DeviceFact::Finished { outcome } => {
                self.row(row);
                self.outcome(outcome);
                self.took_ms = row.and_then(|row| row.elapsed(at)).map(ms);
                let after = row.and_then(|row| row.after.as_ref());
                self.to = after.map(crate::model::DeviceVersion::label);
                self.to_fws = after
                    .and_then(|version| version.fws)
                    .map(|fws| fws.to_string());
                "device_finished"
            }
            DeviceFact::SecretWanted => "secret_wanted",
            DeviceFact::ApprovalRequested { scope, until, note } => {
                self.scope = Some(scope.as_str());
                self.until = Some(format!("{until:.3}"));
                self.note = Some(note);
                "approval_requested"
            }
            DeviceFact::LoggedIn { scope, derivation } => {
                self.scope = Some(scope.as_str());
                self.derivation = derivation.map(Derivation::as_str);
                "device_logged_in"
            }
            DeviceFact::LogRead { read } => {
                self.log(read);
                self.link = row.map(|row| row.link);
                "log_read"
            }
            DeviceFact::Audited { report } => {
                self.audit(report);
                "device_audited"
            }
            // Said by the stages around them.
            DeviceFact::InstallBegun { .. } | DeviceFact::Returned { .. } => return None,
        })
    }

    /// What is known of the device whatever happened.
    fn row(&mut self, row: Option<&'a Row>) {
        let Some(row) = row else { return };
        self.link = Some(row.link);
        self.group = row.group.as_deref();
        self.from = row.from_label();
        self.from_fws = row
            .seen
            .as_ref()
            .and_then(|seen| seen.version.fws)
            .map(|fws| fws.to_string());
    }

    fn progress(&mut self, progress: &'a Progress) {
        match progress {
            Progress::Bytes { sent, total } => {
                self.bytes = Some(*sent);
                self.total = Some(*total);
            }
            Progress::Polls { polls, status } => {
                self.polls = Some(*polls);
                self.status = Some(*status);
            }
            Progress::Queued => self.doing = Some("waits for its turn to ask a phone"),
            Progress::Step { what } => self.doing = Some(what),
            Progress::Silent { last, normal } => {
                self.seen = Some(last);
                self.normal_ms = Some(ms(*normal));
            }
        }
    }

    fn log(&mut self, read: &'a LogRead) {
        self.file = Some(read.id.as_str());
        self.ok = Some(read.log.as_ref().is_ok_and(|log| log.verifies()));
        match &read.log {
            Ok(log) => {
                self.entries = Some(log.entries.len());
                self.reason = (!log.verifies()).then(|| log.end.to_string());
                self.code = match log.end {
                    LogEnd::Whole => None,
                    LogEnd::CutShort { .. } => Some("cut_short"),
                    LogEnd::Failed { fault, .. } => Some(fault.as_str()),
                };
            }
            Err(why) => {
                self.reason = Some(why.to_string());
                self.code = Some(why.as_str());
            }
        }
    }

    fn audit(&mut self, report: &'a AuditReport) {
        self.verdict = Some(report.verdict.as_str());
        self.link = Some(report.link.as_str());
        self.file = report.file.as_ref().map(LogId::as_str);
        self.counter = report.verdict.counter();
        self.line = report.verdict.line();
        self.reason = Some(report.verdict.to_string());
        self.code = Some(report.verdict.code());
    }

    fn failure(&mut self, stage: Stage, kind: &FailureKind) {
        self.stage = Some(stage.as_str());
        self.reason = Some(kind.to_string());
        self.code = Some(kind.code());
        self.status = kind.status();
    }

    fn verdict(&mut self, fleet: &Fleet, verdict: &Verdict) {
        self.verdict = Some(verdict.kind().as_str());
        let reason = verdict.reason();
        self.reason = (!reason.is_empty()).then_some(reason);
        match verdict {
            Verdict::Upgrade { .. } => {
                self.to = Some(fleet.payload().version_label());
                self.to_fws = fleet.payload().expected_fws().map(|fws| fws.to_string());
            }
            Verdict::Cannot(failure) => {
                self.failure(failure.stage, &failure.kind);
                self.hint = Some(failure.hint());
            }
            Verdict::Current | Verdict::Skip(_) => {
                self.code = verdict.outcome().map(|outcome| outcome.code());
            }
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        self.outcome = Some(outcome.kind().as_str());
        self.reason = Some(outcome.reason());
        self.code = Some(outcome.code());
        self.hint = outcome.hint();
        self.stage = outcome.stage().map(Stage::as_str);
        self.status = outcome.status();
        self.touched = Some(outcome.touched().as_str());
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Plan => "plan",
        Mode::Confirm => "confirm",
        Mode::Go => "go",
        Mode::Audit { .. } => "audit",
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
