//! `framewright chat` with a real server: through a pipe, in a terminal, and over a connection that breaks.

use crate::program::{end_of, framewright, run_on};
use crate::support::{Folder, Provider, Server, Setting, eventually, nobody, own_address};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

fn chat(server: &Server, session: &str) -> Command {
    let mut command = framewright(server.folder.path());
    command.args(["chat", "--url", &format!("http://{}", server.address), "--session", session]);
    command
}

#[test]
fn through_a_pipe_each_line_is_a_message_and_only_answers_come_out() {
    let server = Server::start();
    let ended = run_on(&mut chat(&server, "pipe"), "hello there, how are you?\n\nmy name is Ada\nwhat is my name?\n");
    let answers: Vec<&str> = ended.output.lines().collect();
    assert_eq!((ended.code, ended.errors.as_str(), answers.len()), (Some(0), "", 3), "{ended:?}");
    for (answer, begins) in answers.iter().zip(["Fine, thank you", "Nice to meet you, Ada!", "Your name is Ada."]) {
        assert!(answer.starts_with(begins), "{answer}");
    }
    assert_eq!(server.session("pipe").read("/api/history?last=10")["messages"].as_array().unwrap().len(), 6);

    // The last line needs no end; the conversation goes on where it was, and commands are heard.
    let ended = run_on(&mut chat(&server, "pipe"), "what is my name?\n/clear\n/graph v1-direct\n1\n/quit\nnever said");
    assert!(ended.code == Some(0) && ended.output.starts_with("Your name is Ada.\n"), "{ended:?}");
    assert_eq!(server.session("pipe").read("/api/graph/active")["name"], "v1-direct");
    assert_eq!(server.session("pipe").read("/api/history?last=10")["messages"][0]["content"], "1", "a number is a message like any other");
}

#[test]
fn a_pipe_gets_an_answer_once_without_the_reasoning_that_was_streamed_before_it() {
    let provider = Provider::start();
    let server = provider.server_on("v1-direct");
    provider.says("agent", &["zebra thought. ", "more", "</think>", "Yes."]);
    let ended = run_on(&mut chat(&server, "retold"), "is it?\n");
    assert_eq!((ended.code, ended.output.as_str(), ended.errors.as_str()), (Some(0), "Yes.\n", ""), "{ended:?}");
}

#[test]
fn a_turn_that_fails_is_told_beside_the_answers_and_by_the_exit_code() {
    let server =
        Server::with(&Setting { options: &["--llm-url", "http://127.0.0.1:9/v1", "--model", "m", "--retries", "0"], ..Setting::default() });
    let ended = run_on(&mut chat(&server, "any"), "why is the sky blue?\n");
    assert!(ended.code == Some(1) && ended.output.is_empty() && ended.errors.lines().count() == 1, "{ended:?}");
    let ended = run_on(&mut chat(&server, "any"), "/graph nope\n");
    assert!(ended.code == Some(1) && ended.errors.contains("there is no graph `nope`"), "{ended:?}");
}

#[test]
fn where_nobody_answers_it_says_what_to_do() {
    let folder = Folder::new();
    let nobody = nobody();
    for (options, code, says) in [
        (vec!["--url".to_owned(), format!("http://{nobody}")], 4, "start one with `framewright`, or pass its address with --url"),
        (vec!["--url".to_owned(), format!("https://{nobody}")], 4, "start one with `framewright`, or pass its address with --url"),
        (vec!["--ca".to_owned(), "nowhere.pem".to_owned()], 3, "--ca nowhere.pem: can't be read"),
        (vec!["--session".to_owned(), "a b".to_owned()], 3, "--session must be"),
        (vec!["--color".to_owned(), "blue".to_owned()], 2, "possible values: auto, always, never"),
    ] {
        let ended = run_on(framewright(folder.path()).arg("chat").args(&options), "hello\n");
        assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{options:?}: {ended:?}");
    }
}

/// A terminal with the program in it: what is typed, and what stands there so far.
struct Terminal {
    child: Child,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(server: &Server, session: &str, options: &str) -> Terminal {
        let program = env!("CARGO_BIN_EXE_framewright");
        let line = format!("exec '{program}' chat --url http://{} --session {session} {options}", server.address);
        let mut command = framewright(server.folder.path());
        let environment: Vec<_> = command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        command = Command::new("script");
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(["-qefc", &line, "/dev/null"]).current_dir(server.folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut output, shown) = (child.stdout.take().unwrap(), Arc::new(Mutex::new(String::new())));
        let into = shown.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Terminal { child, shown }
    }

