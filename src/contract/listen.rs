//! Where a server listens: an address with a port, or the file of a Unix socket.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The longest path that the system takes for a socket, in bytes.
const PATH_BYTES_MAX: usize = 107;
const UNIX: &str = "unix:";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    #[error("write an address with its port, such as 127.0.0.1:7878, or the path of a Unix socket, such as unix:/run/framewright.sock")]
    Address,
    #[error("the path of a Unix socket must be absolute and at most {PATH_BYTES_MAX} bytes long")]
    Path,
}

impl Listen {
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        }
    }

    /// Whether only this machine reaches it.
    pub fn is_local(&self) -> bool {
        self.tcp().is_none_or(|address| address.ip().is_loopback())
    }

    /// The same place as a client on this machine reaches it: `0.0.0.0` stands for every address, and nobody connects to that.
    pub fn from_here(&self) -> Listen {
        let Listen::Tcp(address) = self else { return self.clone() };
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Listen::Tcp(SocketAddr::new(ip, address.port()))
    }

    /// As the first line of a server shows it, and as `--url` takes it.
    pub fn url(&self) -> String {
        match self {
            Listen::Tcp(address) => format!("http://{address}"),
            Listen::Unix(_) => self.to_string(),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Listen {
        Listen::Tcp(address)
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Listen, ListenError> {
        let Some(path) = text.strip_prefix(UNIX) else {
            return text.parse().map(Listen::Tcp).map_err(|_| ListenError::Address);
        };
        let is_path = path.starts_with('/') && !path.ends_with('/') && path.len() <= PATH_BYTES_MAX && !path.contains('\0');
        if is_path { Ok(Listen::Unix(PathBuf::from(path))) } else { Err(ListenError::Path) }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_path_is_read_and_shown_as_it_was_written() {
        for (text, is_local, from_here, url) in [
            ("127.0.0.1:7878", true, "127.0.0.1:7878", "http://127.0.0.1:7878"),
            ("[::1]:0", true, "[::1]:0", "http://[::1]:0"),
            ("0.0.0.0:80", false, "127.0.0.1:80", "http://0.0.0.0:80"),
            ("[::]:80", false, "[::1]:80", "http://[::]:80"),
            ("10.0.0.1:80", false, "10.0.0.1:80", "http://10.0.0.1:80"),
            ("unix:/run/a b.sock", true, "unix:/run/a b.sock", "unix:/run/a b.sock"),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!((listen.to_string().as_str(), listen.is_local()), (text, is_local));
            assert_eq!((listen.from_here().to_string().as_str(), listen.url().as_str()), (from_here, url));
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let long = format!("unix:/{}", "x".repeat(PATH_BYTES_MAX));
        for (text, error) in [
            ("here", ListenError::Address),
            ("127.0.0.1", ListenError::Address),
            ("/run/a.sock", ListenError::Address),
            ("unix:", ListenError::Path),
            ("unix:run/a.sock", ListenError::Path),
            ("unix:/run/", ListenError::Path),
            (&long, ListenError::Path),
        ] {
            assert_eq!(text.parse::<Listen>(), Err(error), "{text}");
        }
    }
}
