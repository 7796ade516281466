//! Devices behind a jump host, through a real sshd on loopback. Without an sshd these tests are skipped, and say so.

mod sshd;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Barrier;

use self::sshd::Sshd;
use super::test_server::{Guest, HOST, Leaf, Pki, Server, linked, nobody, patient, spec, tls_spec};
use crate::device::http::{HttpDevice, Links};
use crate::device::{Device as _, Image, InstallAnswer, Session, UploadProgress, Validated};
use crate::hem::firmware_image;
use crate::model::{
    Component, Credential, DeviceSpec, FailureKind, HostPort, LinkFault, SshJump, Stage, Timeouts,
    TlsTrust,
};

/// What sshd logs of a login that it did not let in.
const REFUSED: &str = "Connection closed by authenticating user";

const STATUS: &str = r#"{"uptime":5,"fls_state":0}"#;

fn behind(jump: &str, mut spec: DeviceSpec, links: &Links) -> HttpDevice {
    spec.ssh = Some(SshJump::parse(jump).unwrap());
    linked(spec, Credential::None, patient(), links)
}

async fn answering() -> Server {
    Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest.answer(200, STATUS).await;
    })
    .await
}

/// Answers nothing; notes who came, and who went.
async fn silent() -> Server {
    Server::start(None, |mut guest: Guest, notes| async move {
        guest.head().await;
        notes.lock().unwrap().push("came".to_owned());
        guest.rest().await;
        notes.lock().unwrap().push("went".to_owned());
    })
    .await
}

async fn noted(server: &Server, what: &str) {
    while !server.noted().iter().any(|n| n == what) {
        tokio::task::yield_now().await;
    }
}

