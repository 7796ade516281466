//! What the system may see of this process's memory, in which secrets are.
//! Must not: hold a secret (those are `model::Secret`, wiped when dropped).

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Switches core dumps off, for this process and the programs that it starts, and on Linux keeps other
/// programs of the same user from reading its memory.
pub(in crate::cli) fn keep_private() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    // A core that is piped to a program has no size to be limited.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
