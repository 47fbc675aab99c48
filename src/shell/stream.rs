//! WebSockets and event streams: how they attach to what they show, are read, and leave.

use super::bounds::{MESSAGE_BYTES_MAX, RESULTS_FILE_BYTES_MAX};
use super::errand::{Ask, Errand, Reply};
use super::handover::{Attach, Show};
use super::line::Place;
use super::mailbox::Mail;
use super::shard::{Item, Shard};
use super::socket::Socket;
use super::watchers::Watcher;
use crate::contract::{Caller, Input, Seq};
use crate::wire::websocket::{Codec, Received};
use crate::wire::{json, said, sse, websocket};
use monoio::io::{OwnedReadHalf, Splitable};
use monoio::net::TcpStream;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

/// A socket and what it belongs to.
pub(super) struct Seat {
    pub(super) socket: Rc<Socket>,
    /// The number of its session; 0 for one that shows tests.
    pub(super) session: u64,
    pub(super) sub: Arc<str>,
}

/// Takes a socket in. From here on it misses nothing.
pub(super) fn attach(shard: &Rc<Shard>, stream: TcpStream, attach: Attach) {
    let Attach { show, key, user, caller, since, head, leftover } = attach;
    let (number, place) = (shard.next_socket.replace(shard.next_socket.get() + 1), shard.lines.enter());
    let (read, write) = stream.into_split();
    let socket = Rc::new(Socket::new(number, show, place.line.clone(), write, head, shard.clock.now()));
    let session = match show {
        Show::Tests => {
            let mut boards = shard.boards.borrow_mut();
            let board = boards.of(&user.sub, shard.clock.now());
            socket.push(|out| websocket::write_text(out, &board.line(&Map::new())));
            board.watchers.push(socket.clone());
            0
        }
        Show::Chat | Show::Trace | Show::Events => watch(shard, &socket, &key, &caller, since),
    };
    shard.sockets.borrow_mut().insert(number, Seat { socket: socket.clone(), session, sub: user.sub });
    socket.flush(shard);
    monoio::spawn(listen(shard.clone(), socket, place, read, leftover, caller));
}

fn watch(shard: &Rc<Shard>, socket: &Rc<Socket>, key: &super::home::Key, caller: &Caller, since: Option<u64>) -> u64 {
    let resident = shard.sessions.borrow_mut().find_or_place(shard, key, caller);
    let (number, met) = {
        let mut resident = resident.borrow_mut();
        let met = resident.take(shard, Input::Attached { from: caller.clone() });
        let log = &resident.log;
        let gap = since.is_some_and(|since| !log.reaches(Seq(since)));
        match socket.show {
            Show::Chat => {
                let hello = json::attached(&resident.session.ui().controls(), log.last(), log.kept_from(), gap);
                socket.push(|out| websocket::write_text(out, &hello));
            }
            Show::Events => socket.push(sse::write_comment),
            Show::Trace | Show::Tests => {}
        }
        let watcher = Watcher::new(socket.clone(), log, since.map(Seq));
        resident.watchers.push(watcher);
        resident.is_dirty = true;
        (resident.number, met)
    };
    shard.sessions.borrow_mut().settle(shard, &resident);
    if met.is_err() {
        shard.take_out(number);
    }
    number
}

/// A socket has gone.
pub(super) fn detach(shard: &Rc<Shard>, number: u64) {
    let Some(seat) = shard.sockets.borrow_mut().remove(&number) else { return };
    shard.boards.borrow_mut().leave(&seat.sub, number);
    let Some(resident) = shard.sessions.borrow().numbered(seat.session) else { return };
    resident.borrow_mut().watchers.retain(|watcher| watcher.socket.number != number);
    shard.sessions.borrow_mut().settle(shard, &resident);
}

/// Reads a socket to its end; what a chat's client says is put in line for the tick.
async fn listen(shard: Rc<Shard>, socket: Rc<Socket>, place: Place, mut half: OwnedReadHalf<TcpStream>, leftover: Vec<u8>, from: Caller) {
    let mut codec = Codec::new(MESSAGE_BYTES_MAX);
    let (mut buffer, mut arrived) = (Vec::with_capacity(RESIDENT_BYTES), leftover);
    loop {
        if socket.is_websocket() && hear(&shard, &socket, &mut codec, &arrived, &from) {
            break;
        }
        arrived = Vec::new();
        // A full buffer promises more: the next one is larger. An idle socket keeps a small one.
        let wanted = if buffer.len() == buffer.capacity() { BURST_BYTES } else { RESIDENT_BYTES };
        if buffer.capacity() != wanted {
            buffer = Vec::with_capacity(wanted);
        }
        let (result, bytes) = place.line.read(&mut half, buffer).await;
        buffer = bytes;
        match result {
            Ok(count) if count > 0 => arrived.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    // Whoever said goodbye first gets the answer to it before the connection ends.
    socket.finish();
    socket.flush(&shard);
    shard.push(Item::Gone { socket: socket.number });
}

/// What a socket keeps to read into, and what it takes while much comes.
const RESIDENT_BYTES: usize = 512;
const BURST_BYTES: usize = 16 << 10;

/// Takes what has arrived on a WebSocket; true when the conversation is over.
fn hear(shard: &Rc<Shard>, socket: &Rc<Socket>, codec: &mut Codec, arrived: &[u8], from: &Caller) -> bool {
    codec.feed(arrived);
    socket.hear(shard.clock.now());
    let mut replies = Vec::new();
    let is_over = loop {
        let said = match codec.next(&mut replies) {
            None => break false,
            Some(Received::Over) => break true,
            Some(Received::Text(text)) if socket.show == Show::Chat => said::said(&text, from.clone()),
            Some(Received::Binary) if socket.show == Show::Chat => Err("this message is binary: send text"),
            // What a client says to the other sockets is not for us.
            Some(Received::Text(_) | Received::Binary) => continue,
        };
        match said {
            Ok(input) => shard.push(Item::Said { socket: socket.number, input }),
            Err(sentence) => websocket::write_text(&mut replies, &json::refusal(sentence)),
        }
    };
    if !replies.is_empty() {
        socket.push(|out| out.append(&mut replies));
        socket.flush(shard);
    }
    is_over
}

/// What is answered to an errand about a user's tests.
pub(super) fn answer_of_board(shard: &Rc<Shard>, errand: &Errand) -> Reply {
    let mut boards = shard.boards.borrow_mut();
    let board = boards.of(&errand.key.sub, shard.clock.now());
    match &errand.ask {
        Ask::Report(report) => match board.report(report) {
            Ok(line) => {
                board.watchers.iter().for_each(|socket| socket.flush(shard));
                let json: Arc<[u8]> = line.into();
                for mailbox in &shard.common.mailboxes {
                    mailbox.put(Mail::TestReport { sub: errand.key.sub.clone(), json: json.clone() });
                }
                Reply::ok(&json!({ "ok": true }))
            }
            Err(refused) => refused,
        },
        Ask::LastRun => Reply::ok(&board.last_run().cloned().or_else(|| results_file(shard)).unwrap_or_else(|| json!({}))),
        _ => Reply::of(board.status()),
    }
}

/// The last run that was written to a file beside the server.
fn results_file(shard: &Shard) -> Option<Value> {
    let mut text = Vec::new();
    // Whoever opens a pipe waits for whoever writes to it, and all sessions of this shard with it.
    std::fs::metadata(&shard.common.results).ok().filter(|about| about.is_file())?;
    File::open(&shard.common.results).ok()?.take(RESULTS_FILE_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
