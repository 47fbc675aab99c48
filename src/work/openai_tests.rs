//! The line to a provider, against a server that answers each request with bytes and then waits or hangs up.

use super::*;
use crate::contract::{ChatMessage, Role, Text};
use crate::work::Cancel;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// After each answer the server waits for the next request on the connection; `hangs_up` closes it instead.
fn serve(answers: Vec<String>, hangs_up: bool) -> (Uri, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap()).parse().unwrap();
    let (to, log) = channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        while answers.len() > 0 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = to.send("connected".to_owned());
            while let Some(head) = request(&mut stream) {
                let _ = to.send(head.lines().next().unwrap_or_default().to_owned());
                stream.write_all(answers.next().unwrap_or_default().as_bytes()).unwrap();
                if hangs_up {
                    break;
                }
            }
            let _ = to.send("closed".to_owned());
        }
    });
    (url, log)
}

/// Reads one request with its body; `None` when the client has gone.
fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(head.to_owned());
            }
        }
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    }
}

fn line(url: Uri, word: Duration) -> Box<dyn Model> {
    let deadlines = Deadlines { connection: word, first_word: 2 * word, next_word: word };
    let (fast, strong) = ("small".to_owned(), "big".to_owned());
    OpenAi::new(Provider { url, key: Some(Key("secret".to_owned())), fast, strong, deadlines, bounds: Bounds::default() }).line()
}

/// What the model said, and how it ended.
fn ask(model: &mut dyn Model, cancel: &Cancel, time: Duration) -> (String, Result<Answer, CallError>) {
    let asked = ModelRequest {
        role: "output".into(),
        model: "fast".into(),
        messages: vec![ChatMessage::new(Role::User, Text::slot("message", "hi"))],
        schema: None,
        tools: Arc::default(),
        stream: true,
        tokens_max: 10,
    };
    let mut said = String::new();
    let mut say = |piece: &str| said.push_str(piece);
    let ended = model.answer(&asked, &mut Call { cancel, due: Instant::now() + time, say: &mut say });
    (said, ended.outcome)
}

fn chunked(head: &str, pieces: &[&str]) -> String {
    let pieces: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    format!("{head}\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n{pieces}")
}

const OK: &str = "HTTP/1.1 200 OK";
const HI: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(40);

#[test]
fn two_answers_come_over_one_connection() {
    let answer = chunked(OK, &[HI, STOP, ""]);
    let (url, log) = serve(vec![answer.clone(), answer], false);
    let mut model = line(url, LONG);
    for _ in 0..2 {
        let (said, outcome) = ask(&mut *model, &Cancel::default(), LONG);
        assert_eq!((said.as_str(), outcome.map(|answer| answer.finish)), ("Hi", Ok(Default::default())));
    }
    drop(model);
    let post = "POST /v1/chat/completions HTTP/1.1";
    assert_eq!(log.iter().collect::<Vec<_>>(), ["connected", post, post, "closed"]);
}

#[test]
fn every_fault_is_an_error_in_its_time() {
    let late = |waited: &str| CallError::Deadline { waited: waited.to_owned() };
    let drip = ": still here\n\n".repeat(3);
    for (answer, hangs_up, time, error) in [
        (String::new(), false, LONG, late("the first word")),
        (chunked(OK, &[&drip]), false, LONG, late("the first word")),
        (chunked(OK, &[HI]), false, LONG, late("the next word")),
        (String::new(), false, Duration::from_millis(30), late("the end of the answer")),
        (String::new(), true, LONG, CallError::Unreachable),
        (chunked(OK, &[HI]), true, LONG, CallError::Truncated),
        (chunked(OK, &[HI, ""]), true, LONG, CallError::Truncated),
        ("SSH-2.0\r\n\r\n".to_owned(), true, LONG, CallError::Unreadable),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
            true,
            LONG,
            CallError::Rejected { status: 302 },
        ),
        ("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n".to_owned(), true, LONG, CallError::Unauthorized),
        ("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n".to_owned(), true, LONG, CallError::Rejected { status: 404 }),
        ("HTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n".to_owned(), true, LONG, CallError::RateLimited),
        ("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n".to_owned(), true, LONG, CallError::Failed { status: 503 }),
    ] {
        let begun = Instant::now();
        let (url, _log) = serve(vec![answer.clone()], hangs_up);
        assert_eq!(ask(&mut *line(url, SHORT), &Cancel::default(), time).1, Err(error), "{answer}");
        assert!(begun.elapsed() < LONG);
    }
    let (url, _log) = serve(vec![String::new()], true);
    let no_tls = url.to_string().replace("http:", "https:").parse().unwrap();
    assert_eq!(ask(&mut *line(no_tls, SHORT), &Cancel::default(), LONG).1, Err(late("a connection")), "a server that never shakes hands");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/v1").parse().unwrap();
    assert_eq!(ask(&mut *line(url, SHORT), &Cancel::default(), LONG).1, Err(CallError::Unreachable));
}

#[test]
fn a_cancelled_call_closes_its_connection_and_the_next_one_works() {
    let (url, log) = serve(vec![chunked(OK, &[HI]), chunked(OK, &[HI, STOP, ""])], false);
    let mut model = line(url, LONG);
    let cancel = Arc::new(Cancel::default());
    let canceller = cancel.clone();
    let provider = thread::spawn(move || {
        let heard: Vec<String> = log.iter().take(2).collect();
        canceller.cancel();
        assert_eq!(log.recv_timeout(LONG).as_deref(), Ok("closed"));
        heard
    });
    let outcome = ask(&mut *model, &cancel, LONG).1;
    assert!(outcome.is_err(), "the pool calls it cancelled: {outcome:?}");
    provider.join().unwrap();
    assert_eq!(ask(&mut *model, &cancel, LONG).1, Err(CallError::Cancelled), "cancelled before it began");
    assert_eq!(ask(&mut *model, &Cancel::default(), LONG).0, "Hi");
}

#[test]
fn a_key_is_never_shown() {
    assert_eq!(format!("{:?}", Key("sk-1".to_owned())), "•••");
}
