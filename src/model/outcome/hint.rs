//! What the operator does next, for each way to fail.

use crate::model::{
    BrokerFault, Failure, FailureKind, LinkFault, LocalFault, SshTrouble, Stage, TlsFault,
};

impl Failure {
    /// What the operator does next.
    pub fn hint(&self) -> String {
        self.kind.hint(self.stage)
    }
}

impl FailureKind {
    /// What the operator does next after a failure of this kind in `stage`.
    pub fn hint(&self, stage: Stage) -> String {
        hint(stage, self)
    }
}

/// What to do where the install was not sent at all.
fn unsent_hint(kind: &FailureKind) -> &'static str {
    match kind {
        FailureKind::RefusedBefore { .. } => {
            "Nothing was sent. Compare the image's signing key with the device's fwk; a retry, or hemfleet run --resend-refused, \
             sends it all the same."
        }
        FailureKind::InstallNotRecorded { .. } => {
            "The device still runs what it ran. Make room, or make the journal's folder writable, then retry: it uploads \
             and checks anew."
        }
        _ => {
            "The install request never left: the device still runs what it ran. Retry: it uploads and checks anew."
        }
    }
}

fn hint(stage: Stage, kind: &FailureKind) -> String {
    match kind {
        FailureKind::Link(link) => link_hint(link, stage).to_owned(),
        FailureKind::InstallNotSent(_)
        | FailureKind::InstallNotRecorded { .. }
        | FailureKind::RefusedBefore { .. } => unsent_hint(kind).to_owned(),
        FailureKind::Broker(fault) => broker_hint(fault, stage).to_owned(),
        FailureKind::Status { status } => status_hint(stage, *status).to_owned(),
        FailureKind::BadAnswer { .. } => "Is this a HEM? Check url, connect and proxy of this device; if they are right, \
             power-cycle it and retry."
            .to_owned(),
        FailureKind::FaultLatched(_) => "Power-cycle the device and look at its status; if the fault stays, ask the vendor. \
             --force upgrades all the same."
            .to_owned(),
        FailureKind::NoCredential => "Give this device auth = { kind = \"passphrase\", … } or \"token\".".to_owned(),
        FailureKind::WrongSecret => "Check which secret this device has; it slows down after three wrong ones, \
             so the login is not repeated by itself. One mistyped at a prompt: leave and run again."
            .to_owned(),
        FailureKind::LoginsUsedUp => "No retry of this run logs in to this device again: leave, and correct the secret, or type it right, in a \
             new run."
            .to_owned(),
        FailureKind::ClockUnset => "The check-in did not set the clock: see what the backend said in this device's timeline, \
             or check the device in with the vendor's tool, then retry."
            .to_owned(),
        FailureKind::CheckinRefused { .. } => "The reply did not verify on the device: is [broker] url the relay this device \
             belongs to? Retry once; if it stays, ask the vendor."
            .to_owned(),
        FailureKind::NoPlainHttp { .. } => "Say where this device's port 80 is reached with http_connect = \"host:port\", or check it in by \
             other means."
            .to_owned(),
        FailureKind::PlainLogin => "Reach it over https:// (a tunnel and connect may help), or say allow_plain_login = true of \
             this device if the way to it is yours alone."
            .to_owned(),
        FailureKind::NoSecret => "Retry asks again.".to_owned(),
        FailureKind::ApprovalDenied => "Ask the owner why; retry asks the phone again.".to_owned(),
        FailureKind::ApprovalExpired => format!("{TELL_OWNER} {NOTHING_OPEN}"),
        FailureKind::ApprovalTimeout { left_open, .. } => format!("{TELL_OWNER} {}", open(*left_open)),
        FailureKind::ApprovalUnheard { left_open, .. } => format!(
            "Is the broker up, and reached from here? Then retry, which asks the phone anew. {}",
            open(*left_open)
        ),
        FailureKind::ApprovalRefused { .. } => "Is that phone paired with this very device? Retry asks again; if it stays, pair it anew.".to_owned(),
        FailureKind::OtherSigner | FailureKind::UnknownSigner(_) => "Compare the image (hemfleet inspect) with what this device runs; without --require-same-key \
             the device itself decides."
            .to_owned(),
        FailureKind::Downgrade { .. } => "Name a newer image; or say --allow-downgrade, if an older one is meant: it may bring back faults that \
             were mended."
            .to_owned(),
        FailureKind::StillExpired { .. } => EXPIRED.to_owned(),
        FailureKind::NotConfirmed { .. } => "What was installed was judged without it, and stays. Retry only reads the log again; where the management app \
             alone was installed, that helps after the device's next reboot, which closes the file. Look at it with \
             hemfleet audit."
            .to_owned(),
        FailureKind::KeyNotProven { .. } | FailureKind::LogUnread { .. } => "Nothing was changed. Put right what stands in the way, then run it again.".to_owned(),
        FailureKind::LogTooLarge { .. } => "No device of this line is known to have so much: find out what answers there. Nothing was changed.".to_owned(),
        FailureKind::LogNotKept { .. } => "Make room, or name another folder with --save, then run it again: what is kept already stays as it is. \
             The device was not changed."
            .to_owned(),
        FailureKind::LogNotVerified { .. } => "Keep the file (hemfleet audit --save) and find out what changed it: the device, the way to it, or a fault of its \
             storage."
            .to_owned(),
        FailureKind::ImageRefused { status: 409 } => status_hint(stage, 409).to_owned(),
        FailureKind::ImageRefused { .. } if stage == Stage::CheckUi => "The device's own check says that this management app is not valid for it. \
             hemfleet inspect tells whether the file is whole, and who signed it."
            .to_owned(),
        FailureKind::ImageRefused { .. } => "The device's own check says that this image is not valid for it. Compare the \
             signing key (hemfleet inspect) with the device's fwk."
            .to_owned(),
        FailureKind::CheckTimeout { .. } => "Nothing was installed. Give it longer with [timeouts] check, or power-cycle the \
             device and retry."
            .to_owned(),
        FailureKind::InstallRefused { status } => install_hint(*status).to_owned(),
        FailureKind::OtherDevice { .. } if stage == Stage::Probe => "An install may have been sent to the device that was there before. Find \
             out where url, connect, proxy or ssh lead now, and put that right. If it was replaced for good, retry it alone, or say hemfleet run --take-replaced: that \
             takes the one that answers now."
            .to_owned(),
        FailureKind::OtherDevice { .. } => "Find out where url, connect, proxy or ssh of this device lead now, and put that right; then retry, which only \
             watches."
            .to_owned(),
        FailureKind::ChangedMeanwhile { .. } => "Somebody else works on this device, or it reboots by itself: find out which, then retry, \
             which looks at it anew."
            .to_owned(),
        FailureKind::BackendAction { .. } => "Somebody ordered this in the backend (L lock, W wipe, B brick): ask who runs it before \
             you touch the device again."
            .to_owned(),
        FailureKind::NotBack { .. } => "Power-cycle the device, wait a minute, then retry: the retry only watches.".to_owned(),
        FailureKind::NoReboot { .. } => "Retry looks again; nothing is sent twice.".to_owned(),
        FailureKind::FaultAfterwards(_) => "The upgrade itself is proven. Power-cycle the device and look at its status; if the fault \
             stays, ask the vendor before you rely on it."
            .to_owned(),
        FailureKind::RebootedAgain => "Somebody or something keeps restarting it: find out what, then retry, which only watches.".to_owned(),
        FailureKind::InDoubt(_) => "Retry asks the device again; nothing is sent twice. If the doubt stays, compare its fws with the image's \
             (hemfleet inspect)."
            .to_owned(),
        FailureKind::RolledBack | FailureKind::Unproven(_) => "Compare its fws with the image's (hemfleet inspect).".to_owned(),
        FailureKind::Stopped => "It still runs what it ran before: retry or run again when you are ready.".to_owned(),
        FailureKind::Panicked { .. } => "This is a bug of hemfleet: please report it with the log. Other devices are not \
             affected; retry looks at the device first."
            .to_owned(),
    }
}

