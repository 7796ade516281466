//! Sections 7 and 11: the firmware upgrade.

use super::*;
use crate::sim::Runs;

#[tokio::test]
async fn a_whole_upgrade() {
    let fleet = one("check_polls = 3\nscheme = \"https\"\nuptime = \"9h\"").await;
    let before = version(&fleet).await;
    let token = token(&fleet, "system:upgrade").await;
    let authorization = bearer(&token);
    assert_eq!(
        get(&fleet, CHECK, &authorization).await.unwrap().status,
        404
    );
    assert_eq!(
        get(&fleet, INSTALL, &authorization).await.unwrap().status,
        406
    );
    assert_eq!(
        upload(&fleet, &token, &fleet.image()).await.unwrap().status,
        200
    );
    assert_eq!(
        get(&fleet, INSTALL, &authorization).await.unwrap().status,
        406
    );
    assert_eq!(check(&fleet, &token).await, [201, 202, 202, 202, 200]);
    assert_eq!(check(&fleet, &token).await, [200]);
    assert_eq!(
        get(&fleet, INSTALL, &authorization).await.unwrap().status,
        200
    );

    let status = back(&fleet, 1).await;
    assert_eq!(status["fw_upgrade"], true);
    assert!(status["uptime"].as_u64().unwrap() < 60 && status.get("ts").is_none());
    let after = version(&fleet).await;
    assert_ne!(after["fws"], before["fws"]);
    let footer = crate::hem::firmware_image::verify(&fleet.image()).unwrap();
    assert_eq!(after["fws"], footer.fws.to_string());
    assert_eq!(
        (&after["fwv"], &after["fwk"]),
        (&footer.name.into(), &before["fwk"])
    );
    // The token died with the boot, and nothing is staged.
    assert_eq!(
        get(&fleet, CHECK, &authorization).await.unwrap().status,
        401
    );
    assert!(!fleet.hem().has_staged());

    let recording = fleet.hem().recording();
    assert_eq!(
        (
            recording.uploads,
            recording.installs(),
            recording.installs_executed
        ),
        (1, 3, 1)
    );
    assert_eq!(recording.image_bytes(), [200_000]);
    assert_eq!(fleet.hem().runs(), Runs::Image);
}

#[tokio::test]
async fn while_it_reboots_connections_are_refused() {
    let fleet = one("reboot = \"1h\"").await;
    assert_eq!(install(&fleet).await.status, 200);
    within("the reboot", fleet.hem().wait_for(|j| j.reboots == 1)).await;
    let error = TcpStream::connect(fleet.hem().addr()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let addr = fleet.hem().addr();
    fleet.shutdown().await;
    // Its port is free again: nothing of it is left.
    tokio::net::TcpListener::bind(addr).await.unwrap();
}

#[tokio::test]
async fn refusals_come_before_the_body() {
    let fleet = one("").await;
    let head = |auth: &str| {
        format!(
            "POST {UPLOAD} HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\
             Content-Disposition: attachment; filename=\"firmware.bin\"\r\n{auth}\r\n"
        )
    };
    let wrong = bearer(&token(&fleet, "logger:get").await);
    for (auth, status) in [(String::new(), 401), (bearer("x"), 401), (wrong, 403)] {
        let reply = raw(&fleet, head(&auth).as_bytes()).await.unwrap();
        assert_eq!(
            (reply.status, reply.head.contains("100 continue")),
            (status, false)
        );
    }
    assert_eq!(fleet.hem().recording().image_bytes(), [0, 0, 0]);

    let mut stream = dial(&fleet).await.unwrap();
    let auth = bearer(&token(&fleet, "system:upgrade").await);
    stream.write_all(head(&auth).as_bytes()).await.unwrap();
    let mut line = [0; 25];
    stream.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&fleet.image()).await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap().status, 200);
}

