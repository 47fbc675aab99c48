//! What every test of the endpoint stands on: the real server as a process, and clients that speak its protocols by hand.

mod address;
mod conversation;
mod folder;
pub(crate) mod http;
mod patience;
pub(crate) mod provider;
pub(crate) mod server;
pub(crate) mod streams;

pub(crate) use address::{nobody, own_address};
pub(crate) use conversation::Conversation;
pub(crate) use folder::Folder;
pub(crate) use http::request;
pub(crate) use patience::{PATIENCE, eventually, in_parallel};
pub(crate) use provider::Provider;
pub(crate) use server::{Server, Setting, run};
pub(crate) use streams::{Told, WebSocket, answer_text, seqs};
