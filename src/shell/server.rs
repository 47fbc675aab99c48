//! The server as a whole: how it starts, and how it ends.
//!
//! A signal or a [`Stopper`] ends it: running turns end first, for as long as that may take, then the sockets close. A
//! second signal doesn't wait for them. The listeners close before the sockets do, so that the next server finds its
//! address free. On sockets that systemd holds, accepting ends as soon as the server is about to end: whoever connects then
//! waits for the next one. A supervisor hears of all of it.

use super::accept::{self, Accepting};
use super::audit::{Audit, FLUSH_TIME_MAX};
use super::bounds::{DRAIN_TIME, FLUSH_TIME, SOCKET_MODE};
use super::descriptors;
use super::doctor::{Check, Doctor};
use super::driver::{Driver, Machine, Parts};
use super::files;
use super::inherited::Inherited;
use super::jobs::Jobs;
use super::journal::Journal;
use super::listener::{Listener, Listeners, Listening};
use super::mailbox::{Letter, Mailbox};
use super::pulse::Pulse;
use super::reactor::{Backend, Reactor};
use super::reload::{self, Reloading, Reloads};
use super::socket_file::SocketFile;
use super::suites::{Runs, Suites};
use super::supervisor::Supervisor;
use crate::auth::{self, News};
use crate::contract::Listen;
use crate::contract::journal::{Retain, SpentOn};
use crate::graph::Library;
use crate::shard::bounds::FAREWELL_TIME;
use crate::shard::event::{Door, Event, ShardId};
use crate::shard::origin::Origins;
use crate::shard::{self, Load, Shard, metrics};
use crate::store::{Store, StoreError};
use crate::work::Pool;
use crate::work::authority::Authority;
use crate::work::courier::{Counts, Courier};
use crate::work::issuer::{Identity, KeyFile};
use crate::work::otlp::Exporter;
use jiff::tz::TimeZone;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What the driver needs to know; the shard's rules have settings of their own.
pub struct Settings {
    pub listen: Listen,
    /// Sockets to listen on instead.
    pub inherited: Inherited,
    /// The permissions of a Unix socket's file.
    pub socket_mode: u32,
    /// Who is told that the server is ready, and alive.
    pub supervisor: Supervisor,
    /// Where metrics and probes are served, and nothing else; none: only with everything else.
    pub metrics_listen: Option<SocketAddr>,
    /// Threads with sessions; at least one.
    pub shards: usize,
    /// The event loop to use; none: the best there is.
    pub backend: Option<Backend>,
    pub pool: Pool,
    /// A folder of this server's own. No two servers may have the same.
    pub data: Option<PathBuf>,
    /// The file with the last test results, shown until a run is reported.
    pub results: PathBuf,
    /// Test suites that a browser may start; none: it may not.
    pub suites: Option<Arc<dyn Suites>>,
    /// What sign-in has to fetch: an issuer's keys, and a file of API keys. Without either nothing is fetched.
    pub issuer: Option<auth::Issuer>,
    pub key_file: Option<KeyFile>,
    /// Who vouches for the issuer; none: the public authorities.
    pub authority: Option<Authority>,
    pub audit: Option<Audit>,
    /// The checks of `/api/doctor`.
    pub doctor: Option<Arc<Check>>,
    /// Takes turns that have ended; none: traces are not exported.
    pub exporter: Option<Exporter>,
    /// Opens what sessions are kept in; none: in memory only. The rules say so as well.
    pub store: Option<Box<OpenStore>>,
    /// How long they are kept there.
    pub retain: Retain,
    /// Calls webhooks; none: nobody does. The rules say so as well.
    pub courier: Option<Courier>,
    /// How long running turns may go on when the server ends.
    pub drain_time: Duration,
}

pub type OpenStore = dyn FnOnce() -> Result<Box<dyn Store + Send>, StoreError>;

