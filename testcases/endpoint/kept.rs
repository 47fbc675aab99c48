//! Conversations that are kept: listed, searched, renamed, exported, rated and deleted, by several users whom a trusted proxy signs
//! in, on the real server with real SQLite, across restarts after SIGKILL.

use crate::support::http::{Answer, Wire};
use crate::support::{Folder, Server, Setting, eventually, in_parallel, run};
use serde_json::{Value, json};
use std::net::SocketAddr;

const OPTIONS: &[&str] =
    &["--graph", "v1-direct", "--auth-header", "X-Remote-User", "--trusted-proxy", "127.0.0.1", "--api-keys", "keys.toml"];

/// A user as the proxy names them.
#[derive(Clone, Copy)]
struct User<'a> {
    address: SocketAddr,
    name: &'a str,
}

impl User<'_> {
    fn call(&self, method: &str, target: &str, body: Option<&Value>) -> Answer {
        ask(self.address, &format!("X-Remote-User: {}\r\n", self.name), method, target, body)
    }

    fn read(&self, target: &str) -> Value {
        let answer = self.call("GET", target, None);
        assert_eq!(answer.status, 200, "GET {target}: {}", answer.text());
        answer.json()
    }

    fn post(&self, target: &str, body: Value) -> Value {
        let answer = self.call("POST", target, Some(&body));
        assert_eq!(answer.status, 200, "POST {target}: {}", answer.text());
        answer.json()
    }

    fn code(&self, method: &str, target: &str, body: Option<&Value>) -> (u16, String) {
        let answer = self.call(method, target, body);
        (answer.status, answer.code())
    }

    /// Sends a message and waits for the end of its turn.
    fn say(&self, session: &str, text: &str) -> String {
        let sent = self.post(&format!("/api/send?session={session}"), json!({ "text": text }));
        let id = sent["id"].as_str().unwrap().to_owned();
        eventually("the turn's end", || {
            let result = self.read(&format!("/api/result?session={session}"));
            (result["id"] == id && result["status"] != "running").then_some(())
        });
        id
    }

    /// The sessions of a list.
    fn sessions(&self, query: &str) -> Vec<String> {
        names(&self.read(&format!("/api/sessions{query}"))["sessions"])
    }
}

fn ask(address: SocketAddr, headers: &str, method: &str, target: &str, body: Option<&Value>) -> Answer {
    let mut wire = Wire::open(address);
    let body = body.map(Value::to_string).unwrap_or_default();
    let length =
        if body.is_empty() { String::new() } else { format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()) };
    wire.send(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n{body}"));
    if method == "HEAD" { wire.answer_without_body() } else { wire.answer() }
}

fn names(sessions: &Value) -> Vec<String> {
    sessions.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

/// A server that keeps its sessions in this folder, and its users.
struct Kept {
    server: Option<Server>,
    folder: Folder,
}

impl Kept {
    fn start() -> Kept {
        let folder = Folder::new();
        let keys = folder.path().join("keys.toml");
        let created = run(folder.path(), &["key", "create", "ops", "--scopes", "admin", "--api-keys", keys.to_str().unwrap()]);
        assert_eq!(created.code, Some(0), "{created:?}");
        folder.write("key", created.output.trim());
        let mut kept = Kept { server: None, folder };
        kept.restart(&[]);
        kept
    }

    /// Ends the server with SIGKILL, and starts another on the same journal.
    fn restart(&mut self, more: &[&str]) {
        if let Some(mut server) = self.server.take() {
            server.signal("KILL");
            server.ended();
        }
        let keys = self.folder.path().join("keys.toml");
        let mut options: Vec<&str> =
            OPTIONS.iter().map(|option| if *option == "keys.toml" { keys.to_str().unwrap() } else { option }).collect();
        options.extend(more);
        let data = self.folder.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        self.server = Some(Server::with(&Setting { options: &options, data: Some(&data), ..Setting::default() }));
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn user<'a>(&self, name: &'a str) -> User<'a> {
        User { address: self.server().address, name }
    }

    /// As an administrator, with an API key.
    fn admin(&self, target: &str) -> Answer {
        let key = std::fs::read_to_string(self.folder.path().join("key")).unwrap();
        ask(self.server().address, &format!("Authorization: Bearer {key}\r\n"), "GET", target, None)
    }

    /// Everything that the journal's files hold.
    fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path().join("data")).unwrap();
        files.map(|file| file.unwrap().path()).filter(|path| path.is_file()).flat_map(|path| std::fs::read(path).unwrap()).collect()
    }

    fn holds(&self, text: &str) -> bool {
        self.bytes().windows(text.len()).any(|window| window == text.as_bytes())
    }
}

