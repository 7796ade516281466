//! Whose images may be rolled out, and which (inventory table `[images]`).

use crate::model::{Fwk, hex};

/// What the inventory says of images; what is absent allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageTrust {
    /// Keys of which one must have signed.
    pub signers: Option<Vec<Fwk>>,
    /// SHA-256 of the only files that are sent.
    pub allow: Option<Vec<[u8; 32]>>,
}

/// Why a file is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Another key signed it.
    #[error("it is signed by {found}, which is none of images.signers")]
    OtherSigner {
        /// The key.
        found: Fwk,
    },
    /// Nobody knows who signed it.
    #[error("who signed it cannot be told, and images.signers says whose images are trusted")]
    NoSigner,
    /// It is another file.
    #[error("its hash, sha256:{}, is none of images.allow", hex(.found))]
    OtherFile {
        /// The SHA-256 of the file.
        found: [u8; 32],
    },
}

impl ImageTrust {
    /// Whether the signer of a file is trusted; `None` where nobody can tell who that is. Such a file is trusted
    /// only where `allow` lists it by its hash.
    pub fn of_signer(&self, signer: Option<Fwk>, sha256: [u8; 32]) -> Result<(), Distrust> {
        match (&self.signers, signer) {
            (None, _) => Ok(()),
            (Some(trusted), Some(found)) if trusted.contains(&found) => Ok(()),
            (Some(_), Some(found)) => Err(Distrust::OtherSigner { found }),
            (Some(_), None) if self.lists(sha256) => Ok(()),
            (Some(_), None) => Err(Distrust::NoSigner),
        }
    }

    /// Whether a file is one of those that are allowed.
    pub fn of_file(&self, sha256: [u8; 32]) -> Result<(), Distrust> {
        if self.allow.is_none() || self.lists(sha256) {
            return Ok(());
        }
        Err(Distrust::OtherFile { found: sha256 })
    }

    fn lists(&self, sha256: [u8; 32]) -> bool {
        self.allow.as_ref().is_some_and(|all| all.contains(&sha256))
    }

    /// Both.
    pub fn judge(&self, signer: Option<Fwk>, sha256: [u8; 32]) -> Result<(), Distrust> {
        self.of_signer(signer, sha256)
            .and_then(|()| self.of_file(sha256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_are_to_agree_and_what_is_not_known_is_not_trusted() {
        let (ours, theirs) = (Fwk([1; 32]), Fwk([2; 32]));
        let anything = ImageTrust::default();
        assert_eq!(anything.judge(None, [0; 32]), Ok(()));
        let trust = ImageTrust {
            signers: Some(vec![theirs, ours]),
            allow: Some(vec![[7; 32]]),
        };
        assert_eq!(trust.judge(Some(ours), [7; 32]), Ok(()));
        // A hash says more than a key.
        assert_eq!(trust.judge(None, [7; 32]), Ok(()));
        assert_eq!(trust.judge(None, [8; 32]), Err(Distrust::NoSigner));
        let found = Fwk([3; 32]);
        let refused = trust.judge(Some(found), [7; 32]);
        assert_eq!(refused, Err(Distrust::OtherSigner { found }));
        let found = [8; 32];
        let refused = trust.judge(Some(ours), found);
        assert_eq!(refused, Err(Distrust::OtherFile { found }));
    }
}
