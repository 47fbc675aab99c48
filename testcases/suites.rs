//! `framewright test`: the suites that ship, played by the program itself, and the runner as its user sees it.
//!
//! Without more each run starts its server by itself: the demo model, and the sample database that is built in or, where
//! `testcases/mariadb` has started one, on a real MariaDB.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of this is test code")]

#[path = "suites/between.rs"]
mod between;
#[path = "suites/cassettes.rs"]
mod cassettes;
#[path = "suites/coverage.rs"]
mod coverage;
#[path = "suites/failing.rs"]
mod failing;
#[path = "suites/files.rs"]
mod files;
#[path = "suites/from_turn.rs"]
mod from_turn;
#[path = "suites/judge.rs"]
mod judge;
#[path = "suites/player.rs"]
mod player;
#[path = "suites/plays.rs"]
mod plays;
#[path = "suites/remote.rs"]
mod remote;
#[path = "suites/run.rs"]
mod run;
#[path = "suites/shipped.rs"]
mod shipped;
#[path = "endpoint/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "another test uses the rest")]
mod support;