#[test]
fn sessions_are_listed_searched_renamed_and_exported_also_after_a_crash() {
    let mut kept = Kept::start();
    let ada = kept.user("ada");
    ada.say("sky", "why is the sky blue?");
    ada.say("tea", "how long does green tea steep?");
    ada.say("sky", "and at night?");
    kept.user("eve").say("mine", "why do pelicans float?");
    for round in ["before", "after"] {
        let ada = kept.user("ada");
        let list = ada.read("/api/sessions");
        assert_eq!(
            (names(&list["sessions"]), &list["next"]),
            (vec!["sky".into(), "tea".into()], &Value::Null),
            "{round}: the latest first"
        );
        let sky = &list["sessions"][0];
        assert_eq!(
            (&sky["title"], &sky["turns"], &sky["graph"]),
            (&json!("why is the sky blue?"), &json!(2), &json!("v1-direct")),
            "{sky}"
        );
        let (created, used) = (sky["created_at"].as_f64().unwrap(), sky["used_at"].as_f64().unwrap());
        assert!(created > 1.7e12 && used >= created, "milliseconds: {sky}");
        for (query, found) in [
            ("?search=green", vec!["tea"]),
            ("?search=blue%20sky", vec!["sky"]),
            ("?search=night", vec!["sky"]),
            ("?search=pelicans", vec![]),
            ("?ids=tea,mine", vec!["tea"]),
            ("?limit=1", vec!["sky"]),
        ] {
            assert_eq!(ada.sessions(query), found, "{round}: {query}");
        }
        let first = ada.read("/api/sessions?limit=1");
        let second = ada.read(&format!("/api/sessions?limit=1&before={}", first["next"].as_str().unwrap()));
        assert_eq!((names(&second["sessions"]), &second["next"]), (vec!["tea".to_owned()], &Value::Null));

        let export = ada.call("GET", "/api/sessions/export?session=sky", None);
        assert_eq!(export.header("content-disposition"), Some("attachment; filename=\"sky.md\""));
        let text = export.text();
        assert!(text.starts_with("# why is the sky blue?\n") && text.matches("**User**").count() == 2, "{text}");
        assert_eq!(text.matches("**Assistant**").count(), 2, "{text}");
        let export = ada.read("/api/sessions/export?session=sky&format=json");
        assert_eq!((export["session"]["id"].as_str(), export["truncated"].as_bool()), (Some("sky"), Some(false)));
        let turns = export["turns"].as_array().unwrap();
        assert_eq!((turns.len(), &turns[1]["question"], &turns[1]["status"]), (2, &json!("and at night?"), &json!("done")));
        assert!(turns[1]["answer"].as_str().is_some_and(|answer| !answer.is_empty()));
        let head = ada.call("HEAD", "/api/sessions", None);
        assert_eq!((head.status, head.body.len()), (200, 0));
        if round == "before" {
            kept.restart(&[]);
        }
    }
    let ada = kept.user("ada");
    assert_eq!(ada.post("/api/sessions/rename?session=tea", json!({ "title": " Green \n tea " }))["title"], "Green tea");
    assert_eq!(ada.read("/api/sessions?search=steep")["sessions"][0]["title"], "Green tea", "its texts are still searched");
    ada.say("tea", "and black tea?");
    kept.restart(&[]);
    let ada = kept.user("ada");
    assert_eq!(ada.read("/api/sessions")["sessions"][0]["title"], "Green tea");
    assert_eq!(ada.post("/api/sessions/rename?session=tea", json!({ "title": "" }))["title"], "how long does green tea steep?");
    assert_eq!(ada.code("POST", "/api/sessions/rename?session=none", Some(&json!({ "title": "x" }))), (404, "unknown_session".into()));
    assert_eq!(ada.code("GET", "/api/sessions/export?session=none", None), (404, "unknown_session".into()));
}

