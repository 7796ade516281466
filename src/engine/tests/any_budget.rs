//! Whatever is asked of a fleet with a failure budget: nothing is installed while it is halted.

use proptest::prelude::*;

use super::fake_device::any_install;
use super::*;
use crate::engine::fleet::counts::FleetCounts;

/// Devices of a fleet.
const DEVICES: usize = 4;

#[derive(Clone, Debug)]
enum Wish {
    Retry(usize),
    RetryAll,
    Cancel(usize),
    CancelAll,
    Drain,
    Interrupt,
    Halt,
    GoOn(u32),
    /// Somebody unplugs the device and plugs it in again.
    PowerCycle(usize),
    Events(usize),
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        5 => (0..DEVICES).prop_map(Wish::Retry),
        2 => Just(Wish::RetryAll),
        2 => (0..DEVICES).prop_map(Wish::Cancel),
        1 => Just(Wish::CancelAll),
        1 => Just(Wish::Drain),
        1 => Just(Wish::Interrupt),
        3 => Just(Wish::Halt),
        5 => (0..9_u32).prop_map(Wish::GoOn),
        2 => (0..DEVICES).prop_map(Wish::PowerCycle),
        24 => (1..60_usize).prop_map(Wish::Events),
    ]
}

/// What its installs do, and how many seconds an upload and any other request take.
type Traits = (Install, Install, u64, u64);

fn traits() -> impl Strategy<Value = Traits> {
    (any_install(), any_install(), 0..300_u64, 0..20_u64)
}

fn device(&(firmware, app, upload, request): &Traits) -> Fake {
    Fake::new().with(|w| {
        w.install = firmware;
        w.install_app = app;
        w.upload_takes = Duration::from_secs(upload);
        w.request_takes = Duration::from_secs(request);
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![Just((false, true)), Just((true, true)), Just((true, false))].prop_map(
        |(app, firmware)| {
            let both = management_app::both();
            Payload {
                app: both.app.filter(|_| app),
                firmware: both.firmware.filter(|_| firmware),
            }
        },
    )
}

/// Watches a fleet, and how many installs it had when it was halted.
struct Watcher<'a> {
    fakes: &'a [Fake],
    halted_at: Option<usize>,
}

impl Watcher<'_> {
    fn look(&mut self, run: &FleetRun) {
        let fleet = run.fleet();
        assert_eq!(&FleetCounts::of(fleet.devices()), fleet.counters());
        if fleet.is_halted() {
            let sent = |f: &Fake| f.count("install") + f.count("install app");
            let now = self.fakes.iter().map(sent).sum();
            assert_eq!(
                *self.halted_at.get_or_insert(now),
                now,
                "installed while halted"
            );
        } else {
            self.halted_at = None;
        }
        for device in fleet.devices() {
            assert!(!(device.wants_permit && device.permit), "{}", device.id);
        }
    }
}

async fn fulfil(run: &mut FleetRun, watcher: &mut Watcher<'_>, wish: Wish) {
    let id = |n: usize| run.fleet().devices()[n].id.clone();
    let intent = match wish {
        Wish::Retry(n) => Intent::Retry(id(n)),
        Wish::RetryAll => Intent::RetryAll((0..DEVICES).map(id).collect()),
        Wish::Cancel(n) => Intent::Cancel(id(n)),
        Wish::CancelAll => Intent::CancelAll,
        Wish::Drain => Intent::Drain,
        Wish::Interrupt => Intent::Interrupt,
        Wish::Halt => Intent::Halt,
        Wish::GoOn(n) => Intent::GoOn(MaxFailures::Number(n)),
        Wish::PowerCycle(n) => {
            let mut world = watcher.fakes[n].world();
            world.away.clear();
            world.booted = tokio::time::Instant::now();
            world.clock_set = false;
            world.fw_upgrade = false;
            world.log.boot();
            return;
        }
        Wish::Events(n) => {
            // A halted run may be silent while it waits for a person.
            const SILENCE: Duration = Duration::from_secs(3600);
            for _ in 0..n {
                let over = run.fleet().is_over();
                if over || tokio::time::timeout(SILENCE, run.next()).await.is_err() {
                    return;
                }
                watcher.look(run);
            }
            return;
        }
    };
    run.intend(intent);
}

async fn to_its_end(run: &mut FleetRun, watcher: &mut Watcher<'_>) {
    while !run.fleet().is_over() {
        if run.fleet().waits_for_budget() {
            run.intend(Intent::Halt);
        } else {
            next(run).await;
        }
        watcher.look(run);
    }
    for (device, fake) in run.fleet().devices().iter().zip(watcher.fakes) {
        let outcome = device.outcome().unwrap();
        let panicked = match outcome {
            Outcome::Failed(failure) => matches!(failure.kind, FailureKind::Panicked { .. }),
            Outcome::Unknown(doubt) => matches!(doubt, Doubt::Panicked(_)),
            _ => false,
        };
        assert!(!panicked, "{}: {outcome:?}", device.id);
        if outcome == &Outcome::Upgraded {
            assert_eq!(fake.world().fws, Some(NEW), "{}", device.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn while_a_fleet_is_halted_nothing_is_installed(
        traits in proptest::collection::vec(traits(), DEVICES),
        payload in payload(),
        concurrency in 1..=DEVICES,
        max in 1..6_u32,
        wishes in proptest::collection::vec(wish(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let fakes: Vec<Fake> = traits.iter().map(device).collect();
            let rollout = Rollout { max_failures: MaxFailures::Number(max) };
            let policy = Policy::default();
            let extra = (rollout, None);
            let mut run = run_held(&fakes, Mode::Go, concurrency, payload, policy, extra);
            run.intend(Intent::Begin);
            let mut watcher = Watcher { fakes: &fakes, halted_at: None };
            for wish in wishes {
                fulfil(&mut run, &mut watcher, wish).await;
                watcher.look(&run);
            }
            to_its_end(&mut run, &mut watcher).await;
        });
    }
}
