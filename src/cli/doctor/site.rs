//! nginx in front of the server: whether its configuration passes on what the server needs.
//!
//! Only sites that pass requests to this server count. What a location inherits is worked out as nginx does it: one
//! `proxy_set_header` of its own drops all that stand further out.

use super::Finding;
use super::directives::{Directive, read};
use crate::auth::{Network, Peer};
use crate::contract::Listen;
use crate::shard::bounds::{BODY_BYTES_MAX, COMMENT_EVERY, SILENCE_MAX};
use crate::shard::origin::is_loopback;
use regex_lite::Regex;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// Where nginx is configured unless `--nginx` names another file.
pub(super) const FILE: &str = "/etc/nginx/nginx.conf";

/// What of the server its proxy has to fit.
pub(super) struct Front<'a> {
    /// Where the server listens, or would.
    pub(super) places: &'a [Listen],
    /// Its public names.
    pub(super) hosts: &'a [String],
    pub(super) trusted: &'a [Network],
}

/// Checks the configuration in a file. Where no file was named, nothing is said of a machine without nginx.
pub(super) fn look(named: Option<&Path>, front: &Front<'_>, tell: &mut dyn FnMut(Finding)) {
    let path = named.unwrap_or(Path::new(FILE));
    if named.is_none() && !path.exists() {
        return;
    }
    let directives = match read(path) {
        Ok(directives) => directives,
        Err(error) if named.is_some() => return tell(Finding::bad("nginx", error, "name another file with --nginx, or correct this one")),
        Err(error) => return tell(Finding::warn("nginx", error, "run doctor as a user who may read it, or correct it")),
    };
    let mut nginx = Nginx { front, upstreams: BTreeMap::new(), sites: Vec::new() };
    nginx.learn_upstreams(&directives);
    nginx.learn_sites(&directives, &Scope::default());
    let sites: Vec<&Site> = nginx.sites.iter().filter(|site| site.locations.iter().any(|location| location.target.is_some())).collect();
    if sites.is_empty() && (named.is_some() || !front.hosts.is_empty()) {
        let places = front.places.iter().map(Listen::to_string).collect::<Vec<_>>().join(" or ");
        let name = front.hosts.first().map_or("chat.example.org", String::as_str);
        tell(Finding::warn(
            "nginx",
            format!("no site of {} passes requests to {places}", path.display()),
            format!("`framewright config nginx --name {name}` prints one"),
        ));
    }
    sites.into_iter().for_each(|site| tell(found(site, front)));
}

fn found(site: &Site, front: &Front<'_>) -> Finding {
    let is_name = |name: &&String| !name.is_empty() && *name != "_" && !name.contains('*') && !name.starts_with(['~', '.']);
    let mut names = site.names.iter().filter(is_name);
    let name = names.clone().next().or(front.hosts.first()).map_or("chat.example.org", String::as_str);
    let mut lacks: Vec<String> = Vec::new();
    for wanted in [Wanted::Call, Wanted::Events, Wanted::Socket] {
        for lack in site.lacks(wanted, front.hosts) {
            if !lacks.contains(&lack) {
                lacks.push(lack);
            }
        }
    }
    if !lacks.is_empty() {
        let is = format!("{}: the site for {name} lacks {}", site.place, lacks.join(", "));
        return Finding::bad("nginx", is, format!("add it; `framewright config nginx --name {name}` prints a complete site"));
    }
    let is_known = |name: &&String| front.hosts.iter().any(|host| host.eq_ignore_ascii_case(name)) || is_loopback(name);
    if let Some(unknown) = names.find(|name| !is_known(name)) {
        let is = format!("{}: passes on requests for {unknown}, which the server refuses: it doesn't know the name", site.place);
        return Finding::bad("nginx", is, format!("start the server with --host {unknown}"));
    }
    if let Some(peer) = site.peers().find(|peer| !front.trusted.iter().any(|network| network.has(*peer))) {
        let peer = peer.ip().map_or_else(|| "unix".to_owned(), |ip| ip.to_string());
        let is = format!("{}: its X-Forwarded-For doesn't count, so all of its clients count as one local client", site.place);
        return Finding::warn("nginx", is, format!("start the server with --trusted-proxy {peer}"));
    }
    Finding::good("nginx", format!("{}: the site for {name} passes on what the server needs", site.place))
}

