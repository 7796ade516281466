//! Files of our own writer: whole, cut short and damaged.

use super::*;

#[test]
fn crlf_and_a_missing_last_newline_change_nothing() {
    let file = File::new().token().add(4, 0, "U", b"");
    let plain = file.log();
    let crlf = own(file.text.replace('\n', "\r\n").as_bytes());
    assert_eq!(crlf, plain);
    assert_eq!(own(file.text.trim_end().as_bytes()), plain);
    assert!(plain.verifies());
}

#[test]
fn files_cut_short_are_told_apart() {
    let file = File::new().token().add(4, 0, "U", b"");
    let bytes = file.text.as_bytes();
    let last = file.text.trim_end().rfind('\n').unwrap() + 1;
    // Wherever the last line is cut, every whole line stands, and the upgrade's entry is not found.
    for end in last + 1..bytes.len() - 1 {
        let log = own(&bytes[..end]);
        assert_eq!(log.end, LogEnd::CutShort { line: 4 }, "{end}");
        assert_eq!(log.entries.len(), 2);
        assert_eq!(
            find_upgrade(&log, &mark()),
            AuditVerdict::Unavailable(AuditObstacle::CutShort { line: 4 })
        );
    }
    // Cut exactly between two lines, only the length of the answer tells.
    assert_eq!(own(&bytes[..last]).end, LogEnd::Whole);
    let short = verify(&bytes[..last], &own_key(), Delivery::Short);
    assert_eq!(short.end, LogEnd::CutShort { line: 4 });
    // Cut behind the upgrade's entry, the entry stands.
    let short = verify(bytes, &own_key(), Delivery::Short);
    assert_eq!(short.end, LogEnd::CutShort { line: 5 });
    assert!(matches!(
        find_upgrade(&short, &mark()),
        AuditVerdict::Confirmed {
            line: 4,
            cut_line: Some(5),
            ..
        }
    ));
    let told = find_upgrade(&short, &mark()).to_string();
    assert_eq!(
        told,
        "line 4: upgrade, OK; the file is cut short behind it, in line 5"
    );
    // A whole last line that was changed is no cut.
    let changed = file.text.trim_end().replacen("|4|0|U|", "|4|2|U|", 1);
    assert_eq!(
        own(changed.as_bytes()).end,
        failed(4, Some(2), LogFault::BadMac)
    );
}

#[test]
fn nothing_verifies_nothing() {
    assert_eq!(own(b"").end, failed(1, None, LogFault::Empty));
    assert_eq!(
        own(b"# Encedo nGINE FW v1.2.2\r\n\r\n").end,
        failed(3, None, LogFault::Empty)
    );
    assert_eq!(
        verify(b"", &own_key(), Delivery::Short).end,
        LogEnd::CutShort { line: 1 }
    );
    let line = File::new().token().text.lines().last().unwrap().to_owned() + "\n";
    assert_eq!(
        own(line.as_bytes()).end,
        failed(1, Some(1), LogFault::NoKey)
    );
}

#[test]
fn a_key_may_change_inside_a_file() {
    let second = [8_u8; 32];
    let entry = |counter| NewEntry {
        counter,
        time: 0x68b9_a600,
        kind: AuditType(0x17),
        result: AuditResult::Ok,
        subject: "U",
        extra: b"",
    };
    // It goes on counting, or starts again; both are taken. Anything else hides lines.
    for (counter, good) in [(2, true), (0, true), (1, true), (3, false), (0x20, false)] {
        let file = File::new()
            .token()
            .raw(&key_line(counter, 0x68b9_a5ff, &second, &SEED))
            .raw(&sign_line(&entry(counter + 1), &second));
        let log = file.log();
        let end = if good {
            LogEnd::Whole
        } else {
            failed(
                4,
                Some(counter),
                LogFault::Gap {
                    expected: 2,
                    found: counter,
                },
            )
        };
        assert_eq!(log.end, end, "{counter}");
    }
    // The old key is gone with the new one.
    let file = File::new()
        .raw(&key_line(1, 7, &second, &SEED))
        .raw(&sign_line(&entry(2), &MAC));
    assert_eq!(file.log().end, failed(4, Some(2), LogFault::BadMac));
    // A key that the log key did not sign.
    let file = File::new().raw(&key_line(1, 7, &second, &[9; 32]));
    assert_eq!(
        file.log().end,
        failed(3, Some(1), LogFault::BadKeySignature)
    );
}

