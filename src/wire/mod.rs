//! Bytes and words: what goes over a socket, read into the contract's words and written from them.
//!
//! Pure: bytes in, words out. Whoever calls owns the socket, the clock and the buffers.

pub mod answer; // HTTP answers
mod chunked; // their bodies in pieces
mod complexity; // how much a JSON text would make of itself
pub mod encoding; // which coding a client takes
pub mod exposition; // metrics
pub mod http; // HTTP requests
pub mod json; // the wire contract's JSON, outgoing
pub mod markdown; // a conversation for people
pub mod provider; // chat completions
pub mod said; // and incoming
pub mod sse; // event streams
mod target; // what a request asks for, and of which host
mod utf8; // WebSockets' bytes, checked as they arrive
pub mod webhook; // what is sent where a turn's end is to be known
pub mod websocket; // the handshake and the frames