struct Nginx<'a> {
    front: &'a Front<'a>,
    /// The servers of each upstream.
    upstreams: BTreeMap<String, Vec<String>>,
    sites: Vec<Site>,
}

/// A `server` block.
struct Site {
    place: String,
    names: Vec<String>,
    locations: Vec<Location>,
}

struct Location {
    path: At,
    /// Where it passes requests, if that is this server.
    target: Option<Listen>,
    scope: Scope,
}

enum At {
    Exact(String),
    /// With `true`, no pattern is tried where it is the longest.
    Prefix(String, bool),
    Pattern(Regex),
    Other,
}

/// What directives say here, or further out.
#[derive(Clone, Default)]
struct Scope {
    headers: Vec<(String, String)>,
    version: Option<String>,
    read_time: Option<String>,
    body_bytes: Option<String>,
    buffering: Option<String>,
    ignored: Vec<String>,
}

/// A request that a site has to pass on, each with needs of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Call,
    Events,
    Socket,
}

impl Nginx<'_> {
    fn learn_upstreams(&mut self, level: &[Directive]) {
        for directive in level {
            let Some(block) = &directive.block else { continue };
            match directive.name() {
                "http" => self.learn_upstreams(block),
                "upstream" => {
                    let servers = block.iter().filter(|directive| directive.name() == "server");
                    let servers = servers.map(|server| server.argument(1).to_owned()).collect();
                    self.upstreams.insert(directive.argument(1).to_owned(), servers);
                }
                _ => {}
            }
        }
    }

    fn learn_sites(&mut self, level: &[Directive], outer: &Scope) {
        let scope = outer.within(level);
        for directive in level {
            let Some(block) = &directive.block else { continue };
            match directive.name() {
                "http" => self.learn_sites(block, &scope),
                "server" => {
                    let own = |directive: &&Directive| directive.name() == "server_name";
                    let names = block.iter().filter(own).flat_map(|directive| directive.words[1..].iter().cloned()).collect();
                    let mut site = Site { place: directive.place.clone(), names, locations: Vec::new() };
                    self.learn_locations(block, &scope.within(block), &mut site);
                    self.sites.push(site);
                }
                _ => {}
            }
        }
    }

    fn learn_locations(&self, level: &[Directive], outer: &Scope, site: &mut Site) {
        for directive in level.iter().filter(|directive| directive.name() == "location") {
            let Some(block) = &directive.block else { continue };
            let (first, second) = (directive.argument(1), directive.argument(2));
            let path = match first {
                "=" => At::Exact(second.to_owned()),
                "^~" => At::Prefix(second.to_owned(), true),
                "~" => Regex::new(second).map_or(At::Other, At::Pattern),
                "~*" => Regex::new(&format!("(?i){second}")).map_or(At::Other, At::Pattern),
                first if first.starts_with('@') => At::Other,
                first => At::Prefix(first.to_owned(), false),
            };
            let scope = outer.within(block);
            let passes = block.iter().find(|directive| directive.name() == "proxy_pass");
            let target = passes.and_then(|passes| self.target(passes.argument(1)));
            self.learn_locations(block, &scope, site);
            site.locations.push(Location { path, target, scope });
        }
    }

    /// The place of ours that an address leads to.
    fn target(&self, url: &str) -> Option<Listen> {
        let address = url.strip_prefix("http://")?;
        let address = match address.strip_prefix("unix:") {
            Some(path) => format!("unix:{}", path.split(':').next().unwrap_or(path)),
            None => address.split('/').next().unwrap_or(address).to_owned(),
        };
        let servers = self.upstreams.get(&address).cloned().unwrap_or_else(|| vec![address]);
        servers.iter().find_map(|server| self.own(server))
    }

    fn own(&self, server: &str) -> Option<Listen> {
        let meant = match server.strip_prefix("unix:") {
            Some(path) => Listen::Unix(path.into()),
            None => {
                let named = server.replace("localhost", "127.0.0.1");
                let with_port = || named.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 80));
                Listen::Tcp(named.parse().ok().or_else(with_port)?)
            }
        };
        let is_meant = |place: &&Listen| match (place, &meant) {
            (Listen::Tcp(place), Listen::Tcp(meant)) => {
                let is_all = place.ip().is_unspecified() && meant.ip().is_loopback();
                place.port() == meant.port() && (place.ip() == meant.ip() || is_all)
            }
            (Listen::Unix(place), Listen::Unix(meant)) => place == meant,
            (Listen::Tcp(_), Listen::Unix(_)) | (Listen::Unix(_), Listen::Tcp(_)) => false,
        };
        self.front.places.iter().any(|place| is_meant(&place)).then_some(meant)
    }
}

