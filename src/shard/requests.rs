//! HTTP requests of a shard: taken, routed, answered; and what they wait for meanwhile.

use super::answers::{self, DRAINING};
use super::bounds::{DOCTOR_TIME, FORWARD_TIME, JOB_TIME, JOURNAL_TIME, METRICS_CONNECTIONS_MAX, RERUN_TIME, SMALL_BYTES, WRITE_BYTES};
use super::connection::{Connection, Framing};
use super::event::{Action, Door, Entry, Job, JobOutcome, Mail, ShardId, SocketId, Ticket};
use super::files::{self, Found};
use super::identity::Key;
use super::journal::{LOADING_FULL, Later, Then};
use super::journal_job::{JournalJob, Shown};
use super::live::NotTaken;
use super::operation::{Answer, Operation, Reply, What};
use super::outbox::OUTBOX_FULL;
use super::queries;
use super::routes::{self, Outcome, RouteId, Server, route};
use super::sign_in::{MayWait, Who};
use super::socket::{Kind, Socket};
use super::timers::Timer;
use super::{ReplyTo, Shard, Waiting, evicted};
use crate::auth::Peer;
use crate::contract::{Code, DatabaseInfo, Refusal, TurnId};
use crate::wire::answer::CONTINUE;
use crate::wire::http::{Request, Step};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

static CONNECTIONS_FULL: Refusal =
    Refusal::new(Code::ConnectionsFull, "too many connections are open on this server: try again later (operators: raise `--connections`)");
static METRICS_FULL: Refusal =
    Refusal::new(Code::ConnectionsFull, "too many connections are open at this address: close some, or try again later");
const INPUT_FULL: Refusal = Refusal::new(Code::MemoryFull, "too much is being sent to this server at once: try again in a moment");
const TOO_SLOW: Refusal = Refusal::new(Code::RequestTimeout, "the request did not arrive in time: send it again");
pub(super) static SHARD_SILENT: Refusal = Refusal::new(Code::ShardTimeout, "this server is too busy to answer: try again in a moment");
static JOB_SILENT: Refusal = Refusal::new(Code::Unavailable, "this took too long: try again in a moment");
const ONLY_METRICS: Refusal =
    Refusal::new(Code::NotFound, "only `/metrics`, `/livez`, `/readyz`, `/health` and `/version` are served at this address");
const NO_FILE: Refusal = Refusal::new(Code::NotFound, "there is no such file");

impl Shard {
    pub(super) fn accept(&mut self, id: SocketId, peer: Peer, door: Door, actions: &mut Vec<Action>) {
        let (now, connections_max) = (self.clock.moment(), self.settings.connections_max);
        let is_of_metrics = |socket: &&Socket| matches!(&socket.kind, Kind::Http(connection) if connection.door == Door::Metrics);
        let (reserve, full) = match door {
            Door::Main => (0, (self.sockets.len() >= connections_max).then_some(&CONNECTIONS_FULL)),
            Door::Metrics => {
                let open = self.sockets.values().filter(is_of_metrics).count();
                (METRICS_CONNECTIONS_MAX, (open >= METRICS_CONNECTIONS_MAX).then_some(&METRICS_FULL))
            }
        };
        if self.sockets.len() >= 2 * connections_max + reserve {
            // Too many are being told already that there is no room.
            return actions.push(Action::Close { socket: id });
        }
        self.sockets.insert(id, Socket::new(id, Kind::Http(Box::new(Connection::new(peer, door, now)))));
        match full {
            Some(refusal) => self.refuse(id, refusal, actions),
            None => self.serve(id, actions),
        }
        self.touch(id);
    }

    /// Takes the requests that have arrived on a connection, one after the other, as far as they can be answered now.
    pub(super) fn serve(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        loop {
            let now = self.clock.moment();
            let Some(socket) = self.sockets.get_mut(&id) else { return };
            let is_full = socket.out.len() >= WRITE_BYTES;
            let is_closing = socket.is_closing();
            let Kind::Http(connection) = &mut socket.kind else { return };
            if connection.pending.is_some() || is_closing || is_full {
                return;
            }
            match connection.step() {
                Step::More => {
                    let wanted = connection.wait(now);
                    socket.want(wanted);
                    return self.count_input(id, actions);
                }
                Step::Continue => socket.out.extend_from_slice(CONTINUE),
                Step::Refused(refusal) => return self.refuse(id, &refusal, actions),
                Step::Request(request) => self.request(id, request, MayWait::ALL, actions),
            }
        }
    }

