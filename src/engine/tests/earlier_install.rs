//! A device that an earlier run may have sent an install to: asked, watched, and sent nothing that its bootloader has
//! refused already.

use std::collections::BTreeMap;

use super::*;
use crate::engine::fixtures::{DeviceName as _, seed};
use crate::engine::{EarlierInstall, EarlierRefusal, PendingInstall, Reopened};
use crate::model::{Component, DeviceMark, Fws};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(180);

/// An install of an earlier run, sent so long ago to a device that had been up for a day.
fn sent(ago: Duration, expected: Fws) -> EarlierInstall {
    let pending = PendingInstall {
        component: Component::Firmware,
        since: Instant::now().checked_sub(ago).unwrap(),
        uptime_before: Duration::from_secs(86_400),
        fw_upgrade_before: false,
        fws_before: Some(OLD),
        fws_expected: Some(expected),
        eid: None,
        uis_before: None,
        device: DeviceMark {
            hwv: "PPA rev 2.2".to_owned(),
            sd_cid: Some("0353445".to_owned()),
        },
        mark: None,
    };
    let run = RunId::from_random([9; 4]);
    EarlierInstall {
        run,
        image: None,
        pending,
    }
}

/// A run after that one.
fn run_after(fake: &Fake, mode: Mode, earlier: Option<EarlierInstall>, policy: Policy) -> FleetRun {
    let mut seed = seed(0, LinkTrust::Ca);
    if earlier.is_none() {
        seed.refused = Some(EarlierRefusal {
            run: RunId::from_random([9; 4]),
            at: "2026-11-23T12:00:00Z".parse().unwrap(),
            image: None,
            device: None,
        });
    }
    seed.earlier = earlier;
    let run = RunId::from_random([7; 4]);
    let payload = Payload::from(image());
    let fleet = Fleet::new(run.clone(), payload.facts(), mode, 1, [seed]);
    FleetRun::new(fleet, |inbox| {
        Pool::new(run, [(0.id(), fake.clone())], payload, policy, inbox)
    })
}

fn reopened(mode: Mode, refused: BTreeMap<DeviceId, EarlierRefusal>) -> Reopened {
    Reopened {
        by: "ann on desk, process 7".to_owned(),
        mode,
        concurrency: 1,
        max_failures: None,
        gone: Vec::new(),
        earlier: BTreeMap::new(),
        refused,
    }
}

async fn ends(fake: &Fake, earlier: EarlierInstall) -> FleetRun {
    let mut run = run_after(fake, Mode::Go, Some(earlier), Policy::default());
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    run
}

fn refused_before(run: &FleetRun) -> bool {
    matches!(failed(run).1, FailureKind::RefusedBefore { ref run, .. } if run == "09090909")
}