impl Site {
    /// What this site has to say, and does not, for a request to reach the server as it must.
    fn lacks(&self, wanted: Wanted, hosts: &[String]) -> Vec<String> {
        let path = wanted.path();
        let Some(Location { scope, target: Some(_), .. }) = self.location(path) else {
            return vec![format!("a location that passes on {path}")];
        };
        let mut lacks = Vec::new();
        let host = scope.header("Host").unwrap_or_default();
        let is_own_name = || hosts.iter().any(|name| name.eq_ignore_ascii_case(host));
        if !["$host", "$http_host", "$server_name"].iter().any(|variable| host.starts_with(variable)) && !is_own_name() {
            lacks.push("`proxy_set_header Host $http_host`".to_owned());
        }
        let client = scope.header("X-Forwarded-For").unwrap_or_default();
        // What a client wrote itself may stand before the address that nginx sees, and nowhere else.
        if !client.ends_with("$remote_addr") && !client.ends_with("$proxy_add_x_forwarded_for") {
            lacks.push("`proxy_set_header X-Forwarded-For $remote_addr`".to_owned());
        }
        if bytes(scope.body_bytes.as_deref().unwrap_or("1m")).is_some_and(|most| most > 0 && most < BODY_BYTES_MAX as u64) {
            lacks.push(format!("`client_max_body_size {BODY_BYTES_MAX}`"));
        }
        let is_silent = |longest: u64| scope.read_time.as_deref().and_then(seconds).is_some_and(|seconds| seconds <= longest);
        let read_time = format!("`proxy_read_timeout {}s`", SILENCE_MAX.as_secs() + 30);
        match wanted {
            Wanted::Call => {}
            Wanted::Events => {
                // The server says `X-Accel-Buffering: no`, unless nginx doesn't listen to that.
                let is_ignored = scope.ignored.iter().any(|name| name.eq_ignore_ascii_case("X-Accel-Buffering"));
                if is_ignored && scope.buffering.as_deref() != Some("off") {
                    lacks.push(format!("`proxy_buffering off` for {path}"));
                }
                lacks.extend(is_silent(COMMENT_EVERY.as_secs()).then_some(read_time));
            }
            Wanted::Socket => {
                if scope.version.as_deref() != Some("1.1") {
                    lacks.push(format!("`proxy_http_version 1.1` for {path}"));
                }
                if scope.header("Upgrade") != Some("$http_upgrade") {
                    lacks.push(format!("`proxy_set_header Upgrade $http_upgrade` for {path}"));
                }
                let connection = scope.header("Connection").unwrap_or_default();
                if !connection.eq_ignore_ascii_case("upgrade") && !connection.starts_with('$') {
                    lacks.push(format!("`proxy_set_header Connection upgrade` for {path}"));
                }
                lacks.extend(is_silent(SILENCE_MAX.as_secs() / 3).then_some(read_time));
            }
        }
        lacks
    }

