//! Addresses of this machine that nobody else uses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

/// A loopback address of its own, port 0: a port that was let go there stays free, because all others bind to 127.0.0.1.
/// It is for whoever comes back to an address, or must find nobody at it.
pub(crate) fn own_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = ((std::process::id() & 0xffff) << 6) | (NEXT.fetch_add(1, Ordering::Relaxed) & 0x3f);
    // 127.64.0.0/10.
    SocketAddr::from((Ipv4Addr::from(0x7f40_0000 | number), 0))
}

/// Where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    SocketAddr::new(own_address().ip(), 9)
}
