//! Properties: any bytes, any change of a byte, anything that is written. What a property once failed on is a test
//! of its own.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn never_panics_on_any_bytes(file in proptest::collection::vec(any::<u8>(), 0..400)) {
        let log = own(&file);
        prop_assert_eq!(log.entries.len(), 0);
        let _ = (find_upgrade(&log, &mark()), parse_list(&file), parse_key_answer(&file));
    }

    #[test]
    fn never_panics_on_almost_lines(
        file in r"(#[^\n]{0,9}\r?\n)?([0-9a-f+]{0,18}\|[0-9a-f]{0,17}\|[0-9a-f]{0,2}\|[0-3]?\|[A-Za-z_=-]{0,43}\|[A-Za-z_-]{0,86}\|[A-Za-z_-]{0,23}(\r?\n)?){0,4}"
    ) {
        let _ = find_upgrade(&own(file.as_bytes()), &mark());
    }

    #[test]
    fn a_flipped_byte_is_noticed(place in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut file = vector("upgrade-ok.log");
        let before = made("upgrade-ok.log");
        let entries_from = file.iter().position(|&b| b == b'\n').unwrap() + 1;
        let n = place.index(file.len());
        file[n] ^= flip;
        let after = verify(&file, &key_of("made.key.json"), Delivery::Whole);
        // What is outside entries may change: the first line, and the newline of the last one.
        let outside = n < entries_from || n == file.len() - 1;
        prop_assert!(outside || !after.verifies() || !after.other_lines.is_empty());
        // And nothing that was not written is ever believed.
        for entry in &after.entries {
            prop_assert!(outside || before.entries.contains(entry));
        }
    }

    #[test]
    fn what_is_written_verifies(
        entries in proptest::collection::vec((0_u64..0x40, 0_u64..4, "[UM]?", proptest::collection::vec(any::<u8>(), 0..40)), 1..20)
    ) {
        let count = entries.len();
        let file = entries.into_iter().fold(File::new(), |file, (kind, result, subject, extra)| {
            // A line of type and result 0 would be a key line.
            file.add(kind.max(1), result, &subject, &extra)
        });
        let log = file.log();
        prop_assert!(log.verifies());
        prop_assert_eq!(log.entries.len(), count + 1);
    }
}
