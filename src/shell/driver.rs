//! The driver: moves bytes, time and wake-ups between the event loop and a shard, and decides nothing.
//!
//! Whatever happens on this thread is fed to the shard where it happens; the actions that it answers with are carried out
//! at once and in order. A tick follows: it feeds the mail of other threads, and then [`Event::TickEnd`], which is when the
//! shard writes. What carrying out an action brings about (a write that has ended) waits for that tick, so the shard is
//! never entered twice.

use super::alarm::{self, Alarm};
use super::audit::Audit;
use super::bounds::{REST, TICKS_WITHOUT_REST_MAX};
use super::calls::Calls;
use super::clock::Clock;
use super::jobs::Jobs;
use super::journal::Journal;
use super::listener::{Listener, Listeners};
use super::log;
use super::mailbox::{Letter, Mailbox};
use super::server::Notice;
use super::socket::Sockets;
use crate::contract::journal::Name;
use crate::contract::{Code, Now, Refusal};
use crate::shard::event::{Action, Event, Job, JobOutcome, Mail, ShardId, SocketId};
use crate::shard::journal_job::NO_JOURNAL;
use crate::shard::operation::Reply;
use crate::shard::{Load, Shard};
use crate::work::Pool;
use crate::work::courier::Courier;
use crate::work::issuer::Identity;
use crate::work::otlp::Exporter;
use monoio::io::{CancelHandle, Canceller};
use monoio::net::TcpStream;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// What the driver drives: a shard, or a test's stand-in.
pub(super) trait Machine: 'static {
    fn handle(&mut self, now: Now, event: Event<'_>, actions: &mut Vec<Action>);

    fn load(&self) -> Load {
        Load::default()
    }

    /// The sessions that it has in memory.
    fn names(&self) -> Vec<Name> {
        Vec::new()
    }
}

impl Machine for Shard {
    fn handle(&mut self, now: Now, event: Event<'_>, actions: &mut Vec<Action>) {
        Shard::handle(self, now, event, actions);
    }

    fn load(&self) -> Load {
        Shard::load(self)
    }

    fn names(&self) -> Vec<Name> {
        Shard::names(self)
    }
}

pub(super) struct Driver<M> {
    number: ShardId,
    machine: RefCell<M>,
    /// Kept between events so that none of them allocates.
    actions: Cell<Vec<Action>>,
    /// What carrying out actions has brought about.
    pending: RefCell<VecDeque<Event<'static>>>,
    pub(super) clock: Clock,
    sockets: RefCell<Sockets>,
    pub(super) alarm: Alarm,
    calls: Calls,
    jobs: Jobs,
    identity: Option<Identity>,
    audit: Option<Audit>,
    exporter: Option<Exporter>,
    journal: Option<Journal>,
    courier: Option<Courier>,
    mailboxes: Arc<[Arc<Mailbox>]>,
    notices: Sender<Notice>,
    /// Whether the loop is epoll's, which wants sockets that don't block.
    polls: bool,
    /// Ours until we stop listening; other handles of them accept.
    listeners: RefCell<Option<Listeners>>,
    /// Ends accepting.
    accepting: Cell<Canceller>,
    tick_due: Cell<bool>,
    ticker: RefCell<Option<Waker>>,
    /// Whether the mailbox has our waker.
    mail_wakes: Cell<bool>,
    stopped: Cell<bool>,
}

/// What a driver is given by its server.
pub(super) struct Parts {
    pub(super) number: ShardId,
    /// When time starts, for all shards.
    pub(super) start: Instant,
    pub(super) pool: Pool,
    pub(super) jobs: Jobs,
    /// None where nobody signs in.
    pub(super) identity: Option<Identity>,
    pub(super) audit: Option<Audit>,
    /// None where traces are not exported.
    pub(super) exporter: Option<Exporter>,
    /// None where sessions live in memory only.
    pub(super) journal: Option<Journal>,
    /// None where no webhook is called.
    pub(super) courier: Option<Courier>,
    pub(super) mailboxes: Arc<[Arc<Mailbox>]>,
    pub(super) notices: Sender<Notice>,
}

impl<M: Machine> Driver<M> {
    pub(super) fn new(machine: M, parts: Parts, listeners: Listeners, polls: bool) -> Rc<Self> {
        let Parts { number, start, pool, jobs, identity, audit, exporter, journal, courier, mailboxes, notices } = parts;
        Rc::new(Driver {
            number,
            machine: RefCell::new(machine),
            actions: Cell::default(),
            pending: RefCell::default(),
            clock: Clock::new(start),
            sockets: RefCell::default(),
            alarm: Alarm::default(),
            calls: Calls::new(pool, mailboxes[number.0].clone()),
            jobs,
            identity,
            audit,
            exporter,
            journal,
            courier,
            mailboxes,
            notices,
            polls,
            listeners: RefCell::new(Some(listeners)),
            accepting: Cell::default(),
            tick_due: Cell::new(false),
            ticker: RefCell::default(),
            mail_wakes: Cell::new(false),
            stopped: Cell::new(false),
        })
    }

