//! Intel HEX, the other format of a firmware image ([section 11](crate::hem#11-firmware-image)).
//!
//! It is read strictly: the file is uploaded as it stands, and a doubt is better settled here than on a device.

use crate::model::MAX_IMAGE_BYTES;

/// What is wrong with an Intel HEX file, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Intel HEX, line {line}: {fault}")]
pub struct HexError {
    /// Counted from one.
    pub line: usize,
    /// What is wrong there.
    pub fault: HexFault,
}

/// What may be wrong with a line of Intel HEX.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexFault {
    /// A line that does not begin with `:`.
    #[error("does not begin with ':'")]
    NoColon,
    /// A character that is no hex digit, or half a byte.
    #[error("is not pairs of hex digits")]
    NotHex,
    /// Fewer or more bytes than the record says.
    #[error("is not as long as it says")]
    Length,
    /// The record's bytes do not add up to zero.
    #[error("checksum is wrong")]
    Checksum,
    /// A record type other than 00 to 05, or one of them with a wrong length.
    #[error("unknown or malformed record of type {0:02x}")]
    Record(u8),
    /// Data that does not continue where the data before it ended.
    #[error("data at 0x{found:08x}, expected at 0x{expected:08x}")]
    Gap {
        /// Where the data before it ended.
        expected: u64,
        /// Where this record begins.
        found: u64,
    },
    /// A record that runs over the end of its 64 KiB segment.
    #[error("data runs over the end of its segment")]
    SegmentEnd,
    /// Something after the end record.
    #[error("stands after the end record")]
    AfterEnd,
    /// No end record: the file is cut short.
    #[error("no end record, the file is cut short")]
    NoEnd,
    /// More than 3 MiB of data.
    #[error("the image is over 3 MiB from here on")]
    TooLarge,
}

/// Whether a file is meant as Intel HEX: its first byte that is not blank is a `:`. A byte-order mark
/// does not hide one, but [`decode`] refuses it, as the device may.
pub fn is_intel_hex(file: &[u8]) -> bool {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    file.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':')
}

/// Decodes a whole file into the bytes of its image. Blank lines are skipped; lines end LF or CRLF.
///
/// # Errors
///
/// Anything but well-formed records with right sums, whose data is one piece without gaps or jumps
/// back, closed by an end record, at most 3 MiB.
pub fn decode(file: &[u8]) -> Result<Vec<u8>, HexError> {
    let mut reader = Reader::default();
    let mut line = 0;
    for text in file.split(|&b| b == b'\n') {
        line += 1;
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        reader
            .record(text)
            .map_err(|fault| HexError { line, fault })?;
    }
    if !reader.ended {
        let fault = HexFault::NoEnd;
        return Err(HexError { line, fault });
    }
    Ok(reader.image)
}

#[derive(Default)]
struct Reader {
    image: Vec<u8>,
    /// Added to every record's 16-bit offset.
    base: u64,
    /// Where the next data must begin; the first data sets it.
    next: Option<u64>,
    ended: bool,
}

impl Reader {
    fn record(&mut self, line: &[u8]) -> Result<(), HexFault> {
        if self.ended {
            return Err(HexFault::AfterEnd);
        }
        let digits = line.strip_prefix(b":").ok_or(HexFault::NoColon)?;
        let bytes = pairs(digits)?;
        let [count, high, low, kind, rest @ ..] = bytes.as_slice() else {
            return Err(HexFault::Length);
        };
        let Some((_, data)) = rest
            .split_last()
            .filter(|(_, d)| d.len() == usize::from(*count))
        else {
            return Err(HexFault::Length);
        };
        if bytes.iter().fold(0_u8, |sum, b| sum.wrapping_add(*b)) != 0 {
            return Err(HexFault::Checksum);
        }
        match (kind, data) {
            (0, data) => self.data(u64::from(u16::from_be_bytes([*high, *low])), data),
            (1, []) => {
                self.ended = true;
                Ok(())
            }
            (2, &[a, b]) => {
                self.base = u64::from(u16::from_be_bytes([a, b])) << 4;
                Ok(())
            }
            (4, &[a, b]) => {
                self.base = u64::from(u16::from_be_bytes([a, b])) << 16;
                Ok(())
            }
            // Where a program would start: of no meaning for an image.
            (3 | 5, &[_, _, _, _]) => Ok(()),
            (&kind, _) => Err(HexFault::Record(kind)),
        }
    }

    fn data(&mut self, offset: u64, data: &[u8]) -> Result<(), HexFault> {
        let length = data.len() as u64;
        if offset + length > 0x1_0000 {
            return Err(HexFault::SegmentEnd);
        }
        let found = self.base + offset;
        let expected = *self.next.get_or_insert(found);
        if found != expected {
            return Err(HexFault::Gap { expected, found });
        }
        if self.image.len() + data.len() > MAX_IMAGE_BYTES {
            return Err(HexFault::TooLarge);
        }
        self.image.extend_from_slice(data);
        self.next = Some(found + length);
        Ok(())
    }
}

