//! Jump hosts, reached with the user's own OpenSSH: its configuration, agent, jump hosts and known host keys.
//!
//! For each jump host one `ssh` keeps the connection (`master`), and each request goes through it as an `ssh -W` of its
//! own, whose standard input and output are the stream (`stream`).
//!
//! Nothing is asked: where ssh would ask for a password or a host key, it fails, and its own words are the error.
//! Nothing that ssh checks is weakened, and no process is left behind.

mod command;
mod jump_host;
mod master;
mod stderr;
mod stream;

pub(super) use self::jump_host::{JumpHost, JumpHosts};
#[cfg(test)]
pub(super) use self::master::LEASH;
