//! The driver of a shard: hands it what has arrived, tick by tick, and carries out what it wants, insisting on the contract of
//! `shard::event`.

use super::network::AtServer;
use super::script::SECOND;
use super::world::{ADDRESSES, Happens, Owned, WALL_ZERO, World};
use crate::contract::journal::Item;
use crate::contract::{Moment, Now, Time};
use crate::shard::event::{Action, Door, Entry, Event, SocketId};
use crate::shard::quota::Sums;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};

/// How long a shard may keep a socket whose client has gone.
const ENDED_TIME: u64 = 40 * SECOND;
/// What a socket may hold to be written, and what a single read may bring.
const OUTPUT_BYTES_MAX: usize = 3 << 20;
const READ_BYTES_MAX: usize = 64 << 10;
/// What a socket may hold to be written however much all hold.
const SMALL_BYTES: usize = 16 << 10;

impl World<'_> {
    /// Hands a shard everything that has arrived, and then the tick's end.
    pub(super) fn tick(&mut self, shard: usize) {
        let is_dead = self.is_away_or_dead();
        let seat = &mut self.seats[shard];
        if seat.inbox.is_empty() || seat.stalled_until > self.now || is_dead {
            return;
        }
        let inbox = std::mem::take(&mut seat.inbox);
        if seat.stopped {
            return self.drop_unheard(inbox);
        }
        seat.ticks += 1;
        for event in inbox {
            self.handle(shard, event);
        }
        self.act(shard, Event::TickEnd);
        // One that has died meanwhile has its calls no more.
        if self.seats[shard].ticks.is_multiple_of(16) && !self.is_away_or_dead() {
            self.check_sizes(shard);
        }
    }

    /// Whether a shard holds no more than it may.
    fn check_sizes(&mut self, shard: usize) {
        // Requests wait where their session lives, whichever shard they came to.
        let elsewhere = if self.script.disk.is_some() { self.seats.iter().map(|seat| seat.sockets.len()).sum() } else { 0 };
        let (seat, calls) = (&self.seats[shard], self.calls.keys().filter(|(at, ..)| *at == shard).count());
        let sizes = seat.shard.sizes();
        let settings = &self.settings;
        let is_sound = seat.stopped
            || sizes.sockets == seat.sockets.len()
                && sizes.watchers <= sizes.sockets
                && sizes.calls <= calls
                && sizes.waiting <= sizes.sockets + sizes.open_sessions + 8 + elsewhere
                && sizes.journal <= sizes.sessions + 2 * elsewhere + 8
                && sizes.timers <= sizes.sockets + sizes.calls + sizes.waiting + 4
                && sizes.output_bytes <= sizes.sockets * OUTPUT_BYTES_MAX
                && sizes.unread_bytes <= settings.output_bytes_max.max(sizes.sockets * SMALL_BYTES)
                && sizes.input_bytes <= settings.input_bytes_max + READ_BYTES_MAX
                && (sizes.counted.streams, sizes.counted.turns) == (sizes.streams_held as i64, sizes.turns_held as i64)
                && sizes.open_sessions <= settings.sessions_max.div_ceil(settings.shards);
        if !is_sound {
            self.fail(format!("shard {shard} holds too much, beside {} sockets and {calls} calls: {sizes:?}", seat.sockets.len()));
        }
    }

    /// Nothing may be left where nothing is under way.
    pub(super) fn check_sizes_at_rest(&self) -> Result<(), String> {
        for (number, seat) in self.seats.iter().enumerate() {
            let sizes = seat.shard.sizes();
            let left =
                [sizes.busy_sessions, sizes.calls, sizes.waiting, sizes.output_bytes, sizes.unread_bytes, sizes.input_bytes, sizes.journal];
            if left != [0; 7] {
                return Err(format!("shard {number} is at rest and holds {sizes:?}"));
            }
        }
        self.check_counts_agree()
    }

    /// Each shard must know of what all of them have open.
    fn check_counts_agree(&self) -> Result<(), String> {
        let counted: Vec<Sums> = self.seats.iter().map(|seat| seat.shard.sizes().counted).collect();
        let (streams, turns) = (counted.iter().map(|sums| sums.streams).sum(), counted.iter().map(|sums| sums.turns).sum());
        let agrees = |sums: &Sums| (sums.streams + sums.streams_told, sums.turns + sums.turns_told) == (streams, turns);
        if counted.iter().all(agrees) { Ok(()) } else { Err(format!("the shards disagree about what is open: {counted:?}")) }
    }

    /// At the very end nothing is counted as open.
    pub(super) fn check_nothing_is_held(&self) -> Result<(), String> {
        for (number, seat) in self.seats.iter().enumerate() {
            let sizes = seat.shard.sizes();
            if (sizes.counted.streams, sizes.counted.turns, sizes.streams_held, sizes.turns_held) != (0, 0, 0, 0) {
                return Err(format!("shard {number} has stopped and counts what is open no longer: {sizes:?}"));
            }
        }
        Ok(())
    }

    fn handle(&mut self, shard: usize, event: Owned) {
        let open = |world: &Self, line: usize| match world.lines[line].at_server {
            AtServer::Open { shard: at, socket } if at == shard => Some(socket),
            _ => None,
        };
        match event {
            Owned::Accepted { line } => {
                let socket = self.sit(shard, line);
                let user = self.script.users[self.lines[line].user].number;
                let peer = IpAddr::from(Ipv4Addr::new(10, 0, 0, (user % ADDRESSES) as u8)).into();
                self.act(shard, Event::Accepted { socket, peer, door: Door::Main });
            }
            Owned::Arrived { line, attach } => {
                let socket = self.sit(shard, line);
                self.act(shard, Event::Arrived { socket, attach });
            }
            Owned::Read { line } => {
                if let Some(socket) = open(self, line)
                    && let Some(bytes) = self.take_read(line)
                {
                    self.act(shard, Event::Read { socket, bytes: &bytes });
                }
            }
            Owned::Ended { line } => {
                if let Some(socket) = open(self, line) {
                    self.lines[line].reading = None;
                    self.act(shard, Event::Ended { socket });
                    self.later(ENDED_TIME, Happens::MustHaveEnded { line });
                }
            }
            Owned::Moved { line } => {
                if let Some(socket) = open(self, line).filter(|_| self.lines[line].writing.is_some()) {
                    self.act(shard, Event::Moved { socket });
                }
            }
            Owned::Written { line } => {
                if let (Some(socket), Some((buffer, _))) = (open(self, line), self.lines[line].writing.take()) {
                    self.act(shard, Event::Written { socket, buffer });
                }
            }
            Owned::Failed { line } => {
                if let (Some(socket), Some(_)) = (open(self, line), self.lines[line].writing.take()) {
                    self.act(shard, Event::Failed { socket });
                }
            }
            Owned::Mail(mail) => self.act(shard, Event::Mail(mail)),
            Owned::Chunk { session, call, text } => self.act(shard, Event::Chunk { session, call, text }),
            Owned::Completion { session, call, usage, waited_us, outcome } => {
                self.act(shard, Event::Completion { session, call, usage, waited_us, outcome });
            }
            Owned::JobDone { ticket, outcome } => self.act(shard, Event::JobDone { ticket, outcome }),
            Owned::Reload(settings) => self.act(shard, Event::Reload(settings)),
            Owned::Drain => self.act(shard, Event::Drain),
            Owned::Stop => self.act(shard, Event::Stop),
            Owned::Time => self.act(shard, Event::Time),
            Owned::Durable { batch, number } => {
                self.store.reported(number);
                self.act(shard, Event::Durable { batch });
            }
            Owned::Loaded { key, outcome, number } => {
                self.store.reported(number);
                self.act(shard, Event::Loaded { key, outcome });
            }
            Owned::JournalState { broken } => self.act(shard, Event::JournalState { broken }),
        }
    }

    /// Numbers a socket on its shard.
    fn sit(&mut self, shard: usize, line: usize) -> SocketId {
        let seat = &mut self.seats[shard];
        let socket = SocketId(seat.next_socket);
        seat.next_socket += 1;
        seat.sockets.insert(socket, line);
        self.lines[line].at_server = AtServer::Open { shard, socket };
        socket
    }

    /// A shard that has stopped takes no sockets over: they close.
    fn drop_unheard(&mut self, inbox: Vec<Owned>) {
        for event in inbox {
            if let Owned::Accepted { line } | Owned::Arrived { line, .. } = event {
                self.close(line);
            }
        }
    }

    pub(super) fn act(&mut self, shard: usize, event: Event<'_>) {
        let moment = self.now.saturating_add_signed(self.moment_ahead);
        let now = Now { moment: Moment(moment), wall: Time((WALL_ZERO + self.now).saturating_add_signed(self.wall_offset)) };
        let mut actions = Vec::new();
        let is_dead = self.is_away_or_dead();
        let seat = &mut self.seats[shard];
        if seat.stopped || is_dead {
            return;
        }
        self.events += 1;
        seat.shard.handle(now, event, &mut actions);
        for action in actions {
            if self.dies_before_this() {
                return;
            }
            self.hash_action(shard, &action);
            if self.seats[shard].stopped {
                return self.fail(format!("shard {shard} goes on after `Stopped`: {action:?}"));
            }
            self.carry_out(shard, action);
        }
    }

    fn hash_action(&mut self, shard: usize, action: &Action) {
        (self.now, shard, std::mem::discriminant(action)).hash(&mut self.hash);
        match action {
            Action::Read { socket, bytes_max } => (socket, bytes_max).hash(&mut self.hash),
            Action::Write { socket, bytes } => (socket, bytes).hash(&mut self.hash),
            Action::Shutdown { socket } | Action::Close { socket } | Action::HandOver { socket, .. } => socket.hash(&mut self.hash),
            Action::Call { session, call, .. } | Action::CancelCall { session, call } => (session, call).hash(&mut self.hash),
            Action::Job { ticket, .. } => ticket.hash(&mut self.hash),
            Action::WakeAt(moment) => moment.hash(&mut self.hash),
            Action::Mail { shard, .. } => shard.hash(&mut self.hash),
            Action::Log(entry) => format!("{entry:?}").hash(&mut self.hash),
            Action::Audit(record) => format!("{record:?}").hash(&mut self.hash),
            Action::Append { batch, appends } => {
                batch.hash(&mut self.hash);
                for append in appends {
                    (&append.name, append.generation, append.at, append.item.bytes()).hash(&mut self.hash);
                    if let Item::Record { bytes, .. } | Item::Snapshot { bytes, .. } = &append.item {
                        bytes.hash(&mut self.hash);
                    }
                }
            }
            Action::Load { key } => key.hash(&mut self.hash),
            Action::Ask(_) | Action::Export(_) | Action::Deliver(_) | Action::Recall { .. } | Action::Drained | Action::Stopped => {}
        }
    }

    fn carry_out(&mut self, shard: usize, action: Action) {
        match action {
            Action::Read { socket, bytes_max } => {
                if let Some(line) = self.socket(shard, socket, "Read") {
                    self.read(line, bytes_max);
                }
            }
            Action::Write { socket, bytes } => {
                if let Some(line) = self.socket(shard, socket, "Write") {
                    let tick = self.seats[shard].ticks;
                    self.write(line, bytes, tick);
                }
            }
            Action::Shutdown { socket } => {
                if let Some(line) = self.socket(shard, socket, "Shutdown") {
                    self.shut_down(line);
                }
            }
            Action::Close { socket } => {
                if let Some(line) = self.socket(shard, socket, "Close") {
                    self.seats[shard].sockets.remove(&socket);
                    self.close(line);
                }
            }
            Action::HandOver { socket, shard: to, attach } => {
                if let Some(line) = self.socket(shard, socket, "HandOver") {
                    self.seats[shard].sockets.remove(&socket);
                    let line_is = &mut self.lines[line];
                    let (is_busy, is_shut) = (line_is.reading.is_some() || line_is.writing.is_some(), line_is.is_shut);
                    line_is.at_server = AtServer::Between;
                    if is_busy || is_shut || to.0 == shard || to.0 >= self.seats.len() {
                        return self.fail(format!(
                            "connection {line} is handed over to {to:?} with a read or write under way, shut, or to itself"
                        ));
                    }
                    self.put_event(self.script.mail_us, to.0, Owned::Arrived { line, attach });
                }
            }
            Action::Mail { shard: to, mail } => {
                if to.0 == shard || to.0 >= self.seats.len() {
                    return self.fail(format!("shard {shard} sends mail to {to:?}"));
                }
                self.put_event(self.script.mail_us, to.0, Owned::Mail(mail));
            }
            Action::Call { session, call, owner, request, trace: _ } => self.call(shard, session, call, &owner, &request),
            Action::CancelCall { session, call } => self.cancel_call(shard, session, call),
            Action::Job { ticket, job } => self.job(shard, ticket, &job),
            Action::Append { batch, appends } => self.append(shard, batch, appends),
            Action::Load { key } => self.load(shard, key),
            Action::Ask(ask) => self.fail(format!("shard {shard} asks {ask:?} where nobody signs in")),
            Action::WakeAt(moment) => {
                let at = moment.0.saturating_add_signed(-self.moment_ahead).max(self.now + 1);
                if self.seats[shard].wake.replace(at) != Some(at) {
                    self.later(at - self.now, Happens::Wake { shard, at });
                }
            }
            Action::Deliver(_) | Action::Recall { .. } => self.fail(format!("shard {shard} has a webhook, and nobody asked for one")),
            Action::Log(Entry::Panic { session }) => self.fail(format!("session {session} panicked")),
            Action::Log(Entry::Differs { session, record }) => {
                self.fail(format!("session {session} is loaded, and record {record} leads to other events"));
            }
            Action::Log(_) | Action::Export(_) => {}
            Action::Audit(record) => self.fail(format!("shard {shard} notes {record:?} where there is no audit log")),
            Action::Drained => {
                let seat = &mut self.seats[shard];
                let is_busy = seat.shard.sizes().busy_sessions > 0;
                if std::mem::replace(&mut seat.drained, true) || is_busy || !self.is_draining {
                    self.fail(format!("shard {shard} reports `Drained` again, while turns run, or without having been asked"));
                }
            }
            Action::Stopped => {
                self.seats[shard].stopped = true;
                if !self.is_stopping || !self.seats[shard].sockets.is_empty() {
                    self.fail(format!("shard {shard} stops unasked or with sockets {:?}", self.seats[shard].sockets));
                }
            }
        }
    }

    /// The line of an open socket; to name another is a failure.
    fn socket(&mut self, shard: usize, socket: SocketId, what: &str) -> Option<usize> {
        let line = self.seats[shard].sockets.get(&socket).copied();
        if line.is_none() {
            self.fail(format!("shard {shard} wants {what} on {socket:?}, which it does not hold"));
        }
        line
    }
}
