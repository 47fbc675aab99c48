//! The server as a whole: its start, and its end.
//!
//! It ends when it is told to by a signal or a [`Stopper`]: running turns end first, for as long as that is allowed to take,
//! then the sockets are closed. A second signal doesn't wait for them.

use super::bounds::{CONNECTIONS_MAX, DRAIN_TIME, FAREWELL_TIME, SESSION_IDLE, SESSIONS_MAX, SILENCE_MAX, WRITE_TIME};
use super::descriptors;
use super::files::Files;
use super::listener;
use super::mailbox::{Mail, Mailbox};
use super::reactor::{Backend, Reactor};
use super::shard::{Common, Notice, Shard};
use super::suites::{Runs, Suites};
use crate::contract::Limits;
use crate::graph::Library;
use crate::work::Pool;
use monoio::net::TcpListener;
use serde_json::{Map, Value};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub struct Settings {
    pub listen: SocketAddr,
    /// Threads with sessions; at least one.
    pub shards: usize,
    pub library: Arc<Library>,
    /// The graph that sessions begin on; the library has it.
    pub graph: String,
    pub limits: Limits,
    pub pool: Pool,
    /// A folder of this server's own. No two servers may have the same.
    pub data: Option<PathBuf>,
    /// Serve the page's files as they are on disk, cached by nobody.
    pub development: bool,
    /// The kind of event loop that must be used; nothing: the best there is.
    pub backend: Option<Backend>,
    /// Where the last test results are, if no run was reported yet.
    pub results: PathBuf,
    /// Test suites that may be started from a browser; nothing: none may.
    pub suites: Option<Arc<dyn Suites>>,
    /// What `/health` tells beside the status: for people, and for the page.
    pub about: Map<String, Value>,
    pub sessions_max: usize,
    /// Of each shard.
    pub connections_max: usize,
    /// A session that nobody uses or watches leaves after this long.
    pub session_idle: Duration,
    /// A WebSocket whose client says nothing, not even that it is there, is cut after this long.
    pub silence_max: Duration,
    /// A client that takes nothing of what it is sent is let go after this long.
    pub write_time: Duration,
    /// How long running turns may go on when the server is told to end.
    pub drain_time: Duration,
}

impl Settings {
    pub fn new(listen: SocketAddr, library: Arc<Library>, graph: &str, pool: Pool) -> Self {
        Settings {
            listen,
            shards: thread::available_parallelism().map_or(1, usize::from),
            library,
            graph: graph.to_owned(),
            limits: Limits::default(),
            pool,
            data: None,
            development: false,
            backend: None,
            results: PathBuf::from("testcases/results.json"),
            suites: None,
            about: Map::new(),
            sessions_max: SESSIONS_MAX,
            connections_max: CONNECTIONS_MAX,
            session_idle: SESSION_IDLE,
            silence_max: SILENCE_MAX,
            write_time: WRITE_TIME,
            drain_time: DRAIN_TIME,
        }
    }
}

/// A server that runs.
pub struct Server {
    address: SocketAddr,
    backend: Backend,
    mailboxes: Vec<Arc<Mailbox>>,
    notices: Receiver<Notice>,
    notify: Sender<Notice>,
    threads: Vec<JoinHandle<()>>,
    drain_time: Duration,
    /// Locked for as long as the server runs.
    _data: Option<File>,
}

/// Ends a server from within its process.
#[derive(Clone)]
pub struct Stopper(Sender<Notice>);

impl Stopper {
    pub fn stop(&self) {
        // A server that has ended already need not be told.
        let _ = self.0.send(Notice::Stop);
    }
}

/// How a server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All turns that ran have ended.
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
    Loop { error: io::Error },
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
            ServeError::Loop { error } => write!(f, "the system gives us no event loop ({error}): allow io_uring or epoll"),
            ServeError::Signals { error } => write!(f, "the system does not let us hear signals ({error})"),
        }
    }
}

