//! One connection, whatever it speaks: its output, its reads, its deadline, and how it ends.
//!
//! Output gathers in `out` and leaves in one write per tick; what comes while a write is under way waits for the next. A
//! socket that is to end sends what it has, then its FIN, and then reads and drops what the client still sends for a bounded
//! time: closing over unread input would reset the connection, and the client would never see why.

use super::Settings;
use super::bounds::{BESIDE_BYTES_MAX, COMMENT_EVERY, LINGER_BYTES_MAX, LINGER_TIME, WRITE_BYTES, WRITE_BYTES_PER_SECOND_MIN};
use super::connection::Connection;
use super::event::{Action, Attach, ShardId, SocketId};
use super::quota::Held;
use super::stream::{Stream, TOO_FAR_BEHIND};
use super::timers::{Timer, Timers};
use crate::contract::Moment;
use crate::wire::websocket;
use std::time::Duration;

pub(super) struct Socket {
    pub(super) id: SocketId,
    pub(super) kind: Kind,
    /// Bytes to be written next.
    pub(super) out: Vec<u8>,
    is_writing: bool,
    /// Bytes of the write under way, whether or not the system has taken some of them.
    writing_bytes: usize,
    is_reading: bool,
    /// The next read, ordered at the end of the tick.
    wants: usize,
    /// Nothing is added to `out` any more; the socket ends when it is empty.
    is_closing: bool,
    /// The peer sends nothing more.
    peer_ended: bool,
    /// When the write under way began, and when it last moved.
    write_began: Moment,
    moved: Moment,
    /// The entry among the timers, which may be early.
    scheduled: Option<Moment>,
    /// Whether the end of the tick has to look at it.
    pub(super) is_touched: bool,
    /// What it was last counted with, of `input_bytes` and of `output_bytes`.
    pub(super) counted_input: usize,
    /// What its stream is counted as, until that is given back.
    pub(super) held: Held,
    pub(super) counted_output: usize,
}

pub(super) enum Kind {
    Http(Box<Connection>),
    /// A request asked for a stream: it leaves when its earlier answers are out.
    Leaving(Box<Attach>, ShardId),
    Stream(Box<Stream>),
    /// Ends; what the client still sends is dropped.
    Lingering {
        left: usize,
        until: Moment,
    },
}

/// What the end of a tick found a socket to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    Stays,
    /// It is over; the driver was told to let go.
    Closed,
    /// Its earlier answers are out, and it may become a stream.
    Leaves,
}

/// What a socket keeps to write into.
const SPARE_BYTES: usize = 1 << 10;
const LINGER_READ_BYTES: usize = 64 << 10;

impl Socket {
    pub(super) fn new(id: SocketId, kind: Kind) -> Socket {
        Socket {
            id,
            kind,
            out: Vec::new(),
            is_writing: false,
            writing_bytes: 0,
            is_reading: false,
            wants: 0,
            is_closing: false,
            peer_ended: false,
            write_began: Moment(0),
            moved: Moment(0),
            scheduled: None,
            is_touched: false,
            counted_input: 0,
            held: Held::default(),
            counted_output: 0,
        }
    }

