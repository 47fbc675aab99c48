//! A model can fail in every way, a connection too: nobody loses an answer.
//!
//! The real binary, asked over real sockets, in front of a model server that does wrong on purpose: a process of its own, see
//! `../model/fault.rs`. Deadlines are short here, by settings; everything else is as users have it.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "all of this is test code")]

mod every;
mod leaving;
mod logged;
mod passing;
mod stuck;
#[allow(dead_code, unused_imports, reason = "it serves the tests of the endpoint too")]
#[path = "../endpoint/support/mod.rs"]
mod support;
mod unreachable;
mod world;