fn broker_hint(fault: &BrokerFault, stage: Stage) -> &'static str {
    match fault {
        BrokerFault::ClockAhead => {
            "The check-in did not help: compare this machine's and the broker's clock with the right time. Devices gain \
             about 8 %: wait a minute, then retry, or check the device in with the vendor's tool."
        }
        _ if stage == Stage::Login => {
            "Phones are asked through the broker: check [broker] url and ca, that this machine reaches it and that it \
             knows this device and its phone, then retry."
        }
        _ => {
            "The clock can only be set through the broker: check [broker] url and ca and that this \
             machine reaches it, then retry."
        }
    }
}

/// After a refusal of the install (section 7).
fn install_hint(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "The token was not accepted for the install: retry logs in anew, uploads and checks again."
        }
        409 => "Another install runs or a fault is latched: wait, look at the device, then retry.",
        406 => "The device has no verified image: retry uploads and checks again.",
        _ => {
            "Nothing was installed, and why the device does not say: retry uploads and checks again; if it stays, \
             ask the vendor with the log."
        }
    }
}

const TELL_OWNER: &str =
    "Tell the owner that the phone will ask, then retry; [approval] wait gives more time.";
/// What works where a certificate has expired (section 5).
const EXPIRED: &str = "Pin its key with tls = { pin = … } (a pin looks at no dates); or, for the upgrade alone, say http:// in url; or renew \
     it by hand. A check-in renews nothing: firmware 1.2.2 drops what it brings.";
