//! A socket on its way from the shard that accepted it to the shard where it lives.
//!
//! Handed over between two reads and before anything of the stream's head is sent, so that no byte is lost or doubled.
//! The only unsafe place: the loop gives up a descriptor as a bare number, and here it gets its owner back.

use super::auth::User;
use super::home::Key;
use crate::contract::Caller;
use monoio::net::TcpStream;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

/// What a stream shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// `/ws`
    Chat,
    /// `/ws/trace`
    Trace,
    /// `/ws/test`
    Tests,
    /// `/api/events`
    Events,
}

/// What a socket wants to be.
pub(super) struct Attach {
    pub(super) show: Show,
    pub(super) key: Key,
    pub(super) user: User,
    pub(super) caller: Caller,
    /// The last event that the client has seen.
    pub(super) since: Option<u64>,
    /// `101`, or the head of an event stream; not yet sent.
    pub(super) head: Vec<u8>,
    /// What has been read behind the request.
    pub(super) leftover: Vec<u8>,
}

pub(super) struct Handover {
    pub(super) attach: Attach,
    fd: OwnedFd,
}

impl Handover {
    /// Takes a socket off this thread's loop. No operation on it may be under way.
    pub(super) fn new(stream: TcpStream, attach: Attach) -> Self {
        let fd = stream.into_raw_fd();
        #[allow(unsafe_code, reason = "the loop gives up a descriptor only as a number")]
        // SAFETY: `into_raw_fd` has just given up the open descriptor, and it has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Handover { attach, fd }
    }

    /// Puts the socket on this thread's loop. `polls` says whether that is epoll, which wants it not to block.
    pub(super) fn arrive(self, polls: bool) -> io::Result<(TcpStream, Attach)> {
        let stream = std::net::TcpStream::from(self.fd);
        stream.set_nonblocking(polls)?;
        Ok((TcpStream::from_std(stream)?, self.attach))
    }
}
