//! What an install does to the device in memory, and how it is answered.

use super::*;

/// For so long a device that flaps is up at first: a look falls into it, and the second one, after it has
/// settled, does not.
const UP_AT_FIRST: Duration = Duration::from_secs(4);

/// What an install does to the device.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::engine) enum Install {
    /// Answered, then rebooted into this firmware, away for a while.
    Runs(Fws),
    /// Not answered, but it happens.
    LostButRuns(Fws),
    /// Not answered, and it does not happen.
    LostAndIdle,
    /// Answered with 200, but nothing happens.
    AcceptedAndIdle,
    /// Refused.
    Refused(u16),
    /// It happens or not, and something on the way answers with this status.
    Misreported(u16, bool),
    /// The connection cannot be opened.
    NotSent,
    /// Never comes back.
    Dies,
    /// Comes back with this firmware and with a key that is not the pinned one.
    OtherKey(Fws),
    /// Back with this firmware for longer than the time between two looks, gone again for 20 s, then up with
    /// that one.
    Flaps(Fws, Fws),
}

/// Any of the ways in which an install goes, for property tests.
pub(in crate::engine) fn any_install() -> impl Strategy<Value = Install> {
    prop_oneof![
        3 => Just(Install::Runs(NEW)),
        2 => Just(Install::Runs(OLD)),
        2 => Just(Install::LostButRuns(NEW)),
        1 => Just(Install::LostAndIdle),
        2 => Just(Install::Dies),
        1 => Just(Install::Refused(409)),
        1 => Just(Install::NotSent),
        1 => Just(Install::Flaps(OLD, NEW)),
    ]
}

impl Fake {
    /// What the install does, how it is answered, and when.
    pub(super) fn installed(&self) -> (InstallAnswer, Duration) {
        let mut world = self.world();
        world.validated -= 1;
        assert!(world.validated >= 0, "an install without a validated image");
        let lost = InstallAnswer::Unclear {
            why: "connection reset".to_owned(),
        };
        match world.install {
            Install::Refused(403) => {
                let kind = AuditType::FAILED_SCOPE_CHECK;
                world.log.write(kind, AuditResult::Failed, "system:upgrade");
            }
            Install::Refused(_) => {
                world.log.write(AuditType::UPGRADE, AuditResult::Error, "");
            }
            Install::NotSent | Install::LostAndIdle | Install::Misreported(_, false) => {}
            _ => world.log.upgraded(),
        }
        let now = Instant::now();
        let (gone, up) = (now + Duration::from_secs(2), now + Duration::from_secs(25));
        match world.install {
            Install::Runs(fws) | Install::LostButRuns(fws) => {
                world.away.push((gone, up));
                world.boots.push_back((up, fws));
            }
            Install::Misreported(_, true) => {
                world.away.push((gone, up));
                world.boots.push_back((up, NEW));
            }
            Install::OtherKey(fws) => {
                world.away.push((gone, up));
                world.boots.push_back((up, fws));
                world.other_key = Some(up);
            }
            Install::Dies => world.away.push((gone, now + Duration::from_secs(1 << 30))),
            Install::Flaps(first, then) => {
                let again = up + UP_AT_FIRST;
                let back = again + Duration::from_secs(20);
                world.away.extend([(gone, up), (again, back)]);
                world.boots.extend([(up, first), (back, then)]);
            }
            _ => {}
        }
        let answer = match world.install {
            Install::LostButRuns(_) | Install::LostAndIdle => lost,
            Install::Refused(status) | Install::Misreported(status, _) => {
                InstallAnswer::of_status(status)
            }
            Install::NotSent => InstallAnswer::NotSent(LinkFault::Reset),
            _ => InstallAnswer::Accepted,
        };
        (answer, world.answer_takes)
    }

    /// The same for the management app: no reboot.
    pub(super) fn installed_app(&self) -> (InstallAnswer, Duration) {
        let mut world = self.world();
        world.validated_apps -= 1;
        assert!(
            world.validated_apps >= 0,
            "an install without a validated app"
        );
        match world.install_app {
            Install::Runs(_) | Install::LostButRuns(_) | Install::Misreported(_, true) => {
                let at = Instant::now() + Duration::from_secs(4);
                world.uis_to_come.push_back((at, NEW_APP.to_string()));
                world.log.write(AuditType::UPGRADE, AuditResult::Ok, "");
            }
            Install::Refused(_) => world.log.write(AuditType::UPGRADE, AuditResult::Error, ""),
            Install::Dies => {
                world.log.write(AuditType::UPGRADE, AuditResult::Ok, "");
                let now = Instant::now();
                world.away.push((now, now + Duration::from_secs(1 << 30)));
            }
            _ => {}
        }
        let answer = match world.install_app {
            Install::LostButRuns(_) | Install::LostAndIdle => InstallAnswer::Unclear {
                why: "connection reset".to_owned(),
            },
            Install::Refused(status) | Install::Misreported(status, _) => {
                InstallAnswer::of_status(status)
            }
            Install::NotSent => InstallAnswer::NotSent(LinkFault::Reset),
            _ => InstallAnswer::Accepted,
        };
        (answer, world.answer_takes)
    }
}