    /// Answers a request, or has it wait. `may_wait`: what it may still wait for to know its user.
    pub(super) fn request(&mut self, id: SocketId, request: Box<Request>, may_wait: MayWait, actions: &mut Vec<Action>) {
        let (found, address, is_main) = (routes::find(&request), self.address(id, &request), self.is_main(id));
        let mut framing = Framing::of(&request, found.map_or(RouteId::OTHER, |found| found.id), self.clock.moment());
        // Who may reach the listener of operators' tools is not counted.
        let over = if is_main && may_wait == MayWait::ALL { self.admit_from(address, &request).err() } else { None };
        match if is_main { self.settings.origins.check(&request) } else { check_tool(found.as_ref()) } {
            Ok(origin) => framing.allow_origin = origin,
            // Public, and browsers send an origin even with a page's own scripts: it has to load to show why it is refused.
            Err(_) if is_main && request.path().starts_with("/static/") => {}
            Err(refusal) if over.is_none() => {
                actions.push(Action::Log(refused_line(&refusal)));
                return self.write_reply(id, &framing, &refusal.into(), &[]);
            }
            Err(_) => {}
        }
        if let Some(over) = over {
            return self.refuse_for_now(id, &framing, &request, *over, actions);
        }
        let user = match self.who(id, &request, found.as_ref(), may_wait) {
            Who::Is(user) => user,
            Who::Refused(refusal) => return self.turn_away(id, &framing, &request, found.as_ref(), &refusal, actions),
            Who::Waits(ask) => return self.park(id, framing, request, ask, actions),
        };
        if let Err(over) = self.admit_of(&user.sub) {
            return self.refuse_for_now(id, &framing, &request, *over, actions);
        }
        let from = self.noted_from(id, &request);
        framing.audit = self.to_note(&request, found.as_ref(), &user, from);
        let date = self.clock.date();
        let server = Server {
            settings: &self.settings,
            healthy: &self.healthy,
            is_draining: self.is_draining(),
            has_sign_in: self.sign_in.is_on(),
            auth_config: &self.auth_config,
            has_keys: self.sign_in.has_keys(),
            journal: self.journal.broken(),
            version: &self.version,
            date: &date,
            utc_offset_minutes: self.clock.utc_offset_minutes(),
        };
        match route(&server, &request, found.as_ref(), user, &framing) {
            Outcome::Reply(reply, headers) => self.write_reply(id, &framing, &reply, headers),
            Outcome::File(found) => {
                framing.route = RouteId::FILE;
                self.write_file(id, &framing, |found| found.is_known(&request), &found);
            }
            Outcome::Head(head) => {
                self.note_begun(framing.audit.take());
                let Some(socket) = self.sockets.get_mut(&id) else { return };
                self.metrics.answered(framing.route, 200, 0);
                socket.out.extend_from_slice(&head);
                socket.close();
            }
            Outcome::Operation(operation, shard) if shard == self.id => match self.operate(Operation { address, ..*operation }, actions) {
                Answer::Reply(reply) => self.write_reply(id, &framing, &reply, &[]),
                Answer::Job(job) => self.await_job(id, framing, job, actions),
                Answer::Later(later) => {
                    let ticket = self.answer_later(ReplyTo::Socket(id), later, actions);
                    self.pend(id, ticket, framing);
                }
            },
            Outcome::Operation(mut operation, shard) => {
                operation.address = address;
                // There it may wait for the journal.
                let time = match operation.what {
                    What::Rerun(_) => RERUN_TIME + FORWARD_TIME + JOURNAL_TIME,
                    _ if self.settings.keeping.is_some() => FORWARD_TIME + JOURNAL_TIME,
                    _ => FORWARD_TIME,
                };
                let ticket = self.wait(ReplyTo::Socket(id), time, &SHARD_SILENT);
                self.pend(id, ticket, framing);
                actions.push(Action::Mail { shard, mail: Mail::Operation { operation, from: self.id, ticket } });
            }
            Outcome::Everywhere(operation) => self.everywhere(id, framing, Operation { address, ..*operation }, actions),
            Outcome::RollCall(call) => self.call_roll(id, framing, call, actions),
            Outcome::Job(job) => self.await_job(id, framing, job, actions),
            Outcome::Stream(mut attach, shard) => {
                attach.address = address;
                attach.admitted_by = (attach.user.sub != attach.key.sub).then(|| self.sign_in.rules());
                let held = match self.open_stream(&attach) {
                    Ok(held) => held,
                    Err(over) => return self.refuse_for_now(id, &framing, &request, *over, actions),
                };
                self.note_begun(framing.audit.take());
                self.metrics.answered(framing.route, attach.show.status(), 0);
                let Some(socket) = self.sockets.get_mut(&id) else { return };
                if let Kind::Http(connection) = &mut socket.kind {
                    attach.leftover = connection.take_leftover();
                }
                (socket.kind, socket.held) = (Kind::Leaving(attach, shard), held);
            }
        }
    }

