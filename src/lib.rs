//! framewright: a chat endpoint whose answers come in frames that can be counted, traced and replayed.
//!
//! Two pure state machines, the session and the shard, and a driver around them: see `ARCHITECTURE.md`. Each module may use only
//! those named beside it.

pub mod auth; // tokens of an issuer, API keys, roles                                   contract
pub mod cli; // the command line, one file per command                                      all
pub mod client; // a client of the public interface: calls, chat socket, conversation       config, contract
pub mod config; // every setting, read once                                                 auth, contract, log, work
pub mod contract; // types that all sides share: inputs, effects, events, refusals          nothing of ours
pub mod engine; // sessions, turns, frames, traces: `Session::handle`                       contract, graph, nodes
pub mod graph; // graphs/*.json with prompts and schemas, parsed and checked                contract, nodes
pub mod log; // log lines on standard error, without message contents                       nothing of ours
pub mod nodes; // one file per node kind, one per tool                                      contract, reading, sql
pub mod reading; // what a model writes where JSON is wanted                                contract
pub mod runner; // runs test suites over the public interface                               client, contract, reading, suite, work
pub mod shard; // connections, sessions, watchers, deadlines: `Shard::handle`           auth, contract, engine, graph, wire
pub mod shell; // the driver: event loop, threads, sockets and clock                    auth, contract, graph, shard, work
pub mod sim; // the whole server in simulated worlds                                    auth, contract, graph, shard
pub mod sql; // the gate: lets only reading statements through                              contract
pub mod store; // how a journal is kept: SQLite, or a server that speaks MySQL's protocol   contract
pub mod suite; // testcases/*.md: parser and checks                                         contract
pub mod text_file; // reading text files; what is not pure may import it                   nothing of ours
pub mod wire; // bytes to values and back: HTTP, WebSocket, event streams, JSON             contract, reading
pub mod work; // blocking calls on worker threads: models, databases, tapes             auth, contract, log, sql, wire

#[cfg(test)]
mod tidy;
