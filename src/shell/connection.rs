//! One connection while it speaks HTTP: a single task that reads requests and answers them in order.
//!
//! While an answer is pending nothing is read, so a client can't pile up work. Answers to requests that came together go
//! out together. A read is never dropped: whose patience has ended is cut, see [`super::line`].

use super::bounds::{
    BODY_BYTES_MAX, BODY_BYTES_PER_SECOND_MIN, BODY_TIME, HEAD_BYTES_MAX, HEAD_TIME, IDLE_TIME, LINGER_BYTES_MAX, LINGER_TIME, WRITE_BYTES,
};
use super::clock::after;
use super::errand::Reply;
use super::files::Found;
use super::handover::{Attach, Handover};
use super::line::Line;
use super::mailbox::Mail;
use super::routes::{Outcome, route};
use super::shard::{Item, Shard};
use crate::contract::Time;
use crate::wire::answer::{CONTINUE, JSON, Manner, detail, write_answer};
use crate::wire::http::{Limits, Method, Reader, Request, Step};
use monoio::io::AsyncWriteRent;
use monoio::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

const LIMITS: Limits = Limits { head_bytes_max: HEAD_BYTES_MAX, body_bytes_max: BODY_BYTES_MAX };
/// What one read takes: of heads, and of bodies.
const READ_BYTES: usize = 4 << 10;
const BODY_READ_BYTES: usize = 64 << 10;

struct Connection {
    shard: Rc<Shard>,
    stream: TcpStream,
    line: Rc<Line>,
    /// Answers that are yet to be sent.
    out: Vec<u8>,
}

/// Serves a connection until it ends or becomes a stream.
pub(super) async fn serve(shard: Rc<Shard>, stream: TcpStream) {
    let place = shard.lines.enter();
    let mut connection = Connection { line: place.line.clone(), shard, stream, out: Vec::new() };
    let (mut reader, mut buffer) = (Reader::new(LIMITS), Vec::new());
    let mut patience = Patience { begun: Some(connection.shard.clock.now()), body_begun: None };
    let mut answering = None;
    loop {
        match reader.step(&mut buffer) {
            Step::More => {
                if !connection.send().await {
                    return;
                }
                answering = None;
                connection.line.set_due(Some(patience.due(&reader, &buffer, connection.shard.clock.now())));
                let bytes = if reader.body_bytes(&buffer).is_some() { BODY_READ_BYTES } else { READ_BYTES };
                let (result, bytes) = connection.line.read(&mut connection.stream, Vec::with_capacity(bytes)).await;
                match result {
                    Ok(count) if count > 0 => buffer.extend_from_slice(&bytes[..count]),
                    _ => return,
                }
            }
            Step::Continue => connection.out.extend_from_slice(CONTINUE),
            Step::Refused(refused) => {
                connection.answer_plain(refused.code.status(), &detail(&refused.detail));
                return connection.close_gently().await;
            }
            Step::Request(request) => {
                patience = Patience::default();
                answering.get_or_insert_with(|| connection.shard.begin_answer());
                connection.line.set_due(None);
                let date = connection.shard.clock.date();
                let manner = Manner { date: &date, head_only: request.method == Method::Head, keep_alive: request.keep_alive };
                let reply = match route(&connection.shard, &request, manner) {
                    Outcome::Stream(attach, home) => {
                        if connection.send().await {
                            connection.hand_over(Attach { leftover: buffer, ..attach }, home);
                        }
                        return;
                    }
                    Outcome::Head(head) => {
                        connection.out.extend_from_slice(&head);
                        return connection.close_gently().await;
                    }
                    Outcome::File(found) => {
                        write_file(&mut connection.out, manner, &request, &found);
                        None
                    }
                    Outcome::Reply(reply, headers) => Some((reply, headers)),
                    Outcome::Errand(errand, home) => Some((connection.shard.ask(errand, home).await, &[] as &[_])),
                };
                if let Some((reply, headers)) = reply {
                    write_reply(&mut connection.out, manner, &reply, headers);
                }
                if !request.keep_alive {
                    if connection.send().await && !buffer.is_empty() {
                        connection.linger().await;
                    }
                    return;
                }
                if connection.out.len() >= WRITE_BYTES && !connection.send().await {
                    return;
                }
            }
        }
    }
}