    /// Does what an operation asks for; its session or user belongs to this shard.
    pub(super) fn operate(&mut self, operation: Operation, actions: &mut Vec<Action>) -> Answer {
        if operation.what.is_of_user() {
            return self.operate_tests(operation, actions);
        }
        let Operation { key, from, address, webhook, what } = operation;
        if matches!(what, What::Kept { .. } | What::Forget) {
            return self.operate_user(&key, &what, actions);
        }
        if matches!(what, What::Delete) {
            return self.delete_session(&key, actions);
        }
        if let What::Fork(job) = what {
            return self.fork_session(&key, address, *job, actions);
        }
        if !self.is_here(&key) {
            return match self.journal.is_full() {
                true => Answer::Reply(LOADING_FULL.into()),
                false => Answer::Later(Later::Loaded(Box::new(Operation { key, from, address, webhook, what }))),
            };
        }
        if let What::Rerun(rerun) = what {
            return self.rerun(&key, *rerun, address, actions);
        }
        if let What::Turn(turn) = what
            && let Some(job) = self.turn_in_journal(&key, turn)
        {
            let job = Job::Journal(Box::new(job));
            return match (self.batch_of(&key), self.journal.broken()) {
                (Some(_), Some(refusal)) => Answer::Reply(refusal.clone().into()),
                (Some(batch), None) => Answer::Later(Later::Durable { batch, key, then: Then::Job(job), has_taken: false }),
                (None, _) => Answer::Job(job),
            };
        }
        let opens = matches!(what, What::Send(_) | What::Switch(_));
        let client_id = if let What::Send(input) = &what { input.client_id().cloned() } else { None };
        let is_known = matches!(&what, What::Send(input) if self.sessions.find(&key).is_some_and(|live| live.knows(input)));
        if (opens || matches!(what, What::Clear)) && self.is_draining() && !is_known {
            return Answer::Reply(Reply::refused(&Refusal::new(Code::Draining, DRAINING), client_id.as_ref()));
        }
        if (opens || matches!(what, What::Clear))
            && !is_known
            && let Some(refusal) = self.journal.broken()
        {
            return Answer::Reply(Reply::refused(refusal, client_id.as_ref()));
        }
        let has_taken = matches!(&what, What::Send(input) if input.starts_work());
        let begins = has_taken && !is_known;
        if begins && webhook.is_some() && self.is_outbox_full() {
            return Answer::Reply(Reply::refused(&OUTBOX_FULL, client_id.as_ref()));
        }
        if begins {
            let session = self.sessions.find(&key).map(|live| live.id);
            if let Err(over) = self.admit_message(session, &key.sub, address) {
                actions.extend(over.log.clone().map(Action::Log));
                return Answer::Reply(Reply::over(*over, client_id.as_ref()));
            }
        }
        let begins_turn = begins && !matches!(what, What::Send(crate::contract::Input::Approve { .. }));
        let payer = self.payer(&key.sub, address);
        let budget = if let What::State = what { self.budget_left(&key.sub, address) } else { None };
        let id = self.sessions.find_or_place(&self.settings, &key, &from, self.clock.moment(), self.journal.generation(&key));
        if opens
            && !is_known
            && let Err(refusal) = self.make_room(id, actions)
        {
            self.with_live(id, actions, |_, _| ());
            return Answer::Reply(Reply::refused(&refusal, client_id.as_ref()));
        }
        let is_draining = self.is_draining();
        let answered = self.with_live(id, actions, |live, around| {
            live.asks = webhook.filter(|_| begins);
            let answer = catch_unwind(AssertUnwindSafe(|| answers::answer(live, around, from, what, is_draining, budget)));
            live.asks = None;
            if begins && matches!(answer, Ok(Ok(_))) {
                live.payer = payer;
            }
            answer.unwrap_or_else(|_| Err(live.panicked(around)))
        });
        if begins_turn && matches!(answered, Some(Ok(_))) {
            self.count_begun(id);
        }
        match answered.expect("the session was found or placed just now") {
            Ok(reply) => match (self.batch_of(&key), self.journal.broken()) {
                // What it tells may not be seen, and nobody knows for how long.
                (Some(_), Some(_)) if has_taken => Answer::Reply(reply.unconfirmed()),
                (Some(_), Some(refusal)) => Answer::Reply(Reply::refused(refusal, client_id.as_ref())),
                (Some(batch), None) => Answer::Later(Later::Durable { batch, key, then: Then::Reply(reply), has_taken }),
                (None, _) => Answer::Reply(reply),
            },
            Err(not_taken) => {
                if matches!(not_taken, NotTaken::Broken) {
                    self.take_out(id, actions);
                }
                Answer::Reply(Reply::refused(&Refusal::from(not_taken), client_id.as_ref()))
            }
        }
    }

