//! Golden files of each format, and what no text of a device may do to them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quick_xml::events::Event as Xml;

use super::*;
use crate::engine::fixtures::{TestRun, firmware, seed};
use crate::engine::{DeviceFact, DeviceSeed, Fact, Mode, Reopened};
use crate::model::{DeviceId, Doubt, LinkTrust, Outcome, Skip, Stage, Touched};
use crate::report::fixtures;
use crate::report::{Exit, RunExit};

fn report(run: &TestRun) -> RunReport {
    let exit = RunExit::of(Exit::of(&run.fleet), &run.fleet);
    RunReport::of(&run.fleet, run.now, exit)
}

fn text(format: ReportFormat, run: &TestRun) -> String {
    let mut out = Vec::new();
    format.write(&report(run), &mut out).unwrap();
    // The version of the day is in no golden file.
    let version = format!("{:?}", env!("CARGO_PKG_VERSION"));
    String::from_utf8(out)
        .unwrap()
        .replace(&version, "\"VERSION\"")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

/// A device of each kind.
fn every_kind() -> TestRun {
    let mut run = fixtures::run(Mode::Go, 8);
    run.leave_out(&[fixtures::id(20)]);
    run.begin();
    fixtures::upgrade_to_log(&mut run, 0);
    run.audit(0, fixtures::confirmed());
    run.finish(0, Outcome::Upgraded);
    fixtures::refuse(&mut run, 1);
    for n in [2, 3] {
        run.planned_upgrade(n, &[]);
    }
    run.finish(2, Outcome::Lost);
    run.finish(3, Outcome::Unknown(Doubt::AnswerLost));
    run.finish(4, Outcome::Skipped(Skip::Epa));
    run.finish(5, Outcome::Cancelled(Touched::Nothing));
    fixtures::upgrade_to_log(&mut run, 6);
    run.audit(6, fixtures::contradicted());
    run.finish(6, Outcome::Upgraded);
    run.start(7, Stage::Upload, 1);
    run.end();
    run
}

#[test]
fn golden_json() {
    insta::assert_snapshot!(text(ReportFormat::Json, &every_kind()));
}

#[test]
fn golden_markdown() {
    insta::assert_snapshot!(text(ReportFormat::Markdown, &every_kind()));
}

#[test]
fn golden_csv() {
    insta::assert_snapshot!(text(ReportFormat::Csv, &every_kind()));
}

#[test]
fn golden_junit() {
    insta::assert_snapshot!(text(ReportFormat::Junit, &every_kind()));
}

#[test]
fn golden_html() {
    insta::assert_snapshot!(text(ReportFormat::Html, &every_kind()));
}

/// A run whose process was killed, as the journal tells of it.
fn died(format: ReportFormat) -> String {
    let mut run = fixtures::run(Mode::Go, 4);
    run.begin();
    fixtures::upgrade_to_log(&mut run, 0);
    run.audit(0, fixtures::confirmed());
    run.finish(0, Outcome::Upgraded);
    run.planned_upgrade(1, &["clock unset: check-in first"]);
    run.start(1, Stage::Install, 1);
    run.tell(
        1,
        DeviceFact::InstallAnnounced {
            pending: Box::new(crate::engine::fixtures::pending()),
        },
    );
    run.planned_upgrade(2, &[]);
    run.start(2, Stage::Upload, 1);
    let mut fleet = run.fleet;
    fleet.bury();
    let origin = crate::report::RunOrigin {
        by: "anna on <ops>".to_owned(),
        inventory: "/srv/fleets/warsaw.toml".to_owned(),
        hemfleet: "0.1.0".to_owned(),
        state: crate::report::RunState::Died,
    };
    let report = RunReport::of_journal(&fleet, run.now, origin);
    let mut out = Vec::new();
    format.write(&report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn golden_markdown_of_a_run_that_died() {
    insta::assert_snapshot!(died(ReportFormat::Markdown));
}

#[test]
fn golden_html_of_a_run_that_died() {
    insta::assert_snapshot!(died(ReportFormat::Html));
}

#[test]
fn golden_json_of_a_run_that_died() {
    insta::assert_snapshot!(died(ReportFormat::Json));
}

#[test]
fn golden_junit_of_a_run_that_died() {
    insta::assert_snapshot!(died(ReportFormat::Junit));
}

/// A run that two other processes went on with, one after it had died and one after it had been stopped.
fn gone_on_with(by: &str) -> TestRun {
    let mut run = fixtures::run(Mode::Go, 2);
    run.begin();
    fixtures::refuse(&mut run, 1);
    run.wait(60);
    run.event(reopened(by));
    fixtures::upgrade_to_log(&mut run, 0);
    run.finish(0, Outcome::Upgraded);
    run.end();
    run.wait(60);
    run.event(reopened(by));
    run.end();
    run
}

fn reopened(by: &str) -> Fact {
    Fact::RunReopened(Box::new(Reopened {
        by: by.to_owned(),
        mode: Mode::Go,
        concurrency: 8,
        max_failures: None,
        gone: Vec::new(),
        earlier: BTreeMap::new(),
        refused: BTreeMap::new(),
    }))
}

#[test]
fn who_went_on_with_a_run_is_told_with_why_it_had_broken_off() {
    let run = gone_on_with("anna on <ops>, process 7");
    let times: Vec<_> = run.fleet.gone_on().iter().map(|gone| gone.at).collect();
    let [first, second] = times[..] else {
        panic!("{times:?}");
    };
    let shown = overview::time;
    for (format, lines) in [
        (
            ReportFormat::Markdown,
            [
                "- **Gone on with**: AT by anna on &lt;ops&gt;, process 7: its process had died\n",
                "- **Gone on with**: AT by anna on &lt;ops&gt;, process 7: it had been stopped\n",
            ],
        ),
        (
            ReportFormat::Html,
            [
                "<dt>Gone on with</dt><dd>AT by anna on &lt;ops&gt;, process 7: its process had died</dd>",
                "<dt>Gone on with</dt><dd>AT by anna on &lt;ops&gt;, process 7: it had been stopped</dd>",
            ],
        ),
    ] {
        let written = text(format, &run);
        for (line, at) in lines.into_iter().zip([first, second]) {
            let line = line.replace("AT", &shown(at));
            assert!(written.contains(&line), "no {line} in {written}");
        }
    }
    let json: serde_json::Value = serde_json::from_str(&text(ReportFormat::Json, &run)).unwrap();
    let gone_on = |at: jiff::Timestamp, died: bool| serde_json::json!({ "at": format!("{at:.3}"), "by": "anna on <ops>, process 7", "died": died });
    assert_eq!(
        json["gone_on"],
        serde_json::json!([gone_on(first, true), gone_on(second, false)])
    );
}

#[test]
fn an_ending_says_the_format_whatever_its_case() {
    for format in ReportFormat::ALL {
        assert_eq!(ReportFormat::of_ending(format.ending()), Some(format));
    }
    assert_eq!(ReportFormat::of_ending("HTML"), Some(ReportFormat::Html));
    for other in ["", "txt", "jsonl", "htm"] {
        assert_eq!(ReportFormat::of_ending(other), None);
    }
}

/// A run of one device that is called `name` and said `note`.
fn saying(name: &str, note: &str) -> TestRun {
    let seeds = vec![DeviceSeed {
        id: DeviceId::new(name),
        group: Some(note.to_owned()),
        tags: vec![note.to_owned()],
        ..seed(0, LinkTrust::Ca)
    }];
    let mut run = TestRun::new(Mode::Go, seeds, firmware(3_000_000));
    run.begin();
    let device = DeviceId::new(name);
    let said = |fact| crate::engine::Fact::Device {
        device: device.clone(),
        attempt: 1,
        fact,
    };
    run.event(said(DeviceFact::StageStarted {
        stage: Stage::Probe,
        try_no: 1,
    }));
    run.event(said(DeviceFact::StageFinished {
        stage: Stage::Probe,
        try_no: 1,
        took: std::time::Duration::from_secs(1),
        status: Some(200),
        note: note.to_owned(),
        failure: None,
    }));
    let what = note.to_owned();
    run.event(said(DeviceFact::Finished {
        outcome: Outcome::Failed(crate::model::Failure {
            stage: Stage::Probe,
            kind: crate::model::FailureKind::BadAnswer { what },
            touched: Touched::Nothing,
        }),
    }));
    run.end();
    run
}

/// Texts that are markup, formulas or the end of something in one format or another.
const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "]]>",
    "--><b>",
    "a|b",
    "one\ntwo\r\n# three",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx\u{1}\u{8}\u{1b}\u{fffe}",
    "[x](javascript:alert(1)) `c` *b* https://x.y www.x.y @all",
];

/// Reads XML to its end; the elements and the attributes that are in it.
fn read_xml(text: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut names = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(tag) | Xml::Empty(tag) => {
                names.push(tag.name().as_ref().to_owned());
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    names.push(attribute.key.as_ref().to_owned());
                }
            }
            Xml::Eof => return names,
            _ => {}
        }
    }
}

