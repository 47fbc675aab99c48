//! Which addresses a webhook may have: those that an operator has listed, so that nobody makes the server call any other.

use std::fmt;
use std::str::FromStr;

/// Longer addresses are refused.
const WEBHOOK_BYTES_MAX: usize = 2_000;

/// The address of a webhook, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl {
    scheme: Scheme,
    /// In lower case.
    host: String,
    port: u16,
    /// From the first `/` on, with the query.
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// What the addresses of webhooks may begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookPrefix(WebhookUrl);

impl FromStr for WebhookUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write https://HOST[:PORT]/PATH, in plain characters, without user, `#`, `\\` and dots as a part of the path";
        // What is read differently elsewhere could lead somewhere else.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\\"<>^`{|}".contains(&byte));
        if !is_plain || text.len() > WEBHOOK_BYTES_MAX {
            return Err(WRONG);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            _ => return Err(WRONG),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port > 0).ok_or(WRONG)?),
            _ => (authority, if scheme == Scheme::Https { 443 } else { 80 }),
        };
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match inner {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let decoded = path.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
        let is_steady = !decoded.contains("%2f") && !decoded.contains("%5c") && !decoded.split('/').any(|part| part == "." || part == "..");
        if !is_host || !is_steady {
            return Err(WRONG);
        }
        Ok(WebhookUrl { scheme, host: host.to_ascii_lowercase(), port, path })
    }
}

impl WebhookUrl {
    /// Host and port: who is called.
    pub fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::Https
    }
}

/// Without what stands behind the host: it may be a secret.
impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls() { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl FromStr for WebhookPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: WebhookUrl = text.parse()?;
        if text.contains('?') { Err("write an address without `?`, such as https://hooks.example.org/") } else { Ok(WebhookPrefix(url)) }
    }
}

impl WebhookPrefix {
    /// Whether an address has the same scheme, host and port, and a path below this one.
    pub fn allows(&self, url: &WebhookUrl) -> bool {
        let own = &self.0;
        let is_below = |rest: &str| own.path.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?']);
        (own.scheme, &own.host, own.port) == (url.scheme, &url.host, url.port) && url.path.strip_prefix(&*own.path).is_some_and(is_below)
    }

    pub fn url(&self) -> &WebhookUrl {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_a_listed_address_is_allowed() {
        for (prefix, url, is_allowed) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://A.EXAMPLE:443/x?y=z", true),
            ("https://a.example/", "https://a.example?x", true),
            ("https://a.example", "http://a.example/", false),
            ("https://a.example", "https://a.example:8443/", false),
            ("https://a.example", "https://a.example.evil.example/", false),
            ("https://a.example", "https://evil.example/https://a.example", false),
            ("https://a.example/hooks", "https://a.example/hooks", true),
            ("https://a.example/hooks", "https://a.example/hooks/1", true),
            ("https://a.example/hooks", "https://a.example/hooks?1", true),
            ("https://a.example/hooks", "https://a.example/hooks-of-others", false),
            ("https://a.example/hooks/", "https://a.example/hooks", false),
            ("https://a.example/hooks/", "https://a.example/Hooks/1", false),
            ("http://127.0.0.1:9", "http://127.0.0.1:9/", true),
            ("http://127.0.0.1:9", "http://127.1:9/", false),
            ("http://[::1]:9", "http://[::1]:9/x", true),
        ] {
            let prefix_is: WebhookPrefix = prefix.parse().unwrap_or_else(|why| panic!("{prefix}: {why}"));
            let url_is: WebhookUrl = url.parse().unwrap_or_else(|why| panic!("{url}: {why}"));
            assert_eq!(prefix_is.allows(&url_is), is_allowed, "{prefix} {url}");
        }
    }

    #[test]
    fn what_others_could_read_differently_is_no_address() {
        for url in [
            "",
            "a.example",
            "ftp://a.example/",
            "HTTPS://a.example/",
            "https://",
            "https:///x",
            "https://user@a.example/",
            "https://a.example@evil.example/",
            "https://a.example#@evil.example/",
            "https://a.example\\@evil.example/",
            "https://a.example/hooks/../admin",
            "https://a.example/hooks/%2e%2E/admin",
            "https://a.example/hooks/..%2fadmin",
            "https://a.example/./x",
            "https://a.example/ä",
            "https://a.example/ x",
            "https://a.example/x\r\ny",
            "https://a.example:0/",
            "https://a.example:99999/",
            "https://a.example:/",
            "https://[::1/",
            "https://[evil]/",
            &format!("https://a.example/{}", "x".repeat(WEBHOOK_BYTES_MAX)),
        ] {
            assert!(url.parse::<WebhookUrl>().is_err(), "{url}");
        }
        assert!("https://a.example/?x".parse::<WebhookPrefix>().is_err());
        assert_eq!("https://a.example/secret?x".parse::<WebhookUrl>().unwrap().to_string(), "https://a.example:443");
    }
}
