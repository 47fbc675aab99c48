//! The thread that reads what the journal keeps, for lists, histories and exports; and what the journal's own thread changes.
//!
//! Reads go beside the writer, on a connection of their own, so that a long search holds up no message. What is found becomes an
//! answer here too: event loops only pass it on.

use super::bounds::JOBS_MAX;
use super::mailbox::{Letter, Mailbox};
use crate::contract::journal::{Deleted, Name, Record, SessionQuery, SessionRow, TurnQuery};
use crate::contract::{Code, Refusal, Time, TurnId, micros};
use crate::shard::bounds::{EXPORT_BYTES_MAX, PLAYED_BYTES_MAX};
use crate::shard::event::{JobOutcome, Ticket};
use crate::shard::fork::{self, Fork, Made};
use crate::shard::identity::Key;
use crate::shard::journal_answers as answers;
use crate::shard::journal_job::{ExportFormat, Forget, JournalJob, KeepFork, SESSION_EXISTS, Sent, Whose};
use crate::shard::material::{self, Material};
use crate::shard::restore;
use crate::store::{Read, Store, StoreError};
use crate::work::tape::{Seen, Taken};
use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

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
    then: Box<Then>,
}

/// Hands a job on to the thread that changes the journal.
pub(super) type Then = dyn FnOnce(Box<JournalJob>) + Send;

impl JournalReader {
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(mut store: Box<dyn Read + Send>) -> io::Result<JournalReader> {
        let (queue, waiting) = sync_channel::<Waiting>(JOBS_MAX);
        let work = move || {
            while let Ok(Waiting { mailbox, ticket, job, then }) = waiting.recv() {
                let found = catch_unwind(AssertUnwindSafe(|| match job {
                    JournalJob::Fork { fork, message } => fork_session(store.as_mut(), &fork, message),
                    job => Ok(read(store.as_mut(), job)),
                }));
                let outcome = match found.unwrap_or_else(|_| Ok(JobOutcome::Reply(BROKEN.into()))) {
                    Ok(outcome) => outcome,
                    Err(job) => {
                        then(job);
                        continue;
                    }
                };
                // A shard that has ended waits for nothing.
                drop(mailbox.put(Letter::JobDone { ticket, outcome }));
            }
        };
        thread::Builder::new().name("journal reader".to_owned()).spawn(work)?;
        Ok(JournalReader(queue))
    }

    /// Has the thread read something. Where too much waits, that is the outcome, returned at once.
    pub(super) fn read(&self, mailbox: &Arc<Mailbox>, ticket: Ticket, job: JournalJob, then: Box<Then>) -> Option<JobOutcome> {
        let waiting = Waiting { mailbox: mailbox.clone(), ticket, job, then };
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
        JournalJob::Turn { name, turn, shown } => match store.turn(&name, turn.0) {
            Ok(row) => Ok(answers::turn(Some(row), *shown)),
            Err(error) if shown.in_memory.is_some() => {
                tracing::warn!(%error, "a turn is shown without its rating: the journal can't be read");
                Ok(answers::turn(None, *shown))
            }
            Err(error) => Err(error),
        },
        JournalJob::Rerun { name, wanted } => store.turn(&name, wanted.turn().0).map(|row| answers::recorded(row, wanted)),
        JournalJob::TurnTest { name, turn } => turn_test(store, &name, turn),
        JournalJob::Turns { query, of_all } => {
            let limit = query.limit;
            store.turns(&TurnQuery { limit: limit + 1, with_replaced: true, ..query }).map(|rows| answers::turns(&rows, limit, of_all))
        }
        JournalJob::Fork { .. }
        | JournalJob::KeepFork(_)
        | JournalJob::Rename { .. }
        | JournalJob::Rate { .. }
        | JournalJob::Delete { .. }
        | JournalJob::Forget(_) => {
            unreachable!("the thread that keeps the journal changes it, and forks are made elsewhere")
        }
    };
    found.unwrap_or_else(|error| unavailable(&error, "read"))
}

