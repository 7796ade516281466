//! Plain lines, for a CI log or a screen reader: one line for each event that matters. The cursor never moves back, and
//! the words say everything that colour says.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::style::{LineLook, LineStyle};
use super::{Reporter, phrases};
use crate::engine::{DeviceFact, Event, Fact, Fleet, Progress};
use crate::model::{AuditReport, AuditVerdict, DeviceId, Stage};

/// How often a stage without other news gets a line.
const NEWS: Duration = Duration::from_secs(30);

/// An upload gets a line after each of so many equal parts.
const UPLOAD_PARTS: u64 = 4;

/// Writes one line for each event that matters: the time, then what happened.
///
/// Times are in `tz`; the first lines give the day and the zone. Warnings about links that prove
/// nothing follow them. An upload gets a line at every quarter, a silent stage one every 30 s, and a stage
/// that is over at once only one for its end.
#[derive(Debug)]
pub struct Plain<W> {
    out: W,
    tz: TimeZone,
    look: LineLook,
    heard: HashMap<DeviceId, Heard>,
}

/// What was last written about a running stage.
#[derive(Debug)]
struct Heard {
    at: Timestamp,
    parts: u64,
}

impl<W: Write> Plain<W> {
    /// Writes to `out`.
    pub fn new(out: W, tz: TimeZone, look: LineLook) -> Self {
        Self {
            out,
            tz,
            look,
            heard: HashMap::new(),
        }
    }

    fn line(&mut self, at: Timestamp, style: Option<LineStyle>, text: &str) -> io::Result<()> {
        let time = self.time(at);
        writeln!(self.out, "{time} {}", self.look.paint(style, text))
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.tz.clone())
            .strftime("%H:%M:%S")
            .to_string()
    }

    fn opening(&mut self, fleet: &Fleet, at: Timestamp) -> io::Result<()> {
        let day = at
            .to_zoned(self.tz.clone())
            .strftime("%Y-%m-%d, times are UTC%:z")
            .to_string();
        self.line(at, None, &format!("started on {day}"))?;
        for warning in phrases::link_warnings(fleet) {
            self.line(at, Some(LineStyle::Warn), &format!("WARNING: {warning}"))?;
        }
        Ok(())
    }

    /// Whether an event of a device is worth a line now.
    fn matters(&mut self, device: &DeviceId, at: Timestamp, fact: &DeviceFact) -> bool {
        match fact {
            DeviceFact::StageStarted { stage, try_no } => {
                let heard = Heard { at, parts: 0 };
                self.heard.insert(device.clone(), heard);
                *try_no > 1
                    || matches!(
                        stage,
                        Stage::UploadUi
                            | Stage::CheckUi
                            | Stage::InstallUi
                            | Stage::Upload
                            | Stage::Check
                            | Stage::Install
                            | Stage::Reboot
                            | Stage::Audit
                    )
            }
            DeviceFact::StageProgress { progress, .. } => self
                .heard
                .get_mut(device)
                .is_some_and(|heard| heard.is_news(at, progress)),
            DeviceFact::Finished { .. } => {
                self.heard.remove(device);
                true
            }
            DeviceFact::StageFinished { .. }
            | DeviceFact::RetryScheduled { .. }
            | DeviceFact::Planned { .. }
            | DeviceFact::SecretWanted
            | DeviceFact::ApprovalRequested { .. }
            | DeviceFact::LogRead { .. }
            | DeviceFact::Audited { .. } => true,
            DeviceFact::InstallBegun { .. }
            | DeviceFact::Returned { .. }
            | DeviceFact::LoggedIn { .. }
            | DeviceFact::LoginRefused { .. }
            | DeviceFact::PermitAsked
            | DeviceFact::InstallAnnounced { .. } => false,
        }
    }
}

impl Heard {
    fn is_news(&mut self, at: Timestamp, progress: &Progress) -> bool {
        match progress {
            Progress::Bytes { sent, total } => {
                let parts = (sent * UPLOAD_PARTS).checked_div(*total).unwrap_or(0);
                // The last part is the stage's end, which has a line of its own.
                let news = parts > self.parts && parts < UPLOAD_PARTS;
                self.parts = self.parts.max(parts);
                news
            }
            Progress::Queued => {
                // Said once for each wait: nothing changes until somebody answers for another device.
                let news = self.parts == 0;
                self.parts = 1;
                news
            }
            Progress::Step { .. } => false,
            Progress::Polls { .. } | Progress::Silent { .. } => {
                let since = Duration::try_from(at.duration_since(self.at)).unwrap_or_default();
                let news = since >= NEWS;
                if news {
                    self.at = at;
                }
                news
            }
        }
    }
}

