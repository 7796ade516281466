//! How devices are treated: `[timeouts]`, `[pace]`, `[retry]`, `[tls]`, `[audit]`, `[approval]`, `[rollout]`, `[run]` and `[screen]`.
//! The defaults are in `model`, with the values.

use std::time::Duration;

use toml::de::DeValue;

use super::keys::{APPROVAL, AUDIT, PACE, RETRY, ROLLOUT, RUN, SCREEN, TIMEOUTS, TLS, table};
use crate::config::Overrides;
use crate::config::toml::reader::{Field, Reader, Section, choice, flag, mismatch, number};
use crate::config::toml::single_values::{ValueError, ValueResult};
use crate::model::{
    ApprovalPolicy, AuditMode, AuditPolicy, MaxFailures, MaxFailuresError, Notify, OnExpired,
    OnHangUp, Pace, Policy, Retry, Rollout, ScreenSettings, Timeouts,
};

/// What the file says of it.
#[derive(Debug, Default)]
pub(in crate::config) struct PolicyPart {
    connect: Field<Duration>,
    request: Field<Duration>,
    upload: Field<Duration>,
    upload_stall: Field<Duration>,
    check: Field<Duration>,
    reboot: Field<Duration>,
    gap: Field<Duration>,
    check_poll: Field<Duration>,
    reboot_poll: Field<Duration>,
    reboot_settle: Field<Duration>,
    attempts: Field<i64>,
    backoff: Field<Duration>,
    on_expired: Field<OnExpired>,
    audit_mode: Field<AuditMode>,
    audit_files: Field<i64>,
    at_once: Field<i64>,
    wait: Field<Duration>,
    poll: Field<Duration>,
}

impl PolicyPart {
    /// The values given, and the defaults for the others.
    pub(in crate::config) fn fill(&self, overrides: &Overrides) -> Policy {
        let d = Policy::default();
        let timeouts = Timeouts {
            connect: or(&self.connect, d.timeouts.connect),
            request: or(&self.request, d.timeouts.request),
            upload: or(&self.upload, d.timeouts.upload),
            upload_stall: or(&self.upload_stall, d.timeouts.upload_stall),
            check: or(&self.check, d.timeouts.check),
            reboot: or(&self.reboot, d.timeouts.reboot),
        };
        let wait = or(&self.wait, d.approval.wait);
        Policy {
            pace: Pace {
                gap: or(&self.gap, d.pace.gap),
                check_poll: share(&self.check_poll, d.pace.check_poll, timeouts.check),
                reboot_poll: share(&self.reboot_poll, d.pace.reboot_poll, timeouts.reboot),
                reboot_settle: share(&self.reboot_settle, d.pace.reboot_settle, timeouts.reboot),
            },
            timeouts,
            retry: Retry {
                attempts: count(&self.attempts, d.retry.attempts),
                backoff: or(&self.backoff, d.retry.backoff),
            },
            force: overrides.force,
            same_key: overrides.same_key,
            allow_downgrade: overrides.allow_downgrade,
            resend_refused: overrides.resend_refused,
            take_replaced: overrides.take_replaced,
            audit: AuditPolicy {
                mode: or(&self.audit_mode, d.audit.mode),
                files: count(&self.audit_files, d.audit.files),
            },
            on_expired: or(&self.on_expired, d.on_expired),
            approval: ApprovalPolicy {
                at_once: count(&self.at_once, d.approval.at_once),
                wait,
                poll: share(&self.poll, d.approval.poll, wait),
            },
        }
    }

    /// Reports a part that is longer than the whole: a slip of the pen.
    pub(in crate::config) fn fits(&self, reader: &mut Reader) {
        let all = self.fill(&Overrides::default());
        let (t, pace) = (&all.timeouts, &all.pace);
        let mut within = |part: (&str, &Field<Duration>, Duration),
                          whole: (&str, &Field<Duration>, Duration)| {
            // A default is no slip: it gives way to what was said.
            let Some((_, spot)) = part.1.valid() else {
                return;
            };
            if matches!(whole.1, Field::Invalid) || part.2 <= whole.2 {
                return;
            }
            let said = |d| humantime::format_duration(d);
            let error = ValueError::new(format!(
                "{} ({}) is longer than {} ({})",
                part.0,
                said(part.2),
                whole.0,
                said(whole.2)
            ));
            reader.report(spot, error.hint("a part cannot take longer than the whole"));
        };
        let check = ("timeouts.check", &self.check, t.check);
        let reboot = ("timeouts.reboot", &self.reboot, t.reboot);
        within(
            ("timeouts.upload_stall", &self.upload_stall, t.upload_stall),
            ("timeouts.upload", &self.upload, t.upload),
        );
        within(
            ("pace.check_poll", &self.check_poll, pace.check_poll),
            check,
        );
        within(
            ("pace.reboot_poll", &self.reboot_poll, pace.reboot_poll),
            reboot,
        );
        within(
            (
                "pace.reboot_settle",
                &self.reboot_settle,
                pace.reboot_settle,
            ),
            reboot,
        );
        within(
            ("approval.poll", &self.poll, all.approval.poll),
            ("approval.wait", &self.wait, all.approval.wait),
        );
    }
}

fn or<T: Copy>(given: &Field<T>, default: T) -> T {
    given.value().copied().unwrap_or(default)
}

