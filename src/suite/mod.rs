//! Test suites: Markdown that reads as a description and runs as a test.
//!
//! [`Suite::parse`] makes steps of a file; [`Check::verdict`] compares what was expected with what was [`Seen`]. Nobody is
//! asked here: whoever plays a suite sends what it says over the public interface and brings what came.
//!
//! A point of a list that says `- key: value` is an item, everything else is prose. A key that nobody knows, and a line that
//! looks like an item and isn't one, are errors with their line, so that a typing mistake can't make a check silent.

mod check;
mod names;
mod parse;
mod pattern;
#[cfg(test)]
mod reference;
mod seen;

pub use check::{Check, Display, Verdict};
pub use names::Names;
pub use parse::{Does, Item, Step, Suite, SuiteError, Wrong};
pub use pattern::{Choice, Comparison, Count, Op, Sought};
pub use seen::Seen;
