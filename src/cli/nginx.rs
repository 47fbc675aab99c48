//! `framewright config nginx`: a configuration for nginx in front of this server, with this server's address and bounds.
//!
//! The text stands in `nginx.conf` beside this file; what differs from server to server is filled in here, and what could break
//! out of its place in the file is refused. `deploy/nginx.conf` is what it prints for the sockets of `deploy/framewright.socket`.

use super::Failure;
use crate::contract::{Code, Listen, Refusal};
use crate::shard::bounds::{BODY_BYTES_MAX, COMMENT_EVERY, HEAD_BYTES_MAX, IDLE_TIME, SILENCE_MAX};
use crate::wire::answer;
use crate::wire::http::{BODY_TOO_LARGE, HEAD_TOO_LARGE, URI_TOO_LONG};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(clap::Args)]
pub(super) struct Options {
    /// Name under which the server is reached
    #[arg(long, default_value = "chat.example.org")]
    name: String,
    /// Port on which nginx takes HTTPS; with 443, port 80 leads there
    #[arg(long, default_value_t = 443, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Certificate with its chain [default: the one that certbot keeps for the name]
    #[arg(long, value_name = "FILE", requires = "certificate_key")]
    certificate: Option<String>,
    /// Key of the certificate [default: the one that certbot keeps for the name]
    #[arg(long, value_name = "FILE", requires = "certificate")]
    certificate_key: Option<String>,
    /// Requests that one address may send in a second; four times as many at once
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Requests and connections that one address may have open at once
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    open: u16,
}

const TEXT: &str = include_str!("nginx.conf");

const REDIRECT: &str = "\
server {
    listen 80;
    listen [::]:80;
    server_name {{name}};
    return 301 https://$host$request_uri;
}

";

/// The page's files change while they are worked on.
const DEVELOPMENT: &str = "    # This server has `--development`: no browser and no proxy keeps anything.
    proxy_hide_header Cache-Control;
    add_header Cache-Control no-store always;

";

const TOO_MANY: &str = "too many requests from this address: try again in a moment";
const AWAY: &str = "the server is not there: try again in a moment";

/// The configuration for a server that listens there.
pub(super) fn configuration(options: &Options, listen: &Listen, development: bool) -> Result<String, Failure> {
    let Options { name, port, certificate, certificate_key, rate, open } = options;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if !is_name {
        return Err(Failure::config(format!("--name is `{name}`: write a host name such as chat.example.org")));
    }
    let of_certbot = |file: &str| format!("/etc/letsencrypt/live/{name}/{file}.pem");
    let certificate = certificate.clone().unwrap_or_else(|| of_certbot("fullchain"));
    let certificate_key = certificate_key.clone().unwrap_or_else(|| of_certbot("privkey"));
    for (flag, file) in [("--certificate", &certificate), ("--certificate-key", &certificate_key)] {
        if !is_plain(file) {
            return Err(Failure::config(format!("{flag} is `{file}`: name a file without quotes, `\\`, `$` and braces")));
        }
    }
    let quoted = |code, sentence| String::from_utf8_lossy(&answer::refusal(&Refusal::new(code, sentence), None)).replace('\'', "\\'");
    let text = TEXT.replace("{{redirect}}", if *port == 443 { REDIRECT } else { "" });
    let text = text.replace("{{development}}", if development { DEVELOPMENT } else { "" });
    let values = [
        ("listen", listen.to_string()),
        ("upstream", reached(listen)?),
        ("proxy", proxy(listen)),
        ("idle", IDLE_TIME.as_secs().to_string()),
        ("idle_here", (IDLE_TIME.as_secs() - 15).to_string()),
        ("rate", rate.to_string()),
        ("burst", rate.saturating_mul(4).to_string()),
        ("open", open.to_string()),
        ("port", port.to_string()),
        ("name", name.clone()),
        ("certificate", certificate),
        ("certificate_key", certificate_key),
        ("body_bytes", BODY_BYTES_MAX.to_string()),
        ("head_bytes", HEAD_BYTES_MAX.to_string()),
        ("ping", (SILENCE_MAX.as_secs() / 3).to_string()),
        ("comment", COMMENT_EVERY.as_secs().to_string()),
        ("silence", (SILENCE_MAX.as_secs() + 30).to_string()),
        ("body_too_large", quoted(Code::BodyTooLarge, BODY_TOO_LARGE)),
        ("head_too_large", quoted(Code::HeadTooLarge, HEAD_TOO_LARGE)),
        ("uri_too_long", quoted(Code::UriTooLong, URI_TOO_LONG)),
        ("too_many", quoted(Code::RateLimited, TOO_MANY)),
        ("away", quoted(Code::Unavailable, AWAY)),
    ];
    Ok(values.iter().fold(text, |text, (slot, value)| text.replace(&format!("{{{{{slot}}}}}"), value)))
}

/// Whether a file's name can stand in quotes.
fn is_plain(file: &str) -> bool {
    !file.is_empty() && !file.contains(['"', '\\', '$', '{', '}']) && !file.chars().any(char::is_control)
}

