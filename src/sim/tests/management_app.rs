//! Sections 8 and 12: the management app, and downloads.

use super::checkin::check_in;
use super::*;
use crate::hem::path::download_name;
use crate::model::{AuditResult, AuditType};
use crate::sim::Runs;

const UPLOAD_UI: &str = "/api/system/upgrade/upload_ui";
const CHECK_UI: &str = "/api/system/upgrade/check_ui";
const INSTALL_UI: &str = "/api/system/upgrade/install_ui";

async fn upload_as(fleet: &SimFleet, token: &str, name: &str, app: &[u8]) -> io::Result<Reply> {
    let head = upload_head(token).replace("firmware.bin", name);
    post(fleet, UPLOAD_UI, &head, app).await
}

async fn ask(fleet: &SimFleet, token: &str, path: &str) -> u16 {
    get(fleet, path, &bearer(token)).await.unwrap().status
}

async fn verified(fleet: &SimFleet, token: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    loop {
        statuses.push(ask(fleet, token, CHECK_UI).await);
        if !matches!(statuses.last(), Some(201 | 202)) {
            return statuses;
        }
    }
}

#[tokio::test]
async fn an_app_comes_into_use_without_a_reboot() {
    let fleet = world(
        "app = { size = 200000 }",
        "scheme = \"http\"\ncheck_polls = 2",
    )
    .await;
    let token = token(&fleet, "system:upgrade").await;
    let app = fleet.app().unwrap();
    let before = version(&fleet).await["uis"].clone();
    assert_eq!(ask(&fleet, &token, CHECK_UI).await, 404);
    assert_eq!(ask(&fleet, &token, INSTALL_UI).await, 406);
    let staged = upload_as(&fleet, &token, "webroot.tar", &app)
        .await
        .unwrap();
    assert_eq!(staged.status, 200);
    // The firmware's own slot is another.
    assert_eq!(ask(&fleet, &token, CHECK).await, 404);
    assert_eq!(verified(&fleet, &token).await, [201, 202, 202, 200]);
    assert_eq!(ask(&fleet, &token, INSTALL_UI).await, 200);
    // At once: the token and the boot are the same.
    let after = version(&fleet).await["uis"].clone();
    assert_ne!(before, after);
    assert_eq!(ask(&fleet, &token, INSTALL_UI).await, 406);
    let recording = fleet.hem().recording();
    assert_eq!(
        (recording.ui_uploads, recording.ui_installs_executed),
        (1, 1)
    );
    assert_eq!((recording.ui_installs(), recording.reboots), (3, 0));
    assert_eq!((recording.uploads, recording.installs()), (0, 0));
    assert_eq!(fleet.hem().runs_ui(), Runs::Image);

    // The log has it as an upgrade, and the refusals as well.
    let rights = super::token(&fleet, "system:config").await;
    get(&fleet, "/api/system/reboot", &bearer(&rights))
        .await
        .unwrap();
    let (_, file) = super::logger::closed(&fleet).await;
    let upgrades: Vec<_> = file
        .entries
        .iter()
        .filter(|e| e.kind == AuditType::UPGRADE)
        .map(|e| e.result)
        .collect();
    let (ok, error) = (AuditResult::Ok, AuditResult::Error);
    assert_eq!(upgrades, [error, ok, error]);
    // It is still there after the reboot.
    assert_eq!(version(&fleet).await["uis"], after);
}

