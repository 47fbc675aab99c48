//! The program as its operators meet it: every command as a process, its files, and what the page weighs on the wire.
//!
//! Nothing here asserts a speed; whatever is waited for has a bound and ends as soon as it holds.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "all of this is test code")]

mod audit;
mod chat;
mod commands;
mod compare;
mod config;
mod doctor;
mod files;
mod fork;
mod kept;
mod program;
mod prompts;
mod reload;
mod replay;
mod serve;
mod sessions;
#[allow(dead_code, unused_imports, reason = "it serves the tests of the endpoint too")]
#[path = "../endpoint/support/mod.rs"]
mod support;
