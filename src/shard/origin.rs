//! Which pages may talk to this server: its own, and those of listed origins.
//!
//! A browser says where a page comes from (`Origin`) and which name it used to reach us (`Host`). A page of another site has
//! another origin; a page that rebinds its name to our address (DNS rebinding) has a host that is none of ours.

use crate::contract::{Code, Refusal};
use crate::wire::http::Request;
use std::net::IpAddr;

/// Who may talk to this server, beside its own pages.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Listed origins, as browsers send them; `*` stands for all.
    pub allowed: Vec<String>,
    /// Names of this server beside the loopback names and its listen addresses.
    pub hosts: Vec<String>,
    /// The addresses that it listens on; a Unix socket has none.
    pub listen: Vec<IpAddr>,
}

impl Origins {
    /// A listed foreign origin that may read the answer, or why the request is refused.
    pub(super) fn check(&self, request: &Request) -> Result<Option<Box<str>>, Refusal> {
        let host = request.host();
        let mut origins = request.headers_lossy("origin");
        let origin = origins.next();
        if !self.is_ours(host) {
            return Err(Refusal::with(Code::UnknownHost, format!("host `{}` is unknown here; {ALLOW_HOST}", shown(host))));
        }
        let Some(origin) = origin else { return Ok(None) };
        if origins.next().is_none() {
            if is_same(&origin, host) {
                return Ok(None);
            }
            if self.allowed.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(&origin)) {
                return Ok(Some(origin.as_ref().into()));
            }
        }
        Err(Refusal::with(Code::ForeignOrigin, format!("pages from `{}` may not use this server; {ALLOW_ORIGIN}", shown(&origin))))
    }

    /// Whether a `Host` is this server. Its port doesn't matter: what stands in front of us may have another.
    fn is_ours(&self, host: &str) -> bool {
        let name = without_port(host).trim_end_matches('.');
        if let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            // An address can't be rebound.
            return ip.is_loopback() || self.listen.iter().any(|own| own.is_unspecified() || *own == ip);
        }
        // Only HTTP/1.0 may have no host, and no browser speaks that.
        let is_local = name.is_empty() || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
        is_local || self.hosts.iter().any(|known| without_port(known).eq_ignore_ascii_case(name))
    }
}

/// Whether a `Host` names the machine that the client runs on.
pub fn is_loopback(host: &str) -> bool {
    let name = without_port(host).trim_end_matches('.');
    match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost"),
    }
}

const ALLOW_HOST: &str = "the operator can allow it with `--host NAME`";
const ALLOW_ORIGIN: &str = "the operator can allow it with `--allow-origin ORIGIN`";

/// Whether a page comes from the host that it talks to.
fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority: &str| authority.strip_suffix(default).unwrap_or(authority).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    }
}

/// What a client sent, as an error may quote it.
fn shown(text: &str) -> String {
    crate::contract::clip(text, 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::{Limits, Reader, Step};

    fn check(allowed: &[&str], listen: &str, head: &str) -> Result<Option<String>, Code> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let origins = Origins {
            allowed: owned(allowed),
            hosts: owned(&["chat.example"]),
            listen: listen.split_whitespace().map(|ip| ip.parse().unwrap()).collect(),
        };
        let mut buffer = format!("GET / HTTP/1.1\r\n{head}\r\n").into_bytes();
        let limits = Limits { head_bytes_max: 1000, body_bytes_max: 0 };
        let Step::Request(request) = Reader::new(limits).step(&mut buffer) else { panic!("a whole request: {head}") };
        origins.check(&request).map(|origin| origin.map(String::from)).map_err(|refusal| refusal.code)
    }

    #[test]
    fn refuses_foreign_pages_and_unknown_hosts() {
        let (foreign, unknown) = (Err(Code::ForeignOrigin), Err(Code::UnknownHost));
        let listed = |origin: &str| Ok(Some(origin.to_owned()));
        for (allowed, head, expected) in [
            (&[] as &[&str], "Host: localhost:7878\r\n", Ok(None)),
            (&[], "Host: LOCALHOST\r\n", Ok(None)),
            (&[], "Host: a.localhost:1\r\n", Ok(None)),
            (&[], "Host: 127.0.0.1:7878\r\n", Ok(None)),
            (&[], "Host: [::1]:7878\r\n", Ok(None)),
            (&[], "Host: [::1]\r\n", Ok(None)),
            (&[], "Host: chat.example\r\n", Ok(None)),
            (&[], "Host: Chat.Example:443\r\n", Ok(None)),
            (&[], "Host: 10.0.0.1\r\n", unknown.clone()),
            (&[], "Host: evil.example\r\n", unknown.clone()),
            (&[], "Host: localhost.evil.example\r\n", unknown.clone()),
            (&[], "Host: evil.chat.example\r\n", unknown.clone()),
            (&[], "Host: 127.0.0.1.evil.example\r\n", unknown.clone()),
            (&["*"], "Host: evil.example\r\n", unknown),
            (&[], "Host: localhost:7878\r\nOrigin: http://localhost:7878\r\n", Ok(None)),
            (&[], "Host: chat.example\r\nOrigin: https://chat.example\r\n", Ok(None)),
            (&[], "Host: chat.example:443\r\nOrigin: https://CHAT.example\r\n", Ok(None)),
            (&[], "Host: chat.example\r\nOrigin: http://chat.example:80\r\n", Ok(None)),
            (&[], "Host: chat.example\r\nOrigin: https://chat.example:8443\r\n", foreign.clone()),
            (&[], "Host: localhost:7878\r\nOrigin: http://localhost:7879\r\n", foreign.clone()),
            (&[], "Host: localhost:7878\r\nOrigin: http://localhost:7878.evil.example\r\n", foreign.clone()),
            (&[], "Host: localhost:7878\r\nOrigin: http://evil.example\r\n", foreign.clone()),
            (&[], "Host: localhost:7878\r\nOrigin: null\r\n", foreign.clone()),
            (&[], "Host: localhost\r\nOrigin: file://\r\n", foreign.clone()),
            (&[], "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil\r\n", foreign.clone()),
            (&["https://a.example"], "Host: localhost\r\nOrigin: https://a.example\r\n", listed("https://a.example")),
            (&["https://a.example"], "Host: localhost\r\nOrigin: https://a.example.b\r\n", foreign),
            (&["*"], "Host: localhost\r\nOrigin: null\r\n", listed("null")),
        ] {
            assert_eq!(check(allowed, "127.0.0.1", head), expected, "{allowed:?} {head}");
        }
        assert_eq!(check(&[], "0.0.0.0", "Host: 10.0.0.1\r\n"), Ok(None), "an address is no name that could be rebound");
        assert_eq!(check(&[], "127.0.0.1 10.0.0.1", "Host: 10.0.0.1:1\r\n"), Ok(None));
        assert_eq!(check(&[], "0.0.0.0", "Host: evil.example\r\n"), Err(Code::UnknownHost));
        let on_a_unix_socket = |head| check(&[], "", head);
        assert_eq!(on_a_unix_socket("Host: 10.0.0.1\r\n"), Err(Code::UnknownHost));
        assert_eq!((on_a_unix_socket("Host: localhost\r\n"), on_a_unix_socket("Host: chat.example\r\n")), (Ok(None), Ok(None)));
    }
}