#[test]
fn counters_repeat_but_never_jump() {
    let mut file = File::new().token();
    file.counter -= 1;
    let file = file.add(0x17, 0, "U", b"").add(4, 0, "U", b"");
    assert!(file.log().verifies());
    for jump in [0_u64, 3, 0xffff] {
        let mut file = File::new().token();
        file.counter = jump;
        let end = file.add(4, 0, "U", b"").log().end;
        assert_eq!(
            end,
            failed(
                4,
                Some(jump),
                LogFault::Gap {
                    expected: 2,
                    found: jump
                }
            )
        );
    }
}

#[test]
fn other_shapes_are_no_entries_and_bad_numbers_are() {
    let file = File::new()
        .raw("# a comment")
        .raw("")
        .raw("a|b")
        .raw("1|2|3|4|5|6|7|8")
        .token();
    let log = file.log();
    assert!(log.verifies());
    assert_eq!(log.other_lines, [5, 6]);
    assert_eq!(log.entries[1].line, 7);
    for (line, field) in [
        ("+1|0|1|0|||x", crate::model::LogNumber::Counter),
        ("1||0x1|0|||x", crate::model::LogNumber::Time),
        ("1|0|g|0|||x", crate::model::LogNumber::Type),
    ] {
        let end = File::new().raw(line).log().end;
        assert!(
            matches!(end, LogEnd::Failed { line: 3, fault: LogFault::BadNumber { field: f }, .. } if f == field),
            "{line}: {end:?}"
        );
    }
}

#[test]
fn what_a_device_writes_is_made_printable() {
    let log = File::new()
        .add(0x17, 7, "\u{1b}[2J", b"\x1b[2J")
        .add(0x17, 0, "", "zażółć".as_bytes())
        .add(0x13, 0, "", b"\x01\x02")
        .log();
    assert!(log.verifies());
    assert_eq!(log.entries[1].subject, "\\u{1b}[2J");
    assert_eq!(log.entries[1].extra, AuditExtra::Bytes(4));
    assert_eq!(log.entries[1].result, AuditResult::Other(7));
    assert_eq!(log.entries[2].extra.text(), Some("zażółć"));
    assert_eq!(log.entries[3].extra, AuditExtra::Bytes(2));
}

#[test]
fn the_firmware_is_told_by_the_first_line_and_by_no_later_comment() {
    let firmware = |text: &str| own(text.as_bytes()).firmware;
    let file = File::new().token();
    let later = file.text.clone() + "# Encedo nGINE FW v9\n";
    assert_eq!(firmware(&later).as_deref(), Some("Encedo nGINE FW v1.2.2"));
    let twice = format!("# Encedo nGINE FW v1.2.1\n{}", file.text);
    assert_eq!(firmware(&twice).as_deref(), Some("Encedo nGINE FW v1.2.1"));
    // Without one at its head, anybody may have written what stands behind an entry.
    let (_, headless) = later.split_once('\n').unwrap();
    assert_eq!(firmware(headless), None);
}

/// Small numbers are dates as well once the clock is said to be set, and only then.
#[test]
fn a_clock_that_was_set_makes_dates_of_all_times_behind_it() {
    let times = |result: u64| {
        let mut file = File::new();
        file.time = 100;
        let clock = 200_u32.to_le_bytes();
        let file = file.token().add(0x13, result, "", &clock).token().token();
        let log = file.log();
        assert_eq!(log.end, LogEnd::Whole);
        log.entries[1..].iter().map(|e| e.time).collect::<Vec<_>>()
    };
    let boot = AuditTime::SinceBoot;
    let date = AuditTime::Unix;
    assert_eq!(times(0), [boot(100), boot(110), date(120), date(130)]);
    assert_eq!(times(1), [boot(100), boot(110), boot(120), boot(130)]);
}
