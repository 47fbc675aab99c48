//! The shell: sockets, clock and threads around the engine. The only place that knows the event loop.
//!
//! [`serve`] starts a thread for each shard. A connection (`listener`, `connection`, `routes`) brings an errand to the shard
//! where its session lives (`home`, `errand`, `mailbox`), or becomes a stream and moves there (`handover`, `stream`). The
//! shard (`shard`, `sessions`, `resident`) feeds its sessions in ticks and shows what is new (`watchers`, `socket`).
//!
//! Invariants: a session is touched by its shard's thread alone; everything that can grow has its limit in `bounds`.

mod answers;
mod auth;
mod beat;
mod board;
pub mod bounds;
mod clock;
mod connection;
mod descriptors;
mod driver;
mod errand;
mod files;
mod handover;
mod home;
mod line;
mod listener;
mod mailbox;
mod reactor;
mod resident;
mod routes;
mod server;
mod sessions;
mod shard;
mod socket;
mod stream;
pub mod suites;
mod watchers;

pub use reactor::{Backend, best_backend};
pub use server::{Ended, ServeError, Server, Settings, Stopper, serve};

#[cfg(test)]
mod tests;
