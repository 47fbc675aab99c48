//! Nothing is lost: the real server killed at any moment, its disk full, read-only or damaged.
//!
//! What is waited for has a bound and ends as soon as it holds. No test asserts a speed but that of the first answer after a crash,
//! and that by the median of hundreds.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "all of this is test code")]

mod approve;
mod budgets;
mod client;
mod disk;
mod kills;
mod restart;
#[path = "../endpoint/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the endpoint's tests need more of it")]
mod support;
#[path = "../hardship/weak.rs"]
#[allow(dead_code, reason = "only its dice are needed")]
mod weak;
mod webhooks;