const NOTHING_OPEN: &str = "Nothing is left open on the phone.";

/// What became of a request on the phone that nobody waits for any more.
fn open(left_open: bool) -> &'static str {
    if left_open {
        "The request may still stand on the phone, until it expires: the owner should refuse it there."
    } else {
        NOTHING_OPEN
    }
}

fn link_hint(link: &LinkFault, stage: Stage) -> &'static str {
    match link {
        LinkFault::NoAddress { .. } => {
            "Check url and connect of this device; behind a tunnel, say connect = \"host:port\"."
        }
        LinkFault::Refused { .. } | LinkFault::ConnectTimeout { .. } | LinkFault::Io { .. } => {
            "Is the device plugged in and its tunnel up? Check connect and proxy, then retry."
        }
        LinkFault::Local(local) => local_hint(local),
        LinkFault::NoProxy { .. } => {
            "Is the proxy up, and reached from here? Check proxy of this device, then retry."
        }
        LinkFault::Proxy { .. } => {
            "Check proxy of this device and that it lets you through, then retry."
        }
        LinkFault::Ssh { reason, .. } => ssh_hint(reason),
        LinkFault::Tls(TlsFault::Expired { .. }) => EXPIRED,
        LinkFault::Tls(TlsFault::NotYetValid { .. }) => "Is the clock of this machine right?",
        LinkFault::Tls(TlsFault::UnknownIssuer) => {
            "Give the authority with tls = { ca = \"file\" } or pin the device's key with tls = { pin = … }."
        }
        LinkFault::Tls(TlsFault::WrongName { .. }) => {
            "url must name the host of the certificate; say where to connect with connect. Or this is another device."
        }
        LinkFault::Tls(TlsFault::PinMismatch { .. }) => {
            "This is another device, its key was renewed, or somebody is in between: find out before you change the pin."
        }
        LinkFault::Tls(TlsFault::WithoutKey) => {
            "Somebody in between shows this device's certificate without being the device. Nothing was sent: look at the way to \
             it (connect, proxy, ssh) before you try again."
        }
        LinkFault::Tls(TlsFault::NotTls) => {
            "Something else listens there: check connect, or use http:// if that is meant."
        }
        LinkFault::Tls(TlsFault::Other { .. }) => {
            "The device speaks TLS 1.3 only; something in between may not."
        }
        LinkFault::ClosedWithoutAnswer if stage == Stage::Upload => {
            "Devices close like this on an image over 3 MiB or under storage trouble: check the image with hemfleet inspect, \
             then retry."
        }
        LinkFault::Stalled { .. } | LinkFault::UploadTimeout { .. } => {
            "The device or the way to it froze: nothing was installed. Retry; if it stays, power-cycle the device."
        }
        LinkFault::NoAnswer { .. } => {
            "It accepts connections but does not answer: devices freeze under load. Wait a minute and retry, or power-cycle it."
        }
        LinkFault::Reset | LinkFault::ClosedWithoutAnswer => {
            "The connection broke: retry; if it stays, look at the way to the device."
        }
        LinkFault::Garbled { .. } => {
            "Something else than a HEM may listen there: check url, connect and proxy."
        }
    }
}

fn local_hint(local: &LocalFault) -> &'static str {
    match local {
        LocalFault::NoDescriptor { .. } => {
            "The device is not at fault. Raise the limit of open files (ulimit -n, LimitNOFILE=), or say a smaller \
             --concurrency, then retry."
        }
        LocalFault::NoMemory { .. } => {
            "The device is not at fault. Free memory on this machine, or say a smaller --concurrency, then retry."
        }
        LocalFault::NoPort { .. } => {
            "The device is not at fault. This machine has too many connections, or lacks the address it connects from: say \
             a smaller --concurrency, then retry."
        }
        LocalFault::NoNetwork { .. } => {
            "Is this machine's network or VPN up? A device that is plugged in here takes its network with it: then look at \
             the device. Put it right, then retry."
        }
        LocalFault::Forbidden { .. } => {
            "A firewall or a policy of this machine stands in the way: allow the connection, then retry."
        }
    }
}