    /// Something has happened on this thread; a tick follows.
    pub(super) fn feed(self: &Rc<Self>, event: Event<'_>) {
        self.handle(event);
        self.schedule_tick();
    }

    fn handle(self: &Rc<Self>, event: Event<'_>) {
        let mut actions = self.actions.take();
        self.machine.borrow_mut().handle(self.clock.now(), event, &mut actions);
        for action in actions.drain(..) {
            if let Some(event) = self.carry_out(action) {
                self.pending.borrow_mut().push_back(event);
            }
        }
        self.actions.set(actions);
    }

    /// Returns what it brings about at once.
    fn carry_out(self: &Rc<Self>, action: Action) -> Option<Event<'static>> {
        match action {
            Action::Read { socket, bytes_max } => {
                self.sockets.borrow().get(socket)?.read(bytes_max);
            }
            Action::Write { socket, bytes } => return self.sockets.borrow().get(socket)?.write(self, bytes),
            Action::Shutdown { socket } => self.sockets.borrow().get(socket)?.shut_down(),
            Action::Close { socket } => self.sockets.borrow_mut().remove(socket)?.close(),
            Action::HandOver { socket, shard, attach } => self.sockets.borrow_mut().remove(socket)?.hand_over(shard, attach),
            Action::Mail { shard, mail } => {
                return self.send(shard, Letter::Mail(mail)).and_then(refused).map(|(_, reply)| Event::Mail(reply));
            }
            Action::Call { session, call, owner, request, trace } => return self.calls.start(session, call, &owner, request, trace),
            Action::CancelCall { session, call } => self.calls.cancel(session, call),
            Action::Job { ticket, job: Job::Journal(job) } => {
                let mailbox = &self.mailboxes[self.number.0];
                let outcome = match &self.journal {
                    Some(journal) => journal.work(self.number, mailbox, ticket, job)?,
                    None => JobOutcome::Reply(NO_JOURNAL.into()),
                };
                return Some(Event::JobDone { ticket, outcome });
            }
            Action::Job { ticket, job: Job::Call(again) } => return self.calls.again(ticket, again),
            Action::Job { ticket, job } => return self.jobs.start(&self.mailboxes[self.number.0], ticket, job),
            Action::Append { batch, appends } => self.journal.as_ref()?.append(self.number, batch, appends),
            Action::Load { key } => self.journal.as_ref()?.load(self.number, key),
            Action::Deliver(delivery) => self.courier.as_ref()?.deliver(*delivery),
            Action::Recall { user, session } => self.courier.as_ref()?.recall(&user, session.as_deref()),
            Action::Ask(ask) => return self.identity.as_ref()?.ask(ask).map(Event::News),
            Action::WakeAt(moment) => self.alarm.set(moment),
            Action::Log(entry) => log::write(entry),
            Action::Audit(record) => self.audit.as_ref()?.write_boxed(record),
            Action::Export(finished) => self.exporter.as_ref()?.export(finished),
            Action::Drained => self.notify(Notice::Drained),
            Action::Stopped => self.stopped.set(true),
        }
        None
    }

    /// Sends a letter to a shard; returns it if the shard has ended.
    pub(super) fn send(&self, shard: ShardId, letter: Letter) -> Option<Letter> {
        self.mailboxes[shard.0].put(letter)
    }

    fn notify(&self, notice: Notice) {
        // Nobody listens once the server has been let go.
        let _ = self.notices.send(notice);
    }

    pub(super) fn schedule_tick(&self) {
        if !self.tick_due.replace(true)
            && let Some(ticker) = &*self.ticker.borrow()
        {
            ticker.wake_by_ref();
        }
    }

    /// Ticks until the shard has stopped.
    pub(super) async fn run(self: Rc<Self>) {
        monoio::spawn(alarm::ring(self.clone()));
        let mut ticks_without_rest = 0;
        loop {
            let had_to_wait = self.work().await;
            ticks_without_rest = if had_to_wait { 0 } else { ticks_without_rest + 1 };
            // Tasks that keep each other busy keep the loop from waiting, and only then does the kernel hand out what has
            // arrived on the sockets.
            if ticks_without_rest == TICKS_WITHOUT_REST_MAX {
                ticks_without_rest = 0;
                monoio::time::sleep(REST).await;
            } else if !had_to_wait {
                let_others_run().await;
            }
            self.tick();
            if self.stopped.get() {
                return self.end();
            }
        }
    }

    /// Comes back when a tick is due; true if it had to wait for that.
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
        let mailbox = &self.mailboxes[self.number.0];
        if self.tick_due.get() || mailbox.has_mail() {
            return Poll::Ready(());
        }
        self.ticker.borrow_mut().get_or_insert_with(|| context.waker().clone());
        if self.mail_wakes.get() {
            return Poll::Pending;
        }
        self.mail_wakes.set(true);
        mailbox.poll(context)
    }

    fn tick(self: &Rc<Self>) {
        self.tick_due.set(false);
        if self.mailboxes[self.number.0].has_mail() {
            self.mail_wakes.set(false);
            self.mailboxes[self.number.0].take().into_iter().for_each(|letter| self.open(letter));
        }
        self.finish();
        // Most writes end at once, and what follows from that is part of the same tick; only once, so that a long answer to
        // one client keeps nobody waiting.
        if !self.pending.borrow().is_empty() {
            self.finish();
        }
        if !self.pending.borrow().is_empty() {
            self.schedule_tick();
        }
        self.clock.expire();
    }

    fn finish(self: &Rc<Self>) {
        let pending = self.pending.borrow().len();
        for _ in 0..pending {
            let event = self.pending.borrow_mut().pop_front();
            event.into_iter().for_each(|event| self.handle(event));
        }
        self.handle(Event::TickEnd);
    }

    fn open(self: &Rc<Self>, letter: Letter) {
        match letter {
            Letter::Chunk { session, call, text } => self.handle(Event::Chunk { session, call, text }),
            Letter::Completion { session, call, usage, waited_us, outcome } => {
                self.calls.ended(session, call);
                self.handle(Event::Completion { session, call, usage, waited_us, outcome });
            }
            Letter::Mail(mail) => self.handle(Event::Mail(mail)),
            Letter::Arrival(handover) => match handover.arrive(self.polls) {
                Ok((stream, attach)) => self.take_in(stream, |socket| Event::Arrived { socket, attach }),
                // A socket that can't be taken in is closed by its owner, which ends here.
                Err(error) => tracing::warn!(%error, "a socket was lost on its way to another shard"),
            },
            Letter::JobDone { ticket, outcome } => self.handle(Event::JobDone { ticket, outcome }),
            Letter::News(news) => self.handle(Event::News(news)),
            Letter::Durable { batch } => self.handle(Event::Durable { batch }),
            Letter::Loaded { key, outcome } => self.handle(Event::Loaded { key, outcome: *outcome }),
            Letter::Fenced { key, generation } => self.handle(Event::Fenced { key, generation }),
            Letter::Wake(keys) => self.handle(Event::Wake(keys)),
            Letter::JournalState { broken } => self.handle(Event::JournalState { broken }),
            Letter::Reload { rules, done } => {
                self.handle(Event::Reload(rules));
                // Whoever waited may have given up.
                let _ = done.send(());
            }
            Letter::Turn => self.notify(Notice::Turned { shard: self.number, load: self.machine.borrow().load() }),
            // The journal may not wait any more.
            Letter::Names(to) => drop(to.send(self.machine.borrow().names())),
            Letter::Drain => {
                // Whoever connects from now on waits for the next server, which gets these sockets too.
                if self.listeners.borrow().as_ref().is_some_and(|listeners| listeners.inherited) {
                    self.stop_listening();
                }
                self.handle(Event::Drain);
            }
            Letter::Stop => {
                self.stop_listening();
                self.handle(Event::Stop);
            }
        }
    }

    pub(super) fn take_in(self: &Rc<Self>, stream: TcpStream, event: impl FnOnce(SocketId) -> Event<'static>) {
        let (socket, half) = self.sockets.borrow_mut().insert(stream);
        let id = socket.id;
        monoio::spawn(socket.serve(self.clone(), half));
        self.handle(event(id));
    }

    /// Ends the tasks that accept, and frees an address of our own at once, whatever else still holds its socket. What systemd
    /// holds too goes on listening.
    fn stop_listening(&self) {
        if let Some(listeners) = self.listeners.take() {
            if !listeners.inherited {
                listeners.sockets.iter().for_each(Listener::shut_down);
            }
            listeners.metrics.iter().for_each(Listener::shut_down);
            self.accepting.set(self.accepting.take().cancel());
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listeners.borrow().is_some()
    }

    /// Cancels accepting when we stop listening.
    pub(super) fn accepting(&self) -> CancelHandle {
        let accepting = self.accepting.take();
        let handle = accepting.handle();
        self.accepting.set(accepting);
        handle
    }

    /// Whether the loop is epoll's.
    pub(super) fn polls(&self) -> bool {
        self.polls
    }

    /// Nobody handles what has come since: requests get an answer.
    fn end(&self) {
        for (shard, reply) in self.mailboxes[self.number.0].close().into_iter().filter_map(refused) {
            drop(self.send(shard, Letter::Mail(reply)));
        }
    }
}

/// The reply to a request that reached a shard which has ended, and who gets it.
fn refused(letter: Letter) -> Option<(ShardId, Mail)> {
    let Letter::Mail(Mail::Operation { from, ticket, .. }) = letter else { return None };
    let refusal = Refusal::new(Code::Draining, "the server is shutting down: try again in a moment");
    Some((from, Mail::Reply { ticket, reply: Reply::from(refusal) }))
}

/// Goes on when all tasks that can run now have run.
async fn let_others_run() {
    let mut others_ran = false;
    poll_fn(|context| {
        if std::mem::replace(&mut others_ran, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
