//! Addresses of machines, one or a whole network, and the peers that have none.

use super::Peer;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An address, a network as `10.0.0.0/8`, or `unix`: whoever connects to a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// All addresses as those of IPv6, so that `::ffff:10.0.0.1` is `10.0.0.1`.
    Addresses {
        first: u128,
        mask: u128,
    },
    Unix,
}

impl Network {
    pub fn has(&self, peer: impl Into<Peer>) -> bool {
        match (*self, peer.into()) {
            (Network::Addresses { first, mask }, Peer::Machine(address)) => wide(address) & mask == first,
            (Network::Unix, Peer::Unix) => true,
            (Network::Addresses { .. }, Peer::Unix) | (Network::Unix, Peer::Machine(_)) => false,
        }
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unix" {
            return Ok(Network::Unix);
        }
        let wrong = || "write an address or a network, such as 127.0.0.1 or 10.0.0.0/8, or `unix`".to_owned();
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &&str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(bits) => {
                Some(bits).filter(is_number).and_then(|bits| bits.parse::<u32>().ok()).filter(|bits| *bits <= most).ok_or_else(wrong)?
            }
        };
        let free = most - bits;
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        if wide(address) & mask != wide(address) {
            return Err(format!("`{text}` has bits beyond its network: write the network's first address"));
        }
        Ok(Network::Addresses { first: wide(address), mask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_networks_and_in_no_other() {
        for (network, address, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::a00:1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::1", "::1", true),
            ("2001:db8::/32", "2001:db8:1::2", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "1.2.3.4", true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(network.parse::<Network>().unwrap().has(address), expected, "{address} in {network}");
        }
        for (network, expected) in [("unix", true), ("0.0.0.0/0", false), ("::/0", false), ("127.0.0.1", false)] {
            assert_eq!(network.parse::<Network>().unwrap().has(Peer::Unix), expected, "a Unix socket in {network}");
        }
        assert!(!Network::Unix.has(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "::/129", "1.2.3", "*"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