fn ssh_hint(reason: &str) -> &'static str {
    match SshTrouble::of(reason) {
        SshTrouble::KeyChanged => {
            "The jump host shows another key than before: find out why before you touch known_hosts."
        }
        SshTrouble::KeyUnknown => {
            "hemfleet never accepts an unknown host key: run ssh to the jump host once by hand, compare the key, then retry."
        }
        SshTrouble::LoginRefused => {
            "hemfleet never asks for a password: ssh to the jump host must work without typing anything. Load the key into \
             ssh-agent, then retry."
        }
        SshTrouble::WayForbidden => {
            "The jump host forbids the way on: its sshd needs AllowTcpForwarding and PermitOpen for this device."
        }
        SshTrouble::Other => {
            "Try it by hand: ssh to the jump host must work without typing anything. Then retry."
        }
    }
}

fn status_hint(stage: Stage, status: u16) -> &'static str {
    match (stage, status) {
        (Stage::Upload | Stage::Check, 401) => {
            "The device does not accept the token (it dies with a reboot): retry logs in anew."
        }
        (_, 401) => "The device wants another token or secret: check auth of this device.",
        (Stage::Upload | Stage::Check, 403) => {
            "The token lacks the scope system:upgrade: use a passphrase, or a token made for that scope."
        }
        (_, 403) => "The device forbids it: is its clock set, and is the scope right?",
        (Stage::Check, 404) => "The device has no staged image: retry uploads it again.",
        (Stage::Upload, 404) => {
            "No upgrade over this API: a rack appliance (EPA), or another kind of device."
        }
        (_, 404) => "Is this a HEM? Check url, connect and proxy.",
        (Stage::Upload, 411 | 413) => {
            "The device found no length or no file name, or the file too large: something on the way to it (a proxy?) may \
             have changed the request."
        }
        (Stage::Upload, 406) => {
            "The image did not arrive whole, or the device's storage is in trouble: retry; if it stays, power-cycle it."
        }
        (_, 409) => {
            "A fault is latched, or an install or a disk format runs: look at the device, then retry."
        }
        (_, 418) => "This endpoint needs TLS: use https:// in url.",
        (_, 500..=599) => "The device failed inside: wait a minute and retry, or power-cycle it.",
        _ => {
            "Not an answer of the protocol: check what listens there, and ask the vendor with the log."
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn says(stage: Stage, kind: &FailureKind, word: &str) -> bool {
        hint(stage, kind).contains(word)
    }

    /// An app may have been installed before the device changed: what was touched is said elsewhere.
    #[test]
    fn a_device_that_changed_is_not_said_to_be_untouched() {
        let what = "it has rebooted".to_owned();
        let kind = FailureKind::ChangedMeanwhile { what };
        assert!(!says(Stage::Probe, &kind, "install"));
        assert!(says(Stage::Probe, &kind, "retry"));
    }

    #[test]
    fn what_is_open_on_a_phone_is_said_as_it_is() {
        for left_open in [false, true] {
            let after = Duration::from_secs(3);
            let what = "broker answered 500".to_owned();
            for kind in [
                FailureKind::ApprovalTimeout { after, left_open },
                FailureKind::ApprovalUnheard { what, left_open },
            ] {
                assert_eq!(says(Stage::Login, &kind, NOTHING_OPEN), !left_open);
                assert_eq!(says(Stage::Login, &kind, "may still stand"), left_open);
                assert_eq!(kind.to_string().contains("withdrawn"), left_open);
            }
        }
    }

    #[test]
    fn the_broker_of_phones_is_not_blamed_for_the_clock() {
        let kind = FailureKind::Broker(BrokerFault::Status { status: 403 });
        assert!(!says(Stage::Login, &kind, "clock"));
        assert!(says(Stage::Checkin, &kind, "clock"));
    }

    #[test]
    fn an_expired_certificate_is_not_said_to_be_renewed_by_a_check_in() {
        let not_after = "2025-03-01T00:00:00Z".to_owned();
        let expired = TlsFault::Expired {
            days: 3,
            not_after: not_after.clone(),
        };
        let still = FailureKind::StillExpired {
            days: 3,
            not_after,
            newcrt: Some("OK".to_owned()),
        };
        for kind in [FailureKind::Link(LinkFault::Tls(expired)), still] {
            for word in ["pin", "no dates", "http://", "by hand"] {
                assert!(
                    says(Stage::Probe, &kind, word),
                    "{word}: {}",
                    hint(Stage::Probe, &kind)
                );
            }
            assert!(
                !says(Stage::Probe, &kind, "power-cycle"),
                "{}",
                hint(Stage::Probe, &kind)
            );
        }
    }

    #[test]
    fn only_406_says_that_nothing_verified_is_staged() {
        for status in [406, 411, 412, 413, 418, 451] {
            let kind = FailureKind::InstallRefused { status };
            let verified = says(Stage::Install, &kind, "no verified image");
            assert_eq!(verified, status == 406, "{status}");
        }
    }
}
