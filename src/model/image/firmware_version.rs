//! Firmware versions as people write them, and which of two is newer. Whether a device runs an image is told by its
//! `fws` alone (protocol page, section 4), never by its version.

use std::cmp::Ordering;

/// What a version text says: `1.2.10` or `1.2.10-DIAG`, read from a name such as `Encedo nGINE FW v1.2.10`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FwVersion {
    parts: Vec<u64>,
    /// Whether it is a diagnostic build.
    pub diag: bool,
    /// What else follows the numbers; which of two such texts is newer nobody says.
    rest: String,
}

impl FwVersion {
    /// Reads the version in a firmware's name, where one can be read.
    pub fn of_name(name: &str) -> Option<Self> {
        let label = match name.rsplit_once(" v") {
            Some((_, label)) => label,
            None => name,
        };
        let end = label.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (numbers, rest) = label.split_at(end.unwrap_or(label.len()));
        let parts: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
        let mut parts = parts.ok()?;
        if parts.len() < 2 {
            return None;
        }
        // 1.2 and 1.2.0 are one version.
        while parts.last() == Some(&0) {
            parts.pop();
        }
        let upper = rest.to_ascii_uppercase();
        Some(Self {
            parts,
            diag: upper.contains("-DIAG"),
            rest: upper.replacen("-DIAG", "", 1),
        })
    }

    /// Whether this one is older, the same or newer, number by number; nothing where that cannot be told.
    /// A diagnostic build is neither older nor newer than the production build of its version.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match self.parts.cmp(&other.parts) {
            Ordering::Equal if self.rest != other.rest => None,
            order => Some(order),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(a: &str, b: &str) -> Option<Ordering> {
        let read = |label| FwVersion::of_name(&format!("Encedo nGINE FW v{label}"));
        read(a)?.compare(&read(b)?)
    }

    #[test]
    fn numbers_are_numbers() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, order) in [
            ("1.2.10", "1.2.9", Some(Greater)),
            ("1.2.9", "1.2.10-DIAG", Some(Less)),
            ("1.2.3-DIAG", "1.2.3", Some(Equal)),
            ("1.2.3-diag", "1.2.3-DIAG", Some(Equal)),
            ("1.2", "1.2.0", Some(Equal)),
            ("2.0", "1.99.99", Some(Greater)),
            ("1.2.3-rc1", "1.2.3", None),
            ("1.2.3-rc1", "1.2.2", Some(Greater)),
            ("1..3", "1.2.3", None),
            ("7", "1.2.3", None),
            ("next", "1.2.3", None),
            ("1.2.99999999999999999999", "1.2.3", None),
            ("", "1.2.3", None),
        ] {
            assert_eq!(compare(a, b), order, "{a} against {b}");
            assert_eq!(
                compare(b, a),
                order.map(Ordering::reverse),
                "{b} against {a}"
            );
        }
        assert_eq!(FwVersion::of_name("(no name)"), None);
        assert!(FwVersion::of_name("1.2.3-DIAG").is_some_and(|v| v.diag));
    }

    proptest! {
        #[test]
        fn any_name_is_read_or_not(name in "\\PC{0,40}") {
            if let Some(version) = FwVersion::of_name(&name) {
                prop_assert_eq!(version.compare(&version.clone()), Some(Ordering::Equal));
            }
        }
    }
}
