//! A model that does as the user's message says: so a test decides what each node answers, and when.
//!
//! It speaks the provider's wire over loopback. The message (or a control's data) is JSON: `intent` and `complexity` for
//! `input`, `tools` for `director` and `agent`, `fill` for `thinker`, `memory` for `memorizer`, `judge` for the judge
//! of a test, `expert` or `answer` for the `pa`, `tools` and, when they failed, `repair` for an expert, `say` for the node that speaks.
//! What a test scripts with [`Provider::script`] goes out word for word instead.
//! `hold` names a node whose call stands still, after `after` words, until the test lets it go on or the other side hangs up.

use super::patience::{PATIENCE, eventually};
use super::server::{Server, Setting};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) struct Provider {
    address: SocketAddr,
    stage: Arc<Stage>,
}

#[derive(Default)]
struct Stage {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// The roles that were asked, in order.
    asked: Vec<String>,
    /// What was asked, whole, and the heads that it came with.
    bodies: Vec<Value>,
    heads: Vec<String>,
    /// Calls that stand still now.
    holding: usize,
    /// How many may go on.
    released: usize,
    /// Calls whose other side has hung up while they stood still.
    hung_up: usize,
    /// What roles answer next, each a stream's objects as they are sent.
    scripts: BTreeMap<String, VecDeque<Vec<String>>>,
}

impl Provider {
    pub(crate) fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, stage) = (listener.local_addr().unwrap(), Arc::<Stage>::default());
        let own = stage.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let stage = own.clone();
                // A connection that breaks is the other side's business.
                thread::spawn(move || serve(&stage, stream));
            }
        });
        Provider { address, stage }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// A server that asks this model.
    pub(crate) fn server(&self) -> Server {
        Server::with(&Setting { options: &["--llm-url", &self.url(), "--model", "puppet"], ..Setting::default() })
    }

    /// The next answer of a role that has none yet: a stream's objects, word for word.
    pub(crate) fn script(&self, role: &str, objects: &[&str]) {
        let mut seen = self.stage.seen.lock().unwrap();
        let objects = objects.iter().map(|object| (*object).to_owned()).collect();
        seen.scripts.entry(role.to_owned()).or_default().push_back(objects);
    }

    /// The next answer of a role, in pieces of content.
    pub(crate) fn says(&self, role: &str, pieces: &[&str]) {
        let piece = |content: &&str| json!({"choices": [{"index": 0, "delta": {"content": content}}]}).to_string();
        let mut objects: Vec<String> = pieces.iter().map(piece).collect();
        objects.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string());
        self.script(role, &objects.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// A server that asks this model, on a graph.
    pub(crate) fn server_on(&self, graph: &str) -> Server {
        Server::with(&Setting { options: &["--llm-url", &self.url(), "--model", "puppet", "--graph", graph], ..Setting::default() })
    }

    /// The roles that were asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.stage.seen.lock().unwrap().asked.clone()
    }

    /// All requests that a role got so far.
    pub(crate) fn asked_of(&self, role: &str) -> Vec<Value> {
        let seen = self.stage.seen.lock().unwrap();
        seen.asked.iter().zip(&seen.bodies).filter(|(asked, _)| *asked == role).map(|(_, body)| body.clone()).collect()
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.stage.seen.lock().unwrap().heads.clone()
    }

    /// Waits until so many calls stand still.
    pub(crate) fn holds(&self, count: usize) {
        eventually(&format!("{count} calls that stand still"), || (self.stage.seen.lock().unwrap().holding == count).then_some(()));
    }

    /// Waits until the other side has hung up on so many calls that stood still.
    pub(crate) fn hung_up(&self, count: usize) {
        eventually(&format!("{count} calls hung up on"), || (self.stage.seen.lock().unwrap().hung_up == count).then_some(()));
    }

    /// Lets so many calls go on, now or when they come.
    pub(crate) fn release(&self, count: usize) {
        self.stage.seen.lock().unwrap().released += count;
        self.stage.changed.notify_all();
    }
}

fn serve(stage: &Stage, stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (head, body) = request(&mut reader)?;
        stage.seen.lock().unwrap().heads.push(head);
        answer(stage, &stream, &body)?;
    }
}

/// The next request's body; nothing where the client has gone.
pub(crate) fn request_body(reader: &mut impl BufRead) -> Option<Value> {
    request(reader).map(|(_, body)| body)
}

/// The same with its head.
fn request(reader: &mut impl BufRead) -> Option<(String, Value)> {
    let (mut length, mut head, mut line) = (0, String::new(), String::new());
    loop {
        head.push_str(&line);
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).ok()?))
}

/// What one call is about.
struct Asked {
    role: String,
    plan: Value,
    has_tools: bool,
    /// A job whose tools failed.
    is_repair: bool,
}

