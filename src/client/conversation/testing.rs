//! A server's side of a conversation, as small as it can be: names, numbers and what is kept, for the tests of a client.

use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// A session.
pub(super) struct Session {
    /// Events from the first kept one on.
    log: VecDeque<(u64, Value)>,
    last: u64,
    events_max: usize,
    /// Turns by their client ids, and whether they have ended.
    named: BTreeMap<String, (u64, bool)>,
    /// What accepted turns still emit, in order.
    queue: VecDeque<Value>,
    /// The messages that started a turn.
    pub(super) started: Vec<String>,
    /// So many messages are refused.
    pub(super) refusals: usize,
}

impl Session {
    pub(super) fn new(events_max: usize) -> Session {
        let (log, named, queue) = Default::default();
        Session { log, last: 0, events_max, named, queue, started: Vec::new(), refusals: 0 }
    }

    /// The session is lost; what was started is still known to the test.
    pub(super) fn restart(&mut self) {
        *self = Session { started: std::mem::take(&mut self.started), ..Session::new(self.events_max) };
    }

    /// The answer to a message, in the pieces in which it is streamed.
    pub(super) fn answer(text: &str) -> [String; 3] {
        ["answer ", "to ", text].map(str::to_owned)
    }

    /// What a connection that resumes gets first.
    pub(super) fn attach(&self, since: Option<u64>) -> Vec<String> {
        let kept_from = self.log.front().map_or(self.last + 1, |(seq, _)| *seq);
        let gap = since.is_some_and(|since| since + 1 < kept_from);
        let greeting = json!({"type": "controls", "controls": [], "seq": self.last, "kept_from": kept_from, "gap": gap});
        let missed = self.log.iter().filter(|(seq, _)| since.is_some_and(|since| *seq > since)).map(|(_, event)| event.to_string());
        std::iter::once(greeting.to_string()).chain(missed).collect()
    }

    fn emit(&mut self, mut event: Value) -> String {
        self.last += 1;
        event["seq"] = self.last.into();
        self.log.push_back((self.last, event.clone()));
        while self.log.len() > self.events_max {
            self.log.pop_front();
        }
        event.to_string()
    }

    /// What the sender of a message gets at once.
    pub(super) fn receive(&mut self, message: &str) -> Vec<String> {
        let message: Value = serde_json::from_str(message).unwrap();
        if message["type"] == "stop" {
            let mut ends = 0;
            let is_all = message["waiting"] == true;
            let queue = std::mem::take(&mut self.queue);
            self.queue.extend(queue.into_iter().filter_map(|mut event| {
                if ends > 0 && !is_all {
                    return Some(event);
                }
                let is_end = event["type"] == "done";
                ends += usize::from(is_end);
                event["cancelled"] = true.into();
                is_end.then_some(event)
            }));
            return Vec::new();
        }
        let (name, text) = (message["id"].as_str().unwrap().to_owned(), message["text"].as_str().unwrap().to_owned());
        if let Some((turn, has_ended)) = self.named.get(&name) {
            let id = format!("msg_{turn}");
            let done = has_ended.then(|| json!({"type": "done", "id": id, "client_id": name}).to_string());
            return std::iter::once(acknowledgement(&id, &name).to_string()).chain(done).collect();
        }
        if self.refusals > 0 {
            self.refusals -= 1;
            let refused = json!({"type": "done", "refused": true, "code": "queue_full", "error": "full", "client_id": name});
            return vec![refused.to_string()];
        }
        let turn = self.named.len() as u64 + 1;
        let id = format!("msg_{turn}");
        self.named.insert(name.clone(), (turn, false));
        self.started.push(text.clone());
        self.queue.extend(Self::answer(&text).map(|content| json!({"type": "delta", "id": id, "content": content})));
        self.queue.push_back(json!({"type": "done", "id": id, "client_id": name}));
        vec![self.emit(acknowledgement(&id, &name))]
    }

    /// Works on: the next event of a turn, if one is running.
    pub(super) fn step(&mut self) -> Option<String> {
        let event = self.queue.pop_front()?;
        if let Some((_, has_ended)) = event["client_id"].as_str().and_then(|name| self.named.get_mut(name)) {
            *has_ended = true;
        }
        Some(self.emit(event))
    }
}

fn acknowledgement(id: &str, name: &str) -> Value {
    json!({"type": "delta", "id": id, "content": "", "client_id": name})
}
