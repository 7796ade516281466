//! The table of `hemfleet audit` on the normal screen: a line for each log file as it is read, then one for each device.
//! A line is worth no more than the link over which the file was read (section 9), so the link stands in each.
//! `cli` saves the files.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::style::{LineLook, LineStyle};
use super::{Reporter, phrases};
use crate::engine::{DeviceFact, DeviceState, Event, Fact, Fleet};
use crate::model::{AuditLog, AuditObstacle, LogRead, Outcome, padded};

/// The widths of FILE, ENTRIES and LINK. A longer id moves only its own line.
const FILE: usize = 8;
const ENTRIES: usize = 7;
const LINK: usize = 8;

/// Writes the table while the logs are read.
///
/// Lines of several devices may alternate, so each names its device. The running session's file, which a
/// device does not give out (section 9), is marked as such and is no fault. [`print_summary`](super::print_summary)
/// writes what follows the last line.
#[derive(Debug)]
pub struct AuditTable<W> {
    out: W,
    look: LineLook,
    names: usize,
}

impl<W: Write> AuditTable<W> {
    /// Writes to `out`.
    pub fn new(out: W, look: LineLook) -> Self {
        Self {
            out,
            look,
            names: 0,
        }
    }

    fn line(&mut self, style: Option<LineStyle>, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", self.look.paint(style, text.trim_end()))
    }

    fn head(&mut self, fleet: &Fleet) -> io::Result<()> {
        for warning in phrases::link_warnings(fleet) {
            self.line(Some(LineStyle::Warn), &format!("WARNING: {warning}"))?;
        }
        let names = fleet
            .devices()
            .iter()
            .map(|device| self.look.text(device.id.as_str()).width());
        self.names = names.chain(["DEVICE".len()]).max().unwrap_or(0);
        let head = self.cells(["DEVICE", "FILE", "ENTRIES", "LINK", "VERIFIED"]);
        self.line(Some(LineStyle::Heading), &head)
    }

    fn cells(&self, [device, file, entries, link, verified]: [&str; 5]) -> String {
        let device = padded(&self.look.text(device), self.names);
        format!("{device}  {file:FILE$}  {entries:>ENTRIES$}  {link:LINK$}  {verified}")
    }

    fn file(&mut self, device: &DeviceState, read: &LogRead) -> io::Result<()> {
        let (style, verified) = verified(read);
        let entries = match &read.log {
            Ok(log) => log.count.to_string(),
            Err(_) => String::new(),
        };
        let line = self.cells([
            device.id.as_str(),
            read.id.as_str(),
            &entries,
            device.link.as_str(),
            &verified,
        ]);
        self.line(style, &line)
    }

    fn end(&mut self, device: &DeviceState, outcome: &Outcome) -> io::Result<()> {
        let (word, reason) = (outcome.kind().words().to_uppercase(), outcome.reason());
        let mut line = format!("{}: {word}: {reason}", device.id);
        if let Outcome::Audited { .. } = outcome {
            line.push_str("; ");
            line.push_str(&device.link.to_string());
        }
        self.line(Some(LineStyle::of(outcome.kind())), &line)?;
        match outcome.hint() {
            Some(hint) => self.line(None, &format!("  hint: {hint}")),
            None => Ok(()),
        }
    }
}

/// The last column: whether the file verifies, and where and why it does not.
fn verified(read: &LogRead) -> (Option<LineStyle>, String) {
    let (style, mut text) = of_log(read);
    match &read.kept {
        Some(Err(why)) => {
            text.push_str("; NOT KEPT: ");
            text.push_str(why);
            (Some(style.unwrap_or(LineStyle::Warn)), text)
        }
        _ => (style, text),
    }
}

fn of_log(read: &LogRead) -> (Option<LineStyle>, String) {
    match &read.log {
        Ok(log) if log.verifies() => (None, format!("yes{}", other_lines(log))),
        Ok(log) => (
            Some(LineStyle::Bad),
            format!("NO: {}{}", log.end, other_lines(log)),
        ),
        Err(AuditObstacle::Busy) => (
            Some(LineStyle::Dull),
            "in use: the running session's file".to_owned(),
        ),
        Err(why) => (Some(LineStyle::Warn), format!("not read: {why}")),
    }
}

