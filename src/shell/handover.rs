//! A socket on its way to the shard where it will live, or from a Unix socket's listener.
//!
//! The only unsafe place: the loop gives up a descriptor as a bare number, and here it gets its owner back.

use super::bounds::SYSTEM_SEND_BYTES;
use crate::shard::event::Attach;
use monoio::net::{TcpStream, UnixStream};
use socket2::SockRef;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

pub(super) struct Handover {
    attach: Box<Attach>,
    fd: OwnedFd,
}

impl Handover {
    /// Takes a socket off this thread's loop. No operation on it may be under way.
    pub(super) fn new(stream: TcpStream, attach: Box<Attach>) -> Self {
        Handover { attach, fd: released(stream) }
    }

    /// Puts the socket on this thread's loop. It must not block if the loop is epoll's.
    pub(super) fn arrive(self, polls: bool) -> io::Result<(TcpStream, Box<Attach>)> {
        Ok((on_loop(self.fd, polls)?, self.attach))
    }
}

/// A connection to a Unix socket as the loop's one type of a stream: its bytes are read and written in the same way.
pub(super) fn as_stream(stream: UnixStream, polls: bool) -> io::Result<TcpStream> {
    let fd = released(stream);
    // A TCP connection has this from its listener.
    SockRef::from(&fd).set_send_buffer_size(SYSTEM_SEND_BYTES)?;
    on_loop(fd, polls)
}

fn on_loop(fd: OwnedFd, polls: bool) -> io::Result<TcpStream> {
    let stream = std::net::TcpStream::from(fd);
    stream.set_nonblocking(polls)?;
    TcpStream::from_std(stream)
}

fn released(stream: impl IntoRawFd) -> OwnedFd {
    let fd = stream.into_raw_fd();
    #[allow(unsafe_code, reason = "the loop gives up a descriptor only as a number")]
    // SAFETY: `into_raw_fd` has just given up the open descriptor, and it has no other owner.
    unsafe {
        OwnedFd::from_raw_fd(fd)
    }
}
