//! Who is at the other end of a connection.

use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A machine, over TCP.
    Machine(IpAddr),
    /// A process of this machine, over a Unix socket. It has no address.
    Unix,
}

impl Peer {
    /// Whether it is on this machine: over loopback or a Unix socket. Behind a proxy on this machine every peer is.
    pub fn is_local(self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }

    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Peer::Machine(ip) => Some(ip),
            Peer::Unix => None,
        }
    }
}

impl From<IpAddr> for Peer {
    fn from(ip: IpAddr) -> Peer {
        Peer::Machine(ip)
    }
}
