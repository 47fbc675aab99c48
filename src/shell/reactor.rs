//! The event loop under a shard: io_uring where the system allows it, else epoll through the same code.

use io_uring::IoUring;
use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};
use std::fmt;
use std::io;

/// What a loop asks the kernel with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    IoUring,
    Epoll,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::IoUring => "io_uring",
            Backend::Epoll => "epoll",
        })
    }
}

/// The best loop that the system allows.
pub fn best_backend() -> io::Result<Backend> {
    Reactor::new(None).map(|reactor| reactor.backend())
}

pub(super) enum Reactor {
    Ring(Runtime<TimeDriver<IoUringDriver>>),
    Poll(Runtime<TimeDriver<LegacyDriver>>),
}

/// Room in a ring for what is asked at once.
const ENTRIES: u32 = 4096;

impl Reactor {
    /// Makes the loop of the calling thread, which must be the one that runs it. `only` forbids the other kind.
    pub(super) fn new(only: Option<Backend>) -> io::Result<Self> {
        let ring = |builder: &io_uring::Builder| {
            let ring = RuntimeBuilder::<IoUringDriver>::new().uring_builder(builder.clone()).with_entries(ENTRIES);
            ring.enable_timer().build().map(Reactor::Ring)
        };
        let poll = || RuntimeBuilder::<LegacyDriver>::new().with_entries(ENTRIES).enable_timer().build().map(Reactor::Poll);
        // The task runs when the loop asks for it, not in the middle of something: up to a third less work. Older kernels
        // know only the second best.
        let (mut deferred, mut cooperative) = (IoUring::builder(), IoUring::builder());
        deferred.setup_single_issuer().setup_defer_taskrun();
        cooperative.setup_coop_taskrun();
        match only {
            Some(Backend::Epoll) => poll(),
            Some(Backend::IoUring) => ring(&deferred).or_else(|_| ring(&cooperative)),
            None => ring(&deferred).or_else(|_| ring(&cooperative)).or_else(|_| poll()),
        }
    }

    pub(super) fn backend(&self) -> Backend {
        match self {
            Reactor::Ring(_) => Backend::IoUring,
            Reactor::Poll(_) => Backend::Epoll,
        }
    }

    pub(super) fn block_on(&mut self, future: impl Future<Output = ()>) {
        match self {
            Reactor::Ring(runtime) => runtime.block_on(future),
            Reactor::Poll(runtime) => runtime.block_on(future),
        }
    }
}
