//! Uploads: `100 Continue`, early answers, stalls and progress.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use super::test_server::{Guest, HOST, Leaf, Pki, Server, device, patient, spec, tls_spec, within};
use crate::device::http::HttpDevice;
use crate::device::{CheckAnswer, Device as _, Image, InstallAnswer, Session, UploadProgress};
use crate::hem::firmware_image;
use crate::model::{
    AppFacts, AppImage, Component, Credential, FailureKind, FirmwareImage, LinkFault, Timeouts,
    TlsTrust,
};

type Notes = Arc<Mutex<Vec<String>>>;

/// Far more than the sockets' buffers hold.
const SIZE: usize = 2 * 1024 * 1024;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

#[derive(Default)]
struct Seen(Mutex<Vec<u64>>);

impl UploadProgress for Seen {
    fn sent(&self, sent: u64) {
        self.0.lock().unwrap().push(sent);
    }
}

fn firmware() -> FirmwareImage {
    firmware_image::read(Bytes::from(vec![0xa5; SIZE])).unwrap()
}

async fn upload(device: &HttpDevice) -> (Result<(), FailureKind>, Vec<u64>) {
    let seen = Seen::default();
    let result = device
        .upload(&Session::anonymous(), Image::Firmware(&firmware()), &seen)
        .await;
    (result, seen.0.into_inner().unwrap())
}

fn plain(server: &Server, timeouts: Timeouts) -> HttpDevice {
    device(spec(server.at), Credential::None, timeouts)
}

#[tokio::test]
async fn a_refusal_costs_no_image_byte() {
    for status in [401, 403, 404, 406, 409, 411, 412, 413, 418, 500, 795] {
        let server = Server::start(None, move |mut guest: Guest, notes: Notes| async move {
            guest.head().await;
            guest.answer(status, "").await;
            let rest = guest.rest().await;
            notes.lock().unwrap().push(rest.to_string());
        })
        .await;
        let (result, seen) = upload(&plain(&server, patient())).await;
        assert_eq!(result, Err(FailureKind::Status { status }));
        assert!(seen.is_empty(), "{seen:?}");
        within("the server saw the end of the connection", async {
            while server.noted().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(server.noted(), ["0"]);
    }
}

#[tokio::test]
async fn the_body_follows_the_100_and_progress_ends_at_the_total() {
    let pki = Pki::new();
    let (tls, _) = pki.leaf(HOST, Leaf::Good);
    for tls in [None, Some(tls)] {
        let secure = tls.is_some();
        let server = Server::start(tls, |mut guest: Guest, notes: Notes| async move {
            let head = guest.head().await;
            guest.say(CONTINUE).await;
            let mut body = vec![0; SIZE];
            guest.io.read_exact(&mut body).await.unwrap();
            assert!(body.iter().all(|b| *b == 0xa5));
            notes.lock().unwrap().push(head);
            guest.answer(200, "").await;
        })
        .await;
        let spec = if secure {
            tls_spec(server.at, TlsTrust::Ca(pki.ca_pem.as_str().into()))
        } else {
            spec(server.at)
        };
        let mut device = device(spec, Credential::None, patient());
        // Only the device's word may open the gate here.
        device.continue_wait = Duration::from_secs(600);
        let (result, seen) = upload(&device).await;
        assert_eq!(result, Ok(()));
        assert_eq!(seen.last(), Some(&(SIZE as u64)));
        assert!(seen.is_sorted(), "{seen:?}");
        let head = server.noted().remove(0);
        for line in [
            "POST /api/system/upgrade/upload_fw HTTP/1.1",
            "Content-Type: application/octet-stream",
            "Content-Disposition: attachment; filename=\"firmware.bin\"",
            "Content-Length: 2097152",
            "Expect: 100-continue",
        ] {
            assert!(head.contains(&format!("{line}\r\n")), "{line}\n{head}");
        }
    }
}

#[tokio::test]
async fn a_device_that_never_heard_of_expect_gets_the_body_after_the_wait() {
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.request().await;
        guest.answer(200, "").await;
    })
    .await;
    let mut device = plain(&server, patient());
    device.continue_wait = Duration::from_millis(20);
    assert_eq!(upload(&device).await.0, Ok(()));
}

// Two threads: the reset must be able to arrive while the client is about to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_the_middle_of_the_body_is_read_not_lost_to_the_reset() {
    let pki = Pki::new();
    let (tls, _) = pki.leaf(HOST, Leaf::Good);
    for tls in [None, Some(tls)] {
        let secure = tls.is_some();
        let server = Server::start(tls, |mut guest: Guest, _| async move {
            guest.head().await;
            guest.say(CONTINUE).await;
            let mut some = vec![0; 256 * 1024];
            guest.io.read_exact(&mut some).await.unwrap();
            // Closing with unread bytes makes the kernel send a reset behind the answer.
            guest.answer(413, "").await;
        })
        .await;
        let spec = if secure {
            tls_spec(server.at, TlsTrust::Insecure)
        } else {
            spec(server.at)
        };
        let device = device(spec, Credential::None, patient());
        for _ in 0..40 {
            assert_eq!(
                upload(&device).await.0,
                Err(FailureKind::Status { status: 413 })
            );
        }
    }
}

