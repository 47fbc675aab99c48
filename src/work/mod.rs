//! Work outside the engine: blocking calls on worker threads, and the models that they ask.
//!
//! [`Pool`] runs calls and ends each exactly once. A [`Model`] answers one request at a time on one worker; [`openai`] asks
//! a provider over HTTP, with [`dialects`] for how and [`retry`] for how often, at the
//! [`prices`] that are configured; [`demo`] follows rules. [`probe`] looks for a
//! model server on this machine. [`database`] asks databases. A [`tape`] keeps what was answered, or plays it. [`issuer`]
//! fetches what sign-in needs, from where an [`authority`] vouches for it; [`otlp`] exports traces;
//! [`courier`] calls webhooks.

pub mod authority;
mod call;
pub mod courier;
pub mod database;
pub mod demo;
mod dialects;
pub mod issuer;
mod names;
pub mod openai;
pub mod otlp;
mod pool;
pub mod prices;
pub mod probe;
mod read_deadline;
mod retry;
pub mod tape;

pub use call::{Call, Cancel, Ended, Model};
pub use pool::{CallHandle, Models, Pool, PoolLimits, Reply, Settings};
pub use retry::Retries;
