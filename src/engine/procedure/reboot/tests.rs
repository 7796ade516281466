//! What tells of a reboot and of an upgrade, and a cancellation in the last moment.

use tokio::sync::mpsc;

use super::*;
use crate::device::{Session, Validated};
use crate::engine::event::Seen;
use crate::engine::procedure::attempt::AttemptEnd;
use crate::engine::procedure::login::Access;
use crate::engine::tests::fake_device::{Fake, attempt, image};
use crate::model::{Component, DeviceMark, FlsState};

#[test]
fn a_jump_host_that_is_down_says_nothing_about_the_device() {
    let (jump, reason) = ("host7".into(), "the connection ended".into());
    let down = LinkFault::Ssh { jump, reason };
    let last = down.to_string();
    let unknown = Outcome::Unknown(Doubt::NotLookedAt { last });
    assert_eq!(outcome_of_last_look(&down.into()), unknown);
    let target = "192.168.7.1:443 behind host7".into();
    assert_eq!(
        outcome_of_last_look(&LinkFault::Refused { target }.into()),
        Outcome::Lost
    );
}

/// The image without a footer may be the very one that ran before.
#[tokio::test(start_paused = true)]
async fn without_a_footer_only_the_device_tells_an_upgrade_from_a_rollback() {
    let fake = Fake::new();
    let mut unknown = image();
    unknown.facts.footer = None;
    let (inbox, _said) = mpsc::channel(1);
    let attempt = attempt(&fake, unknown.into(), inbox);
    let now = fake.version().await.unwrap().fws;
    let pending = PendingInstall {
        component: Component::Firmware,
        since: Instant::now(),
        uptime_before: Duration::from_secs(9),
        fw_upgrade_before: false,
        fws_before: now,
        fws_expected: None,
        eid: None,
        uis_before: None,
        device: fake.version().await.unwrap().mark(),
        mark: None,
    };
    let mut status = fake.status().await.unwrap();
    assert_eq!(attempt.proven(&pending, &status, now), Outcome::RolledBack);
    status.fw_upgrade = true;
    assert_eq!(
        attempt.proven(&pending, &status, now),
        Outcome::Unproven(Unproven::NoExpectedSignature)
    );
}

