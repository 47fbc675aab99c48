//! The server as a whole: how it starts, and how it ends.
//!
//! A signal or a [`Stopper`] ends it: running turns end first, for as long as that may take, then the sockets close. A
//! second signal doesn't wait for them. The listeners close before the sockets do, so that the next server finds its
//! address free.

use super::audit::Audit;
use super::bounds::DRAIN_TIME;
use super::descriptors;
use super::doctor::{Check, Doctor};
use super::driver::{Driver, Machine, Parts};
use super::jobs::Jobs;
use super::listener;
use super::mailbox::{Letter, Mailbox};
use super::reactor::{Backend, Reactor};
use super::reload::{self, Reloading, Reloads};
use super::suites::{Runs, Suites};
use super::{accept, files};
use crate::auth::{self, News};
use crate::graph::Library;
use crate::shard::bounds::FAREWELL_TIME;
use crate::shard::event::ShardId;
use crate::shard::origin::Origins;
use crate::shard::{self, Shard};
use crate::work::Pool;
use crate::work::authority::Authority;
use crate::work::issuer::{Identity, KeyFile};
use jiff::tz::TimeZone;
use monoio::net::TcpListener;
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
    pub listen: SocketAddr,
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
    /// How long running turns may go on when the server ends.
    pub drain_time: Duration,
}

impl Settings {
    pub fn new(listen: SocketAddr, pool: Pool) -> Self {
        Settings {
            listen,
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
            drain_time: DRAIN_TIME,
        }
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    backend: Backend,
    mailboxes: Arc<[Arc<Mailbox>]>,
    notices: Receiver<Notice>,
    notify: Sender<Notice>,
    threads: Vec<JoinHandle<()>>,
    drain_ms: Arc<AtomicU64>,
    audit: Option<Audit>,
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
    AddressInUse { address: SocketAddr },
    Listen { address: SocketAddr, error: io::Error },
    DataInUse { folder: PathBuf },
    Data { folder: PathBuf, error: io::Error },
    UnknownGraph { name: String, known: Vec<String> },
    Start { error: io::Error },
    Signals { error: io::Error },
}

impl std::error::Error for ServeError {}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::AddressInUse { address } => {
                write!(f, "another program listens on {address}: end it, or choose another address with --listen")
            }
            ServeError::Listen { address, error } => write!(f, "can't listen on {address} ({error}): choose another address with --listen"),
            ServeError::DataInUse { folder } => {
                write!(f, "another server uses the folder {}: end it, or choose another folder with --data", folder.display())
            }
            ServeError::Data { folder, error } => {
                write!(f, "can't use the folder {} ({error}): choose another one with --data", folder.display())
            }
            ServeError::UnknownGraph { name, known } => write!(f, "there is no graph `{name}`: choose one of {}", known.join(", ")),
            ServeError::Start { error } => write!(f, "the system refuses an event loop or a thread ({error}): allow io_uring or epoll"),
            ServeError::Signals { error } => write!(f, "the system refuses to deliver signals ({error})"),
        }
    }
}

/// The rules of a server whose sessions start on `graph` and whose calls `pool` makes, with the default limits.
pub fn rules(library: Arc<Library>, graph: &str, pool: &Pool) -> shard::Settings {
    let (databases, call_time) = (pool.clone(), pool.clone());
    shard::Settings {
        databases: Box::new(move |session| databases.databases(session)),
        call_time: Box::new(move |request| call_time.deadline(request)),
        files: files::embedded(),
        time_zone: TimeZone::system(),
        ..shard::Settings::new(library, graph)
    }
}

/// Starts a server; it accepts connections when this returns.
pub fn serve(settings: Settings, rules: shard::Settings) -> Result<Server, ServeError> {
    if rules.library.graph(&rules.graph).is_none() {
        return Err(ServeError::UnknownGraph { name: rules.graph.to_string(), known: rules.library.names() });
    }
    let shards = settings.shards.max(1);
    let origins = Origins { listen: settings.listen, ..rules.origins };
    let rules = Arc::new(shard::Settings { shards, origins, audit: settings.audit.is_some(), ..rules });
    let machine = move |id, backend| {
        let io = match backend {
            Backend::IoUring => "io_uring",
            Backend::Epoll => "epoll",
        };
        Shard::new(id, rules.clone(), io)
    };
    start(Settings { shards, ..settings }, machine)
}

