//! All that can happen to a session.

use super::{Answer, CallError, CallId, ClientId, DatabaseInfo, Memory, Source, TraceContext, TurnId, Usage, WhileBusy};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who is behind an input, as the edge found out; part of the input so that a replay sees the same person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// The user's name, else preferred name, else `sub`.
    pub identity: String,
    /// The `Origin` header, else `Host`.
    pub channel: String,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i32,
    /// Where the turn that this begins stands in a distributed trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
}

/// What a session may hold. Stated once, when it opens, so that a replay runs under the same bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Finished messages kept in memory.
    pub history_max: usize,
    /// Messages and actions that may wait behind the running turn.
    pub waiting_max: usize,
    /// Finished turns whose trace is kept.
    pub traces_max: usize,
    /// Bytes of answer text that one turn may stream; what comes after is cut and marked.
    pub answer_bytes_max: usize,
    /// Bytes of a request or an answer that a kept turn shows.
    pub detail_bytes_max: usize,
    /// Machines that may exist at once.
    pub machines_max: usize,
    /// Controls and displays that one answer, or one state of a machine, may hold.
    pub controls_max: usize,
    /// Bytes of JSON that the user interface state, or one control, may hold.
    pub ui_bytes_max: usize,
    /// Questions to databases that one turn may ask.
    pub database_calls_max: u32,
    /// Described tables that a session keeps.
    pub schema_tables_max: usize,
    /// Bytes of JSON of all controls together, with what they bind.
    pub shown_bytes_max: usize,
    /// Bytes of all messages of the history together; the oldest leave.
    pub history_bytes_max: usize,
    /// Facts and topics that memory keeps.
    pub facts_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            history_max: 200,
            waiting_max: 8,
            traces_max: 20,
            answer_bytes_max: 1 << 20,
            detail_bytes_max: 16 << 10,
            machines_max: 16,
            controls_max: 50,
            ui_bytes_max: 64 << 10,
            database_calls_max: 40,
            schema_tables_max: 200,
            shown_bytes_max: 256 << 10,
            history_bytes_max: 4 << 20,
            facts_max: 50,
        }
    }
}

/// All that can happen to a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The first input of every session: what it runs on. `library` is the content hash of all graphs, prompts and schemas.
    /// `generation` makes its events' numbers differ from those of an earlier session of this name; 0 where no journal counts.
    Opened {
        version: u32,
        library: String,
        graph: String,
        databases: Vec<DatabaseInfo>,
        limits: Limits,
        from: Caller,
        #[serde(default)]
        generation: u32,
    },
    /// The session was loaded from a journal; no call is out any more. What ran ends, or with `rerun` begins again; what waited
    /// begins.
    Resumed { generation: u32, rerun: bool },
    /// What is known of its databases has changed: a survey is done, or was done again.
    Surveyed { databases: Vec<DatabaseInfo> },
    /// The server loaded its files and settings again. The next turn runs on the graph of this library, by content hash, which
    /// was handed over before, and under these limits.
    Reloaded { library: String, limits: Limits },
    /// The inputs before are those of the session `of`, up to before its turn `turn` or, with `frame`, to where that frame of the
    /// turn began, which begins again. `memory`, and with `library` the prompts, are other ones from here on; the library, by
    /// content hash, was handed over before. `begins`, a message or an action, begins a turn. What begins does so with the next
    /// input, [`Input::Resumed`].
    Forked {
        of: String,
        turn: TurnId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory: Option<Box<Memory>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        library: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        frame: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begins: Option<Box<Input>>,
    },
    /// A watcher came; its caller is who the session talks to from now on.
    Attached { from: Caller },
    /// A person wrote something. `dashboard` is what they see now.
    Message {
        text: String,
        dashboard: Vec<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<ClientId>,
        /// None: as the graph says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        while_busy: Option<WhileBusy>,
        from: Caller,
    },
    /// A person used a control.
    Action {
        action: String,
        data: Value,
        source: Option<Source>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<ClientId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        while_busy: Option<WhileBusy>,
        from: Caller,
    },
    /// Answer the last turn's question again. `turn` names that turn; none: whichever is the last.
    Retry {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<TurnId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<ClientId>,
        from: Caller,
    },
    /// Go on from before this turn, with another message in its place.
    Edit {
        turn: TurnId,
        text: String,
        dashboard: Vec<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<ClientId>,
        from: Caller,
    },
    /// A person answers what waits for approval.
    Approve {
        call: CallId,
        approved: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<ClientId>,
        from: Caller,
    },
    /// Time has passed: what waits for approval and has expired ends.
    Due,
    /// Stop one running call.
    Cancel { call: CallId },
    /// Stop the running turn and those waiting.
    Stop,
    /// Stop the running turn; those that wait go on.
    StopRunning,
    /// The server is about to end, and begins nothing that waits. `keeps`: it waits for the next server, which finds it in the
    /// journal; else it fails when its turn comes. `cut`: the running turn fails now.
    Drain {
        cut: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keeps: bool,
    },
    /// Begin anew: see «Clear and switch» of the wire contract.
    Clear { from: Caller },
    /// Go on with another graph; `keep` carries history and memory over.
    Switch { graph: String, keep: bool, from: Caller },
    /// A running call has more to show.
    Chunk { call: CallId, text: String },
    /// A call has ended. `usage` is counted whatever the outcome; `waited_us` is how long it stood in line before it began.
    Completion { call: CallId, usage: Usage, waited_us: u64, outcome: Result<Answer, CallError> },
}

impl Input {
    /// Who is behind it.
    pub fn caller_mut(&mut self) -> Option<&mut Caller> {
        match self {
            Input::Opened { from, .. }
            | Input::Attached { from }
            | Input::Message { from, .. }
            | Input::Action { from, .. }
            | Input::Retry { from, .. }
            | Input::Edit { from, .. }
            | Input::Approve { from, .. }
            | Input::Clear { from }
            | Input::Switch { from, .. } => Some(from),
            Input::Surveyed { .. }
            | Input::Reloaded { .. }
            | Input::Forked { .. }
            | Input::Resumed { .. }
            | Input::Due
            | Input::Cancel { .. }
            | Input::Stop
            | Input::StopRunning
            | Input::Drain { .. }
            | Input::Chunk { .. }
            | Input::Completion { .. } => None,
        }
    }

    /// Whether it begins a turn.
    pub fn begins_turn(&self) -> bool {
        matches!(self, Input::Message { .. } | Input::Action { .. } | Input::Retry { .. } | Input::Edit { .. })
    }

    /// Whether it starts work, so that quotas count it as a message.
    pub fn starts_work(&self) -> bool {
        self.begins_turn() || matches!(self, Input::Approve { .. })
    }

    /// The name that the client gave it.
    pub fn client_id(&self) -> Option<&ClientId> {
        if let Input::Message { client_id, .. }
        | Input::Action { client_id, .. }
        | Input::Retry { client_id, .. }
        | Input::Edit { client_id, .. }
        | Input::Approve { client_id, .. } = self
        {
            client_id.as_ref()
        } else {
            None
        }
    }
}
