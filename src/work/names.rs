//! Host names, looked up once and kept, shared by all workers.
//!
//! A lookup can't be cancelled, so it never happens on a worker's thread, and there is never more than one: however many
//! calls wait for a name server that hangs, one thread is stuck, and each call ends at its own limit. An address that is
//! old is used while nothing better is found.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

const FRESH: Duration = Duration::from_secs(60);
const ADDRESSES_MAX: usize = 16;
const HOSTS_MAX: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Names(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
    found: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    hosts: Vec<(String, Instant, Vec<SocketAddr>)>,
    is_looking: bool,
    /// Lookups that have ended, well or badly.
    lookups: u64,
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let addresses = match host.parse() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.look_up(host, port, *timeout.after)?,
        };
        let mut resolved = self.empty();
        for address in config.ip_family().keep_wanted(addresses.into_iter()).take(ADDRESSES_MAX) {
            resolved.push(address);
        }
        if resolved.is_empty() { Err(Error::HostNotFound) } else { Ok(resolved) }
    }
}

impl Names {
    fn look_up(&self, host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, Error> {
        let name = format!("{host}:{port}");
        let until = Instant::now() + timeout.min(Duration::from_secs(60));
        let mut known = self.known();
        let mut seen = known.lookups;
        loop {
            let here = known.hosts.iter().find(|(host, ..)| *host == name);
            let old = here.map(|(_, _, addresses)| addresses.clone());
            if let Some((_, found_at, addresses)) = here
                && found_at.elapsed() < FRESH
            {
                return Ok(addresses.clone());
            }
            if known.lookups > seen {
                return old.ok_or(Error::HostNotFound);
            }
            if !known.is_looking {
                known.is_looking = true;
                seen = known.lookups;
                let (names, name) = (self.clone(), name.clone());
                let looking = std::thread::Builder::new().name("names".to_owned());
                if looking.spawn(move || names.found(name.clone(), name.to_socket_addrs().ok())).is_err() {
                    known.is_looking = false;
                    return old.ok_or(Error::HostNotFound);
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return old.ok_or(Error::Timeout(Timeout::Resolve));
            }
            known = self.0.found.wait_timeout(known, left).expect("nothing panics while it holds this lock").0;
        }
    }

    fn found(&self, name: String, addresses: Option<impl Iterator<Item = SocketAddr>>) {
        let addresses: Vec<SocketAddr> = addresses.into_iter().flatten().take(ADDRESSES_MAX).collect();
        let mut known = self.known();
        if !addresses.is_empty() {
            known.hosts.retain(|(host, ..)| *host != name);
            known.hosts.truncate(HOSTS_MAX - 1);
            known.hosts.push((name, Instant::now(), addresses));
        }
        known.is_looking = false;
        known.lookups += 1;
        drop(known);
        self.0.found.notify_all();
    }

    /// As if a lookup never ended.
    #[cfg(test)]
    pub(super) fn hang(&self) {
        self.known().is_looking = true;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_once_and_an_old_address_is_better_than_none() {
        let names = Names::default();
        let timeout = Duration::from_secs(120);
        for _ in 0..3 {
            assert!(names.look_up("localhost", 80, timeout).unwrap().iter().all(|address| address.ip().is_loopback()));
        }
        assert_eq!(names.known().lookups, 1);
        // A lookup that hangs: everyone who waits for it ends in time.
        names.hang();
        let begun = Instant::now();
        assert!(matches!(names.look_up("other", 80, Duration::from_millis(20)), Err(Error::Timeout(Timeout::Resolve))));
        names.known().hosts[0].1 = Instant::now().checked_sub(FRESH).unwrap();
        assert!(names.look_up("localhost", 80, Duration::from_millis(20)).is_ok());
        assert!(begun.elapsed() < timeout);
    }
}
