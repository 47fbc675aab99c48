//! The shell: the event loop, threads and the clock around the pure shards. It moves bytes, time and wake-ups, and decides
//! nothing; the rules are in `shard`.
//!
//! [`serve`] starts a thread for each shard, which `driver` runs: it feeds the shard what happens on sockets (`accept`,
//! `socket`), in mailboxes (`mailbox`), in the worker pool (`calls`), on the helper thread (`jobs`) and on the clock
//! (`alarm`), and carries out what the shard wants. `reload` has it run on new settings, `control` is where that is asked for,
//! `audit` writes the audit log.

mod accept;
mod alarm;
pub mod audit;
pub mod bounds;
mod calls;
mod clock;
pub mod control;
mod descriptors;
pub mod doctor;
mod driver;
mod files;
mod handover;
mod inherited;
mod jobs;
mod journal;
pub(crate) mod journal_reader;
mod listener;
mod log;
mod mailbox;
mod pulse;
mod reactor;
pub mod reload;
mod server;
mod socket;
mod socket_file;
pub mod suites;
mod supervisor;

pub use inherited::{Inherited, InheritedError};
pub use reactor::{Backend, best_backend};
pub use server::{Ended, OpenStore, ServeError, Server, Settings, Stopper, machine, rules, serve};
pub use supervisor::Supervisor;

#[cfg(test)]
mod listening;
#[cfg(test)]
mod served;
#[cfg(test)]
mod supervised;
#[cfg(test)]
mod tests;
