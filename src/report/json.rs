//! JSON lines: each event as one object on one line, for scripts.
//!
//! Every line has `schema`, `ts` (RFC 3339, milliseconds, UTC), `run` and `event`. Within one `schema`
//! fields are added, never renamed, removed or given another meaning: readers ignore what they do not
//! know. A field that does not fit an event is absent, never `null`. Durations end in `_ms`.
//!
//! | `event` | fields beside those four |
//! | --- | --- |
//! | `run_started` | `devices` (number), `concurrency`, `mode`, `image` (see [`JsonLines`]) |
//! | `device_planned` | device fields; `verdict`, `reason`, `code`, `hint`, `from`, `to`, `from_fws`, `to_fws`, `link`, `group` |
//! | `stage_started` | device fields; `stage`, `try`. From `stage` = `install` on, the request may have been sent |
//! | `stage_progress` | device fields; `stage`, and `bytes`, `total` (upload) or `polls`, `status` (check) or `seen`, `normal_ms` (reboot) |
//! | `stage_finished` | device fields; `stage`, `try`, `ok`, `took_ms`, `status`, `note`, and on failure `reason`, `code`, `hint` |
//! | `retry_scheduled` | device fields; `stage`, `try` (the next), `tries`, `wait_ms`, `reason`, `code`, `status` |
//! | `device_finished` | device fields; `outcome`, `reason`, `code`, `hint`, `stage`, `status`, `touched`, `from`, `to`, `from_fws`, `to_fws`, `took_ms`, `link`, `group` |
//! | `run_finished` | `devices`, `counts` (all nine outcomes), `verdicts` (plan only), `in_doubt` (names), `interrupted`, `exit_code`, `took_ms` |
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
    DeviceId, FailureKind, ImageFacts, Outcome, OutcomeKind, Stage, Verdict, VerdictKind,
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
            Fact::RunStarted { image, devices, .. } => {
                let body = RunStarted {
                    devices: *devices,
                    concurrency: fleet.concurrency(),
                    mode: mode(fleet.mode()),
                    image: Image::from(image),
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
    image: Image<'a>,
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

/// All nine, those that are zero too.
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
            Progress::Silent { last, normal } => {
                self.seen = Some(last);
                self.normal_ms = Some(ms(*normal));
            }
        }
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
                self.to = Some(fleet.image().version_label());
                self.to_fws = fleet.image().expected_fws().map(|fws| fws.to_string());
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
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::engine::Intent;
    use crate::model::{Doubt, LinkFault, Skip, Touched};
    use crate::report::fixture::{Rehearsal, unplugged};

    fn written(run: &Rehearsal) -> String {
        let mut out = Vec::new();
        run.report(&mut JsonLines::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn lines(run: &Rehearsal) -> Vec<Value> {
        written(run)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn named<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
        lines.iter().filter(|line| line["event"] == event).collect()
    }

    fn full_run() -> Rehearsal {
        let mut run = Rehearsal::with_links(Mode::Go, &["pinned", "http", "ca"]);
        run.begin();
        run.upgrade(0);
        run.refuse(1);
        run.start(2, Stage::Install, 1);
        run.install_begun(2);
        run.finish(2, Outcome::Unknown(Doubt::AnswerLost));
        run.end();
        run
    }

    #[test]
    fn every_line_is_an_object_with_the_four_fields() {
        let text = written(&full_run());
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["schema"], 1, "{line}");
            assert_eq!(value["run"], "7f3a0001", "{line}");
            let ts = value["ts"].as_str().unwrap();
            assert!(
                ts.parse::<Timestamp>().is_ok() && ts.len() == 24 && ts.ends_with('Z'),
                "{ts}"
            );
            assert!(line.starts_with(r#"{"schema":1,"ts":""#), "{line}");
            let event = value["event"].as_str().unwrap();
            if !event.starts_with("run_") {
                assert!(
                    value["device"].is_string() && value["attempt"] == 1,
                    "{line}"
                );
            }
            assert!(
                !line.contains("null"),
                "what does not fit is absent: {line}"
            );
        }
    }

    #[test]
    fn the_events_are_those_that_are_promised() {
        let lines = lines(&full_run());
        let mut names: Vec<&str> = lines.iter().map(|l| l["event"].as_str().unwrap()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(
            names,
            [
                "device_finished",
                "device_planned",
                "retry_scheduled",
                "run_finished",
                "run_started",
                "stage_finished",
                "stage_progress",
                "stage_started"
            ]
        );
    }

    #[test]
    fn lines_of_a_device_whose_image_is_refused() {
        let mut run = Rehearsal::new(Mode::Go, 1);
        run.begin();
        run.refuse(0);
        run.end();
        insta::assert_snapshot!(written(&run));
    }

    #[test]
    fn a_proof_says_from_and_to() {
        let lines = lines(&full_run());
        let done = named(&lines, "device_finished")[0];
        assert_eq!(done["outcome"], "upgraded");
        assert_eq!(
            (&done["from"], &done["to"]),
            (&"1.2.2".into(), &"1.2.3".into())
        );
        assert_ne!(done["from_fws"], done["to_fws"]);
        assert_eq!(done["to_fws"], lines[0]["image"]["fws"]);
        assert_eq!(done["touched"], "install_sent");
        assert_eq!(done["link"], "pinned");
        assert!(done["took_ms"].as_u64().unwrap() > 70_000);
    }

    #[test]
    fn progress_has_the_numbers_of_its_stage() {
        let lines = lines(&full_run());
        let progress = named(&lines, "stage_progress");
        let of = |stage: &str| *progress.iter().find(|line| line["stage"] == stage).unwrap();
        assert_eq!(of("upload")["bytes"], 100_000);
        assert_eq!(of("upload")["total"], 3_000_000);
        assert_eq!(of("check")["polls"], 1);
        assert_eq!(of("check")["status"], 202);
        assert_eq!(of("reboot")["seen"], "connection refused");
        assert_eq!(of("reboot")["normal_ms"], 60_000);
    }

    #[test]
    fn the_last_line_counts_every_outcome_and_names_the_doubtful() {
        let lines = lines(&full_run());
        let last = lines.last().unwrap();
        assert_eq!(last["event"], "run_finished");
        let counts = last["counts"].as_object().unwrap();
        let names: Vec<&str> = counts.keys().map(String::as_str).collect();
        let mut all = OutcomeKind::ALL.map(OutcomeKind::as_str);
        all.sort_unstable();
        assert_eq!(names, all);
        assert_eq!(counts["upgraded"], 1);
        assert_eq!(counts["lost"], 0);
        assert_eq!(last["in_doubt"], serde_json::json!(["vault-03"]));
        assert_eq!(last["interrupted"], false);
        assert_eq!(last["exit_code"], 1);
        assert!(last.get("verdicts").is_none());
    }

    #[test]
    fn a_plan_ends_with_its_verdicts() {
        let mut run = Rehearsal::new(Mode::Plan, 4);
        run.begin();
        run.plan_upgrade(0, &["clock unset: check-in first"]);
        run.plan(1, Verdict::Current);
        run.plan(2, Verdict::Skip(Skip::Epa));
        run.stage_failed(3, Stage::Probe, 5000, unplugged());
        run.plan(3, Verdict::from(unplugged()));
        run.end();
        insta::assert_snapshot!(written(&run));
    }

    #[test]
    fn an_interrupted_run_says_so() {
        let mut run = Rehearsal::new(Mode::Go, 1);
        run.begin();
        run.intend(Intent::Interrupt);
        run.finish(0, Outcome::Cancelled(Touched::Nothing));
        run.end();
        let lines = lines(&run);
        let last = lines.last().unwrap();
        assert_eq!(last["interrupted"], true);
        assert_eq!(last["exit_code"], 130);
        assert_eq!(last["counts"]["cancelled"], 1);
    }

    #[test]
    fn a_second_attempt_is_told_apart() {
        let mut run = Rehearsal::new(Mode::Go, 1);
        run.begin();
        run.stage_failed(0, Stage::Probe, 5000, FailureKind::Link(LinkFault::Reset));
        run.finish(0, Verdict::from(unplugged()).outcome().unwrap());
        run.intend(Intent::RetryFailed);
        run.upgrade(0);
        let lines = lines(&run);
        let attempts: Vec<_> = named(&lines, "device_finished")
            .iter()
            .map(|line| (line["attempt"].clone(), line["outcome"].clone()))
            .collect();
        assert_eq!(
            attempts,
            [(1.into(), "failed".into()), (2.into(), "upgraded".into())]
        );
    }

    /// A pipe whose reader is gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_the_callers_business() {
        let mut run = Rehearsal::new(Mode::Go, 1);
        run.begin();
        let error = run.report(&mut JsonLines::new(Closed)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
