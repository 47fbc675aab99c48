//! The network: bytes on their way in both directions, torn, merged, delayed, held up by slow readers and cut.

use super::client::Peer;
use super::script::{Kind, Wire};
use super::users::Left;
use super::world::{Happens, Owned, World};
use super::{below, mix, one_in};
use crate::shard::event::SocketId;
use fastrand::Rng;

/// A connection, with both its ends.
pub(super) struct Line {
    pub(super) user: usize,
    pub(super) client: usize,
    /// Counted from 0 per client.
    pub(super) serial: u32,
    wire: Wire,
    rng: Rng,
    // The server's end.
    pub(super) at_server: AtServer,
    /// The read under way; its bytes may be on their way to the shard.
    pub(super) reading: Option<Reading>,
    /// The write under way, and how much of it has gone out.
    pub(super) writing: Option<(Vec<u8>, usize)>,
    written_in: Option<(usize, u64)>,
    /// When the write under way goes on.
    flows_at: u64,
    pub(super) is_shut: bool,
    inbound: Vec<u8>,
    is_up_ended: bool,
    // On the way.
    up_last: u64,
    up_bytes: usize,
    down_last: u64,
    down_bytes: usize,
    is_broken: bool,
    is_reset: bool,
    // The client's end.
    pub(super) peer: Peer,
    pub(super) is_open: bool,
    /// The client still reads.
    is_read: bool,
    /// Whether the client did what may have its connection ended.
    pub(super) misbehaved: bool,
    /// What the server must let it see before the end.
    pub(super) expects: Option<Expected>,
}

