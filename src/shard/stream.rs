//! A socket that shows something for good: a WebSocket or an event stream.

use super::bounds::{BESIDE_BYTES_MAX, FRAME_BYTES_MAX};
use super::event::{SessionId, Show};
use super::socket::Socket;
use crate::contract::{Caller, Moment, Seq};
use crate::wire::websocket::{self, Codec};
use std::sync::Arc;

pub(super) struct Stream {
    pub(super) show: Show,
    /// Its session; none for one that shows tests.
    pub(super) session: Option<SessionId>,
    pub(super) sub: Arc<str>,
    pub(super) caller: Caller,
    /// Reads a WebSocket's frames.
    codec: Codec,
    /// The last event that it was shown.
    pub(super) shown: Seq,
    /// When its client last sent something, and when we last pinged or commented.
    pub(super) received: Moment,
    pub(super) spoken: Moment,
    /// Bytes that came since its last whole message.
    partial_bytes: usize,
    /// The last read was full: more is likely to follow.
    is_bursting: bool,
}

/// The reason that goes with 1013.
pub(super) const TOO_FAR_BEHIND: &str = "too far behind: reconnect with `since`";

/// What an idle socket reads into, and what it takes while much comes.
const IDLE_READ_BYTES: usize = 512;
const BURST_READ_BYTES: usize = 16 << 10;

impl Stream {
    pub(super) fn new(show: Show, sub: Arc<str>, caller: Caller, now: Moment) -> Stream {
        Stream {
            show,
            session: None,
            sub,
            caller,
            codec: Codec::new(FRAME_BYTES_MAX),
            shown: Seq(0),
            received: now,
            spoken: now,
            partial_bytes: 0,
            is_bursting: false,
        }
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.show != Show::Events
    }

    /// Takes what was read. An event stream's client has nothing to say.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Moment) {
        self.received = now;
        self.is_bursting = bytes.len() == self.read_bytes();
        if self.is_websocket() {
            self.partial_bytes += bytes.len();
            self.codec.feed(bytes);
        }
    }

    /// The next thing that the client sent, if all of it is here; what the protocol answers goes to `out`.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Option<websocket::Received> {
        let next = self.codec.next(out);
        if next.is_some() {
            self.partial_bytes = 0;
        }
        next
    }

    pub(super) fn read_bytes(&self) -> usize {
        if self.is_bursting { BURST_READ_BYTES } else { IDLE_READ_BYTES }
    }

    pub(super) fn input_bytes(&self) -> usize {
        self.partial_bytes
    }
}

impl Socket {
    /// Adds bytes beside the session's events. A client that lets too many gather is too far behind.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_closing() {
            return;
        }
        write(&mut self.out);
        if self.out.len() > BESIDE_BYTES_MAX {
            self.say_goodbye(1013, TOO_FAR_BEHIND);
        }
    }

    /// Ends a stream with a close code, behind the write that is under way; what else was to go out is dropped.
    pub(super) fn say_goodbye(&mut self, code: u16, reason: &'static str) {
        if self.is_closing() {
            return;
        }
        self.drop_output();
        if let super::socket::Kind::Stream(stream) = &self.kind
            && stream.is_websocket()
        {
            websocket::write_close(&mut self.out, code, reason);
        }
        self.close();
    }
}
