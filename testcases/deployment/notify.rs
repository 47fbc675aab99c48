//! What a supervisor hears of the program: a real socket in `NOTIFY_SOCKET`.

use crate::process::Process;
use crate::support::{Folder, PATIENCE, server};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

#[test]
fn a_server_says_that_it_is_ready_how_it_is_and_that_it_ends() {
    let folder = Folder::new();
    let file = folder.path().join("notify");
    let nameless = format!("framewright-notify-{}", std::process::id());
    let abstract_address = SocketAddr::from_abstract_name(&nameless).unwrap();
    for (socket, name) in [
        (UnixDatagram::bind(&file).unwrap(), file.display().to_string()),
        (UnixDatagram::bind_addr(&abstract_address).unwrap(), format!("@{nameless}")),
    ] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let until = |line: &str| {
            let mut bytes = [0; 1024];
            loop {
                let count = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("`{line}` comes: {error}"));
                let message = String::from_utf8(bytes[..count].to_vec()).unwrap();
                if message.lines().any(|own| own.starts_with(line)) {
                    return message;
                }
            }
        };
        let own = Folder::new();
        let mut command = server::framewright(own.path());
        command.args(["serve", "--shards", "2", "--drain-ms", "30000", "--listen", &format!("unix:{}/a.sock", own.path().display())]);
        // A third of it passes between two signs of life.
        command.envs([("NOTIFY_SOCKET", name.as_str()), ("WATCHDOG_USEC", "300000")]);
        let mut server = Process::start(own, command);
        until("READY=1");
        assert_eq!(server.connect().ask("GET", "/health", None).status, 200);
        let _client = server.connect();
        until("STATUS=Serving 1 client: 0 running turns, 0 sessions");
        until("WATCHDOG=1");
        until("WATCHDOG=1");
        server.signal("TERM");
        assert!(until("STOPPING=1").contains("EXTEND_TIMEOUT_USEC=42000000\n"));
        assert_eq!(server.ended().code(), Some(0));
    }
}

#[test]
fn a_supervisor_that_is_not_there_or_means_another_process_changes_nothing() {
    for (name, value) in [("NOTIFY_SOCKET", "/nowhere/notify"), ("WATCHDOG_PID", "1")] {
        let own = Folder::new();
        let mut command = server::framewright(own.path());
        command.args(["serve", "--listen", &format!("unix:{}/a.sock", own.path().display())]);
        command.env("WATCHDOG_USEC", "300000").env(name, value);
        let mut server = Process::start(own, command);
        assert_eq!(server.connect().ask("GET", "/health", None).status, 200);
        server.signal("TERM");
        assert_eq!(server.ended().code(), Some(0));
    }
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_is_not_fed() {
    let folder = Folder::new();
    let file = folder.path().join("notify");
    let socket = UnixDatagram::bind(&file).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let own = Folder::new();
    let mut command = server::framewright(own.path());
    command.args(["serve", "--listen", &format!("unix:{}/a.sock", own.path().display())]);
    command.envs([("NOTIFY_SOCKET", file.to_str().unwrap()), ("WATCHDOG_USEC", "300000"), ("WATCHDOG_PID", "1")]);
    let mut server = Process::start(own, command);
    // Beyond some signs of life, which come with the first status, it would have been fed.
    std::thread::sleep(std::time::Duration::from_millis(600));
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
    let (mut bytes, mut said) = ([0; 1024], String::new());
    while !said.contains("STOPPING=1") {
        let count = socket.recv(&mut bytes).unwrap();
        said.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    assert!(said.contains("READY=1") && !said.contains("WATCHDOG=1"), "{said}");
}