#[tokio::test]
async fn a_standstill_is_noticed_with_how_far_it_came() {
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest.say(CONTINUE).await;
        let mut some = vec![0; 64 * 1024];
        guest.io.read_exact(&mut some).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let stall = Duration::from_millis(80);
    let timeouts = Timeouts {
        upload_stall: stall,
        ..patient()
    };
    let (result, seen) = upload(&plain(&server, timeouts)).await;
    match result {
        Err(FailureKind::Link(LinkFault::Stalled { sent, total, after })) => {
            assert_eq!((total, after), (SIZE as u64, stall));
            assert_eq!(Some(&sent), seen.last());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_upload_has_a_longest_time() {
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let whole = Duration::from_millis(40);
    let timeouts = Timeouts {
        upload: whole,
        ..patient()
    };
    let mut device = plain(&server, timeouts);
    device.continue_wait = Duration::from_secs(600);
    let total = SIZE as u64;
    let expected = LinkFault::UploadTimeout {
        sent: 0,
        total,
        after: whole,
    };
    assert_eq!(upload(&device).await, (Err(expected.into()), Vec::new()));
}

#[tokio::test]
async fn after_the_last_byte_the_answer_has_its_own_limit() {
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest.say(CONTINUE).await;
        guest.rest().await;
    })
    .await;
    let request = Duration::from_millis(60);
    let timeouts = Timeouts {
        request,
        ..patient()
    };
    let (result, seen) = upload(&plain(&server, timeouts)).await;
    assert_eq!(result, Err(LinkFault::NoAnswer { after: request }.into()));
    assert_eq!(seen.last(), Some(&(SIZE as u64)));
}

#[tokio::test]
async fn closing_without_a_word_is_told_as_such() {
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest.say(CONTINUE).await;
        let mut body = vec![0; SIZE];
        guest.io.read_exact(&mut body).await.unwrap();
    })
    .await;
    let (result, _) = upload(&plain(&server, patient())).await;
    assert_eq!(result, Err(LinkFault::ClosedWithoutAnswer.into()));
}

#[tokio::test]
async fn a_reset_in_the_middle_without_an_answer_is_a_reset() {
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest.say(CONTINUE).await;
        let mut some = vec![0; 64 * 1024];
        guest.io.read_exact(&mut some).await.unwrap();
    })
    .await;
    for _ in 0..20 {
        let (result, _) = upload(&plain(&server, patient())).await;
        assert_eq!(result, Err(LinkFault::Reset.into()));
    }
}

#[tokio::test]
async fn a_200_before_the_whole_image_is_believed_by_nobody() {
    let server = Server::start(None, |mut guest: Guest, _| async move {
        guest.head().await;
        guest.answer(200, "").await;
        guest.hang().await;
    })
    .await;
    let (result, _) = upload(&plain(&server, patient())).await;
    assert!(
        matches!(result, Err(FailureKind::BadAnswer { .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn intel_hex_is_sent_under_its_own_name() {
    let server = Server::start(None, |mut guest: Guest, notes: Notes| async move {
        let head = guest.head().await;
        notes.lock().unwrap().push(head);
        guest.answer(406, "").await;
    })
    .await;
    let hex = firmware_image::read(Bytes::from_static(b":0100000001FE\n:00000001FF\n")).unwrap();
    let device = plain(&server, patient());
    let result = device
        .upload(
            &Session::anonymous(),
            Image::Firmware(&hex),
            &Seen::default(),
        )
        .await;
    assert_eq!(result, Err(FailureKind::Status { status: 406 }));
    assert!(server.noted()[0].contains("filename=\"firmware.hex\""));
}

/// Section 8: the same shape as the firmware, under its own names.
#[tokio::test]
async fn a_management_app_is_sent_checked_and_installed_under_its_own_names() {
    let server = Server::start(None, |mut guest: Guest, notes: Notes| async move {
        let head = guest.head().await;
        if head.starts_with("POST ") {
            guest.say(CONTINUE).await;
            let mut body = vec![0; SIZE];
            guest.io.read_exact(&mut body).await.unwrap();
        }
        notes.lock().unwrap().push(head);
        guest.answer(200, "").await;
    })
    .await;
    let device = plain(&server, patient());
    let (session, seen) = (Session::anonymous(), Seen::default());
    let app = AppImage {
        bytes: Bytes::from(vec![0x75; SIZE]),
        facts: AppFacts {
            file_bytes: SIZE as u64,
            sha256: [0; 32],
            trailer: None,
            version: None,
        },
    };
    device
        .upload(&session, Image::Ui(&app), &seen)
        .await
        .unwrap();
    let limit = Duration::from_secs(60);
    let answer = device.check(Component::Ui, &session, limit).await.unwrap();
    let CheckAnswer::Valid(validated) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(validated.component(), Component::Ui);
    let answer = device.install(validated, &session).await;
    assert_eq!(answer, InstallAnswer::Accepted);
    let heads = server.noted();
    for (head, line) in heads.iter().zip([
        "POST /api/system/upgrade/upload_ui HTTP/1.1\r\n",
        "GET /api/system/upgrade/check_ui HTTP/1.1\r\n",
        "GET /api/system/upgrade/install_ui HTTP/1.1\r\n",
    ]) {
        assert!(head.starts_with(line), "{head}");
    }
    for line in [
        "Content-Disposition: attachment; filename=\"webroot.tar\"",
        "Content-Length: 2097152",
        "Expect: 100-continue",
    ] {
        assert!(heads[0].contains(&format!("{line}\r\n")), "{line}");
    }
}

#[tokio::test]
async fn cancelling_closes_the_connection() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let server = Server::start(None, move |mut guest: Guest, _| {
        let tell = tell.lock().unwrap().take();
        async move {
            guest.head().await;
            guest.say(CONTINUE).await;
            guest.rest().await;
            tell.unwrap().send(()).unwrap();
        }
    })
    .await;
    let device = plain(&server, patient());
    let seen = Seen::default();
    let (session, image) = (Session::anonymous(), firmware());
    let running = device.upload(&session, Image::Firmware(&image), &seen);
    tokio::select! {
        _ = running => panic!("nobody answered"),
        () = within("some of the image was sent", async {
            while seen.0.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        }) => {}
    }
    within("the server saw the connection close", told)
        .await
        .unwrap();
}