    /// Where there is a journal, it knows a turn's rating, and the turn itself once that has left memory.
    fn turn_in_journal(&self, key: &Key, turn: TurnId) -> Option<JournalJob> {
        self.settings.keeping?;
        let live = self.sessions.find(key)?;
        let session = &live.session;
        if session.is_due(turn) || !session.has_had(turn) {
            return None;
        }
        let databases = session.databases().iter().map(|database| DatabaseInfo { survey: None, ..database.clone() }).collect();
        let in_memory = session.turn(turn).map(|detail| (detail, live.delivery(&self.settings, turn)));
        let shown = Shown { databases, detail_bytes_max: self.settings.limits.detail_bytes_max, in_memory };
        Some(JournalJob::Turn { name: queries::name(key), turn, shown: Box::new(shown) })
    }

    /// Makes room for a session that is about to open, or to take more; others that nobody uses may have to leave.
    pub(super) fn make_room(&mut self, id: super::SessionId, actions: &mut Vec<Action>) -> Result<(), Refusal> {
        let made = match self.sessions.get(id) {
            None => return Ok(()),
            Some(live) if live.is_open => self.sessions.may_grow(&self.settings).map(|()| Vec::new()),
            Some(_) => self.sessions.make_room(&self.settings),
        };
        match made {
            Ok(left) => {
                actions.extend(left.iter().map(|live| Action::Log(evicted(live))));
                Ok(())
            }
            Err(refusal) => {
                actions.push(Action::Log(Entry::Limit { code: refusal.code.name(), detail: refusal.to_string() }));
                Err(refusal)
            }
        }
    }

    /// Writes the answer that a connection waits for, and goes on with its next request.
    pub(super) fn answer(&mut self, id: SocketId, reply: &Reply, actions: &mut Vec<Action>) {
        let Some(framing) = self.take_pending(id) else { return };
        self.write_reply(id, &framing, reply, &[]);
        self.serve(id, actions);
        self.touch(id);
    }

    pub(super) fn take_pending(&mut self, id: SocketId) -> Option<Framing> {
        match &mut self.sockets.get_mut(&id)?.kind {
            Kind::Http(connection) => connection.pending.take().map(|(_, framing)| framing),
            Kind::Leaving(..) | Kind::Stream(_) | Kind::Lingering { .. } => None,
        }
    }

    pub(super) fn pend(&mut self, id: SocketId, ticket: Ticket, framing: Framing) {
        if let Some(socket) = self.sockets.get_mut(&id)
            && let Kind::Http(connection) = &mut socket.kind
        {
            connection.pending = Some((ticket, framing));
        }
    }

    pub(super) fn write_reply(&mut self, id: SocketId, framing: &Framing, reply: &Reply, headers: &[(&str, &str)]) {
        if let Some(record) = framing.audit.as_deref().cloned() {
            self.note_answer(record, reply.status);
        }
        let date = self.clock.date();
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        self.metrics.answered(framing.route, reply.status, self.clock.moment().since(framing.begun));
        framing.reply(&mut socket.out, &date, reply, headers);
        if !framing.keep_alive {
            socket.close();
        }
    }

