//! JSON lines: each event as one object on one line, for scripts.
//!
//! Every line has `schema`, `ts` (RFC 3339, milliseconds, UTC), `run` and `event`. Within one `schema`
//! fields are added, never renamed, removed or given another meaning: readers ignore what they do not
//! know. A field that does not fit an event is absent, never `null`. Durations end in `_ms`.
//!
//! | `event` | fields beside those four |
//! | --- | --- |
//! | `run_started` | `devices` (number), `concurrency`, `mode`, `image` (see [`JsonLines`]), `app` (`bytes`, `sha256`, `version`, `signer`) |
//! | `device_planned` | device fields; `verdict`, `reason`, `code`, `hint`, `stage`, `status`, `from`, `to`, `from_fws`, `to_fws`, `link`, `group` |
//! | `stage_started` | device fields; `stage`, `try`. From `stage` = `install` on, the request may have been sent |
//! | `stage_progress` | device fields; `stage`, and `bytes`, `total` (upload) or `polls`, `status` (check) or `seen`, `normal_ms` (reboot) or `doing` (login, audit, and a probe or reboot that waits for somebody else's install) |
//! | `stage_finished` | device fields; `stage`, `try`, `ok`, `took_ms`, `status`, `note`, and on failure `reason`, `code`, `hint` |
//! | `retry_scheduled` | device fields; `stage`, `try` (the next), `tries`, `wait_ms`, `reason`, `code`, `status` |
//! | `secret_wanted` | device fields: the login waits until somebody types the device's secret |
//! | `approval_requested` | device fields; `scope`, `until` (when it will be withdrawn), `note` (as the phone shows it) |
//! | `device_logged_in` | device fields; `scope`, `derivation` (where a key was derived) |
//! | `log_read` | device fields; `file`, `ok`, `entries`, `kept` (with `--save`), `reason`, `code`, `link` (`hemfleet audit` only; `code` = `busy` is the running session's file, and no fault) |
//! | `device_audited` | device fields; `verdict`, `link`, `file`, `line`, `counter`, `reason`, `code`; before `device_finished` |
//! | `device_finished` | device fields; `outcome`, `reason`, `code`, `hint`, `stage`, `status`, `touched`, `from`, `to`, `from_fws`, `to_fws`, `took_ms`, `link`, `group` |
//! | `login_refused` | device fields; `logins_left`: after so many more 401 no login is tried any more in this run |
//! | `run_halted` | `counted`, `budget`, `max_failures` (as given), `devices` (names of those counted) |
//! | `run_resumed` | `counted`, `max_failures`: a person gave another budget |
//! | `run_reopened` | `by` (who goes on with a run whose process died or was stopped), `devices`, `unfinished`; the first line of `resume` |
//! | `run_finished` | `devices`, `counts` (all outcomes), `audits` (all verdicts of audit logs, where one was read for), `verdicts` (plan only), `in_doubt` (names), `not_asked` (names; with `--firmware latest`), `interrupted`, `halted` (the budget was spent, and nobody gave another one), `exit_code`, `took_ms` (until the last attempt ended; the reading of the plan does not count) |
//!
//! Device fields: `device` and `attempt`. The fact that an install is announced or begins, or that a device is back, has
//! no event of its own: `stage_started` of `install` and `device_finished` say it. `exit_code` is that
//! of a run or plan that ended like this; the demo exits by its scenario.
//!
//! Nothing but these lines is written. JSON escapes what a device says.

