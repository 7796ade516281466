//! A device that somebody else installed to or rebooted since it was looked at: another process, a colleague, a person
//! with a power switch. Nothing is installed twice, and nothing on a device that is not the one that was looked at.

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::fake_device::attempt;
use super::*;
use crate::device::{Device as _, Session as Entry, Validated};
use crate::engine::event::Seen;
use crate::engine::procedure::login::Access;
use crate::model::{Component, Failure, FirmwareImage, Retry};

/// Patient enough to log in over a reboot.
fn patient() -> Policy {
    Policy {
        retry: Retry {
            attempts: 9,
            ..Retry::default()
        },
        ..Policy::default()
    }
}

fn sent(fake: &Fake) -> (usize, usize) {
    (fake.count("upload"), fake.count("install"))
}

/// hemfleet was killed right after an install, and runs again: the probe falls into the seconds in which the
/// device answers as before.
#[tokio::test(start_paused = true)]
async fn a_login_that_was_repeated_over_a_reboot_finds_the_image_installed() {
    let fake = Fake::new().with(|w| w.boots_at.push_back(("login", 1, NEW)));
    let (run, events) = upgrade_by(&fake, patient()).await;
    assert_eq!(outcome(&run), &Outcome::Current);
    assert_eq!(sent(&fake), (0, 0));
    assert_eq!(stages(&events).last(), Some(&Stage::Probe));
    assert_eq!(only(&run).seen.as_ref().unwrap().version.fws, Some(NEW));
    assert!(fake.count("login") > 1, "the login was repeated");
}