#[tokio::test]
async fn what_is_served_is_told_by_the_manifest_or_not_at_all() {
    // An app that was made and signed with other software (tests/vectors/app).
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/app");
    let app = std::fs::read(dir.join("webroot.tar")).unwrap();
    let key = crate::sim::firmware_images::fwk().to_string();
    let hash = "dAc+0obBLglENdQb3fQVg009g0iKGt45Wyl3VtsNJu8=";
    for (uis, after) in [("version", hash), ("signer-key", key.as_str())] {
        let device = format!("scheme = \"http\"\ncheck_polls = 0\nuis = \"{uis}\"");
        let fleet = world("app = {}", &device).await;
        let before = version(&fleet).await["uis"].clone();
        let token = token(&fleet, "system:upgrade").await;
        let staged = upload_as(&fleet, &token, "webroot.tar", &app).await;
        assert_eq!(staged.unwrap().status, 200);
        assert_eq!(verified(&fleet, &token).await, [201, 200]);
        assert_eq!(ask(&fleet, &token, INSTALL_UI).await, 200);
        assert_eq!(version(&fleet).await["uis"], after);
        assert_eq!(before == after, uis == "signer-key");
    }
}

#[tokio::test]
async fn what_is_no_app_is_refused() {
    let fleet = world("app = {}", "scheme = \"http\"\ncheck_polls = 0").await;
    let token = token(&fleet, "system:upgrade").await;
    let app = fleet.app().unwrap();
    for name in ["firmware.bin", "ui.bin", "webroot"] {
        let closed = upload_as(&fleet, &token, name, &app).await;
        assert!(closed.is_err(), "{name}");
    }
    let other = upload_as(&fleet, &token, "other.tar", &app).await.unwrap();
    assert_eq!(
        (other.status, ask(&fleet, &token, CHECK_UI).await),
        (200, 404)
    );
    let noise = upload_as(&fleet, &token, "webroot.tar", b"noise").await;
    assert_eq!(noise.unwrap().status, 200);
    assert_eq!(verified(&fleet, &token).await, [201, 406]);
    assert_eq!(ask(&fleet, &token, INSTALL_UI).await, 406);
    // A tar alone is none, nor one whose trailer was made for another tar (section 8).
    let (bare, trailer) = app.split_at(app.len() - 96);
    let mut other = crate::sim::management_app_file::archive(bare.len() / 2).to_vec();
    other.truncate(other.len() - 96);
    for file in [bare.to_vec(), [&other, trailer].concat()] {
        let staged = upload_as(&fleet, &token, "webroot.tar", &file).await;
        assert_eq!(staged.unwrap().status, 200);
        assert_eq!(verified(&fleet, &token).await, [201, 406]);
        assert_eq!(ask(&fleet, &token, INSTALL_UI).await, 406);
    }
    let long = format!(
        "POST {UPLOAD_UI} HTTP/1.1\r\nHost: h\r\n{}Content-Length: 16777217\r\n\r\n",
        upload_head(&token)
    );
    assert_eq!(raw(&fleet, long.as_bytes()).await.unwrap().status, 413);
    let wrong = super::token(&fleet, "system:config").await;
    let refused = upload_as(&fleet, &wrong, "webroot.tar", &app).await;
    assert_eq!(refused.unwrap().status, 403);
    assert_eq!(fleet.hem().runs_ui(), Runs::Old);
}

#[tokio::test]
async fn an_appliance_has_no_app_and_a_fresh_device_wants_no_token() {
    let fleet = world("app = {}", "scheme = \"http\"\nmodel = \"EPA\"").await;
    assert!(version(&fleet).await.get("uis").is_none());
    let token = token(&fleet, "system:upgrade").await;
    for path in [CHECK_UI, INSTALL_UI] {
        assert_eq!(ask(&fleet, &token, path).await, 404);
    }
    let fleet = world("app = {}", "scheme = \"http\"\nfresh = true").await;
    assert_eq!(get(&fleet, CHECK_UI, "").await.unwrap().status, 404);
}

