//! What a shard wants of the journal beside appends and loads: lists, exports, ratings, deletions. Plain data.
//!
//! Two threads do it (`shell/journal.rs`, `shell/journal_reader.rs`): one reads, the one that keeps the journal changes it, behind
//! what was appended before. What they find becomes an answer in `journal_answers.rs`.

use super::address::Address;
use super::fork::Fork;
use super::ids::ShardId;
use super::rerun::Wanted;
use crate::contract::journal::{Append, DeliveryStatus, Name, SessionQuery, TurnQuery};
use crate::contract::{Caller, Code, DatabaseInfo, Refusal, TurnDetail, TurnId};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub enum JournalJob {
    /// `/api/sessions`
    Sessions(SessionQuery),
    /// The part of `/api/me` that the journal has.
    KeptOf(SessionQuery),
    Export {
        name: Name,
        format: ExportFormat,
    },
    /// At most `turns` turns before this one.
    History {
        name: Name,
        before: TurnId,
        turns: usize,
    },
    /// `/api/turn`: a turn with its rating, which only the journal has.
    Turn {
        name: Name,
        turn: TurnId,
        shown: Box<Shown>,
    },
    /// The turn of a call that is to be made again.
    Rerun {
        name: Name,
        wanted: Box<Wanted>,
    },
    /// `/api/turn/test`: a turn as a suite with its cassette.
    TurnTest {
        name: Name,
        turn: TurnId,
    },
    /// `/api/turns`. `of_all`: of all users, who are then named.
    Turns {
        query: TurnQuery,
        of_all: bool,
    },
    Rename {
        name: Name,
        title: String,
    },
    Rate {
        name: Name,
        turn: TurnId,
        rating: Option<i8>,
        comment: Option<String>,
    },
    /// Delete a session, which its shard has let go of. `was_open`: it was in memory.
    Delete {
        name: Name,
        was_open: bool,
    },
    Forget(Forget),
    /// `/api/sessions/fork`: the thread that reads makes the new session, and hands it to the other as [`JournalJob::KeepFork`].
    Fork {
        fork: Box<Fork>,
        message: Option<Box<Sent>>,
    },
    KeepFork(Box<KeepFork>),
}

/// What [`crate::wire::json::turn`] needs beside what the journal has of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub databases: Vec<DatabaseInfo>,
    pub detail_bytes_max: usize,
    /// The turn itself, while its session has it in memory, and what is known of its webhook.
    pub in_memory: Option<(TurnDetail, Option<DeliveryStatus>)>,
}

/// A new session that is to be kept. Its generation is to be above this one.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepFork {
    pub to: Name,
    pub turn: TurnId,
    pub appends: Vec<Append>,
    pub generation: u32,
    pub message: Option<Box<Sent>>,
}

/// A message that the new session gets once it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub text: String,
    pub from: Caller,
    pub address: Option<Address>,
}

/// Delete what the journal keeps of a user.
///
/// Each shard orders this for its own sessions when it has let go of them: behind all that it has appended of them, and before
/// it loads any of them again. So no append brings back what was deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Forget {
    pub user: Arc<str>,
    pub whose: Whose,
    /// Sessions that the shard had in memory, where the answer is to count them.
    pub open: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    Markdown,
    Json,
}

/// Which of a user's sessions.
#[derive(Clone, Debug, PartialEq)]
pub enum Whose {
    /// Those that live on this shard, of so many.
    Shard(ShardId, usize),
    /// The one of this name.
    Session(Arc<str>),
}

impl JournalJob {
    /// Whose data it deletes: a user's, and of which session if not of all that a shard has.
    pub fn deletes(&self) -> Option<(Arc<str>, Option<Arc<str>>)> {
        match self {
            JournalJob::Delete { name, .. } => Some((name.user.as_str().into(), Some(name.session.as_str().into()))),
            JournalJob::Forget(Forget { user, whose: Whose::Session(session), .. }) => Some((user.clone(), Some(session.clone()))),
            JournalJob::Forget(Forget { user, whose: Whose::Shard(..), .. }) => Some((user.clone(), None)),
            _ => None,
        }
    }

    /// Whether it changes the journal.
    pub fn changes(&self) -> bool {
        match self {
            JournalJob::Rename { .. }
            | JournalJob::Rate { .. }
            | JournalJob::Delete { .. }
            | JournalJob::Forget(_)
            | JournalJob::KeepFork(_) => true,
            JournalJob::Sessions(_)
            | JournalJob::KeptOf(_)
            | JournalJob::Export { .. }
            | JournalJob::History { .. }
            | JournalJob::Turn { .. }
            | JournalJob::Rerun { .. }
            | JournalJob::TurnTest { .. }
            | JournalJob::Turns { .. }
            | JournalJob::Fork { .. } => false,
        }
    }
}

pub const NO_JOURNAL: Refusal = Refusal::new(
    Code::NoJournal,
    "this server keeps conversations in memory only: nothing is listed, exported or rated (operators: see `--durability`)",
);

pub const SESSION_EXISTS: Refusal = Refusal::new(Code::SessionExists, "there is a session of this name already: choose another for `to`");