    /// Whether more output makes sense now; if not, there will be another look when the write has ended.
    pub(super) fn takes_output(&self) -> bool {
        !self.is_writing && !self.is_closing
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    pub(super) fn is_quiet(&self) -> bool {
        !self.is_writing && self.out.is_empty()
    }

    /// Asks for a read at the end of the tick.
    pub(super) fn want(&mut self, bytes_max: usize) {
        self.wants = bytes_max;
    }

    /// Adds bytes beside the session's events. A client that lets too many gather is too far behind.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_closing() {
            return;
        }
        write(&mut self.out);
        let most = if let Kind::Stream(stream) = &self.kind { stream.beside_bytes_max() } else { BESIDE_BYTES_MAX };
        if self.out.len() > most {
            self.say_goodbye(1013, TOO_FAR_BEHIND);
        }
    }

    /// Ends a stream with a close code, behind the write that is under way; what else was to go out is dropped.
    pub(super) fn say_goodbye(&mut self, code: u16, reason: &'static str) {
        if self.is_closing() {
            return;
        }
        self.drop_output();
        if let Kind::Stream(stream) = &self.kind
            && stream.is_websocket()
        {
            websocket::write_close(&mut self.out, code, reason);
        }
        self.close();
    }

    /// Ends after what has been gathered.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
    }

    /// Drops what was gathered behind the write that is under way.
    pub(super) fn drop_output(&mut self) {
        if self.is_writing {
            self.out.clear();
        }
    }

    pub(super) fn read_ended(&mut self) {
        self.is_reading = false;
    }

    pub(super) fn ended(&mut self) {
        (self.is_reading, self.peer_ended) = (false, true);
    }

    pub(super) fn moved(&mut self, now: Moment) {
        self.moved = now;
    }

    /// A write has ended; its buffer is kept if it is small.
    pub(super) fn written(&mut self, now: Moment, mut buffer: Vec<u8>) {
        (self.is_writing, self.writing_bytes) = (false, 0);
        if self.out.capacity() == 0 && buffer.capacity() <= SPARE_BYTES {
            buffer.clear();
            self.out = buffer;
        }
        if let Kind::Http(connection) = &mut self.kind {
            connection.answered(now);
        }
    }

    /// Drops bytes of a client that is being let go; `false` when it has sent too many.
    pub(super) fn linger(&mut self, bytes: usize) -> bool {
        if let Kind::Lingering { left, .. } = &mut self.kind {
            *left = left.saturating_sub(bytes);
            self.wants = LINGER_READ_BYTES;
            return *left > 0;
        }
        // Still sending its last words: the next read waits until they are out.
        true
    }

    /// Orders this tick's one write and one read, or lets go.
    pub(super) fn flush(&mut self, now: Moment, actions: &mut Vec<Action>) -> Flushed {
        let socket = self.id;
        self.is_touched = false;
        if !self.is_writing && !self.out.is_empty() {
            let bytes = std::mem::take(&mut self.out);
            (self.is_writing, self.writing_bytes) = (true, bytes.len());
            (self.write_began, self.moved) = (now, now);
            actions.push(Action::Write { socket, bytes });
        }
        if self.is_quiet() {
            if self.peer_ended || matches!(self.kind, Kind::Lingering { left: 0, .. }) {
                actions.push(Action::Close { socket });
                return Flushed::Closed;
            }
            if self.is_closing && !matches!(self.kind, Kind::Lingering { .. }) {
                actions.push(Action::Shutdown { socket });
                self.kind = Kind::Lingering { left: LINGER_BYTES_MAX, until: now.after(LINGER_TIME) };
                self.wants = LINGER_READ_BYTES;
            }
            if matches!(self.kind, Kind::Leaving(..)) {
                return Flushed::Leaves;
            }
        }
        // A client that doesn't read its answers isn't read either.
        if self.wants > 0 && !self.is_reading && self.out.len() < WRITE_BYTES {
            actions.push(Action::Read { socket, bytes_max: self.wants });
            (self.is_reading, self.wants) = (true, 0);
        }
        Flushed::Stays
    }

    /// When to look at it next, unless something happens before.
    pub(super) fn due(&self, settings: &Settings) -> Option<Moment> {
        let stalls = self.is_writing.then(|| self.write_due(settings, if self.is_closing { self.patience() } else { 1 }));
        let kind = match &self.kind {
            // While an answer is being sent only that is timed.
            Kind::Http(_) if self.is_writing => None,
            Kind::Http(connection) => connection.due(),
            Kind::Leaving(..) => None,
            // Its goodbye is under way: only that is timed.
            Kind::Stream(_) if self.is_closing => None,
            Kind::Stream(stream) if stream.is_websocket() => {
                let ping = stream.spoken.after(settings.silence_max / 3);
                let silent = stream.received.after(settings.silence_max);
                [Some(ping), Some(silent), stream.message_due(), stream.ends].into_iter().flatten().min()
            }
            Kind::Stream(stream) => [Some(stream.spoken.after(COMMENT_EVERY)), stream.ends].into_iter().flatten().min(),
            Kind::Lingering { until, .. } => Some(*until),
        };
        [stalls, kind].into_iter().flatten().min()
    }

    /// Enters the next look among the timers, unless one is there that comes before.
    pub(super) fn schedule(&mut self, settings: &Settings, timers: &mut Timers) {
        let Some(due) = self.due(settings) else { return };
        if self.scheduled.is_some_and(|scheduled| scheduled <= due) {
            return;
        }
        self.unschedule(timers);
        timers.set(due, Timer::Socket(self.id));
        self.scheduled = Some(due);
    }

    /// Its timer has come up.
    pub(super) fn came_due(&mut self) {
        self.scheduled = None;
    }

    pub(super) fn unschedule(&mut self, timers: &mut Timers) {
        if let Some(scheduled) = self.scheduled.take() {
            timers.clear(scheduled, Timer::Socket(self.id));
        }
    }

    /// A newer token that waits for keys.
    pub(super) fn take_renewal(&mut self) -> Option<(SocketId, String)> {
        let Kind::Stream(stream) = &mut self.kind else { return None };
        stream.renewal.take().map(|token| (self.id, token))
    }

    /// Bytes that the client has sent and that wait here for the rest of a request or message.
    pub(super) fn input_bytes(&self) -> usize {
        match &self.kind {
            Kind::Http(connection) => connection.input_bytes(),
            Kind::Stream(stream) => stream.input_bytes(),
            Kind::Leaving(attach, _) => attach.leftover.len(),
            Kind::Lingering { .. } => 0,
        }
    }

    /// Bytes that wait here for the client to read.
    pub(super) fn output_bytes(&self) -> usize {
        self.out.len() + self.writing_bytes
    }

    /// When the write under way began.
    pub(super) fn writing_since(&self) -> Option<Moment> {
        self.is_writing.then_some(self.write_began)
    }

    /// When the write under way has taken too long: it stands still, or its reader is slower than any that means to read.
    fn write_due(&self, settings: &Settings, times: u32) -> Moment {
        let earned = Duration::from_secs((self.writing_bytes / WRITE_BYTES_PER_SECOND_MIN) as u64);
        let patience = settings.write_time * times;
        self.moved.after(patience).min(self.write_began.after(patience + earned))
    }

    /// How many times what one write may take one that stands still is waited for. A stream gets a goodbye first, and is cut after
    /// the same time again; a client that has gone needs none.
    pub(super) fn patience(&self) -> u32 {
        if matches!(self.kind, Kind::Stream(_)) && !self.peer_ended { 2 } else { 1 }
    }

    /// Whether a write has taken more than so many times what one may take.
    pub(super) fn is_stuck(&self, now: Moment, settings: &Settings, times: u32) -> bool {
        self.is_writing && now >= self.write_due(settings, times)
    }
}