/// What XML 1.0 may hold.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

#[test]
fn no_text_adds_a_tag_or_an_attribute() {
    for format in [ReportFormat::Junit, ReportFormat::Html] {
        let calm = read_xml(&text(format, &saying("x", "y")));
        let calm_run = read_xml(&text(format, &gone_on_with("x")));
        for hostile in HOSTILE {
            let written = text(format, &saying(hostile, hostile));
            let names = read_xml(&written);
            assert_eq!(names, calm, "{hostile}");
            assert!(written.chars().all(is_xml_char), "{hostile}");
            let names = read_xml(&text(format, &gone_on_with(hostile)));
            assert_eq!(names, calm_run, "{hostile}");
        }
    }
}

#[test]
fn a_page_loads_and_runs_nothing() {
    let names = read_xml(&text(ReportFormat::Html, &every_kind()));
    for name in [
        "script", "link", "img", "iframe", "src", "style=", "onclick",
    ] {
        assert!(!names.contains(&name.to_owned()), "{name}");
    }
    let page = text(ReportFormat::Html, &every_kind());
    assert!(page.contains("default-src 'none'") && !page.contains("url("));
}

#[test]
fn no_cell_is_a_formula() {
    for hostile in HOSTILE {
        let written = text(ReportFormat::Csv, &saying(hostile, hostile));
        let mut rows = ::csv::Reader::from_reader(written.as_bytes());
        for cell in &rows.records().next().unwrap().unwrap() {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']),
                "{cell}"
            );
        }
    }
}