/// It answers as before, and has no room for another image while it installs one.
#[tokio::test(start_paused = true)]
async fn a_409_to_the_upload_waits_for_the_install_that_may_be_under_way() {
    let fake = Fake::new().with(|w| {
        let status = FailureKind::Status { status: 409 };
        w.uploads.push_back((0, status));
        w.boots_at.push_back(("status", 3, NEW));
    });
    let (run, _) = upgrade(&fake).await;
    assert_eq!(outcome(&run), &Outcome::Current);
    assert_eq!(sent(&fake), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_runs_the_image_by_now_is_not_installed_to() {
    for step in ["upload", "check"] {
        let fake = Fake::new().with(|w| {
            w.upload_takes = Duration::from_secs(60);
            w.checks.extend(vec![Ok(202); 20]);
            w.boots_at.push_back((step, 1, NEW));
            // What has begun comes to its end in this device, and says nothing.
            w.deaf_while_away = false;
        });
        let (run, _) = upgrade_by(&fake, patient()).await;
        assert_eq!(outcome(&run), &Outcome::Current, "{step}");
        assert_eq!(sent(&fake), (1, 0));
        let last = only(&run).timeline.last().unwrap();
        assert!(last.note.contains("by now"), "{}", last.note);
    }
}

/// Somebody else's install left it with a fault.
#[tokio::test(start_paused = true)]
async fn a_device_that_runs_the_image_by_now_and_reports_a_fault_is_not_green() {
    let fake = Fake::new().with(|w| w.upload_takes = Duration::from_secs(60));
    let mut run = begin(&fake).await;
    until_started(&mut run, Stage::Upload).await;
    {
        let mut world = fake.world();
        (world.fws, world.fls_state) = (Some(NEW), 8);
    }
    run_to_end(&mut run).await;
    assert_eq!(failed(&run).1.code(), "fault_latched");
    assert_eq!(sent(&fake), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_rebooted_since_the_probe_is_probed_anew() {
    for fws in [OLD, OTHER] {
        let fake = Fake::new().with(|w| {
            w.upload_takes = Duration::from_secs(60);
            w.boots_at.push_back(("upload", 1, fws));
            w.deaf_while_away = false;
        });
        let (run, events) = upgrade(&fake).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded);
        assert_eq!(sent(&fake), (2, 1));
        let probes = stages(&events)
            .iter()
            .filter(|s| **s == Stage::Probe)
            .count();
        // The second one is the look that found it out.
        assert_eq!(probes, 3);
        let told = only(&run)
            .timeline
            .iter()
            .find_map(|s| s.failure.as_ref().map(FailureKind::code));
        assert_eq!(told, Some("changed_meanwhile"));
        assert_eq!(only(&run).seen.as_ref().unwrap().version.fws, Some(fws));
    }
}

/// The signature alone tells of a change where the uptime does not.
#[tokio::test(start_paused = true)]
async fn a_signature_that_changed_without_a_reboot_that_shows_is_looked_at_anew() {
    let fake = Fake::new().with(|w| w.upload_takes = Duration::from_secs(60));
    let mut run = begin(&fake).await;
    until_started(&mut run, Stage::Upload).await;
    fake.world().fws = Some(OTHER);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(sent(&fake), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_keeps_rebooting_is_given_up_and_nothing_is_installed() {
    let fake = Fake::new().with(|w| {
        w.upload_takes = Duration::from_secs(60);
        w.boots_at.extend((1..=9).map(|n| ("upload", n, OLD)));
        w.deaf_while_away = false;
    });
    let (run, _) = upgrade(&fake).await;
    let (stage, kind, touched) = failed(&run);
    assert_eq!((stage, kind.code()), (Stage::Probe, "changed_meanwhile"));
    assert_eq!(touched, Touched::ImageStaged);
    assert_eq!(sent(&fake), (3, 0));
}

/// Its token died, and what was staged is gone: that is no refusal.
#[tokio::test(start_paused = true)]
async fn a_check_that_was_lost_over_a_reboot_finds_the_image_installed_or_begins_anew() {
    for (fws, wanted, uploads) in [(NEW, Outcome::Current, 1), (OLD, Outcome::Upgraded, 2)] {
        let fake = Fake::new().with(|w| {
            w.checks.clear();
            w.checks.push_back(Ok(201));
            w.checks.push_back(Err(FailureKind::Status { status: 401 }));
            w.boots_at.push_back(("check", 2, fws));
        });
        let (run, _) = upgrade_by(&fake, patient()).await;
        assert_eq!(outcome(&run), &wanted);
        assert_eq!(fake.count("upload"), uploads);
    }
}

/// Clocks that gain 8 %, looks that take their time: no reboot.
#[tokio::test(start_paused = true)]
async fn a_fast_clock_and_a_slow_answer_are_no_reboot() {
    for rate in [0.99, 1.0, 1.08] {
        let fake = Fake::new().with(|w| {
            w.rate = rate;
            w.upload_takes = Duration::from_secs(40);
            w.slow_once = Some(("status", Duration::from_secs(25)));
        });
        let (run, _) = upgrade(&fake).await;
        assert_eq!(outcome(&run), &Outcome::Upgraded, "{rate}");
        assert_eq!(sent(&fake), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_app_is_not_installed_to_a_device_that_rebooted_either() {
    let payload = || Payload {
        firmware: Some(image()),
        app: Some(management_app::app()),
    };
    let fake = Fake::new().with(|w| {
        w.upload_takes = Duration::from_secs(60);
        w.boots_at.push_back(("upload app", 1, OLD));
        w.deaf_while_away = false;
    });
    let fakes = std::slice::from_ref(&fake);
    let mut run = run_with(fakes, Mode::Go, 1, payload(), patient());
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
    assert_eq!(
        (fake.count("upload app"), fake.count("install app")),
        (2, 1)
    );
    assert_eq!(sent(&fake), (1, 1));
    // Somebody else's firmware came between the app and the firmware.
    let fake = Fake::new().with(|w| {
        w.upload_takes = Duration::from_secs(60);
        w.boots_at.push_back(("upload", 1, NEW));
        w.deaf_while_away = false;
    });
    let fakes = std::slice::from_ref(&fake);
    let mut run = run_with(fakes, Mode::Go, 1, payload(), patient());
    run.intend(Intent::Begin);
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::AppInstalled);
    assert_eq!(sent(&fake), (1, 0));
}

/// Upgrades a device that becomes like this once its install has its permit: what is left is the last look.
async fn with_last_look(become_so: impl FnOnce(&Fake)) -> (FleetRun, Fake) {
    let fake = Fake::new();
    let mut run = run_of(std::slice::from_ref(&fake), Mode::Go, 1);
    run.intend(Intent::Begin);
    while !run.fleet().devices()[0].permit {
        next(&mut run).await;
    }
    become_so(&fake);
    run_to_end(&mut run).await;
    (run, fake)
}

#[tokio::test(start_paused = true)]
async fn a_device_that_does_not_answer_the_last_look_gets_no_install_and_a_slip_is_forgiven() {
    let of = Retry::default().attempts as usize;
    for silent in [of - 1, of] {
        let asked = |fake: &Fake| fake.count("version");
        let mut before = 0;
        let (run, fake) = with_last_look(|fake| {
            before = asked(fake);
            fake.world().probes.extend(vec![reset(); silent]);
        })
        .await;
        if silent < of {
            assert_eq!(outcome(&run), &Outcome::Upgraded);
            assert_eq!(sent(&fake), (1, 1));
            continue;
        }
        let failed = Failure {
            stage: Stage::Probe,
            kind: reset(),
            touched: Touched::ImageStaged,
        };
        assert_eq!(outcome(&run), &Outcome::Failed(failed));
        assert_eq!((sent(&fake), asked(&fake) - before), ((1, 0), of));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_is_latched_by_the_last_look_is_not_waited_for() {
    let mut before = 0;
    let (run, fake) = with_last_look(|fake| {
        before = fake.count("status");
        fake.world().fls_state = 8;
    })
    .await;
    assert_eq!(outcome(&run).code(), "fault_latched");
    assert_eq!(sent(&fake), (1, 0));
    assert_eq!(fake.count("status") - before, 1);
}

/// Nothing slow stands between the last look and the request, also where nobody listens for a while.
#[tokio::test(start_paused = true)]
async fn the_install_follows_the_last_look_at_once_however_slowly_the_events_are_read() {
    let fake = Fake::new().with(|w| w.validated = 1);
    let seen = Seen {
        version: fake.version().await.unwrap(),
        status: fake.status().await.unwrap(),
    };
    let (inbox, mut said) = mpsc::channel(2);
    let mut attempt = attempt(&fake, Payload::from(FirmwareImage::clone(&image())), inbox);
    for _ in 0..2 {
        let progress = Progress::Queued;
        attempt.events.send_progress(Stage::Check, progress);
    }
    let permit = attempt.permit.clone();
    let (on_disk, recorded) = mpsc::channel(1);
    attempt.recorded = recorded;
    on_disk.send(Ok(())).await.unwrap();
    let task = tokio::spawn(async move {
        let mut access = Access::Open(Entry::anonymous());
        let validated = Validated::by_device(Component::Firmware);
        let _ = attempt.install(validated, &mut access, &seen).await;
    });
    let gap = |fake: &Fake| {
        let world = fake.world();
        let n = world.asked.iter().position(|a| *a == "install")?;
        Some(world.asked_at[n] - world.asked_at[n - 1])
    };
    let begun = Instant::now();
    let gap = loop {
        if let Some(gap) = gap(&fake) {
            break gap;
        }
        assert!(begun.elapsed() < Duration::from_secs(1000), "no install");
        tokio::time::sleep(Duration::from_secs(30)).await;
        let read = timeout(Duration::from_millis(1), said.recv()).await;
        if let Ok(Some(crate::engine::Message::Event(event))) = read
            && let Fact::Device { fact, .. } = event.fact
            && matches!(fact, DeviceFact::PermitAsked)
        {
            permit.give();
        }
    };
    assert!(gap <= Duration::from_millis(100), "{gap:?}");
    task.abort();
}

/// What the last look finds needs room of its own to be said: in a large fleet the room that is held for an
/// install may be all that there is.
#[tokio::test(start_paused = true)]
async fn what_the_last_look_finds_is_said_however_little_room_there_is() {
    let fake = Fake::new();
    let seen = Seen {
        version: fake.version().await.unwrap(),
        status: fake.status().await.unwrap(),
    };
    for (fws, sd_cid) in [(NEW, "0353445"), (OLD, "other")] {
        {
            let mut world = fake.world();
            (world.fws, world.sd_cid) = (Some(fws), Some(sd_cid.to_owned()));
        }
        let (inbox, mut said) = mpsc::channel(2);
        let mut attempt = attempt(&fake, Payload::from(FirmwareImage::clone(&image())), inbox);
        let permit = attempt.permit.clone();
        let seen = seen.clone();
        let task = tokio::spawn(async move {
            let mut access = Access::Open(Entry::anonymous());
            let validated = Validated::by_device(Component::Firmware);
            let _ = attempt.install(validated, &mut access, &seen).await;
        });
        let read = async {
            while let Some(message) = said.recv().await {
                if let crate::engine::Message::Event(event) = message
                    && let Fact::Device { fact, .. } = event.fact
                    && matches!(fact, DeviceFact::PermitAsked)
                {
                    permit.give();
                }
            }
        };
        let ended = timeout(Duration::from_secs(1000), read).await;
        assert!(ended.is_ok(), "waits for room that it holds itself");
        task.await.unwrap();
    }
    assert_eq!(fake.count("install"), 0);
}

/// Behind the same tunnel another device answers after the install.
#[tokio::test(start_paused = true)]
async fn another_device_in_its_place_leaves_the_outcome_unknown() {
    for (install, part) in [
        (Install::Runs(NEW), "hwv"),
        (Install::Runs(NEW), "sd_cid"),
        (Install::AcceptedAndIdle, "sd_cid"),
        (Install::Runs(NEW), "eid"),
    ] {
        let fake = Fake::new().with(|w| w.install = install);
        let mut run = begin(&fake).await;
        until(&mut run, |f| matches!(f, DeviceFact::InstallBegun { .. })).await;
        match part {
            "hwv" => fake.world().hwv = "PPA rev 1.9",
            "sd_cid" => fake.world().sd_cid = Some("other".to_owned()),
            _ => fake.world().other_eid = true,
        }
        run_to_end(&mut run).await;
        let got = outcome(&run);
        assert!(
            matches!(got, Outcome::Unknown(Doubt::OtherDevice { what }) if what.contains(part)),
            "{part}: {got:?}"
        );
        if install != Install::AcceptedAndIdle {
            {
                let mut world = fake.world();
                (world.hwv, world.other_eid) = ("PPA rev 2.2", false);
                world.sd_cid = None;
            }
            retry(&mut run).await;
            assert_eq!(outcome(&run), &Outcome::Upgraded, "{part}");
        }
        assert_eq!(fake.count("install"), 1);
    }
}

/// The same before the install: nobody agreed to anything about that device, and what it runs says nothing of
/// the one that was looked at.
#[tokio::test(start_paused = true)]
async fn another_device_in_its_place_before_the_install_gets_nothing_and_is_not_taken_for_it() {
    for (part, runs) in [("hwv", OLD), ("sd_cid", OLD), ("sd_cid", NEW)] {
        let fake = Fake::new().with(|w| w.upload_takes = Duration::from_secs(60));
        let mut run = begin(&fake).await;
        until_started(&mut run, Stage::Upload).await;
        match part {
            "hwv" => fake.world().hwv = "PPA rev 1.9",
            _ => fake.world().sd_cid = Some("other".to_owned()),
        }
        fake.world().fws = Some(runs);
        run_to_end(&mut run).await;
        let (stage, kind, touched) = failed(&run);
        assert_eq!((stage, kind.code()), (Stage::Probe, "changed_meanwhile"));
        assert!(kind.to_string().contains(part), "{kind}");
        assert_eq!(touched, Touched::ImageStaged);
        assert_eq!(sent(&fake), (1, 0), "{part}");
    }
}

/// It reboots, and another one answers once it is looked at anew.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_begins_anew_is_about_the_same_device() {
    let fake = Fake::new().with(|w| {
        w.upload_takes = Duration::from_secs(60);
        w.boots_at.push_back(("upload", 1, OLD));
        w.deaf_while_away = false;
    });
    let mut run = begin(&fake).await;
    until(&mut run, |f| {
        matches!(
            f,
            DeviceFact::StageFinished {
                failure: Some(FailureKind::ChangedMeanwhile { .. }),
                ..
            }
        )
    })
    .await;
    fake.world().sd_cid = Some("other".to_owned());
    fake.world().fws = Some(NEW);
    run_to_end(&mut run).await;
    assert_eq!(failed(&run).1.code(), "changed_meanwhile");
    assert_eq!(sent(&fake), (1, 0));
}

/// Whoever confirmed the plan did not confirm it for the device that answers there by now.
#[tokio::test(start_paused = true)]
async fn another_device_than_the_planned_one_is_sent_nothing() {
    let fake = Fake::new();
    let mut run = run_of(std::slice::from_ref(&fake), Mode::Confirm, 1);
    run.intend(Intent::Begin);
    while run.fleet().phase() != Phase::Planned {
        next(&mut run).await;
    }
    fake.world().sd_cid = Some("other".to_owned());
    run.intend(Intent::Confirm);
    run_to_end(&mut run).await;
    let (stage, kind, touched) = failed(&run);
    assert_eq!((stage, touched), (Stage::Probe, Touched::Nothing));
    assert!(
        matches!(&kind, FailureKind::ChangedMeanwhile { what } if what.contains("another device"))
    );
    assert_eq!(fake.count("login") + fake.count("upload"), 0);
    // A person who looks at it again means what is there now.
    run.intend(Intent::Retry(only(&run).id.clone()));
    run_to_end(&mut run).await;
    assert_eq!(outcome(&run), &Outcome::Upgraded);
}