/// Does a job as the two threads do it, on one store.
#[cfg(test)]
pub(crate) fn do_both(store: &mut dyn Store, job: JournalJob) -> JobOutcome {
    match job {
        JournalJob::Fork { fork, message } => match fork_session(store, &fork, message) {
            Ok(outcome) => outcome,
            Err(job) => change(store, *job),
        },
        job if job.changes() => change(store, job),
        job => read(store, job),
    }
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
        JournalJob::KeepFork(fork) => keep_fork(store, *fork),
        JournalJob::Forget(forget) => self::forget(store, &forget).map(|deleted| answers::forgotten(&deleted, forget.open)),
        JournalJob::Sessions(_)
        | JournalJob::KeptOf(_)
        | JournalJob::Export { .. }
        | JournalJob::History { .. }
        | JournalJob::Turn { .. }
        | JournalJob::Rerun { .. }
        | JournalJob::TurnTest { .. }
        | JournalJob::Turns { .. }
        | JournalJob::Fork { .. } => unreachable!("another thread reads"),
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

/// Makes a session out of another one, as the job that keeps it; or says why not.
fn fork_session(store: &mut dyn Read, fork: &Fork, message: Option<Box<Sent>>) -> Result<JobOutcome, Box<JournalJob>> {
    let made = match make_fork(store, fork) {
        Ok(Ok(made)) => made,
        Ok(Err(outcome)) => return Ok(outcome),
        Err(error) => return Ok(unavailable(&error, "read")),
    };
    let Made { appends, generation, library: _ } = made;
    Err(Box::new(JournalJob::KeepFork(Box::new(KeepFork { to: fork.to.clone(), turn: fork.turn, appends, generation, message }))))
}

fn make_fork(store: &mut dyn Read, wanted: &Fork) -> Result<Result<Made, JobOutcome>, StoreError> {
    let Some(session) = session(store, &wanted.of)? else { return Ok(Err(answers::unknown_session())) };
    if session.bytes > PLAYED_BYTES_MAX {
        return Ok(Err(answers::too_large_to_fork()));
    }
    // What was cleared is shown no more, and so are its beginnings.
    if store.turn(&wanted.of, wanted.turn.0)?.is_some_and(|row| row.is_hidden) {
        return Ok(Err(answers::turn_not_kept()));
    }
    let store = RefCell::new(store);
    let mut libraries = |hash: &str| restore::kept_library(hash, &store.borrow_mut().library(hash).ok().flatten()?);
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros);
    let made = fork::fork(records(&store, &wanted.of), &mut libraries, wanted, Time(at))?;
    Ok(made.map_err(|why| answers::not_forked(&why)))
}

/// A turn as a suite with its cassette.
fn turn_test(store: &mut dyn Read, name: &Name, turn: TurnId) -> Result<JobOutcome, StoreError> {
    let Some(session) = session(store, name)? else { return Ok(answers::unknown_session()) };
    if session.bytes > PLAYED_BYTES_MAX {
        return Ok(answers::too_large_to_test());
    }
    if store.turn(name, turn.0)?.is_none_or(|row| row.is_hidden) {
        return Ok(answers::turn_not_kept());
    }
    let store = RefCell::new(store);
    let mut libraries = |hash: &str| restore::kept_library(hash, &store.borrow_mut().library(hash).ok().flatten()?);
    let found = material::of_turn(records(&store, name), &mut libraries, turn)?;
    let taken = found.and_then(|Material { turns, history, events, known }| {
        Taken::of(&Seen { session: name.session.clone(), turns, history, events, known })
    });
    Ok(match taken {
        Ok(Taken { name, suite, cassette }) => answers::turn_test(&name, &suite, &cassette),
        Err(why) => answers::not_testable(why),
    })
}

/// All records of a session, page by page.
fn records<'s>(store: &'s RefCell<&mut dyn Read>, name: &'s Name) -> impl Iterator<Item = Result<Record, StoreError>> + 's {
    let (mut next, mut page) = (1, Vec::new().into_iter());
    std::iter::from_fn(move || {
        if page.len() == 0 {
            match store.borrow_mut().records(name, next, PAGE) {
                Ok(more) => page = more.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
        let record: Record = page.next()?;
        next = record.number + 1;
        Some(Ok(record))
    })
}

/// Keeps a session that was forked, unless there is one of its name.
fn keep_fork(store: &mut dyn Store, mut fork: KeepFork) -> Result<JobOutcome, StoreError> {
    if !store.records(&fork.to, 1, 1)?.is_empty() {
        return Ok(JobOutcome::Reply(SESSION_EXISTS.into()));
    }
    // A server that found no such session meanwhile can't append to this one.
    let generation = store.load(&fork.to)?.generation.max(fork.generation).saturating_add(1);
    fork.appends.iter_mut().for_each(|append| append.generation = generation);
    store.append(&fork.appends)?;
    Ok(answers::forked(fork))
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