impl Settings {
    pub fn new(listen: Listen, pool: Pool) -> Self {
        Settings {
            listen,
            inherited: Inherited::default(),
            socket_mode: SOCKET_MODE,
            supervisor: Supervisor::default(),
            metrics_listen: None,
            shards: thread::available_parallelism().map_or(1, usize::from),
            backend: None,
            pool,
            data: None,
            results: PathBuf::from("testcases/results.json"),
            suites: None,
            issuer: None,
            key_file: None,
            authority: None,
            audit: None,
            doctor: None,
            exporter: None,
            store: None,
            retain: Retain::default(),
            courier: None,
            drain_time: DRAIN_TIME,
        }
    }
}

/// A running server.
pub struct Server {
    /// At least one.
    places: Vec<Listen>,
    configured: Listen,
    /// Taken away when the server ends.
    file: Option<SocketFile>,
    supervisor: Supervisor,
    metrics_address: Option<SocketAddr>,
    backend: Backend,
    mailboxes: Arc<[Arc<Mailbox>]>,
    notices: Receiver<Notice>,
    notify: Sender<Notice>,
    threads: Vec<JoinHandle<()>>,
    drain_ms: Arc<AtomicU64>,
    audit: Option<Audit>,
    exporter: Option<Exporter>,
    journal: Option<Journal>,
    courier: Option<Courier>,
    /// Locked for as long as the server runs.
    _data: Option<File>,
}

/// What reaches the thread that waits for the server's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// SIGTERM or SIGINT.
    Signal,
    /// A [`Stopper`] was used.
    Stop,
    /// A shard's last turn has ended.
    Drained,
    /// A shard's loop turns.
    Turned { shard: ShardId, load: Load },
}

/// Ends a server from within its process.
#[derive(Clone)]
pub struct Stopper(Sender<Notice>);

impl Stopper {
    pub fn stop(&self) {
        // The server may have ended already.
        let _ = self.0.send(Notice::Stop);
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All running turns have ended.
    Quietly,
    /// Some turns were cut off: they took too long, or a second signal came.
    CutOff,
}

/// Why a server can't start.
#[derive(Debug)]
pub enum ServeError {
    AddressInUse { address: Listen, setting: &'static str },
    Listen { address: Listen, setting: &'static str, error: io::Error },
    DataInUse { folder: PathBuf },
    Data { folder: PathBuf, error: io::Error },
    Journal { error: StoreError },
    UnknownGraph { name: String, known: Vec<String> },
    Start { error: io::Error },
    Signals { error: io::Error },
}

impl std::error::Error for ServeError {}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::AddressInUse { address, setting } => {
                write!(f, "another program listens on {address}: end it, or choose another address with {setting}")
            }
            ServeError::Listen { address, setting, error } => {
                write!(f, "can't listen on {address} ({error}): choose another address with {setting}")
            }
            ServeError::DataInUse { folder } => {
                write!(f, "another server uses the folder {}: end it, or choose another folder with --data", folder.display())
            }
            ServeError::Data { folder, error } => {
                write!(f, "can't use the folder {} ({error}): choose another one with --data", folder.display())
            }
            ServeError::Journal { error } => write!(f, "the journal can't be opened: {error}"),
            ServeError::UnknownGraph { name, known } => write!(f, "there is no graph `{name}`: choose one of {}", known.join(", ")),
            ServeError::Start { error } => write!(f, "the system refuses an event loop or a thread ({error}): allow io_uring or epoll"),
            ServeError::Signals { error } => write!(f, "the system refuses to deliver signals ({error})"),
        }
    }
}

/// How long a server takes to end once its turns have.
const ENDING_TIME: Duration = FAREWELL_TIME.saturating_mul(2);
/// How long attempts to call webhooks may take then: what is cut off is repeated by the next server.
const COURIER_END_TIME: Duration = Duration::from_secs(1);
/// How long the journal may take to keep what is left then.
const JOURNAL_END_TIME: Duration = Duration::from_secs(5);
/// The same with what is still written then: the journal, the audit log, and traces.
const ENDING_TIME_MAX: Duration =
    ENDING_TIME.saturating_add(COURIER_END_TIME).saturating_add(JOURNAL_END_TIME).saturating_add(FLUSH_TIME_MAX).saturating_add(FLUSH_TIME);