#[test]
fn another_users_sessions_can_not_be_listed_read_rated_renamed_exported_or_deleted() {
    let mut kept = Kept::start();
    kept.user("ada").say("hers", "why do pelicans float?");
    // The session isn't in memory: everything comes from the journal.
    kept.restart(&["--rerun"]);
    let (ada, eve) = (kept.user("ada"), kept.user("eve"));
    eve.say("own", "hello");
    let before = ada.read("/api/sessions/export?session=hers&format=json");
    assert_eq!(eve.sessions(""), ["own"]);
    assert!(eve.sessions("?search=pelicans").is_empty() && eve.sessions("?ids=hers").is_empty());
    assert_eq!(names(&eve.read("/api/me")["sessions"]), ["own"]);
    assert!(eve.read("/api/turns?search=pelicans")["turns"].as_array().unwrap().is_empty());
    assert!(eve.read("/api/turns?session=hers")["turns"].as_array().unwrap().is_empty());
    assert_eq!(eve.read("/api/history?session=hers&before=msg_9")["messages"], json!([]));
    for (method, target, body, code) in [
        ("GET", "/api/sessions/export?session=hers", None, "unknown_session"),
        ("GET", "/api/turn?session=hers&id=msg_1", None, "unknown_turn"),
        ("POST", "/api/sessions/rename?session=hers", Some(json!({ "title": "x" })), "unknown_session"),
        ("POST", "/api/sessions/delete?session=hers", Some(json!({})), "unknown_session"),
        ("POST", "/api/feedback?session=hers", Some(json!({ "turn": "msg_1", "rating": -1 })), "unknown_turn"),
        ("POST", "/api/sessions/fork?session=hers", Some(json!({ "turn": "msg_1", "to": "mine" })), "unknown_session"),
        ("POST", "/api/sessions/fork?session=own", Some(json!({ "turn": "msg_2", "to": "hers" })), "unknown_turn"),
        ("GET", "/api/turn/test?session=hers&id=msg_1", None, "unknown_session"),
        ("POST", "/api/call/rerun?session=hers", Some(json!({ "turn": "msg_1", "pid": 1 })), "unknown_turn"),
        ("GET", "/api/turn?session=hers&id=msg_1&user=proxy:ada", None, "missing_role"),
        ("GET", "/api/turn/test?session=hers&id=msg_1&user=proxy:ada", None, "missing_role"),
        ("POST", "/api/call/rerun?session=hers&user=proxy:ada", Some(json!({ "turn": "msg_1", "pid": 1 })), "missing_role"),
        ("POST", "/api/sessions/fork?session=hers&user=proxy:ada", Some(json!({ "turn": "msg_1", "to": "mine" })), "missing_role"),
        ("GET", "/api/sessions?user=proxy:ada", None, "missing_role"),
        ("GET", "/api/turns?all=true", None, "missing_role"),
        ("POST", "/api/sessions/delete?session=hers&user=proxy:ada", Some(json!({})), "missing_role"),
    ] {
        assert_eq!(eve.code(method, target, body.as_ref()).1, code, "{method} {target}");
    }
    assert_eq!(ask(kept.server().address, "", "GET", "/api/sessions", None).code(), "missing_token");
    assert_eq!(ada.read("/api/sessions/export?session=hers&format=json"), before, "nothing of it has changed");
    assert_eq!(names(&kept.admin("/api/sessions?user=proxy:ada").json()["sessions"]), ["hers"], "administrators may read it");
    // She can do all of it herself.
    let suite = ada.read("/api/turn/test?session=hers&id=msg_1")["suite"].clone();
    assert!(suite.as_str().unwrap().contains("pelicans"), "{suite}");
    let calls = ada.read("/api/turn?session=hers&id=msg_1")["calls"].clone();
    let rerun = ada.post("/api/call/rerun?session=hers", json!({ "turn": "msg_1", "pid": calls[0]["pid"] }));
    assert_eq!(rerun["same"], true, "{rerun}");
    assert_eq!(ada.post("/api/sessions/fork?session=hers", json!({ "turn": "msg_1", "to": "forked" }))["status"], "forked");
    assert_eq!((eve.sessions(""), ada.sessions("").len()), (vec!["own".to_owned()], 2));
}

