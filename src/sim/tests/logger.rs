//! Section 9: the audit log.

use super::checkin::check_in;
use super::*;
use crate::hem::audit::{self, Delivery, LogKey, Login, UpgradeMark};
use crate::model::{
    AuditEntry, AuditLog, AuditResult, AuditTime, AuditType, AuditVerdict, Contradiction,
};

const KEY: &str = "/api/logger/key";

async fn log(fleet: &SimFleet, path: &str, token: &str) -> Reply {
    let path = format!("/api/logger/{path}");
    get(fleet, &path, &bearer(token)).await.unwrap()
}

async fn log_key(fleet: &SimFleet, token: &str) -> LogKey {
    let answer = log(fleet, "key", token).await;
    assert_eq!(answer.status, 200);
    audit::prove_key(&audit::parse_key_answer(&answer.body).unwrap()).unwrap()
}

async fn ids(fleet: &SimFleet, token: &str, offset: usize) -> (u64, Vec<String>) {
    let reply = log(fleet, &format!("list/{offset}"), token).await;
    assert_eq!(reply.status, 200);
    let page = audit::parse_list(&reply.body).unwrap();
    assert_eq!(page.unusable, 0);
    let ids = page.ids.iter().map(ToString::to_string).collect();
    (page.total.unwrap(), ids)
}

async fn verified(fleet: &SimFleet, token: &str, id: &str) -> AuditLog {
    let reply = log(fleet, id, token).await;
    assert_eq!(reply.status, 200, "{id}");
    assert!(reply.head.contains("content-type: text/plain"));
    let key = log_key(fleet, token).await;
    audit::verify(&reply.body, &key, Delivery::Whole)
}

/// Type and result of each entry.
pub(super) fn told(log: &AuditLog) -> Vec<(u64, u64)> {
    let told = |e: &AuditEntry| (e.kind.0, e.result.number());
    log.entries.iter().map(told).collect()
}

/// Ends the session by a reboot, logs in again; the session's file.
async fn after_reboot(fleet: &SimFleet) -> (String, AuditLog) {
    let rights = token(fleet, "system:shutdown").await;
    let reboot = get(fleet, "/api/system/reboot", &bearer(&rights)).await;
    assert_eq!(reboot.unwrap().status, 200);
    closed(fleet).await
}

/// After a reboot: checks in, logs in; the file of the session before.
pub(super) async fn closed(fleet: &SimFleet) -> (String, AuditLog) {
    back(fleet, 1).await;
    check_in(fleet).await;
    let token = token(fleet, "logger:get").await;
    let (_, ids) = ids(fleet, &token, 0).await;
    let file = verified(fleet, &token, &ids[ids.len() - 2]).await;
    (token, file)
}

fn verdict(log: &AuditLog) -> AuditVerdict {
    let mark = UpgradeMark {
        login: Login::Secret,
        issued: Vec::new(),
        earlier: 0,
    };
    audit::find_upgrade(log, &mark)
}

#[tokio::test]
async fn the_log_wants_its_own_scope() {
    let fleet = one("").await;
    let wrong = token(&fleet, "system:upgrade").await;
    for path in [KEY, "/api/logger/list/0", "/api/logger/00000001"] {
        assert_eq!(get(&fleet, path, "").await.unwrap().status, 401);
        let wrong = get(&fleet, path, &bearer(&wrong)).await.unwrap();
        assert_eq!((wrong.status, wrong.body.len()), (403, 0));
        let right = bearer(&token(&fleet, "logger:get").await);
        assert_ne!(get(&fleet, path, &right).await.unwrap().status, 401);
        let post = post(&fleet, path, &right, b"{}").await.unwrap();
        assert_eq!(post.status, 404);
    }
    let token = token(&fleet, "logger:get").await;
    let nonces = [
        log(&fleet, "key", &token).await,
        log(&fleet, "key", &token).await,
    ];
    assert_ne!(nonces[0].json()["nonce"], nonces[1].json()["nonce"]);
}

#[tokio::test]
async fn three_hundred_files_come_in_pages() {
    let fleet = one("log_files = 300").await;
    let token = token(&fleet, "logger:get").await;
    let mut all = Vec::new();
    for wanted in [128, 128, 45] {
        let (total, page) = ids(&fleet, &token, all.len()).await;
        assert_eq!((total, page.len()), (301, wanted));
        all.extend(page);
    }
    for (path, status) in [
        ("list/300", 200),
        ("list/301", 404),
        ("list/x", 406),
        ("list/", 406),
        ("list", 200),
        ("", 404),
        ("../key", 404),
    ] {
        assert_eq!(log(&fleet, path, &token).await.status, status, "{path}");
    }
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), 301);
    for n in [0, 1, 3, 4, 150, 299] {
        let file = verified(&fleet, &token, &all[n]).await;
        assert!(file.verifies(), "{n}: {:?}", file.end);
        assert_eq!(file.firmware.as_deref(), Some("Encedo nGINE FW v1.2.1"));
    }
    assert!(all[3].starts_with("0000") && !all[4].starts_with("0000"));
    assert_eq!(log(&fleet, &all[300], &token).await.status, 406);
    assert_eq!(log(&fleet, "0badf00d", &token).await.status, 404);
}

