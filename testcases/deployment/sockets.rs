//! Unix sockets of our own, and sockets that systemd holds.

use crate::process::{Process, activated};
use crate::support::http::Wire;
use crate::support::{Folder, eventually, own_address, run, server};
use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

#[test]
fn every_client_of_ours_reaches_a_server_on_a_unix_socket() {
    let server = Process::on_a_unix_socket(&["--socket-mode", "600"]);
    let (folder, url) = (Folder::new(), server.listen());
    assert!(server.said().contains(&format!("  {url}  2 shards")), "{}", server.said());
    assert_eq!(fs::metadata(server.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let mut chat = server::framewright(folder.path());
    chat.args(["chat", "--url", &url]).stdin(std::process::Stdio::piped());
    let mut chat = chat.spawn().unwrap();
    std::io::Write::write_all(&mut chat.stdin.take().unwrap(), b"hello\n").unwrap();
    let said = chat.wait_with_output().unwrap();
    assert!(said.status.success() && !said.stdout.is_empty(), "{said:?}");
    let suite = folder.write("a.md", "# A\n## 1\n- send: hello\n- expect path: reflex\n");
    let tested = run(folder.path(), &["test", suite.to_str().unwrap(), "--url", &url]);
    assert_eq!(tested.code, Some(0), "{tested:?}");
    let found = run(folder.path(), &["doctor", "--listen", &url]);
    assert!(found.output.contains(&format!("runs at {url} already")), "{found:?}");
    let health = run(folder.path(), &["health", "--listen", &url]);
    assert!(health.code == Some(0) && health.output.contains(&url), "{health:?}");
}

#[test]
fn the_file_of_a_dead_server_is_replaced_and_that_of_a_live_one_is_not() {
    let mut server = Process::on_a_unix_socket(&[]);
    let listen = server.listen();
    let second = run(server.folder.path(), &["serve", "--listen", &listen]);
    assert!(second.code == Some(4) && second.errors.contains("another program listens on"), "{second:?}");
    assert_eq!(server.connect().ask("GET", "/health", None).status, 200);
    server.signal("KILL");
    server.ended();
    assert!(server.path().exists(), "nobody has taken it away");
    let mut next = server::framewright(server.folder.path());
    next.args(["serve", "--listen", &listen]);
    let mut next = Process::start(Folder::new(), next);
    assert_eq!(server.connect().ask("GET", "/health", None).status, 200);
    next.signal("TERM");
    assert_eq!(next.ended().code(), Some(0));
    assert!(!server.path().exists());
    let gone = run(server.folder.path(), &["health", "--listen", &listen]);
    assert_eq!(gone.code, Some(4), "{gone:?}");
}

#[test]
fn what_can_not_be_a_socket_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let file = folder.write("notes", "mine");
    let at = |path: &str| format!("unix:{path}");
    for (listen, code, says) in [
        (at(file.to_str().unwrap()), 4, "a file that is no socket is there"),
        (at(folder.path().join("none/a.sock").to_str().unwrap()), 4, "choose another address with --listen"),
        (at("a.sock"), 2, "must be absolute"),
        (at(&format!("/{}", "x".repeat(200))), 2, "107 bytes"),
    ] {
        let ended = run(folder.path(), &["serve", "--listen", &listen]);
        assert!(ended.code == Some(code) && ended.errors.contains(says), "{listen}: {ended:?}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    let ended = run(folder.path(), &["serve", "--socket-mode", "999"]);
    assert!(ended.code == Some(2) && ended.errors.contains("octal"), "{ended:?}");
}

#[test]
fn sockets_that_systemd_passes_take_the_place_of_listen_and_outlive_the_server() {
    let folder = Folder::new();
    let (file, tcp) = (folder.path().join("a.sock"), SocketAddr::new(own_address().ip(), 7878));
    let mut server = Process::activated(folder, &[file.to_str().unwrap(), &tcp.to_string()], &["--listen", "127.0.0.1:1"]);
    let said = server.said();
    assert!(said.contains(&format!("  unix:{}, http://{tcp}  2 shards", file.display())), "{said}");
    eventually("the warning", || server.said().contains("`listen` (--listen) has no effect").then_some(()));
    for mut wire in [server.connect(), Wire::open(tcp)] {
        assert_eq!(wire.ask("GET", "/health", None).status, 200);
    }
    let sent = server.connect().ask("POST", "/api/send?session=a", Some(&json!({"text": "hello"})));
    assert_eq!(sent.json()["status"], "queued");
    eventually("the answer, over the other socket", || {
        (Wire::open(tcp).ask("GET", "/api/result?session=a", None).json()["status"] == "done").then_some(())
    });
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
    assert!(file.exists(), "it belongs to systemd");
}

#[test]
fn sockets_of_others_and_useless_ones_are_not_taken() {
    let folder = Folder::new();
    // A variable that was left behind by another process.
    let mut command = server::framewright(folder.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).envs([("LISTEN_FDS", "1"), ("LISTEN_PID", "1"), ("LISTEN_FDNAMES", "a")]);
    let server = Process::start(Folder::new(), command);
    assert!(server.said().contains("  http://127.0.0.1:"), "{}", server.said());

    let path = folder.path().join("d.sock");
    let mut command = activated(&folder, &[path.to_str().unwrap()], &[]);
    let datagrams = std::iter::once("--datagram").chain(std::iter::once("--fdname=letters"));
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut with_datagrams = Command::new(command.get_program());
    with_datagrams.args(datagrams).args(arguments).stderr(std::process::Stdio::piped());
    command = with_datagrams;
    let child = command.spawn().unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    eventually("the socket", || sender.send_to(b"x", &path).ok());
    let ended = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(3) && errors.contains("`letters`") && errors.contains("ListenStream="), "{errors}");
}

#[test]
fn a_socket_that_does_not_listen_is_refused_by_name() {
    const SCRIPT: &str = r#"
import os, socket, sys
kind, path, program = sys.argv[1:4]
passed = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET, socket.SOCK_STREAM)
passed.bind(path if kind == "unix" else ("127.0.0.1", 0))
os.dup2(passed.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="idle")
os.execv(program, [program, "serve"])
"#;
    for kind in ["unix", "tcp"] {
        let folder = Folder::new();
        let server = server::framewright(folder.path());
        let mut command = Command::new("timeout");
        command.args(["60", "python3", "-c", SCRIPT, kind, folder.path().join("a.sock").to_str().unwrap()]).arg(server.get_program());
        let ended = command.current_dir(folder.path()).env("FRAMEWRIGHT_OFFLINE", "1").output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.code() == Some(3) && errors.contains("`idle`") && errors.contains("ListenStream="), "{kind}: {errors}");
    }
}