fn style(fact: &DeviceFact) -> Option<LineStyle> {
    match fact {
        DeviceFact::Finished { outcome } => Some(LineStyle::of(outcome.kind())),
        DeviceFact::StageFinished {
            failure: Some(_), ..
        } => Some(LineStyle::Warn),
        DeviceFact::Planned { verdict, .. } if verdict.failure().is_some() => Some(LineStyle::Bad),
        DeviceFact::Audited { report, .. } => match report.verdict {
            AuditVerdict::Confirmed { .. }
            | AuditVerdict::Refused { .. }
            | AuditVerdict::Unavailable(_) => None,
            // Not a failure by itself: only the device's end is red, and only where the inventory requires a log that
            // confirms.
            AuditVerdict::Contradicted { .. } | AuditVerdict::Missing { .. } => {
                Some(LineStyle::Warn)
            }
        },
        DeviceFact::SecretWanted | DeviceFact::ApprovalRequested { .. } => Some(LineStyle::Heading),
        _ => None,
    }
}

/// `text` without what the log says.
fn without_verdict(text: String, said: Option<&AuditReport>) -> String {
    let Some(said) = said.map(AuditReport::to_string) else {
        return text;
    };
    match text.split_once(&said) {
        Some((took, remarks)) => {
            let took = took.trim_end_matches(": ");
            match remarks.trim_start_matches(" · ") {
                "" => took.to_owned(),
                remarks => format!("{took}: {remarks}"),
            }
        }
        None => text,
    }
}