/// The rules of a server whose sessions start on `graph` and whose calls `pool` makes, with the default limits.
pub fn rules(library: Arc<Library>, graph: &str, pool: &Pool) -> shard::Settings {
    let (databases, call_time, load) = (pool.clone(), pool.clone(), pool.clone());
    shard::Settings {
        databases: Box::new(move |session| databases.databases(session)),
        call_time: Box::new(move |request| call_time.deadline(request)),
        database_names: pool.database_names(),
        machine: Box::new(move || machine(&load, None, None)),
        files: files::embedded(),
        time_zone: TimeZone::system(),
        ..shard::Settings::new(library, graph)
    }
}

/// What the machine side shows in `/metrics`.
pub fn machine(pool: &Pool, exporter: Option<&Exporter>, courier: Option<&Courier>) -> metrics::Machine {
    let spans = exporter.map(Exporter::counts).map(|(exported, dropped)| metrics::Spans { exported, dropped });
    let Counts { waiting, delivered, failed, retried } = courier.map(Courier::counts).unwrap_or_default();
    let webhooks = metrics::Webhooks { waiting, delivered, failed, retried };
    let of_kind = |(name, waiting, running)| metrics::Pool { name, waiting, running };
    metrics::Machine { pools: pool.load().map(of_kind).to_vec(), workers: pool.workers(), spans, webhooks }
}

/// Starts a server; it accepts connections when this returns.
pub fn serve(settings: Settings, rules: shard::Settings) -> Result<Server, ServeError> {
    if rules.library.graph(&rules.graph).is_none() {
        return Err(ServeError::UnknownGraph { name: rules.graph.to_string(), known: rules.library.names() });
    }
    let shards = settings.shards.max(1);
    let places: Vec<&Listen> = match settings.inherited.is_empty() {
        true => vec![&settings.listen],
        false => settings.inherited.places().collect(),
    };
    let listen = places.into_iter().filter_map(Listen::tcp).map(|address| address.ip()).collect();
    let origins = Origins { listen, ..rules.origins };
    let library = rules.library.clone();
    let keeping = rules.keeping.filter(|_| settings.store.is_some());
    let rules = Arc::new(shard::Settings { shards, origins, audit: settings.audit.is_some(), keeping, ..rules });
    let machine = move |id, backend| {
        let io = match backend {
            Backend::IoUring => "io_uring",
            Backend::Epoll => "epoll",
        };
        Shard::new(id, rules.clone(), io)
    };
    start(Settings { shards, ..settings }, Some(library), machine)
}