#[test]
fn a_socket_that_other_machines_reach_needs_sign_in_whoever_opened_it() {
    let folder = Folder::new();
    let free = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap();
    let child = activated(&folder, &[&free.to_string()], &[]).spawn().unwrap();
    let _visitor = eventually("the socket", || TcpStream::connect(("127.0.0.1", free.port())).ok());
    let ended = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(3) && errors.contains("can be reached from other machines"), "{errors}");
}

#[test]
fn a_reload_switches_no_sign_in_off_where_other_machines_reach_a_socket_of_systemd() {
    let folder = Folder::new();
    let free = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap();
    let config = folder.write("f.toml", "[auth]\nheader = 'X-User'\ntrusted_proxy = '127.0.0.1'\n");
    let server = Process::activated(folder, &[&free.to_string()], &["--config", config.to_str().unwrap()]);
    let status = || {
        let mut wire = Wire::open(SocketAddr::from(([127, 0, 0, 1], free.port())));
        wire.ask("GET", "/api/me", None).status
    };
    assert_eq!(status(), 401);
    // `listen` is 127.0.0.1:7878, where nobody would have to sign in.
    fs::write(&config, "log = 'info'\n").unwrap();
    server.signal("HUP");
    eventually("the refusal", || server.said().contains("the reload was refused and nothing has changed").then_some(()));
    assert!(server.said().contains("nobody has to sign in"), "{}", server.said());
    assert_eq!(status(), 401);
}
