//! Listening: a socket for each shard on one address, which nobody else gets.

use super::bounds::{BIND_REST, BIND_TIME, SYSTEM_SEND_BYTES};
use crate::shard::bounds::SILENCE_MAX;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

const BACKLOG: i32 = 1024;

/// Binds, and waits a while for the address: when a process has ended, the kernel may hold what its rings refer to a little longer.
pub(super) fn bind_patiently(address: SocketAddr, shards: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let until = Instant::now() + BIND_TIME;
    loop {
        match bind(address, shards) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => std::thread::sleep(BIND_REST),
            bound => return bound,
        }
    }
}

/// Binds a socket for each shard. The first is bound alone, so that an address that is in use is found to be; only then
/// does it share with the others.
pub(super) fn bind(address: SocketAddr, shards: usize) -> io::Result<Vec<std::net::TcpListener>> {
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
    Ok(sockets.into_iter().map(std::net::TcpListener::from).collect())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that comes back at once finds its address in use by connections that are ending.
    socket.set_reuse_address(true)?;
    // Connections inherit all three. What does not fit waits in its session's log, where it stands once for all who watch.
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SYSTEM_SEND_BYTES)?;
    // A peer that confirms nothing of what it was sent has gone, though it never said so.
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has come in on one of them.
    fn accepted(sockets: &[std::net::TcpListener]) -> Option<std::net::TcpStream> {
        sockets.iter().find_map(|socket| {
            socket.set_nonblocking(true).unwrap();
            socket.accept().ok().map(|(stream, _)| stream)
        })
    }

    #[test]
    fn an_address_has_one_server_with_as_many_sockets_as_it_likes() {
        // Nobody else takes a port there when it is let go.
        let own = std::net::Ipv4Addr::from(0x7f80_0000 | (std::process::id() & 0x3f_ffff));
        let sockets = bind(SocketAddr::from((own, 0)), 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
        let client = std::net::TcpStream::connect(address).unwrap();
        let accepted = std::iter::repeat_with(|| accepted(&sockets)).find_map(|accepted| accepted).unwrap();
        assert_eq!(socket2::SockRef::from(&accepted).tcp_user_timeout().unwrap(), Some(SILENCE_MAX));
        drop((client, accepted));
        assert_eq!(bind(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(sockets);
        assert!(bind(address, 1).is_ok());
    }
}