/// 38 of 240 were called failed for this once: "connection refused, is the device plugged in?".
#[tokio::test(start_paused = true)]
async fn a_device_that_reboots_from_an_earlier_install_is_waited_for() {
    let fake = Fake::new();
    let earlier = sent(Duration::from_secs(12), NEW);
    {
        let mut world = fake.world();
        let back = Instant::now() + Duration::from_secs(40);
        world.away.push((Instant::now(), back));
        world.boots.push_back((back, NEW));
    }
    let run = ends(&fake, earlier).await;
    assert_eq!(outcome(&run), &Outcome::Current);
    assert_eq!(fake.count("upload") + fake.count("install"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_the_bootloader_has_just_refused_is_not_sent_again() {
    let fake = Fake::new();
    let earlier = sent(Duration::from_secs(12), NEW);
    {
        let mut world = fake.world();
        let back = Instant::now() + Duration::from_secs(40);
        world.away.push((Instant::now(), back));
        world.boots.push_back((back, OLD));
    }
    let mut run = ends(&fake, earlier).await;
    assert!(refused_before(&run));
    assert_eq!(fake.count("upload") + fake.count("install"), 0);
    // A person asks for it.
    run.intend(Intent::Retry(0.id()));
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fake.count("install"), 1);
}

/// The same, found a week later, when the uptime has outgrown what it was before.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_nobody_saw_is_seen_however_late() {
    let week = Duration::from_secs(7 * 86_400);
    let fake = Fake::new().with(|w| w.booted = Instant::now().checked_sub(week / 2).unwrap());
    let run = ends(&fake, sent(week, NEW)).await;
    assert!(refused_before(&run));
    assert_eq!(fake.count("upload"), 0);
}

/// Another image was refused: this one may do better.
#[tokio::test(start_paused = true)]
async fn after_another_image_the_device_is_upgraded_once_it_is_back() {
    let fake = Fake::new();
    let earlier = sent(Duration::from_secs(12), OTHER);
    {
        let mut world = fake.world();
        let back = Instant::now() + Duration::from_secs(40);
        world.away.push((Instant::now(), back));
        world.boots.push_back((back, OLD));
    }
    let run = ends(&fake, earlier).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(fake.count("install"), 1);
}

/// The process died between its announcement and the request: the device goes on as before. Nothing is sent before the
/// time in which it may still reboot is over.
#[tokio::test(start_paused = true)]
async fn an_install_that_left_no_trace_keeps_the_device_only_for_its_time() {
    let fake = Fake::new().with(|w| {
        w.booted = Instant::now()
            .checked_sub(Duration::from_secs(86_412))
            .unwrap();
    });
    let begun = Instant::now();
    let run = ends(&fake, sent(Duration::from_secs(12), NEW)).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    let world = fake.world();
    let n = world.asked.iter().position(|a| *a == "upload").unwrap();
    let waited = world.asked_at[n] - begun;
    assert!(
        waited >= LIMIT.saturating_sub(Duration::from_secs(12)),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_device_that_does_not_come_back_is_lost_and_not_failed() {
    let fake = Fake::new();
    let forever = Instant::now() + Duration::from_secs(1 << 30);
    fake.world().away.push((Instant::now(), forever));
    let run = ends(&fake, sent(Duration::from_secs(12), NEW)).await;
    assert_eq!(outcome(&run), &Outcome::Lost);
    assert!(only(&run).is_unfinished());
}

#[tokio::test(start_paused = true)]
async fn the_plan_says_since_when_and_by_whom_and_what_may_follow_is_to_be_confirmed() {
    let fake = Fake::new();
    let away = Instant::now() + Duration::from_secs(600);
    fake.world().away.push((Instant::now(), away));
    let earlier = sent(Duration::from_secs(12), NEW);
    let mut run = run_after(&fake, Mode::Confirm, Some(earlier), Policy::default());
    run.intend(Intent::Begin);
    while run.fleet().phase() != Phase::Planned {
        next(&mut run).await;
    }
    let said = notes(&run);
    assert!(said.contains("by run 09090909: do not unplug"), "{said}");
    assert!(said.contains("install sent"), "{said}");
    // What follows the watch is an install of this run: it is confirmed like any other.
    assert_eq!(run.fleet().to_confirm(), 1);
    assert_eq!(run.fleet().planned(VerdictKind::Watch), 1);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_was_refused_in_an_earlier_run_is_sent_where_the_command_line_says_so() {
    for resend_refused in [false, true] {
        let fake = Fake::new();
        let policy = Policy {
            resend_refused,
            ..Policy::default()
        };
        let mut run = run_after(&fake, Mode::Go, None, policy);
        run.intend(Intent::Begin);
        run_to_end(&mut run).await;
        assert_eq!(fake.count("install"), usize::from(resend_refused));
        assert!(resend_refused || refused_before(&run));
    }
}

/// What a device shows that came back a while ago with what it ran before.
fn refused_meanwhile() -> Fake {
    let back = Duration::from_secs(600);
    Fake::new().with(|w| w.booted = Instant::now().checked_sub(back).unwrap())
}

async fn until_planned(run: &mut FleetRun) {
    while run.fleet().phase() != Phase::Planned {
        next(run).await;
    }
}

/// A refusal that a look has found is known to all that come after it: the next look, and the install.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_the_plan_has_found_outlives_the_next_look() {
    let fake = refused_meanwhile();
    let earlier = sent(Duration::from_secs(900), NEW);
    let mut run = run_after(&fake, Mode::Confirm, Some(earlier), Policy::default());
    run.intend(Intent::Begin);
    until_planned(&mut run).await;
    let found = |run: &FleetRun| match &only(run).verdict {
        Some(Verdict::Cannot(failure)) => {
            matches!(failure.kind, FailureKind::RefusedBefore { .. })
        }
        other => unreachable!("{other:?}"),
    };
    assert!(found(&run));
    // Looked at once more, while the plan is shown.
    run.intend(Intent::Retry(0.id()));
    until(&mut run, |f| matches!(f, DeviceFact::Planned { .. })).await;
    assert!(found(&run));
    assert_eq!(only(&run).refusals.len(), 1);
    assert_eq!(fake.count("upload"), 0);
}

/// Another device answers there: nobody knows what became of the one that was sent the install, and this one is upgraded only
/// where a person takes it for the other.
#[tokio::test(start_paused = true)]
async fn another_device_is_neither_judged_nor_upgraded_unasked() {
    for (fws, many) in [(OLD, false), (NEW, false), (OLD, true)] {
        let fake = replaced(fws);
        let mut run = ends(&fake, sent(Duration::from_secs(900), NEW)).await;
        assert!(is_replaced(&run));
        assert!(only(&run).earlier.is_some() && only(&run).saw_earlier_end.is_none());
        assert!(only(&run).refusals.is_empty());
        assert_eq!(fake.count("upload"), 0);
        if many {
            // Whoever retries many has not looked at this one.
            run.intend(Intent::RetryAll(vec![0.id()]));
            run_to_end(&mut run).await;
            assert!(is_replaced(&run));
            continue;
        }
        run.intend(Intent::Retry(0.id()));
        run_to_end(&mut run).await;
        let wanted = match fws {
            NEW => Outcome::Current,
            _ => Outcome::Upgraded,
        };
        assert_eq!(outcome(&run), &wanted);
        assert!(only(&run).saw_earlier_end.is_some());
    }
}

/// The device that was sent the install, and in its place another one with this firmware.
fn replaced(fws: Fws) -> Fake {
    refused_meanwhile().with(|w| {
        w.sd_cid = Some("other".to_owned());
        w.fws = Some(fws);
    })
}

fn is_replaced(run: &FleetRun) -> bool {
    let (stage, kind, touched) = failed(run);
    (stage, touched) == (Stage::Probe, Touched::Nothing)
        && matches!(kind, FailureKind::OtherDevice { .. })
}

#[tokio::test(start_paused = true)]
async fn the_command_line_takes_devices_that_were_replaced() {
    for mode in [Mode::Go, Mode::Confirm] {
        let fake = replaced(OLD);
        let policy = Policy {
            take_replaced: true,
            ..Policy::default()
        };
        let mut run = run_after(
            &fake,
            mode,
            Some(sent(Duration::from_secs(900), NEW)),
            policy,
        );
        run.intend(Intent::Begin);
        if mode == Mode::Confirm {
            until_planned(&mut run).await;
            run.intend(Intent::Confirm);
        }
        run_to_end(&mut run).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
    }
}

/// The way was put right, as the hint says: the device that is in doubt is watched as before, and what it refused is not sent.
#[tokio::test(start_paused = true)]
async fn a_way_that_was_put_right_leads_to_the_device_that_is_in_doubt() {
    let fake = replaced(OLD);
    let mut run = ends(&fake, sent(Duration::from_secs(900), NEW)).await;
    assert!(is_replaced(&run));
    fake.world().sd_cid = Some("0353445".to_owned());
    run.intend(Intent::Retry(0.id()));
    run_to_end(&mut run).await;
    assert!(refused_before(&run));
    assert_eq!((fake.count("upload"), only(&run).refusals.len()), (0, 1));
}

/// It was seen to be back, and then nobody could look at it: what it runs is not known.
#[tokio::test(start_paused = true)]
async fn a_device_that_vanishes_after_the_watch_is_in_doubt_and_not_failed() {
    for stop in [false, true] {
        let fake = Fake::new();
        let back = Instant::now() + Duration::from_secs(40);
        fake.world().away.push((Instant::now(), back));
        fake.world().boots.push_back((back, NEW));
        let mut run = run_after(
            &fake,
            Mode::Go,
            Some(sent(Duration::from_secs(12), NEW)),
            Policy::default(),
        );
        run.intend(Intent::Begin);
        until(&mut run, |f| {
            matches!(
                f,
                DeviceFact::StageFinished {
                    stage: Stage::Reboot,
                    ..
                }
            )
        })
        .await;
        let forever = Instant::now() + Duration::from_secs(1 << 30);
        fake.world().away.push((Instant::now(), forever));
        if stop {
            run.intend(Intent::Cancel(0.id()));
        }
        run_to_end(&mut run).await;
        assert!(outcome(&run).leaves_doubt(), "{:?}", outcome(&run));
        assert!(only(&run).is_unfinished());
    }
}

/// A device that was replaced after it had refused the image: the other one has refused nothing.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_of_the_device_and_not_of_its_place() {
    for (sd_cid, wanted) in [("0353445", false), ("other", true)] {
        let fake = Fake::new().with(|w| w.sd_cid = Some(sd_cid.to_owned()));
        let run = run_of(std::slice::from_ref(&fake), Mode::Go, 1);
        let refused = EarlierRefusal {
            run: RunId::from_random([9; 4]),
            at: "2026-11-23T12:00:00Z".parse().unwrap(),
            image: None,
            device: Some(sent(Duration::ZERO, NEW).pending.device),
        };
        let refused = [(only(&run).id.clone(), refused)].into();
        let mut run = run.reopened(reopened(Mode::Go, refused));
        run.intend(Intent::Begin);
        run_to_end(&mut run).await;
        assert_eq!(outcome(&run) == &Outcome::Upgraded, wanted, "{sd_cid}");
        assert!(wanted || refused_before(&run));
    }
}

/// Another run's install spends none of this run's budget.
#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_did_is_no_harm_of_this_one() {
    let fake = Fake::new();
    let forever = Instant::now() + Duration::from_secs(1 << 30);
    fake.world().away.push((Instant::now(), forever));
    let mut earlier = sent(Duration::from_secs(12), NEW);
    earlier.image = Some("ab".repeat(32));
    let run = ends(&fake, earlier).await;
    assert_eq!((outcome(&run), only(&run).harm), (&Outcome::Lost, 0));
}

/// Long after the install, too, a device that does not answer is given the time of a reboot.
#[tokio::test(start_paused = true)]
async fn a_device_that_is_silent_long_after_is_watched_for_a_reboot() {
    let fake = Fake::new();
    let back = Instant::now() + Duration::from_secs(45);
    fake.world().away.push((Instant::now(), back));
    fake.world().boots.push_back((back, NEW));
    let run = ends(&fake, sent(Duration::from_secs(7 * 86_400), NEW)).await;
    assert_eq!(outcome(&run), &Outcome::Current);
}

/// It may be rebooting, and nobody has looked: that it runs what it ran before would be a lie.
#[tokio::test(start_paused = true)]
async fn a_device_in_doubt_that_is_stopped_before_its_look_stays_in_doubt() {
    let fake = Fake::new();
    let mut run = run_after(
        &fake,
        Mode::Go,
        Some(sent(Duration::ZERO, NEW)),
        Policy::default(),
    );
    run.intend(Intent::Begin);
    run.intend(Intent::Cancel(0.id()));
    run_to_end(&mut run).await;
    let doubt = Outcome::Unknown(crate::model::Doubt::StoppedWatching);
    assert_eq!(outcome(&run), &doubt);
    assert!(only(&run).earlier.is_some());
}

/// Something else stands in the way first; whoever takes that away still has to ask for the image.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_known_although_something_else_stands_in_the_way() {
    let fake = refused_meanwhile().with(|w| w.fls_state = 1);
    let run = ends(&fake, sent(Duration::from_secs(900), NEW)).await;
    assert!(matches!(failed(&run).1, FailureKind::FaultLatched(_)));
    let image = Payload::from(image()).facts().firmware.unwrap();
    assert_eq!(only(&run).refusals[0].image, Some(image.sha256_hex()));
}

