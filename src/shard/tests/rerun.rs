//! A recorded call that is made again: who may, what is asked, who pays, and that the session is left alone.

use super::sign_in::{bearer, keys, rules, token};
use super::*;
use crate::auth::testing::{NOW, SIGNERS, claims};
use crate::contract::{Budget, Quotas, TurnDetail};
use crate::shard::event::{Again, Wanted};
use crate::shard::journal_job::JournalJob;

const ASKED: &str = r#"{"text":"why?"}"#;
const USAGE: Usage = Usage { prompt_tokens: 60, completion_tokens: 40, total_tokens: 100, ..Usage::NONE };

/// A shard where Ada has had a turn, whose model said `because`.
fn world(settings: Settings) -> World {
    let mut world = World::new(Settings { graph: "v1-direct".into(), sign_in: rules(), sessions_max: 50, ..settings });
    world.now.wall = NOW;
    world.tick(vec![keys(&SIGNERS[..5])]);
    world.asks("ada", "/api/send", ASKED);
    while !world.calls.is_empty() {
        world.complete("because");
    }
    world
}

fn root() -> String {
    let mut admin = claims("root");
    admin["urn:zitadel:iam:org:project:roles"] = json!({"admin": {"2486": "acme.example"}});
    SIGNERS[0].token(&admin)
}

