//! Where a server would be: its address and its folder.

use super::Finding;
use crate::cli::suites::Folder;
use crate::config::SocketMode;
use crate::contract::{Listen, counted};
use crate::shell::suites::NAME_ANOTHER;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a server of ours runs at the address already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    Ours,
    No,
}

pub(super) fn address(listen: &Listen, own: Option<&Listen>, tell: &mut dyn FnMut(Finding)) -> Present {
    if let Some(own) = own {
        tell(Finding::good("address", format!("this server listens on {own}")));
        return Present::Ours;
    }
    let (finding, present) = match is_free(listen) {
        Ok(()) => (Finding::good("address", format!("{listen} is free")), Present::No),
        Err(error) if error.kind() == ErrorKind::AddrInUse => match version_at(&listen.from_here()) {
            Some(version) => (Finding::good("address", format!("framewright {version} runs at {listen} already")), Present::Ours),
            None => {
                let mend = "end it, or choose another address with --listen";
                (Finding::bad("address", format!("another program listens on {listen}"), mend), Present::No)
            }
        },
        Err(error) => (
            Finding::bad("address", format!("{listen} can't be listened on ({error})"), "choose another address with --listen"),
            Present::No,
        ),
    };
    tell(finding);
    present
}

/// Tries to listen where a server would. Where a Unix socket would be nothing is changed.
fn is_free(listen: &Listen) -> io::Result<()> {
    let path = match listen {
        Listen::Tcp(address) => return TcpListener::bind(address).map(drop),
        Listen::Unix(path) => path,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => written(path.parent().unwrap_or(Path::new("/"))),
        Ok(about) if !about.file_type().is_socket() => Err(io::Error::new(ErrorKind::AlreadyExists, "a file that is no socket is there")),
        _ => match UnixStream::connect(path) {
            Ok(_) => Err(ErrorKind::AddrInUse.into()),
            // A server that is no more has left it: the next one replaces it.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error),
        },
    }
}

/// The names under which clients reach the server. Requests for any other host are refused, so a proxy's public name has to
/// be among them.
pub(super) fn hosts(listen: &Listen, names: &[String]) -> Finding {
    let addresses = match listen.tcp().map(|address| address.ip()) {
        Some(ip) if ip.is_unspecified() => "localhost and all IP addresses".to_owned(),
        Some(ip) if !ip.is_loopback() => format!("localhost, loopback addresses and {ip}"),
        Some(_) | None => "localhost and loopback addresses".to_owned(),
    };
    match names {
        [] => Finding::good("host names", format!("{addresses}; behind nginx add the public name: --host chat.example.org")),
        names => Finding::good("host names", format!("{addresses}, {}", names.join(", "))),
    }
}

