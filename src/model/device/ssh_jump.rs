//! A jump host as the inventory names it, and what its ssh may say. ssh is run in `device::http::ssh`.

use std::fmt;

/// The longest [`SshJump`], in bytes: a host name has at most 253, and there is room for a user.
const MAX_JUMP: usize = 320;

/// A host that devices are reached through with the user's own OpenSSH: whatever `ssh` takes as its
/// destination, that is `host`, `user@host` or `ssh://user@host:port`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SshJump(String);

/// Why a text is no [`SshJump`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SshJumpError {
    /// There is no host in it.
    #[error("no host in it")]
    NoHost,
    /// It, its user or its host begins with a hyphen, so that it could be taken for an option.
    #[error("user and host may not begin with \"-\"")]
    Hyphen,
    /// A character that can stand in no name of a host or user.
    #[error("no host or user has {0:?} in its name")]
    Character(char),
    /// Over 320 bytes.
    #[error("longer than any host name")]
    TooLong,
}

impl SshJump {
    /// Takes what `ssh` could take as its destination.
    ///
    /// # Errors
    ///
    /// Anything that `ssh`, or a shell behind a `ProxyCommand` of the user's configuration, could take
    /// for more than a name.
    pub fn parse(text: &str) -> Result<Self, SshJumpError> {
        let wild = |c: &char| !(c.is_alphanumeric() || "@.-_:/[]%+~".contains(*c));
        if let Some(c) = text.chars().find(wild) {
            return Err(SshJumpError::Character(c));
        }
        if text.len() > MAX_JUMP {
            return Err(SshJumpError::TooLong);
        }
        let place = text.strip_prefix("ssh://").unwrap_or(text);
        // As ssh does: a user may have an @ in the name (user@realm@host).
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        if [text, place, host].iter().any(|s| s.starts_with('-')) {
            return Err(SshJumpError::Hyphen);
        }
        if place.starts_with('@') || !host.starts_with(|c: char| c.is_alphanumeric() || c == '[') {
            return Err(SshJumpError::NoHost);
        }
        Ok(Self(text.to_owned()))
    }

    /// As the inventory has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SshJump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is wrong with a way through a jump host, by the words of OpenSSH, which are the same in every
/// language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SshTrouble {
    /// The host key is not the known one.
    KeyChanged,
    /// The host key is not known.
    KeyUnknown,
    /// The jump host does not let this user in.
    LoginRefused,
    /// The jump host does not let this user connect to the device.
    WayForbidden,
    /// The network, the configuration, anything.
    Other,
}

impl SshTrouble {
    /// By the reason of a `LinkFault::Ssh`.
    pub fn of(reason: &str) -> Self {
        let said = |words: &[&str]| words.iter().any(|w| reason.contains(w));
        if said(&["HAS CHANGED", "has changed"]) {
            Self::KeyChanged
        } else if said(&["Host key verification failed", "host key is known"]) {
            Self::KeyUnknown
        } else if said(&["Permission denied", "Too many authentication failures"]) {
            Self::LoginRefused
        } else if said(&["administratively prohibited"]) {
            Self::WayForbidden
        } else {
            Self::Other
        }
    }

    /// Whether it was refused: asking again changes nothing, and jump hosts lock out who asks too often.
    pub fn is_refusal(self) -> bool {
        self != Self::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_takes_as_a_destination_is_taken() {
        for text in [
            "host7",
            "admin@host7",
            "ssh://admin@host7:2222",
            "admin@[fe80::1%eth0]",
            "user@realm@host7.example",
            "żółw",
            "DOM+user@10.0.0.1",
        ] {
            assert_eq!(SshJump::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_could_be_more_than_a_name_is_refused() {
        for (text, error) in [
            ("", SshJumpError::NoHost),
            ("admin@", SshJumpError::NoHost),
            ("@host7", SshJumpError::NoHost),
            ("ssh://", SshJumpError::NoHost),
            ("ssh://@host7", SshJumpError::NoHost),
            ("~/x", SshJumpError::NoHost),
            ("-oProxyCommand", SshJumpError::Hyphen),
            ("admin@-x", SshJumpError::Hyphen),
            ("ssh://-x", SshJumpError::Hyphen),
            ("-x@host7", SshJumpError::Hyphen),
            ("a b", SshJumpError::Character(' ')),
            ("host7\n", SshJumpError::Character('\n')),
            ("host7\0", SshJumpError::Character('\0')),
            ("a,b", SshJumpError::Character(',')),
            ("$(id)", SshJumpError::Character('$')),
            ("x\u{202e}y", SshJumpError::Character('\u{202e}')),
        ] {
            assert_eq!(SshJump::parse(text), Err(error), "{text:?}");
        }
        let long = SshJump::parse(&"x".repeat(321));
        assert_eq!(long, Err(SshJumpError::TooLong));
    }
}
