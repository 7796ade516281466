//! Files that are read back as they were written, and those that are refused.

use proptest::prelude::*;

use super::*;
use crate::journal::rich_run::rich;

fn written(run: &JournalledRun) -> String {
    let mut out = Vec::new();
    write_run(run, false, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refused(text: &str) -> String {
    let error = read_run(text.as_bytes()).unwrap_err();
    crate::model::chain(&error)
}

#[test]
fn a_run_comes_back_as_it_was() {
    let run = rich();
    let text = written(&run);
    let back = read_run(text.as_bytes()).unwrap();
    let json = |run: &JournalledRun| {
        let messages: Vec<String> = run
            .messages
            .iter()
            .map(|m| serde_json::to_string(m).unwrap())
            .collect();
        // A moment is stored by two clocks, and read to the microsecond.
        let messages = messages.into_iter().filter(|m| !m.contains("\"since\""));
        (
            serde_json::to_string(&run.record).unwrap(),
            messages.collect::<Vec<_>>(),
        )
    };
    assert_eq!(json(&run), json(&back));
    assert_eq!(text.lines().count(), run.messages.len() + 1);
    assert!(text.starts_with("{\"hemfleet_run\":1,\"messages\":"));
}

#[test]
fn a_file_that_is_not_whole_and_in_order_is_refused() {
    let text = written(&rich());
    let lines: Vec<&str> = text.lines().collect();
    let n = lines.len() - 1;
    let of = |lines: &[&str]| lines.join("\n");
    for (bad, why) in [
        (
            String::new(),
            "it is no exported run: it is empty".to_owned(),
        ),
        (
            "{}".to_owned(),
            "it is no exported run: missing field `hemfleet_run` at line 1 column 2".to_owned(),
        ),
        (
            "hello\n".to_owned(),
            "it is no exported run: expected value at line 1 column 1".to_owned(),
        ),
        (
            text.replacen(":1,", ":2,", 1),
            "it has format 2, and this hemfleet reads format 1".to_owned(),
        ),
        (
            of(&lines[..n]),
            format!("it is cut short: {} of {n} messages are there", n - 1),
        ),
        (
            of(&lines[..1]),
            format!("it is cut short: 0 of {n} messages are there"),
        ),
        (
            of(&[&lines[..3], &lines[4..]].concat()),
            "line 4 has message 4, where message 3 should stand".to_owned(),
        ),
        (
            of(&[&lines[..3], &lines[2..]].concat()),
            "line 4 has message 2, where message 3 should stand".to_owned(),
        ),
        (
            format!("{text}{}\n", lines[n]),
            format!("line {} follows the last message", n + 2),
        ),
        (
            of(&[
                lines[0],
                "{\"n\":1,\"message\":{\"intent\":\"fly\\u001b\"}}",
            ]),
            "line 2 is no message: unknown variant `fly\\u{1b}`".to_owned(),
        ),
        (
            of(&[lines[0], &lines[1][..40]]),
            "line 2 is no message: EOF while parsing".to_owned(),
        ),
        (
            text.replace("vault-10", "vault-1"),
            "two of its devices are called vault-1".to_owned(),
        ),
    ] {
        let refused = refused(&bad);
        assert!(refused.starts_with(&why), "{refused}\nand not {why}");
    }
}

#[test]
fn a_line_without_an_end_is_not_held_in_memory() {
    let text = written(&rich());
    let head = text.lines().next().unwrap();
    let line = format!("{head}\n");
    let endless = io::Read::chain(line.as_bytes(), io::repeat(b' ').take(1 << 40));
    let error = read_run(io::BufReader::new(endless)).unwrap_err();
    assert!(
        matches!(error, ImportError::LongLine { line: 2, .. }),
        "{error}"
    );
    let error = read_run(io::BufReader::new(io::repeat(b' ').take(1 << 40))).unwrap_err();
    assert!(matches!(error, ImportError::NoRun { .. }), "{error}");
    // Lines that are short, and never end.
    let many = head.replacen(
        &format!("\"messages\":{}", text.lines().count() - 1),
        "\"messages\":99999999",
        1,
    );
    assert!(matches!(
        read_run(many.as_bytes()).unwrap_err(),
        ImportError::TooLarge
    ));
}

#[test]
fn what_a_file_says_is_safe_to_show() {
    let text = written(&rich()).replace("healthy", "\\u001b[2J\\u202e");
    let run = read_run(text.as_bytes()).unwrap();
    let fleet = run.fold();
    let note = &fleet.devices()[0].timeline[0].note;
    assert!(note.ends_with("\\u{1b}[2J\\u{202e}"), "{note:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_file_is_a_panic_to_read_or_to_fold(at in 0_usize..20_000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut text = written(&rich()).into_bytes();
        let at = at % text.len();
        text[at] = byte;
        if cut {
            text.truncate(at + 1);
        }
        if let Ok(run) = read_run(text.as_slice()) {
            let fleet = run.fold();
            let _ = fleet.eta("2026-11-23T12:00:00Z".parse().unwrap());
        }
    }
}