/// Starts a server whose shards `machine` makes, each on its own thread; it accepts connections when this returns.
pub(super) fn start<M: Machine>(
    settings: Settings,
    library: Option<Arc<Library>>,
    machine: impl Fn(ShardId, Backend) -> M + Send + Clone + 'static,
) -> Result<Server, ServeError> {
    let Settings { listen, inherited, socket_mode, supervisor, metrics_listen, shards, backend, pool, data, results, suites, .. } =
        settings;
    let Settings { issuer, key_file, authority, audit, doctor, exporter, store, retain, courier, drain_time, .. } = settings;
    descriptors::allow_all();
    let configured = listen.clone();
    let listening = match inherited.is_empty() {
        true => Listening::bind(&listen, socket_mode, shards),
        false => Listening::inherit(inherited, shards),
    };
    let Listening { places, mut of_shards, file } = listening.map_err(|error| refused(listen, "--listen", error))?;
    let metrics_address = metrics_listen.map(|listen| listen_for_metrics(listen, &mut of_shards)).transpose()?;
    // A second server in the same place reports the address first.
    let data = data.map(lock).transpose()?;
    let mailboxes: Arc<[Arc<Mailbox>]> = of_shards.iter().map(|_| Arc::default()).collect();
    let (notify, notices) = channel();
    let jobs = Jobs::new(results, Runs::new(suites, &places[0]), Doctor::new(doctor)).map_err(|error| ServeError::Start { error })?;
    let identity = identity(issuer, authority, key_file, &mailboxes).map_err(|error| ServeError::Start { error })?;
    let open = |open: Box<OpenStore>| open().and_then(|store| store.reader().map(|reader| (store, reader)));
    let store = store.map(open).transpose().map_err(|error| ServeError::Journal { error })?;
    let store = store.map(|(mut store, reader)| store.spent().map(|spent| (spent, (store, reader)))).transpose();
    let (spent, store) = store.map_err(|error| ServeError::Journal { error })?.unzip();
    let spent = spent.map(|spent| (fastrand::u64(..), Arc::<[SpentOn]>::from(spent)));
    let journal = store.zip(library).map(|(store, library)| Journal::start(store, library, mailboxes.clone(), retain, courier.clone()));
    let journal = journal.transpose().map_err(|error| ServeError::Start { error })?;
    let begun = Instant::now();
    let (ready, started) = channel();
    let mut threads = Vec::new();
    for (number, listeners) in of_shards.into_iter().enumerate() {
        let (pool, jobs, identity, audit, exporter) = (pool.clone(), jobs.clone(), identity.clone(), audit.clone(), exporter.clone());
        let (journal, courier, mailboxes) = (journal.clone(), courier.clone(), mailboxes.clone());
        let (notices, spent) = (notify.clone(), spent.clone());
        let (number, start) = (ShardId(number), begun);
        let parts = Parts { number, start, pool, jobs, identity, audit, exporter, journal, courier, mailboxes, notices };
        let (machine, ready) = (machine.clone(), ready.clone());
        let thread = thread::Builder::new().name(format!("shard {}", number.0));
        let thread = thread.spawn(move || run_shard(parts, spent, machine, listeners, backend, &ready));
        threads.push(thread.map_err(|error| ServeError::Start { error })?);
    }
    let mut backend = Backend::IoUring;
    for _ in &threads {
        let of_shard = started.recv().expect("each shard reports how it started").map_err(|error| ServeError::Start { error })?;
        // One that had to do with less speaks for all.
        backend = if of_shard == Backend::Epoll { of_shard } else { backend };
    }
    let drain_ms = Arc::new(AtomicU64::new(drain_time.as_millis() as u64));
    Ok(Server {
        places,
        configured,
        metrics_address,
        file,
        supervisor,
        backend,
        mailboxes,
        notices,
        notify,
        threads,
        drain_ms,
        audit,
        exporter,
        journal,
        courier,
        _data: data,
    })
}

/// Why an address can't be listened on.
fn refused(address: Listen, setting: &'static str, error: io::Error) -> ServeError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ServeError::AddressInUse { address, setting },
        _ => ServeError::Listen { address, setting, error },
    }
}

/// Has the first shard listen for those who read metrics, and says where.
fn listen_for_metrics(address: SocketAddr, of_shards: &mut [Listeners]) -> Result<SocketAddr, ServeError> {
    let listen = Listen::from(address);
    let listening = Listening::bind(&listen, SOCKET_MODE, 1).map_err(|error| refused(listen, "--metrics-listen", error))?;
    let sockets = listening.of_shards.into_iter().flat_map(|listeners| listeners.sockets);
    of_shards.iter_mut().zip(sockets).for_each(|(listeners, socket)| listeners.metrics = Some(socket));
    Ok(listening.places.first().and_then(Listen::tcp).unwrap_or(address))
}

