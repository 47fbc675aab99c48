//! What a supervisor such as systemd learns of the server over `NOTIFY_SOCKET`: that it is ready, how it is, that it is alive.

use super::bounds::NOTIFY_TIME;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// Cheap to clone. Where there is no supervisor nothing is sent.
#[derive(Clone, Debug, Default)]
pub struct Supervisor(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    socket: UnixDatagram,
    /// The supervisor ends a server of which it hears nothing for so long.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names. One that can't be reached is logged and left out: it will notice by itself.
    pub fn of_environment() -> Supervisor {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Supervisor::default() };
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.trim().parse::<u64>().ok());
        // Without a process id it is meant for whoever has the variable.
        let is_ours = std::env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(std::process::id().into());
        let watchdog = number("WATCHDOG_USEC").filter(|us| is_ours && *us > 0).map(Duration::from_micros);
        Supervisor::at(&name, watchdog).unwrap_or_else(|error| {
            tracing::warn!(%error, "NOTIFY_SOCKET names {}, which can't be reached", name.display());
            Supervisor::default()
        })
    }

    /// `@name` is a socket without a file.
    pub(super) fn at(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Supervisor> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A supervisor that reads nothing must not hold us.
        socket.set_write_timeout(Some(NOTIFY_TIME))?;
        Ok(Supervisor(Some(Arc::new(Link { socket, watchdog }))))
    }

    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.0.as_ref()?.watchdog
    }

    /// Tells that settings are being loaded anew, runs `reload`, and tells that the server is ready again, whatever came of it.
    pub fn while_reloading<T>(&self, reload: impl FnOnce() -> T) -> T {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={us}\n"));
        let outcome = reload();
        self.send("READY=1\n");
        outcome
    }

    pub(super) fn ready(&self) {
        self.send("READY=1\nSTATUS=Serving\n");
    }

    /// The server ends, and may take so long for it.
    pub(super) fn stopping(&self, time_max: Duration) {
        self.send(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS=Shutting down\n", time_max.as_micros()));
    }

    pub(super) fn status(&self, status: &str) {
        self.send(&format!("STATUS={status}\n"));
    }

    pub(super) fn alive(&self) {
        if self.watchdog().is_some() {
            self.send("WATCHDOG=1\n");
        }
    }

    fn send(&self, message: &str) {
        if let Some(link) = &self.0
            && let Err(error) = link.socket.send(message.as_bytes())
        {
            tracing::warn!(%error, "the supervisor can't be told: {}", message.trim_end().replace('\n', ", "));
        }
    }
}
