//! `[client]` of a scenario: what the generated inventory tells the client. Simulated devices themselves heed only
//! `gap`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use super::values::ScriptDuration;
use crate::model::Pace;

/// `[client]`: written into the generated inventory.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// Short pauses and limits, for tests.
    pub quick: bool,
    /// `[fleet] concurrency`.
    pub concurrency: Option<u32>,
    /// `[rollout] max_failures`: a number, or a share such as `"5%"`.
    pub max_failures: Option<Budget>,
    /// The harness is to use `--force`.
    pub force: bool,
    /// The harness is to use `--component`.
    pub component: Option<Component>,
    /// `[audit] mode`.
    pub audit: Option<AuditMode>,
    /// `[tls] on_expired`.
    pub on_expired: Option<OnExpired>,
    /// `[approval]`.
    pub approval: ApprovalConfig,
    /// `[timeouts]`.
    pub timeouts: TimeoutConfig,
    /// `[pace]`.
    pub pace: PaceConfig,
    /// `[retry]`.
    pub retry: RetryConfig,
}

/// A number of devices, or a share of them; what it means is the client's affair.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum Budget {
    /// So many.
    Number(u32),
    /// Such as `5%`.
    Share(String),
}

/// What is to be upgraded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The firmware alone.
    Firmware,
    /// The management app alone.
    Ui,
    /// First the app, then the firmware.
    Both,
}

/// How much the audit log's verdict matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditMode {
    /// A device without a confirmation has failed.
    Required,
    /// The verdict is only reported.
    Wanted,
    /// The log is not read.
    Off,
}

impl AuditMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Wanted => "wanted",
            Self::Off => "off",
        }
    }
}

/// What is done about an expired certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExpired {
    /// Nothing.
    Fail,
    /// A check-in over HTTP, and one more try.
    Checkin,
}

impl OnExpired {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Checkin => "checkin",
        }
    }
}

/// `[client.approval]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the inventory's own names, explained there")]
pub struct ApprovalConfig {
    pub at_once: Option<u32>,
    pub wait: Option<ScriptDuration>,
    pub poll: Option<ScriptDuration>,
}

/// `[client.timeouts]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the inventory's own names, explained there")]
pub struct TimeoutConfig {
    pub connect: Option<ScriptDuration>,
    pub request: Option<ScriptDuration>,
    pub upload: Option<ScriptDuration>,
    pub upload_stall: Option<ScriptDuration>,
    pub check: Option<ScriptDuration>,
    pub reboot: Option<ScriptDuration>,
}

/// `[client.pace]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the inventory's own names, explained there")]
pub struct PaceConfig {
    pub gap: Option<ScriptDuration>,
    pub check_poll: Option<ScriptDuration>,
    pub reboot_poll: Option<ScriptDuration>,
    pub reboot_settle: Option<ScriptDuration>,
}

/// `[client.retry]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the inventory's own names, explained there")]
pub struct RetryConfig {
    pub attempts: Option<u32>,
    pub backoff: Option<ScriptDuration>,
}