#[tokio::test]
async fn each_step_can_fail() {
    let faults = "faults = [{ at = \"upload-ui\", do = \"reset\", after = 1000 },\n\
                  { at = \"upload-ui\", do = \"status\", status = 406 },\n\
                  { at = \"check-ui\", do = \"odd\" },\n\
                  { at = \"ui-verification\", do = \"fail\" },\n\
                  { at = \"install-ui\", do = \"status\", status = 409 }]";
    let fleet = world(
        "app = {}",
        &format!("scheme = \"http\"\ncheck_polls = 0\n{faults}"),
    )
    .await;
    let token = token(&fleet, "system:upgrade").await;
    let app = fleet.app().unwrap();
    let tries = [None, Some(406), Some(200)];
    for wanted in tries {
        let reply = upload_as(&fleet, &token, "webroot.tar", &app).await;
        assert_eq!(reply.ok().map(|r| r.status), wanted);
    }
    assert_eq!(verified(&fleet, &token).await, [201, 406]);
    upload_as(&fleet, &token, "webroot.tar", &app)
        .await
        .unwrap();
    assert_eq!(verified(&fleet, &token).await, [201, 200]);
    assert_eq!(ask(&fleet, &token, INSTALL_UI).await, 409);
    assert_eq!(ask(&fleet, &token, INSTALL_UI).await, 200);
}

async fn offered(fleet: &SimFleet) -> serde_json::Value {
    let check = get(fleet, "/api/system/checkin", "").await.unwrap();
    let checked = broker(fleet, "POST", "/checkin", &check.body).await;
    let reply = post(fleet, "/api/system/checkin", "", &checked.body).await;
    reply.unwrap().json()
}

#[tokio::test]
async fn what_is_newer_is_offered_and_can_be_had() {
    let top = "app = {}\nbroker = { offer = true }";
    let fleet = world(top, "scheme = \"http\"").await;
    let offer = offered(&fleet).await;
    let name = |field: &str| download_name(offer[field].as_str().unwrap());
    let firmware = format!("/download/firmware/{}/bin", name("newfws"));
    let file = broker(&fleet, "GET", &firmware, b"").await;
    assert_eq!((file.status, file.body == fleet.image()), (200, true));
    for name in [&name("newuis"), "current"] {
        let file = broker(&fleet, "GET", &format!("/download/dashboard/{name}"), b"").await;
        assert_eq!(
            (file.status, file.body == fleet.app().unwrap()),
            (200, true)
        );
    }
    let token = token(&fleet, "system:upgrade").await;
    let app = fleet.app().unwrap();
    upload_as(&fleet, &token, "webroot.tar", &app)
        .await
        .unwrap();
    assert_eq!(verified(&fleet, &token).await.last(), Some(&200));
    ask(&fleet, &token, INSTALL_UI).await;
    let offer = offered(&fleet).await;
    assert!(offer.get("newuis").is_none() && offer.get("newfws").is_some());
    // What announces it is what the device then has.
    let fleet = world(
        top,
        "scheme = \"http\"\nruns = \"image\"\nruns_ui = \"image\"",
    )
    .await;
    let offer = offered(&fleet).await;
    assert!(offer.get("newuis").is_none() && offer.get("newfws").is_none());
    check_in(&fleet).await;
}

#[tokio::test]
async fn downloads_can_be_wrong_or_short() {
    for kind in ["wrong", "short"] {
        let top = format!("app = {{}}\nbroker = {{ offer = true, download = \"{kind}\" }}");
        let fleet = world(&top, "scheme = \"http\"").await;
        let offer = offered(&fleet).await;
        let name = download_name(offer["newfws"].as_str().unwrap());
        let file = broker(
            &fleet,
            "GET",
            &format!("/download/firmware/{name}/bin"),
            b"",
        )
        .await;
        let image = fleet.image();
        if kind == "short" {
            assert_eq!(file.body, image[..image.len() / 2]);
            let promised = format!("content-length: {}", image.len());
            assert!(file.head.contains(&promised), "{}", file.head);
        } else {
            // As good an image as the other, but not that one.
            let other = crate::hem::firmware_image::verify(&file.body).unwrap();
            assert_ne!(other.fws.to_string(), offer["newfws"].as_str().unwrap());
        }
        let name = download_name(offer["newuis"].as_str().unwrap());
        let file = broker(&fleet, "GET", &format!("/download/dashboard/{name}"), b"").await;
        assert!(file.status == 200 && file.body != fleet.app().unwrap());
    }
}
