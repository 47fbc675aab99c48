//! The address that a request comes from: the peer's, or what a trusted proxy says.
//!
//! This is the one place where that is decided. Only `X-Forwarded-For` is read, and only from a proxy that was named with
//! `--trusted-proxy`: anyone else could write there what they like. Each proxy adds its peer at the right, so the rightmost
//! address that is no trusted proxy is the last one that somebody trusted has seen.

use crate::auth::{Network, Peer};
use crate::wire::http::Request;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An address as it is counted: of IPv6 the first 64 bits, because a host can take any of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Peer);

const HEADER: &str = "x-forwarded-for";

impl Address {
    pub fn of(peer: impl Into<Peer>) -> Address {
        Address(match peer.into() {
            Peer::Unix => Peer::Unix,
            Peer::Machine(ip) => Peer::Machine(match ip.to_canonical() {
                IpAddr::V6(ip) if !ip.is_loopback() => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
                ip => ip,
            }),
        })
    }

    pub(super) fn is_local(self) -> bool {
        self.0.is_local()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Peer::Machine(IpAddr::V6(ip)) if !ip.is_loopback() => write!(f, "{ip}/64"),
            Peer::Machine(ip) => write!(f, "{ip}"),
            Peer::Unix => f.write_str("unix"),
        }
    }
}

/// Where a request comes from. What can't be read ends the search: then the proxy counts that passed it on.
pub(super) fn of_client(peer: Peer, trusted: &[Network], request: &Request) -> Address {
    let is_trusted = |peer: Peer| trusted.iter().any(|network| network.has(peer));
    let mut client = peer;
    if !trusted.is_empty() && is_trusted(peer) {
        let lines: Vec<Cow<'_, str>> = request.headers_lossy(HEADER).collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(ip) = address(hop.trim()) else { break };
            client = ip.into();
            if !is_trusted(client) {
                break;
            }
        }
    }
    Address::of(client)
}

/// An address as proxies write it: bare, in brackets, with a port.
fn address(text: &str) -> Option<IpAddr> {
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    if let Some(rest) = text.strip_prefix('[') {
        let (ip, port) = rest.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return ip.parse::<Ipv6Addr>().ok().filter(|_| is_whole).map(IpAddr::V6);
    }
    match text.split_once(':') {
        Some((ip, port)) if !port.contains(':') => Some(ip).filter(|_| is_port(port))?.parse().ok().map(IpAddr::V4),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::{Limits, Reader, Step};

    /// `\u{ff}` in the headers stands for the byte 0xff.
    fn client(peer: &str, trusted: &[&str], headers: &str) -> String {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let mut buffer: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let limits = Limits { head_bytes_max: 10_000, body_bytes_max: 0 };
        let Step::Request(request) = Reader::new(limits).step(&mut buffer) else { panic!("a whole request: {headers}") };
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let peer = if peer == "unix" { Peer::Unix } else { Peer::Machine(peer.parse().unwrap()) };
        of_client(peer, &trusted, &request).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_comes_from() {
        let proxy = &["10.0.0.0/8"][..];
        for (peer, trusted, headers, expected) in [
            ("203.0.113.9", &[][..], "X-Forwarded-For: 1.1.1.1\r\n", "203.0.113.9"),
            ("203.0.113.9", proxy, "X-Forwarded-For: 1.1.1.1\r\n", "203.0.113.9"),
            ("10.0.0.1", proxy, "", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"),
            ("::ffff:10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"),
            // What the client wrote itself stands at the left.
            ("10.0.0.1", proxy, "X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\n", "1.1.1.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 10.9.9.9, 1.1.1.1,10.0.0.2\r\n", "1.1.1.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.1.1.1 , 10.0.0.2\r\n", "1.1.1.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 10.0.0.2\r\n", "1.1.1.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1:52000\r\n", "1.1.1.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: [2001:db8::7]:443\r\n", "2001:db8::/64"),
            ("10.0.0.1", proxy, "X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::/64"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 2001:db8:0:1:2:3:4:5\r\n", "2001:db8:0:1::/64"),
            ("10.0.0.1", proxy, "X-Forwarded-For: ::ffff:1.1.1.1\r\n", "1.1.1.1"),
            // What can't be read: the proxy that passed it on counts.
            ("10.0.0.1", proxy, "X-Forwarded-For: unknown\r\n", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1, unknown\r\n", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1, _hidden, 10.0.0.2\r\n", "10.0.0.2"),
            ("10.0.0.1", proxy, "X-Forwarded-For: \r\n", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1,\r\n", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1:\r\n", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1:99999\r\n", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: [1.1.1.1]\r\n", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: [::1]x\r\n", "10.0.0.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1; 2.2.2.2\r\n", "10.0.0.1"),
            // Bytes that are not UTF-8 hide nothing to their right.
            ("10.0.0.1", proxy, "X-Forwarded-For: \u{ff}, 1.1.1.1\r\n", "1.1.1.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: \u{ff}\r\nX-Forwarded-For: 1.1.1.1, 10.0.0.2\r\n", "1.1.1.1"),
            ("10.0.0.1", proxy, "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: \u{ff}\r\n", "10.0.0.1"),
            // No other header is believed.
            ("10.0.0.1", proxy, "Forwarded: for=1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\n", "10.0.0.1"),
            ("::1", &["::1"], "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"),
            ("::1", &[], "", "::1"),
            ("unix", &["unix"], "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"),
            ("unix", &["unix"], "", "unix"),
            ("unix", proxy, "X-Forwarded-For: 1.1.1.1\r\n", "unix"),
            ("2001:db8::1:2:3:4", &[], "", "2001:db8::/64"),
        ] {
            assert_eq!(client(peer, trusted, headers), expected, "{peer} {trusted:?} {headers}");
        }
    }
}
