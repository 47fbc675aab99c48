//! Where a server is, and how its paths are reached with a session and a token.

use crate::cli::Failure;
use crate::config::without_password;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;
use ureq::http::Uri;

#[derive(Clone, Debug)]
pub(super) struct Address {
    /// `host:port`.
    pub(super) authority: String,
    /// `session=…` and, where there is one, `token=…`.
    query: String,
    session: String,
    token: Option<String>,
}

const CONNECT_TIME: Duration = Duration::from_secs(5);

impl Address {
    pub(super) fn new(url: &str, session: &str, token: Option<&str>) -> Result<Address, Failure> {
        let wrong = || Failure::config(format!("--url is `{}`: write an address such as http://127.0.0.1:7878", without_password(url)));
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let read: Uri = url.trim().parse().map_err(|_| wrong())?;
        match read.scheme_str() {
            Some("http" | "ws") => {}
            Some("https" | "wss") => {
                return Err(Failure::config("this client speaks no TLS: run it on the server's machine, or through a tunnel".to_owned()));
            }
            _ => return Err(wrong()),
        }
        let host = read.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        if read.authority().is_some_and(|authority| authority.as_str().contains('@')) || !matches!(read.path(), "" | "/") {
            return Err(wrong());
        }
        if session.is_empty() || session.len() > 64 || !session.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
            return Err(Failure::config("--session must be 1 to 64 letters, digits, `_` or `-`"));
        }
        // A token is base64 with dots: whatever else it were, a query could not hold it as it is.
        let is_plain =
            |token: &&str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=~".contains(&byte));
        if token.is_some_and(|token| !is_plain(&token)) {
            return Err(Failure::config("the token holds signs that no token has"));
        }
        let authority = format!("{host}:{}", read.port_u16().unwrap_or(80));
        let query = token.map_or(format!("session={session}"), |token| format!("session={session}&token={token}"));
        Ok(Address { authority, query, session: session.to_owned(), token: token.map(str::to_owned) })
    }

    /// The chat socket; with `since`, what came after that is sent again.
    pub(super) fn socket(&self, since: Option<u64>) -> String {
        let since = since.map(|seq| format!("&since={seq}")).unwrap_or_default();
        format!("ws://{}/ws?{}{since}", self.authority, self.query)
    }

    pub(super) fn connect(&self) -> std::io::Result<TcpStream> {
        let mut last = std::io::Error::other("the name leads nowhere");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIME) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// A call of the interface: the body of its answer, or the sentence that refuses it.
    pub(super) fn call(&self, path: &str, body: Option<&serde_json::Value>) -> Result<serde_json::Value, String> {
        let config = ureq::Agent::config_builder().timeout_global(Some(2 * CONNECT_TIME)).max_redirects(0).proxy(None);
        let agent = ureq::Agent::new_with_config(config.http_status_as_error(false).build());
        let url = format!("http://{}{path}{}session={}", self.authority, if path.contains('?') { '&' } else { '?' }, self.session);
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let answer = match body {
            None => {
                let request = agent.get(&url);
                bearer.iter().fold(request, |request, bearer| request.header("authorization", bearer)).call()
            }
            Some(body) => {
                let request = agent.post(&url).header("content-type", "application/json");
                bearer.iter().fold(request, |request, bearer| request.header("authorization", bearer)).send(body.to_string())
            }
        };
        let mut answer = answer.map_err(|error| format!("the server can't be asked ({error})"))?;
        let is_good = answer.status().is_success();
        let text = answer.body_mut().with_config().limit(4 << 20).read_to_string().map_err(|error| error.to_string())?;
        let body: serde_json::Value = serde_json::from_str(&text).map_err(|_| "the server's answer is not JSON".to_owned())?;
        match is_good {
            true => Ok(body),
            false => Err(body["detail"].as_str().unwrap_or("the server refuses it").to_owned()),
        }
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
            ("https://host", "a", None, "this client speaks no TLS"),
            ("ftp://host", "a", None, "--url is `ftp://host`"),
            ("http://user:secret@host", "a", None, "--url is `http://•••@host`"),
            ("http://host/path", "a", None, "--url is `http://host/path`"),
            ("http://host", "a b", None, "--session must be"),
            ("http://host", "a", Some("x&session=b"), "the token holds signs"),
        ] {
            let said = Address::new(url, session, token).map_or_else(|failure| failure.says, |address| address.socket(Some(7)));
            assert!(said.starts_with(expected), "{url}: {said}");
        }
    }
}
