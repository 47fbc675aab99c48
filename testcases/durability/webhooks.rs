//! Webhooks: delivered once the turn's end is durable, signed, repeated until they are taken, and never lost by a crash.

use super::support::http::{Answer, Wire};
use super::support::{Folder, Provider, Server, eventually};
use framewright::work::courier::secret::Secrets;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What came, with the head's fields.
#[derive(Clone, Debug)]
struct Call {
    path: String,
    id: String,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the one who knows the secret has signed it, now.
    fn is_signed(&self) -> bool {
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let is_fresh = self.timestamp.parse::<u64>().is_ok_and(|at| at.abs_diff(seconds) < 300);
        is_fresh && self.signature == Secrets::read(SECRET).unwrap().sign(&self.id, &self.timestamp, &self.body)
    }
}

/// A receiver whose answers a test chooses.
struct Hook {
    url: String,
    state: Arc<Mutex<(Vec<Call>, VecDeque<u16>)>>,
}

/// An answer that never comes.
const SILENT: u16 = 0;

impl Hook {
    /// One that answers with these, and from then on with 204.
    fn start(answers: &[u16]) -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new((Vec::new(), answers.iter().copied().collect())));
        let own = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = own.clone();
                thread::spawn(move || serve_hook(stream, &state));
            }
        });
        Hook { url, state }
    }

    fn calls(&self) -> Vec<Call> {
        self.state.lock().unwrap().0.clone()
    }

    fn answer_with(&self, answers: &[u16]) {
        self.state.lock().unwrap().1 = answers.iter().copied().collect();
    }

    /// Waits for so many calls.
    fn called(&self, count: usize) -> Vec<Call> {
        eventually("the webhook to be called", || Some(self.calls()).filter(|calls| calls.len() >= count))
    }
}

