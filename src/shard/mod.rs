//! A shard: its connections, sessions and watchers, and everything that is decided about them.
//!
//! [`Shard::handle`] takes the time and one [`Event`] and appends [`Action`]s. It does no I/O, reads no clock and never
//! blocks, so a whole server can be simulated from a seed.

pub mod event;
pub mod identity;
pub mod operation;
