//! The thread that reads what the journal keeps, for lists, histories and exports; and what the journal's own thread changes.
//!
//! Reads go beside the writer, on a connection of their own, so that a long search holds up no message. What is found becomes an
//! answer here too: event loops only pass it on.

use super::bounds::JOBS_MAX;
use super::mailbox::{Letter, Mailbox};
use crate::contract::journal::{Deleted, Name, SessionQuery, SessionRow, TurnQuery};
use crate::contract::{Code, Refusal, Time};
use crate::shard::bounds::EXPORT_BYTES_MAX;
use crate::shard::event::{JobOutcome, Ticket};
use crate::shard::identity::Key;
use crate::shard::journal_answers as answers;
use crate::shard::journal_job::{ExportFormat, Forget, JournalJob, Whose};
use crate::store::{Read, Store, StoreError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Rows that are read at once where all are wanted.
const PAGE: usize = 200;
const TOO_MANY: Refusal =
    Refusal::new(Code::Unavailable, "too many requests for kept conversations wait on this server: try again in a moment");
const BROKEN: Refusal = Refusal::new(Code::Unavailable, "something broke inside this server while it read the journal");

/// Hands questions to the thread, which ends with the last of these.
#[derive(Clone)]
pub(super) struct JournalReader(SyncSender<Waiting>);

struct Waiting {
    mailbox: Arc<Mailbox>,
    ticket: Ticket,
    job: JournalJob,
}

impl JournalReader {
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(mut store: Box<dyn Read + Send>) -> io::Result<JournalReader> {
        let (queue, waiting) = sync_channel::<Waiting>(JOBS_MAX);
        let work = move || {
            while let Ok(Waiting { mailbox, ticket, job }) = waiting.recv() {
                let outcome = catch_unwind(AssertUnwindSafe(|| read(store.as_mut(), job)));
                let outcome = outcome.unwrap_or_else(|_| JobOutcome::Reply(BROKEN.into()));
                // A shard that has ended waits for nothing.
                drop(mailbox.put(Letter::JobDone { ticket, outcome }));
            }
        };
        thread::Builder::new().name("journal reader".to_owned()).spawn(work)?;
        Ok(JournalReader(queue))
    }

    /// Has the thread read something. Where too much waits, that is the outcome, returned at once.
    pub(super) fn read(&self, mailbox: &Arc<Mailbox>, ticket: Ticket, job: JournalJob) -> Option<JobOutcome> {
        let waiting = Waiting { mailbox: mailbox.clone(), ticket, job };
        self.0.try_send(waiting).err().map(|_| JobOutcome::Reply(TOO_MANY.into()))
    }
}

fn read(store: &mut dyn Read, job: JournalJob) -> JobOutcome {
    let found = match job {
        JournalJob::Sessions(query) => sessions(store, query).map(|(rows, limit)| answers::sessions(&rows, limit)),
        JournalJob::KeptOf(query) => sessions(store, query).map(|(rows, limit)| answers::kept_of(&rows, limit)),
        JournalJob::Export { name, format } => export(store, name, format),
        JournalJob::History { name, before, turns } => {
            let query = TurnQuery { before_turn: Some(before.0), limit: turns + 1, ..of_session(name) };
            store.turns(&query).map(|rows| answers::history(&rows, turns))
        }
        JournalJob::Turn { name, turn, databases, detail_bytes_max } => {
            store.turn(&name, turn.0).map(|row| answers::turn(row, &databases, detail_bytes_max))
        }
        JournalJob::Rerun { name, wanted } => store.turn(&name, wanted.turn().0).map(|row| answers::recorded(row, wanted)),
        JournalJob::Turns { query, of_all } => {
            let limit = query.limit;
            store.turns(&TurnQuery { limit: limit + 1, with_replaced: true, ..query }).map(|rows| answers::turns(&rows, limit, of_all))
        }
        JournalJob::Rename { .. } | JournalJob::Rate { .. } | JournalJob::Delete { .. } | JournalJob::Forget(_) => {
            unreachable!("the thread that keeps the journal changes it")
        }
    };
    found.unwrap_or_else(|error| unavailable(&error, "read"))
}

/// Changes what is kept. What was appended before must be kept already.
pub(super) fn change(store: &mut dyn Store, job: JournalJob) -> JobOutcome {
    let changed = match job {
        JournalJob::Rename { name, title } => store.rename(&name, &title).and_then(|is_there| {
            let session = if is_there { session(store, &name)? } else { None };
            Ok(answers::renamed(session.as_ref()))
        }),
        JournalJob::Rate { name, turn, rating, comment } => {
            let is_there = store.rate(&name, turn.0, rating, comment.as_deref());
            is_there.map(|is_there| answers::rated(is_there, turn, rating, comment.as_deref()))
        }
        JournalJob::Delete { name, was_open } => store.delete(&name).map(|deleted| answers::deleted(&name.session, &deleted, was_open)),
        JournalJob::Forget(forget) => self::forget(store, &forget).map(|deleted| answers::forgotten(&deleted, forget.open)),
        JournalJob::Sessions(_)
        | JournalJob::KeptOf(_)
        | JournalJob::Export { .. }
        | JournalJob::History { .. }
        | JournalJob::Turn { .. }
        | JournalJob::Rerun { .. }
        | JournalJob::Turns { .. } => unreachable!("another thread reads"),
    };
    changed.unwrap_or_else(|error| unavailable(&error, "changed"))
}

fn unavailable(error: &StoreError, what: &str) -> JobOutcome {
    tracing::error!(%error, "what the journal keeps can't be {what}");
    let detail = format!("the journal can't be {what} now: {}", error.kind.advice());
    JobOutcome::Reply(Refusal::with(Code::JournalUnavailable, detail).into())
}

/// A page of sessions, with one row more where there is one.
fn sessions(store: &mut dyn Read, query: SessionQuery) -> Result<(Vec<SessionRow>, usize), StoreError> {
    let limit = query.limit;
    Ok((store.sessions(&SessionQuery { limit: limit + 1, ..query })?, limit))
}

fn session<R: Read + ?Sized>(store: &mut R, name: &Name) -> Result<Option<SessionRow>, StoreError> {
    let Name { user, session } = name.clone();
    let query = SessionQuery { user: Some(user), names: vec![session], limit: 1, ..SessionQuery::default() };
    Ok(store.sessions(&query)?.pop())
}

fn of_session(name: Name) -> TurnQuery {
    TurnQuery { user: Some(name.user), session: Some(name.session), ..TurnQuery::default() }
}

/// The latest turns of a session, as many as an export holds.
fn export(store: &mut dyn Read, name: Name, format: ExportFormat) -> Result<JobOutcome, StoreError> {
    let Some(session) = session(store, &name)? else { return Ok(answers::unknown_session()) };
    let (mut rows, mut bytes, mut is_whole) = (Vec::new(), 0, true);
    let mut query = TurnQuery { limit: PAGE, ..of_session(name) };
    'pages: loop {
        let page = store.turns(&query)?;
        let is_last = page.len() < PAGE;
        query.before_turn = page.last().map(|row| row.turn.turn);
        for row in page {
            bytes += row.turn.question.len() + row.turn.answer.len();
            if bytes > EXPORT_BYTES_MAX && !rows.is_empty() {
                is_whole = false;
                break 'pages;
            }
            rows.push(row);
        }
        if is_last {
            break;
        }
    }
    Ok(answers::export(&session, &rows, is_whole, format))
}

/// Deletes a user's sessions, page by page. One session a transaction: after an error, what is left is deleted by the next attempt.
fn forget(store: &mut dyn Store, forget: &Forget) -> Result<Deleted, StoreError> {
    let name = |session: &str| Name { user: (*forget.user).to_owned(), session: session.to_owned() };
    let mut deleted = Deleted::default();
    let (shard, shards) = match &forget.whose {
        Whose::Session(session) => return store.delete(&name(session)),
        Whose::Shard(_, 1) => return store.delete_user(&forget.user),
        Whose::Shard(shard, shards) => (*shard, *shards),
    };
    let mut query = SessionQuery { user: Some((*forget.user).to_owned()), limit: PAGE, ..SessionQuery::default() };
    loop {
        let page = store.sessions(&query)?;
        for row in &page {
            let key = Key { sub: forget.user.clone(), id: row.session.as_str().into() };
            if key.shard(shards) == shard {
                deleted.add(store.delete(&name(&row.session))?);
            }
        }
        let Some(last) = page.last().filter(|_| page.len() == PAGE) else { return Ok(deleted) };
        query.before = Some((Time(last.used_at), name(&last.session)));
    }
}