/// Lines that no MAC covers: one of them may have been an entry.
fn other_lines(log: &AuditLog) -> String {
    match (log.other_lines.first(), log.others) {
        (None, _) => String::new(),
        (Some(line), 0 | 1) => format!("; line {line} is no entry"),
        (Some(line), n) => format!("; line {line} and {} more are no entries", n - 1),
    }
}

impl<W: Write> Reporter for AuditTable<W> {
    fn event(&mut self, fleet: &Fleet, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::RunStarted { .. } => self.head(fleet)?,
            Fact::RunHalted(_)
            | Fact::RunResumed { .. }
            | Fact::RunReopened(_)
            | Fact::RunFinished { .. } => {}
            Fact::Device { device, fact, .. } => {
                let Some(device) = fleet.device(device) else {
                    return Ok(());
                };
                match fact {
                    DeviceFact::LogRead { read } => self.file(device, read)?,
                    DeviceFact::Finished { outcome } => self.end(device, outcome)?,
                    // Somebody must do something, or it takes longer: that is worth a line among the files.
                    DeviceFact::SecretWanted
                    | DeviceFact::ApprovalRequested { .. }
                    | DeviceFact::RetryScheduled { .. } => {
                        let text = event.fact.headline().unwrap_or_default();
                        self.line(None, &text)?;
                    }
                    _ => return Ok(()),
                }
            }
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Mode;
    use crate::engine::fixtures::TestRun;
    use crate::model::{Failure, FailureKind, LinkTrust, Skip, Stage, Touched};
    use crate::report::fixtures::{self, unplugged};

    fn written(run: &TestRun, color: bool) -> String {
        let mut out = Vec::new();
        let look = LineLook {
            color,
            ..LineLook::default()
        };
        fixtures::report(run, &mut AuditTable::new(&mut out, look)).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn failed(kind: FailureKind) -> Outcome {
        Outcome::Failed(Failure {
            stage: Stage::Audit,
            kind,
            touched: Touched::Nothing,
        })
    }

    fn audit() -> TestRun {
        let links = [
            LinkTrust::Pinned,
            LinkTrust::Insecure,
            LinkTrust::Ca,
            LinkTrust::Http,
            LinkTrust::System,
        ];
        let mut run = fixtures::run_of(Mode::Audit { all: false }, &links, fixtures::no_payload());
        run.begin();
        run.log_read(0, "62310ba5", Ok(fixtures::log()));
        run.tell(1, DeviceFact::SecretWanted);
        run.log_read(0, "62310c00", Err(AuditObstacle::Busy));
        run.log_read(1, "7", Ok(fixtures::spoiled_log()));
        run.finish(0, Outcome::Audited { files: 1 });
        run.log_read(2, "62310d00", Ok(fixtures::cut_log()));
        run.log_read(2, "62310e00", Err(AuditObstacle::Gone));
        run.finish(
            1,
            failed(FailureKind::LogNotVerified {
                what: "7: line 5: its MAC does not fit: the line was changed".to_owned(),
            }),
        );
        run.finish(
            2,
            failed(FailureKind::LogUnread {
                what: "62310d00 is cut short in line 9".to_owned(),
            }),
        );
        run.finish(3, failed(unplugged()));
        run.finish(4, Outcome::Skipped(Skip::Epa));
        run.end();
        run
    }

    #[test]
    fn each_file_then_each_device() {
        insta::assert_snapshot!(written(&audit(), false));
    }

    #[test]
    fn colour_says_nothing_that_words_do_not() {
        let mut bare = written(&audit(), true);
        assert!(bare.contains("\x1b[31mvault-02  7"), "{bare}");
        for sgr in ["0", "1", "2", "31", "32", "33"] {
            bare = bare.replace(&format!("\x1b[{sgr}m"), "");
        }
        assert_eq!(bare, written(&audit(), false));
    }

    #[test]
    fn the_summary_behind_it_is_short() {
        let run = audit();
        let mut out = Vec::new();
        let style = crate::report::Summary {
            look: LineLook::default(),
            width: None,
            exit: Some(crate::report::Exit::of(&run.fleet)),
        };
        crate::report::print_summary(&run.fleet, run.now, style, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