/// A subscriber that is slow to listen holds the task up right before the install.
#[tokio::test(start_paused = true)]
async fn a_cancel_counts_until_the_install_is_sent() {
    let fake = Fake::new().with(|w| w.validated = 1);
    let seen = Seen {
        version: fake.version().await.unwrap(),
        status: fake.status().await.unwrap(),
    };
    let (inbox, mut said) = mpsc::channel(2);
    let mut attempt = attempt(&fake, image().into(), inbox);
    attempt.touched = Touched::ImageStaged;
    for _ in 0..2 {
        attempt.saw("nothing that anybody reads");
    }
    let cancel = attempt.cancel.clone();
    let permit = attempt.permit.clone();
    let task = tokio::spawn(async move {
        let mut access = Access::Open(Session::anonymous());
        attempt
            .install(
                Validated::by_device(Component::Firmware),
                &mut access,
                &seen,
            )
            .await
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    permit.give();
    tokio::time::sleep(Duration::from_secs(1)).await;
    cancel.cancel();
    let stopped = Outcome::Cancelled(Touched::ImageStaged);
    assert_eq!(task.await.unwrap(), Err(AttemptEnd::Final(stopped)));
    let all = async {
        while let Some(message) = said.recv().await {
            let told = format!("{message:?}");
            assert!(told.contains("StageProgress"), "no install began: {told}");
        }
    };
    let limit = Duration::from_secs(48 * 3600);
    let all = tokio::time::timeout(limit, all).await;
    all.expect("the cancelled attempt goes on talking");
    assert_eq!(fake.count("install"), 0);
}

/// Whoever reads the timeline of a halted run is not told that somebody else's install was the reason.
#[tokio::test(start_paused = true)]
async fn a_wait_for_others_that_a_halt_ends_was_stopped_and_not_refused_with_409() {
    let fake = Fake::new();
    let seen = Seen {
        version: fake.version().await.unwrap(),
        status: fake.status().await.unwrap(),
    };
    let (inbox, mut said) = mpsc::channel(1000);
    let mut attempt = attempt(&fake, image().into(), inbox);
    let (cancel, permit) = (attempt.cancel.clone(), attempt.permit.clone());
    let refused = Outcome::Failed(Failure {
        stage: Stage::Upload,
        kind: FailureKind::Status { status: 409 },
        touched: Touched::ImageSent,
    });
    let task = tokio::spawn(async move {
        attempt
            .or_changed(Component::Firmware, &seen, refused)
            .await
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    permit.refuse();
    cancel.cancel();
    let ended = tokio::time::timeout(NORMAL_SILENCE * 3, task).await;
    let ended = ended.expect("the wait has no end").unwrap();
    assert!(
        matches!(ended, AttemptEnd::Final(Outcome::Halted(_))),
        "{ended:?}"
    );
    let mut last = None;
    while let Ok(message) = said.try_recv() {
        let told = format!("{message:?}");
        if told.contains("StageFinished") {
            last = Some(told);
        }
    }
    let last = last.expect("the wait is no stage");
    assert!(last.contains("Stopped") && !last.contains("409"), "{last}");
}

/// A laptop that slept, or a stopped process: the limit has passed, and the network is not up at once.
#[tokio::test(start_paused = true)]
async fn a_machine_that_stood_still_looks_a_few_times_before_it_calls_a_device_lost() {
    for (silent_looks, back) in [(2, true), (u32::MAX, false)] {
        let fake = Fake::new();
        let (inbox, _said) = mpsc::channel(1000);
        let mut attempt = attempt(&fake, image().into(), inbox);
        let limit = attempt.policy.timeouts.reboot;
        let poll = attempt.policy.pace.reboot_poll;
        let pending = PendingInstall {
            component: Component::Firmware,
            since: Instant::now(),
            uptime_before: Duration::from_secs(1 << 20),
            fw_upgrade_before: false,
            fws_before: fake.version().await.unwrap().fws,
            fws_expected: None,
            eid: None,
            uis_before: None,
            device: fake.version().await.unwrap().mark(),
            mark: None,
        };
        let forever = Instant::now() + Duration::from_secs(1 << 30);
        fake.world().away.push((Instant::now(), forever));
        let deadline = Instant::now() + limit;
        let task = tokio::spawn(async move { attempt.reboot(&pending, deadline, poll).await });
        tokio::time::sleep(poll / 2).await;
        tokio::time::advance(limit * 2).await;
        let asked = fake.count("status");
        let looks = async {
            loop {
                let looks = fake.count("status") - asked;
                if task.is_finished() || looks >= silent_looks as usize {
                    break looks;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let looks = tokio::time::timeout(limit, looks).await;
        let looks = looks.expect("it neither looks nor ends");
        if back {
            let mut world = fake.world();
            world.away.clear();
            world.booted = Instant::now();
        } else {
            assert_eq!(looks, 3);
        }
        let met = tokio::time::timeout(limit, task).await;
        let met = met.expect("the pending has no end").unwrap();
        assert_eq!(met.is_ok(), back);
    }
}

/// What the device says of itself some time after the install; both times in seconds.
fn shows_reboot(since: u64, uptime: u64, before: u64, flags: (bool, bool)) -> bool {
    let now = Instant::now();
    let pending = PendingInstall {
        component: Component::Firmware,
        since: now,
        uptime_before: Duration::from_secs(before),
        fw_upgrade_before: flags.0,
        fws_before: None,
        fws_expected: None,
        eid: None,
        uis_before: None,
        device: DeviceMark::default(),
        mark: None,
    };
    let status = DeviceStatus {
        uptime: Duration::from_secs(uptime),
        clock: None,
        initialised: true,
        fls_state: FlsState(0),
        trusted_time: true,
        fw_upgrade: flags.1,
    };
    pending.shows_reboot(&status, now + Duration::from_secs(since))
}

#[test]
fn a_reboot_is_told_by_the_uptime_or_by_a_new_flag() {
    for (since, uptime, before, flags, rebooted) in [
        (40, 15, 5000, (false, false), true),
        (40, 5040, 5000, (false, false), false),
        // Booted shortly before the install: smaller than before is not enough, nor is the reverse.
        (10, 60, 5000, (false, false), false),
        (100, 60, 50, (false, false), false),
        // Back after 30 s and looked at ten minutes after the install, with a clock 8 % fast.
        (600, 615, 5000, (false, false), true),
        // The flag, where it was not up before.
        (40, 5040, 5000, (false, true), true),
        (40, 5040, 5000, (true, true), false),
    ] {
        let got = shows_reboot(since, uptime, before, flags);
        assert_eq!(got, rebooted, "{since} {uptime} {before} {flags:?}");
    }
}

/// Neither an uptime that is what it was nor one that is as large as it may be proves anything.
#[test]
fn an_uptime_on_the_border_is_no_reboot() {
    for (since, uptime, before) in [(100, 50, 50), (0, 0, 5000)] {
        let got = shows_reboot(since, uptime, before, (false, false));
        assert!(!got, "{since} {uptime} {before}");
    }
}

/// It speaks TLS no more: that is its own silence, and no new certificate.
#[test]
fn a_device_whose_handshake_breaks_is_lost() {
    let what = "the connection ended".to_owned();
    for fault in [TlsFault::Other { what }, TlsFault::NotTls] {
        let met = FailureKind::Link(LinkFault::Tls(fault));
        assert_eq!(outcome_of_last_look(&met), Outcome::Lost, "{met}");
    }
}
