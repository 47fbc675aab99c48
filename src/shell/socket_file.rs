//! The file of a Unix socket. It belongs to one server: a second one is refused, as on a port; the file that a dead server
//! left is replaced; and a server takes its own away when it ends.

use super::bounds::BACKLOG;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Metadata, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Another server may have put its own file there since.
    identity: Identity,
}

/// Listens there; whoever may write to the file by its `mode` may connect.
pub(super) fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    // Held until the file is there and listens: two servers that start at once would take it away from one another.
    let folder = File::open(path.parent().unwrap_or(Path::new("/")))?;
    folder.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::AddrInUse.into(),
        TryLockError::Error(error) => error,
    })?;
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.to_owned(), identity: identity(&fs::symlink_metadata(path)?) };
    // Nobody can connect until it listens, whatever the permissions were.
    let listens = fs::set_permissions(path, Permissions::from_mode(mode)).and_then(|()| socket.listen(BACKLOG));
    match listens {
        Ok(()) => Ok((UnixListener::from(socket), file)),
        Err(error) => {
            file.remove();
            Err(error)
        }
    }
}

/// Makes way where nobody listens any more.
fn remove_stale(path: &Path) -> io::Result<()> {
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    if !about.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there"));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // One whose backlog is full would keep us waiting.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(()) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) => Err(error),
    }
}

/// Device, inode, and when it was made, where the file system says: a number is given again as soon as its file has gone.
type Identity = (u64, u64, Option<SystemTime>);

impl SocketFile {
    /// Call this while it listens still: from then on the next server may put its own there.
    pub(super) fn remove(&self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|about| identity(&about) == self.identity) {
            // Where it can't be taken away the next server replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(about: &Metadata) -> Identity {
    (about.dev(), about.ino(), about.created().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_file_has_one_server_and_only_a_dead_ones_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let (first, file) = bind(&path, 0o620).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o620);
        assert_eq!(bind(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).expect("it listens still");
        // As a killed server leaves it.
        drop(first);
        assert!(path.exists());
        let (second, replaced) = bind(&path, 0o600).unwrap();
        UnixStream::connect(&path).unwrap();
        file.remove();
        assert!(path.exists(), "the first does not take the second's away");
        replaced.remove();
        assert!(!path.exists());
        drop(second);
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        fs::write(&path, "mine").unwrap();
        assert_eq!(bind(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(bind(&folder.path().join("none/a.sock"), 0o600).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_live_server_whose_backlog_is_full_keeps_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let _waits = UnixStream::connect(&path).unwrap();
        assert_eq!(bind(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_server_that_starts_while_another_makes_its_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(bind(&path, 0o600).unwrap());
        let other = File::open(folder.path()).unwrap();
        other.try_lock().unwrap();
        assert_eq!(bind(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(other);
        bind(&path, 0o600).unwrap();
    }

    #[test]
    fn of_many_servers_that_start_at_once_on_a_dead_ones_file_one_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        for _ in 0..20 {
            drop(bind(&path, 0o600).unwrap());
            let bound: Vec<_> = std::thread::scope(|scope| {
                let each: Vec<_> = (0..8).map(|_| scope.spawn(|| bind(&path, 0o600).ok())).collect();
                each.into_iter().filter_map(|each| each.join().unwrap()).collect()
            });
            assert_eq!(bound.len(), 1);
            UnixStream::connect(&path).expect("it is the one that is reached");
            bound[0].1.remove();
        }
    }
}
