//! Scripted faults, as a client sees them.

use std::time::Duration;

use super::*;
use crate::sim::Runs;

async fn with(faults: &str) -> SimFleet {
    one(&format!("check_polls = 0\nfaults = [{faults}]")).await
}

/// As far as the answer to the install.
async fn install(fleet: &SimFleet) -> io::Result<Reply> {
    let token = token(fleet, "system:upgrade").await;
    upload(fleet, &token, &fleet.image()).await.unwrap();
    assert_eq!(check(fleet, &token).await, [201, 200]);
    get(fleet, INSTALL, &bearer(&token)).await
}

#[tokio::test]
async fn statuses_outside_the_range() {
    let fleet = with(
        r#"{ at = "version", do = "status", status = 795, times = 2 },
           { at = "upload", do = "status", status = 413, after = 50000 }"#,
    )
    .await;
    for status in [795, 795, 200] {
        let reply = get(&fleet, "/api/system/version", "").await.unwrap();
        assert_eq!(reply.status, status);
    }
    let token = token(&fleet, "system:upgrade").await;
    let image = fleet.image();
    let mut stream = dial(&fleet).await.unwrap();
    let head = format!(
        "POST {UPLOAD} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n",
        image.len(),
        upload_head(&token)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&image[..60_000]).await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap().status, 413);
    let received = fleet.hem().recording().image_bytes_total();
    assert!((50_000..60_000).contains(&received), "{received}");
    assert_eq!(upload(&fleet, &token, &image).await.unwrap().status, 200);
}

#[tokio::test]
async fn broken_connections() {
    let fleet = with(
        r#"{ at = "upload", do = "reset", after = 100000 },
           { at = "version", do = "close" },
           { at = "status", do = "reset" },
           { at = "connect", do = "reset", skip = 1 }"#,
    )
    .await;
    let error = get(&fleet, "/api/system/version", "").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let error = get(&fleet, "/api/system/version", "").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = get(&fleet, "/api/system/status", "").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

    let token = token(&fleet, "system:upgrade").await;
    assert!(upload(&fleet, &token, &fleet.image()).await.is_err());
    assert!(!fleet.hem().has_staged());
    assert_eq!(
        upload(&fleet, &token, &fleet.image()).await.unwrap().status,
        200
    );
    let recording = fleet.hem().recording();
    assert_eq!(recording.uploads, 1);
    assert!((100_000..200_000).contains(&recording.image_bytes()[0]));
    assert_eq!(recording.to(UPLOAD).next().unwrap().status, None);
}

#[tokio::test]
async fn standing_still() {
    let fleet = with(
        r#"{ at = "upload", do = "stall", after = 65536 },
           { at = "connect", do = "stall", skip = 3 }"#,
    )
    .await;
    let token = token(&fleet, "system:upgrade").await;
    let mut stream = dial(&fleet).await.unwrap();
    let head = format!(
        "POST {UPLOAD} HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n{}\r\n",
        upload_head(&token)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&fleet.image()[..70_000]).await.unwrap();
    let recording = within(
        "bytes of the image",
        fleet.hem().wait_for(|j| j.image_bytes_total() >= 65_536),
    )
    .await;
    assert_eq!(recording.uploads, 0);
    // The next connection is accepted and hears nothing, however long it waits.
    let silent = get(&fleet, "/api/system/version", "");
    assert!(
        tokio::time::timeout(Duration::from_millis(100), silent)
            .await
            .is_err()
    );
    let reply = get(&fleet, "/api/system/version", "").await.unwrap();
    assert_eq!(reply.status, 200);
    // Nobody holds it against a client that it gave up on a device that stood still.
    assert_eq!(fleet.hem().recording().max_overlap, 1);
}

#[tokio::test]
async fn strange_bodies() {
    let fleet = with(
        r#"{ at = "status", do = "odd" }, { at = "status", do = "garbled" },
           { at = "status", do = "short" }, { at = "status", do = "omit", field = "uptime" }"#,
    )
    .await;
    let odd = get(&fleet, "/api/system/status", "").await.unwrap().json();
    assert!(odd["future"].is_object() && odd["inited"].is_null());
    assert!(odd.as_object().unwrap().contains_key("format"));
    let garbled = get(&fleet, "/api/system/status", "").await.unwrap();
    assert!(garbled.status == 200 && garbled.body.starts_with(b"<html>"));
    let short = get(&fleet, "/api/system/status", "").await.unwrap();
    let promised = short.head.split("content-length: ").nth(1).unwrap();
    let promised: usize = promised.split("\r\n").next().unwrap().parse().unwrap();
    assert!(!short.body.is_empty() && short.body.len() < promised);
    let omitted = get(&fleet, "/api/system/status", "").await.unwrap().json();
    assert!(omitted.get("uptime").is_none() && omitted.get("temp").is_some());
}

