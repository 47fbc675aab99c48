//! What an exporter of traces learns of a turn, or of a call behind one. No message is in it unless content was asked for.

use super::{CallId, CallRecord, Finish, Name, Trace, TraceContext, TurnId};
use std::sync::Arc;

/// A turn that has ended, or a call that ran on behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub context: TraceContext,
    /// A hash of user and session.
    pub conversation: Arc<str>,
    pub turn: TurnId,
    pub what: FinishedWhat,
    /// What is known of the calls beside their records, in any order.
    pub calls: Vec<FinishedCall>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FinishedWhat {
    Turn(Arc<Trace>),
    /// The wall time of the turn's start, in µs: the call's times are relative to it.
    Background {
        started_us: u64,
        record: CallRecord,
    },
}

/// A call, by what may be told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedCall {
    pub pid: CallId,
    pub node: Arc<str>,
    pub asked: AskedOf,
    /// Only where content is exported.
    pub content: Option<Content>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum AskedOf {
    Model {
        /// Whose model it is.
        provider: Arc<str>,
        /// The model that was asked, as settings call it.
        model: Arc<str>,
        tokens_max: u32,
        is_structured: bool,
        /// The model that answered, as it calls itself; empty where none did.
        answered_by: String,
        finish: Option<Finish>,
    },
    Database {
        database: Arc<str>,
        /// `query`, `describe` …
        tool: Name,
    },
    /// A person, whether the node may begin, or may call this tool.
    Approval { tool: Option<Name> },
}

/// What was said, each text bounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Each with its role.
    pub asked: Vec<(Name, String)>,
    pub answered: String,
}
