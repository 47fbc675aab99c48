//! The endpoint as its users meet it: the real binary as a process, asked over real sockets.
//!
//! Everything here holds the server to its wire contract. Nothing asserts a speed; whatever is waited for has a bound and
//! ends as soon as it holds. Models are the built-in demo, a puppet of the test ([`support::Provider`]), or a process of its own.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of this is test code")]

mod actions;
mod approve;
mod bounded;
mod calls;
mod chat;
mod clear;
mod crowd;
mod drain;
mod events;
mod foreign;
mod frames;
mod framing;
mod full;
mod graphs;
mod kept;
mod logged;
mod model;
mod named;
mod observed;
mod oversized;
mod reading;
mod relay;
mod requests;
mod rerun;
mod resume;
mod revise;
mod says;
mod shards;
mod stop;
mod suites;
#[allow(dead_code, reason = "it serves the tests of the command line too")]
mod support;
mod survey;
mod thinking;
mod values;