/// Tells a connection that there is no room for it.
pub(super) async fn turn_away(shard: Rc<Shard>, stream: TcpStream) {
    let place = shard.lines.enter();
    let mut connection = Connection { line: place.line.clone(), shard, stream, out: Vec::new() };
    connection.answer_plain(503, &detail("too many connections are open on this server: try again later"));
    connection.send().await;
}

/// How long a client may take, from when.
#[derive(Default)]
struct Patience {
    /// When the request's first byte came. The first request may not keep us waiting either.
    begun: Option<Time>,
    body_begun: Option<Time>,
}

impl Patience {
    fn due(&mut self, reader: &Reader, buffer: &[u8], now: Time) -> Time {
        if let Some(bytes) = reader.body_bytes(buffer) {
            let earned = Duration::from_secs((bytes / BODY_BYTES_PER_SECOND_MIN) as u64);
            return after(*self.body_begun.get_or_insert(now), BODY_TIME + earned);
        }
        if self.begun.is_none() && reader.begun(buffer) {
            self.begun = Some(now);
        }
        self.begun.map_or_else(|| after(now, IDLE_TIME), |begun| after(begun, HEAD_TIME))
    }
}

impl Connection {
    /// Sends what has been gathered; false when the connection is over.
    async fn send(&mut self) -> bool {
        if self.out.is_empty() {
            return true;
        }
        let postpone = || self.line.set_due(Some(after(self.shard.clock.now(), self.shard.common.write_time)));
        postpone();
        let (result, mut bytes) = self.line.write(&mut self.stream, std::mem::take(&mut self.out), postpone).await;
        if bytes.capacity() <= READ_BYTES {
            bytes.clear();
            self.out = bytes;
        }
        result.is_ok()
    }

    fn answer_plain(&mut self, status: u16, body: &[u8]) {
        let date = self.shard.clock.date();
        let manner = Manner { date: &date, head_only: false, keep_alive: false };
        write_answer(&mut self.out, manner, status, &[("content-type", JSON)], body);
    }

    async fn close_gently(mut self) {
        if self.send().await {
            self.linger().await;
        }
    }

    /// Reads on for a moment what nobody wants: a connection that is closed over unread bytes takes its answer with it.
    async fn linger(mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        self.line.set_due(Some(after(self.shard.clock.now(), LINGER_TIME)));
        let (mut left, mut buffer) = (LINGER_BYTES_MAX, Vec::with_capacity(BODY_READ_BYTES));
        loop {
            let (result, bytes) = self.line.read(&mut self.stream, buffer).await;
            match result {
                Ok(count) if count > 0 && count < left => left -= count,
                _ => return,
            }
            buffer = bytes;
        }
    }

    fn hand_over(self, attach: Attach, home: usize) {
        match home == self.shard.number {
            true => self.shard.push(Item::Arrive { stream: self.stream, attach }),
            false => self.shard.common.mailboxes[home].put(Mail::Handover(Handover::new(self.stream, attach))),
        }
    }
}

fn write_reply(out: &mut Vec<u8>, manner: Manner<'_>, reply: &Reply, headers: &[(&str, &str)]) {
    let kind = [("content-type", JSON), ("cache-control", "no-store")];
    match headers.is_empty() {
        true => write_answer(out, manner, reply.status, &kind, &reply.body),
        false => write_answer(out, manner, reply.status, &[&kind, headers].concat(), &reply.body),
    }
}

fn write_file(out: &mut Vec<u8>, manner: Manner<'_>, request: &Request, found: &Found) {
    let headers: Vec<(&str, &str)> = found.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    match found.is_known(request) {
        true => write_answer(out, Manner { head_only: true, ..manner }, 304, &headers, &found.body),
        false => write_answer(out, manner, 200, &headers, &found.body),
    }
}