    fn types(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits until something stands there, behind what was there before; what came until then.
    fn shows(&self, text: &str) -> String {
        eventually(text, || {
            let mut shown = self.shown.lock().unwrap();
            let end = shown.find(text)? + text.len();
            Some(shown.drain(..end).collect())
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn in_a_terminal_numbers_press_buttons_and_commands_are_heard() {
    let server = Server::start();
    let mut terminal = Terminal::start(&server, "tty", "");
    terminal.shows("/quit or Ctrl-D exits.");
    terminal.shows("> ");
    terminal.types("give me two buttons: red and blue\n");
    terminal.shows("Here you are.");
    let buttons = terminal.shows("> ").to_lowercase();
    assert!(buttons.contains("[1]") && buttons.contains("red") && buttons.contains("[2]") && buttons.contains("blue"), "{buttons:?}");
    assert!(buttons.contains("\x1b["), "a terminal is coloured: {buttons:?}");
    terminal.types("2\n");
    terminal.shows("> ");
    let message = server.session("tty").read("/api/frames?last=1")["last_trace"]["message"].as_str().unwrap().to_lowercase();
    assert!(message.contains("blue"), "{message}");
    terminal.types("/graph\n");
    terminal.shows("v1-direct: ");
    terminal.shows("> ");
    terminal.types("/nonsense\n");
    terminal.shows("There is no command /nonsense.");
    terminal.shows("> ");
    terminal.types("/clear\n");
    terminal.shows("Cleared.");
    terminal.types("\x04");
    assert_eq!(end_of(&mut terminal.child), Some(0));
}

#[test]
fn a_display_is_a_table_and_colours_can_be_declined() {
    let server = Server::start();
    let mut terminal = Terminal::start(&server, "tty", "--color never");
    terminal.shows("> ");
    terminal.types("show me a chart\n");
    let shown = terminal.shows("> ");
    assert!(shown.lines().filter(|line| line.starts_with("  ")).count() >= 3, "{shown:?}");
    terminal.types("make a traffic light\n");
    let shown = terminal.shows("> ");
    assert!(shown.contains("[1] ") && !shown.contains('\x1b'), "{shown:?}");
    terminal.types("1\n");
    terminal.shows("> ");
    assert_eq!(server.session("tty").read("/api/frames?last=1")["last_trace"]["path"], "machine");
    terminal.types("/quit\n");
    assert_eq!(end_of(&mut terminal.child), Some(0));
}

#[test]
fn an_approval_shows_what_is_to_be_done_and_is_answered_by_its_number() {
    let graphs = Folder::new();
    let graph = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/v1-direct.json")).unwrap();
    graphs.write("v1-direct.json", &graph.replace(r#""kind": "agent","#, r#""kind": "agent", "approve": true,"#));
    let options = ["--graphs", graphs.path().to_str().unwrap(), "--graph", "v1-direct"];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    let mut terminal = Terminal::start(&server, "tty", "--color never");
    terminal.shows("> ");
    terminal.types("why is the sky blue?\n");
    let shown = terminal.shows("[1] Approve  [2] Decline");
    assert!(shown.contains("agent wants to begin. Waits for your approval until 2") && shown.contains("## message"), "{shown:?}");
    terminal.types("1\n");
    terminal.shows("Sunlight");
    terminal.shows("> ");
    terminal.types("and the sea?\n");
    terminal.shows("[2] Decline");
    terminal.types("2\n");
    terminal.shows("it was declined");
    terminal.types("/quit\n");
    assert_eq!(end_of(&mut terminal.child), Some(0));
}

#[test]
fn ctrl_c_stops_the_answer_and_then_the_conversation() {
    let server = Server::with(&Setting { word_ms: 200, ..Setting::default() });
    let mut terminal = Terminal::start(&server, "tty", "");
    terminal.shows("> ");
    terminal.types("why is the sky blue?\n");
    terminal.shows("Sunlight");
    terminal.types("\x03");
    terminal.shows("Stopped.");
    terminal.shows("> ");
    terminal.types("\x03");
    assert_eq!(end_of(&mut terminal.child), Some(0));
    assert_eq!(server.session("tty").read("/api/history?last=2")["messages"][1]["partial"], true);
}

/// Passes connections on to a server, and cuts each after so many bytes of its answers; the last is not cut.
fn cutting(server: SocketAddr, cuts: Vec<usize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut cuts = cuts.into_iter();
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(upstream) = TcpStream::connect(server) else { return };
            let mut head = [0; 8];
            // Only the socket is cut: it is the only one that asks for it.
            let is_socket = client.peek(&mut head).is_ok() && head.starts_with(b"GET /ws?");
            let left = if is_socket { cuts.next() } else { None };
            let (mut from, mut to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                let (mut upstream, mut client) = (upstream, client);
                match left {
                    Some(left) => drop(std::io::copy(&mut (&mut upstream).take(left as u64), &mut client)),
                    None => drop(std::io::copy(&mut upstream, &mut client)),
                }
                let _ = (upstream.shutdown(Shutdown::Both), client.shutdown(Shutdown::Both));
            });
        }
    });
    address
}

#[test]
fn a_connection_that_breaks_loses_and_doubles_nothing() {
    let server = Server::with(&Setting { word_ms: 10, ..Setting::default() });
    let whole = run_on(&mut chat(&server, "whole"), "hello\nwhy is the sky blue?\n");
    assert_eq!(whole.code, Some(0), "{whole:?}");
    for cuts in [vec![300, 220, 500, 260], vec![400, 210, 777, 1000], vec![290; 5]] {
        let address = cutting(server.address, cuts.clone());
        let mut command = framewright(server.folder.path());
        let session = format!("cut-{}", cuts[0]);
        command.args(["chat", "--url", &format!("http://{address}"), "--session", &session]);
        let ended = run_on(&mut command, "hello\nwhy is the sky blue?\n");
        assert_eq!((ended.code, &ended.output), (Some(0), &whole.output), "{cuts:?}: {}", ended.errors);
        assert_eq!(server.session(&session).read("/api/history?last=10")["messages"].as_array().unwrap().len(), 4, "{cuts:?}");
    }
}

#[test]
fn a_server_that_comes_back_without_memory_is_talked_to_again() {
    let first = Server::with(&Setting { listen: Some(own_address()), ..Setting::default() });
    let mut terminal = Terminal::start(&first, "any", "");
    let address = first.address.to_string();
    for text in ["hello\n", "hello\n"] {
        terminal.shows("> ");
        terminal.types(text);
        terminal.shows("What can I do for you?");
    }
    terminal.shows("> ");
    drop(first);
    terminal.shows("The connection is lost");
    terminal.types("my name is Ada\n");
    let _second = Server::of(&["--listen", &address], &[]);
    terminal.shows("The server restarted and the previous conversation was lost.");
    terminal.shows("Nice to meet you, Ada!");
    terminal.shows("> ");
}
