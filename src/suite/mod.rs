//! Test suites: Markdown that reads as a description and runs as a test.
//!
//! [`Suite::parse`] makes steps of a file; [`Check::verdict`] compares what was expected with what was [`Seen`]. Nobody is
//! asked here: whoever plays a suite sends what it says over the public interface and brings what came.
//!
//! A line that begins with `- key: value` is an item, everything else is prose. A key that nobody knows is an error with its
//! line, so that a typing mistake can't make a check silent.

mod check;
mod parse;
mod pattern;

pub use check::{Check, Seen, Verdict};
pub use parse::{Does, Item, Step, Suite, SuiteError, Wrong};
pub use pattern::{Choice, Count, Op, Sought};
