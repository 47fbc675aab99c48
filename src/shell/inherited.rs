//! Sockets that systemd holds and passes on (`LISTEN_FDS`), so that nobody is refused while a server restarts.

use super::listener::Listener;
use crate::contract::Listen;
use listenfd::ListenFd;
use socket2::SockRef;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// None where a server listens by itself.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(Listener, Listen)>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("systemd passes a socket that can't be listened on (`{name}`): a .socket unit needs ListenStream= and Accept=no")]
pub struct InheritedError {
    name: String,
}

impl Inherited {
    /// Takes the sockets that were passed to this process, and their variables out of the environment. Call it once, before
    /// there are other threads.
    pub fn take() -> Result<Inherited, InheritedError> {
        let variable = |name: &str| std::env::var(name).ok();
        // Those of another process, or of one that had this environment before us, are not ours.
        if variable("LISTEN_PID").is_none_or(|pid| pid.parse() != Ok(std::process::id())) {
            return Ok(Inherited::default());
        }
        let names = variable("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        let sockets = (0..passed.len()).map(|number| {
            let name = names.next().filter(|name| !name.is_empty());
            let name = name.map_or_else(|| format!("descriptor {}", number + 3), str::to_owned);
            socket(&mut passed, number).ok_or(InheritedError { name })
        });
        sockets.collect::<Result<_, _>>().map(Inherited)
    }

    pub fn places(&self) -> impl Iterator<Item = &Listen> {
        self.0.iter().map(|(_, place)| place)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn of(sockets: Vec<(Listener, Listen)>) -> Inherited {
        Inherited(sockets)
    }

    pub(super) fn into_sockets(self) -> Vec<(Listener, Listen)> {
        self.0
    }
}

fn socket(passed: &mut ListenFd, number: usize) -> Option<(Listener, Listen)> {
    if let Ok(Some(socket)) = passed.take_unix_listener(number) {
        let place = Listen::Unix(path(&socket.local_addr().ok()?).into());
        return SockRef::from(&socket).is_listener().ok()?.then_some((Listener::Unix(socket), place));
    }
    let socket = passed.take_tcp_listener(number).ok()??;
    let place = socket.local_addr().ok()?.into();
    SockRef::from(&socket).is_listener().ok()?.then_some((Listener::Tcp(socket), place))
}

/// One that has no file is shown as systemd writes it.
fn path(address: &SocketAddr) -> &Path {
    address.as_pathname().unwrap_or(Path::new("@"))
}