    /// Writes an answer that is no JSON.
    pub(super) fn write_body(&mut self, id: SocketId, framing: &Framing, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let date = self.clock.date();
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        self.metrics.answered(framing.route, status, self.clock.moment().since(framing.begun));
        framing.write(&mut socket.out, &date, status, headers, body);
        if !framing.keep_alive {
            socket.close();
        }
    }

    /// `is_known`: the client has this file already.
    fn write_file(&mut self, id: SocketId, framing: &Framing, is_known: impl Fn(&Found) -> bool, found: &Found) {
        let policy = found.is_page.then(|| ("content-security-policy", self.policy.clone()));
        let headers: Vec<(&str, &str)> = found.headers.iter().chain(&policy).map(|(name, value)| (*name, value.as_str())).collect();
        if is_known(found) {
            self.write_body(id, &Framing { head_only: true, ..framing.clone() }, 304, &headers, &found.body);
        } else {
            self.write_body(id, framing, 200, &headers, &found.body);
        }
    }

    /// Whether a connection came in where everything is served.
    fn is_main(&self, id: SocketId) -> bool {
        !matches!(self.sockets.get(&id), Some(Socket { kind: Kind::Http(connection), .. }) if connection.door == Door::Metrics)
    }

    /// Answers a connection that can't go on, and ends it.
    pub(super) fn refuse(&mut self, id: SocketId, refusal: &Refusal, actions: &mut Vec<Action>) {
        actions.push(Action::Log(refused_line(refusal)));
        if let Some(Socket { kind: Kind::Http(connection), .. }) = self.sockets.get(&id) {
            let framing = connection.last_words(self.clock.moment());
            self.write_reply(id, &framing, &refusal.clone().into(), &[]);
        }
        self.count_input(id, actions);
    }

    pub(super) fn refuse_slow(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        self.refuse(id, &TOO_SLOW, actions);
    }

    /// Keeps count of what has arrived in part. The connection that takes the last of the budget is refused.
    pub(super) fn count_input(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let bytes = if socket.is_closing() { 0 } else { socket.input_bytes() };
        self.input_bytes = self.input_bytes - socket.counted_input + bytes;
        socket.counted_input = bytes;
        if self.input_bytes > self.settings.input_bytes_max && bytes > SMALL_BYTES {
            match socket.kind {
                Kind::Http(_) => self.refuse(id, &INPUT_FULL, actions),
                Kind::Leaving(..) | Kind::Stream(_) | Kind::Lingering { .. } => {
                    actions.push(Action::Log(Entry::Limit { code: INPUT_FULL.code.name(), detail: INPUT_FULL.to_string() }));
                    socket.say_goodbye(1013, "too much is being sent to this server at once: reconnect");
                    self.count_input(id, actions);
                }
            }
        }
    }

    fn await_job(&mut self, id: SocketId, framing: Framing, job: Job, actions: &mut Vec<Action>) {
        let to = if let Job::File { name } = &job { ReplyTo::File(id, name.clone()) } else { ReplyTo::Socket(id) };
        let ticket = self.start_job(to, job, actions);
        self.pend(id, ticket, framing);
    }

    pub(super) fn start_job(&mut self, to: ReplyTo, job: Job, actions: &mut Vec<Action>) -> Ticket {
        let time = match job {
            Job::Doctor => DOCTOR_TIME,
            Job::Call(_) => {
                self.reruns += 1;
                RERUN_TIME
            }
            _ => JOB_TIME,
        };
        let ticket = self.wait(to, time, &JOB_SILENT);
        actions.push(Action::Job { ticket, job });
        ticket
    }

    pub(super) fn wait(&mut self, to: ReplyTo, time: Duration, otherwise: &'static Refusal) -> Ticket {
        self.last_ticket.0 += 1;
        let (ticket, due) = (self.last_ticket, self.clock.moment().after(time));
        self.timers.set(due, Timer::Ticket(ticket));
        self.waiting.insert(ticket, Waiting { to, due, otherwise });
        ticket
    }

    pub(super) fn take_waiting(&mut self, ticket: Ticket) -> Option<Waiting> {
        let waiting = self.waiting.remove(&ticket)?;
        self.timers.clear(waiting.due, Timer::Ticket(ticket));
        Some(waiting)
    }

