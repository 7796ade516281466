//! What stays in memory of a file, whatever the pieces in which it comes.

use super::*;
use crate::hem::limits::MAX_LOG_IDS;

/// A file read as it comes, in pieces of `piece` bytes.
fn read(file: &[u8], piece: usize, search: Option<Search>) -> (AuditLog, Option<Found>) {
    let mut reader = LogReader::new(&own_key(), search);
    file.chunks(piece).for_each(|bytes| reader.feed(bytes));
    reader.finish(Delivery::Whole)
}

fn with(mut file: File, entries: usize) -> File {
    for _ in 0..entries {
        file = file.add(0x17, 0, "U", b"");
    }
    file
}

/// A long file with the upgrade in its middle: 1 key line, 200 entries, token, upgrade, 200 entries.
fn long() -> File {
    let file = with(File::new(), 200).token().add(4, 2, "U", b"");
    with(file, 200)
}

#[test]
fn the_pieces_that_a_file_comes_in_change_nothing() {
    let crlf = long().text.replace('\n', "\r\n");
    let gap = long().raw("9|68b9a54a|4|2|U||AAAA").text;
    let open = File::new().token().text.trim_end().to_owned();
    for text in [long().text, crlf, gap, open, String::new(), "# x".into()] {
        let whole = read(text.as_bytes(), usize::MAX, Some(Search::upgrade(&mark())));
        for piece in [1, 2, 3, 61, 4096] {
            let search = Some(Search::upgrade(&mark()));
            assert_eq!(read(text.as_bytes(), piece, search), whole, "{piece}");
        }
        let all = own(text.as_bytes());
        assert_eq!((whole.0.count, whole.0.end), (all.count, all.end));
        assert_eq!(whole.1.unwrap().verdict, find_upgrade(&all, &mark()));
    }
}

#[test]
fn a_window_around_the_entry_in_question_stays() {
    let all = long().log();
    let (log, found) = read(
        long().text.as_bytes(),
        100,
        Some(Search::upgrade(&mark_at(200))),
    );
    let verdict = found.unwrap().verdict;
    let line = verdict.line().unwrap();
    assert_eq!((verdict.as_str(), line), ("contradicted", 204));
    let here = log.entries.iter().position(|e| e.line == line).unwrap();
    assert_eq!((here, log.entries.len()), (WINDOW, 2 * WINDOW + 1));
    assert_eq!(log.entries, all.entries[log.before..][..=2 * WINDOW]);
    assert_eq!((log.count, log.after()), (403, 200 - WINDOW));
    // With nothing in question, and where the file does not verify, the last ones.
    let spoiled = long().raw("9|68b9a54a|4|2|U||AAAA").text;
    for (text, search) in [
        (&long().text, None),
        (&long().text, Some(Search::upgrade(&mark_at(9)))),
        (&spoiled, Some(Search::upgrade(&mark_at(200)))),
    ] {
        let (log, _) = read(text.as_bytes(), 100, search);
        assert_eq!(log.entries, all.entries[403 - 2 * WINDOW - 1..]);
        assert_eq!((log.before, log.after()), (402 - 2 * WINDOW, 0));
    }
    // A short file is there as a whole.
    let short = with(File::new().token().add(4, 0, "U", b""), 2 * WINDOW - 3);
    let (log, _) = read(short.text.as_bytes(), 9, Some(Search::upgrade(&mark())));
    assert_eq!(log, short.log());
}

#[test]
fn of_lines_that_are_no_entries_a_few_are_kept_and_all_counted() {
    let text = File::new().token().text + &"x\n".repeat(1000);
    let (log, found) = read(text.as_bytes(), 7, Some(Search::upgrade(&mark())));
    assert_eq!((log.others, log.other_lines.len()), (1000, 8));
    let missing = AuditVerdict::Missing {
        token_line: Some(3),
        other_line: Some(4),
    };
    assert_eq!(found.unwrap().verdict, missing);
}

#[test]
fn a_line_without_an_end_is_not_held() {
    let mut file = File::new().token().text.into_bytes();
    let entries = file.len();
    file.extend(b"#".repeat(200_000));
    let end = failed(4, None, LogFault::LongLine);
    for piece in [1000, usize::MAX] {
        let (log, _) = read(&file, piece, None);
        assert_eq!((log.end, log.count), (end, 2));
    }
    file.truncate(entries + 64 * 1024 - 1);
    file.push(b'\n');
    assert_eq!(read(&file, 999, None).0.end, LogEnd::Whole);
}

#[test]
fn a_page_of_more_ids_than_devices_send_is_counted_and_not_kept() {
    let page = |n: usize| format!("{{\"id\":[{}\"62310ba5\"]}}", "\"2\",".repeat(n - 1));
    let list = parse_list(page(128).as_bytes()).unwrap();
    assert_eq!((list.ids.len(), list.listed), (128, 128));
    let list = parse_list(page(90_000).as_bytes()).unwrap();
    assert_eq!((list.ids.len(), list.listed), (MAX_LOG_IDS, 90_000));
}
