//! Why something was refused or failed: a stable code for programs, and a sentence for people.
//!
//! Every code that a client can ever see is in [`Code`], with the HTTP status that goes with it. Tests and clients compare
//! codes, never sentences.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A refusal reaches only its sender, and is never journaled. On HTTP it is the body `{"detail", "code"}`; on a chat socket
/// it is a `done` with `"refused": true`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: Code,
    /// What was wrong and what to do, in one sentence, lower case, without a full stop.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    pub const fn new(code: Code, detail: &'static str) -> Refusal {
        Refusal { code, detail: Cow::Borrowed(detail) }
    }

    pub fn with(code: Code, detail: String) -> Refusal {
        Refusal { code, detail: Cow::Owned(detail) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Refusal {}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $name:literal $status:literal,)*) => {
        /// A stable, machine-readable reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// As clients see it.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)* }
            }
        }
    };
}

codes! {
    // The request as such.
    BadRequest "bad_request" 400,
    InvalidJson "invalid_json" 400,
    /// Nested too deeply, or with too many values.
    JsonTooComplex "json_too_complex" 400,
    BodyMissing "body_missing" 400,
    InvalidParameter "invalid_parameter" 400,
    InvalidSession "invalid_session" 400,
    InvalidClientId "invalid_client_id" 400,
    InvalidWebSocketKey "invalid_websocket_key" 400,
    NotFound "not_found" 404,
    MethodNotAllowed "method_not_allowed" 405,
    RequestTimeout "request_timeout" 408,
    PreconditionFailed "precondition_failed" 412,
    BodyTooLarge "body_too_large" 413,
    UriTooLong "uri_too_long" 414,
    UnsupportedMediaType "unsupported_media_type" 415,
    ExpectationFailed "expectation_failed" 417,
    /// The target is not for this connection.
    Misdirected "misdirected" 421,
    UpgradeRequired "upgrade_required" 426,
    HeadTooLarge "head_too_large" 431,
    NotImplemented "not_implemented" 501,
    UnsupportedVersion "unsupported_version" 505,
    // Who sends it.
    /// The page that sends it comes from another site: see `--allow-origin`.
    ForeignOrigin "foreign_origin" 403,
    /// The `Host` is none of ours: see `--host`.
    UnknownHost "unknown_host" 403,
    MissingToken "missing_token" 401,
    InvalidToken "invalid_token" 401,
    TokenExpired "token_expired" 401,
    /// A token that only the issuer can read.
    OpaqueToken "opaque_token" 401,
    /// An API key that may not do this.
    MissingScope "missing_scope" 403,
    /// Only for administrators.
    MissingRole "missing_role" 403,
    /// The issuer's keys are not here yet.
    SignInUnavailable "sign_in_unavailable" 503,
    // What it says.
    MessageMissing "message_missing" 400,
    MessageBlank "message_blank" 400,
    MessageTooLarge "message_too_large" 413,
    MessageBinary "message_binary" 400,
    UnknownType "unknown_type" 400,
    InvalidReport "invalid_report" 400,
    InvalidSuite "invalid_suite" 400,
    NodeWithoutPrompt "node_without_prompt" 400,
    InvalidWebhook "invalid_webhook" 400,
    /// No address is allowed: see `--webhook-allow`.
    WebhooksDisabled "webhooks_disabled" 403,
    /// The address is not below one that is allowed.
    WebhookNotAllowed "webhook_not_allowed" 403,
    UnknownGraph "unknown_graph" 404,
    UnknownNode "unknown_node" 404,
    UnknownSuite "unknown_suite" 404,
    /// The user has no such session.
    UnknownSession "unknown_session" 404,
    /// The session knows no such turn.
    UnknownTurn "unknown_turn" 404,
    /// It has had it, and keeps it no longer or not yet.
    TurnNotKept "turn_not_kept" 404,
    /// The turn has no such call.
    UnknownCall "unknown_call" 404,
    /// Users may not have recorded calls made again: see `--rerun`.
    RerunDisabled "rerun_disabled" 403,
    /// It can't be played again by itself, so there is no test of it.
    TurnNotTestable "turn_not_testable" 409,
    /// There is a session of the name that a new one is to get.
    SessionExists "session_exists" 409,
    /// A session that large is forked on the command line.
    ForkTooLarge "fork_too_large" 413,
    /// The server keeps sessions in memory only: see `--durability`.
    NoJournal "no_journal" 404,
    // How much they may use, each with `Retry-After`.
    /// Too many requests or messages in a minute.
    RateLimited "rate_limited" 429,
    /// Too many sockets and event streams at once.
    TooManyStreams "too_many_streams" 429,
    /// Too many turns at once.
    TooManyTurns "too_many_turns" 429,
    /// Today's turns, tokens or cost.
    BudgetUsedUp "budget_used_up" 429,
    // What the session or server does now.
    /// As many deliveries wait as may.
    WebhooksFull "webhooks_full" 503,
    /// A turn of this session is running or waiting.
    SessionBusy "session_busy" 409,
    /// A turn is running or waiting, and the request is for a session that rests.
    TurnInProgress "turn_in_progress" 409,
    /// The conversation has no turn that could be tried again.
    NothingToRetry "nothing_to_retry" 409,
    /// Only the last turn can be tried again: see `/api/turn/edit`.
    NotLastTurn "not_last_turn" 409,
    /// As many messages wait behind the running turn as may.
    QueueFull "queue_full" 409,
    StaleControl "stale_control" 409,
    /// Nobody approved in time what the graph wants approved.
    ApprovalExpired "approval_expired" 409,
    /// A person declined what the graph wants approved.
    ApprovalDeclined "approval_declined" 409,
    TestsRunning "tests_running" 409,
    /// The checks of `doctor` run already.
    DoctorRunning "doctor_running" 409,
    TestsDisabled "tests_disabled" 403,
    ResultsFull "results_full" 503,
    Draining "draining" 503,
    ConnectionsFull "connections_full" 503,
    SessionsFull "sessions_full" 503,
    /// The byte budget of this shard is used up.
    MemoryFull "memory_full" 503,
    /// Another shard did not answer in time.
    ShardTimeout "shard_timeout" 503,
    /// The system refuses what the server needs for this.
    Unavailable "unavailable" 503,
    SessionBroken "session_broken" 500,
    /// The journal can't be written or read now: see `/readyz`.
    JournalUnavailable "journal_unavailable" 503,
    /// A message was taken, and the journal can't confirm it: it may run all the same.
    Unconfirmed "unconfirmed" 503,
    /// Another server goes on with the session: what this one had not kept of it is lost.
    SessionMoved "session_moved" 503,
    /// The server ended while the turn ran.
    CutOff "cut_off" 500,
    // Why a call failed, and with it a turn.
    /// Too many calls wait for a worker.
    CallsFull "calls_full" 503,
    ModelTimeout "model_timeout" 504,
    ModelUnreachable "model_unreachable" 502,
    /// The provider refuses the key.
    ModelUnauthorized "model_unauthorized" 502,
    /// The provider knows no such model, or has nothing at this address.
    ModelNotFound "model_not_found" 502,
    /// The account has no credit left: waiting doesn't help.
    ModelQuotaExhausted "model_quota_exhausted" 502,
    ModelRateLimited "model_rate_limited" 503,
    ModelOverloaded "model_overloaded" 503,
    ModelRejected "model_rejected" 502,
    ModelFailed "model_failed" 502,
    ModelTruncated "model_truncated" 502,
    ModelUnreadable "model_unreadable" 502,
    ModelTooLarge "model_too_large" 502,
    CallPanicked "call_panicked" 500,
    CallCancelled "call_cancelled" 503,
    DatabaseFailed "database_failed" 502,
    NotOnTape "not_on_tape" 500,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_snake_case_and_serialize_as_their_names() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        for code in Code::ALL {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(code.name().bytes().all(plain), "{code}");
            assert!((400..600).contains(&code.status()), "{code}");
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
