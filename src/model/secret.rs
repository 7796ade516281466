//! Secrets by type: never shown, and wiped when dropped. They are read in `config::secrets`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A passphrase, token or private key. It has no `Display` and no `Serialize`, its `Debug` says
/// `[redacted]`, and the bytes are wiped when the last clone is dropped.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

/// Empty.
impl Default for Secret {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Secret {
    /// Takes ownership of the bytes, which are wiped later.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    /// The bytes, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// In constant time for secrets of the same length, so that comparing never tells how far two agree.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Where a secret comes from; the inventory never holds one itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// An environment variable of hemfleet's process.
    Env(String),
    /// The first line of a file that others may not read.
    File(PathBuf),
    /// The first line of a command's standard output; run without a shell.
    Command(Vec<String>),
    /// Asked for in the terminal, once for each such text.
    Prompt(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_redacted() {
        let s = Secret::new(b"hunter2".to_vec());
        assert_eq!(
            format!("{s:?} {:?}", Some(&s)),
            "[redacted] Some([redacted])"
        );
    }
}