/// Starts a server; it takes connections when this returns.
pub fn serve(settings: Settings) -> Result<Server, ServeError> {
    let Settings { listen, shards, library, graph, limits, pool, data, development, backend, results, suites, about, .. } = settings;
    let Settings { sessions_max, connections_max, session_idle, silence_max, write_time, drain_time, .. } = settings;
    descriptors::allow_all();
    if library.graph(&graph).is_none() {
        return Err(ServeError::UnknownGraph { name: graph, known: library.names() });
    }
    let data = data.map(lock).transpose()?;
    let listeners = listener::bind(listen, shards.max(1)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ServeError::AddressInUse { address: listen },
        _ => ServeError::Listen { address: listen, error },
    })?;
    let address = listeners[0].local_addr().map_err(|error| ServeError::Listen { address: listen, error })?;
    let mailboxes: Vec<Arc<Mailbox>> = listeners.iter().map(|_| Arc::default()).collect();
    let (notify, notices) = channel();
    let common = Arc::new(Common {
        library,
        graph: graph.into(),
        limits,
        pool,
        files: Files::new(development),
        results,
        runs: Runs::new(suites, address),
        about,
        mailboxes: mailboxes.clone(),
        sessions_max,
        connections_max,
        session_idle,
        silence_max,
        write_time,
        sessions: AtomicUsize::new(0),
        notices: notify.clone(),
    });
    let (ready, started) = channel();
    let mut threads = Vec::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        let (common, ready) = (common.clone(), ready.clone());
        let thread = thread::Builder::new().name(format!("shard {number}"));
        let thread = thread.spawn(move || run_shard(number, common, listener, backend, &ready));
        threads.push(thread.map_err(|error| ServeError::Loop { error })?);
    }
    let mut backend = Backend::IoUring;
    for _ in &threads {
        let of_shard = started.recv().expect("each shard says how it started").map_err(|error| ServeError::Loop { error })?;
        // One that had to do with less speaks for all.
        backend = if of_shard == Backend::Epoll { of_shard } else { backend };
    }
    Ok(Server { address, backend, mailboxes, notices, notify, threads, drain_time, _data: data })
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

fn run_shard(
    number: usize,
    common: Arc<Common>,
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
        let listener = match listener.set_nonblocking(polls).and_then(|()| TcpListener::from_std(listener)) {
            Ok(listener) => listener,
            Err(error) => return drop(ready.send(Err(error))),
        };
        let shard = Rc::new(Shard::new(number, common, polls));
        monoio::spawn(listener::accept(shard.clone(), listener));
        // Whoever started us has gone if it does not hear this; then a stop follows.
        let _ = ready.send(Ok(backend));
        shard.run().await;
    });
}

/// A shard that panics outside of a session ends the process: a half-dead server is worse than none.
struct EndsTheProcess;

impl Drop for EndsTheProcess {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

impl Server {
    /// Where it listens; with the port that the system chose, where none was given.
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

    /// From now on SIGTERM and SIGINT end the server; to be called before anyone is told that it runs.
    pub fn hear_signals(&self) -> Result<(), ServeError> {
        listen_for_signals(self.notify.clone()).map_err(|error| ServeError::Signals { error })
    }

    /// Waits for a stopper, or for a signal where they are heard, and ends the server.
    pub fn wait(self) -> Ended {
        while let Ok(Notice::Drained) = self.notices.recv() {}
        self.tell(|| Mail::Drain);
        let ended = self.drain();
        self.tell(|| Mail::Stop);
        // A shard that hangs must not keep us; the process takes it along.
        let until = Instant::now() + 2 * FAREWELL_TIME;
        while Instant::now() < until && !self.threads.iter().all(JoinHandle::is_finished) {
            thread::sleep(FAREWELL_TIME / 50);
        }
        ended
    }

    fn drain(&self) -> Ended {
        let until = Instant::now() + self.drain_time;
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

    fn tell(&self, mail: impl Fn() -> Mail) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.put(mail()));
    }
}

/// A thread that passes on each signal, for as long as the process lives.
fn listen_for_signals(notify: Sender<Notice>) -> io::Result<()> {
    let (mut heard, told) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, told.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGINT, told)?;
    let passing_on = move || {
        let mut signals = [0; 1];
        while let Ok(1) = heard.read(&mut signals) {
            if notify.send(Notice::Signal).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(passing_on)?;
    Ok(())
}
