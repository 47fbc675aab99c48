//! Hard times: networks that break, readers that sleep, crowds, floods, no descriptors left, and the end of the server.
//!
//! The real binary as a process, on two shards, over real sockets and with real signals. What is random comes from seeds. What
//! is waited for has a bound and ends as soon as it holds; no test asserts a speed.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "all of this is test code")]

mod clock;
mod crowd;
mod cuts;
mod ending;
mod figures;
mod floods;
mod idle;
mod process;
mod raw;
mod restart;
mod slow;
#[path = "../endpoint/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the endpoint's tests need more of it")]
mod support;
mod weak;
