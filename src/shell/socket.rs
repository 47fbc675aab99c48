//! The outgoing side of a WebSocket or an event stream.
//!
//! At most one write is under way. What comes meanwhile gathers behind it and goes out in one piece; the events of a
//! session are not even copied before it is their turn: they wait in the session's log, see [`super::watchers`].

use super::bounds::{BESIDE_BYTES_MAX, LINGER_TIME};
use super::clock::{after, micros};
use super::handover::Show;
use super::line::Line;
use super::shard::Shard;
use crate::contract::Time;
use crate::wire::websocket;
use monoio::io::OwnedWriteHalf;
use monoio::net::TcpStream;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

pub(super) struct Socket {
    pub(super) number: u64,
    pub(super) show: Show,
    pub(super) line: Rc<Line>,
    /// Bytes to be sent next.
    out: RefCell<Vec<u8>>,
    /// Here while no write is under way.
    half: RefCell<Option<OwnedWriteHalf<TcpStream>>>,
    /// The shard has more for it when the write has ended.
    waits: Cell<bool>,
    /// Ends when `out` has been sent.
    closing: Cell<bool>,
    /// When the write under way made its last step.
    moved: Cell<Option<Time>>,
    heard: Cell<Time>,
    spoken: Cell<Time>,
}

/// The reason that goes with 1013.
pub(super) const TOO_FAR_BEHIND: &str = "too far behind: connect again, with `since`";

/// What a socket keeps to write into.
const SPARE_BYTES: usize = 1 << 10;

impl Socket {
    pub(super) fn new(number: u64, show: Show, line: Rc<Line>, half: OwnedWriteHalf<TcpStream>, head: Vec<u8>, now: Time) -> Self {
        Socket {
            number,
            show,
            line,
            out: RefCell::new(head),
            half: RefCell::new(Some(half)),
            waits: Cell::new(false),
            closing: Cell::new(false),
            moved: Cell::new(None),
            heard: Cell::new(now),
            spoken: Cell::new(now),
        }
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.show != Show::Events
    }

    /// Whether it can take more now. If not, the shard is told when it can.
    pub(super) fn takes(&self) -> bool {
        let takes = self.half.borrow().is_some() && !self.closing.get();
        self.waits.set(!takes);
        takes
    }

    /// The shard is told when the next write has ended.
    pub(super) fn wants_more(&self) {
        self.waits.set(true);
    }

    /// Adds bytes to what goes out next.
    pub(super) fn push(&self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.closing.get() {
            return;
        }
        let mut out = self.out.borrow_mut();
        write(&mut out);
        let too_much = out.len() > BESIDE_BYTES_MAX;
        drop(out);
        if too_much {
            self.close(1013, TOO_FAR_BEHIND);
        }
    }

    /// A client's sign of life.
    pub(super) fn hear(&self, now: Time) {
        self.heard.set(now);
    }

    pub(super) fn silence(&self, now: Time) -> u64 {
        now.since(self.heard.get())
    }

    /// Microseconds since the last ping or comment.
    pub(super) fn quiet(&self, now: Time) -> u64 {
        now.since(self.spoken.get())
    }

    pub(super) fn speak(&self, now: Time) {
        self.spoken.set(now);
    }

    /// Lets go of a reader that takes nothing: with a goodbye that it finds when it reads on, then without.
    pub(super) fn lose_patience(&self, now: Time, write_time: Duration) {
        let stalled = self.moved.get().map_or(0, |moved| now.since(moved));
        if stalled > 2 * micros(write_time) {
            self.line.cut();
        } else if stalled > micros(write_time) {
            self.close(1013, TOO_FAR_BEHIND);
        }
    }

    /// Says goodbye behind the write that is under way, if any; what else was to go out is dropped.
    pub(super) fn close(&self, code: u16, reason: &'static str) {
        if self.closing.replace(true) {
            return;
        }
        let mut out = self.out.borrow_mut();
        if self.half.borrow().is_none() {
            out.clear();
        }
        if self.is_websocket() {
            websocket::write_close(&mut out, code, reason);
        }
    }

    /// Ends after what has been gathered: the client has said goodbye, and the answer to it stands in `out`.
    pub(super) fn finish(&self) {
        self.closing.set(true);
    }

    /// Sends what has been gathered, unless a write is under way: that one goes on with it.
    pub(super) fn flush(self: &Rc<Self>, shard: &Rc<Shard>) {
        if self.out.borrow().is_empty() && !self.closing.get() {
            return;
        }
        if let Some(half) = self.half.borrow_mut().take() {
            monoio::spawn(self.clone().send(shard.clone(), half, self.out.take()));
        }
    }

    async fn send(self: Rc<Self>, shard: Rc<Shard>, mut half: OwnedWriteHalf<TcpStream>, mut bytes: Vec<u8>) {
        let moved = || self.moved.set(Some(shard.clock.now()));
        while !bytes.is_empty() {
            moved();
            let (result, mut sent) = self.line.write(&mut half, bytes, moved).await;
            self.moved.set(None);
            if result.is_err() {
                // The reader finds its read cancelled, and takes the socket out.
                return self.line.cut();
            }
            // An idle socket keeps no more than a small buffer.
            sent.clear();
            let spare = if sent.capacity() <= SPARE_BYTES { sent } else { Vec::new() };
            bytes = self.out.replace(spare);
        }
        if self.closing.get() {
            // Dropping this half tells the peer that nothing follows; the reader waits a moment for its goodbye.
            self.line.set_due(Some(after(shard.clock.now(), LINGER_TIME)));
            return;
        }
        *self.half.borrow_mut() = Some(half);
        if self.waits.replace(false) {
            shard.socket_takes_again(self.number);
        }
    }
}