fn serve_hook(mut stream: TcpStream, state: &Mutex<(Vec<Call>, VecDeque<u16>)>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let field = |name: &str| {
        let found = head.iter().find_map(|line| line.split_once(": ").filter(|(is, _)| is.eq_ignore_ascii_case(name)));
        found.unwrap_or_else(|| panic!("no {name} in {head:?}")).1.to_owned()
    };
    let mut body = vec![0; field("content-length").parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let path = head[0].split(' ').nth(1).unwrap().to_owned();
    let call = Call { path, id: field("webhook-id"), timestamp: field("webhook-timestamp"), signature: field("webhook-signature"), body };
    let status = {
        let mut state = state.lock().unwrap();
        state.0.push(call);
        state.1.pop_front().unwrap_or(204)
    };
    if status == SILENT {
        // Until the other side has had enough.
        let _ = reader.read(&mut [0]);
        return;
    }
    let _ = stream.write_all(format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").as_bytes());
}

/// One server after another on the same data.
struct Servers {
    provider: Provider,
    folder: Folder,
    hook: Hook,
    server: Server,
    more: &'static [&'static str],
}

impl Servers {
    fn start(answers: &[u16], more: &'static [&'static str]) -> Servers {
        let (provider, folder, hook) = (Provider::start(), Folder::new(), Hook::start(answers));
        let server = serve(&provider, &folder, &hook, more);
        Servers { provider, folder, hook, server, more }
    }

    fn restart(&mut self, signal: &str) {
        self.server.signal(signal);
        self.server.ended();
        self.server = serve(&self.provider, &self.folder, &self.hook, self.more);
    }

    fn post(&self, target: &str, body: &Value) -> Answer {
        Wire::open(self.server.address).ask("POST", target, Some(body))
    }

    fn send(&self, session: &str, text: &Value, id: &str) {
        let body = json!({ "text": text.to_string(), "id": id, "webhook": format!("{}/{session}", self.hook.url) });
        // A journal that is slow to answer is none of this test's business, and the id makes it one message.
        let post = || self.post(&format!("/api/send?session={session}"), &body);
        let answer = eventually("the message to be taken", || Some(post()).filter(|answer| answer.status != 503));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// What the lists show of each delivery of a session, the latest turn first.
    fn shown(&self, session: &str) -> Vec<Value> {
        let turns = Wire::open(self.server.address).ask("GET", &format!("/api/turns?session={session}"), None).json();
        turns["turns"].as_array().unwrap().iter().map(|turn| turn["webhook"].clone()).collect()
    }
}

fn serve(provider: &Provider, folder: &Folder, hook: &Hook, more: &[&str]) -> Server {
    let (model, data) = (provider.url(), folder.path().join("data"));
    let options = ["serve", "--shards", "2", "--listen", "127.0.0.1:0", "--graph", "v1-direct", "--model", "puppet", "--llm-url", &model];
    let arguments: Vec<&str> =
        options.into_iter().chain(["--data", data.to_str().unwrap(), "--webhook-allow", &hook.url]).chain(more.iter().copied()).collect();
    Server::of(&arguments, &[("FRAMEWRIGHT_WEBHOOK_SECRET", SECRET)])
}

fn delivered(attempts: u32) -> Value {
    json!({ "state": "delivered", "attempts": attempts, "status": 204 })
}

#[test]
fn each_turn_is_told_signed_and_again_until_it_is_taken() {
    // The third attempt gets no answer in time.
    let servers = Servers::start(&[500, 302, SILENT], &[]);
    servers.send("a", &json!({ "say": "one two" }), "m1");
    let calls = servers.hook.called(4);
    for call in &calls {
        assert!(call.is_signed() && call.path == "/hooks/a", "{call:?}");
        assert_eq!((&call.id, &call.body), (&calls[0].id, &calls[0].body));
    }
    let body = calls[0].json();
    let data = &body["data"];
    assert_eq!(
        (&body["type"], &data["session"], &data["id"], &data["client_id"]),
        (&json!("turn.ended"), &json!("a"), &json!("msg_1"), &json!("m1"))
    );
    assert_eq!((&data["status"], &data["answer"]), (&json!("done"), &json!("one two")));
    assert!(data["usage"]["completion_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{body}");
    assert!(data["started_at"].as_f64().unwrap() <= data["ended_at"].as_f64().unwrap(), "{body}");
    eventually("the state of the delivery", || (servers.shown("a") == [delivered(4)]).then_some(()));
    let turn = Wire::open(servers.server.address).ask("GET", "/api/turn?session=a&id=msg_1", None).json();
    assert_eq!(turn["webhook"], delivered(4));
    // The next turn of the session has a delivery of its own, and one without a webhook none.
    servers.send("a", &json!({ "say": "three" }), "m2");
    let calls = servers.hook.called(5);
    assert_eq!((&calls[4].json()["data"]["id"], calls[4].id != calls[0].id), (&json!("msg_2"), true));
    servers.post("/api/send?session=a", &json!({ "text": json!({ "say": "four" }).to_string() }));
    eventually("all three turns", || (servers.shown("a") == [Value::Null, delivered(1), delivered(4)]).then_some(()));
    let metrics = Wire::open(servers.server.address).ask("GET", "/metrics", None).text();
    for line in ["framewright_webhooks_total{outcome=\"delivered\"} 2", "framewright_webhooks_total{outcome=\"retried\"} 3"] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let said = eventually("the log", || Some(servers.server.said()).filter(|said| said.contains("tried again")));
    assert!(!said.contains("one two") && !said.contains("whsec_") && !said.contains("/hooks"), "{said}");
}

#[test]
fn a_kill_loses_no_delivery_wherever_it_comes() {
    let mut servers = Servers::start(&[500, 500], &[]);
    // Between two attempts.
    servers.send("a", &json!({ "say": "one" }), "m1");
    eventually("a failed attempt that is noted", || (servers.shown("a").first()?["attempts"].as_u64()? >= 1).then_some(()));
    // And while the turn runs.
    servers.send("b", &json!({ "hold": "agent", "say": "two" }), "m2");
    servers.provider.holds(1);
    servers.restart("KILL");
    let calls = eventually("both turns to be told", || {
        let calls = servers.hook.calls();
        let of = |path: &str| calls.iter().filter(|call| call.path == path).cloned().collect::<Vec<_>>();
        let (a, b) = (of("/hooks/a"), of("/hooks/b"));
        (a.len() >= 2 && !b.is_empty() && servers.shown("a").len() == 1).then_some([a, b])
    });
    let [a, b] = calls;
    assert!(a.iter().all(|call| call.id == a[0].id && call.body == a[0].body && call.is_signed()), "{a:?}");
    let data = &b[0].json()["data"];
    assert_eq!((&data["status"], &data["error"]["code"], &data["client_id"]), (&json!("error"), &json!("cut_off"), &json!("m2")));
    for session in ["a", "b"] {
        eventually("the delivery to be noted", || (servers.shown(session).first()?["state"] == "delivered").then_some(()));
    }
    let told = servers.hook.calls().len();
    servers.restart("TERM");
    servers.send("c", &json!({ "say": "three" }), "m3");
    assert_eq!(servers.hook.called(told + 1).last().unwrap().path, "/hooks/c", "what was delivered is not delivered again");
}

#[test]
fn nothing_is_delivered_that_is_not_durable() {
    let servers = Servers::start(&[], &[]);
    servers.send("a", &json!({ "hold": "agent", "say": "one" }), "m1");
    servers.provider.holds(1);
    // The journal can't be written while another holds it.
    let journal = rusqlite::Connection::open(servers.folder.path().join("data/journal.db")).unwrap();
    journal.execute_batch("BEGIN IMMEDIATE").unwrap();
    servers.provider.release(1);
    thread::sleep(Duration::from_millis(1_500));
    assert!(servers.hook.calls().is_empty(), "the end of the turn is not durable");
    journal.execute_batch("ROLLBACK").unwrap();
    assert_eq!(servers.hook.called(1)[0].json()["data"]["status"], "done");
}

#[test]
fn an_address_that_is_not_listed_is_refused_and_410_ends_it() {
    let servers = Servers::start(&[410], &[]);
    let elsewhere = Hook::start(&[]);
    for (webhook, status, code) in [
        (elsewhere.url.clone(), 403, "webhook_not_allowed"),
        (format!("{}/../x", servers.hook.url), 400, "invalid_webhook"),
        ("http://169.254.169.254/latest/meta-data".to_owned(), 403, "webhook_not_allowed"),
    ] {
        let answer = servers.post("/api/send?session=a", &json!({ "text": "hello", "webhook": webhook }));
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{webhook}");
    }
    servers.send("a", &json!({ "say": "one" }), "m1");
    let failed = json!({ "state": "failed", "attempts": 1, "status": 410 });
    eventually("the delivery to be given up", || (servers.shown("a") == [failed.clone()]).then_some(()));
    assert_eq!((servers.hook.calls().len(), elsewhere.calls().len()), (1, 0));
}

#[test]
fn a_deleted_session_is_told_of_no_more_and_without_a_journal_it_works_in_memory() {
    let mut servers = Servers::start(&[500], &["--durability", "turn"]);
    servers.send("a", &json!({ "say": "one" }), "m1");
    servers.hook.called(1);
    assert_eq!(servers.post("/api/sessions/delete?session=a", &json!({})).status, 200);
    servers.restart("KILL");
    let before = servers.hook.calls().len();
    servers.send("b", &json!({ "say": "two" }), "m2");
    eventually("the other session's delivery", || servers.hook.calls()[before..].iter().any(|call| call.path == "/hooks/b").then_some(()));
    assert!(servers.hook.calls()[before..].iter().all(|call| call.path == "/hooks/b"));

    let mut servers = Servers::start(&[500], &["--durability", "none"]);
    servers.send("a", &json!({ "say": "one" }), "m1");
    let calls = servers.hook.called(2);
    assert!(calls.iter().all(Call::is_signed) && calls[0].id == calls[1].id);
    servers.hook.answer_with(&[500; 20]);
    servers.send("a", &json!({ "say": "two" }), "m2");
    servers.hook.called(3);
    servers.server.signal("TERM");
    servers.server.ended();
    let says = "these deliveries to webhooks are lost";
    eventually("the log's last line", || servers.server.said().contains(says).then_some(()));
}
