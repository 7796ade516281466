//! The last headlines of the run, for the log pane. It keeps a fixed number of them; the log file has all.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::engine::{DeviceFact, Event, Fact};
use crate::model::AuditVerdict;

use super::theme::{Mark, Tone};

/// Headlines that are kept.
const KEPT: usize = 1000;

/// A headline.
pub(super) struct LogLine {
    pub(super) at: Timestamp,
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// The last headlines, oldest first.
#[derive(Default)]
pub(super) struct RecentLog {
    lines: VecDeque<LogLine>,
}

impl RecentLog {
    /// Takes in an event, if it is worth a line here.
    pub(super) fn take(&mut self, event: &Event) {
        let Some(tone) = tone(&event.fact) else {
            return;
        };
        let Some(text) = event.fact.headline() else {
            return;
        };
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(LogLine {
            at: event.at,
            text,
            tone,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The `height` lines that end `back` lines before the newest.
    pub(super) fn window(&self, height: usize, back: usize) -> impl Iterator<Item = &LogLine> {
        let end = self.lines.len().saturating_sub(back);
        let from = end.saturating_sub(height);
        self.lines.range(from..end)
    }
}

/// How a fact is coloured; absent for what the table shows better: progress, and stages that begin.
fn tone(fact: &Fact) -> Option<Tone> {
    let fact = match fact {
        Fact::RunStarted { .. } | Fact::RunFinished { .. } => return Some(Tone::Plain),
        Fact::RunHalted(_) => return Some(Tone::Bad),
        Fact::RunResumed { .. } | Fact::RunReopened(_) => return Some(Tone::Warn),
        Fact::Device { fact, .. } => fact,
    };
    match fact {
        DeviceFact::StageStarted { .. }
        | DeviceFact::StageProgress { .. }
        | DeviceFact::InstallBegun { .. }
        | DeviceFact::LoggedIn { .. }
        | DeviceFact::LoginRefused { .. }
        | DeviceFact::PermitAsked
        | DeviceFact::InstallAnnounced { .. }
        | DeviceFact::Returned { .. } => None,
        DeviceFact::Audited { report, .. } => Some(match report.verdict {
            AuditVerdict::Confirmed { .. }
            | AuditVerdict::Refused { .. }
            | AuditVerdict::Unavailable(_) => Tone::Plain,
            AuditVerdict::Contradicted { .. } | AuditVerdict::Missing { .. } => Tone::Warn,
        }),
        DeviceFact::LogRead { .. } | DeviceFact::StageFinished { failure: None, .. } => {
            Some(Tone::Plain)
        }
        DeviceFact::SecretWanted
        | DeviceFact::ApprovalRequested { .. }
        | DeviceFact::StageFinished { .. }
        | DeviceFact::RetryScheduled { .. } => Some(Tone::Warn),
        DeviceFact::Planned { verdict, .. } => Some(match verdict.failure() {
            Some(_) => Tone::Bad,
            None => Tone::Plain,
        }),
        DeviceFact::Finished { outcome } => Some(Mark::of_outcome(outcome.kind()).tone),
    }
}