#[test]
fn a_deleted_session_is_gone_from_memory_and_from_the_file_and_does_not_come_back() {
    let mut kept = Kept::start();
    let ada = kept.user("ada");
    ada.say("gone", "why do xylographers float?");
    ada.say("stays", "why is the sky blue?");
    assert!(kept.holds("xylographers"));
    // Turns run while it is deleted.
    let deleted = in_parallel(0..4, |number| match number {
        0 => ada.call("POST", "/api/sessions/delete?session=gone", Some(&json!({}))).json(),
        _ => ada.call("POST", &format!("/api/send?session=stays-{number}"), Some(&json!({ "text": "hello" }))).json(),
    });
    assert_eq!((&deleted[0]["status"], &deleted[0]["turns"]), (&json!("deleted"), &json!(1)), "{}", deleted[0]);
    assert_eq!(ada.code("POST", "/api/sessions/delete?session=gone", None), (404, "unknown_session".into()));
    assert!(!ada.sessions("").contains(&"gone".to_owned()) && ada.sessions("?search=xylographers").is_empty());
    assert_eq!(ada.read("/api/history?session=gone")["messages"], json!([]));
    eventually("the end of its text in the journal's files", || (!kept.holds("xylographers")).then_some(()));
    kept.restart(&[]);
    let ada = kept.user("ada");
    assert!(!ada.sessions("").contains(&"gone".to_owned()) && ada.sessions("").contains(&"stays".to_owned()));
    // The name can be used again, and begins with the first turn.
    assert_eq!(ada.say("gone", "hello again"), "msg_1");
    assert_eq!(ada.read("/api/sessions?ids=gone")["sessions"][0]["turns"], 1);
}

#[test]
fn everything_of_a_user_is_deleted_on_all_shards_and_in_the_journal() {
    let mut kept = Kept::start();
    let (ada, eve) = (kept.user("ada"), kept.user("eve"));
    let sessions: Vec<String> = (0..12).map(|number| format!("s{number}")).collect();
    in_parallel(sessions.clone(), |session| ada.say(&session, "why do xylographers float?"));
    eve.say("own", "hello");
    kept.restart(&[]);
    let (ada, eve) = (kept.user("ada"), kept.user("eve"));
    ada.say("s3", "and now?");
    ada.say("new", "hello");
    let me = ada.read("/api/me");
    assert_eq!(me["sessions"].as_array().unwrap().len(), 13, "{me}");
    let s3 = me["sessions"].as_array().unwrap().iter().find(|session| session["id"] == "s3").unwrap();
    assert_eq!((&s3["turns"], s3["busy"].is_boolean()), (&json!(2), true), "what is in memory and in the journal is one: {s3}");
    let deleted = ada.post("/api/me/delete", json!({}));
    assert_eq!(
        (&deleted["status"], &deleted["journal"]["sessions"], &deleted["journal"]["turns"]),
        (&json!("deleted"), &json!(13), &json!(14))
    );
    assert!(deleted["sessions"].as_u64().unwrap() >= 2 && deleted["note"].as_str().unwrap().contains("backups"), "{deleted}");
    assert!(ada.sessions("").is_empty() && ada.read("/api/me")["sessions"].as_array().unwrap().is_empty());
    assert_eq!(eve.sessions(""), ["own"]);
    eventually("the end of the texts in the journal's files", || (!kept.holds("xylographers")).then_some(()));
    kept.restart(&[]);
    assert!(kept.user("ada").sessions("").is_empty());
    assert_eq!(kept.user("eve").sessions(""), ["own"]);
}

