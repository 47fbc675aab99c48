//! One connection while it speaks HTTP: it reads requests and answers them in order.
//!
//! While an answer is pending nothing is read, so a client can't pile up work. Answers to requests that came together go out
//! together.

use super::audit::Record;
use super::bounds::{BODY_BYTES_MAX, BODY_BYTES_PER_SECOND_MIN, BODY_TIME, HEAD_BYTES_MAX, HEAD_TIME, IDLE_TIME};
use super::event::{Door, Ticket};
use super::operation::Reply;
use super::routes::RouteId;
use crate::auth::Peer;
use crate::contract::Moment;
use crate::wire::answer::{JSON, Manner, write_answer};
use crate::wire::http::{Limits, Method, Reader, Request, Step};
use std::time::Duration;

const LIMITS: Limits = Limits { head_bytes_max: HEAD_BYTES_MAX, body_bytes_max: BODY_BYTES_MAX };
/// What one read takes: of heads, and of bodies.
const READ_BYTES: usize = 4 << 10;
const BODY_READ_BYTES: usize = 64 << 10;

pub(super) struct Connection {
    reader: Reader,
    buffer: Vec<u8>,
    pub(super) peer: Peer,
    pub(super) door: Door,
    /// Where the pending request's answer comes from, and how it is to be written.
    pub(super) pending: Option<(Ticket, Framing)>,
    /// When the request's first byte came. The first request may not keep us waiting either.
    begun: Option<Moment>,
    body_begun: Option<Moment>,
    idle_from: Moment,
}

/// How an answer is written, whatever it says.
#[derive(Clone, Debug)]
pub(super) struct Framing {
    pub(super) head_only: bool,
    pub(super) keep_alive: bool,
    /// A foreign origin that may read the answer.
    pub(super) allow_origin: Option<Box<str>>,
    /// What is answered, and since when.
    pub(super) route: RouteId,
    pub(super) begun: Moment,
    /// What the audit log says of the request once it is answered.
    pub(super) audit: Option<Box<Record>>,
}

impl Framing {
    pub(super) fn of(request: &Request, route: RouteId, begun: Moment) -> Framing {
        let head_only = request.method == Method::Head;
        Framing { head_only, keep_alive: request.keep_alive, allow_origin: None, route, begun, audit: None }
    }

    pub(super) fn manner<'a>(&self, date: &'a str) -> Manner<'a> {
        Manner { date, head_only: self.head_only, keep_alive: self.keep_alive }
    }

    /// Writes an answer; `headers` come in front of those that every answer has.
    pub(super) fn write(&self, out: &mut Vec<u8>, date: &str, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        match &self.allow_origin {
            None => write_answer(out, self.manner(date), status, headers, body),
            Some(origin) => {
                let cors = [("access-control-allow-origin", &**origin), ("vary", "origin")];
                write_answer(out, self.manner(date), status, &[headers, &cors].concat(), body);
            }
        }
    }

    pub(super) fn reply(&self, out: &mut Vec<u8>, date: &str, reply: &Reply, headers: &[(&str, &str)]) {
        let kind = [("content-type", JSON), ("cache-control", "no-store")];
        if let Some(limited) = &reply.limited {
            let limited = limited.headers();
            // A page of another origin may read only what is named here.
            let exposed =
                self.allow_origin.is_some().then_some(("access-control-expose-headers", "retry-after, ratelimit, ratelimit-policy"));
            let limited: Vec<(&str, &str)> = limited.iter().map(|(name, value)| (*name, value.as_str())).chain(exposed).collect();
            self.write(out, date, reply.status, &[&kind[..], headers, &limited].concat(), &reply.body);
        } else if headers.is_empty() {
            self.write(out, date, reply.status, &kind, &reply.body);
        } else {
            self.write(out, date, reply.status, &[&kind, headers].concat(), &reply.body);
        }
    }
}

impl Connection {
    pub(super) fn new(peer: Peer, door: Door, now: Moment) -> Connection {
        Connection {
            reader: Reader::new(LIMITS),
            buffer: Vec::new(),
            peer,
            door,
            pending: None,
            begun: Some(now),
            body_begun: None,
            idle_from: now,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) fn step(&mut self) -> Step {
        let step = self.reader.step(&mut self.buffer);
        if let Step::Request(_) = step {
            (self.begun, self.body_begun) = (None, None);
        }
        step
    }

    /// Nothing more can be made of what has come: the time that the rest may take starts. Returns how much to read.
    pub(super) fn wait(&mut self, now: Moment) -> usize {
        if self.reader.body_bytes(&self.buffer).is_some() {
            self.body_begun.get_or_insert(now);
            return BODY_READ_BYTES;
        }
        if self.has_begun() {
            self.begun.get_or_insert(now);
        } else {
            self.idle_from = now;
        }
        READ_BYTES
    }

    /// The answers so far are out: the client's time starts now.
    pub(super) fn answered(&mut self, now: Moment) {
        self.idle_from = now;
        self.begun = self.begun.map(|_| now);
        self.body_begun = self.body_begun.map(|_| now);
    }

    /// When its client has taken too long; nothing while the client is the one who waits.
    pub(super) fn due(&self) -> Option<Moment> {
        if self.pending.is_some() {
            return None;
        }
        if let (Some(begun), Some(bytes)) = (self.body_begun, self.reader.body_bytes(&self.buffer)) {
            let earned = Duration::from_secs((bytes / BODY_BYTES_PER_SECOND_MIN) as u64);
            return Some(begun.after(BODY_TIME + earned));
        }
        Some(self.begun.map_or_else(|| self.idle_from.after(IDLE_TIME), |begun| begun.after(HEAD_TIME)))
    }

    /// Whether part of a request is here.
    pub(super) fn has_begun(&self) -> bool {
        self.reader.begun(&self.buffer)
    }

    /// How a request is refused that can't be read to its end.
    pub(super) fn last_words(&self, now: Moment) -> Framing {
        let begun = self.begun.unwrap_or(now);
        Framing { head_only: self.reader.is_head(), keep_alive: false, allow_origin: None, route: RouteId::OTHER, begun, audit: None }
    }

    pub(super) fn take_leftover(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    pub(super) fn input_bytes(&self) -> usize {
        self.reader.body_bytes(&self.buffer).unwrap_or(self.buffer.len())
    }
}