fn pairs(digits: &[u8]) -> Result<Vec<u8>, HexFault> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return Err(HexFault::NotHex);
    };
    let digit = |b: u8| char::from(b).to_digit(16).ok_or(HexFault::NotHex);
    pairs
        .iter()
        .map(|&[a, b]| {
            let byte = digit(a)? << 4 | digit(b)?;
            u8::try_from(byte).map_err(|_| HexFault::NotHex)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(file: &str) -> (usize, HexFault) {
        let e = decode(file.as_bytes()).unwrap_err();
        (e.line, e.fault)
    }

    const END: &str = ":00000001FF\n";

    #[test]
    fn records_of_all_types_are_read() {
        let file = [
            "",
            ":020000040804EE\r",
            ":0400000001020304F2\r",
            &record(5, 0, &[8, 4, 0, 0]),
            &record(0, 4, &[0xaa]).to_lowercase(),
            END,
            "",
        ]
        .join("\n");
        assert_eq!(decode(file.as_bytes()).unwrap(), [1, 2, 3, 4, 0xaa]);
    }

    #[test]
    fn faults_name_their_line() {
        let one = record(0, 0, &[1]);
        assert_eq!(fault(&format!("{one}\n\nhello\n")), (3, HexFault::NoColon));
        assert_eq!(fault(":0g"), (1, HexFault::NotHex));
        assert_eq!(fault(":000"), (1, HexFault::NotHex));
        assert_eq!(fault(":0000"), (1, HexFault::Length));
        assert_eq!(fault(":01000000"), (1, HexFault::Length));
        assert_eq!(fault(":0100000001FF"), (1, HexFault::Checksum));
        assert_eq!(fault(&record(6, 0, &[])), (1, HexFault::Record(6)));
        assert_eq!(fault(&record(4, 0, &[1])), (1, HexFault::Record(4)));
        assert_eq!(fault(&one), (1, HexFault::NoEnd));
        assert_eq!(fault(&format!("{END}{one}")), (2, HexFault::AfterEnd));
        let gap = HexFault::Gap {
            expected: 1,
            found: 2,
        };
        assert_eq!(fault(&format!("{one}\n{}", record(0, 2, &[1]))), (2, gap));
        assert_eq!(
            fault(&record(0, 0xffff, &[1, 2])),
            (1, HexFault::SegmentEnd)
        );
    }

    #[test]
    fn segments_continue_one_another() {
        let file = [
            record(4, 0, &[8, 4]),
            record(0, 0xffff, &[1]),
            record(4, 0, &[8, 5]),
            record(0, 0, &[2]),
            END.to_owned(),
        ]
        .join("\n");
        assert_eq!(decode(file.as_bytes()).unwrap(), [1, 2]);
    }

    #[test]
    fn content_tells() {
        assert!(is_intel_hex(b"\r\n :00000001FF"));
        assert!(is_intel_hex(b"\xef\xbb\xbf:00000001FF"));
        assert!(!is_intel_hex(b""));
        assert!(!is_intel_hex(b"\x00:"));
        assert_eq!(fault("\u{feff}:00000001FF"), (1, HexFault::NoColon));
    }

    fn record(kind: u8, offset: u16, data: &[u8]) -> String {
        use std::fmt::Write as _;
        let mut bytes = vec![u8::try_from(data.len()).unwrap()];
        bytes.extend(offset.to_be_bytes());
        bytes.push(kind);
        bytes.extend(data);
        let sum = bytes.iter().fold(0_u8, |s, b| s.wrapping_add(*b));
        bytes.push(sum.wrapping_neg());
        bytes.iter().fold(":".to_owned(), |mut s, b| {
            let _ = write!(s, "{b:02X}");
            s
        })
    }

    proptest! {
        #[test]
        fn never_panics(file in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&file);
        }

        #[test]
        fn never_panics_on_likely_lines(file in "(:[0-9a-fA-F]{0,24}\r?\n){0,8}") {
            let _ = decode(file.as_bytes());
        }

        #[test]
        fn what_is_written_is_read(data in proptest::collection::vec(any::<u8>(), 1..400), at in 0_u16..1000) {
            let mut file = String::new();
            for (n, chunk) in data.chunks(16).enumerate() {
                file += &record(0, at + u16::try_from(n * 16).unwrap(), chunk);
                file.push('\n');
            }
            file += END;
            prop_assert_eq!(decode(file.as_bytes()).unwrap(), data);
        }
    }
}