impl Asked {
    fn of(body: &Value) -> Asked {
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
        let system = messages.first().map(text).unwrap_or_default();
        let role = system.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
        let last = messages.iter().rposition(|message| message["role"] == "user").unwrap_or(0);
        let is_job = |message: &Value| text(message).contains("## job\n");
        let question = messages.iter().rposition(is_job).unwrap_or(last);
        let message = messages.get(question).map(text).unwrap_or_default();
        let message = message
            .rsplit("## message\n")
            .next()
            .unwrap_or_default()
            .rsplit("## job\n")
            .next()
            .unwrap_or_default()
            .split("\n## ")
            .next()
            .unwrap_or_default();
        let plan = message.find('{').zip(message.rfind('}')).and_then(|(from, to)| message.get(from..=to));
        let plan = plan.and_then(|plan| serde_json::from_str(plan).ok()).unwrap_or_else(|| json!({}));
        let is_answered = messages.iter().skip(question).any(|message| message["role"] == "tool");
        Asked { role, plan, has_tools: body["tools"].is_array() && !is_answered, is_repair: question < last }
    }

    fn structured(&self) -> Option<String> {
        let plan = |name: &str, otherwise: Value| if self.plan[name].is_null() { otherwise } else { self.plan[name].clone() };
        let structured = match self.role.as_str() {
            "input" => json!({
                "who": "user", "language": "en", "intent": plan("intent", json!("request")), "topic": "a test", "tone": "neutral",
                "complexity": plan("complexity", json!("simple")), "context": "",
            }),
            "director" => json!({
                "goal": "do as told", "steps": [], "tool_sequence": plan("tools", json!([])), "present_as": "text", "reason": "a test",
            }),
            "pa" if self.plan["answer"].is_string() => {
                // In the order of the schema.
                return Some(format!(r#"{{"expert":null,"thinking_message":"","language":"en","answer":{}}}"#, self.plan["answer"]));
            }
            "pa" => json!({ "expert": self.plan["expert"], "job": self.plan.to_string(), "thinking_message": "", "language": "en" }),
            "expert" => json!({
                "tool_sequence": plan(if self.is_repair { "repair" } else { "tools" }, json!([])), "response_hint": "", "interpret": false,
            }),
            "thinker" => json!({ "calls": plan("fill", json!([])) }),
            "interpreter" => json!({ "findings": [], "summary": plan("say", json!("As you say.")) }),
            "memorizer" => plan("memory", json!({})),
            "judge" => plan("judge", json!({ "points": 10, "reason": "" })),
            _ => return None,
        };
        Some(structured.to_string())
    }
}

fn answer(stage: &Stage, stream: &TcpStream, body: &Value) -> Option<()> {
    let asked = Asked::of(body);
    let script = {
        let mut seen = stage.seen.lock().unwrap();
        seen.asked.push(asked.role.clone());
        seen.bodies.push(body.clone());
        seen.scripts.get_mut(&asked.role).and_then(VecDeque::pop_front)
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut out = stream;
    out.write_all(head.as_bytes()).ok()?;
    let mut say = |data: &str| {
        let event = format!("data: {data}\n\n");
        out.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).ok()
    };
    if let Some(objects) = script {
        objects.iter().try_for_each(|object| say(object))?;
        say("[DONE]")?;
        return out.write_all(b"0\r\n\r\n").ok();
    }
    let delta =
        |delta: Value| json!({"id": "c", "model": "puppet", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string();
    let holds = asked.plan["hold"] == asked.role;
    let mut finish = "stop";
    if let Some(tools) = asked.plan["tools"].as_array().filter(|_| asked.role == "agent" && asked.has_tools) {
        finish = "tool_calls";
        for (index, tool) in tools.iter().enumerate() {
            let function = json!({"name": tool["tool"], "arguments": tool["args"].to_string()});
            say(&delta(
                json!({"tool_calls": [{"index": index, "id": format!("call_{index}"), "type": "function", "function": function}]}),
            ))?;
        }
    } else {
        let structured = asked.structured();
        let text = structured.as_deref().or(asked.plan["say"].as_str()).unwrap_or("As you say.");
        let after = usize::try_from(asked.plan["after"].as_u64().unwrap_or(0)).unwrap();
        for (place, word) in text.split_inclusive(' ').enumerate() {
            if holds && place == after {
                hold(stage, stream)?;
            }
            say(&delta(json!({ "content": word })))?;
        }
        if holds && after >= text.split_inclusive(' ').count() {
            hold(stage, stream)?;
        }
    }
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
    say(&json!({"id": "c", "model": "puppet", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}).to_string())?;
    say(&json!({"id": "c", "model": "puppet", "choices": [], "usage": usage}).to_string())?;
    say("[DONE]")?;
    out.write_all(b"0\r\n\r\n").ok()
}

/// Stands still until the test lets it go on; nothing where the other side hangs up instead.
fn hold(stage: &Stage, stream: &TcpStream) -> Option<()> {
    let begun = Instant::now();
    let mut seen = stage.seen.lock().unwrap();
    seen.holding += 1;
    while seen.released == 0 {
        if is_hung_up(stream) || begun.elapsed() > 4 * PATIENCE {
            seen.holding -= 1;
            seen.hung_up += 1;
            return None;
        }
        seen = stage.changed.wait_timeout(seen, Duration::from_millis(10)).unwrap().0;
    }
    seen.released -= 1;
    seen.holding -= 1;
    Some(())
}

fn is_hung_up(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    match peeked {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}