    /// The location that nginx takes for a path.
    fn location(&self, path: &str) -> Option<&Location> {
        let exact = self.locations.iter().find(|location| matches!(&location.path, At::Exact(own) if own == path));
        let length = |location: &Location| match &location.path {
            At::Prefix(prefix, _) if path.starts_with(prefix.as_str()) => Some(prefix.len()),
            At::Prefix(..) | At::Exact(_) | At::Pattern(_) | At::Other => None,
        };
        let longest = self.locations.iter().filter(|location| length(location).is_some()).max_by_key(|location| length(location));
        let is_final = longest.is_some_and(|location| matches!(location.path, At::Prefix(_, true)));
        let fits = |location: &&Location| matches!(&location.path, At::Pattern(pattern) if pattern.is_match(path));
        let pattern = self.locations.iter().find(|location| !is_final && fits(location));
        exact.or(pattern).or(longest)
    }

    /// Whom the server sees when nginx on this machine connects.
    fn peers(&self) -> impl Iterator<Item = Peer> {
        self.locations.iter().filter_map(|location| location.target.as_ref()).map(|target| match target {
            Listen::Unix(_) => Peer::Unix,
            // From whichever of these addresses it is reached, nginx comes from the first.
            Listen::Tcp(address) if address.is_ipv4() && address.ip().is_loopback() => Peer::Machine(Ipv4Addr::LOCALHOST.into()),
            Listen::Tcp(address) => Peer::Machine(address.ip()),
        })
    }
}

impl Wanted {
    fn path(self) -> &'static str {
        match self {
            Wanted::Call => "/api/send",
            Wanted::Events => "/api/events",
            Wanted::Socket => "/ws",
        }
    }
}

impl Scope {
    /// What counts within a block with these directives.
    fn within(&self, level: &[Directive]) -> Scope {
        let mut scope = self.clone();
        let of = |name: &'static str| level.iter().filter(move |directive| directive.name() == name);
        let last = |name| of(name).next_back().map(|directive| directive.argument(1).to_owned());
        let headers: Vec<(String, String)> =
            of("proxy_set_header").map(|directive| (directive.argument(1).to_owned(), directive.argument(2).to_owned())).collect();
        if !headers.is_empty() {
            scope.headers = headers;
        }
        scope.version = last("proxy_http_version").or(scope.version);
        scope.read_time = last("proxy_read_timeout").or(scope.read_time);
        scope.body_bytes = last("client_max_body_size").or(scope.body_bytes);
        scope.buffering = last("proxy_buffering").or(scope.buffering);
        let ignored: Vec<String> = of("proxy_ignore_headers").flat_map(|directive| directive.words[1..].iter().cloned()).collect();
        if !ignored.is_empty() {
            scope.ignored = ignored;
        }
        scope
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rfind(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A size such as `512`, `8k` or `1m`.
fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.to_ascii_lowercase() {
        text if text.ends_with('k') => (text.trim_end_matches('k').to_owned(), 1 << 10),
        text if text.ends_with('m') => (text.trim_end_matches('m').to_owned(), 1 << 20),
        text if text.ends_with('g') => (text.trim_end_matches('g').to_owned(), 1 << 30),
        text => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// A time such as `90`, `90s`, `5m` or `1h30m`, in whole seconds.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(rest.len());
        let count: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|sign: char| sign.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let us = match &rest[digits..unit] {
            "ms" => 1_000,
            "" | "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return None,
        };
        total = total.checked_add(count.checked_mul(us)?)?;
        rest = &rest[unit..];
    }
    Some(total / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_nginx_reads_them() {
        for (text, expected) in [("0", Some(0)), ("512", Some(512)), ("8k", Some(8_192)), ("1M", Some(1 << 20)), ("x", None), ("", None)] {
            assert_eq!(bytes(text), expected, "{text}");
        }
        for (text, expected) in [("90", Some(90)), ("90s", Some(90)), ("1h30m", Some(5_400)), ("500ms", Some(0)), ("x", None), ("5y", None)]
        {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
