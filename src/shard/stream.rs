//! A socket that shows something for good: a WebSocket or an event stream.

use super::address::Address;
use super::bounds::{BESIDE_BYTES_MAX, BODY_BYTES_PER_SECOND_MIN, BODY_TIME, ECHO_BYTES_MAX, FRAME_BYTES_MAX, LATER_MAX};
use super::event::{SessionId, Show};
use super::identity::User;
use super::projection::OneTurn;
use crate::auth::Scope;
use crate::contract::{Caller, Moment, Now, Seq};
use crate::wire::websocket::{self, Codec};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Stream {
    pub(super) show: Show,
    /// Its session; none for one that shows tests.
    pub(super) session: Option<SessionId>,
    /// Whose sessions or tests it shows. An administrator may watch another's.
    pub(super) sub: Arc<str>,
    /// Who watches.
    pub(super) user: User,
    /// Where they are, if that is counted.
    pub(super) address: Option<Address>,
    /// When the token expires that let it in, and a newer one that waits for keys.
    pub(super) ends: Option<Moment>,
    pub(super) renewal: Option<String>,
    pub(super) caller: Caller,
    /// Reads a WebSocket's frames; an event stream's client has nothing to say.
    codec: Option<Codec>,
    /// The last event that it was shown.
    pub(super) shown: Seq,
    /// What it knows of the turn that it follows.
    pub(super) one_turn: Option<OneTurn>,
    /// Frames for this client alone, each to be written once everything up to an event has been shown.
    later: VecDeque<(Seq, Vec<u8>)>,
    /// When its client last sent something, and when we last pinged or commented.
    pub(super) received: Moment,
    pub(super) spoken: Moment,
    /// When the message began that has come in part.
    message_begun: Option<Moment>,
    /// The last read was full: more is likely to follow.
    is_bursting: bool,
}

/// The reason that goes with 1013.
pub(super) const TOO_FAR_BEHIND: &str = "too far behind: reconnect with `since`";
/// The reason that goes with 1008.
pub(super) const TOO_SLOW: &str = "the message did not arrive in time";

/// What an idle socket reads into, and what it takes while much comes.
const IDLE_READ_BYTES: usize = 512;
const BURST_READ_BYTES: usize = 16 << 10;

impl Stream {
    pub(super) fn new(show: Show, user: User, sub: Arc<str>, caller: Caller, now: Now) -> Stream {
        let message_bytes_max = match show {
            Show::Chat | Show::Trace | Show::Tests => Some(FRAME_BYTES_MAX),
            Show::Echo => Some(ECHO_BYTES_MAX),
            Show::Events | Show::Turn(_) => None,
        };
        Stream {
            show,
            session: None,
            sub,
            ends: user.ends(now),
            renewal: None,
            address: None,
            user,
            caller,
            codec: message_bytes_max.map(Codec::new),
            shown: Seq(0),
            one_turn: None,
            later: VecDeque::new(),
            received: now.moment,
            spoken: now.moment,
            message_begun: None,
            is_bursting: false,
        }
    }

    /// Takes a newer token of the same user.
    pub(super) fn renew(&mut self, user: User, now: Now) {
        (self.ends, self.renewal, self.user) = (user.ends(now), None, user);
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.codec.is_some()
    }

    /// Bytes beside the session's events that may wait for it. An echo may be as large as what it repeats.
    pub(super) fn beside_bytes_max(&self) -> usize {
        if self.show == Show::Echo { ECHO_BYTES_MAX + BESIDE_BYTES_MAX } else { BESIDE_BYTES_MAX }
    }

    /// Takes what was read.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Moment) {
        self.received = now;
        self.is_bursting = bytes.len() == self.read_bytes();
        if let Some(codec) = &mut self.codec {
            let ends_a_message = codec.feed(bytes);
            let begun = self.message_begun.filter(|_| !ends_a_message).unwrap_or(now);
            self.message_begun = (codec.partial_bytes() > 0).then_some(begun);
        }
    }

    /// The next thing that the client sent, if all of it is here; what the protocol answers goes to `out`.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Option<websocket::Received> {
        self.codec.as_mut()?.next(out)
    }

    /// When the rest of a message that has come in part must be here.
    pub(super) fn message_due(&self) -> Option<Moment> {
        let earned = Duration::from_secs((self.input_bytes() / BODY_BYTES_PER_SECOND_MIN) as u64);
        self.message_begun.map(|begun| begun.after(BODY_TIME + earned))
    }

    /// Keeps frames for after the event `seq`; `false` if too many wait already.
    pub(super) fn keep_for_later(&mut self, seq: Seq, frames: Vec<u8>) -> bool {
        self.later.push_back((seq, frames));
        self.later.len() <= LATER_MAX
    }

    /// The next frames that may be written now.
    pub(super) fn take_later(&mut self) -> Option<Vec<u8>> {
        let (seq, _) = self.later.front()?;
        if *seq > self.shown { None } else { self.later.pop_front().map(|(_, frames)| frames) }
    }

    pub(super) fn read_bytes(&self) -> usize {
        if self.is_bursting { BURST_READ_BYTES } else { IDLE_READ_BYTES }
    }

    pub(super) fn input_bytes(&self) -> usize {
        self.codec.as_ref().map_or(0, Codec::partial_bytes)
    }
}

impl Show {
    /// The status of the head that such a stream begins with.
    pub(super) fn status(self) -> u16 {
        if matches!(self, Show::Events | Show::Turn(_)) { 200 } else { 101 }
    }

    /// What one must be allowed to do to see it.
    pub(super) fn scope(self) -> Scope {
        match self {
            Show::Chat => Scope::Chat,
            Show::Trace | Show::Events | Show::Turn(_) | Show::Echo => Scope::Read,
            Show::Tests => Scope::Tests,
        }
    }
}