/// What a client that breaks the rules must get to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Status(u16),
    Code(&'static str),
    Goodbye(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtServer {
    /// Between two shards, or not yet accepted.
    Between,
    Open {
        shard: usize,
        socket: SocketId,
    },
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Waits(usize),
    Delivers(usize),
}

impl Line {
    /// Whether the client neither sends nor reads any more.
    pub(super) fn is_given_up(&self) -> bool {
        !self.is_open && !self.is_read
    }

    /// When the last byte that the client sent arrives.
    pub(super) fn last_sent(&self) -> u64 {
        self.up_last
    }

    pub(super) fn is_at_server(&self) -> bool {
        self.at_server != AtServer::Gone
    }
}

impl World<'_> {
    /// Connects; the number of the line.
    pub(super) fn dial(&mut self, user: usize, client: usize, serial: u32) -> usize {
        let number = self.script.users[user].number;
        let mut wire = self.script.users[user].clients[client].clone();
        if self.is_quiet && wire.kind != Kind::Rude {
            (wire.cuts, wire.stops_reading, wire.is_mute) = (Vec::new(), None, false);
        }
        let rng = Rng::with_seed(mix(mix(self.script.seed, number), mix(client as u64 + 1, u64::from(serial) + 1)));
        let (line, wait_us) = (self.lines.len(), wire.delay_us);
        self.lines.push(Line {
            user,
            client,
            serial,
            wire,
            rng,
            at_server: AtServer::Between,
            reading: None,
            writing: None,
            written_in: None,
            flows_at: 0,
            is_shut: false,
            inbound: Vec::new(),
            is_up_ended: false,
            up_last: 0,
            up_bytes: 0,
            down_last: 0,
            down_bytes: 0,
            is_broken: false,
            is_reset: false,
            peer: Peer::new(),
            is_open: true,
            is_read: true,
            misbehaved: false,
            expects: None,
        });
        // Nothing reaches the server before the connection does.
        self.lines[line].up_last = self.now + wait_us;
        if self.is_away_or_dead() {
            self.cut_off(line);
        } else {
            let shard = self.any_shard(number, client, serial);
            self.put_event(wait_us, shard, Owned::Accepted { line });
        }
        line
    }

    /// The client sends bytes.
    pub(super) fn send(&mut self, line: usize, bytes: &[u8]) {
        let (now, is_quiet) = (self.now, self.is_quiet);
        let mut rest = bytes;
        while !rest.is_empty() && self.lines[line].is_open && !self.lines[line].is_broken {
            let it = &mut self.lines[line];
            let most = it.wire.piece_max.max(rest.len() / 40 + 1).min(rest.len());
            let mut length = if most > 1 && one_in(&mut it.rng, 3) { 1 + below(&mut it.rng, most as u64) as usize } else { most };
            if let Some(cut) = it.cut(true).filter(|cut| !is_quiet && it.up_bytes + length > *cut) {
                length = cut - it.up_bytes.min(cut);
                it.is_broken = true;
            }
            it.up_bytes += length;
            let gap = if it.up_last > now && one_in(&mut it.rng, 2) { 1 + below(&mut it.rng, 400) } else { 0 };
            let at = it.up_last.max(now + it.wire.delay_us) + gap;
            it.up_last = at;
            let (piece, after) = rest.split_at(length);
            rest = after;
            let breaks = it.is_broken;
            if !piece.is_empty() {
                self.later(at - now, Happens::Up { line, bytes: piece.to_vec() });
            }
            if breaks {
                self.later(at - now + 1, Happens::Break { line });
            }
        }
    }

    /// The client closes its end. `is_gone`: it does not read any more either.
    pub(super) fn hang_up(&mut self, line: usize, is_gone: bool) {
        let it = &mut self.lines[line];
        it.is_open = false;
        it.is_read &= !is_gone;
        let at = it.up_last.max(self.now + it.wire.delay_us) + 1;
        it.up_last = at;
        self.later(at - self.now, Happens::UpEnd { line, is_gone });
    }

    pub(super) fn up(&mut self, line: usize, bytes: Vec<u8>) {
        let it = &mut self.lines[line];
        match it.at_server {
            AtServer::Gone => self.reset(line),
            AtServer::Between | AtServer::Open { .. } => {
                it.inbound.extend(bytes);
                self.deliver(line);
            }
        }
    }

    pub(super) fn up_end(&mut self, line: usize, is_gone: bool) {
        let it = &mut self.lines[line];
        it.is_up_ended = true;
        it.is_broken |= is_gone;
        self.deliver(line);
    }

    pub(super) fn read(&mut self, line: usize, bytes_max: usize) {
        let it = &mut self.lines[line];
        if bytes_max == 0 || it.reading.replace(Reading::Waits(bytes_max)).is_some() {
            return self.fail(format!("connection {line}: a read while one is under way, or of no bytes"));
        }
        self.deliver(line);
    }

    /// Ends the read under way if there is something to end it with.
    fn deliver(&mut self, line: usize) {
        let it = &mut self.lines[line];
        let (AtServer::Open { shard, .. }, Some(Reading::Waits(most))) = (it.at_server, it.reading) else { return };
        let event = match it.inbound.is_empty() {
            false => Owned::Read { line },
            true if it.is_up_ended || it.is_broken_at_server() => Owned::Ended { line },
            true => return,
        };
        it.reading = Some(Reading::Delivers(most));
        self.put_event(1, shard, event);
    }

    /// What the read under way brings: everything that has come until now, or some of it.
    pub(super) fn take_read(&mut self, line: usize) -> Option<Vec<u8>> {
        let it = &mut self.lines[line];
        let Some(Reading::Delivers(most)) = it.reading.take() else { return None };
        if it.inbound.is_empty() {
            it.reading = Some(Reading::Waits(most));
            self.deliver(line);
            return None;
        }
        let most = most.min(it.inbound.len());
        let count = if most > 1 && one_in(&mut it.rng, 6) { 1 + below(&mut it.rng, most as u64) as usize } else { most };
        Some(it.inbound.drain(..count).collect())
    }

    pub(super) fn write(&mut self, line: usize, bytes: Vec<u8>, tick: u64) {
        let it = &mut self.lines[line];
        let AtServer::Open { shard, .. } = it.at_server else { return };
        if bytes.is_empty() || it.is_shut || it.writing.is_some() || it.written_in == Some((shard, tick)) {
            let why = format!("empty: {}, shut: {}, under way: {}", bytes.is_empty(), it.is_shut, it.writing.is_some());
            return self.fail(format!("connection {line}: a write that may not be ({why}, second in its tick otherwise)"));
        }
        it.written_in = Some((shard, tick));
        it.writing = Some((bytes, 0));
        let wait_us = it.wire.takes_us.min(100);
        self.flow_in(line, wait_us);
    }

    fn flow_in(&mut self, line: usize, wait_us: u64) {
        self.lines[line].flows_at = self.now + wait_us;
        self.later(wait_us, Happens::Flow { line });
    }

    /// When faults stop, clients that read nothing read on.
    pub(super) fn hasten_lines(&mut self) {
        for line in 0..self.lines.len() {
            if self.lines[line].writing.is_some() {
                self.flow_in(line, 1 + line as u64);
            }
        }
    }

    /// Some of the write under way goes out.
    pub(super) fn flow(&mut self, line: usize) {
        let (now, is_quiet) = (self.now, self.is_quiet);
        let it = &mut self.lines[line];
        let AtServer::Open { shard, .. } = it.at_server else { return };
        if it.flows_at != now || it.writing.is_none() {
            return;
        }
        if it.is_broken_at_server() || it.is_reset {
            return self.put_event(1, shard, Owned::Failed { line });
        }
        if let (Some((after, length)), false) = (it.wire.stops_reading, is_quiet)
            && it.down_bytes >= after
        {
            it.wire.stops_reading = None;
            it.misbehaved = true;
            return self.flow_in(line, length + 1);
        }
        let takes_max = if is_quiet { it.wire.takes_max.max(20_000) } else { it.wire.takes_max };
        let cut = it.cut(false);
        let Some((bytes, gone)) = it.writing.as_mut() else { return };
        let mut length = (bytes.len() - *gone).min(takes_max);
        let breaks = cut.is_some_and(|cut| it.down_bytes + length > cut) && !is_quiet;
        if breaks {
            length = cut.unwrap_or_default().saturating_sub(it.down_bytes);
        }
        let piece = bytes[*gone..*gone + length].to_vec();
        *gone += length;
        it.down_bytes += length;
        let is_done = *gone == bytes.len();
        let wait_us = it.wire.takes_us;
        it.down_last = it.down_last.max(now + it.wire.delay_us);
        let at = it.down_last;
        if !piece.is_empty() {
            self.later(at - now, Happens::Down { line, bytes: piece });
        }
        if breaks {
            return self.later(at - now + 1, Happens::Break { line });
        }
        if is_done {
            self.put_event(1, shard, Owned::Written { line });
        } else {
            self.put_event(1, shard, Owned::Moved { line });
            self.flow_in(line, wait_us + 1);
        }
    }

    pub(super) fn shut_down(&mut self, line: usize) {
        let it = &mut self.lines[line];
        if it.writing.is_some() || std::mem::replace(&mut it.is_shut, true) {
            return self.fail(format!("connection {line} is shut down during a write, or twice"));
        }
        self.end_down(line, false);
    }

    /// The server lets go of a socket. What it has not read makes the end a reset, which may take with it what the client
    /// has not received yet.
    pub(super) fn close(&mut self, line: usize) {
        let it = &mut self.lines[line];
        (it.at_server, it.reading, it.writing) = (AtServer::Gone, None, None);
        if it.inbound.is_empty() {
            if !std::mem::replace(&mut it.is_shut, true) {
                self.end_down(line, false);
            }
        } else {
            self.reset(line);
        }
    }

    /// The server is dead, and its system resets the connection. Some of what was on its way is lost.
    pub(super) fn cut_off(&mut self, line: usize) {
        let it = &mut self.lines[line];
        if it.is_at_server() {
            (it.at_server, it.reading, it.writing, it.expects, it.misbehaved) = (AtServer::Gone, None, None, None, true);
            it.inbound.clear();
            self.reset(line);
        }
    }

    fn reset(&mut self, line: usize) {
        let it = &mut self.lines[line];
        if !std::mem::replace(&mut it.is_reset, true) {
            it.down_last = if one_in(&mut it.rng, 2) { 0 } else { it.down_last };
            self.end_down(line, true);
        }
    }

    fn end_down(&mut self, line: usize, is_reset: bool) {
        let it = &mut self.lines[line];
        let at = it.down_last.max(self.now + if is_reset { 1 } else { it.wire.delay_us });
        it.down_last = at;
        self.later(at - self.now, Happens::DownEnd { line, is_reset });
    }

    pub(super) fn down(&mut self, line: usize, bytes: &[u8]) {
        let it = &mut self.lines[line];
        if !it.is_read {
            return;
        }
        let (mut received, mut replies) = (Vec::new(), Vec::new());
        let read = it.peer.feed(bytes, &mut received, &mut replies);
        if it.wire.is_mute && !self.is_quiet {
            replies.clear();
        }
        if let Err(what) = read {
            return self.fail(format!("connection {line}: {what}"));
        }
        for received in received {
            self.receive(line, received);
        }
        if !replies.is_empty() {
            self.send(line, &replies);
        }
    }

    pub(super) fn down_end(&mut self, line: usize, is_reset: bool) {
        let it = &mut self.lines[line];
        if !it.is_read {
            return;
        }
        if !is_reset && it.peer.is_inside() && !it.is_broken && !it.misbehaved {
            self.fail(format!("connection {line} ends in the middle of an answer"));
        }
        self.lines[line].is_read = false;
        if self.lines[line].is_open {
            self.hang_up(line, true);
        }
        self.left(line, if is_reset { Left::Reset } else { Left::ByServer });
    }

    /// The connection breaks, for both ends.
    pub(super) fn break_line(&mut self, line: usize) {
        let it = &mut self.lines[line];
        (it.is_broken, it.is_up_ended, it.is_open) = (true, true, false);
        it.inbound.clear();
        self.deliver(line);
        let it = &mut self.lines[line];
        if let (AtServer::Open { shard, .. }, Some(_)) = (it.at_server, &it.writing) {
            self.put_event(1, shard, Owned::Failed { line });
        }
        if std::mem::replace(&mut self.lines[line].is_read, false) {
            self.left(line, Left::Broken);
        }
    }
}

impl Line {
    fn cut(&self, is_upward: bool) -> Option<usize> {
        self.wire.cuts.iter().find(|cut| cut.is_upward == is_upward && cut.connection == self.serial).map(|cut| cut.after)
    }

    /// Broken bytes that were sent before still arrive.
    fn is_broken_at_server(&self) -> bool {
        self.is_broken && self.is_up_ended
    }

    pub(super) fn cut_is_planned(&self) -> bool {
        self.cut(true).is_some() || self.cut(false).is_some() || !self.is_open
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.wire.is_healthy(self.serial) && !self.misbehaved
    }
}
