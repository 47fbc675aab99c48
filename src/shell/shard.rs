//! A shard: one thread with its sessions, and the tick in which all that happens to them happens.
//!
//! Readers and other threads only put things in line: into the inbox or the mailbox. The tick task takes all of them, at one
//! time on the clock, and then shows each watcher what is new: one write for each socket. Nothing here is locked; nothing
//! waits while it holds a session.

use super::answers;
use super::beat;
use super::board::Boards;
use super::bounds::{FAREWELL_TIME, REST, TICKS_WITHOUT_REST_MAX};
use super::clock::{Clock, after, micros};
use super::errand::{Errand, Reply, ReplyTo, Slot};
use super::files::Files;
use super::handover::Attach;
use super::line::Lines;
use super::mailbox::{Mail, Mailbox};
use super::reactor::Backend;
use super::resident::{NotTaken, Resident};
use super::sessions::Sessions;
use super::stream::{self, Seat};
use super::suites::Runs;
use crate::contract::{CallId, Code, Input, Limits, Refusal, Time};
use crate::graph::Library;
use crate::wire::{json, sse, websocket};
use crate::work::Pool;
use monoio::net::TcpStream;
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::future::poll_fn;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What all shards share.
pub(super) struct Common {
    pub(super) library: Arc<Library>,
    /// What a session begins on.
    pub(super) graph: Arc<str>,
    pub(super) limits: Limits,
    pub(super) pool: Pool,
    pub(super) files: Files,
    pub(super) results: PathBuf,
    /// Test suites that are played from a browser.
    pub(super) runs: Runs,
    /// What `/health` tells beside the status.
    pub(super) about: Map<String, Value>,
    pub(super) mailboxes: Vec<Arc<Mailbox>>,
    pub(super) sessions_max: usize,
    /// Of each shard.
    pub(super) connections_max: usize,
    /// How long a session stays that nobody uses.
    pub(super) session_idle: Duration,
    /// How long a WebSocket's client may be silent.
    pub(super) silence_max: Duration,
    /// How long a step of a write may take.
    pub(super) write_time: Duration,
    /// Sessions that are open, on all shards.
    pub(super) sessions: AtomicUsize,
    pub(super) notices: Sender<Notice>,
}

/// What a shard, or the system, tells the thread that waits for the server's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// SIGTERM or SIGINT.
    Signal,
    /// A shard's last turn has ended.
    Drained,
    /// Someone inside wants the server to end.
    Stop,
}

/// What happens on this thread and waits for the tick.
pub(super) enum Item {
    Errand {
        errand: Errand,
        to: ReplyTo,
    },
    Arrive {
        stream: TcpStream,
        attach: Attach,
    },
    Said {
        socket: u64,
        input: Input,
    },
    /// A socket's write has ended, and there may be more for it.
    Takes {
        socket: u64,
    },
    Gone {
        socket: u64,
    },
    Beat,
}

pub(super) struct Shard {
    pub(super) number: usize,
    pub(super) common: Arc<Common>,
    /// Whether the loop is epoll's, which wants sockets that don't block.
    pub(super) polls: bool,
    pub(super) clock: Clock,
    pub(super) lines: Rc<Lines>,
    pub(super) sessions: RefCell<Sessions>,
    pub(super) boards: RefCell<Boards>,
    pub(super) sockets: RefCell<BTreeMap<u64, Seat>>,
    pub(super) next_socket: Cell<u64>,
    inbox: RefCell<VecDeque<Item>>,
    waker: RefCell<Option<Waker>>,
    /// Errands that are out at other shards.
    asked: RefCell<HashMap<u64, Rc<Slot>>>,
    next_ticket: Cell<u64>,
    /// Requests that are taken and not yet answered.
    answering: Cell<usize>,
    due: RefCell<BTreeSet<(Time, u64, CallId)>>,
    pub(super) next_sweep: Cell<Time>,
    phase: Cell<Phase>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Running turns may end; no new one begins.
    Draining,
    Drained,
    Stopping {
        until: Time,
    },
}

/// Why nothing new begins.
pub(super) const DRAINING: &str = "the server is shutting down: try again in a moment";
const FULL: &str = "too many conversations are open on this server: go on with one that you have, or try again later; whoever runs it can \
                    let it hold more with --sessions";
