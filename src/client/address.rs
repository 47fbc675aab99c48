//! Where a server is, and the URLs of its paths for a session and a token.

use super::secure::Roots;
use super::unix;
use crate::config::without_password;
use crate::contract::Listen;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;

/// A session of a server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Address {
    host: String,
    port: u16,
    /// The Unix socket that leads there.
    file: Option<PathBuf>,
    session: String,
    token: Option<String>,
    /// Whom to trust over TLS.
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    pub(super) agent: Agent,
}

/// What is wrong in a server's address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("--url is `{}`: write an address such as http://127.0.0.1:7878 or unix:/run/framewright.sock", without_password(url))]
    Url { url: String },
    #[error("--session must be 1 to 64 letters, digits, `_` or `-`")]
    Session,
    #[error("the token contains invalid characters; expected a JWT")]
    Token,
    #[error("--ca {}: {why}; name a file of certificates in PEM form", file.display())]
    Roots { file: PathBuf, why: String },
}

pub(super) const CONNECT_TIME: Duration = Duration::from_secs(5);
const SESSION_MAX: usize = 64;
/// The server's name over a Unix socket.
const OVER_UNIX: &str = "http://127.0.0.1";

impl Address {
    /// `roots`: a file with the certificates that are trusted instead of the well-known ones.
    pub fn new(url: &str, session: &str, token: Option<&str>, roots: Option<&Path>) -> Result<Address, AddressError> {
        let wrong = || AddressError::Url { url: url.to_owned() };
        let file = match url.trim() {
            url if url.starts_with("unix:") => match url.parse() {
                Ok(Listen::Unix(path)) => Some(path),
                Ok(Listen::Tcp(_)) | Err(_) => return Err(wrong()),
            },
            _ => None,
        };
        let url = if file.is_some() { OVER_UNIX } else { url };
        let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let read: Uri = whole.trim().parse().map_err(|_| wrong())?;
        let is_secure = match read.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong()),
        };
        let host = read.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let has_user = read.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_user || !matches!(read.path(), "" | "/") || read.query().is_some() {
            return Err(wrong());
        }
        // A token is base64 with dots: whatever else it were, a query could not hold it as it is.
        let is_plain =
            |token: &&str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=~".contains(&byte));
        if token.is_some_and(|token| !is_plain(&token)) {
            return Err(AddressError::Token);
        }
        let trusted = Roots::read(roots).map_err(|why| AddressError::Roots { file: roots.map(Path::to_owned).unwrap_or_default(), why })?;
        let address = Address {
            host: host.to_owned(),
            port: read.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            session: String::new(),
            token: token.map(str::to_owned),
            tls: is_secure.then(|| trusted.for_sockets()),
            agent: match &file {
                Some(path) => unix::agent(path, 2 * CONNECT_TIME),
                None => trusted.agent(2 * CONNECT_TIME),
            },
            file,
        };
        address.in_session(session)
    }

    /// Another session of the same server.
    pub fn in_session(&self, session: &str) -> Result<Address, AddressError> {
        let is_name = session.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if session.is_empty() || session.len() > SESSION_MAX || !is_name {
            return Err(AddressError::Session);
        }
        Ok(Address { session: session.to_owned(), ..self.clone() })
    }

    pub fn session(&self) -> &str {
        &self.session
    }

    /// Where the server is, for people.
    pub fn shown(&self) -> String {
        self.file.as_ref().map_or_else(|| self.authority(), |path| Listen::Unix(path.clone()).to_string())
    }

    /// `host:port`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host alone, as a certificate names it.
    pub(super) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn bearer(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// A path of the interface, in this session.
    pub(super) fn page(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}{}session={}", self.authority(), if path.contains('?') { '&' } else { '?' }, self.session)
    }

    /// The chat socket; with `since`, what came after that is sent again.
    pub(super) fn socket(&self, since: Option<u64>) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let token = self.token.as_ref().map(|token| format!("&token={token}")).unwrap_or_default();
        let since = since.map(|seq| format!("&since={seq}")).unwrap_or_default();
        format!("{scheme}://{}/ws?session={}{token}{since}", self.authority(), self.session)
    }

    pub(super) fn connect(&self) -> std::io::Result<TcpStream> {
        if let Some(path) = &self.file {
            return unix::connect(path);
        }
        let mut last = std::io::Error::other("the name has no address");
        for address in self.authority().to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIME) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_or_refused_with_what_to_do() {
        for (url, session, token, expected) in [
            ("http://127.0.0.1:7878", "a", None, "ws://127.0.0.1:7878/ws?session=a&since=7"),
            ("localhost:1/", "a-b_c", Some("x.y.z"), "ws://localhost:1/ws?session=a-b_c&token=x.y.z&since=7"),
            ("ws://[::1]", "a", None, "ws://[::1]:80/ws?session=a&since=7"),
            ("https://host", "a", None, "wss://host:443/ws?session=a&since=7"),
            ("wss://host:8443/", "a", None, "wss://host:8443/ws?session=a&since=7"),
            ("unix:/run/a.sock", "a", None, "ws://127.0.0.1:80/ws?session=a&since=7"),
            ("unix:a.sock", "a", None, "--url is `unix:a.sock`"),
            ("ftp://host", "a", None, "--url is `ftp://host`"),
            ("http://user:secret@host", "a", None, "--url is `http://•••@host`"),
            ("http://host/path", "a", None, "--url is `http://host/path`"),
            ("http://host?a=b", "a", None, "--url is `http://host?a=b`"),
            ("http://host", "a b", None, "--session must be"),
            ("http://host", "a", Some("x&session=b"), "the token contains invalid"),
        ] {
            let said = Address::new(url, session, token, None).map_or_else(|error| error.to_string(), |address| address.socket(Some(7)));
            assert!(said.starts_with(expected), "{url}: {said}");
        }
    }

    #[test]
    fn a_file_that_holds_no_certificate_is_refused() {
        for (file, says) in [("/nowhere/ca.pem", "can't be read"), ("Cargo.toml", "it holds no certificate")] {
            let said = Address::new("https://host", "a", None, Some(Path::new(file))).err().unwrap().to_string();
            assert!(said.starts_with(&format!("--ca {file}: ")) && said.contains(says), "{said}");
        }
    }
}