fn reason(fault: FailureKind) -> String {
    match fault {
        FailureKind::Link(LinkFault::Ssh { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn devices_behind_one_jump_host_share_its_connection() {
    let Some(sshd) = Sshd::start() else { return };
    let pki = Pki::new();
    let (tls, _) = pki.leaf(HOST, Leaf::Good);
    let secure = Server::start(Some(tls), |mut guest: Guest, _| async move {
        guest.head().await;
        guest.answer(200, STATUS).await;
    })
    .await;
    let plain = answering().await;
    let links = sshd.links();
    let trust = TlsTrust::Ca(pki.ca_pem.as_str().into());
    let one = behind("jump", tls_spec(secure.at, trust), &links);
    let other = behind("jump", spec(plain.at), &links);
    for _ in 0..3 {
        let (a, b) = tokio::join!(one.status(), other.status());
        assert_eq!(a.unwrap().uptime, b.unwrap().uptime);
    }
    assert_eq!(sshd.logins(), 1);
}

#[tokio::test]
async fn the_ninth_stream_at_a_time_has_a_connection_of_its_own() {
    let Some(sshd) = Sshd::start() else { return };
    let together = Arc::new(Barrier::new(9));
    let server = Server::start(None, move |mut guest: Guest, _| {
        let together = Arc::clone(&together);
        async move {
            guest.head().await;
            let all = tokio::time::timeout(Duration::from_secs(60), together.wait());
            all.await.expect("waited 60 s for nine streams at a time");
            guest.answer(200, STATUS).await;
        }
    })
    .await;
    let links = sshd.links();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..9 {
        let device = behind("jump", spec(server.at), &links);
        asking.spawn(async move { device.status().await.unwrap() });
    }
    asking.join_all().await;
    assert_eq!(sshd.logins(), 2);
}

#[tokio::test]
async fn a_jump_host_that_refuses_is_told_in_the_words_of_ssh() {
    let Some(sshd) = Sshd::start() else { return };
    let links = sshd.links();
    for (jump, words, hint) in [
        (
            "nowhere",
            "Could not resolve hostname host.invalid",
            "by hand",
        ),
        ("closed", "port 1: Connection refused", "by hand"),
        ("stranger", "Host key verification failed.", "once by hand"),
        ("changed", "Host key verification failed.", "another key"),
        ("locked", "Permission denied (publickey", "ssh-agent"),
        ("twice", "Permission denied (publickey", "ssh-agent"),
    ] {
        let device = behind(jump, spec(nobody()), &links);
        let fault = device.status().await.unwrap_err();
        assert_eq!(fault.code(), "ssh");
        let hinted = fault.hint(Stage::Probe);
        assert!(hinted.contains(hint), "{jump}: {fault}: {hinted}");
        assert!(
            fault.to_string().starts_with(&format!("ssh {jump}: ")),
            "{fault}"
        );
        let said = reason(fault);
        assert!(said.contains(words), "{jump}: {said}");
    }
    assert_eq!(sshd.logins(), 0);
    sshd.gone("").await;
}

#[tokio::test]
async fn a_jump_host_that_refused_is_not_asked_by_each_device_in_turn() {
    let Some(sshd) = Sshd::start() else { return };
    let links = sshd.links();
    for _ in 0..5 {
        let device = behind("locked", spec(nobody()), &links);
        assert_eq!(device.status().await.unwrap_err().code(), "ssh");
    }
    // A login that is let in comes last.
    let server = answering().await;
    let device = behind("jump", spec(server.at), &links);
    device.status().await.unwrap();
    let logged = async {
        while sshd.logged(REFUSED) == 0 {
            tokio::task::yield_now().await;
        }
    };
    // The words are sshd's, and another one may have others.
    let _ = tokio::time::timeout(Duration::from_secs(30), logged).await;
    assert_eq!(sshd.logged(REFUSED), 1);
}

#[tokio::test]
async fn after_an_upload_the_tunnel_is_given_time_to_run_empty() {
    let Some(sshd) = Sshd::start() else { return };
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest.say("HTTP/1.1 100 Continue\r\n\r\n").await;
        guest.rest().await;
    })
    .await;
    let links = sshd.links();
    let (request, upload_stall) = (Duration::from_millis(60), Duration::from_secs(2));
    let mut spec = spec(server.at);
    spec.ssh = Some(SshJump::parse("jump").unwrap());
    let timeouts = Timeouts {
        request,
        upload_stall,
        ..patient()
    };
    let device = linked(spec, Credential::None, timeouts, &links);
    let image = firmware_image::read(Bytes::from(vec![0xa5; 100_000])).unwrap();
    let sent = device
        .upload(
            &Session::anonymous(),
            Image::Firmware(&image),
            &Seen::default(),
        )
        .await;
    let after = request + upload_stall;
    assert_eq!(sent, Err(LinkFault::NoAnswer { after }.into()));
}

#[tokio::test]
async fn the_users_own_jump_hosts_are_used_and_end_with_the_run() {
    let Some(sshd) = Sshd::start() else { return };
    let server = answering().await;
    let links = sshd.links();
    let device = behind("chain", spec(server.at), &links);
    device.status().await.unwrap();
    assert_eq!(sshd.logins(), 2);
    drop((device, links));
    sshd.gone("").await;
}

#[tokio::test]
async fn a_device_that_refuses_behind_the_jump_host_is_no_fault_of_ssh() {
    let Some(sshd) = Sshd::start() else { return };
    let links = sshd.links();
    let target = format!("{} behind jump", nobody());
    let refused = LinkFault::Refused { target };

    let secure = behind("jump", tls_spec(nobody(), TlsTrust::Insecure), &links);
    assert_eq!(secure.status().await.unwrap_err(), refused.clone().into());
    let session = Session::anonymous();
    let answer = secure
        .install(Validated::by_device(Component::Firmware), &session)
        .await;
    assert_eq!(answer, InstallAnswer::NotSent(refused.clone()));

    // Without TLS the request is on its way before anybody knows that there is none.
    let plain = behind("jump", spec(nobody()), &links);
    assert_eq!(plain.status().await.unwrap_err(), refused.clone().into());
    let answer = plain
        .install(Validated::by_device(Component::Firmware), &session)
        .await;
    let why = refused.to_string();
    assert_eq!(answer, InstallAnswer::Unclear { why });

    let mut elsewhere = spec(nobody());
    elsewhere.endpoint.connect = Some(HostPort {
        host: "127.0.0.2".into(),
        port: 80,
    });
    let fault = behind("jump", elsewhere, &links)
        .status()
        .await
        .unwrap_err();
    assert!(fault.hint(Stage::Probe).contains("PermitOpen"), "{fault}");
    let said = reason(fault);
    assert_eq!(
        said,
        "no way on to 127.0.0.2:80: administratively prohibited: open failed"
    );

    let mut unnamed = spec(nobody());
    unnamed.endpoint.connect = Some(HostPort {
        host: "host.invalid".into(),
        port: 80,
    });
    let fault = behind("jump", unnamed, &links).status().await.unwrap_err();
    assert_eq!(fault.code(), "io");
    let said = fault.to_string();
    assert!(said.starts_with("host.invalid:80 behind jump: "), "{said}");
    assert_eq!(sshd.logins(), 1);
}

#[derive(Default)]
struct Seen(Mutex<Vec<u64>>);

impl UploadProgress for Seen {
    fn sent(&self, sent: u64) {
        self.0.lock().unwrap().push(sent);
    }
}

#[tokio::test]
async fn an_upload_goes_through_with_progress() {
    const SIZE: usize = 3 * 1024 * 1024;
    let Some(sshd) = Sshd::start() else { return };
    let pki = Pki::new();
    let (tls, _) = pki.leaf(HOST, Leaf::Good);
    let server = Server::start(Some(tls), |mut guest: Guest, _| async move {
        let head = guest.head().await;
        assert!(head.contains("Expect: 100-continue\r\n"));
        guest.say("HTTP/1.1 100 Continue\r\n\r\n").await;
        let mut body = vec![0; SIZE];
        tokio::io::AsyncReadExt::read_exact(&mut guest.io, &mut body)
            .await
            .unwrap();
        assert!(body.iter().all(|b| *b == 0xa5));
        guest.answer(200, "").await;
    })
    .await;
    let links = sshd.links();
    let mut device = behind("jump", tls_spec(server.at, TlsTrust::Insecure), &links);
    device.continue_wait = Duration::from_secs(600);
    let image = firmware_image::read(Bytes::from(vec![0xa5; SIZE])).unwrap();
    let seen = Seen::default();
    let sent = device
        .upload(&Session::anonymous(), Image::Firmware(&image), &seen)
        .await;
    assert_eq!(sent, Ok(()));
    let seen = seen.0.into_inner().unwrap();
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.last(), Some(&(SIZE as u64)));
}

#[tokio::test]
async fn giving_up_a_request_ends_its_ssh_and_leaves_the_others() {
    let Some(sshd) = Sshd::start() else { return };
    let server = silent().await;
    let links = sshd.links();
    let device = behind("jump", spec(server.at), &links);
    tokio::select! {
        answer = device.status() => panic!("{answer:?}"),
        () = async {
            noted(&server, "came").await;
            assert_eq!(sshd.processes("-W").len(), 1);
        } => {}
    }
    noted(&server, "went").await;
    sshd.gone("-W").await;
    assert_eq!(
        sshd.processes("-MNT").len(),
        2,
        "ssh and what holds its leash"
    );

    let answering = answering().await;
    behind("jump", spec(answering.at), &links)
        .status()
        .await
        .unwrap();
    assert_eq!(sshd.logins(), 1);
}

#[tokio::test]
async fn the_end_of_a_run_leaves_nothing_behind() {
    let Some(sshd) = Sshd::start() else { return };
    let server = silent().await;
    let links = sshd.links();
    let device = behind("jump", spec(server.at), &links);
    let running = tokio::spawn(async move { device.status().await });
    noted(&server, "came").await;
    let master = sshd.processes("-MNT")[0];
    let line = std::fs::read(format!("/proc/{master}/cmdline")).unwrap();
    let line = String::from_utf8(line).unwrap();
    let socket = line
        .split('\0')
        .find_map(|word| word.strip_prefix("-oControlPath="))
        .unwrap();
    let folder = std::path::Path::new(socket).parent().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&folder.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);

    drop(links);
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    sshd.gone("").await;
    assert!(!folder.exists());
    noted(&server, "went").await;
}