const BROKEN: &str = "something broke inside this server, and this session with it: send the message again to begin anew";

impl Shard {
    pub(super) fn new(number: usize, common: Arc<Common>, polls: bool) -> Self {
        Shard {
            number,
            common,
            polls,
            clock: Clock::new(),
            lines: Rc::default(),
            sessions: RefCell::default(),
            boards: RefCell::default(),
            sockets: RefCell::default(),
            next_socket: Cell::new(1),
            inbox: RefCell::default(),
            waker: RefCell::default(),
            asked: RefCell::default(),
            next_ticket: Cell::new(1),
            answering: Cell::new(0),
            due: RefCell::default(),
            next_sweep: Cell::default(),
            phase: Cell::new(Phase::Serving),
        }
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.common.mailboxes[self.number]
    }

    pub(super) fn backend(&self) -> Backend {
        if self.polls { Backend::Epoll } else { Backend::IoUring }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.phase.get() != Phase::Serving
    }

    /// A request is taken; the shard does not end before its answer is sent, for as long as a farewell may take.
    pub(super) fn begin_answer(self: &Rc<Self>) -> Answering {
        self.answering.set(self.answering.get() + 1);
        Answering(self.clone())
    }

    /// Puts something in line for the tick.
    pub(super) fn push(&self, item: Item) {
        self.inbox.borrow_mut().push_back(item);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Has an errand done, here or on the shard where its session lives.
    pub(super) async fn ask(&self, errand: Errand, shard: usize) -> Reply {
        let slot = Rc::new(Slot::default());
        if shard == self.number {
            self.push(Item::Errand { errand, to: ReplyTo::Here(slot.clone()) });
        } else {
            let ticket = self.next_ticket.replace(self.next_ticket.get() + 1);
            self.asked.borrow_mut().insert(ticket, slot.clone());
            self.common.mailboxes[shard].put(Mail::Errand { errand, shard: self.number, ticket });
        }
        slot.wait().await
    }

    /// A call that must have ended by then.
    pub(super) fn expect(&self, due: Time, session: u64, call: CallId) {
        self.due.borrow_mut().insert((due, session, call));
    }

    /// A call has ended in time.
    pub(super) fn expect_no_longer(&self, due: Time, session: u64, call: CallId) {
        self.due.borrow_mut().remove(&(due, session, call));
    }

    /// A call that should have ended by now.
    pub(super) fn next_overdue(&self, now: Time) -> Option<(u64, CallId)> {
        let mut due = self.due.borrow_mut();
        match due.first() {
            Some((time, _, _)) if *time <= now => due.pop_first().map(|(_, session, call)| (session, call)),
            _ => None,
        }
    }

    pub(super) fn socket_takes_again(&self, socket: u64) {
        self.push(Item::Takes { socket });
    }

    /// Ticks until the server stops.
    pub(super) async fn run(self: Rc<Self>) {
        monoio::spawn(beat::beat(self.clone()));
        let mut ticks_without_rest = 0;
        loop {
            let had_to_wait = self.work().await;
            ticks_without_rest = if had_to_wait { 0 } else { ticks_without_rest + 1 };
            let now = self.clock.tick();
            self.tick(now);
            if let Phase::Stopping { until } = self.phase.get()
                && ((self.sockets.borrow().is_empty() && self.answering.get() == 0) || now >= until)
            {
                return self.mailbox().close();
            }
            // Tasks that keep each other busy keep the loop from waiting, and only then does the kernel hand out what has
            // arrived on the sockets.
            if ticks_without_rest == TICKS_WITHOUT_REST_MAX {
                ticks_without_rest = 0;
                monoio::time::sleep(REST).await;
            } else {
                let_others_run().await;
            }
        }
    }

    /// Comes back when there is something to do; true if there was nothing at first.
    async fn work(&self) -> bool {
        let mut had_to_wait = false;
        poll_fn(|context| {
            let work = self.poll_work(context);
            had_to_wait |= work.is_pending();
            work
        })
        .await;
        had_to_wait
    }

    fn poll_work(&self, context: &Context<'_>) -> Poll<()> {
        if !self.inbox.borrow().is_empty() {
            return Poll::Ready(());
        }
        *self.waker.borrow_mut() = Some(context.waker().clone());
        self.mailbox().poll(context)
    }

    fn tick(self: &Rc<Self>, now: Time) {
        for mail in self.mailbox().take() {
            self.deliver(now, mail);
        }
        for item in self.inbox.take() {
            match item {
                Item::Errand { errand, to } => self.reply(to, self.answer(errand)),
                Item::Arrive { stream, attach } => stream::attach(self, stream, attach),
                Item::Said { socket, input } => self.said(socket, input),
                Item::Takes { socket } => self.takes(socket),
                Item::Gone { socket } => stream::detach(self, socket),
                Item::Beat => self.look_round(now),
            }
        }
        let dirty = self.sessions.borrow_mut().take_dirty();
        for resident in dirty {
            let mut resident = resident.borrow_mut();
            resident.show();
            resident.watchers.iter().for_each(|watcher| watcher.socket.flush(self));
        }
        if self.phase.get() == Phase::Draining && !self.sessions.borrow().any_busy() {
            self.phase.set(Phase::Drained);
            self.notice(Notice::Drained);
        }
        if let Phase::Stopping { until } = self.phase.get() {
            self.say_goodbye(now >= Time(until.0 - micros(FAREWELL_TIME) / 2));
        }
    }

    /// Closes the sockets that have been shown everything; after a while all of them.
    fn say_goodbye(self: &Rc<Self>, to_all: bool) {
        for seat in self.sockets.borrow().values() {
            let resident = self.sessions.borrow().numbered(seat.session);
            let is_behind = resident.is_some_and(|resident| resident.borrow().is_behind(seat.socket.number));
            if to_all || !is_behind {
                seat.socket.close(1001, "the server is shutting down");
                seat.socket.flush(self);
            }
        }
    }

    fn deliver(self: &Rc<Self>, now: Time, mail: Mail) {
        match mail {
            Mail::Chunk { session, call, text } => self.with_session(session, |resident, shard| resident.chunk(shard, call, text)),
            Mail::Completion { session, call, usage, waited_us, outcome } => {
                self.with_session(session, |resident, shard| resident.completion(shard, call, usage, waited_us, outcome));
            }
            Mail::Errand { errand, shard, ticket } => self.reply(ReplyTo::Shard { shard, ticket }, self.answer(errand)),
            Mail::Reply { ticket, reply } => {
                if let Some(slot) = self.asked.borrow_mut().remove(&ticket) {
                    slot.fill(reply);
                }
            }
            Mail::Handover(handover) => {
                // A socket that can't be taken over is closed by its owner, which ends here.
                if let Ok((stream, attach)) = handover.arrive(self.polls) {
                    stream::attach(self, stream, attach);
                }
            }
            Mail::TestReport { sub, json } => {
                let streams = self.sockets.borrow();
                for seat in streams.values().filter(|seat| !seat.socket.is_websocket() && seat.sub == sub) {
                    seat.socket.push(|out| sse::write_event(out, None, &json));
                    seat.socket.flush(self);
                }
            }
            Mail::Drain => {
                if self.phase.get() == Phase::Serving {
                    self.phase.set(Phase::Draining);
                    self.common.runs.stop();
                    self.drain(false);
                }
            }
            Mail::Stop => {
                self.drain(true);
                self.phase.set(Phase::Stopping { until: after(now, FAREWELL_TIME) });
            }
        }
    }

    /// Has every session give up what waits, and what runs if it is to be `cut`.
    fn drain(self: &Rc<Self>, cut: bool) {
        let sessions = self.sessions.borrow().numbers();
        for session in sessions {
            self.with_session(session, |resident, shard| resident.take(shard, Input::Drain { cut }).map(drop));
        }
    }

    fn reply(&self, to: ReplyTo, reply: Reply) {
        match to {
            ReplyTo::Here(slot) => slot.fill(reply),
            ReplyTo::Shard { shard, ticket } => self.common.mailboxes[shard].put(Mail::Reply { ticket, reply }),
        }
    }

    fn answer(self: &Rc<Self>, errand: Errand) -> Reply {
        if errand.ask.is_of_user() {
            return stream::answer_of_board(self, &errand);
        }
        let begins = errand.ask.begins();
        if begins && self.is_draining() {
            return Reply::refused(503, DRAINING);
        }
        let resident = self.sessions.borrow_mut().find_or_place(self, &errand.key, &errand.from);
        if begins && !resident.borrow().is_open && !self.sessions.borrow().has_room(&self.common) {
            self.sessions.borrow_mut().settle(self, &resident);
            return Reply::refused(503, FULL);
        }
        let answered = answers::answer(&mut resident.borrow_mut(), self, errand.from, errand.ask);
        self.sessions.borrow_mut().settle(self, &resident);
        match answered {
            Ok(reply) => reply,
            Err(NotTaken::Refused(refusal)) => answers::refused(&refusal),
            Err(NotTaken::Broken) => {
                self.take_out(resident.borrow().number);
                Reply::refused(500, BROKEN)
            }
        }
    }

    /// A client said something on its chat socket.
    fn said(self: &Rc<Self>, socket: u64, input: Input) {
        let Some((socket, session)) = self.sockets.borrow().get(&socket).map(|seat| (seat.socket.clone(), seat.session)) else { return };
        let Some(resident) = self.sessions.borrow().numbered(session) else { return };
        let refuse = |refusal: &Refusal| {
            socket.push(|out| websocket::write_text(out, &json::refusal(refusal, None)));
            socket.flush(self);
        };
        let begins = matches!(input, Input::Message { .. } | Input::Action { .. });
        if begins && self.is_draining() {
            return refuse(&Refusal::new(Code::Draining, DRAINING));
        }
        if begins && !resident.borrow().is_open && !self.sessions.borrow().has_room(&self.common) {
            return refuse(&Refusal::new(Code::SessionsFull, FULL));
        }
        let taken = resident.borrow_mut().take(self, input);
        self.sessions.borrow_mut().settle(self, &resident);
        match taken {
            Ok(_) => {}
            Err(NotTaken::Refused(refusal)) => refuse(&refusal),
            Err(NotTaken::Broken) => self.take_out(session),
        }
    }

    /// A socket can take more.
    fn takes(self: &Rc<Self>, socket: u64) {
        let Some((socket, session)) = self.sockets.borrow().get(&socket).map(|seat| (seat.socket.clone(), seat.session)) else { return };
        if let Some(resident) = self.sessions.borrow().numbered(session) {
            resident.borrow_mut().show();
        }
        socket.flush(self);
    }

    pub(super) fn with_session(self: &Rc<Self>, number: u64, change: impl FnOnce(&mut Resident, &Shard) -> Result<(), NotTaken>) {
        // A session that has gone needs nothing of what its calls still bring.
        let Some(resident) = self.sessions.borrow().numbered(number) else { return };
        let changed = change(&mut resident.borrow_mut(), self);
        self.sessions.borrow_mut().settle(self, &resident);
        if changed.is_err() {
            self.take_out(number);
        }
    }

    /// A session had a bug: it goes, with its sockets and calls.
    pub(super) fn take_out(self: &Rc<Self>, number: u64) {
        let Some(resident) = self.sessions.borrow_mut().remove(self, number) else { return };
        let mut resident = resident.borrow_mut();
        resident.abandon(self);
        for watcher in resident.watchers.drain(..) {
            watcher.socket.close(1011, "something broke inside this session");
            watcher.socket.flush(self);
        }
    }

    pub(super) fn notice(&self, notice: Notice) {
        // Nobody listens once the server is being let go.
        let _ = self.common.notices.send(notice);
    }
}

/// A request that is being answered, until this is dropped.
pub(super) struct Answering(Rc<Shard>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.set(self.0.answering.get() - 1);
        if self.0.answering.get() == 0 && matches!(self.0.phase.get(), Phase::Stopping { .. }) {
            self.0.push(Item::Beat);
        }
    }
}

/// Goes on when all tasks that can run now have run.
async fn let_others_run() {
    let mut others_ran = false;
    poll_fn(|context| match std::mem::replace(&mut others_ran, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}