/// Starts fetching what sign-in needs, and has every shard hear of it.
fn identity(
    issuer: Option<auth::Issuer>,
    authority: Option<Authority>,
    file: Option<KeyFile>,
    mailboxes: &Arc<[Arc<Mailbox>]>,
) -> io::Result<Option<Identity>> {
    if issuer.is_none() && file.is_none() {
        return Ok(None);
    }
    let mailboxes = mailboxes.clone();
    let tell = move |news: News| mailboxes.iter().for_each(|mailbox| drop(mailbox.put(Letter::News(news.clone()))));
    Identity::start(issuer, authority.as_ref(), file, Arc::new(tell)).map(Some)
}

/// Makes the data folder this server's own.
fn lock(folder: PathBuf) -> Result<File, ServeError> {
    let open = || {
        std::fs::create_dir_all(&folder)?;
        File::options().create(true).truncate(false).write(true).open(folder.join("lock"))
    };
    let file = open().map_err(|error| ServeError::Data { folder: folder.clone(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::DataInUse { folder }),
        Err(TryLockError::Error(error)) => Err(ServeError::Data { folder, error }),
    }
}

fn run_shard<M: Machine>(
    parts: Parts,
    spent: Option<(u64, Arc<[SpentOn]>)>,
    machine: impl FnOnce(ShardId, Backend) -> M,
    listeners: Listeners,
    backend: Option<Backend>,
    ready: &Sender<io::Result<Backend>>,
) {
    let _end = EndsTheProcess;
    let mut reactor = match Reactor::new(backend) {
        Ok(reactor) => reactor,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let backend = reactor.backend();
    reactor.block_on(async move {
        let polls = backend == Backend::Epoll;
        let opened = |listener: &Listener| listener.set_nonblocking(polls).and_then(|()| Accepting::new(listener.try_clone()?));
        let main = listeners.sockets.iter().map(|listener| (listener, Door::Main));
        let all = main.chain(listeners.metrics.iter().map(|listener| (listener, Door::Metrics)));
        let accepting: io::Result<Vec<_>> = all.map(|(listener, door)| Ok((opened(listener)?, door))).collect();
        let accepting = match accepting {
            Ok(accepting) => accepting,
            Err(error) => return drop(ready.send(Err(error))),
        };
        let driver = Driver::new(machine(parts.number, backend), parts, listeners, polls);
        if let Some((run, spent)) = spent {
            driver.feed(Event::Started { run, spent });
        }
        for (listener, door) in accepting {
            monoio::spawn(accept::accept(driver.clone(), listener, door, driver.accepting()));
        }
        // If nobody receives this the start has failed, and the process ends.
        let _ = ready.send(Ok(backend));
        driver.run().await;
    });
}

/// A panic outside of a session ends the process: a half-dead server is worse than none.
struct EndsTheProcess;

impl Drop for EndsTheProcess {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

impl Server {
    /// Where it listens, with the port that the system chose if none was given. At least one place.
    pub fn places(&self) -> &[Listen] {
        &self.places
    }

    /// Where metrics are served on their own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What calls webhooks.
    pub fn courier(&self) -> Option<&Courier> {
        self.courier.as_ref()
    }

    /// What exports traces.
    pub fn exporter(&self) -> Option<&Exporter> {
        self.exporter.as_ref()
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    pub fn shards(&self) -> usize {
        self.threads.len()
    }

    pub fn stopper(&self) -> Stopper {
        Stopper(self.notify.clone())
    }

    /// From now on SIGTERM and SIGINT end the server. Call this before anyone can know that it runs.
    pub fn hear_signals(&self) -> Result<(), ServeError> {
        listen_for_signals(self.notify.clone()).map_err(|error| ServeError::Signals { error })
    }

    /// From now on SIGHUP and `framewright reload` have the server load its files and settings again, with `reloads`.
    pub fn hear_reloads(&self, reloads: Box<dyn Reloads>) -> Result<(), ServeError> {
        let mut names = self.places.clone();
        // Who runs the command knows what is configured, also where systemd holds other sockets. Port 0 names no server.
        let is_named = |configured: &&Listen| configured.tcp().is_none_or(|address| address.port() != 0);
        names.extend(Some(&self.configured).filter(is_named).filter(|configured| !self.places.contains(configured)).cloned());
        let (mailboxes, drain_ms) = (self.mailboxes.clone(), self.drain_ms.clone());
        let (audit, journal, supervisor) = (self.audit.clone(), self.journal.clone(), self.supervisor.clone());
        let reloading = Reloading::new(reloads, &self.places, mailboxes, drain_ms, audit, journal, supervisor);
        reload::listen(&reloading, names, self.notify.clone()).map_err(|error| ServeError::Signals { error })
    }

    /// Waits for a stopper, or for a signal, and ends the server.
    pub fn wait(self) -> Ended {
        let mut pulse = Pulse::new(self.supervisor.clone(), self.threads.len(), Instant::now());
        self.supervisor.ready();
        while let Some(Notice::Drained) = self.next(&mut pulse, None) {}
        self.supervisor.stopping(self.drain_time() + ENDING_TIME_MAX);
        pulse.end();
        self.send(|| Letter::Drain);
        let ended = self.drain(&mut pulse);
        if let Some(file) = &self.file {
            file.remove();
        }
        self.send(|| Letter::Stop);
        // A shard that hangs must not keep the process.
        let until = Instant::now() + ENDING_TIME;
        while Instant::now() < until && !self.threads.iter().all(JoinHandle::is_finished) {
            thread::sleep(FAREWELL_TIME / 50);
        }
        let left = self.courier.as_ref().map_or(0, |courier| courier.end(COURIER_END_TIME));
        if left > 0 && self.journal.is_none() {
            tracing::warn!(left, "the server ends without a journal: these deliveries to webhooks are lost");
        }
        self.journal.iter().for_each(|journal| journal.end(JOURNAL_END_TIME));
        self.audit.iter().for_each(Audit::flush);
        self.exporter.iter().for_each(|exporter| exporter.flush(FLUSH_TIME));
        ended
    }

    fn drain_time(&self) -> Duration {
        Duration::from_millis(self.drain_ms.load(Ordering::Relaxed))
    }

    fn drain(&self, pulse: &mut Pulse) -> Ended {
        let until = Instant::now() + self.drain_time();
        let mut running = self.threads.len();
        while running > 0 {
            match self.next(pulse, Some(until)) {
                Some(Notice::Drained) => running -= 1,
                Some(Notice::Stop | Notice::Turned { .. }) => {}
                Some(Notice::Signal) | None => return Ended::CutOff,
            }
        }
        Ended::Quietly
    }

    /// The next notice, none if there is none by then. Meanwhile every loop is asked whether it turns.
    fn next(&self, pulse: &mut Pulse, until: Option<Instant>) -> Option<Notice> {
        loop {
            let now = Instant::now();
            if pulse.due().is_some_and(|due| due <= now) {
                pulse.ask(&self.mailboxes, now);
            }
            let received = match pulse.due().into_iter().chain(until).min() {
                Some(due) => self.notices.recv_timeout(due.saturating_duration_since(now)),
                None => self.notices.recv().map_err(RecvTimeoutError::from),
            };
            match received {
                Ok(Notice::Turned { shard, load }) => pulse.turned(shard, load),
                Ok(notice) => return Some(notice),
                Err(RecvTimeoutError::Timeout) if until.is_none_or(|until| Instant::now() < until) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn send(&self, letter: impl Fn() -> Letter) {
        self.mailboxes.iter().for_each(|mailbox| drop(mailbox.put(letter())));
    }
}

/// A thread that passes on each signal, for as long as the process lives.
fn listen_for_signals(notify: Sender<Notice>) -> io::Result<()> {
    let (mut received, sends) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, sends.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGINT, sends)?;
    let pass_on = move || {
        let mut signals = [0; 1];
        while let Ok(1) = received.read(&mut signals) {
            if notify.send(Notice::Signal).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(pass_on)?;
    Ok(())
}