#[tokio::test]
async fn a_device_without_a_past_has_the_running_file() {
    let fleet = one("uptime = \"1h\"").await;
    let token = token(&fleet, "logger:get").await;
    let (total, all) = ids(&fleet, &token, 0).await;
    assert_eq!((total, all.len()), (1, 1));
    // Named by the power-up, an hour ago.
    let power_up = i64::from_str_radix(&all[0], 16).unwrap();
    let ago = fleet.hem().clock().unwrap() - power_up;
    assert!((3_600..3_660).contains(&ago), "{ago}");
}

#[tokio::test]
async fn an_upgrade_is_in_the_file_of_the_session_that_it_ended() {
    let fleet = one("clock = \"unset\"\nlog_files = 2").await;
    check_in(&fleet).await;
    let wrong = token(&fleet, "logger:get").await;
    assert_eq!(
        get(&fleet, INSTALL, &bearer(&wrong)).await.unwrap().status,
        403
    );
    assert_eq!(install(&fleet).await.status, 200);
    let (token, file) = closed(&fleet).await;
    assert!(file.verifies(), "{:?}", file.end);
    assert_eq!(file.firmware.as_deref(), Some("Encedo nGINE FW v1.2.2"));
    assert_eq!(
        told(&file),
        [
            (0, 0),
            (1, 0),
            (0x18, 0),
            (7, 0),
            (0x13, 0),
            (0xd, 0),
            (0xc, 1),
            (0xd, 0),
            (4, 0)
        ]
    );
    let counters: Vec<u64> = file.entries.iter().map(|e| e.counter).collect();
    assert_eq!(counters, (0..9).collect::<Vec<_>>());
    assert!(matches!(file.entries[3].time, AuditTime::SinceBoot(_)));
    assert!(matches!(file.entries[4].time, AuditTime::Unix(_)));
    assert_eq!(file.entries[6].extra.text(), Some("logger:get"));
    assert_eq!(file.entries[7].extra.text(), Some("system:upgrade"));
    assert_eq!(file.entries[8].subject, "U");
    assert!(matches!(
        verdict(&file),
        AuditVerdict::Confirmed { counter: 8, .. }
    ));
    // The one before holds another run's; this boot and the last had no clock when they powered up.
    let (_, all) = ids(&fleet, &token, 0).await;
    assert_eq!(all[2..], ["00000003", "00000004"]);
    let before = verified(&fleet, &token, &all[1]).await;
    assert_eq!(told(&before).last(), Some(&(4, 0)));
    assert_eq!(log(&fleet, &all[3], &token).await.status, 406);
}

#[tokio::test]
async fn refused_installs_leave_an_error() {
    let faults = "faults = [{ at = \"install\", do = \"status\", status = 409, skip = 1 },\n\
                  { at = \"install\", do = \"status\", status = 403 },\n\
                  { at = \"install\", do = \"status\", status = 200 }]";
    let fleet = one(faults).await;
    let rights = bearer(&token(&fleet, "system:upgrade").await);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(get(&fleet, INSTALL, &rights).await.unwrap().status);
    }
    assert_eq!(statuses, [403, 409, 200, 406]);
    let (_, file) = after_reboot(&fleet).await;
    let upgrade = |e: &&AuditEntry| matches!(e.kind.0, 4 | 0xc);
    let told: Vec<_> = file
        .entries
        .iter()
        .filter(upgrade)
        .map(|e| e.result)
        .collect();
    // What was answered 200 and not done has not happened.
    let error = AuditResult::Error;
    assert_eq!(told, [AuditResult::Failed, error, error]);
    assert_eq!(file.entries.last().unwrap().kind, AuditType(2));
}

#[tokio::test]
async fn listing_and_reading_are_logged_too() {
    let fleet = one("log_files = 1").await;
    let rights = token(&fleet, "logger:get").await;
    let (_, all) = ids(&fleet, &rights, 0).await;
    assert_eq!(log(&fleet, &all[0], &rights).await.status, 200);
    assert_eq!(log(&fleet, &all[1], &rights).await.status, 406);
    let (_, file) = after_reboot(&fleet).await;
    let kinds: Vec<u64> = file.entries.iter().map(|e| e.kind.0).collect();
    assert_eq!(kinds, [0, 1, 0x18, 7, 0x13, 0xd, 9, 0xb, 0xd, 2]);
    // Its clock was set at the power-up already.
    assert!(matches!(file.entries[0].time, AuditTime::Unix(_)));
}