/// Starts a server whose shards `machine` makes, each on its own thread; it accepts connections when this returns.
pub(super) fn start<M: Machine>(
    settings: Settings,
    machine: impl Fn(ShardId, Backend) -> M + Send + Clone + 'static,
) -> Result<Server, ServeError> {
    let Settings { listen, shards, backend, pool, data, results, suites, issuer, key_file, authority, audit, doctor, drain_time } =
        settings;
    descriptors::allow_all();
    let data = data.map(lock).transpose()?;
    let listeners = listener::bind_patiently(listen, shards).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ServeError::AddressInUse { address: listen },
        _ => ServeError::Listen { address: listen, error },
    })?;
    let address = listeners[0].local_addr().map_err(|error| ServeError::Listen { address: listen, error })?;
    let mailboxes: Arc<[Arc<Mailbox>]> = listeners.iter().map(|_| Arc::default()).collect();
    let (notify, notices) = channel();
    let jobs = Jobs::new(results, Runs::new(suites, address), Doctor::new(doctor)).map_err(|error| ServeError::Start { error })?;
    let identity = identity(issuer, authority, key_file, &mailboxes).map_err(|error| ServeError::Start { error })?;
    let begun = Instant::now();
    let (ready, started) = channel();
    let mut threads = Vec::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        let (pool, jobs, identity, audit) = (pool.clone(), jobs.clone(), identity.clone(), audit.clone());
        let (mailboxes, notices) = (mailboxes.clone(), notify.clone());
        let parts = Parts { number: ShardId(number), start: begun, pool, jobs, identity, audit, mailboxes, notices };
        let (machine, ready) = (machine.clone(), ready.clone());
        let thread = thread::Builder::new().name(format!("shard {number}"));
        let thread = thread.spawn(move || run_shard(parts, machine, listener, backend, &ready));
        threads.push(thread.map_err(|error| ServeError::Start { error })?);
    }
    let mut backend = Backend::IoUring;
    for _ in &threads {
        let of_shard = started.recv().expect("each shard reports how it started").map_err(|error| ServeError::Start { error })?;
        // One that had to do with less speaks for all.
        backend = if of_shard == Backend::Epoll { of_shard } else { backend };
    }
    let drain_ms = Arc::new(AtomicU64::new(drain_time.as_millis() as u64));
    Ok(Server { address, backend, mailboxes, notices, notify, threads, drain_ms, audit, _data: data })
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
    machine: impl FnOnce(ShardId, Backend) -> M,
    listener: std::net::TcpListener,
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
        let opened = listener.set_nonblocking(polls).and_then(|()| Ok((listener.try_clone()?, TcpListener::from_std(listener)?)));
        let (own, listener) = match opened {
            Ok(opened) => opened,
            Err(error) => return drop(ready.send(Err(error))),
        };
        let driver = Driver::new(machine(parts.number, backend), parts, own, polls);
        monoio::spawn(accept::accept(driver.clone(), listener));
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
    /// Where it listens, with the port that the system chose if none was given.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        let reloading = Reloading::new(reloads, self.address, self.mailboxes.clone(), self.drain_ms.clone(), self.audit.clone());
        reload::listen(&reloading, self.notify.clone()).map_err(|error| ServeError::Signals { error })
    }

    /// Waits for a stopper, or for a signal, and ends the server.
    pub fn wait(self) -> Ended {
        while let Ok(Notice::Drained) = self.notices.recv() {}
        self.send(|| Letter::Drain);
        let ended = self.drain();
        self.send(|| Letter::Stop);
        // A shard that hangs must not keep the process.
        let until = Instant::now() + 2 * FAREWELL_TIME;
        while Instant::now() < until && !self.threads.iter().all(JoinHandle::is_finished) {
            thread::sleep(FAREWELL_TIME / 50);
        }
        self.audit.iter().for_each(Audit::flush);
        ended
    }

    fn drain(&self) -> Ended {
        let until = Instant::now() + Duration::from_millis(self.drain_ms.load(Ordering::Relaxed));
        let mut running = self.threads.len();
        while running > 0 {
            match self.notices.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Notice::Drained) => running -= 1,
                Ok(Notice::Stop) => {}
                Ok(Notice::Signal) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ended::CutOff,
            }
        }
        Ended::Quietly
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