/// What it refused was another image, which a later run may want to send.
#[tokio::test(start_paused = true)]
async fn a_refusal_of_another_image_is_told_and_hinders_nothing() {
    let fake = refused_meanwhile();
    let mut earlier = sent(Duration::from_secs(900), OTHER);
    earlier.image = Some("ab".repeat(32));
    let mut run = run_after(&fake, Mode::Go, Some(earlier), Policy::default());
    run.intend(Intent::Begin);
    until(&mut run, |f| matches!(f, DeviceFact::Planned { .. })).await;
    let said = notes(&run);
    assert!(
        said.contains("refused what run 09090909 had sent"),
        "{said}"
    );
    assert_eq!(only(&run).refusals[0].image, Some("ab".repeat(32)));
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}

/// An image without a recognised footer tells no signature: then it is known by its SHA-256.
#[tokio::test(start_paused = true)]
async fn a_refused_image_is_known_by_its_hash_too() {
    let fake = refused_meanwhile();
    let mut earlier = sent(Duration::from_secs(900), NEW);
    earlier.pending.fws_expected = None;
    let image = Payload::from(image()).facts().firmware.unwrap();
    earlier.image = Some(image.sha256_hex());
    let run = ends(&fake, earlier).await;
    assert!(refused_before(&run));
    assert_eq!(fake.count("upload"), 0);
}

/// A terminal that is lost while the plan of a resume is made stops the looks. What they were to find out stays open.
#[tokio::test(start_paused = true)]
async fn a_look_that_is_stopped_leaves_a_doubt_as_it_was() {
    let fake = Fake::new();
    let mut run = run_after(
        &fake,
        Mode::Go,
        None,
        Policy {
            resend_refused: true,
            ..Policy::default()
        },
    );
    run.intend(Intent::Begin);
    until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
    let forever = Instant::now() + Duration::from_secs(1 << 30);
    fake.world().away.push((Instant::now(), forever));
    let mut run = run.reopened(reopened(Mode::Confirm, BTreeMap::new()));
    run.intend(Intent::Begin);
    until(&mut run, |f| {
        matches!(
            f,
            DeviceFact::StageStarted {
                stage: Stage::Probe,
                ..
            }
        )
    })
    .await;
    run.intend(Intent::Interrupt);
    run_to_end(&mut run).await;
    assert!(only(&run).pending.is_some(), "{:?}", only(&run).state);
    assert!(only(&run).is_unfinished());
}