mod device;

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use self::device::DeviceLine;
use super::payload::{AppReport, ImageReport};
use super::{Exit, Reporter, phrases};
use crate::engine::{Audits, Counts, Event, Fact, Fleet, Mode};
use crate::model::{DeviceId, OutcomeKind, VerdictKind};

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
                    mode: phrases::mode(fleet.mode()),
                    image: payload.firmware.as_ref().map(ImageReport::from),
                    app: payload.app.as_ref().map(AppReport::from),
                };
                self.line(fleet, event.at, "run_started", body)
            }
            Fact::RunHalted(halt) => {
                let body = RunHalted {
                    counted: halt.harm,
                    budget: halt.allowed,
                    max_failures: halt.max_failures.to_string(),
                    devices: halt.devices.iter().map(DeviceId::as_str).collect(),
                };
                self.line(fleet, event.at, "run_halted", body)
            }
            Fact::RunResumed { harm, max_failures } => {
                let body = RunResumed {
                    counted: *harm,
                    max_failures: max_failures.to_string(),
                };
                self.line(fleet, event.at, "run_resumed", body)
            }
            Fact::RunReopened(reopened) => {
                let body = RunReopened {
                    by: &reopened.by,
                    devices: fleet.devices().len(),
                    unfinished: fleet.unfinished(),
                };
                self.line(fleet, event.at, "run_reopened", body)
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
                let mut body = DeviceLine::new(device, *attempt);
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
struct RunStarted {
    devices: usize,
    concurrency: usize,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImageReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<AppReport>,
}

#[derive(Serialize)]
struct RunHalted<'a> {
    counted: usize,
    budget: usize,
    max_failures: String,
    devices: Vec<&'a str>,
}

#[derive(Serialize)]
struct RunResumed {
    counted: usize,
    max_failures: String,
}

#[derive(Serialize)]
struct RunReopened<'a> {
    by: &'a str,
    devices: usize,
    unfinished: usize,
}

#[derive(Serialize)]
struct RunFinished<'a> {
    devices: usize,
    counts: OutcomeCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    audits: Option<AuditCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdicts: Option<VerdictCounts>,
    in_doubt: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_asked: Vec<&'a str>,
    interrupted: bool,
    halted: bool,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
}

impl<'a> RunFinished<'a> {
    fn of(fleet: &'a Fleet, at: Timestamp, interrupted: bool) -> Self {
        Self {
            devices: fleet.devices().len(),
            counts: OutcomeCounts(fleet.counts()),
            audits: AuditCounts::of(&fleet.audits()),
            verdicts: (fleet.mode() == Mode::Plan).then(|| VerdictCounts::of(fleet)),
            in_doubt: phrases::in_doubt(fleet)
                .map(|device| device.id.as_str())
                .collect(),
            not_asked: fleet.not_asked().iter().map(DeviceId::as_str).collect(),
            interrupted,
            halted: fleet.is_halted(),
            exit_code: Exit::of(fleet).code(),
            took_ms: phrases::took(fleet, at).map(ms),
        }
    }
}

/// All counts, also those that are zero.
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
struct AuditCounts {
    /// Whatever the devices ended as: what the dashboard calls accepted counts here too.
    confirmed: usize,
    refused: usize,
    contradicted: usize,
    missing: usize,
    unavailable: usize,
}

impl AuditCounts {
    /// Absent where no log has said anything.
    fn of(audits: &Audits) -> Option<Self> {
        (audits.total() > 0).then_some(Self {
            confirmed: audits.confirmed + audits.accepted,
            refused: audits.refused,
            contradicted: audits.contradicted,
            missing: audits.missing,
            unavailable: audits.unavailable,
        })
    }
}

#[derive(Serialize)]
struct VerdictCounts {
    upgrade: usize,
    /// Allowed, or refused: each device's own line says which.
    downgrade: usize,
    watch: usize,
    current: usize,
    skip: usize,
    cannot: usize,
}

impl VerdictCounts {
    fn of(fleet: &Fleet) -> Self {
        Self {
            upgrade: fleet.planned(VerdictKind::Upgrade),
            downgrade: fleet.planned(VerdictKind::Downgrade),
            watch: fleet.planned(VerdictKind::Watch),
            current: fleet.planned(VerdictKind::Current),
            skip: fleet.planned(VerdictKind::Skip),
            cannot: fleet.planned(VerdictKind::Cannot),
        }
    }
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