#[tokio::test]
async fn an_upgrades_entry_can_go_wrong() {
    let says = |deed: &str, verdict: &AuditVerdict| match verdict {
        AuditVerdict::Missing { token_line, .. } => deed == "leave-out" && token_line.is_some(),
        AuditVerdict::Contradicted { why, .. } => match why {
            Contradiction::ScopeCheck => false,
            Contradiction::NotVerified(_) => deed == "tamper",
            Contradiction::Logged(result) => deed == "log-error" && *result == AuditResult::Error,
        },
        _ => false,
    };
    for deed in ["leave-out", "log-error", "tamper"] {
        let fault = format!("faults = [{{ at = \"upgrade-entry\", do = \"{deed}\" }}]");
        let fleet = one(&fault).await;
        assert_eq!(install(&fleet).await.status, 200);
        let (_, file) = closed(&fleet).await;
        let verdict = verdict(&file);
        assert!(says(deed, &verdict), "{deed}: {verdict:?}");
    }
}

#[tokio::test]
async fn a_file_can_end_early_or_stay_busy() {
    let faults = "log_files = 1\nfaults = [\n\
                  { at = \"log-file\", do = \"short\" },\n\
                  { at = \"log-file\", do = \"status\", status = 406, always = true }]";
    let fleet = one(faults).await;
    let token = token(&fleet, "logger:get").await;
    let (_, all) = ids(&fleet, &token, 0).await;
    let short = log(&fleet, &all[0], &token).await;
    let length = format!("content-length: {}", short.body.len() * 2);
    let odd = format!("content-length: {}", short.body.len() * 2 + 1);
    assert!(short.head.contains(&length) || short.head.contains(&odd));
    let key = log_key(&fleet, &token).await;
    let file = audit::verify(&short.body, &key, Delivery::Short);
    assert!(!file.verifies() && !file.entries.is_empty());
    for _ in 0..3 {
        assert_eq!(log(&fleet, &all[0], &token).await.status, 406);
    }
}

#[tokio::test]
async fn an_appliance_has_the_key_alone() {
    let fleet = one("model = \"EPA\"\nlog_files = 3").await;
    let token = token(&fleet, "logger:get").await;
    log_key(&fleet, &token).await;
    assert_eq!(log(&fleet, "list/0", &token).await.status, 404);
    assert_eq!(log(&fleet, "00000001", &token).await.status, 404);
    assert_eq!(get(&fleet, KEY, "").await.unwrap().status, 401);
}

#[tokio::test]
async fn a_boots_own_file_is_as_real_devices_write_it() {
    let fleet = one("").await;
    let rights = token(&fleet, "system:config").await;
    get(&fleet, "/api/system/reboot", &bearer(&rights))
        .await
        .unwrap();
    let (token, file) = closed(&fleet).await;
    assert!(file.verifies(), "{:?}", file.end);
    assert_eq!(told(&file)[..4], [(0, 0), (1, 0), (0x18, 0), (7, 0)]);
    let (_, all) = ids(&fleet, &token, 0).await;
    let text = log(&fleet, &all[0], &token).await.body;
    let ends = |end: &[u8]| text.windows(end.len()).filter(|w| *w == end).count();
    assert!(ends(b"\n") > 4);
    assert_eq!(ends(b"\n"), ends(b"\r\n"));
}

#[tokio::test]
async fn a_file_is_named_by_exactly_eight_digits() {
    let fleet = one("log_files = 4").await;
    let token = token(&fleet, "logger:get").await;
    let (_, all) = ids(&fleet, &token, 0).await;
    assert_eq!(all[3], "00000004");
    for (id, status) in [
        ("00000004", 200),
        ("4", 404),
        ("004", 404),
        ("000000004", 404),
        ("+0000004", 404),
        ("0x000004", 404),
    ] {
        assert_eq!(log(&fleet, id, &token).await.status, status, "{id}");
    }
}

#[tokio::test]
async fn what_is_not_found_leaves_its_entry_too() {
    let fleet = one("log_files = 1").await;
    let rights = token(&fleet, "logger:get").await;
    assert_eq!(log(&fleet, "list/9", &rights).await.status, 404);
    assert_eq!(log(&fleet, "0badf00d", &rights).await.status, 404);
    // Nor found by somebody who may not look: that is another entry.
    let wrong = token(&fleet, "system:config").await;
    assert_eq!(log(&fleet, "0badf00d", &wrong).await.status, 403);
    get(&fleet, "/api/system/reboot", &bearer(&wrong))
        .await
        .unwrap();
    let (token, file) = closed(&fleet).await;
    let told = told(&file);
    let tail = [(0xd, 0), (9, 1), (0xb, 1), (0xd, 0), (0xc, 1), (2, 0)];
    assert!(told.ends_with(&tail), "{told:x?}");
    // Which file was read stands there in raw bytes.
    let (_, all) = ids(&fleet, &token, 0).await;
    assert_eq!(log(&fleet, &all[0], &token).await.status, 200);
    let read = file.entries.iter().find(|e| e.kind.0 == 0xb).unwrap();
    assert_eq!(read.extra.text(), None);
}
