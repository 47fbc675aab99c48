//! What a request asks for: its target in each form of RFC 9112, section 3.2, and the host that it names.

use super::http::{Method, refused};
use crate::contract::{Code, Refusal};
use std::net::Ipv6Addr;

/// The parts of a target, each a part of the text that it was read from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Of an absolute target; it overrides `Host`.
    pub(super) authority: &'a str,
    /// `*` where OPTIONS means the whole server.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
}

impl Target<'_> {
    /// Reads `/path?query`, `http://authority/path?query` as a proxy would send it, or the `*` of OPTIONS.
    pub(super) fn read(method: Method, target: &str) -> Result<Target<'_>, Refusal> {
        if target.contains('#') {
            return refused(Code::BadRequest, "the request's target has a fragment: leave out what follows the `#`");
        }
        let starts_with = |start: &str| target.get(..start.len()).is_some_and(|part| part.eq_ignore_ascii_case(start));
        if starts_with("https://") {
            // What a client meant to encrypt must not be answered in the clear (RFC 9110, 7.4).
            return refused(Code::Misdirected, "this connection is not encrypted: use an `http://` target, or a path");
        }
        if !starts_with("http://") {
            let (path, query) = split(target);
            return match path.starts_with('/') || (target == "*" && method == Method::Options) {
                true => Ok(Target { authority: "", path, query }),
                false => refused(Code::BadRequest, "the request's target must begin with `/`"),
            };
        }
        let bare = &target["http://".len()..];
        let (authority, rest) = bare.split_at(bare.find(['/', '?']).unwrap_or(bare.len()));
        if !is_host(authority.as_bytes()) {
            return refused(Code::BadRequest, "the request's target names no host");
        }
        let (path, query) = split(rest);
        // An empty path is `/`, and the scheme has one to point at.
        let path = if path.is_empty() { &target["http:".len()..][..1] } else { path };
        Ok(Target { authority, path, query })
    }
}

/// The path, and the query without its `?`.
fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, &target[target.len()..]))
}

/// A name or address, with or without a port, as RFC 3986 has it; but not empty, and without the comma that a list of hosts
/// would have.
pub(super) fn is_host(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let is_port = |port: &str| port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    !name.is_empty() && is_name(name.as_bytes()) && is_port(port)
}

fn is_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(byte) => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form_of_a_target_and_refuses_all_others() {
        let target = |authority, path, query| Ok(Target { authority, path, query });
        for (method, text, expected) in [
            (Method::Get, "/", target("", "/", "")),
            (Method::Get, "/a/b?c?d", target("", "/a/b", "c?d")),
            (Method::Get, "//a", target("", "//a", "")),
            (Method::Get, "http://a:1/b?c", target("a:1", "/b", "c")),
            (Method::Get, "HTTP://a?c", target("a", "/", "c")),
            (Method::Get, "http://a", target("a", "/", "")),
            (Method::Options, "*", target("", "*", "")),
            (Method::Get, "*", Err(Code::BadRequest)),
            (Method::Options, "*?a", Err(Code::BadRequest)),
            (Method::Get, "", Err(Code::BadRequest)),
            (Method::Get, "a", Err(Code::BadRequest)),
            (Method::Get, "?a", Err(Code::BadRequest)),
            (Method::Get, "/a#b", Err(Code::BadRequest)),
            (Method::Get, "http://", Err(Code::BadRequest)),
            (Method::Get, "http:///a", Err(Code::BadRequest)),
            (Method::Get, "http://me@a/", Err(Code::BadRequest)),
            (Method::Get, "http://é/", Err(Code::BadRequest)),
            (Method::Get, "ftp://a/", Err(Code::BadRequest)),
            (Method::Get, "https://a/", Err(Code::Misdirected)),
            (Method::Other, "a:443", Err(Code::BadRequest)),
        ] {
            assert_eq!(Target::read(method, text).map_err(|refusal| refusal.code), expected, "{text}");
        }
    }

    #[test]
    fn tells_a_host_from_what_is_none() {
        for host in ["a", "a.example:80", "a:", "127.0.0.1:65535", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]", "a_b", "%41", "-a", "a..b"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            ":80",
            "a:b",
            "a:80:90",
            "a:+8",
            "a:65536",
            "a b",
            "a,b",
            "a/b",
            "me@a",
            "a?b",
            "[::1",
            "::1",
            "[a]",
            "[::1]80",
            "]",
            "%4",
            "%zz",
            "é",
            "[fe80::1%25eth0]",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