#[test]
fn histories_and_turns_reach_back_beyond_what_is_in_memory() {
    let mut kept = Kept::start();
    kept.restart(&["--history", "4", "--traces", "2"]);
    let ada = kept.user("ada");
    for turn in 1..=6 {
        assert_eq!(ada.say("long", &format!("question {turn}")), format!("msg_{turn}"));
    }
    let long = ada.read("/api/turn?session=long&id=msg_6");
    kept.restart(&["--history", "4", "--traces", "2"]);
    let ada = kept.user("ada");
    let page = |before: &str, last: usize| {
        let page = ada.read(&format!("/api/history?session=long&before={before}&last={last}"));
        let questions: Vec<String> = page["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|message| message["role"] == "user")
            .map(|message| message["content"].as_str().unwrap().to_owned())
            .collect();
        assert!(page["messages"].as_array().unwrap().len() == 2 * questions.len(), "each has its answer: {page}");
        (questions.join(", "), page["next"].clone())
    };
    assert!(ada.read("/api/history?session=long&last=200")["messages"].as_array().unwrap().len() <= 4);
    assert_eq!(page("msg_5", 4), ("question 3, question 4".into(), json!("msg_3")));
    assert_eq!(page("msg_3", 4), ("question 1, question 2".into(), Value::Null));
    let old = ada.read("/api/turn?session=long&id=msg_1");
    assert_eq!((&old["trace"]["message"], &old["trace"]["status"]), (&json!("question 1"), &json!("done")));
    let fields = |turn: &Value| turn.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&old), fields(&long), "the same shape as from memory");
    assert!(!old["calls"].as_array().unwrap().is_empty(), "{old}");
    assert_eq!(ada.code("GET", "/api/turn?session=long&id=msg_7", None), (404, "unknown_turn".into()));
    ada.post("/api/clear?session=long", json!({}));
    assert_eq!(ada.code("GET", "/api/turn?session=long&id=msg_1", None), (404, "turn_not_kept".into()));
    assert_eq!(page("msg_5", 4), (String::new(), Value::Null), "what was cleared is not shown");
}

