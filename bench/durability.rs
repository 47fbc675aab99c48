//! What durability costs: turns a second with 64 users, and the time to the first token with one, by `--durability`.
//!
//! Three servers of this build run side by side, each with a mode; rounds take turns between them, and figures are ratios of
//! medians to `none`. The model is a server in this process: it streams 20 tokens, at once or 5 ms after the request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

const MODES: [&str; 3] = ["none", "turn", "every-delta"];
const USERS: usize = 64;
const TOKENS: usize = 20;

/// A model that answers after `delay_us`.
fn model(delay_us: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let delay_us = delay_us.clone();
            thread::spawn(move || drop(answer(stream, &delay_us)));
        }
    });
    address
}

fn answer(stream: TcpStream, delay_us: &AtomicU64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut out) = (BufReader::new(stream.try_clone()?), stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        thread::sleep(Duration::from_micros(delay_us.load(Ordering::Relaxed)));
        out.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let wants_json = body.windows(15).any(|window| window == b"response_format");
        let tokens = if wants_json { vec!["{}".to_owned()] } else { (0..TOKENS).map(|token| format!("word{token} ")).collect() };
        for token in tokens {
            let event = format!("data: {}\n\n", serde_json::json!({ "choices": [{ "delta": { "content": token } }] }));
            write!(out, "{:x}\r\n{event}\r\n", event.len())?;
        }
        let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        write!(out, "{:x}\r\n{end}\r\n0\r\n\r\n", end.len())?;
        out.flush()?;
    }
}

struct Server {
    child: Child,
    address: String,
    _data: tempfile::TempDir,
}

impl Server {
    fn start(mode: &str, model: SocketAddr) -> Server {
        let data = tempfile::tempdir().expect("a folder can be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
        let url = format!("http://{model}/v1");
        command.args(["serve", "--listen", "127.0.0.1:0", "--graph", "v1-direct", "--model", "m", "--llm-url", &url]);
        command
            .args(["--durability", mode, "--log", "warn", "--address-messages", "0", "--address-requests", "0", "--data"])
            .arg(data.path());
        command.current_dir(data.path()).stderr(Stdio::piped()).stdin(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says where it is");
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("no address: {line}"));
        Server { child, address: address.to_owned(), _data: data }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A user with a session of their own.
struct User(WebSocket<TcpStream>);

impl User {
    fn new(server: &Server, name: &str) -> User {
        let stream = TcpStream::connect(&server.address).expect("it listens");
        stream.set_nodelay(true).expect("it is a socket");
        let (mut socket, _) = tungstenite::client(format!("ws://{}/ws?session={name}", server.address), stream).expect("it upgrades");
        socket.read().expect("a greeting");
        User(socket)
    }

    /// Microseconds to the first text and to the end.
    fn ask(&mut self) -> (f64, f64) {
        let begun = Instant::now();
        self.0.send(Message::text(r#"{"text":"why is the sky blue?"}"#)).expect("it is open");
        let mut first = None;
        loop {
            let Message::Text(text) = self.0.read().expect("an answer comes") else { continue };
            if first.is_none() && text.contains("\"delta\"") && text.contains("word") {
                first = Some(begun.elapsed());
            }
            if text.contains("\"done\"") {
                assert!(!text.contains("\"error\"") && !text.contains("refused"), "{text}");
                let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
                return (micros(first.unwrap_or_else(|| begun.elapsed())), micros(begun.elapsed()));
            }
        }
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let (rounds, turns, asks) = if is_whole { (9, 20, 200) } else { (1, 1, 2) };
    let delay_us = Arc::<AtomicU64>::default();
    let model = model(delay_us.clone());
    let servers = MODES.map(|mode| Server::start(mode, model));
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..rounds {
        for (server, rates) in servers.iter().zip(&mut rates) {
            let mut users: Vec<User> = (0..USERS).map(|user| User::new(server, &format!("u{round}-{user}"))).collect();
            let begun = Instant::now();
            thread::scope(|scope| {
                for user in &mut users {
                    scope.spawn(move || (0..turns).for_each(|_| _ = user.ask()));
                }
            });
            rates.push((USERS * turns) as f64 / begun.elapsed().as_secs_f64());
        }
    }
    let base = median(rates[0].clone());
    for (mode, rates) in MODES.iter().zip(rates) {
        let rate = median(rates);
        println!("durability: {USERS} users {mode} turns/s={rate:.0} ratio={:.2}", rate / base);
    }
    delay_us.store(5_000, Ordering::Relaxed);
    let mut firsts = [Vec::new(), Vec::new(), Vec::new()];
    let mut users: Vec<User> = servers.iter().map(|server| User::new(server, "one")).collect();
    for _ in 0..asks {
        for (user, firsts) in users.iter_mut().zip(&mut firsts) {
            firsts.push(user.ask().0);
        }
    }
    let base = median(firsts[0].clone());
    for (mode, firsts) in MODES.iter().zip(firsts) {
        let first = median(firsts);
        println!("durability: first token, model of 5 ms, {mode} us={first:.0} ratio={:.2}", first / base);
    }
}
