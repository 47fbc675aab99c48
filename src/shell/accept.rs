//! Accepts connections for as long as the shard listens.

use super::bounds::{ACCEPT_LOG_EVERY, ACCEPT_REST};
use super::driver::{Driver, Machine};
use super::handover;
use super::listener::Listener;
use crate::auth::Peer;
use crate::shard::event::{Door, Event};
use monoio::io::CancelHandle;
use monoio::net::{TcpListener, TcpStream, UnixListener};
use std::io;
use std::rc::Rc;
use std::time::Instant;

/// A listener on this thread's loop.
pub(super) enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Accepting {
    pub(super) fn new(listener: Listener) -> io::Result<Accepting> {
        match listener {
            Listener::Tcp(listener) => TcpListener::from_std(listener).map(Accepting::Tcp),
            Listener::Unix(listener) => UnixListener::from_std(listener).map(Accepting::Unix),
        }
    }

    async fn next(&self, cancel: CancelHandle, polls: bool) -> io::Result<(TcpStream, Peer)> {
        match self {
            Accepting::Tcp(listener) => {
                let (stream, peer) = listener.cancelable_accept(cancel).await?;
                Ok((stream, peer.ip().into()))
            }
            Accepting::Unix(listener) => {
                let (stream, _) = listener.cancelable_accept(cancel).await?;
                Ok((handover::as_stream(stream, polls)?, Peer::Unix))
            }
        }
    }
}

/// Ends when the shard stops listening, see [`Driver::stop_listening`].
pub(super) async fn accept<M: Machine>(driver: Rc<Driver<M>>, listener: Accepting, door: Door, cancel: CancelHandle) {
    let mut logged: Option<Instant> = None;
    loop {
        match listener.next(cancel.clone(), driver.polls()).await {
            Ok((stream, peer)) => {
                driver.take_in(stream, |socket| Event::Accepted { socket, peer, door });
                driver.schedule_tick();
            }
            Err(_) if !driver.is_listening() => return,
            // Its client has gone again: the next one is none the worse for it.
            Err(error) if is_of_one_client(&error) => {}
            // No descriptor is left, most likely: trying again at once would only spin.
            Err(error) => {
                if logged.is_none_or(|logged| logged.elapsed() >= ACCEPT_LOG_EVERY) {
                    logged = Some(Instant::now());
                    tracing::warn!(%error, "can't accept connections; trying again every {} ms", ACCEPT_REST.as_millis());
                }
                monoio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Whether an accept has failed because of the connection that it took from the queue, as accept(2) has it.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable};
    let kinds = [ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable];
    kinds.contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn only_what_the_next_accept_would_meet_too_has_it_rest() {
        for (errno, is_of_one) in [
            (Errno::ECONNABORTED, true),
            (Errno::EINTR, true),
            (Errno::ENETDOWN, true),
            (Errno::EHOSTUNREACH, true),
            (Errno::EPERM, false),
            (Errno::EMFILE, false),
            (Errno::ENFILE, false),
            (Errno::ENOMEM, false),
            (Errno::ENOBUFS, false),
        ] {
            assert_eq!(is_of_one_client(&io::Error::from(errno)), is_of_one, "{errno}");
        }
    }
}