#[test]
fn turns_are_rated_and_found_by_rating_by_their_user_and_an_administrator() {
    let mut kept = Kept::start();
    let (ada, eve) = (kept.user("ada"), kept.user("eve"));
    ada.say("a", "why is the sky blue?");
    ada.say("a", "and at night?");
    ada.say("b", "how long does tea steep?");
    eve.say("own", "hello");
    let rated = ada.post("/api/feedback?session=a", json!({ "turn": "msg_2", "rating": -1, "comment": "too long" }));
    assert_eq!(rated, json!({ "status": "ok", "turn": "msg_2", "rating": -1, "comment": "too long" }));
    let shown = |user: User<'_>, turn: &str| {
        let shown = user.read(&format!("/api/turn?session=a&id={turn}"));
        assert!(shown["trace"].is_object(), "{shown}");
        (shown["rating"].clone(), shown["comment"].clone(), shown.get("rating").is_some())
    };
    let worst = (json!(-1), json!("too long"), true);
    assert_eq!(shown(ada, "msg_2"), worst, "from memory");
    assert_eq!(shown(ada, "msg_1"), (Value::Null, Value::Null, true), "not rated");
    ada.post("/api/feedback?session=b", json!({ "turn": "msg_1", "rating": 1 }));
    eve.post("/api/feedback?session=own", json!({ "turn": "msg_1", "rating": -1 }));
    assert_eq!(ada.code("POST", "/api/feedback?session=a", Some(&json!({ "turn": "msg_3", "rating": 1 }))), (404, "unknown_turn".into()));
    kept.restart(&["--traces", "1"]);
    let (ada, eve) = (kept.user("ada"), kept.user("eve"));
    assert_eq!(shown(ada, "msg_2"), worst, "after a restart");
    assert_eq!(shown(ada, "msg_1"), (Value::Null, Value::Null, true), "from the journal");
    assert_eq!(kept.admin("/api/turn?session=a&id=msg_2&user=proxy:ada").json()["comment"], "too long", "administrators see it");
    let turns = |list: &Value| -> Vec<String> {
        let turns = list["turns"].as_array().unwrap().iter();
        turns.map(|turn| format!("{}/{}", turn["session"].as_str().unwrap(), turn["id"].as_str().unwrap())).collect()
    };
    for (query, found) in [
        ("", vec!["b/msg_1", "a/msg_2", "a/msg_1"]),
        ("?rating=-1", vec!["a/msg_2"]),
        ("?rating=1", vec!["b/msg_1"]),
        ("?session=a", vec!["a/msg_2", "a/msg_1"]),
        ("?search=tea", vec!["b/msg_1"]),
        ("?status=error", vec![]),
        ("?status=done&graph=v1-direct&degraded=false&limit=2", vec!["b/msg_1", "a/msg_2"]),
    ] {
        assert_eq!(turns(&ada.read(&format!("/api/turns{query}"))), found, "{query}");
    }
    let worst = ada.read("/api/turns?rating=-1")["turns"][0].clone();
    assert_eq!((&worst["rating"], &worst["comment"], &worst["question"]), (&json!(-1), &json!("too long"), &json!("and at night?")));
    assert!(worst["total_ms"].as_f64().is_some() && worst.get("user").is_none(), "{worst}");
    // Paged in any order, each turn comes once.
    for sort in ["latest", "slowest", "first_token", "tokens", "cost"] {
        let (mut all, mut before) = (Vec::new(), String::new());
        loop {
            let page = ada.read(&format!("/api/turns?sort={sort}&limit=2{before}"));
            all.extend(turns(&page));
            let Some(next) = page["next"].as_str() else { break };
            before = format!("&before={next}");
        }
        let whole = ada.read(&format!("/api/turns?sort={sort}"))["turns"].clone();
        assert_eq!(all, turns(&json!({ "turns": whole })), "{sort}: pages are pieces of the list");
        let key = |turn: &Value| match sort {
            "latest" => turn["started_at"].as_f64(),
            "slowest" => turn["total_ms"].as_f64(),
            "first_token" => turn["first_token_ms"].as_f64(),
            "tokens" => Some(turn["tokens_in"].as_f64().unwrap() + turn["tokens_out"].as_f64().unwrap()),
            _ => turn["cost_micros"].as_f64(),
        };
        let keys: Vec<f64> = whole.as_array().unwrap().iter().map(|turn| key(turn).unwrap()).collect();
        assert!(keys.is_sorted_by(|one, next| one >= next), "{sort}: {keys:?}");
        if sort == "latest" {
            assert_eq!(all, ["b/msg_1", "a/msg_2", "a/msg_1"]);
        }
        all.sort_unstable();
        assert_eq!(all, ["a/msg_1", "a/msg_2", "b/msg_1"], "{sort}");
    }
    // What is at least so slow or large.
    let list = ada.read("/api/turns?sort=tokens")["turns"].clone();
    let tokens = |turn: &Value| turn["tokens_in"].as_u64().unwrap() + turn["tokens_out"].as_u64().unwrap();
    let (most, least) = (tokens(&list[0]), tokens(&list[2]));
    assert!(most > least, "{list}");
    assert_eq!(ada.read(&format!("/api/turns?min_tokens={least}"))["turns"].as_array().unwrap().len(), 3);
    for none in
        [format!("min_tokens={}", most + 1), "min_ms=86400000".into(), "min_first_token_ms=86400000".into(), "min_cost_micros=1".into()]
    {
        assert_eq!(ada.read(&format!("/api/turns?{none}"))["turns"], json!([]), "{none}");
    }
    assert_eq!(ada.code("GET", "/api/turns?min_ms=long", None), (400, "invalid_parameter".into()));
    assert_eq!(ada.code("GET", "/api/turns?limit=x", None), (400, "invalid_parameter".into()));
    let all = kept.admin("/api/turns?all=true&rating=-1").json();
    let whose: Vec<&str> = all["turns"].as_array().unwrap().iter().map(|turn| turn["user"].as_str().unwrap()).collect();
    assert_eq!(whose, ["proxy:eve", "proxy:ada"], "{all}");
    assert_eq!(turns(&kept.admin("/api/turns?user=proxy:eve").json()), ["own/msg_1"]);
    ada.post("/api/feedback?session=a", json!({ "turn": "msg_2", "rating": null }));
    assert_eq!(shown(ada, "msg_2").0, Value::Null);
    assert!(turns(&ada.read("/api/turns?rating=-1")).is_empty() && turns(&eve.read("/api/turns?rating=-1")).len() == 1);
}

