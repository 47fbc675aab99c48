//! What other threads tell a shard: a queue with a bell.
//!
//! The bell rings when the first letter comes into an empty box; the shard then takes all of them. Workers wait while the
//! box is full. What shards tell one another always has its place: each connection has at most one question out, so there
//! are never more of those than connections.

use super::bounds::MAIL_MAX;
use super::errand::{Errand, Reply};
use super::handover::Handover;
use crate::contract::{Answer, CallError, CallId, Usage};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

pub(super) enum Mail {
    /// A worker has more of a call's answer. `session` is the number of the session on this shard.
    Chunk {
        session: u64,
        call: CallId,
        text: String,
    },
    Completion {
        session: u64,
        call: CallId,
        usage: Usage,
        waited_us: u64,
        outcome: Result<Answer, CallError>,
    },
    /// Another shard took a request whose session lives here.
    Errand {
        errand: Errand,
        shard: usize,
        ticket: u64,
    },
    Reply {
        ticket: u64,
        reply: Reply,
    },
    /// A WebSocket or an event stream comes to live here.
    Handover(Handover),
    /// A test report of a user, for the event streams here.
    TestReport {
        sub: Arc<str>,
        json: Arc<[u8]>,
    },
    /// Take no new turn; say when the last one has ended.
    Drain,
    /// Close all sockets and end.
    Stop,
}

#[derive(Default)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    room: Condvar,
}

#[derive(Default)]
struct Inside {
    mail: VecDeque<Mail>,
    waker: Option<Waker>,
    closed: bool,
}

impl Mailbox {
    /// Puts a letter in, however many there are.
    pub(super) fn put(&self, mail: Mail) {
        self.put_into(self.lock(), mail);
    }

    /// Puts a letter in when there is room for it. For threads that may wait.
    pub(super) fn put_when_room(&self, mail: Mail) {
        let full = |inside: &mut Inside| inside.mail.len() >= MAIL_MAX && !inside.closed;
        let inside = self.room.wait_while(self.lock(), full).expect(UNBROKEN);
        self.put_into(inside, mail);
    }

    fn put_into(&self, mut inside: MutexGuard<'_, Inside>, mail: Mail) {
        if inside.closed {
            return;
        }
        inside.mail.push_back(mail);
        let waker = inside.waker.take();
        drop(inside);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready when there is mail. The shard's own thread asks.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut inside = self.lock();
        if inside.mail.is_empty() {
            inside.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// All that has come, in order.
    pub(super) fn take(&self) -> VecDeque<Mail> {
        let mail = std::mem::take(&mut self.lock().mail);
        if mail.len() >= MAIL_MAX {
            self.room.notify_all();
        }
        mail
    }

    /// Nothing that comes from now on is read; nobody waits.
    pub(super) fn close(&self) {
        let mut inside = self.lock();
        inside.closed = true;
        inside.mail.clear();
        inside.waker = None;
        drop(inside);
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect(UNBROKEN)
    }
}

const UNBROKEN: &str = "nothing panics while it holds a mailbox";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_waits_while_the_box_is_full_and_no_longer() {
        let mailbox = Arc::new(Mailbox::default());
        let chunk = |n: usize| Mail::Chunk { session: 1, call: CallId(n as u64), text: String::new() };
        let worker = std::thread::spawn({
            let mailbox = mailbox.clone();
            move || (0..MAIL_MAX * 3).for_each(|n| mailbox.put_when_room(chunk(n)))
        });
        let mut next = 0;
        while next < MAIL_MAX * 3 {
            let mail = mailbox.take();
            assert!(mail.len() <= MAIL_MAX, "{} letters", mail.len());
            for letter in mail {
                assert!(matches!(letter, Mail::Chunk { call, .. } if call.0 == next as u64), "in order");
                next += 1;
            }
        }
        worker.join().unwrap();
        (0..MAIL_MAX).for_each(|n| mailbox.put(chunk(n)));
        mailbox.put(Mail::Drain);
        assert_eq!(mailbox.take().len(), MAIL_MAX + 1, "what is no worker's always has its place");
        mailbox.close();
        (0..MAIL_MAX * 2).for_each(|n| mailbox.put_when_room(chunk(n)));
    }
}
