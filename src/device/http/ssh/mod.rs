//! Ways through a jump host, with the user's own OpenSSH: its configuration, agent, jump hosts and
//! known host keys.
//!
//! For each jump host one `ssh` keeps the connection (`master`), and each request goes through it as an
//! `ssh -W` of its own, whose standard input and output are the stream (`stream`).
//!
//! Must not: ask anything (no password, no host key: what ssh would ask is an error, in ssh's own words),
//! weaken what ssh checks, or leave a process behind.

mod command;
mod jump_host;
mod master;
mod stderr;
mod stream;

pub(super) use self::jump_host::{JumpHost, JumpHosts};
#[cfg(test)]
pub(super) use self::master::LEASH;
