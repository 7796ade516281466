//! What a device is in: what ends with a boot, and what survives it (sections [5](crate::hem#5-check-in) to
//! [8](crate::hem#8-management-app)).

use std::time::Duration;

use super::audit_log::{Entry, LogFiles};
use super::clock::{Clock, Uptime, unix_now};
use super::login_throttle::Throttle;
use super::pending_faults::PendingFaults;
use super::staging::Slot;
use super::system_config::Settings;
use crate::model::AuditType;
use crate::sim::firmware_images::Firmware;
use crate::sim::script::device::{ClockState, DeviceScript};
use crate::sim::script::fault::Act;
use crate::sim::script::fault_point::FaultPoint;
use crate::sim::tokens::approval::{ApprovalRequest, REQUEST_LIFE};
use crate::sim::tokens::mac_token::{open, random, random_text, seal};
use serde::{Deserialize, Serialize};

/// How many nonces a device remembers, as a small machine does.
const MAX_NONCES: usize = 16;

/// What a bearer token says.
#[derive(Serialize, Deserialize)]
pub(in crate::sim) struct Bearer {
    /// `U`, `M`, or the key id of a phone (section 6).
    pub(in crate::sim) sub: String,
    pub(in crate::sim) scope: String,
    pub(in crate::sim) iat: i64,
    pub(in crate::sim) exp: i64,
    /// No two are the same.
    jti: String,
}

impl Bearer {
    /// Times are unix seconds of the device's clock.
    pub(in crate::sim) fn new(sub: String, scope: String, iat: i64, exp: i64) -> Self {
        Self {
            sub,
            scope,
            iat,
            exp,
            jti: random_text(),
        }
    }
}

/// Everything that ends with a reboot.
pub(in crate::sim) struct Boot {
    /// Counted from 1.
    pub(in crate::sim) number: u32,
    pub(in crate::sim) uptime: Uptime,
    /// Unset after every power-up and reboot (section 5).
    pub(in crate::sim) clock: Option<Clock>,
    /// Private half of `spk`.
    pub(in crate::sim) session: [u8; 32],
    token_key: [u8; 32],
    /// Nonces that were handed out and not used, with their deadlines.
    nonces: Vec<(String, i64)>,
    /// Mobile approvals that were asked for: nonce, scope, deadline.
    approvals: Vec<(String, String, i64)>,
    /// Logins that were refused.
    pub(in crate::sim) throttle: Throttle,
    /// The question of the check-in that is under way, and whether it came with an unknown field.
    pub(in crate::sim) asked: Option<(String, bool)>,
    /// This boot followed an upgrade.
    pub(in crate::sim) fw_upgrade: bool,
}

impl Boot {
    fn new(number: u32, uptime: Duration, fw_upgrade: bool) -> Self {
        Self {
            number,
            uptime: Uptime::of(uptime),
            clock: None,
            session: random(),
            token_key: random(),
            nonces: Vec::new(),
            approvals: Vec::new(),
            throttle: Throttle::default(),
            asked: None,
            fw_upgrade,
        }
    }

    /// A fresh nonce with its deadline.
    pub(in crate::sim) fn new_nonce(&mut self, deadline: i64) -> String {
        if self.nonces.len() == MAX_NONCES {
            self.nonces.remove(0);
        }
        let nonce = random_text();
        self.nonces.push((nonce.clone(), deadline));
        nonce
    }

    /// Spends a nonce, and returns whether it was valid.
    pub(in crate::sim) fn spend_nonce(&mut self, nonce: &str, now: i64) -> bool {
        let found = self.nonces.iter().position(|(n, _)| n == nonce);
        found.is_some_and(|i| self.nonces.remove(i).1 >= now)
    }

    /// Remembers a request for mobile approval.
    pub(in crate::sim) fn remember_approval(&mut self, request: &ApprovalRequest) {
        if self.approvals.len() == MAX_NONCES {
            self.approvals.remove(0);
        }
        let (jti, scope) = (request.jti.clone(), request.scope.clone());
        self.approvals
            .push((jti, scope, request.iat + REQUEST_LIFE));
    }

    /// The scope that was asked for with this nonce, which is spent.
    pub(in crate::sim) fn take_approval(&mut self, jti: &str, now: i64) -> Option<String> {
        let found = self.approvals.iter().position(|(own, ..)| own == jti)?;
        let (_, scope, deadline) = self.approvals.remove(found);
        (deadline >= now).then_some(scope)
    }

    fn issue(&self, bearer: &Bearer) -> String {
        seal(&self.token_key, bearer)
    }

    /// The token's claims, if this boot issued it and it has not expired at `now`.
    pub(in crate::sim) fn bearer(&self, token: &str, now: i64) -> Option<Bearer> {
        open::<Bearer>(&self.token_key, token).filter(|b| b.exp > now)
    }
}

/// A time as the extra field of a log entry of type 13 has it.
fn le32(unix: u64) -> [u8; 4] {
    u32::try_from(unix).unwrap_or(u32::MAX).to_le_bytes()
}