/// What is answered there to a question for a path.
fn asked(listen: &Listen, path: &str) -> io::Result<String> {
    let (mut stream, host) = match listen {
        Listen::Tcp(address) => (TcpStream::connect_timeout(address, PATIENCE)?, address.to_string()),
        // Read and written in the same way.
        Listen::Unix(path) => (OwnedFd::from(UnixStream::connect(path)?).into(), "localhost".to_owned()),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(4 << 20).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Who may connect to a Unix socket: what the setting says, and the file if a server has made it.
pub(super) fn socket_mode(path: &Path, mode: SocketMode, has_sign_in: bool) -> Finding {
    let SocketMode(set) = mode;
    let there = fs::symlink_metadata(path).ok().filter(|about| about.file_type().is_socket()).map(|about| about.mode() & 0o777);
    let shown = path.display();
    match there.unwrap_or(set) {
        mode if mode & 0o002 != 0 && !has_sign_in => Finding::warn(
            "socket",
            format!("{shown}: every user of this machine may connect (mode {mode:o}), and nobody has to sign in"),
            "--socket-mode 660, and SocketMode=0660 where systemd holds the socket",
        ),
        mode if mode != set => Finding::warn(
            "socket",
            format!("{shown} has mode {mode:o}, and the setting is {set:o}"),
            "restart the server; where systemd holds the socket, SocketMode= of its unit decides",
        ),
        mode => Finding::good("socket", format!("{shown}: mode {mode:o}, who may write to it may connect")),
    }
}

/// The address that serves metrics alone.
pub(super) fn metrics(address: SocketAddr, present: Present) -> Finding {
    let answers = |answer: &str| answer.starts_with("HTTP/1.1 200") && answer.contains("\nframewright_");
    let is_open = !address.ip().is_loopback();
    match (TcpListener::bind(address), present) {
        (Ok(_), Present::Ours) => {
            let is = format!("the server that runs doesn't serve metrics at {address}");
            Finding::warn("metrics", is, "restart it: a new --metrics-listen counts from the next start")
        }
        (Ok(_), Present::No) if is_open => Finding::warn(
            "metrics",
            format!("{address} is free, and other machines may reach it without signing in"),
            "keep it inside your network, or listen on 127.0.0.1",
        ),
        (Ok(_), Present::No) => Finding::good("metrics", format!("{address} is free")),
        (Err(error), _) if error.kind() == ErrorKind::AddrInUse => match asked(&Listen::Tcp(address).from_here(), "/metrics") {
            Ok(answer) if answers(&answer) => Finding::good("metrics", format!("framewright serves them at {address} already")),
            Ok(_) | Err(_) => {
                Finding::bad("metrics", format!("another program listens on {address}"), "choose another address with --metrics-listen")
            }
        },
        (Err(error), _) => {
            Finding::bad("metrics", format!("{address} can't be listened on ({error})"), "choose another address with --metrics-listen")
        }
    }
}

/// The version of the server of ours that answers there.
fn version_at(listen: &Listen) -> Option<String> {
    let answer = asked(listen, "/health").ok()?;
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    body.get("io")?;
    body["version"].as_str().map(|version| version.chars().filter(|sign| !sign.is_control()).take(40).collect())
}

/// The folder of the journal; none where conversations are kept in memory only.
pub(super) fn data(folder: Option<&Path>, present: Present) -> Finding {
    let Some(folder) = folder else {
        return Finding::good("data", "nothing is stored: conversations end with the server");
    };
    let shown = folder.display();
    let bad =
        |why: &str| Finding::bad("data", format!("{shown}: {why}"), "choose another folder with --data, or let this user write into it");
    let writable = |there: &Path, is: &str| {
        written(there).map_or_else(|error| bad(&error.to_string()), |()| Finding::good("data", format!("{shown} {is}")))
    };
    match File::options().write(true).open(folder.join("lock")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => writable(folder, "is free"),
            Err(TryLockError::WouldBlock) if present == Present::Ours => {
                Finding::good("data", format!("{shown} is used by the server that runs"))
            }
            Err(TryLockError::WouldBlock) => {
                Finding::bad("data", format!("another server uses {shown}"), "end it, or choose another folder with --data")
            }
            Err(TryLockError::Error(error)) => bad(&format!("can't be locked ({error})")),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if folder.is_dir() {
                return writable(folder, "is free");
            }
            let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
            let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
            writable(there, "can be made")
        }
        Err(error) => bad(&error.to_string()),
    }
}

/// The folder of the suites that a browser may start.
pub(super) fn suites(folder: &Path) -> Finding {
    match Folder::count(folder) {
        0 => Finding::warn("test suites", format!("no suite in {}", folder.display()), NAME_ANOTHER),
        count => Finding::good("test suites", format!("{} in {}", counted(count, "suite", "suites"), folder.display())),
    }
}

/// Writes a file and takes it away again.
pub(super) fn written(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".framewright-doctor-{}", std::process::id()));
    fs::write(&path, "may this user write here?")?;
    fs::remove_file(&path)
}
