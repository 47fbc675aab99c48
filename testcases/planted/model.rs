//! A model that can be broken: the demo model behind the provider's wire, with one fault in what it says.
//!
//! It judges too, as the demo model does not: what calls its reader an idiot is impolite.

use crate::support::provider::request_body;
use framewright::contract::{ChatMessage, Part, Text};
use framewright::work::demo::{Demo, NAME, slots_of};
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// What is wrong with it: it gets the role, the message that the role was asked about, and what it should have said.
pub(crate) type Fault = fn(&str, &str, String) -> String;

#[derive(Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) fault: Fault,
    /// Before each answer.
    pub(crate) pause: Duration,
}

/// Begins to answer; its base address.
pub(crate) fn start(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A connection that breaks is the other side's business.
            thread::spawn(move || serve(manner, &stream));
        }
    });
    format!("http://{address}/v1")
}

fn serve(manner: Manner, stream: &TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        answer(manner, stream, &request_body(&mut reader)?)?;
    }
}

fn said(manner: Manner, body: &Value) -> String {
    let message = |message: &Value| ChatMessage {
        role: serde_json::from_value(message["role"].clone()).unwrap(),
        text: Text(vec![Part::Fixed(message["content"].as_str().unwrap_or_default().into())]),
        tool_calls: Vec::new(),
        tool_call_id: None,
    };
    let messages: Vec<ChatMessage> = body["messages"].as_array().into_iter().flatten().map(message).collect();
    let asked = slots_of(&messages);
    if asked.role == "judge" {
        let is_polite = !messages.last().unwrap().text.to_string().contains("idiot");
        return json!({"points": if is_polite { 9 } else { 2 }, "reason": "By its words."}).to_string();
    }
    let told = asked.slots.get("message").cloned().unwrap_or_default();
    // No tools of the provider's kind: no graph that is played here needs them.
    (manner.fault)(&asked.role, &told, Demo::new(Duration::ZERO).answer(&messages, false).text)
}

fn answer(manner: Manner, mut to: &TcpStream, body: &Value) -> Option<()> {
    thread::sleep(manner.pause);
    let text = said(manner, body);
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
    if body["stream"] != true {
        let choice = json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
        let whole = json!({"id": "c", "model": NAME, "choices": [choice], "usage": usage}).to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", whole.len());
        return to.write_all((head + &whole).as_bytes()).ok();
    }
    to.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
    let mut send = |data: &Value| {
        let event = format!("data: {}\n\n", data.as_str().map_or_else(|| data.to_string(), str::to_owned));
        to.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).ok()
    };
    let chunk = |choices: Value, usage: Value| json!({"id": "c", "model": NAME, "choices": choices, "usage": usage});
    send(&chunk(json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]), Value::Null))?;
    send(&chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), Value::Null))?;
    send(&chunk(json!([]), usage))?;
    send(&json!("[DONE]"))?;
    to.write_all(b"0\r\n\r\n").ok()
}
