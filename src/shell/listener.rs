//! Listening: on an address or a Unix socket of our own, which nobody else gets, or on sockets that systemd holds.
//!
//! Each shard has a listener for each place. On an address of our own these are sockets of their own, among which the kernel
//! divides connections. A Unix socket, and a socket that systemd holds, is one socket with a handle for each shard.

use super::bounds::{BACKLOG, BIND_REST, BIND_TIME, SYSTEM_SEND_BYTES};
use super::inherited::Inherited;
use super::socket_file::{self, SocketFile};
use crate::contract::Listen;
use crate::shard::bounds::SILENCE_MAX;
use nix::sys::socket::{Shutdown, shutdown};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::time::Instant;

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Where a server listens.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) places: Vec<Listen>,
    /// For each shard, one for each place.
    pub(super) of_shards: Vec<Listeners>,
    /// The file of our own Unix socket.
    pub(super) file: Option<SocketFile>,
}

/// What one shard listens on.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) sockets: Vec<Listener>,
    /// Where metrics are served, and nothing else.
    pub(super) metrics: Option<Listener>,
    /// systemd holds them too, and gives them to the next server.
    pub(super) inherited: bool,
}

impl Listener {
    pub(super) fn try_clone(&self) -> io::Result<Listener> {
        match self {
            Listener::Tcp(socket) => socket.try_clone().map(Listener::Tcp),
            Listener::Unix(socket) => socket.try_clone().map(Listener::Unix),
        }
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Listener::Tcp(socket) => socket.set_nonblocking(nonblocking),
            Listener::Unix(socket) => socket.set_nonblocking(nonblocking),
        }
    }

    /// Ends listening, whatever else still holds the socket.
    pub(super) fn shut_down(&self) {
        let fd = match self {
            Listener::Tcp(socket) => socket.as_raw_fd(),
            Listener::Unix(socket) => socket.as_raw_fd(),
        };
        // It listens, so this can't fail; and if it did, the process ends soon.
        let _ = shutdown(fd, Shutdown::Both);
    }
}

impl Listening {
    /// Listens on an address or a file, and waits a while for it: when a process has ended, the kernel may hold what its rings
    /// refer to a little longer. `mode`: the permissions of the file.
    pub(super) fn bind(listen: &Listen, mode: u32, shards: usize) -> io::Result<Listening> {
        let until = Instant::now() + BIND_TIME;
        loop {
            let bound = match listen {
                Listen::Tcp(address) => tcp(*address, shards),
                Listen::Unix(path) => socket_file::bind(path, mode).and_then(|(socket, file)| {
                    let listening = Listening::shared(vec![(Listener::Unix(socket), listen.clone())], shards, false)?;
                    Ok(Listening { file: Some(file), ..listening })
                }),
            };
            match bound {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => std::thread::sleep(BIND_REST),
                bound => return bound,
            }
        }
    }

    /// Listens on what systemd has passed.
    pub(super) fn inherit(inherited: Inherited, shards: usize) -> io::Result<Listening> {
        let sockets = inherited.into_sockets();
        for (socket, _) in &sockets {
            if let Listener::Tcp(socket) = socket {
                tune(&SockRef::from(socket))?;
            }
        }
        Listening::shared(sockets, shards, true)
    }

    fn shared(sockets: Vec<(Listener, Listen)>, shards: usize, inherited: bool) -> io::Result<Listening> {
        let (sockets, places): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
        let handles = || sockets.iter().map(Listener::try_clone).collect::<io::Result<_>>();
        let of_shards = (0..shards).map(|_| Ok(Listeners { sockets: handles()?, metrics: None, inherited })).collect::<io::Result<_>>()?;
        Ok(Listening { places, of_shards, file: None })
    }
}

/// Binds a socket for each shard. The first is bound alone, so that an address that is in use is found to be; only then
/// does it share with the others.
fn tcp(address: SocketAddr, shards: usize) -> io::Result<Listening> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..shards {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&bound)?;
        sockets.push(socket);
    }
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    let of_shard = |socket| Listeners { sockets: vec![Listener::Tcp(TcpListener::from(socket))], metrics: None, inherited: false };
    let place = bound.as_socket().unwrap_or(address);
    Ok(Listening { places: vec![place.into()], of_shards: sockets.into_iter().map(of_shard).collect(), file: None })
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that comes back at once finds its address in use by connections that are ending.
    socket.set_reuse_address(true)?;
    tune(&SockRef::from(&socket))?;
    Ok(socket)
}

/// What connections inherit. What does not fit waits in its session's log, where it stands once for all who watch.
fn tune(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SYSTEM_SEND_BYTES)?;
    // A peer that confirms nothing of what it was sent has gone, though it never said so.
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn sockets(listening: &Listening) -> impl Iterator<Item = &TcpListener> {
        listening.of_shards.iter().flat_map(|shard| &shard.sockets).map(|socket| match socket {
            Listener::Tcp(socket) => socket,
            Listener::Unix(_) => panic!("a TCP socket"),
        })
    }

    /// What has come in on one of them.
    fn accepted(listening: &Listening) -> Option<TcpStream> {
        sockets(listening).find_map(|socket| {
            socket.set_nonblocking(true).unwrap();
            socket.accept().ok().map(|(stream, _)| stream)
        })
    }

    #[test]
    fn an_address_has_one_server_with_as_many_sockets_as_it_likes() {
        // Nobody else takes a port there when it is let go.
        let own = std::net::Ipv4Addr::from(0x7f80_0000 | (std::process::id() & 0x3f_ffff));
        let listening = tcp(SocketAddr::from((own, 0)), 3).unwrap();
        let address = listening.places[0].tcp().unwrap();
        assert_eq!(sockets(&listening).filter(|socket| socket.local_addr().unwrap() == address).count(), 3);
        let client = TcpStream::connect(address).unwrap();
        let accepted = std::iter::repeat_with(|| accepted(&listening)).find_map(|accepted| accepted).unwrap();
        assert_eq!(SockRef::from(&accepted).tcp_user_timeout().unwrap(), Some(SILENCE_MAX));
        drop((client, accepted));
        assert_eq!(tcp(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listening);
        assert!(tcp(address, 1).is_ok());
    }
}