#[test]
fn no_text_ends_a_line_of_markdown_or_is_more_than_text() {
    let calm = text(ReportFormat::Markdown, &saying("x", "y"))
        .lines()
        .count();
    for hostile in HOSTILE {
        let written = text(ReportFormat::Markdown, &saying(hostile, hostile));
        assert_eq!(written.lines().count(), calm, "{hostile}");
        for bad in [
            "<script", "<b>", "[x](", "`c`", "*b*", "://", "www.", "@all",
        ] {
            assert!(!written.contains(bad), "{bad} in {written}");
        }
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows = written.lines().filter(|line| line.starts_with('|'));
        for row in rows {
            assert!([11, 8].contains(&bars(row)), "{row}");
        }
    }
}

#[test]
fn the_numbers_of_a_suite_are_those_of_its_cases() {
    let written = text(ReportFormat::Junit, &every_kind());
    let count = |what: &str| written.matches(what).count();
    let head = written.lines().find(|l| l.contains("<testsuite ")).unwrap();
    for (name, n) in [
        ("tests", count("<testcase ")),
        ("failures", count("<failure ")),
        ("errors", count("<error ")),
        ("skipped", count("<skipped ")),
    ] {
        assert!(head.contains(&format!(" {name}=\"{n}\"")), "{name}: {head}");
        assert!(n > 0, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_back_from_csv(name in "\\PC{1,12}|[=+@\t\r\n\",-]{1,6}", note in any::<String>()) {
        let run = saying(&name, &note);
        let written = text(ReportFormat::Csv, &run);
        let mut rows = ::csv::ReaderBuilder::new().from_reader(written.as_bytes());
        let row = rows.records().next().unwrap().unwrap();
        prop_assert_eq!(row.len(), 23);
        let same = |cell: &str, text: &str| cell == text || cell.strip_prefix('\'') == Some(text);
        prop_assert!(same(&row[1], &name) && same(&row[2], &note), "{:?}", row);
        prop_assert!(rows.records().next().is_none());
    }

    #[test]
    fn any_text_leaves_xml_and_html_well_formed(name in any::<String>(), note in any::<String>()) {
        let run = saying(&name, &note);
        for format in [ReportFormat::Junit, ReportFormat::Html] {
            let written = text(format, &run);
            prop_assert!(written.chars().all(is_xml_char));
            read_xml(&written);
        }
    }
}