#[test]
fn old_conversations_are_deleted_at_the_start_but_not_those_that_fit() {
    let mut kept = Kept::start();
    let (ada, eve) = (kept.user("ada"), kept.user("eve"));
    for number in 0..6 {
        ada.say(&format!("s{number}"), &format!("why do xylographers float? {}", "word ".repeat(10_000)));
    }
    eve.say("own", "hello");
    kept.restart(&["--retain-bytes", "300000"]);
    let ada = kept.user("ada");
    eventually("the deletion of old conversations", || kept.server().said().contains("old conversations were deleted").then_some(()));
    let left = ada.sessions("");
    assert!((1..6).contains(&left.len()) && left[0] == "s5", "the latest stay: {left:?}");
    assert_eq!(kept.user("eve").sessions(""), ["own"], "each user has their own bound");
    kept.restart(&["--retain-days", "1"]);
    assert_eq!(kept.user("ada").sessions(""), left, "none of them is that old");
}

#[test]
fn conversations_that_nobody_used_for_so_many_days_are_deleted_by_the_running_server_and_its_file_gets_smaller() {
    let mut kept = Kept::start();
    let (ada, eve) = (kept.user("ada"), kept.user("eve"));
    for number in 0..6 {
        ada.say(&format!("s{number}"), &format!("why do xylographers float? {}", "word ".repeat(40_000)));
    }
    eve.say("own", "hello");
    let (file, size) = (kept.folder.path().join("data/journal.db"), |file: &std::path::Path| std::fs::metadata(file).unwrap().len());
    let mut server = kept.server.take().unwrap();
    server.signal("TERM");
    server.ended();
    let journal = rusqlite::Connection::open(&file).unwrap();
    for (session, hours) in [("s1", 49), ("s2", 47), ("s3", 49), ("s4", 2), ("own", 47)] {
        let earlier = "UPDATE sessions SET used_at = used_at - ?1 * 3600 * 1000000 WHERE session = ?2";
        assert_eq!(journal.execute(earlier, rusqlite::params![hours, session]).unwrap(), 1);
    }
    drop(journal);
    let before = size(&file);
    kept.restart(&["--retain-days", "2"]);
    let (ada, eve) = (kept.user("ada"), kept.user("eve"));
    eventually("the deletion of old conversations", || (ada.sessions("").len() == 4).then_some(()));
    let mut left = ada.sessions("");
    left.sort_unstable();
    assert_eq!((left, eve.sessions("")), (vec!["s0".to_owned(), "s2".into(), "s4".into(), "s5".into()], vec!["own".to_owned()]));
    assert_eq!(ada.read("/api/history?session=s1")["messages"], json!([]));
    assert_eq!(ada.read("/api/history?session=s2")["messages"].as_array().unwrap().len(), 2);
    eventually("a smaller file", || (size(&file) < before * 4 / 5).then_some(()));
    // It is written all the while.
    assert_eq!(ada.say("s2", "and now?"), "msg_2");
}

