//! A socket on its way from the shard that accepted it to the shard where it will live.
//!
//! The only unsafe place: the loop gives up a descriptor as a bare number, and here it gets its owner back.

use crate::shard::event::Attach;
use monoio::net::TcpStream;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

pub(super) struct Handover {
    attach: Box<Attach>,
    fd: OwnedFd,
}

impl Handover {
    /// Takes a socket off this thread's loop. No operation on it may be under way.
    pub(super) fn new(stream: TcpStream, attach: Box<Attach>) -> Self {
        let fd = stream.into_raw_fd();
        #[allow(unsafe_code, reason = "the loop gives up a descriptor only as a number")]
        // SAFETY: `into_raw_fd` has just given up the open descriptor, and it has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Handover { attach, fd }
    }

    /// Puts the socket on this thread's loop. It must not block if the loop is epoll's.
    pub(super) fn arrive(self, polls: bool) -> io::Result<(TcpStream, Box<Attach>)> {
        let stream = std::net::TcpStream::from(self.fd);
        stream.set_nonblocking(polls)?;
        Ok((TcpStream::from_std(stream)?, self.attach))
    }
}
