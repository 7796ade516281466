//! Which entry is this upgrade's.
//! Must not: test the verifier.

use super::*;

#[test]
fn only_what_stands_behind_this_runs_token_counts() {
    let confirmed = |line, counter| AuditVerdict::Confirmed { line, counter };
    let missing = |token| AuditVerdict::Missing {
        token_line: token,
        other_line: None,
    };
    // An earlier run's success, then this run's token and nothing more.
    let older = File::new().token().add(4, 0, "U", b"").token();
    assert_eq!(find_upgrade(&older.log(), &mark()), missing(Some(5)));
    assert_eq!(find_upgrade(&older.log(), &mark_at(2)), missing(Some(5)));
    assert_eq!(find_upgrade(&older.log(), &mark_at(0)), confirmed(4, 2));
    // Another run's token stands between: its install, not ours.
    let other = File::new().token().token().add(4, 0, "U", b"");
    assert_eq!(find_upgrade(&other.log(), &mark_at(0)), missing(Some(3)));
    assert_eq!(find_upgrade(&other.log(), &mark_at(1)), confirmed(5, 3));
    assert_eq!(find_upgrade(&other.log(), &mark_at(9)), missing(None));
    // A token renewed by this run; a token of another scope; one that was refused.
    let mut renewed = mark_at(0);
    renewed.issued.extend(mark_at(1).issued);
    let file = File::new()
        .token()
        .token()
        .add(0xd, 0, "U", b"logger:get")
        .add(0xd, 1, "U", b"system:upgrade")
        .add(4, 0, "U", b"");
    assert_eq!(find_upgrade(&file.log(), &renewed), confirmed(7, 5));
    // An upgrade entry before any token.
    let file = File::new().add(4, 0, "U", b"").token();
    assert_eq!(find_upgrade(&file.log(), &mark()), missing(Some(4)));
}

#[test]
fn earlier_installs_of_the_run_are_passed_over() {
    let file = File::new().token().add(4, 0, "U", b"");
    let second = UpgradeMark {
        earlier: 1,
        ..mark()
    };
    assert!(matches!(
        find_upgrade(&file.log(), &second),
        AuditVerdict::Missing { .. }
    ));
    let file = file.add(4, 2, "U", b"");
    assert!(matches!(
        find_upgrade(&file.log(), &second),
        AuditVerdict::Contradicted {
            line: 5,
            why: Contradiction::Logged(AuditResult::Error),
            ..
        }
    ));
}

#[test]
fn a_phones_token_is_known_by_its_type() {
    let mobile = UpgradeMark {
        login: Login::Mobile,
        ..mark()
    };
    for extra in [&b""[..], b"\x00\xff", b"system:upgrade"] {
        let log = File::new()
            .add(0xe, 0, "0f", extra)
            .add(4, 0, "0f", b"")
            .log();
        assert!(matches!(
            find_upgrade(&log, &mobile),
            AuditVerdict::Confirmed { line: 4, .. }
        ));
        assert!(matches!(
            find_upgrade(&log, &mark()),
            AuditVerdict::Missing {
                token_line: None,
                ..
            }
        ));
    }
    let log = File::new()
        .add(0xe, 0, "0f", b"logger:get")
        .add(4, 0, "0f", b"")
        .log();
    assert!(matches!(
        find_upgrade(&log, &mobile),
        AuditVerdict::Missing { .. }
    ));
}

#[test]
fn an_entry_that_lost_a_separator_is_hinted_at() {
    let file = File::new().token().raw("2|68b9a54a|4|2|Ux|AAAA");
    assert_eq!(
        find_upgrade(&file.log(), &mark()),
        AuditVerdict::Missing {
            token_line: Some(3),
            other_line: Some(4)
        }
    );
}

#[test]
fn the_file_with_this_runs_token_decides() {
    let ours = File::new().token().add(4, 0, "U", b"").log();
    let quiet = File::new().add(1, 0, "", b"").log();
    let empty = own(b"");
    let confirmed = AuditVerdict::Confirmed {
        line: 4,
        counter: 2,
    };
    assert_eq!(
        judge([&quiet, &ours], &mark()),
        (Some(1), confirmed.clone())
    );
    // A newer file that does not verify is another session's where the token's time is known …
    assert_eq!(judge([&empty, &ours], &mark_at(0)), (Some(1), confirmed));
    // … and may be this one's where it is not, or where no file holds the token.
    let spoiled = AuditVerdict::Contradicted {
        line: 1,
        counter: None,
        why: Contradiction::NotVerified(LogFault::Empty),
    };
    assert_eq!(judge([&empty, &ours], &mark()), (Some(0), spoiled.clone()));
    assert_eq!(judge([&empty, &ours], &mark_at(9)), (Some(0), spoiled));
    let missing = AuditVerdict::Missing {
        token_line: None,
        other_line: None,
    };
    assert_eq!(judge([&quiet, &quiet], &mark()), (None, missing.clone()));
    assert_eq!(judge([], &mark()), (None, missing));
}
