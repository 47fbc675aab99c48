//! framewright: a chat endpoint whose answers come in frames that can be counted, traced and replayed.
//!
//! A pure engine in the middle, a thin shell around it. Each module may use only those named beside it.

pub mod cli; // one file per command                                      all
pub mod client; // HTTP calls and the chat socket, from the other side    config
pub mod config; // every setting, read once                               log, work
pub mod contract; // the words that all sides share                          nothing of ours
pub mod engine; // sessions, turns, frames, traces: `Session::handle`        contract, graph, nodes
pub mod graph; // graphs/*.json and their prompts, read and checked          contract, nodes
pub mod log; // lines on standard error, without anybody's text        nothing of ours
pub mod nodes; // one file per node kind, one per tool                     contract
pub mod runner; // plays suites over the public interface             client, contract, suite, work
pub mod shard; // connections, sessions, watchers: `Shard::handle`      contract, engine, graph, wire
pub mod shell; // the event loop, threads and clock around the shards      all; only cli imports it
pub mod sim; // the whole server in a simulated world           contract, graph, shard
pub mod sql; // the gate: statements that only read                     contract
pub mod suite; // testcases/*.md: parse, checks                           contract
pub mod wire; // bytes and words: HTTP, WebSocket, event streams, JSON     contract
pub mod work; // blocking calls on worker threads, models          contract, log, sql, wire

#[cfg(test)]
mod tidy;