fn count<T: TryFrom<i64>>(given: &Field<i64>, default: T) -> T {
    let given = given.value().and_then(|n| T::try_from(*n).ok());
    given.unwrap_or(default)
}

/// A limit that was made short on purpose shortens the pauses within it that nobody spoke of.
fn share(given: &Field<Duration>, default: Duration, whole: Duration) -> Duration {
    or(given, default.min(whole / 10))
}

/// Reads all of it.
pub(in crate::config) fn read(reader: &mut Reader, root: &Section<'_>) -> PolicyPart {
    let mut p = PolicyPart::default();
    read_limits(reader, root, &mut p);
    if let Some(s) = table(reader, root, "tls", TLS) {
        let known = OnExpired::ALL.map(|o| (o.as_str(), o));
        p.on_expired = s.take(reader, "on_expired", |v| choice(v, &known));
    }
    if let Some(s) = table(reader, root, "audit", AUDIT) {
        let known = AuditMode::ALL.map(|m| (m.as_str(), m));
        p.audit_mode = s.take(reader, "mode", |v| choice(v, &known));
        p.audit_files = s.number(reader, "files");
    }
    if let Some(s) = table(reader, root, "approval", APPROVAL) {
        p.at_once = s.number(reader, "at_once");
        p.wait = s.duration(reader, "wait");
        p.poll = s.duration(reader, "poll");
    }
    p
}

fn read_limits(reader: &mut Reader, root: &Section<'_>, p: &mut PolicyPart) {
    if let Some(s) = table(reader, root, "timeouts", TIMEOUTS) {
        let mut take = |key| s.duration(reader, key);
        p.connect = take("connect");
        p.request = take("request");
        p.upload = take("upload");
        p.upload_stall = take("upload_stall");
        p.check = take("check");
        p.reboot = take("reboot");
    }
    if let Some(s) = table(reader, root, "pace", PACE) {
        let mut take = |key| s.duration(reader, key);
        p.gap = take("gap");
        p.check_poll = take("check_poll");
        p.reboot_poll = take("reboot_poll");
        p.reboot_settle = take("reboot_settle");
    }
    if let Some(s) = table(reader, root, "retry", RETRY) {
        p.attempts = s.number(reader, "attempts");
        p.backoff = s.duration(reader, "backoff");
    }
}

/// What `[rollout]` says.
#[derive(Debug, Default)]
pub(in crate::config) struct RolloutPart {
    max_failures: Field<MaxFailures>,
}

impl RolloutPart {
    /// The values given, and the defaults for the others.
    pub(in crate::config) fn fill(&self) -> Rollout {
        Rollout {
            max_failures: self.max_failures.value().copied().unwrap_or_default(),
        }
    }
}

/// Reads `[rollout]`.
pub(super) fn read_rollout(reader: &mut Reader, root: &Section<'_>) -> RolloutPart {
    let mut part = RolloutPart::default();
    if let Some(s) = table(reader, root, "rollout", ROLLOUT) {
        part.max_failures = s.take(reader, "max_failures", max_failures);
    }
    part
}

/// What `[run]` says.
#[derive(Debug, Default)]
pub(in crate::config) struct RunPart {
    on_hangup: Field<OnHangUp>,
}

impl RunPart {
    /// The value given, or the default.
    pub(in crate::config) fn fill(&self) -> OnHangUp {
        self.on_hangup.value().copied().unwrap_or_default()
    }
}

/// Reads `[run]`.
pub(super) fn read_run(reader: &mut Reader, root: &Section<'_>) -> RunPart {
    let mut part = RunPart::default();
    if let Some(s) = table(reader, root, "run", RUN) {
        let known = OnHangUp::ALL.map(|what| (what.as_str(), what));
        part.on_hangup = s.take(reader, "on_hangup", |v| choice(v, &known));
    }
    part
}

/// What `[screen]` says.
#[derive(Debug, Default)]
pub(in crate::config) struct ScreenPart {
    notify: Field<Notify>,
    mouse: Field<bool>,
}

impl ScreenPart {
    /// The values given, and the defaults for the others.
    pub(in crate::config) fn fill(&self) -> ScreenSettings {
        let defaults = ScreenSettings::default();
        ScreenSettings {
            notify: self.notify.value().copied().unwrap_or(defaults.notify),
            mouse: self.mouse.value().copied().unwrap_or(defaults.mouse),
        }
    }
}

/// Reads `[screen]`.
pub(super) fn read_screen(reader: &mut Reader, root: &Section<'_>) -> ScreenPart {
    let mut part = ScreenPart::default();
    if let Some(s) = table(reader, root, "screen", SCREEN) {
        let known = Notify::ALL.map(|n| (n.as_str(), n));
        part.notify = s.take(reader, "notify", |v| choice(v, &known));
        part.mouse = s.take(reader, "mouse", flag);
    }
    part
}

/// A number of devices, or a share of them in quotes.
fn max_failures(value: &DeValue<'_>) -> ValueResult<MaxFailures> {
    const HINT: &str = "write a number, such as 3, or a share in quotes, such as \"5%\"";
    let parsed = match value {
        DeValue::Integer(_) => number(value)?.to_string().parse(),
        _ => match value.as_str() {
            Some(text) => text.trim().parse(),
            None => return Err(mismatch("a number or a share", value).hint(HINT)),
        },
    };
    // What stands there is not repeated: it may be anything.
    parsed.map_err(|e: MaxFailuresError| ValueError::new(e.to_string()).hint(HINT))
}
