//! One session as its user sees it. Every call is a connection of its own, so that calls reach every shard.

use super::http::{Answer, Wire};
use super::patience::eventually;
use super::streams::{Events, WebSocket};
use serde_json::{Value, json};
use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) address: SocketAddr,
    pub(crate) name: String,
}

impl Conversation {
    pub(crate) fn new(address: SocketAddr, name: &str) -> Conversation {
        Conversation { address, name: name.to_owned() }
    }

    /// A path with this session's name.
    pub(crate) fn target(&self, path: &str) -> String {
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{path}{sign}session={}", self.name)
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        Wire::open(self.address).ask(method, &self.target(path), body)
    }

    /// Reads what is there.
    pub(crate) fn read(&self, path: &str) -> Value {
        let answer = self.call("GET", path, None);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    /// Posts what must be taken.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.call("POST", path, Some(body));
        assert_eq!(answer.status, 200, "POST {path} {body}: {}", answer.text());
        answer.json()
    }

    /// Sends a message over HTTP and gives its turn's id.
    pub(crate) fn send(&self, text: &str) -> String {
        let answer = self.post("/api/send", &json!({ "text": text }));
        assert_eq!(answer["status"], "queued", "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn result(&self) -> Value {
        self.read("/api/result")
    }

    /// Waits for the end of a turn and gives its result.
    pub(crate) fn result_of(&self, id: &str) -> Value {
        eventually(&format!("the end of {id} of session {}", self.name), || {
            let result = self.result();
            (result["id"] == id && result["status"] != "running").then_some(result)
        })
    }

    /// Sends a message over HTTP, waits for the end of its turn, and gives the turn's trace.
    pub(crate) fn ask(&self, text: &str) -> Value {
        let id = self.send(text);
        let result = self.result_of(&id);
        assert_eq!(result["status"], "done", "{text}: {result}");
        self.trace_of(&id)
    }

    /// The kept trace of a turn.
    pub(crate) fn trace_of(&self, id: &str) -> Value {
        let frames = self.read("/api/frames?last=20");
        let trace = frames["traces"].as_array().unwrap().iter().find(|trace| trace["id"] == id);
        trace.unwrap_or_else(|| panic!("{id} is not among the kept turns: {frames}")).clone()
    }

    /// Waits until what the memorizer does behind a turn is done.
    pub(crate) fn memorized(&self) -> Value {
        eventually("the memorizer's end", || Some(self.read("/api/state")).filter(|state| state["memorizing"] == false))
    }

    pub(crate) fn messages(&self) -> Vec<Value> {
        self.read("/api/history?last=200")["messages"].as_array().unwrap().clone()
    }

    pub(crate) fn chat(&self) -> WebSocket {
        WebSocket::open(self.address, &self.target("/ws"))
    }

    /// A chat socket that has heard what every socket is told when it attaches.
    pub(crate) fn attached(&self) -> WebSocket {
        let mut chat = self.chat();
        let hello = chat.next();
        assert_eq!(hello["type"], "controls", "{hello}");
        chat
    }

    pub(crate) fn chat_since(&self, since: u64) -> WebSocket {
        WebSocket::open(self.address, &self.target(&format!("/ws?since={since}")))
    }

    pub(crate) fn tracing(&self) -> WebSocket {
        WebSocket::open(self.address, &self.target("/ws/trace"))
    }

    pub(crate) fn events(&self) -> Events {
        Events::open(self.address, &self.target("/api/events"), "")
    }

    /// An event stream that goes on behind an event that is still kept.
    pub(crate) fn events_since(&self, id: u64) -> Events {
        let mut events = Events::open(self.address, &self.target("/api/events"), &format!("Last-Event-ID: {id}\r\n"));
        let greeting = events.next();
        assert!(greeting.id.is_none() && greeting.event["type"] == "attached" && greeting.event["gap"].is_null(), "{greeting:?}");
        events
    }
}