/// Keys of a table, with their values as TOML where there is something to say.
type Keys = Vec<(&'static str, Option<String>)>;

impl ClientConfig {
    /// The pause between two requests that the client is told to keep.
    pub(in crate::sim) fn gap(&self) -> Duration {
        let gap = self.spelled_out().pace.gap;
        gap.map_or_else(|| Pace::default().gap, |p| p.0)
    }

    /// With what `quick` stands for.
    fn spelled_out(&self) -> Self {
        let mut hints = self.clone();
        if !hints.quick {
            return hints;
        }
        let short = |hint: &mut Option<ScriptDuration>, ms| {
            *hint = hint.or(Some(ScriptDuration::millis(ms)));
        };
        short(&mut hints.timeouts.connect, 2_000);
        short(&mut hints.timeouts.request, 5_000);
        short(&mut hints.timeouts.upload, 30_000);
        short(&mut hints.timeouts.upload_stall, 2_000);
        short(&mut hints.timeouts.check, 20_000);
        short(&mut hints.timeouts.reboot, 5_000);
        short(&mut hints.pace.gap, 1);
        short(&mut hints.pace.check_poll, 10);
        short(&mut hints.pace.reboot_poll, 20);
        short(&mut hints.pace.reboot_settle, 50);
        short(&mut hints.retry.backoff, 20);
        short(&mut hints.approval.wait, 5_000);
        short(&mut hints.approval.poll, 10);
        hints
    }

    /// The tables `[rollout]`, `[timeouts]`, `[pace]`, `[retry]`, `[approval]`, `[audit]` and `[tls]` of an inventory, as far as there is something to
    /// say; all else stays at the client's own defaults. `[approval]` is for fleets that ask phones.
    pub(in crate::sim) fn tables(&self, asks_phones: bool) -> String {
        let hints = self.spelled_out();
        let (t, p, r) = (&hints.timeouts, &hints.pace, &hints.retry);
        let text = |period: Option<ScriptDuration>| period.map(|p| format!("\"{p}\""));
        let word = |word: &str| format!("\"{word}\"");
        let audit = hints.audit.map(|mode| word(mode.as_str()));
        let on_expired = hints.on_expired.map(|what| word(what.as_str()));
        let approval = &hints.approval;
        let max_failures = hints.max_failures.as_ref().map(|budget| match budget {
            Budget::Number(n) => n.to_string(),
            Budget::Share(share) => word(share),
        });
        let tables: [(&str, Keys); 7] = [
            ("rollout", vec![("max_failures", max_failures)]),
            (
                "timeouts",
                vec![
                    ("connect", text(t.connect)),
                    ("request", text(t.request)),
                    ("upload", text(t.upload)),
                    ("upload_stall", text(t.upload_stall)),
                    ("check", text(t.check)),
                    ("reboot", text(t.reboot)),
                ],
            ),
            (
                "pace",
                vec![
                    ("gap", text(p.gap)),
                    ("check_poll", text(p.check_poll)),
                    ("reboot_poll", text(p.reboot_poll)),
                    ("reboot_settle", text(p.reboot_settle)),
                ],
            ),
            (
                "retry",
                vec![
                    ("attempts", r.attempts.map(|n| n.to_string())),
                    ("backoff", text(r.backoff)),
                ],
            ),
            (
                "approval",
                vec![
                    ("at_once", approval.at_once.map(|n| n.to_string())),
                    ("wait", text(approval.wait)),
                    ("poll", text(approval.poll)),
                ],
            ),
            ("audit", vec![("mode", audit)]),
            ("tls", vec![("on_expired", on_expired)]),
        ];
        let mut toml = String::new();
        for (name, keys) in tables {
            if keys.iter().all(|(_, value)| value.is_none()) || (name == "approval" && !asks_phones)
            {
                continue;
            }
            let _ = writeln!(toml, "\n[{name}]");
            for (key, value) in keys {
                if let Some(value) = value {
                    let _ = writeln!(toml, "{key} = {value}");
                }
            }
        }
        toml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_keys_win_over_quick() {
        let hints = ClientConfig {
            quick: true,
            pace: PaceConfig {
                gap: Some(ScriptDuration::millis(7)),
                ..PaceConfig::default()
            },
            ..ClientConfig::default()
        };
        assert_eq!(hints.gap(), Duration::from_millis(7));
        assert!(hints.tables(true).contains("poll = \"10ms\""));
        let tables = hints.tables(false);
        assert!(tables.contains("gap = \"7ms\""), "{tables}");
        assert!(tables.contains("upload_stall = \"2s\""), "{tables}");
        assert!(
            !tables.contains("attempts") && !tables.contains("approval"),
            "{tables}"
        );
        assert_eq!(ClientConfig::default().tables(true), "");
        assert_eq!(ClientConfig::default().gap(), Pace::default().gap);
    }
}