impl<W: Write> Reporter for Plain<W> {
    fn event(&mut self, fleet: &Fleet, event: &Event) -> io::Result<()> {
        let Some(text) = event.fact.headline() else {
            return Ok(());
        };
        match &event.fact {
            Fact::RunStarted { .. } => {
                self.line(event.at, Some(LineStyle::Heading), &text)?;
                self.opening(fleet, event.at)?;
            }
            Fact::RunHalted(_) => self.line(event.at, Some(LineStyle::Bad), &text)?,
            Fact::RunResumed { .. } | Fact::RunReopened(_) => {
                self.line(event.at, Some(LineStyle::Heading), &text)?;
            }
            Fact::RunFinished { .. } => {
                let counts = phrases::counts(&fleet.counts());
                self.line(
                    event.at,
                    Some(LineStyle::Heading),
                    &format!("{text}: {counts}"),
                )?;
            }
            Fact::Device { device, fact, .. } => {
                if !self.matters(device, event.at, fact) {
                    return Ok(());
                }
                let text = match fact {
                    DeviceFact::ApprovalRequested { until, .. } => {
                        format!("{text}; until {}", self.time(*until))
                    }
                    // What the log says has a line of its own; what is left is how long it took, and remarks.
                    DeviceFact::StageFinished {
                        stage: Stage::Audit,
                        failure: None,
                        ..
                    } => without_verdict(
                        text,
                        fleet
                            .device(device)
                            .and_then(|device| device.audit.as_deref()),
                    ),
                    _ => text,
                };
                self.line(event.at, style(fact), &text)?;
            }
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixtures::TestRun;
    use crate::engine::{Intent, Mode};
    use crate::model::{Doubt, LinkTrust, Outcome, Verdict};
    use crate::report::fixtures::{self, id, unplugged};

    fn written(run: &TestRun, color: bool) -> String {
        let mut out = Vec::new();
        let look = LineLook {
            color,
            ..LineLook::default()
        };
        fixtures::report(run, &mut Plain::new(&mut out, TimeZone::UTC, look)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_device_from_probe_to_proof() {
        let mut run = fixtures::run(Mode::Go, 1);
        run.begin();
        fixtures::upgrade(&mut run, 0);
        run.end();
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn retries_refusals_and_second_attempts() {
        let mut run = fixtures::run(Mode::Go, 2);
        run.begin();
        fixtures::refuse(&mut run, 0);
        run.planned(1, Verdict::from(unplugged()));
        run.finish(1, Verdict::from(unplugged()).outcome().unwrap());
        run.intend(Intent::Retry(id(1)));
        run.start(1, Stage::Probe, 1);
        run.stage_done(1, Stage::Probe, 200, 200, "");
        run.finish(1, Outcome::Unknown(Doubt::NoReboot));
        run.end();
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn what_a_device_accepted_is_not_called_confirmed_beside_a_rollback() {
        let mut run = fixtures::run(Mode::Go, 1);
        run.begin();
        let report = crate::model::AuditReport {
            judged: crate::model::OutcomeKind::RolledBack,
            ..fixtures::confirmed()
        };
        run.audit(0, report);
        run.finish(0, Outcome::RolledBack);
        run.end();
        let said = written(&run, false);
        assert!(said.contains("audit says install accepted"), "{said}");
        assert!(!said.contains("confirmed"), "{said}");
        let counts = phrases::audit_counts(&run.fleet.audits());
        assert_eq!(phrases::counted_words(&counts).unwrap(), "1 accepted");
    }

    #[test]
    fn what_the_log_says_is_said_once() {
        for remark in ["", " · read after the next reboot"] {
            let mut run = fixtures::run(Mode::Go, 1);
            run.begin();
            run.start(0, Stage::Audit, 1);
            run.audit(0, fixtures::confirmed());
            let note = format!("{}{remark}", fixtures::confirmed());
            run.stage_done(0, Stage::Audit, 900, 200, &note);
            run.finish(0, Outcome::Upgraded);
            let said = written(&run, false);
            assert_eq!(said.matches("confirmed").count(), 1, "{said}");
            assert!(said.contains("audit done in"), "{said}");
            let told = said.contains("read after the next reboot");
            assert_eq!(told, !remark.is_empty(), "{said}");
        }
    }

    #[test]
    fn a_device_that_waits_for_people_and_what_its_log_says() {
        let mut run = fixtures::run_of(Mode::Go, &[LinkTrust::Ca, LinkTrust::Ca], fixtures::both());
        run.begin();
        run.start(0, Stage::Login, 1);
        run.tell(0, DeviceFact::SecretWanted);
        run.start(1, Stage::Login, 1);
        for _ in 0..3 {
            run.pass(1000);
            run.progress(1, Stage::Login, Progress::Queued);
        }
        fixtures::ask_phone(&mut run, 1, crate::model::Scope::Upgrade);
        run.pass(30_000);
        run.stage_done(1, Stage::Login, 33_000, 200, "approved");
        for (stage, note) in fixtures::APP {
            run.stage(1, stage, 900, 200, note);
        }
        run.audit(1, fixtures::contradicted());
        run.finish(1, Outcome::Upgraded);
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn links_that_prove_nothing_are_warned_of_before_anything_else() {
        let links = [
            LinkTrust::Insecure,
            LinkTrust::Http,
            LinkTrust::Ca,
            LinkTrust::Insecure,
            LinkTrust::Pinned,
            LinkTrust::System,
        ];
        let mut run = fixtures::run_with_links(Mode::Go, &links);
        run.begin();
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn no_escape_is_written_unless_colour_is_wanted() {
        let mut run = fixtures::run_with_links(Mode::Go, &[LinkTrust::Http]);
        run.begin();
        fixtures::refuse(&mut run, 0);
        run.end();
        let plain = written(&run, false);
        assert!(!plain.contains('\x1b') && !plain.contains('\r'));
        let colored = written(&run, true);
        assert!(colored.contains("\x1b[31mvault-01: FAILED"), "{colored}");
        // Colour adds nothing and takes nothing away.
        let mut bare = colored;
        for sgr in ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[33m"] {
            bare = bare.replace(sgr, "");
        }
        assert_eq!(bare, plain);
    }

    #[test]
    fn ascii_is_all_that_is_written_where_the_locale_is_not_utf_8() {
        let mut run = fixtures::run(Mode::Go, 2);
        run.begin();
        fixtures::refuse(&mut run, 0);
        fixtures::upgrade(&mut run, 1);
        run.end();
        let mut out = Vec::new();
        let look = LineLook {
            charset: crate::model::Charset::Ascii,
            ..LineLook::default()
        };
        fixtures::report(&run, &mut Plain::new(&mut out, TimeZone::UTC, look)).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(
            said.is_ascii() && said.contains("vault-01: upload..."),
            "{said}"
        );
        assert!(!written(&run, false).is_ascii());
    }

    #[test]
    fn an_upload_that_starts_again_is_told_of_again() {
        let bytes = |sent| Progress::Bytes { sent, total: 100 };
        let mut run = fixtures::run(Mode::Go, 1);
        run.begin();
        for try_no in 1..=2 {
            run.start(0, Stage::Upload, try_no);
            for sent in [0, 10, 26, 27, 60, 61, 80, 100] {
                run.progress(0, Stage::Upload, bytes(sent));
            }
        }
        let text = written(&run, false);
        let progress: Vec<&str> = text.lines().filter(|line| line.contains(" of ")).collect();
        assert_eq!(progress.len(), 6, "26, 60 and 80 of each try: {text}");
    }

    #[test]
    fn silence_is_told_of_every_half_minute() {
        let mut run = fixtures::run(Mode::Go, 1);
        run.begin();
        run.start(0, Stage::Check, 1);
        for polls in 1..=30 {
            run.pass(4000);
            run.progress(0, Stage::Check, Progress::Polls { polls, status: 202 });
        }
        let text = written(&run, false);
        let polls: Vec<&str> = text.lines().filter(|line| line.contains("poll")).collect();
        assert_eq!(polls.len(), 3, "{text}");
    }
}
