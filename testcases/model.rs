//! A model server for tests: the demo model behind the chat-completions wire, as a process of its own.
//!
//! `cargo run --example model -- [--listen 127.0.0.1:0] [--delay-ms 15]` prints its base address on the first line, and
//! then one line per event: `request 3 output stream`, `answered 3 12 words`, `closed 3 after 4 words` when the client
//! went away before the end, and `faulty 3` behind what it did wrong on purpose, see `model/fault.rs`.
//!
//! With `--thinks 900` it is a reasoning model: so many tokens go by before its first word, and count in the longest answer that
//! it was asked for, or that it makes at all (`--window 500`). `--counts-thoughts yes` reports them. A token is a word; an answer
//! that was cut adds the line `cut 3 at 300 tokens`.
#![allow(clippy::print_stdout, reason = "its lines are what it is for")]

#[path = "model/fault.rs"]
mod fault;

use fault::Fault;
use framewright::contract::{ChatMessage, Part, Role, Text, ToolCall, Usage};
use framewright::work::demo::{Demo, NAME, Said, slots_of, words};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const BODY_BYTES_MAX: usize = 4 << 20;
const HEAD_BYTES_MAX: u64 = 64 << 10;

struct Server {
    demo: Demo,
    word_pause: Duration,
    thinking: Thinking,
    requests: AtomicU64,
    /// How often a role was asked with a message that asks for a fault.
    faulty: Mutex<HashMap<(String, String), u32>>,
}

/// How a reasoning model thinks, in tokens.
struct Thinking {
    length: u64,
    is_counted: bool,
    /// The longest answer that it makes.
    window: u64,
}

#[derive(Deserialize)]
struct Body {
    messages: Vec<Message>,
    #[serde(alias = "max_completion_tokens")]
    max_tokens: Option<u64>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: Option<Value>,
    #[serde(default)]
    tools: Vec<Value>,
}

#[derive(Deserialize)]
struct Message {
    role: Role,
    content: Option<String>,
    #[serde(default)]
    tool_calls: Vec<Value>,
    tool_call_id: Option<String>,
}

fn main() -> io::Result<()> {
    let mut listen = "127.0.0.1:0".to_owned();
    let mut delay_ms = 15;
    let mut thinking = Thinking { length: 0, is_counted: false, window: u64::MAX };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--listen", Some(address)) => listen = address,
            ("--delay-ms", Some(milliseconds)) => delay_ms = milliseconds.parse().map_err(io::Error::other)?,
            ("--thinks", Some(tokens)) => thinking.length = tokens.parse().map_err(io::Error::other)?,
            ("--window", Some(tokens)) => thinking.window = tokens.parse().map_err(io::Error::other)?,
            ("--counts-thoughts", Some(answer)) => thinking.is_counted = answer == "yes",
            _ => {
                let options = "[--listen ADDRESS] [--delay-ms N] [--thinks TOKENS] [--window TOKENS] [--counts-thoughts yes|no]";
                return Err(io::Error::other(format!("usage: model {options}")));
            }
        }
    }
    let listener = TcpListener::bind(listen)?;
    say(&format!("http://{}/v1", listener.local_addr()?));
    let word_pause = Duration::from_millis(delay_ms);
    let demo = Demo::new(Duration::ZERO);
    let server = Arc::new(Server { demo, word_pause, thinking, requests: AtomicU64::new(0), faulty: Mutex::default() });
    for stream in listener.incoming() {
        let (server, stream) = (server.clone(), stream?);
        thread::spawn(move || server.serve(stream));
    }
    Ok(())
}

/// One line, at once, also where the output is a pipe.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Whoever read our lines has gone; the server goes on.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

impl Thinking {
    /// Cuts an answer that doesn't fit behind the thoughts, and says at how many tokens.
    fn cuts(&self, said: &mut Said, asked: Option<u64>) -> Option<u64> {
        let limit = asked.unwrap_or(u64::MAX).min(self.window);
        let room = limit.saturating_sub(self.length);
        let is_cut = self.length + said.usage.completion_tokens > limit;
        if is_cut {
            said.text = words(&said.text).take(usize::try_from(room).unwrap_or(usize::MAX)).collect();
            said.tool_calls.clear();
            said.usage.completion_tokens = room;
        }
        is_cut.then_some(limit)
    }

