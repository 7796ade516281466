//! Which entry is this upgrade's.

use super::*;

/// [`upgrade_verdict`] over whole logs.
fn judged(newest_first: &[&AuditLog], mark: &UpgradeMark) -> (Option<usize>, AuditVerdict) {
    let found: Vec<Found> = newest_first
        .iter()
        .filter_map(|log| {
            let mut digest = Digest::new(Some(Search::upgrade(mark)));
            for entry in &log.entries {
                digest.line(LogLine::Entry(entry.clone()));
            }
            digest.finish(None, log.end).1
        })
        .collect();
    upgrade_verdict(&found, mark)
}

#[test]
fn only_what_stands_behind_this_runs_token_counts() {
    let confirmed = |line, counter| AuditVerdict::Confirmed {
        line,
        counter,
        cut_line: None,
    };
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
fn with_another_token_at_the_same_moment_nothing_is_told() {
    let ambiguous = AuditVerdict::Unavailable(AuditObstacle::Ambiguous);
    let wide = |from: u64, to: u64| UpgradeMark {
        issued: vec![*mark_at(from).issued[0].start()..=*mark_at(to).issued[0].end()],
        ..mark()
    };
    let two = File::new()
        .token()
        .add(4, 0, "U", b"")
        .token()
        .add(4, 2, "M", b"");
    // Each by its own time, and neither where one window holds both; from another time on it is theirs.
    for (mark, word) in [
        (mark_at(0), "confirmed"),
        (mark_at(2), "contradicted"),
        (wide(0, 2), "unavailable"),
        (wide(0, 1), "confirmed"),
    ] {
        assert_eq!(find_upgrade(&two.log(), &mark).as_str(), word, "{mark:?}");
    }
    assert_eq!(find_upgrade(&two.log(), &wide(0, 2)), ambiguous);
    assert_eq!(find_refusal(&two.log(), &wide(0, 2)), ambiguous);
    assert_eq!(judged(&[&two.log()], &wide(0, 2)), (Some(0), ambiguous));
    // Two of this run's own, whose windows overlap.
    let both = UpgradeMark {
        issued: [wide(0, 2).issued, wide(1, 2).issued].concat(),
        ..mark()
    };
    assert_eq!(find_upgrade(&two.log(), &both).as_str(), "contradicted");
    let three = two.token();
    assert_eq!(find_upgrade(&three.log(), &both).as_str(), "contradicted");
    let all = UpgradeMark {
        issued: [wide(0, 4).issued, wide(0, 4).issued].concat(),
        ..mark()
    };
    assert_eq!(find_upgrade(&three.log(), &all).as_str(), "unavailable");
    // With no entry behind either of them it is certain that there is none; and a file that does not
    // verify does not, whosever it is.
    let none = File::new().token().token();
    assert_eq!(find_upgrade(&none.log(), &wide(0, 1)).as_str(), "missing");
    let spoiled = File::new()
        .token()
        .token()
        .add(4, 0, "U", b"")
        .raw("9|68b9a54a|4|2|U||AAAA");
    assert!(!spoiled.log().verifies());
    assert_eq!(
        find_upgrade(&spoiled.log(), &wide(0, 1)).as_str(),
        "contradicted"
    );
    // A phone's token is not one for a secret: no doubt, but what stands behind it is another's.
    let phone = File::new()
        .token()
        .add(4, 2, "U", b"")
        .add(0xe, 0, "0f", b"")
        .add(4, 0, "0f", b"");
    assert_eq!(
        find_upgrade(&phone.log(), &wide(0, 2)).as_str(),
        "contradicted"
    );
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
        cut_line: None,
    };
    assert_eq!(
        judged(&[&quiet, &ours], &mark()),
        (Some(1), confirmed.clone())
    );
    // A newer file that does not verify is another session's where the token's time is known …
    assert_eq!(judged(&[&empty, &ours], &mark_at(0)), (Some(1), confirmed));
    // … and may be this one's where it is not, or where no file holds the token.
    let spoiled = AuditVerdict::Contradicted {
        line: 1,
        counter: None,
        why: Contradiction::NotVerified(LogFault::Empty),
    };
    assert_eq!(
        judged(&[&empty, &ours], &mark()),
        (Some(0), spoiled.clone())
    );
    assert_eq!(judged(&[&empty, &ours], &mark_at(9)), (Some(0), spoiled));
    let missing = AuditVerdict::Missing {
        token_line: None,
        other_line: None,
    };
    assert_eq!(judged(&[&quiet, &quiet], &mark()), (None, missing.clone()));
    assert_eq!(judged(&[], &mark()), (None, missing));
}

/// Neither an upgrade that went well nor what else went wrong is the refusal that is looked for.
#[test]
fn a_refusal_is_told_by_entries_of_a_refusal_alone() {
    for (kind, result, word) in [
        (4, 0, "missing"),
        (0x17, 1, "missing"),
        (4, 1, "contradicted"),
        (4, 2, "contradicted"),
    ] {
        let file = File::new().token().add(kind, result, "U", b"");
        let told = find_refusal(&file.log(), &mark());
        assert_eq!(told.as_str(), word, "{kind} {result}");
    }
}

/// Behind the token it may have stood where the entry is missed; before it, it says nothing.
#[test]
fn a_line_that_is_no_entry_is_told_behind_the_token_only() {
    let missing = |token, other| AuditVerdict::Missing {
        token_line: Some(token),
        other_line: other,
    };
    let before = File::new().raw("noise").token();
    assert_eq!(find_upgrade(&before.log(), &mark()), missing(4, None));
    let behind = File::new().raw("noise").token().raw("noise");
    assert_eq!(find_upgrade(&behind.log(), &mark()), missing(4, Some(5)));
}