    /// Another shard or a job has not answered in time.
    pub(super) fn give_up_waiting(&mut self, ticket: Ticket, actions: &mut Vec<Action>) {
        if self.waiting.get(&ticket).is_some_and(|waiting| matches!(waiting.to, ReplyTo::Parked(..))) {
            return self.unpark(ticket, MayWait::NONE, actions);
        }
        let Some(waiting) = self.waiting.remove(&ticket) else { return };
        let refusal = waiting.otherwise.clone();
        actions.push(Action::Log(Entry::Limit { code: refusal.code.name(), detail: refusal.to_string() }));
        let reply = self.journal.gives_up(ticket).map_or_else(|| refusal.clone().into(), |answer| answer.unconfirmed(&refusal));
        self.reply(waiting.to, reply, actions);
    }

    pub(super) fn job_done(&mut self, ticket: Ticket, outcome: JobOutcome, actions: &mut Vec<Action>) {
        if let JobOutcome::Forked(forked) = &outcome {
            self.make_way(forked, actions);
        }
        let outcome = match outcome {
            JobOutcome::Called { again, waited_us, usage, outcome } => {
                JobOutcome::Reply(self.rerun_ended(&again, waited_us, usage, &outcome))
            }
            other => other,
        };
        let Some(waiting) = self.take_waiting(ticket) else { return };
        match (outcome, waiting.to) {
            (JobOutcome::Recorded { wanted, kept }, to) => match kept.and_then(|kept| wanted.of(&kept, self.clock.moment())) {
                Ok(again) => drop(self.start_job(to, Job::Call(Box::new(again)), actions)),
                Err(refusal) => self.reply(to, refusal.into(), actions),
            },
            (JobOutcome::Called { .. }, _) => unreachable!("it became a reply above"),
            (JobOutcome::File(Some(body)), ReplyTo::File(socket, name)) => {
                let Some(framing) = self.take_pending(socket) else { return };
                self.write_file(socket, &framing, |_| false, &files::fresh(&name, body));
                self.serve(socket, actions);
                self.touch(socket);
            }
            (JobOutcome::File(_), to) => self.reply(to, NO_FILE.into(), actions),
            (JobOutcome::Document { kind, name, body }, ReplyTo::Socket(socket)) => {
                let Some(framing) = self.take_pending(socket) else { return };
                let named = format!("attachment; filename=\"{name}\"");
                let headers = [("content-type", kind), ("content-disposition", &*named), ("cache-control", "no-store")];
                self.write_body(socket, &framing, 200, &headers, &body);
                if let Some(record) = framing.audit {
                    self.note_answer(*record, 200);
                }
                self.serve(socket, actions);
                self.touch(socket);
            }
            (JobOutcome::Document { .. }, to) => self.reply(to, NO_FILE.into(), actions),
            (JobOutcome::Forked(forked), to) => self.forked(to, *forked, actions),
            (JobOutcome::Reply(reply), ReplyTo::Everywhere(socket, gathered)) => {
                self.gather(ticket, socket, gathered, waiting.due, reply, actions);
            }
            (JobOutcome::Reply(reply), to) => self.reply(to, reply, actions),
        }
    }

    /// The stream that a connection becomes lives on this shard or on another one.
    pub(super) fn leave(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let lingering = Kind::Lingering { left: 0, until: self.clock.moment() };
        let Kind::Leaving(attach, shard) = std::mem::replace(&mut socket.kind, lingering) else { return };
        if shard == self.id {
            let farewell = match self.must_wait_to_watch(id, &attach, actions) {
                Ok(false) => None,
                Err(goodbye) => Some(goodbye),
                Ok(true) => {
                    // Looked at again when it need not wait any more.
                    if let Some(socket) = self.sockets.get_mut(&id) {
                        socket.kind = Kind::Leaving(attach, shard);
                    }
                    return;
                }
            };
            return self.attach(id, *attach, farewell, actions);
        }
        self.forget_socket(id, actions);
        actions.push(Action::HandOver { socket: id, shard, attach });
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        let own = self.id;
        (0..self.settings.shards).map(ShardId).filter(move |shard| *shard != own)
    }
}

/// Where only operators' tools are served, they are served under whatever name the server is reached by.
fn check_tool(route: Option<&routes::Route>) -> Result<Option<Box<str>>, Refusal> {
    if route.is_some_and(routes::Route::is_of_operators) { Ok(None) } else { Err(ONLY_METRICS) }
}

pub(super) fn refused_line(refusal: &Refusal) -> Entry {
    Entry::Refused { code: refusal.code.name(), detail: refusal.to_string() }
}