    /// The usage of an answer with the thoughts before it.
    fn counted(&self, usage: &Usage, asked: Option<u64>) -> Value {
        let thought = self.length.min(asked.unwrap_or(u64::MAX)).min(self.window);
        let completion = usage.completion_tokens + thought;
        let mut counted = json!({
            "prompt_tokens": usage.prompt_tokens, "completion_tokens": completion, "total_tokens": usage.prompt_tokens + completion
        });
        if self.is_counted {
            counted["completion_tokens_details"] = json!({ "reasoning_tokens": thought });
        }
        counted
    }
}

impl Server {
    /// Answers request after request until the client goes.
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some((request_line, body)) = read_request(&mut reader)? {
            self.answer(&request_line, &body, &stream)?;
        }
        Ok(())
    }

    fn answer(&self, request_line: &str, body: &[u8], mut to: &TcpStream) -> io::Result<()> {
        match request_line.split(' ').take(2).collect::<Vec<_>>()[..] {
            ["GET", "/v1/models"] => {
                let models = json!({"object": "list", "data": [{"id": NAME, "object": "model", "owned_by": "framewright"}]});
                to.write_all(&whole("200 OK", &models))
            }
            ["POST", "/v1/chat/completions"] => match serde_json::from_slice::<Body>(body) {
                Ok(body) if !alternates(&body.messages) => to.write_all(&bad_request("roles must alternate user/assistant/user/assistant")),
                Ok(body) => self.complete(body, to),
                Err(error) => to.write_all(&bad_request(&error.to_string())),
            },
            _ => to.write_all(&whole("404 Not Found", &json!({"error": {"message": "no such path", "code": 404}}))),
        }
    }

    fn complete(&self, body: Body, mut to: &TcpStream) -> io::Result<()> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let (messages, fault) = self.look(body.messages);
        let role = slots_of(&messages).role;
        say(&format!("request {number} {role} {}", if body.stream { "stream" } else { "whole" }));
        let fails_at = |point: &str| match fault.as_ref().filter(|fault| fault.is_at(point)) {
            Some(fault) => {
                let outcome = fault.happen(to);
                say(&format!("faulty {number}"));
                outcome.and(Err(io::ErrorKind::ConnectionAborted.into()))
            }
            None => Ok(()),
        };
        // Whoever stops early may be gone before any word of it.
        let closed = |sent: usize| {
            say(&format!("closed {number} after {sent} words"));
            io::Error::from(io::ErrorKind::ConnectionAborted)
        };
        fails_at("head")?;
        let mut said = self.demo.answer(&messages, !body.tools.is_empty());
        let mut finish = if said.tool_calls.is_empty() { "stop" } else { "tool_calls" };
        if let Some(limit) = self.thinking.cuts(&mut said, body.max_tokens) {
            say(&format!("cut {number} at {limit} tokens"));
            finish = "length";
        }
        let usage = self.thinking.counted(&said.usage, body.max_tokens);
        let count = words(&said.text).count();
        if !body.stream {
            self.pause(to);
            let message = json!({"role": "assistant", "content": said.text, "tool_calls": tool_calls(&said)});
            let answer = json!({"id": id(number), "object": "chat.completion", "model": NAME, "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage});
            to.write_all(&whole("200 OK", &answer)).map_err(|_| closed(0))?;
            say(&format!("answered {number} {count} words"));
            return Ok(());
        }
        to.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .map_err(|_| closed(0))?;
        let chunk = |delta: Value, finish: Option<&str>| json!({"id": id(number), "object": "chat.completion.chunk", "model": NAME, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        let client = to;
        let send = |data: &str| {
            let (event, mut to) = (format!("data: {data}\n\n"), client);
            to.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
        };
        send(&chunk(json!({"role": "assistant", "content": ""}), None).to_string()).map_err(|_| closed(0))?;
        fails_at("start")?;
        if self.thinking.length > 0 {
            send(&chunk(json!({"reasoning_content": "hm"}), None).to_string()).map_err(|_| closed(0))?;
        }
        for (sent, word) in words(&said.text).enumerate() {
            if sent == count / 2 {
                fails_at("middle")?;
            }
            if !self.pause(client) || send(&chunk(json!({"content": word}), None).to_string()).is_err() {
                return Err(closed(sent));
            }
        }
        for (index, call) in tool_calls(&said).into_iter().enumerate() {
            let mut call = call;
            call["index"] = json!(index);
            send(&chunk(json!({"tool_calls": [call]}), None).to_string()).map_err(|_| closed(count))?;
        }
        send(&chunk(json!({}), Some(finish)).to_string()).map_err(|_| closed(count))?;
        fails_at("end")?;
        if body.stream_options.is_some_and(|options| options["include_usage"] == true) {
            send(&json!({"id": id(number), "object": "chat.completion.chunk", "model": NAME, "choices": [], "usage": usage}).to_string())?;
        }
        send("[DONE]")?;
        to.write_all(b"0\r\n\r\n")?;
        say(&format!("answered {number} {count} words"));
        Ok(())
    }

    /// What is asked, and the fault that is asked for with it.
    fn look(&self, messages: Vec<Message>) -> (Vec<ChatMessage>, Option<Fault>) {
        let asked = slots_of(&messages.iter().map(|message| chat_message(message, false)).collect::<Vec<_>>());
        let told = asked.slots.get("message").cloned().unwrap_or_default();
        let fault = Fault::told(&told).filter(|fault| {
            let mut faulty = self.faulty.lock().expect("nothing panics while it holds this lock");
            let earlier = faulty.entry((asked.role.clone(), told)).or_insert(0);
            *earlier += 1;
            fault.is_for(&asked.role, *earlier - 1)
        });
        (messages.iter().map(|message| chat_message(message, true)).collect(), fault)
    }

    /// The time of a word; `false` as soon as the client has closed its side.
    fn pause(&self, client: &TcpStream) -> bool {
        let until = Instant::now() + self.word_pause;
        loop {
            if is_closed(client) {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(20)));
        }
    }
}

/// Whether user and assistant take turns, the user first: many chat templates refuse anything else.
fn alternates(messages: &[Message]) -> bool {
    let roles: Vec<Role> = messages.iter().map(|message| message.role).filter(|role| *role != Role::System).collect();
    let follows = |pair: &[Role]| match pair[1] {
        Role::Assistant => pair[0] != Role::Assistant,
        Role::Tool => pair[0] != Role::User,
        Role::User | Role::System => pair[0] == Role::Assistant,
    };
    roles.first().is_none_or(|first| *first == Role::User) && roles.windows(2).all(follows)
}

fn bad_request(why: &str) -> Vec<u8> {
    whole("400 Bad Request", &json!({"error": {"message": why, "type": "invalid_request_error", "code": 400}}))
}

fn is_closed(client: &TcpStream) -> bool {
    let looked = client.set_nonblocking(true).and_then(|()| client.peek(&mut [0]));
    let reset = client.set_nonblocking(false);
    let waits = matches!(&looked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    reset.is_err() || !(waits || looked.is_ok_and(|length| length > 0))
}

/// The request line and the body; `None` when the client has closed.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<(String, Vec<u8>)>> {
    let (mut request_line, mut length) = (String::new(), 0);
    let mut head = reader.by_ref().take(HEAD_BYTES_MAX);
    if head.read_line(&mut request_line)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(io::Error::other("the body is too long"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((request_line.trim_end().to_owned(), body)))
}

fn chat_message(message: &Message, without_faults: bool) -> ChatMessage {
    let call = |call: &Value| ToolCall {
        id: call["id"].as_str().unwrap_or_default().to_owned(),
        tool: call["function"]["name"].as_str().unwrap_or_default().to_owned(),
        args: serde_json::from_str(call["function"]["arguments"].as_str().unwrap_or_default()).unwrap_or_default(),
    };
    let content = message.content.as_deref().unwrap_or_default();
    let content = if without_faults { fault::without(content) } else { content.to_owned() };
    ChatMessage {
        role: message.role,
        text: Text(vec![Part::Fixed(content.into())]),
        tool_calls: message.tool_calls.iter().map(call).collect(),
        tool_call_id: message.tool_call_id.clone(),
    }
}

fn tool_calls(said: &Said) -> Vec<Value> {
    let call =
        |call: &ToolCall| json!({"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": call.args.to_string()}});
    said.tool_calls.iter().map(call).collect()
}

fn whole(status: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn id(number: u64) -> String {
    format!("chatcmpl-{number}")
}