impl World {
    /// Sends a request as a user; `root` is an administrator. Returns its connection.
    fn asks(&mut self, sub: &str, target: &str, body: &str) -> SocketId {
        let socket = self.connect();
        let bearer = bearer(&if sub == "root" { root() } else { token(sub) });
        let length = body.len();
        let kind = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        self.send(socket, format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{bearer}{kind}\r\n{body}").as_bytes());
        socket
    }

    fn read(&mut self, socket: SocketId) -> Value {
        let answer = self.take(socket);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        serde_json::from_str(body).unwrap()
    }

    /// The call that a request has made again.
    fn again(&mut self) -> (Ticket, Box<Again>) {
        match self.jobs.pop() {
            Some((ticket, Job::Call(again))) => (ticket, again),
            other => panic!("{other:?}"),
        }
    }

    fn called(&mut self, ticket: Ticket, again: Box<Again>, outcome: Result<Answer, CallError>) {
        self.tick(vec![Event::JobDone { ticket, outcome: JobOutcome::Called { again, waited_us: 0, usage: USAGE, outcome } }]);
    }

    /// The first call of Ada's first turn, and everything that she sees of her session.
    fn seen(&mut self) -> (Value, Value) {
        let bearer = bearer(&token("ada"));
        let mut read = |path: &str| {
            let socket = self.connect();
            self.send(socket, format!("GET /api/{path} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n").as_bytes());
            self.read(socket)
        };
        let turn = read("turn?id=msg_1");
        (turn["calls"][0].clone(), json!([read("history"), read("state"), read("frames"), read("trace"), turn]))
    }
}

fn body(pid: &Value, more: &str) -> String {
    format!(r#"{{"turn":"msg_1","pid":{pid}{more}}}"#)
}

fn text(text: &str) -> Result<Answer, CallError> {
    Ok(Answer { text: text.to_owned(), ..Answer::default() })
}

#[test]
fn a_call_is_made_again_as_it_was_or_edited_and_compared_while_the_session_is_left_alone() {
    let mut world = world(Settings { rerun: true, ..settings() });
    let (call, before) = world.seen();
    let pid = call["pid"].clone();
    let socket = world.asks("ada", "/api/call/rerun", &body(&pid, ""));
    let (ticket, again) = world.again();
    let Request::Model(request) = &*again.request else { panic!("{again:?}") };
    assert!(!request.stream && request.background, "it is whole, and makes way for calls of turns");
    world.called(ticket, again, text("because"));
    let same = world.read(socket);
    assert_eq!((&same["same"], &same["pid"], &same["turn"]), (&json!(true), &pid, &json!("msg_1")), "{same}");
    assert_eq!((&same["recorded"]["answer"], &same["rerun"]["answer"]), (&json!("because"), &json!("because")));
    assert_eq!((&same["rerun"]["status"], &same["rerun"]["usage"]["prompt_tokens"]), (&json!("done"), &json!(60)));
    assert_eq!(same["request"]["messages"], call["request"]["messages"]);
    // Edited: only what is named differs.
    let last = call["request"]["messages"].as_array().unwrap().len() - 1;
    let edit = format!(r#","edits":[{{"message":{last},"content":"why not?"}}],"model":"strong","tokens_max":7"#);
    let socket = world.asks("ada", "/api/call/rerun", &body(&pid, &edit));
    let (ticket, again) = world.again();
    world.called(ticket, again, text("why indeed"));
    let edited = world.read(socket);
    let mut expected = call["request"]["messages"].clone();
    expected[last]["content"] = json!("why not?");
    assert_eq!(edited["request"]["messages"], expected);
    assert_eq!((&edited["request"]["model"], &edited["request"]["tokens_max"]), (&json!("strong"), &json!(7)));
    assert_eq!((&edited["same"], &edited["rerun"]["answer"]), (&json!(false), &json!("why indeed")));
    // A failure says that it failed.
    let socket = world.asks("ada", "/api/call/rerun", &body(&pid, ""));
    let (ticket, again) = world.again();
    world.called(ticket, again, Err(CallError::Busy));
    let failed = world.read(socket);
    assert_eq!((&failed["rerun"]["status"], &failed["rerun"]["code"]), (&json!("error"), &json!("model_overloaded")), "{failed}");
    assert_eq!((&failed["rerun"]["answer"], &failed["same"]), (&Value::Null, &Value::Null));
    assert_eq!(world.seen().1, before, "the session is as it was");
}

#[test]
fn what_can_not_be_made_again_is_refused_with_a_code() {
    let mut world = world(Settings { rerun: true, ..settings() });
    let pid = world.seen().0["pid"].clone();
    for (body, code) in [
        (r#"{"pid":1}"#.to_owned(), "invalid_parameter"),
        (r#"{"turn":"msg_1"}"#.to_owned(), "invalid_parameter"),
        (r#"{"turn":"msg_9","pid":1}"#.to_owned(), "unknown_turn"),
        (r#"{"turn":"msg_1","pid":999}"#.to_owned(), "unknown_call"),
        (body(&pid, r#","edits":[{"message":99,"content":"x"}]"#), "invalid_parameter"),
        (body(&pid, r#","edits":[{"message":0}]"#), "invalid_parameter"),
        (body(&pid, r#","edits":"x""#), "invalid_parameter"),
        (body(&pid, r#","model":"gpt""#), "invalid_parameter"),
        (body(&pid, r#","tokens_max":0"#), "invalid_parameter"),
        (String::new(), "body_missing"),
    ] {
        let socket = world.asks("ada", "/api/call/rerun", &body);
        assert_eq!(world.read(socket)["code"], code, "{body}");
        assert!(world.jobs.is_empty(), "{body}");
    }
    // A turn that runs has not been kept yet.
    world.asks("ada", "/api/send", ASKED);
    let socket = world.asks("ada", "/api/call/rerun", r#"{"turn":"msg_2","pid":1}"#);
    assert_eq!(world.read(socket)["code"], "turn_not_kept");
}

#[test]
fn users_may_where_that_is_on_and_administrators_always_also_for_another() {
    let mut world = world(Settings { rerun: false, audit: true, ..settings() });
    let pid = world.seen().0["pid"].clone();
    let socket = world.asks("ada", "/api/call/rerun", &body(&pid, ""));
    assert_eq!(world.read(socket)["code"], "rerun_disabled");
    let socket = world.asks("root", "/api/call/rerun?user=ada", &body(&pid, ""));
    let (ticket, again) = world.again();
    world.called(ticket, again, text("because"));
    assert_eq!(world.read(socket)["same"], true);
    // Of her own there is no such turn.
    let socket = world.asks("root", "/api/call/rerun", &body(&pid, ""));
    assert_eq!(world.read(socket)["code"], "unknown_turn");
    let socket = world.asks("eve", "/api/call/rerun?user=ada", &body(&pid, ""));
    assert_eq!(world.read(socket)["code"], "missing_role");
}

#[test]
fn whoever_asks_pays_also_if_they_have_gone_and_only_so_many_are_made_at_once() {
    let quotas = Quotas { budget: Budget { tokens: 500, ..Budget::default() }, ..Quotas::default() };
    let mut world = world(Settings { rerun: true, quotas, ..settings() });
    let pid = world.seen().0["pid"].clone();
    let ask = body(&pid, "");
    let sockets: Vec<_> = (0..bounds::RERUNS_MAX).map(|_| world.asks("root", "/api/call/rerun?user=ada", &ask)).collect();
    let refused = world.asks("root", "/api/call/rerun?user=ada", &ask);
    assert_eq!(world.read(refused)["code"], "calls_full");
    world.tick(sockets.iter().map(|socket| Event::Failed { socket: *socket }).collect());
    for _ in &sockets {
        let (ticket, again) = world.again();
        world.called(ticket, again, text("because"));
    }
    let socket = world.asks("root", "/api/call/rerun?user=ada", &ask);
    let (ticket, again) = world.again();
    world.called(ticket, again, text("because"));
    assert_eq!(world.read(socket)["same"], true);
    // Five times a hundred tokens: the budget of the administrator is used up, and Ada's is not.
    let socket = world.asks("root", "/api/call/rerun?user=ada", &ask);
    assert_eq!(world.read(socket)["code"], "budget_used_up");
    world.asks("ada", "/api/call/rerun", &ask);
    world.again();
}

#[test]
fn a_turn_that_has_left_memory_comes_from_the_journal() {
    let limits = Limits { traces_max: 1, ..Limits::default() };
    let keeping = Some(Keeping { durability: crate::contract::journal::Durability::Turn, rerun: false });
    let mut world = World::new(Settings { rerun: true, limits, keeping, graph: "v1-direct".into(), ..settings() });
    let mut kept: Option<TurnDetail> = None;
    for _ in 0..2 {
        let socket = world.connect();
        let length = ASKED.len();
        let head = "POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        world.send(socket, format!("{head}Content-Length: {length}\r\n\r\n{ASKED}").as_bytes());
        world.load();
        world.durable();
        while !world.calls.is_empty() {
            world.complete("because");
            world.durable();
        }
        let id = world.shard.sessions.ids()[0];
        kept = kept.or_else(|| world.shard.sessions.get(id).unwrap().session.turn(crate::contract::TurnId(1)));
    }
    let kept = kept.unwrap();
    let ask = json!({ "turn": "msg_1", "pid": kept.calls[0].pid });
    let socket = world.connect();
    let ask = ask.to_string();
    let head = "POST /api/call/rerun HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    world.send(socket, format!("{head}Content-Length: {}\r\n\r\n{ask}", ask.len()).as_bytes());
    let wanted: Box<Wanted> = match world.jobs.pop() {
        Some((ticket, Job::Journal(job))) => match *job {
            JournalJob::Rerun { name, wanted } => {
                assert_eq!((&*name.user, &*name.session), ("anonymous", "default"));
                let again = wanted.clone();
                world.tick(vec![Event::JobDone { ticket, outcome: JobOutcome::Recorded { wanted, kept: Ok(Box::new(kept)) } }]);
                again
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(wanted.turn(), crate::contract::TurnId(1));
    let (ticket, again) = world.again();
    world.called(ticket, again, text("because"));
    assert_eq!(world.read(socket)["same"], true);
}
