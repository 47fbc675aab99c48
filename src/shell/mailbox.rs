//! What reaches a shard from other threads: a queue that wakes the shard when something enters it while it is empty.
//!
//! Workers wait while the queue is full. Shards never wait for one another: a connection has at most one request out, so
//! there are never more of those than connections, and a shard has at most one mail of counts out. Test reports are dropped when it is full.

use super::bounds::{MAIL_BYTES_MAX, MAIL_MAX};
use super::handover::Handover;
use crate::auth::News;
use crate::contract::journal::Name;
use crate::contract::{Answer, CallError, CallId, Refusal, Usage};
use crate::shard;
use crate::shard::event::{Found, JobOutcome, Mail, SessionId, Ticket};
use crate::shard::identity::Key;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

pub(super) enum Letter {
    Chunk {
        session: SessionId,
        call: CallId,
        text: String,
    },
    Completion {
        session: SessionId,
        call: CallId,
        usage: Usage,
        waited_us: u64,
        outcome: Result<Answer, CallError>,
    },
    Mail(Mail),
    Arrival(Handover),
    JobDone {
        ticket: Ticket,
        outcome: JobOutcome,
    },
    News(News),
    /// The journal has kept everything up to this batch.
    Durable {
        batch: u64,
    },
    Loaded {
        key: Key,
        outcome: Box<Result<Found, Refusal>>,
    },
    JournalState {
        broken: Option<Refusal>,
    },
    /// Another server has loaded a session: what this one had to add is dropped.
    Fenced {
        key: Key,
        generation: u32,
    },
    /// Sessions to load.
    Wake(Vec<Key>),
    /// New rules; who waits until they are taken is told so.
    Reload {
        rules: Arc<shard::Settings>,
        done: Sender<()>,
    },
    /// Asks whether the loop turns.
    Turn,
    /// Asks which sessions are in memory.
    Names(Sender<Vec<Name>>),
    Drain,
    Stop,
}

#[derive(Default)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    room: Condvar,
    has_mail: AtomicBool,
}

#[derive(Default)]
struct Inside {
    letters: VecDeque<Letter>,
    /// Of the texts in `letters`.
    bytes: usize,
    waker: Option<Waker>,
    closed: bool,
}

impl Mailbox {
    /// Enqueues a letter, however many there are; returns it if the shard has ended.
    pub(super) fn put(&self, letter: Letter) -> Option<Letter> {
        let inside = self.lock();
        // The one kind of mail that nobody waits for. The next report says again how the tests stand.
        if matches!(letter, Letter::Mail(Mail::TestReport { .. })) && inside.is_full() {
            drop(inside);
            tracing::warn!("a test report was dropped on its way to another shard, which is too busy");
            return None;
        }
        self.put_into(inside, letter)
    }

    /// Enqueues a letter once there is room; drops it if the shard has ended. For threads that may wait.
    pub(super) fn put_when_room(&self, letter: Letter) {
        let inside = self.room.wait_while(self.lock(), |inside| inside.is_full() && !inside.closed).expect(UNPOISONED);
        drop(self.put_into(inside, letter));
    }

    fn put_into(&self, mut inside: MutexGuard<'_, Inside>, letter: Letter) -> Option<Letter> {
        if inside.closed {
            return Some(letter);
        }
        inside.bytes += letter.bytes();
        inside.letters.push_back(letter);
        self.has_mail.store(true, Ordering::Release);
        let waker = inside.waker.take();
        drop(inside);
        waker.into_iter().for_each(Waker::wake);
        None
    }

    pub(super) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Ready when there is mail, else wakes the task when some comes.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut inside = self.lock();
        if inside.letters.is_empty() {
            inside.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Everything that has come, in order.
    pub(super) fn take(&self) -> VecDeque<Letter> {
        let mut inside = self.lock();
        self.has_mail.store(false, Ordering::Release);
        let was_full = inside.is_full();
        inside.bytes = 0;
        let letters = std::mem::take(&mut inside.letters);
        drop(inside);
        if was_full {
            self.room.notify_all();
        }
        letters
    }

    /// Nothing is accepted from now on, and nobody waits; returns what nobody will handle.
    pub(super) fn close(&self) -> VecDeque<Letter> {
        let mut inside = self.lock();
        inside.closed = true;
        inside.waker = None;
        let letters = std::mem::take(&mut inside.letters);
        drop(inside);
        self.room.notify_all();
        letters
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect(UNPOISONED)
    }
}

impl Inside {
    fn is_full(&self) -> bool {
        self.letters.len() >= MAIL_MAX || self.bytes >= MAIL_BYTES_MAX
    }
}

const UNPOISONED: &str = "nothing panics while it holds a mailbox";

impl Letter {
    /// The part of its memory that grows with what a model or a test says.
    fn bytes(&self) -> usize {
        match self {
            Letter::Chunk { text, .. } => text.len(),
            Letter::Completion { outcome: Ok(answer), .. } => answer.text.len(),
            Letter::Mail(Mail::TestReport { json, .. }) => json.len(),
            Letter::Mail(Mail::Report { report, .. }) => report.values().map(|value| value.to_string().len()).sum(),
            Letter::Completion { outcome: Err(_), .. }
            | Letter::Mail(Mail::Operation { .. } | Mail::Reply { .. } | Mail::Counts { .. } | Mail::Counted)
            | Letter::Mail(Mail::RollCall { .. } | Mail::Present { .. })
            | Letter::Arrival(_)
            | Letter::JobDone { .. }
            | Letter::News(_)
            | Letter::Durable { .. }
            | Letter::Loaded { .. }
            | Letter::JournalState { .. }
            | Letter::Wake(_)
            | Letter::Fenced { .. }
            | Letter::Reload { .. }
            | Letter::Turn
            | Letter::Names(_)
            | Letter::Drain
            | Letter::Stop => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(n: usize, bytes: usize) -> Letter {
        Letter::Chunk { session: SessionId(1), call: CallId(n as u64), text: "x".repeat(bytes) }
    }

    #[test]
    fn workers_wait_while_it_is_full_by_count_or_bytes() {
        for (bytes, at_most) in [(0, MAIL_MAX), (MAIL_BYTES_MAX / 4, 4)] {
            let mailbox = Arc::new(Mailbox::default());
            let worker = std::thread::spawn({
                let mailbox = mailbox.clone();
                move || (0..at_most * 3).for_each(|n| mailbox.put_when_room(chunk(n, bytes)))
            });
            let mut next = 0;
            while next < at_most * 3 {
                let letters = mailbox.take();
                assert!(letters.len() <= at_most, "{} letters of {bytes} bytes", letters.len());
                for letter in letters {
                    assert!(matches!(letter, Letter::Chunk { call, .. } if call.0 == next as u64), "in order");
                    next += 1;
                }
            }
            worker.join().unwrap();
        }
    }

    #[test]
    fn shards_never_wait_and_an_ended_shard_takes_nothing() {
        let mailbox = Mailbox::default();
        (0..MAIL_MAX).for_each(|n| assert!(mailbox.put(chunk(n, 0)).is_none()));
        assert!(mailbox.put(Letter::Drain).is_none());
        let report = || Letter::Mail(Mail::TestReport { sub: "u".into(), json: [].into() });
        assert!(mailbox.put(report()).is_none(), "dropped");
        assert_eq!(mailbox.close().len(), MAIL_MAX + 1);
        assert!(matches!(mailbox.put(Letter::Stop), Some(Letter::Stop)));
        (0..MAIL_MAX * 2).for_each(|n| mailbox.put_when_room(chunk(n, 1)));
        assert!(mailbox.take().is_empty());
    }
}
