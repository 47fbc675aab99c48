//! Real servers on Unix sockets, and on sockets that outlive them.

use super::driver::Machine;
use super::listener::Listener;
use super::served::{Http, PATIENCE, eventually, library, next, pool, say, settings, text, turn};
use super::{Backend, Ended, Inherited, ServeError, Server, Settings, rules, serve, server};
use crate::contract::{Listen, Now};
use crate::shard::event::{Action, Event, ShardId};
use serde_json::json;
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;
use tungstenite::WebSocket;

const BACKENDS: [Option<Backend>; 2] = [Some(Backend::IoUring), Some(Backend::Epoll)];

fn start(settings: Settings) -> Server {
    let rules = rules(library(), "v1-direct", &settings.pool);
    serve(settings, rules).unwrap()
}

fn running(server: Server) -> JoinHandle<Ended> {
    spawn(|| server.wait())
}

fn connect(path: &Path) -> TcpStream {
    OwnedFd::from(UnixStream::connect(path).unwrap()).into()
}

fn chat(stream: TcpStream, session: &str) -> WebSocket<TcpStream> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut chat = tungstenite::client(format!("ws://localhost/ws?session={session}"), stream).unwrap().0;
    next(&mut chat);
    chat
}

#[test]
fn a_unix_socket_serves_as_a_port_does_and_is_gone_with_its_server() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let on = |path: &Path| Settings { listen: Listen::Unix(path.to_owned()), backend, ..settings() };
        let server = start(on(&path));
        assert_eq!(server.places(), [Listen::Unix(path.clone())]);
        let stopper = server.stopper();
        let ended = running(server);
        assert_eq!(Http::of(connect(&path)).call("GET", "/health", "").0, 200);
        for n in 0..8 {
            let mut chat = chat(connect(&path), &format!("s{n}"));
            say(&mut chat, json!({"text":"one two three"}));
            assert_eq!(text(&turn(&mut chat)), "one two three", "wherever the session lives");
        }
        // More than the system takes at once.
        let mut chat = chat(connect(&path), "flood");
        say(&mut chat, json!({"text":"flood"}));
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(text(&turn(&mut chat)), "x".repeat(1_000_000));
        let second = serve(on(&path), rules(library(), "v1-direct", &pool())).err().unwrap();
        assert!(matches!(&second, ServeError::AddressInUse { address, .. } if *address == Listen::Unix(path.clone())), "{second}");
        stopper.stop();
        assert_eq!(ended.join().unwrap(), Ended::Quietly);
        assert!(!path.exists());
    }
}

/// The sockets that systemd would hold.
struct Held {
    tcp: TcpListener,
    unix: UnixListener,
    folder: tempfile::TempDir,
}

impl Held {
    fn new() -> Held {
        let folder = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(folder.path().join("a.sock")).unwrap();
        Held { tcp: TcpListener::bind("127.0.0.1:0").unwrap(), unix, folder }
    }

    fn inherited(&self) -> Inherited {
        let (tcp, unix) = (self.tcp.try_clone().unwrap(), self.unix.try_clone().unwrap());
        let path = self.folder.path().join("a.sock");
        Inherited::of(vec![(Listener::Tcp(tcp), self.tcp.local_addr().unwrap().into()), (Listener::Unix(unix), Listen::Unix(path))])
    }

    fn connect(&self) -> [TcpStream; 2] {
        [TcpStream::connect(self.tcp.local_addr().unwrap()).unwrap(), connect(&self.folder.path().join("a.sock"))]
    }
}

#[test]
fn whoever_connects_while_a_server_ends_waits_for_the_next_one_on_the_same_sockets() {
    for backend in BACKENDS {
        let held = Held::new();
        let settings = || Settings { inherited: held.inherited(), backend, drain_time: PATIENCE, ..settings() };
        let server = start(settings());
        assert_eq!(server.places().len(), 2);
        let stopper = server.stopper();
        let ended = running(server);
        let [tcp, unix] = held.connect();
        let mut chat = chat(unix, "default");
        let mut kept = Http::of(tcp);
        assert_eq!(kept.call("GET", "/health", "").0, 200);
        say(&mut chat, json!({"text":"wait"}));
        assert_eq!(next(&mut chat)["content"], "waiting");
        stopper.stop();
        eventually("the drain", || (kept.call("GET", "/health", "").0 == 503).then_some(()));
        // Not refused, and not answered by the one that ends. Accepting ends on each shard a moment after the first has heard.
        std::thread::sleep(Duration::from_millis(100));
        let mut waiting = held.connect().map(Http::of);
        for http in &mut waiting {
            http.send("GET", "/health", "");
            http.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            assert_eq!(http.stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            http.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        say(&mut chat, json!({"type":"stop"}));
        assert_eq!(turn(&mut chat).pop().unwrap()["cancelled"], true);
        assert_eq!(ended.join().unwrap(), Ended::Quietly);
        let next = start(settings());
        let stopper = next.stopper();
        let ended = running(next);
        for mut http in waiting {
            assert_eq!(http.answer().0, 200);
        }
        stopper.stop();
        assert_eq!(ended.join().unwrap(), Ended::Quietly);
        assert!(held.folder.path().join("a.sock").exists(), "it belongs to whoever holds it");
    }
}

/// Counts what its shard accepts.
struct Counts(ShardId, Arc<[AtomicUsize; 2]>);

impl Machine for Counts {
    fn handle(&mut self, _now: Now, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Accepted { socket, .. } => {
                self.1[self.0.0].fetch_add(1, Ordering::Relaxed);
                actions.push(Action::Close { socket });
            }
            Event::Drain => actions.push(Action::Drained),
            Event::Stop => actions.push(Action::Stopped),
            _ => {}
        }
    }
}

#[test]
fn every_shard_accepts_from_one_socket() {
    for backend in BACKENDS {
        let (held, counts) = (Held::new(), Arc::<[AtomicUsize; 2]>::default());
        let machine = {
            let counts = counts.clone();
            move |shard, _| Counts(shard, counts.clone())
        };
        let server = server::start(Settings { inherited: held.inherited(), backend, ..settings() }, None, machine).unwrap();
        let stopper = server.stopper();
        let ended = running(server);
        for place in 0..2 {
            let before: Vec<usize> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
            eventually("a connection for each", || {
                let mut stream = held.connect().into_iter().nth(place).unwrap();
                // Closed once it was counted.
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let _ = stream.read(&mut [0]);
                counts.iter().zip(&before).all(|(count, before)| count.load(Ordering::Relaxed) > before + 1).then_some(())
            });
        }
        stopper.stop();
        assert_eq!(ended.join().unwrap(), Ended::Quietly);
    }
}