/// A planned reboot.
#[derive(Clone, Default, Debug)]
pub(in crate::sim) struct BootPlan {
    /// It follows an install, successful or not.
    pub(in crate::sim) install: bool,
    /// What runs afterwards, where it changes.
    pub(in crate::sim) becomes: Option<Firmware>,
    /// How long the device still answers as before, where that is not as usual.
    pub(in crate::sim) linger: Option<Duration>,
    /// It does not come back.
    pub(in crate::sim) never: bool,
    /// It accepts TCP this long without answering, once it is back.
    pub(in crate::sim) hang: Duration,
    /// It is up this long, then reboots once more, and runs this where it changes again.
    pub(in crate::sim) vanish: Option<(Duration, Option<Firmware>)>,
}

impl BootPlan {
    /// The reboot of an install, with all that goes wrong in it.
    pub(in crate::sim) fn install(image: Firmware, old: &Firmware, acts: Vec<Act>) -> Self {
        let mut plan = Self {
            install: true,
            becomes: Some(image),
            ..Self::default()
        };
        // A device that vanishes runs the image first; the bootloader rolls it back at the second boot.
        let vanishes = acts.iter().any(|a| matches!(a, Act::Vanish { .. }));
        let rolls_back = acts.contains(&Act::Rollback);
        for act in acts {
            match act {
                Act::Rollback if vanishes => {}
                Act::Rollback => plan.becomes = None,
                Act::OtherFws => plan.becomes = Some(Firmware::unheard_of()),
                Act::Never => plan.never = true,
                Act::Linger { lasts } => plan.linger = Some(lasts),
                Act::Hang { lasts } => plan.hang = lasts,
                Act::Vanish { lasts } => {
                    plan.vanish = Some((lasts, rolls_back.then(|| old.clone())));
                }
                _ => {}
            }
        }
        plan
    }
}

/// Everything about a device that changes.
pub(in crate::sim) struct DeviceState {
    pub(in crate::sim) boot: Boot,
    pub(in crate::sim) running: Firmware,
    pub(in crate::sim) fls_state: u32,
    /// They survive reboots.
    pub(in crate::sim) settings: Settings,
    pub(in crate::sim) staged: Slot<Firmware>,
    pub(in crate::sim) staged_app: Slot<String>,
    /// The management app that is in use (section 8).
    pub(in crate::sim) uis: String,
    /// An install was accepted and the reboot has not come yet.
    pub(in crate::sim) installing: bool,
    pub(in crate::sim) faults: PendingFaults,
    /// The audit log; it survives reboots.
    pub(in crate::sim) log: LogFiles,
}

impl DeviceState {
    pub(in crate::sim) fn new(
        script: &DeviceScript,
        running: Firmware,
        uis: String,
        faults: PendingFaults,
    ) -> Self {
        let mut boot = Boot::new(1, script.uptime.0, false);
        let uptime = boot.uptime.seconds();
        let before = |now: i64| u64::try_from(now).unwrap_or(0).saturating_sub(uptime);
        let mut log = LogFiles::new(&script.name, script.log_files, before(unix_now()))
            .filled(script.log_bytes);
        // A clock that is set at start was set at power-up, as in the vendor's own sample.
        let mut power_up = None;
        if script.clock == ClockState::Set {
            let now = unix_now().saturating_add(script.clock_offset);
            boot.clock = Some(Clock::set(now, script.clock_rate));
            power_up = Some(before(now));
        }
        log.open(&running.fwv, power_up);
        if let Some(at) = power_up {
            log.write(at, &Entry::ok(AuditType::CLOCK_SET, "", &le32(at)), None);
        }
        Self {
            log,
            boot,
            running,
            fls_state: script.fls_state,
            settings: Settings::of(script),
            staged: Slot::empty(),
            staged_app: Slot::empty(),
            uis,
            installing: false,
            faults,
        }
    }

    /// Writes an entry of the audit log, timed as section 9 says.
    pub(in crate::sim) fn log_entry(&mut self, entry: &Entry<'_>) {
        let act = match entry.kind {
            AuditType::UPGRADE => self.faults.strike(FaultPoint::UpgradeEntry),
            _ => None,
        };
        let time = match self.boot.clock {
            Some(clock) => u64::try_from(clock.now()).unwrap_or(0),
            None => self.boot.uptime.seconds(),
        };
        self.log.write(time, entry, act.as_ref());
    }

    /// Issues a token and logs it.
    pub(in crate::sim) fn issue(
        &mut self,
        bearer: &Bearer,
        kind: AuditType,
        extra: &[u8],
    ) -> String {
        self.log_entry(&Entry::ok(kind, &bearer.sub, extra));
        self.boot.issue(bearer)
    }

    /// Sets the clock to unix seconds.
    pub(in crate::sim) fn set_clock(&mut self, unix: i64, rate: f64) {
        self.boot.clock = Some(Clock::set(unix, rate));
        let extra = le32(u64::try_from(unix).unwrap_or(0));
        self.log_entry(&Entry::ok(AuditType::CLOCK_SET, "", &extra));
    }

    /// Comes up again. What was staged went to the bootloader or is lost.
    pub(in crate::sim) fn reboot(&mut self, plan: &BootPlan) {
        let upgraded = plan.install && plan.becomes.is_some();
        if let Some(firmware) = &plan.becomes {
            self.running = firmware.clone();
        }
        self.boot = Boot::new(self.boot.number + 1, Duration::ZERO, upgraded);
        self.log.open(&self.running.fwv, None);
        self.staged = Slot::empty();
        self.staged_app = Slot::empty();
        self.installing = false;
    }
}
