//! Work outside the engine: blocking calls on worker threads, and the models that they ask.
//!
//! [`Pool`] runs calls and ends each exactly once. A [`Model`] answers one request at a time on one worker; [`openai`] asks
//! a provider over HTTP, [`demo`] follows rules. Databases and identity will stand beside them.

mod call;
pub mod demo;
mod names;
pub mod openai;
mod patience;
mod pool;

pub use call::{Call, Cancel, Ended, Model};
pub use pool::{CallHandle, Models, Pool, Reply, Settings};
