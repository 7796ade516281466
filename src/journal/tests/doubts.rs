//! What several runs say of one device: which install is in doubt, and which image it refused.

use std::time::Duration;

use jiff::Timestamp;

use super::super::fixtures::TestJournal;
use crate::engine::fixtures::{
    DeviceName as _, OLD, TestRun, firmware, pending, seed, status, version,
};
use crate::engine::{
    DeviceFact, DeviceSeed, EarlierInstall, EarlierRefusal, Intent, Mode, PendingInstall, Seen,
};
use crate::model::{
    Component, Doubt, FailureKind, LinkTrust, Outcome, PayloadFacts, RunId, Stage, Touched, Verdict,
};

/// So many minutes before now.
fn ago(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn at(ago: Duration) -> Timestamp {
    Timestamp::now().checked_sub(ago).unwrap()
}

fn id(number: u8) -> RunId {
    RunId::from_random([0, 0, 0, number])
}

fn sent(minutes: u64) -> PendingInstall {
    let mut pending = pending();
    pending.since -= ago(minutes);
    pending.device = version(OLD).mark();
    pending
}

/// A run over one device that begins so long ago.
fn run(minutes: u64, seed: DeviceSeed, payload: PayloadFacts) -> TestRun {
    let mut run = TestRun::new(Mode::Go, vec![seed], payload);
    run.now = at(ago(minutes));
    run.begin();
    run
}

fn plain() -> DeviceSeed {
    seed(0, LinkTrust::Ca)
}

/// A device that run `number` left in doubt.
fn told_of(number: u8, minutes: u64) -> DeviceSeed {
    let mut seed = plain();
    seed.earlier = Some(EarlierInstall {
        run: id(number),
        image: Some(image_of(&firmware(1000))),
        pending: sent(minutes),
    });
    seed
}

fn image_of(payload: &PayloadFacts) -> String {
    payload.firmware.as_ref().unwrap().sha256_hex()
}

/// Another image than that of the others.
fn other_image() -> PayloadFacts {
    let mut payload = firmware(2000);
    payload.firmware.as_mut().unwrap().sha256 = [0xcd; 32];
    payload
}

/// A run that sends an install so long ago and is killed.
fn in_doubt(minutes: u64) -> TestRun {
    let mut run = run(minutes, plain(), firmware(1000));
    run.planned_upgrade(0, &[]);
    install(&mut run, sent(minutes));
    run
}

fn install(run: &mut TestRun, pending: PendingInstall) {
    let pending = Box::new(pending);
    run.tell(0, DeviceFact::InstallBegun { pending });
}

/// A run that sees the device up, and what that shows of an earlier install.
fn looks(run: TestRun, verdict: Verdict, refused: Option<EarlierRefusal>) -> TestRun {
    looks_like(run, None, verdict, refused)
}

/// The same, of a device with this `sd_cid`.
fn looks_like(
    mut run: TestRun,
    sd_cid: Option<&str>,
    verdict: Verdict,
    refused: Option<EarlierRefusal>,
) -> TestRun {
    let status = status();
    let mut version = version(OLD);
    version.sd_cid = sd_cid.map(str::to_owned);
    run.tell(
        0,
        DeviceFact::Planned {
            seen: Some(Box::new(Seen { version, status })),
            verdict,
            refused: refused.map(Box::new),
        },
    );
    run
}

/// A run that finds that nothing is to be done.
fn current(run: TestRun) -> TestRun {
    let mut run = looks(run, Verdict::Current, None);
    run.finish(0, Outcome::Current);
    run.end();
    run
}

/// The run that holds the device in doubt.
fn holder(kept: &TestJournal) -> Option<RunId> {
    let open = kept.journal.open_installs().unwrap();
    assert!(open.len() <= 1, "one device");
    open.into_iter().next().map(|open| open.run)
}

#[test]
fn the_newest_doubt_counts_whichever_run_was_at_work_last() {
    let kept = TestJournal::new();
    kept.keep_killed(1, &in_doubt(30));
    kept.keep_killed(2, &in_doubt(20));
    assert_eq!(holder(&kept), Some(id(2)));
    kept.journal.at_work_again(&id(1)).unwrap();
    assert_eq!(holder(&kept), Some(id(2)));
}

#[test]
fn a_resume_that_came_to_nothing_hides_no_later_doubt() {
    let kept = TestJournal::new();
    kept.keep_killed(7, &in_doubt(50));
    kept.keep(1, &current(run(30, told_of(7, 50), firmware(1000))));
    assert_eq!(holder(&kept), None);
    kept.keep_killed(2, &in_doubt(20));
    kept.journal.at_work_again(&id(1)).unwrap();
    assert_eq!(holder(&kept), Some(id(2)));
}

#[test]
fn a_look_before_the_install_settles_nothing() {
    let kept = TestJournal::new();
    kept.keep_killed(7, &in_doubt(50));
    // Its plan waited to be confirmed, and meanwhile another run looked.
    kept.keep_killed(1, &in_doubt(20));
    kept.keep(2, &current(run(30, told_of(7, 50), firmware(1000))));
    assert_eq!(holder(&kept), Some(id(1)));
}

/// It answers as before for some seconds after an install, and may run what another run rolls out.
#[test]
fn a_run_that_was_not_told_of_a_doubt_settles_it_only_by_an_install_of_its_own() {
    let kept = TestJournal::new();
    kept.keep_killed(1, &in_doubt(30));
    kept.keep(2, &current(run(29, plain(), other_image())));
    assert_eq!(holder(&kept), Some(id(1)));
    let mut upgraded = run(20, plain(), firmware(1000));
    upgraded.planned_upgrade(0, &[]);
    install(&mut upgraded, sent(20));
    upgraded.returned(0);
    upgraded.finish(0, Outcome::Upgraded);
    upgraded.end();
    kept.keep(3, &upgraded);
    assert_eq!(holder(&kept), None);
}

#[test]
fn a_run_that_was_told_settles_a_doubt_once_it_has_seen_the_end() {
    let kept = TestJournal::new();
    kept.keep_killed(1, &in_doubt(30));
    let mut stopped = run(20, told_of(1, 30), firmware(1000));
    stopped.finish(0, Outcome::Unknown(Doubt::StoppedWatching));
    stopped.end();
    kept.keep(2, &stopped);
    assert_eq!(holder(&kept), Some(id(1)));
    // That was another run's, and something is left to do for this one.
    let second = kept.journal.find("00000002").unwrap();
    assert!(second.unfinished && second.in_doubt == 0);
    kept.keep(3, &current(run(10, told_of(1, 30), firmware(1000))));
    assert_eq!(holder(&kept), None);
    // Both runs were stopped before they were done with the device.
    let entry = |run: &str| {
        let entry = kept.journal.find(run).unwrap();
        (entry.in_doubt, entry.unfinished)
    };
    assert_eq!(entry("00000001"), (0, true));
    assert_eq!(entry("00000002"), (0, true));
    let runs = kept.journal.runs().unwrap();
    assert!(runs.iter().all(|run| run.in_doubt == 0));
}

/// The clock of this machine was set back between the two runs: better one look too many.
#[test]
fn a_clock_that_was_set_back_hides_no_doubt() {
    let kept = TestJournal::new();
    kept.keep_killed(7, &in_doubt(50));
    kept.keep(1, &current(run(5, told_of(7, 50), firmware(1000))));
    kept.keep_killed(2, &in_doubt(20));
    assert_eq!(holder(&kept), Some(id(2)));
}

#[test]
fn an_app_is_settled_by_whoever_sees_the_device_later() {
    let kept = TestJournal::new();
    let mut app = run(30, plain(), firmware(1000));
    let component = Component::Ui;
    install(
        &mut app,
        PendingInstall {
            component,
            ..sent(30)
        },
    );
    kept.keep_killed(1, &app);
    assert_eq!(holder(&kept), Some(id(1)));
    kept.keep(2, &current(run(20, plain(), firmware(1000))));
    assert_eq!(holder(&kept), None);
}

fn refused(kept: &TestJournal) -> Vec<(RunId, String)> {
    let refusals = kept.journal.refusals().unwrap().into_iter();
    refusals.map(|r| (r.refused.run, r.image)).collect()
}

#[test]
fn a_refusal_is_known_until_the_device_runs_that_image() {
    let kept = TestJournal::new();
    let mut rolled_back = in_doubt(30);
    rolled_back.finish(0, Outcome::RolledBack);
    rolled_back.end();
    kept.keep(1, &rolled_back);
    let known = [(id(1), image_of(&firmware(1000)))];
    assert_eq!(refused(&kept), known);
    // It runs another one.
    kept.keep(2, &current(run(20, plain(), other_image())));
    assert_eq!(refused(&kept), known);
    kept.keep(3, &current(run(10, plain(), firmware(1000))));
    assert_eq!(refused(&kept), []);
}

/// The refusal is known as soon as it was seen, whatever the run rolls out, and wherever it ends.
#[test]
fn a_refusal_that_a_run_saw_of_an_earlier_one_is_known() {
    let refusal = || EarlierRefusal {
        run: id(1),
        at: at(ago(20)),
        image: Some(image_of(&firmware(1000))),
        device: None,
    };
    let verdict = || Verdict::Upgrade { notes: Vec::new() };
    for payload in [firmware(1000), other_image()] {
        let kept = TestJournal::new();
        kept.keep_killed(1, &in_doubt(30));
        let seen = run(20, told_of(1, 30), payload);
        kept.keep_killed(2, &looks(seen, verdict(), Some(refusal())));
        assert_eq!(refused(&kept), [(id(1), image_of(&firmware(1000)))]);
        assert_eq!(holder(&kept), None);
    }
}

/// A former version kept a refusal without the image: that of its run.
#[test]
fn a_refusal_without_its_image_is_of_the_image_of_its_run() {
    let kept = TestJournal::new();
    let mut seed = plain();
    seed.refused = Some(EarlierRefusal {
        run: id(9),
        at: at(ago(60)),
        image: None,
        device: None,
    });
    kept.keep_killed(1, &run(30, seed, other_image()));
    assert_eq!(refused(&kept), [(id(9), image_of(&other_image()))]);
    assert_eq!(kept.journal.refusals().unwrap()[0].device, 0.id());
}

/// A retry that came to another end does not make the device take the image.
#[test]
fn a_refusal_outlives_a_retry_that_ended_otherwise() {
    let kept = TestJournal::new();
    let mut retried = in_doubt(30);
    retried.finish(0, Outcome::RolledBack);
    retried.intend(Intent::Retry(0.id()));
    retried.start(0, Stage::Probe, 1);
    retried.finish(0, Outcome::Cancelled(Touched::Nothing));
    retried.end();
    kept.keep(1, &retried);
    assert_eq!(refused(&kept), [(id(1), image_of(&firmware(1000)))]);
}

/// A former version said by the outcome alone what it had seen of an earlier run's install.
#[test]
fn a_refusal_that_only_the_outcome_tells_is_known() {
    let kept = TestJournal::new();
    let mut former = run(30, told_of(9, 60), firmware(1000));
    let kind = FailureKind::RefusedBefore {
        run: id(9).to_string(),
        on: "2026-11-23".to_owned(),
    };
    former.fail(0, Stage::Probe, kind, Touched::Nothing);
    former.end();
    kept.keep(1, &former);
    assert_eq!(refused(&kept), [(id(9), image_of(&firmware(1000)))]);
}

/// Without the run that saw the end the device would be in doubt again.
#[test]
fn a_run_that_settled_a_doubt_is_kept_as_long_as_the_one_that_holds_it() {
    let kept = TestJournal::new();
    kept.keep_killed(1, &in_doubt(30));
    kept.keep(2, &current(run(10, told_of(1, 30), firmware(1000))));
    kept.keep(3, &current(run(10, plain(), firmware(1000))));
    let later = at(Duration::ZERO) + ago(60);
    let gone = kept.journal.prune(later, false).unwrap();
    let gone: Vec<_> = gone.into_iter().map(|run| run.run).collect();
    assert_eq!(gone, [id(3)]);
    assert_eq!(holder(&kept), None);
}

/// It answered, but it is another one: what became of the one that was sent the install is as unknown as before.
#[test]
fn another_device_settles_nothing() {
    let kept = TestJournal::new();
    kept.keep_killed(1, &in_doubt(30));
    let mut seed = told_of(1, 30);
    seed.earlier.as_mut().unwrap().pending.device.sd_cid = Some("another".to_owned());
    let other = run(20, seed, firmware(1000));
    let what = "its sd_cid is this, and was another".to_owned();
    let kind = FailureKind::OtherDevice { what };
    let verdict = kind.clone().into();
    let mut other = looks_like(other, Some("this"), verdict, None);
    other.fail(0, Stage::Probe, kind, Touched::Nothing);
    other.end();
    kept.keep(2, &other);
    assert_eq!(holder(&kept), Some(id(1)));
}

/// Another run's doubt of another device is none of this run's.
#[test]
fn a_run_is_in_doubt_by_its_own_devices_alone() {
    let kept = TestJournal::new();
    let two = || vec![plain(), seed(1, LinkTrust::Ca)];
    let sends = |minutes: u64, n: usize| {
        let mut run = TestRun::new(Mode::Go, two(), firmware(1000));
        run.now = at(ago(minutes));
        run.begin();
        run.planned_upgrade(n, &[]);
        let pending = Box::new(sent(minutes));
        run.tell(n, DeviceFact::InstallBegun { pending });
        run
    };
    kept.keep_killed(1, &sends(30, 0));
    kept.keep(2, &current(run(20, told_of(1, 30), firmware(1000))));
    kept.keep_killed(3, &sends(10, 1));
    for _ in 0..2 {
        let runs = kept.journal.runs().unwrap();
        let in_doubt: Vec<_> = runs.iter().map(|run| run.in_doubt).collect();
        assert_eq!(in_doubt, [1, 0, 0], "the newest first");
    }
}
