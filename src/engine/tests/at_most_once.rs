//! Whatever is asked in whatever order, and whatever the device does: what may happen once happens once.

use proptest::prelude::*;

use super::*;
use crate::model::{AuditMode, AuditPolicy, AuditResult, AuditVerdict, Component};

use super::fake_audit_log::LogEntry;
use super::fake_device::{NEW_APP, any_install};

#[derive(Clone, Debug)]
enum Wish {
    Retry,
    RetryAll,
    Cancel,
    CancelAll,
    Interrupt,
    /// Somebody unplugs the device and plugs it in again.
    PowerCycle,
    Events(usize),
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        6 => Just(Wish::Retry),
        2 => Just(Wish::RetryAll),
        3 => Just(Wish::Cancel),
        2 => Just(Wish::CancelAll),
        1 => Just(Wish::Interrupt),
        2 => Just(Wish::PowerCycle),
        16 => (1..40_usize).prop_map(Wish::Events),
    ]
}

fn payload() -> impl Strategy<Value = (bool, bool)> {
    prop_oneof![Just((false, true)), Just((true, true)), Just((true, false))]
}

fn entry() -> impl Strategy<Value = LogEntry> {
    prop_oneof![
        Just(LogEntry::Says(AuditResult::Ok)),
        Just(LogEntry::Says(AuditResult::Error)),
        Just(LogEntry::LeftOut),
        Just(LogEntry::CutShort),
    ]
}

/// Installs of the app and of the firmware.
fn installs(fake: &Fake) -> [usize; 2] {
    [fake.count("install app"), fake.count("install")]
}

/// What must not grow while an earlier attempt left something open.
#[derive(Clone, Copy, Debug)]
struct Frozen {
    at: [usize; 2],
    /// Only the app's install is open: the firmware may follow once it is seen.
    app: bool,
}

impl Frozen {
    fn holds(self, now: [usize; 2]) {
        assert_eq!(self.at[0], now[0], "the app: {self:?}");
        assert!(
            self.app || self.at[1] == now[1],
            "the firmware: {self:?} {now:?}"
        );
    }

    fn after(run: &FleetRun, fake: &Fake, before: Option<Self>) -> Option<Self> {
        if let Some(frozen) = before {
            frozen.holds(installs(fake));
        }
        let device = only(run);
        match device.outcome() {
            None => before,
            Some(Outcome::Failed(f)) if f.is_about_log() => Some(Self {
                at: installs(fake),
                app: false,
            }),
            Some(o) if o.leaves_doubt() => Some(Self {
                at: installs(fake),
                app: device.pending.as_ref().unwrap().component == Component::Ui,
            }),
            Some(_) => None,
        }
    }
}

fn intend(run: &mut FleetRun, fake: &Fake, wish: &Wish) {
    let id = only(run).id.clone();
    match wish {
        Wish::Retry => run.intend(Intent::Retry(id)),
        Wish::RetryAll => run.intend(Intent::RetryAll(vec![id])),
        Wish::Cancel => run.intend(Intent::Cancel(id)),
        Wish::CancelAll => run.intend(Intent::CancelAll),
        Wish::Interrupt => run.intend(Intent::Interrupt),
        Wish::PowerCycle => {
            let mut world = fake.world();
            world.away.clear();
            world.booted = tokio::time::Instant::now();
            world.clock_set = false;
            world.fw_upgrade = false;
            world.log.boot();
        }
        Wish::Events(_) => {}
    }
}

async fn play(fake: &Fake, payload: Payload, policy: Policy, wishes: Vec<Wish>) {
    let required = policy.audit.mode == AuditMode::Required;
    let fakes = std::slice::from_ref(fake);
    let mut run = run_with(fakes, Mode::Go, 1, payload, policy);
    run.intend(Intent::Begin);
    tokio::task::yield_now().await;
    let mut frozen = None;
    for wish in wishes {
        intend(&mut run, fake, &wish);
        if let Wish::Events(n) = wish {
            for _ in 0..n {
                if run.fleet().is_over() {
                    break;
                }
                super::next(&mut run).await;
                frozen = Frozen::after(&run, fake, frozen);
            }
        }
        frozen = Frozen::after(&run, fake, frozen);
    }
    run_to_end(&mut run).await;
    Frozen::after(&run, fake, frozen);
    let device = only(&run);
    let outcome = device.outcome().unwrap();
    let panicked = match outcome {
        Outcome::Failed(f) => matches!(f.kind, FailureKind::Panicked { .. }),
        Outcome::Unknown(Doubt::Panicked(_)) => true,
        _ => false,
    };
    assert!(!panicked, "{outcome:?}");
    let world = fake.world();
    match outcome {
        Outcome::Upgraded => assert_eq!(world.fws, Some(NEW)),
        Outcome::AppInstalled => {
            assert_eq!(world.uis, Some(NEW_APP.to_string()));
        }
        _ => return,
    }
    if required {
        let confirmed = device
            .audit
            .as_ref()
            .is_some_and(|report| matches!(report.verdict, AuditVerdict::Confirmed { .. }));
        assert!(confirmed, "{:?}", device.audit);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// At most one install for each validated image of each component (the fake panics otherwise, and a
    /// panic would show), none after one whose end is open or whose log alone is, green only on what the
    /// device reports, and where that is required only with its log's word.
    #[test]
    fn one_install_for_each_validated_image(
        (install, install_app) in (any_install(), any_install()),
        (app, firmware) in payload(),
        mode in prop_oneof![
            Just(AuditMode::Required),
            Just(AuditMode::Wanted),
            Just(AuditMode::Off)
        ],
        upgrade in entry(),
        wishes in proptest::collection::vec(wish(), 0..30),
        resets in 0..3_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let fake = Fake::new().with(|w| {
                w.install = install;
                w.install_app = install_app;
                w.log.upgrade = upgrade;
                w.uploads.extend(vec![(1, reset()); resets]);
            });
            let both = management_app::both();
            let payload = Payload {
                app: both.app.filter(|_| app),
                firmware: both.firmware.filter(|_| firmware),
            };
            let policy = Policy {
                audit: AuditPolicy { mode, files: 3 },
                ..Policy::default()
            };
            play(&fake, payload, policy, wishes).await;
        });
    }
}
