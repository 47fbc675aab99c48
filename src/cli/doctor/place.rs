//! Where a server would be: its address and its folder.

use super::Finding;
use crate::cli::suites::Folder;
use crate::contract::{Listen, counted};
use crate::shell::suites::NAME_ANOTHER;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
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

/// The version of the server of ours that answers there.
fn version_at(listen: &Listen) -> Option<String> {
    let ask = || -> io::Result<String> {
        let (mut stream, host) = match listen {
            Listen::Tcp(address) => (TcpStream::connect_timeout(address, PATIENCE)?, address.to_string()),
            // Read and written in the same way.
            Listen::Unix(path) => (OwnedFd::from(UnixStream::connect(path)?).into(), "localhost".to_owned()),
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.take(64 << 10).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().ok()?;
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
    match File::options().write(true).open(folder.join("lock")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => written(folder).map_or_else(|error| bad(&error.to_string()), |()| Finding::good("data", format!("{shown} is free"))),
            Err(TryLockError::WouldBlock) if present == Present::Ours => {
                Finding::good("data", format!("{shown} is used by the server that runs"))
            }
            Err(TryLockError::WouldBlock) => {
                Finding::bad("data", format!("another server uses {shown}"), "end it, or choose another folder with --data")
            }
            Err(TryLockError::Error(error)) => bad(&format!("can't be locked ({error})")),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
            let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
            written(there).map_or_else(|error| bad(&error.to_string()), |()| Finding::good("data", format!("{shown} can be made")))
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