#[tokio::test]
async fn lengths_and_names() {
    let fleet = one("").await;
    let token = token(&fleet, "system:upgrade").await;
    let auth = bearer(&token);
    let named =
        |name: &str| format!("{auth}Content-Disposition: attachment; filename=\"{name}\"\r\n");
    let head = |length: &str, headers: &str| {
        format!("POST {UPLOAD} HTTP/1.1\r\nHost: h\r\n{length}{headers}\r\n").into_bytes()
    };
    let chunked = head("Transfer-Encoding: chunked\r\n", &named("firmware.bin"));
    assert_eq!(raw(&fleet, &chunked).await.unwrap().status, 411);
    let huge = head("Content-Length: 16777217\r\n", &named("firmware.hex"));
    assert_eq!(raw(&fleet, &huge).await.unwrap().status, 413);
    assert_eq!(
        raw(&fleet, &head("Content-Length: 9\r\n", &auth))
            .await
            .unwrap()
            .status,
        413
    );
    // The two that close without a response.
    for (length, name) in [(3 * 1024 * 1024 + 1, "firmware.bin"), (9, "firmware.elf")] {
        let bytes = head(&format!("Content-Length: {length}\r\n"), &named(name));
        let error = raw(&fleet, &bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{name}");
    }
    let record = ":10000000000102030405060708090A0B0C0D0E0F78\n";
    let hex = record.repeat(16) + ":00000001FF\n";
    let reply = post(&fleet, UPLOAD, &named("firmware.hex"), hex.as_bytes()).await;
    assert_eq!(reply.unwrap().status, 200);
    // Staged under a name that the check does not look for.
    let reply = post(&fleet, UPLOAD, &named("other.bin"), b"x")
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(get(&fleet, CHECK, &auth).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_body_that_ends_early_is_406() {
    for scheme in ["http", "https"] {
        let fleet = one(&format!("scheme = \"{scheme}\"")).await;
        let token = token(&fleet, "system:upgrade").await;
        assert_eq!(
            upload(&fleet, &token, &fleet.image()).await.unwrap().status,
            200
        );
        let mut stream = dial(&fleet).await.unwrap();
        let head = format!(
            "POST {UPLOAD} HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n{}\r\n",
            upload_head(&token)
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&[7; 4000]).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(rest(&mut stream).await.unwrap().status, 406, "{scheme}");
        // Whatever was staged before has been written over.
        assert_eq!(
            get(&fleet, CHECK, &bearer(&token)).await.unwrap().status,
            404
        );
        assert_eq!(fleet.hem().recording().uploads, 1);
    }
}

#[tokio::test]
async fn the_check_really_verifies() {
    for (kind, last) in [
        ("signed", 200),
        ("mode80", 200),
        ("new-layout", 200),
        ("other-key", 406),
        ("no-footer", 406),
    ] {
        let image = format!("image = {{ kind = \"{kind}\" }}");
        let fleet = world(&image, "scheme = \"http\"\ncheck_polls = 0").await;
        let token = token(&fleet, "system:upgrade").await;
        upload(&fleet, &token, &fleet.image()).await.unwrap();
        assert_eq!(check(&fleet, &token).await, [201, last], "{kind}");
        let install = get(&fleet, INSTALL, &bearer(&token)).await.unwrap();
        assert_eq!(install.status, last, "{kind}");
    }
}

#[tokio::test]
async fn damaged_images_and_intel_hex() {
    let fleet = one("check_polls = 0").await;
    let token = token(&fleet, "system:upgrade").await;
    let mut damaged = fleet.image().to_vec();
    damaged[1000] ^= 1;
    upload(&fleet, &token, &damaged).await.unwrap();
    assert_eq!(check(&fleet, &token).await, [201, 406]);

    let named = |name| {
        format!(
            "{}Content-Disposition: attachment; filename=\"{name}\"\r\n",
            bearer(&token)
        )
    };
    let hex = intel_hex(&fleet.image());
    for (name, last) in [("firmware.hex", 200), ("firmware.bin", 406)] {
        post(&fleet, UPLOAD, &named(name), hex.as_bytes())
            .await
            .unwrap();
        assert_eq!(check(&fleet, &token).await, [201, last], "{name}");
    }
    // Over 3 MiB once it is decoded.
    let hex = intel_hex(&vec![0x55; 3 * 1024 * 1024 + 1]);
    let reply = post(&fleet, UPLOAD, &named("firmware.hex"), hex.as_bytes()).await;
    assert_eq!(reply.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

fn intel_hex(image: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let mut record = |bytes: &[u8]| {
        text.push(':');
        let sum = bytes.iter().fold(0_u8, |sum, b| sum.wrapping_add(*b));
        for b in bytes.iter().chain([&sum.wrapping_neg()]) {
            write!(text, "{b:02X}").unwrap();
        }
        text.push('\n');
    };
    for (i, part) in image.chunks(32).enumerate() {
        let [_, high, b, c] = u32::try_from(i * 32).unwrap().to_be_bytes();
        if i % 2048 == 0 {
            record(&[2, 0, 0, 4, 0, high]);
        }
        let mut bytes = vec![u8::try_from(part.len()).unwrap(), b, c, 0];
        bytes.extend_from_slice(part);
        record(&bytes);
    }
    record(&[0, 0, 0, 1]);
    text
}

#[tokio::test]
async fn a_new_upload_wants_a_new_check() {
    let fleet = one("check_polls = 0").await;
    let token = token(&fleet, "system:upgrade").await;
    for _ in 0..2 {
        upload(&fleet, &token, &fleet.image()).await.unwrap();
        let install = get(&fleet, INSTALL, &bearer(&token)).await.unwrap();
        assert_eq!(install.status, 406);
        assert_eq!(check(&fleet, &token).await, [201, 200]);
    }
}

#[tokio::test]
async fn a_latched_fault_is_409() {
    let fleet = one("fresh = true\nfls_state = 8").await;
    let head = "Content-Disposition: attachment; filename=\"firmware.bin\"\r\n";
    assert_eq!(post(&fleet, UPLOAD, head, b"x").await.unwrap().status, 409);
    for path in [CHECK, INSTALL] {
        assert_eq!(get(&fleet, path, "").await.unwrap().status, 409);
    }
}

#[tokio::test]
async fn while_an_install_runs_another_is_409() {
    let fleet = one("faults = [{ at = \"boot\", do = \"linger\", for = \"1h\" }]").await;
    assert_eq!(install(&fleet).await.status, 200);
    let token = token(&fleet, "system:upgrade").await;
    for path in [INSTALL, CHECK] {
        assert_eq!(
            get(&fleet, path, &bearer(&token)).await.unwrap().status,
            409
        );
    }
    assert_eq!(upload(&fleet, &token, b"x").await.unwrap().status, 409);
    assert_eq!(fleet.hem().recording().installs_executed, 1);
    assert_eq!(fleet.hem().runs(), Runs::Old);
}

#[tokio::test]
async fn a_plain_reboot() {
    let fleet = one("").await;
    let before = version(&fleet).await;
    let token = token(&fleet, "system:shutdown").await;
    let reply = get(&fleet, "/api/system/reboot", &bearer(&token)).await;
    assert_eq!(reply.unwrap().status, 200);
    let status = back(&fleet, 1).await;
    assert!(status.get("fw_upgrade").is_none() && status.get("ts").is_none());
    assert_eq!(version(&fleet).await, before);
    assert_eq!(fleet.hem().recording().installs_executed, 0);
}

#[tokio::test]
async fn for_two_seconds_after_the_answer_a_device_answers_as_before() {
    for path in [INSTALL, "/api/system/reboot"] {
        let fleet = paced(0.5, "check_polls = 0\nreboot = \"10ms\"\nfresh = true").await;
        let before = version(&fleet).await;
        if path == INSTALL {
            let head = "Content-Disposition: attachment; filename=\"firmware.bin\"\r\n";
            post(&fleet, UPLOAD, head, &fleet.image()).await.unwrap();
            for status in [201, 200] {
                assert_eq!(get(&fleet, CHECK, "").await.unwrap().status, status);
            }
        }
        assert_eq!(get(&fleet, path, "").await.unwrap().status, 200);
        assert_eq!(version(&fleet).await, before, "{path}");
        assert_eq!(fleet.hem().recording().reboots, 0, "{path}");
        back(&fleet, 1).await;
        assert_eq!(version(&fleet).await != before, path == INSTALL);
    }
}