#[test]
fn without_sign_in_a_client_lists_the_sessions_that_it_can_name() {
    let server = Server::start();
    server.session("mine").ask("hello");
    server.session("yours").ask("hello");
    let mine = server.session("mine");
    assert_eq!(mine.call("GET", "/api/sessions", None).code(), "invalid_parameter");
    assert_eq!(names(&mine.read("/api/sessions?ids=mine,other")["sessions"]), ["mine"]);
    assert_eq!(names(&mine.read("/api/me")["sessions"]), ["mine"]);
    assert_eq!(mine.read("/api/turns")["turns"].as_array().unwrap().len(), 1);
    assert_eq!(mine.post("/api/me/delete", &json!({}))["journal"]["sessions"], 1);
    assert_eq!(names(&mine.read("/api/sessions?ids=mine,yours")["sessions"]), ["yours"]);
    let memory = Server::with(&Setting { options: &["--durability", "none"], ..Setting::default() });
    memory.session("mine").ask("hello");
    assert_eq!(memory.session("mine").call("GET", "/api/sessions?ids=mine", None).code(), "no_journal");
    assert_eq!(memory.session("mine").post("/api/sessions/delete", &json!({}))["status"], "deleted");
}

#[test]
fn damage_that_is_still_json_is_logged_and_the_session_loads() {
    let mut kept = Kept::start();
    kept.user("ada").say("a", "why is the sky blue?");
    kept.user("ada").say("b", "why is the sky blue?");
    let mut server = kept.server.take().unwrap();
    server.signal("TERM");
    server.ended();
    let journal = rusqlite::Connection::open(kept.folder.path().join("data/journal.db")).unwrap();
    let damage = "UPDATE records SET bytes = CAST(REPLACE(CAST(bytes AS TEXT), 'the sky blue', 'the fly blue') AS BLOB) WHERE session_id = \
                  (SELECT id FROM sessions WHERE session = 'a') RETURNING number, CAST(bytes AS TEXT) LIKE '%fly%'";
    let mut statement = journal.prepare(damage).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))).unwrap();
    let damaged = rows.map(Result::unwrap).filter(|(_, is_changed)| *is_changed).map(|(number, _)| number).min().unwrap();
    drop(statement);
    drop(journal);
    kept.restart(&[]);
    let ada = kept.user("ada");
    for session in ["b", "a"] {
        assert_eq!(ada.read(&format!("/api/history?session={session}"))["messages"].as_array().unwrap().len(), 2, "{session}");
    }
    let line = eventually("the warning", || {
        let said = kept.server().said();
        said.lines().find(|line| line.contains("its journal may be damaged")).map(str::to_owned)
    });
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["record"]), (&json!("WARN"), &json!(damaged)), "{line}");
    assert!(line["session"].as_str().is_some_and(|hash| hash.len() == 12) && !line.to_string().contains("fly"), "{line}");
    assert_eq!(kept.server().said().matches("its journal may be damaged").count(), 1, "the other is as it was");
    let key = std::fs::read_to_string(kept.folder.path().join("key")).unwrap();
    let metrics = ask(kept.server().address, &format!("Authorization: Bearer {key}\r\n"), "GET", "/metrics", None).text();
    assert!(metrics.contains("\nframewright_session_differences_total 1\n"), "{metrics}");
}