#[tokio::test]
async fn the_check_may_fail_or_never_end() {
    let fleet =
        with(r#"{ at = "verification", do = "fail" }, { at = "verification", do = "endless" }"#)
            .await;
    let token = token(&fleet, "system:upgrade").await;
    upload(&fleet, &token, &fleet.image()).await.unwrap();
    assert_eq!(check(&fleet, &token).await, [201, 406]);
    assert_eq!(check(&fleet, &token).await, [406]);
    upload(&fleet, &token, &fleet.image()).await.unwrap();
    for status in [201, 202, 202, 202] {
        let reply = get(&fleet, CHECK, &bearer(&token)).await.unwrap();
        assert_eq!(reply.status, status);
    }
}

#[tokio::test]
async fn the_answer_to_the_install_is_lost() {
    for happened in [true, false] {
        let fault = format!(r#"{{ at = "install", do = "lose-answer", happened = {happened} }}"#);
        let fleet = with(&fault).await;
        let error = install(&fleet).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        if happened {
            back(&fleet, 1).await;
        }
        let recording = fleet.hem().recording();
        assert_eq!(recording.installs(), 1);
        assert_eq!(recording.installs_executed, u32::from(happened));
        let runs = if happened { Runs::Image } else { Runs::Old };
        assert_eq!(fleet.hem().runs(), runs);
    }
}

#[tokio::test]
async fn boots_that_go_wrong() {
    for (deed, runs, upgraded) in [
        ("rollback", Runs::Old, false),
        ("other-fws", Runs::Other, true),
    ] {
        let fleet = with(&format!(r#"{{ at = "boot", do = "{deed}" }}"#)).await;
        assert_eq!(install(&fleet).await.unwrap().status, 200);
        let status = back(&fleet, 1).await;
        assert_eq!(fleet.hem().runs(), runs);
        assert_eq!(status.get("fw_upgrade").is_some(), upgraded, "{deed}");
        assert_eq!(version(&fleet).await["fws"], fleet.hem().fws().to_string());
    }
}

#[tokio::test]
async fn a_boot_that_hangs_accepts_and_says_nothing() {
    let fleet = with(r#"{ at = "boot", do = "hang", for = "300ms" }"#).await;
    assert_eq!(install(&fleet).await.unwrap().status, 200);
    within("the reboot", fleet.hem().wait_for(|j| j.reboots == 1)).await;
    let mut silent = loop {
        match dial(&fleet).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let connections = fleet.hem().recording().connections;
    silent
        .write_all(b"GET /api/system/status HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut silent).await.is_err(), "dropped unanswered");
    assert_eq!(fleet.hem().recording().connections, connections);
    assert_eq!(
        get(&fleet, "/api/system/status", "").await.unwrap().json()["fw_upgrade"],
        true
    );
}

#[tokio::test]
async fn a_device_that_vanishes_again_comes_back() {
    let fleet = with(
        r#"{ at = "boot", do = "vanish", for = "200ms" }, { at = "boot", do = "linger", for = "50ms" }"#,
    )
    .await;
    assert_eq!(install(&fleet).await.unwrap().status, 200);
    // Still the old one, answering as if nothing were.
    assert_eq!(fleet.hem().runs(), Runs::Old);
    assert_eq!(back(&fleet, 1).await["fw_upgrade"], true);
    let status = back(&fleet, 2).await;
    assert!(status.get("fw_upgrade").is_none());
    assert_eq!(fleet.hem().runs(), Runs::Image);
    assert_eq!(fleet.hem().recording().installs_executed, 1);
}

#[tokio::test]
async fn an_absent_device_refuses_connections() {
    let fleet = with(r#"{ at = "connect", do = "refuse", for = "100ms" }"#).await;
    let error = TcpStream::connect(fleet.hem().addr()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    back(&fleet, 0).await;
}

#[tokio::test]
async fn violations_of_one_at_a_time_are_counted() {
    let fleet = world(
        "",
        "scheme = \"http\"\nfaults = [{ at = \"version\", do = \"slow\", for = \"200ms\" }]",
    )
    .await;
    let (slow, other) = tokio::join!(
        get(&fleet, "/api/system/version", ""),
        get(&fleet, "/api/system/version", "")
    );
    assert_eq!((slow.unwrap().status, other.unwrap().status), (200, 200));
    assert_eq!(fleet.hem().recording().max_overlap, 2);

    let text = "about = \"x\"\nclient = { pace = { gap = \"1h\" } }\n[[device]]\nname = \"hem\"\nscheme = \"http\"";
    let scenario = Scenario::parse(text).unwrap();
    let fleet = SimFleet::start(&scenario, &SimOptions::default())
        .await
        .unwrap();
    for n in 0..3 {
        assert_eq!(fleet.hem().recording().too_soon, [0, 0, 1][n]);
        get(&fleet, "/api/system/version", "").await.unwrap();
    }
}

#[tokio::test]
async fn a_throttled_upload_is_held_back() {
    let fleet = one("upload_rate = 100").await;
    let token = token(&fleet, "system:upgrade").await;
    let image = fleet.image();
    let others = async {
        within(
            "bytes of the image",
            fleet.hem().wait_for(|j| j.image_bytes_total() > 0),
        )
        .await;
        for _ in 0..3 {
            version(&fleet).await;
        }
    };
    tokio::select! {
        reply = upload(&fleet, &token, &image) => panic!("too early: {reply:?}"),
        () = others => {}
    }
    assert!(fleet.hem().recording().image_bytes_total() < 20_000);
}