/// How nginx on the same machine reaches a server that listens there.
fn reached(listen: &Listen) -> Result<String, Failure> {
    match listen {
        Listen::Tcp(address) if address.port() == 0 => {
            Err(Failure::config("port 0 is any that is free, so nginx can't know it: say which with --listen"))
        }
        Listen::Tcp(_) => Ok(listen.from_here().to_string()),
        Listen::Unix(_) if is_plain(&listen.to_string()) => Ok(format!("\"{listen}\"")),
        Listen::Unix(path) => {
            Err(Failure::config(format!("--listen is `unix:{}`: name a file without quotes, `\\`, `$` and braces", path.display())))
        }
    }
}

/// Where nginx on the same machine comes from.
fn proxy(listen: &Listen) -> String {
    let Listen::Tcp(address) = listen else { return "unix".to_owned() };
    match address.ip() {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        // To its own address the machine connects from that address.
        ip => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(name: &str, port: u16, certificate: Option<&str>, listen: &str) -> String {
        let (certificate, certificate_key) = (certificate.map(str::to_owned), certificate.map(|file| format!("{file}.key")));
        let options = Options { name: name.to_owned(), port, certificate, certificate_key, rate: 50, open: 100 };
        configuration(&options, &listen.parse().unwrap(), false).unwrap_or_else(|failure| failure.says)
    }

    #[test]
    fn a_configuration_speaks_of_this_server() {
        for (name, port, certificate, listen, has) in [
            ("a.example", 443, None, "127.0.0.1:7878", "server 127.0.0.1:7878;"),
            ("a.example", 443, None, "0.0.0.0:80", "server 127.0.0.1:80;"),
            ("a.example", 443, None, "[::]:80", "server [::1]:80;"),
            ("a.example", 443, None, "127.0.0.1:1", r#"ssl_certificate "/etc/letsencrypt/live/a.example/fullchain.pem";"#),
            ("a.example", 443, None, "127.0.0.1:1", "`--host a.example --trusted-proxy 127.0.0.1`"),
            ("a.example", 443, None, "[::]:80", "`trusted_proxy = \"::1\"`"),
            ("a.example", 443, None, "10.0.0.7:80", "--trusted-proxy 10.0.0.7`"),
            ("a.example", 443, None, "127.0.0.1:1", "listen 80;"),
            ("a.example", 8443, Some("/a b.pem"), "127.0.0.1:1", r#"ssl_certificate_key "/a b.pem.key";"#),
            ("a.example", 8443, None, "127.0.0.1:1", "listen [::]:8443 ssl http2;"),
            ("a.example", 443, None, "127.0.0.1:1", "client_max_body_size 1048576;"),
            ("a.example", 443, None, "127.0.0.1:1", r#"return 413 '{"detail":"the request\'s body is too large"#),
            ("a b", 443, None, "127.0.0.1:1", "--name is `a b`"),
            ("a;}", 443, None, "127.0.0.1:1", "--name is `a;}`"),
            ("a", 443, Some("x\";}"), "127.0.0.1:1", "--certificate is `x\";}`"),
            ("a", 443, Some("$host"), "127.0.0.1:1", "--certificate is `$host`"),
            ("a.example", 443, None, "unix:/run/a.sock", "--trusted-proxy unix`"),
            ("a.example", 443, None, "unix:/run/a b.sock", "server \"unix:/run/a b.sock\";"),
            ("a.example", 443, None, "127.0.0.1:1", "rate=50r/s;"),
            ("a.example", 443, None, "127.0.0.1:1", "burst=200 nodelay;"),
            ("a", 443, None, "unix:/run/$a.sock", "--listen is `unix:/run/$a.sock`"),
            ("a", 443, None, "127.0.0.1:0", "port 0 is any that is free"),
        ] {
            let said = printed(name, port, certificate, listen);
            assert!(said.contains(has), "{name} {port} {listen}: {said}");
            assert!(!said.contains("{{") && !said.contains("}}"), "every place is filled: {said}");
        }
        assert!(!printed("a", 8443, None, "127.0.0.1:1").contains("listen 80;"), "port 80 is not ours then");
    }

    #[test]
    fn the_file_for_deployment_is_what_is_printed() {
        let unit = include_str!("../../deploy/framewright.socket");
        let path = unit.lines().find_map(|line| line.strip_prefix("ListenStream=").filter(|path| path.starts_with('/'))).unwrap();
        let printed = printed("chat.example.org", 443, None, &format!("unix:{path}"));
        expect_test::expect_file!["../../deploy/nginx.conf"].assert_eq(&printed);
    }

    #[test]
    fn only_a_server_in_development_forbids_caching() {
        let options = Options { name: "a".to_owned(), port: 443, certificate: None, certificate_key: None, rate: 1, open: 1 };
        for (development, expected) in [(true, true), (false, false)] {
            let printed = configuration(&options, &"127.0.0.1:1".parse().unwrap(), development).ok().unwrap();
            assert_eq!(printed.contains("add_header Cache-Control no-store always;"), expected);
        }
    }
}