#[tokio::test]
async fn a_lost_connection_is_told_and_opened_anew() {
    let Some(sshd) = Sshd::start() else { return };
    let server = silent().await;
    let links = sshd.links();
    let device = behind("jump", spec(server.at), &links);
    let (fault, ()) = tokio::join!(device.status(), async {
        noted(&server, "came").await;
        let masters = sshd.processes("-MNT");
        assert!(!masters.is_empty());
        for pid in masters {
            // One may have gone with the one before it.
            let kill = std::process::Command::new("kill")
                .arg(pid.to_string())
                .output();
            kill.unwrap();
        }
    });
    assert_eq!(reason(fault.unwrap_err()), "the connection ended");

    let answering = answering().await;
    behind("jump", spec(answering.at), &links)
        .status()
        .await
        .unwrap();
    assert_eq!(sshd.logins(), 2);
}

#[tokio::test]
async fn the_limit_of_the_opening_ends_ssh() {
    let Some(sshd) = Sshd::start() else { return };
    // It accepts, and never says what an SSH server says first.
    let mute = Server::start(None, |guest: Guest, _| guest.hang()).await;
    let links = sshd.links();
    let mut spec = spec(nobody());
    spec.ssh = Some(SshJump::parse(&format!("ssh://{}", mute.at)).unwrap());
    let limit = Duration::from_millis(300);
    let timeouts = Timeouts {
        connect: limit,
        ..patient()
    };
    let device = linked(spec, Credential::None, timeouts, &links);
    let said = reason(device.status().await.unwrap_err());
    assert_eq!(said, "not connected within 0.3 s");
    sshd.gone("").await;
}
