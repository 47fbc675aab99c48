//! What is kept in the journal: who may list, export, rename, rate and delete it, and what a deletion lets go of.

use super::sign_in::{bearer, keys, rules, token};
use super::*;
use crate::auth::testing::{NOW, SIGNERS, claims};
use crate::contract::TurnId;
use crate::contract::journal::{Deleted, Durability, Name, SessionQuery, TurnOrder, TurnQuery};
use crate::shard::event::Forked;
use crate::shard::journal_answers as answers;
use crate::shard::journal_job::{ExportFormat, Forget, JournalJob, Whose};

const KEEPING: Option<Keeping> = Some(Keeping { durability: Durability::Turn, rerun: false });

/// A shard with a journal, where users sign in.
fn world() -> World {
    world_of(1)
}

fn world_of(shards: usize) -> World {
    let graph = "v1-direct".into();
    let mut world = World::new(Settings { keeping: KEEPING, shards, graph, sign_in: rules(), sessions_max: 50, audit: true, ..settings() });
    world.now.wall = NOW;
    world.tick(vec![keys(&SIGNERS[..5])]);
    world
}

/// The same where nobody signs in.
fn open_world(keeping: Option<Keeping>) -> World {
    World::new(Settings { keeping, graph: "v1-direct".into(), ..settings() })
}

fn root() -> String {
    let mut admin = claims("root");
    admin["urn:zitadel:iam:org:project:roles"] = json!({"admin": {"2486": "acme.example"}});
    SIGNERS[0].token(&admin)
}

fn name(user: &str, session: &str) -> Name {
    Name { user: user.into(), session: session.into() }
}

fn json_of(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}")).1;
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

impl World {
    /// Sends a request, and returns its connection.
    fn begin(&mut self, token: &str, method: &str, target: &str, body: &str) -> SocketId {
        let socket = self.connect();
        let bearer = if token.is_empty() { String::new() } else { bearer(token) };
        let kind =
            if body.is_empty() { String::new() } else { format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()) };
        self.send(socket, format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{bearer}{kind}\r\n{body}").as_bytes());
        socket
    }

    /// What the journal is to do for a request, or the code with which it was refused.
    fn wanted(&mut self, token: &str, method: &str, target: &str, body: &str) -> Result<JournalJob, String> {
        let socket = self.begin(token, method, target, body);
        match self.jobs.pop() {
            Some((_, Job::Journal(job))) => Ok(*job),
            Some(other) => panic!("{method} {target} wants {other:?}"),
            None => {
                let answer = self.take(socket);
                Err(json_of(&answer)["code"].as_str().unwrap_or_else(|| panic!("{method} {target}: {answer}")).to_owned())
            }
        }
    }

    /// The journal has done the last of what it was to do.
    fn done(&mut self, outcome: JobOutcome) {
        let (ticket, _) = self.jobs.pop().unwrap();
        self.tick(vec![Event::JobDone { ticket, outcome }]);
    }

    /// A user's session takes a message, and its turn runs on.
    fn message(&mut self, sub: &str, session: &str) {
        let socket = self.begin(&token(sub), "POST", &format!("/api/send?session={session}"), r#"{"text":"why?"}"#);
        self.load();
        self.durable();
        assert!(self.take(socket).contains("queued"));
    }
}

#[test]
fn each_call_reaches_what_its_user_has_and_nothing_else() {
    let mut world = world();
    let ada = token("ada");
    let of_ada = |query: SessionQuery| SessionQuery { user: Some("ada".into()), ..query };
    let turns = |query: TurnQuery| JournalJob::Turns { query: TurnQuery { user: Some("ada".into()), ..query }, of_all: false };
    for (method, target, body, job) in [
        ("GET", "/api/sessions", "", JournalJob::Sessions(of_ada(SessionQuery { limit: 50, ..SessionQuery::default() }))),
        (
            "GET",
            "/api/sessions?search=sky%20blue&before=123-a&limit=7&ids=a,b",
            "",
            JournalJob::Sessions(SessionQuery {
                names: vec!["a".into(), "b".into()],
                search: Some("sky blue".into()),
                before: Some((Time(123), name("ada", "a"))),
                limit: 7,
                user: Some("ada".into()),
            }),
        ),
        ("GET", "/api/sessions?limit=100000", "", JournalJob::Sessions(of_ada(SessionQuery { limit: 200, ..SessionQuery::default() }))),
        ("GET", "/api/sessions/export?session=a", "", JournalJob::Export { name: name("ada", "a"), format: ExportFormat::Markdown }),
        (
            "GET",
            "/api/sessions/export?session=a&format=json",
            "",
            JournalJob::Export { name: name("ada", "a"), format: ExportFormat::Json },
        ),
        (
            "POST",
            "/api/sessions/rename?session=a",
            r#"{"title":"Sky","user":"eve"}"#,
            JournalJob::Rename { name: name("ada", "a"), title: "Sky".into() },
        ),
        (
            "POST",
            "/api/feedback?session=a",
            r#"{"turn":"msg_3","rating":-1,"comment":" wrong "}"#,
            JournalJob::Rate { name: name("ada", "a"), turn: TurnId(3), rating: Some(-1), comment: Some("wrong".into()) },
        ),
        (
            "POST",
            "/api/feedback?session=a",
            r#"{"turn":"msg_3","rating":null}"#,
            JournalJob::Rate { name: name("ada", "a"), turn: TurnId(3), rating: None, comment: None },
        ),
        ("GET", "/api/turns", "", turns(TurnQuery { limit: 50, ..TurnQuery::default() })),
        (
            "GET",
            "/api/turns?session=a&status=error&degraded=true&path=expert&graph=v3&rating=-1&search=x&sort=cost&before=9-8-7&limit=2\
             &min_ms=1500&min_first_token_ms=0&min_tokens=7&min_cost_micros=8",
            "",
            turns(TurnQuery {
                session: Some("a".into()),
                status: Some("error".into()),
                is_degraded: Some(true),
                path: Some("expert".into()),
                graph: Some("v3".into()),
                rating: Some(-1),
                search: Some("x".into()),
                order: TurnOrder::MostCost,
                before: Some("9-8-7".parse().unwrap()),
                min_total_us: Some(1_500_000),
                min_first_token_us: Some(0),
                min_tokens: Some(7),
                min_cost_micros: Some(8),
                limit: 2,
                ..TurnQuery::default()
            }),
        ),
        (
            "GET",
            "/api/history?session=a&before=msg_9&last=7",
            "",
            JournalJob::History { name: name("ada", "a"), before: TurnId(9), turns: 3 },
        ),
        ("POST", "/api/sessions/delete?session=a", "", JournalJob::Delete { name: name("ada", "a"), was_open: false }),
    ] {
        assert_eq!(world.wanted(&ada, method, target, body), Ok(job), "{method} {target}");
        let join = if target.contains('?') { "&" } else { "?" };
        assert_eq!(world.wanted(&ada, method, &format!("{target}{join}user=eve"), body), Err("missing_role".into()), "{method} {target}");
    }
    assert!(world.loads.is_empty(), "no session is loaded for it");
}

#[test]
fn refuses_what_can_not_be_meant() {
    let mut world = world();
    let ada = token("ada");
    let ids = vec!["a"; 201].join(",");
    let comment = json!({ "turn": "msg_1", "rating": 1, "comment": "ü".repeat(2_001) }).to_string();
    let title = json!({ "title": "ü".repeat(1_001) }).to_string();
    for (method, target, body, code) in [
        ("GET", "/api/sessions?before=x", "", "invalid_parameter"),
        ("GET", "/api/sessions?before=1x-a", "", "invalid_parameter"),
        ("GET", &*format!("/api/sessions?ids={ids}"), "", "invalid_parameter"),
        ("GET", "/api/sessions?ids=,", "", "invalid_parameter"),
        ("GET", "/api/sessions?ids=a,b%2Fc", "", "invalid_session"),
        ("GET", "/api/sessions/export?format=pdf", "", "invalid_parameter"),
        ("POST", "/api/sessions/rename", "{}", "invalid_parameter"),
        ("POST", "/api/sessions/rename", "", "body_missing"),
        ("POST", "/api/sessions/rename", &*title, "invalid_parameter"),
        ("POST", "/api/sessions/rename?session=a%20b", r#"{"title":"x"}"#, "invalid_session"),
        ("POST", "/api/sessions/delete", "[]", "invalid_json"),
        ("POST", "/api/feedback", r#"{"rating":1}"#, "invalid_parameter"),
        ("POST", "/api/feedback", r#"{"turn":"3","rating":1}"#, "invalid_parameter"),
        ("POST", "/api/feedback", r#"{"turn":"msg_3"}"#, "invalid_parameter"),
        ("POST", "/api/feedback", r#"{"turn":"msg_3","rating":2}"#, "invalid_parameter"),
        ("POST", "/api/feedback", r#"{"turn":"msg_3","rating":1,"comment":1}"#, "invalid_parameter"),
        ("POST", "/api/feedback", &*comment, "invalid_parameter"),
        ("GET", "/api/turns?status=open", "", "invalid_parameter"),
        ("GET", "/api/turns?degraded=perhaps", "", "invalid_parameter"),
        ("GET", "/api/turns?rating=0", "", "invalid_parameter"),
        ("GET", "/api/turns?sort=name", "", "invalid_parameter"),
        ("GET", "/api/turns?before=9", "", "invalid_parameter"),
        ("GET", "/api/history?before=9", "", "invalid_parameter"),
        ("GET", "/api/turns?all=true", "", "missing_role"),
        ("GET", "/api/turns?limit=x", "", "invalid_parameter"),
        ("GET", "/api/sessions?limit=1.5", "", "invalid_parameter"),
        ("GET", "/api/turns?min_ms=-1", "", "invalid_parameter"),
        ("GET", "/api/turns?min_first_token_ms=soon", "", "invalid_parameter"),
        ("GET", "/api/turns?min_tokens=1e3", "", "invalid_parameter"),
        ("GET", "/api/turns?min_cost_micros=1.5", "", "invalid_parameter"),
    ] {
        assert_eq!(world.wanted(&ada, method, target, body), Err(code.into()), "{method} {target} {body}");
    }
    for (fork, says) in [
        (json!({ "to": "b" }), "`turn` is missing"),
        (json!({ "turn": "msg_1" }), "`to` is missing"),
        (json!({ "turn": "msg_1", "to": "a b" }), "`to` is not a session name"),
        (json!({ "turn": "msg_1", "to": 7 }), "`to` is not a session name"),
        (json!({ "turn": "msg_1", "to": "b", "frame": 2 }), "no field `frame`"),
        (json!({ "turn": "msg_1", "to": "b", "prompt": { "output": "x" } }), "`framewright sessions fork`"),
        (json!({ "turn": "msg_1", "to": "b", "session": "a" }), "no field `session`"),
    ] {
        let socket = world.begin(&ada, "POST", "/api/sessions/fork?session=a", &fork.to_string());
        let refused = json_of(&world.take(socket));
        assert_eq!((&refused["code"], world.jobs.len()), (&json!("invalid_parameter"), 0), "{fork}: {refused}");
        assert!(refused["detail"].as_str().unwrap().contains(says), "{fork}: {refused}");
    }
    for (method, target, allow) in [
        ("POST", "/api/sessions", "GET, HEAD"),
        ("POST", "/api/turns", "GET, HEAD"),
        ("GET", "/api/sessions/rename", "POST"),
        ("GET", "/api/sessions/delete", "POST"),
        ("GET", "/api/feedback", "POST"),
        ("PUT", "/api/sessions/export", "GET, HEAD"),
    ] {
        let socket = world.begin(&ada, method, target, "");
        let answer = world.take(socket);
        assert!(answer.starts_with("HTTP/1.1 405") && answer.contains(&format!("allow: {allow}\r\n")), "{method} {target}: {answer}");
    }
}

#[test]
fn administrators_list_those_of_others_and_of_all_which_is_noted() {
    let mut world = world();
    let all = |user: Option<&str>| JournalJob::Turns {
        query: TurnQuery { user: user.map(Into::into), limit: 50, ..TurnQuery::default() },
        of_all: true,
    };
    assert_eq!(world.wanted(&root(), "GET", "/api/turns?all=true", ""), Ok(all(None)));
    assert_eq!(world.wanted(&root(), "GET", "/api/turns?all=true&user=ada", ""), Ok(all(Some("ada"))));
    let export = JournalJob::Export { name: name("ada", "a"), format: ExportFormat::Markdown };
    assert_eq!(world.wanted(&root(), "GET", "/api/sessions/export?user=ada&session=a", ""), Ok(export));
    assert!(
        matches!(world.wanted(&root(), "GET", "/api/sessions?user=ada", ""), Ok(JournalJob::Sessions(query)) if query.user.as_deref() == Some("ada"))
    );
    for (method, target, body) in [
        ("POST", "/api/sessions/delete?user=ada&session=a", ""),
        ("POST", "/api/sessions/rename?user=ada&session=a", r#"{"title":"x"}"#),
        ("POST", "/api/feedback?user=ada&session=a", r#"{"turn":"msg_1","rating":1}"#),
    ] {
        assert_eq!(world.wanted(&root(), method, target, body), Err("missing_role".into()), "they read, and change nothing: {target}");
    }
    let socket = world.begin(&root(), "GET", "/api/turns?all=true", "");
    world.done(answers::turns(&[], 50, true));
    assert!(world.take(socket).contains(r#"{"turns":[],"next":null}"#));
    let noted = world.audit.iter().rfind(|record| record.what == "read_other").unwrap();
    assert_eq!((noted.detail.as_deref(), noted.status, &noted.user), (Some("/api/turns"), Some(200), &None));
}

#[test]
fn where_nobody_signs_in_only_sessions_that_are_named_are_listed() {
    let mut world = open_world(KEEPING);
    assert_eq!(world.wanted("", "GET", "/api/sessions", ""), Err("invalid_parameter".into()));
    let query = SessionQuery { user: Some("anonymous".into()), names: vec!["a".into()], limit: 50, ..SessionQuery::default() };
    assert_eq!(world.wanted("", "GET", "/api/sessions?ids=a", ""), Ok(JournalJob::Sessions(query)));
    let of = |session: Option<&str>, user: Option<&str>, of_all| JournalJob::Turns {
        query: TurnQuery { user: user.map(Into::into), session: session.map(Into::into), limit: 50, ..TurnQuery::default() },
        of_all,
    };
    assert_eq!(world.wanted("", "GET", "/api/turns", ""), Ok(of(Some("default"), Some("anonymous"), false)));
    assert_eq!(world.wanted("", "GET", "/api/turns?session=a", ""), Ok(of(Some("a"), Some("anonymous"), false)));
    assert_eq!(world.wanted("", "GET", "/api/turns?all=true", ""), Ok(of(None, None, true)), "who sits at the machine administers it");
    world.peer = IpAddr::from(Ipv4Addr::new(10, 9, 9, 9)).into();
    assert_eq!(world.wanted("", "GET", "/api/turns?all=true", ""), Err("missing_role".into()));
    let socket = world.begin("", "GET", "/api/me?session=a", "");
    let Some((_, Job::Journal(job))) = world.jobs.last() else { panic!("the journal is asked") };
    assert!(matches!(&**job, JournalJob::KeptOf(query) if query.names == ["a"]), "{job:?}");
    world.done(answers::kept_of(&[], 200));
    assert!(world.take(socket).contains(r#""sessions":[]"#));
}

#[test]
fn without_a_journal_nothing_is_listed_and_a_session_in_memory_can_be_deleted() {
    let mut world = open_world(None);
    for (method, target, body) in [
        ("GET", "/api/sessions?ids=a", ""),
        ("GET", "/api/sessions/export", ""),
        ("POST", "/api/sessions/rename", r#"{"title":"x"}"#),
        ("POST", "/api/feedback", r#"{"turn":"msg_1","rating":1}"#),
        ("GET", "/api/turns", ""),
    ] {
        assert_eq!(world.wanted("", method, target, body), Err("no_journal".into()), "{method} {target}");
    }
    assert_eq!(world.post("/api/sessions/delete?session=a", Value::Null).1["code"], "unknown_session");
    for turn in 1..=3 {
        world.post("/api/send?session=a", json!({ "text": format!("question {turn}") }));
        world.answer(&format!("answer {turn}"));
        world.complete("{}");
    }
    let page = |world: &mut World, target: &str| {
        let body = world.get(target).1;
        let contents: Vec<String> =
            body["messages"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect();
        (contents.join(", "), body["next"].clone())
    };
    for (target, shown, next) in [
        ("/api/history?session=a&before=msg_3&last=2", "question 2, answer 2", json!("msg_2")),
        ("/api/history?session=a&before=msg_3&last=3", "question 2, answer 2", json!("msg_2")),
        ("/api/history?session=a&before=msg_2", "question 1, answer 1", Value::Null),
        ("/api/history?session=a&before=msg_1", "", Value::Null),
    ] {
        assert_eq!(page(&mut world, target), (shown.to_owned(), next), "{target}");
    }
    let socket = world.websocket("/ws?session=a");
    assert_eq!(world.post("/api/sessions/delete?session=a", Value::Null).1["status"], "deleted");
    assert_eq!(world.farewell(socket), Some((1000, "deleted".to_owned())));
    assert_eq!(page(&mut world, "/api/history?session=a&last=9").0, "");
}

#[test]
fn a_deleted_session_is_let_go_of_with_what_has_gathered_and_what_is_being_loaded() {
    let mut world = world();
    world.message("ada", "a");
    world.message("ada", "b");
    let watching = world.socket_with("/ws?session=a", &bearer(&token("ada")));
    world.take(watching);
    let (calls, appended) = (world.shard.sizes().calls, world.appended.len());
    // A second message in the tick of the deletion: it is not appended, and whoever waits for the batch is answered all the same.
    let (sends, deletes) = (world.connect(), world.connect());
    let head = |method: &str, target: &str, body: &str| {
        let length = body.len();
        format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            bearer(&token("ada"))
        )
    };
    let stop = head("POST", "/api/stop?session=a", "{}");
    let delete = head("POST", "/api/sessions/delete?session=a", "");
    world.reading.clear();
    world.tick(vec![Event::Read { socket: sends, bytes: stop.as_bytes() }, Event::Read { socket: deletes, bytes: delete.as_bytes() }]);
    assert_eq!(world.appended.len(), appended, "what had gathered is dropped");
    assert!(!world.shut.is_empty() && world.farewell(watching) == Some((1000, "deleted".to_owned())));
    assert_eq!((world.shard.sizes().calls, world.shard.sizes().open_sessions), (calls / 2, 1), "the other session runs on");
    world.durable();
    assert!(world.take(sends).contains("200"), "its batch is durable");
    assert_eq!(world.take(deletes), "", "not deleted yet");
    let deleted = Deleted { sessions: 1, turns: 2, records: 9, bytes: 100 };
    world.done(answers::deleted("a", &deleted, true));
    assert_eq!(json_of(&world.take(deletes)), json!({ "status": "deleted", "id": "a", "turns": 2, "bytes": 100 }));
    let noted = world.audit.iter().rfind(|record| record.what == "delete_session").unwrap();
    assert_eq!((noted.who.as_deref(), noted.status), (Some("ada"), Some(200)));
    // One that is being loaded meanwhile is loaded again, behind the deletion.
    let reads = world.begin(&token("ada"), "GET", "/api/history?session=c", "");
    assert_eq!(world.loads.len(), 1);
    world.begin(&token("ada"), "POST", "/api/sessions/delete?session=c", "");
    assert_eq!(world.load(), 1);
    assert_eq!((world.take(reads).as_str(), world.loads.len()), ("", 1), "what the first load found doesn't count");
    assert_eq!(world.load(), 1);
    assert!(world.take(reads).contains("\"messages\":[]"));
    assert_eq!(world.shard.sizes().journal, 0);
}

#[test]
fn a_session_that_was_forked_is_there_also_for_who_asked_before() {
    let mut world = world();
    let reads = world.begin(&token("ada"), "GET", "/api/history?session=new", "");
    assert_eq!(world.loads.len(), 1);
    let forks = world.begin(&token("ada"), "POST", "/api/sessions/fork?session=a", r#"{"turn":"msg_1","to":"new"}"#);
    assert!(matches!(&world.jobs.last().unwrap().1, Job::Journal(job) if matches!(**job, JournalJob::Fork { .. })));
    world.done(JobOutcome::Forked(Box::new(Forked { to: name("ada", "new"), turn: TurnId(1), message: None })));
    assert_eq!(json_of(&world.take(forks)), json!({ "status": "forked", "id": "new", "turn": "msg_1" }));
    assert_eq!(world.load(), 1);
    assert_eq!((world.take(reads).as_str(), world.loads.len()), ("", 1), "what was found before the fork doesn't count");
    assert_eq!(world.load(), 1);
    assert!(world.take(reads).contains("\"messages\":[]"));
}

#[test]
fn what_is_kept_of_a_user_is_deleted_by_each_shard_behind_its_own_appends() {
    let mut world = world_of(3);
    world.tick(vec![]);
    let socket = world.begin(&token("ada"), "POST", "/api/me/delete", "");
    let mails = std::mem::take(&mut world.mail);
    let ticket = match &mails[0].1 {
        Mail::Operation { ticket, .. } => *ticket,
        other => panic!("{other:?}"),
    };
    assert_eq!(mails.len(), 2);
    let (of_job, job) = world.jobs.last().cloned().unwrap();
    let own = Forget { user: "ada".into(), whose: Whose::Shard(ShardId(0), 3), open: 0 };
    assert_eq!((of_job, job), (ticket, Job::Journal(Box::new(JournalJob::Forget(own)))));
    let part = |sessions: u64, open: usize| match answers::forgotten(&Deleted { sessions, turns: 10, records: 0, bytes: 5 }, open) {
        JobOutcome::Reply(reply) => reply,
        other => panic!("{other:?}"),
    };
    world.tick(vec![Event::Mail(Mail::Reply { ticket, reply: part(2, 1) })]);
    world.done(JobOutcome::Reply(part(1, 0)));
    assert_eq!(world.take(socket), "", "one shard has not deleted its own yet");
    world.tick(vec![Event::Mail(Mail::Reply { ticket, reply: part(0, 0) })]);
    let answer = json_of(&world.take(socket));
    assert_eq!((&answer["journal"], &answer["sessions"]), (&json!({ "sessions": 3, "turns": 30, "bytes": 15 }), &json!(1)));
    assert!(answer["note"].as_str().unwrap().contains("backups"), "and it says what it can't reach: {answer}");
    // Where it can't be deleted now, the user learns it.
    let socket = world.begin(&token("ada"), "POST", "/api/me/delete", "");
    let refusal = Refusal::new(crate::contract::Code::JournalUnavailable, "the disk is full");
    world.done(JobOutcome::Reply(refusal.into()));
    assert!(world.take(socket).contains("journal_unavailable"));
    // Another shard's request: the answer is the journal's.
    let key = Key { sub: "ada".into(), id: "default".into() };
    let (from, what) = (crate::contract::Caller::default(), operation::What::Forget);
    let operation = operation::Operation { key, from, address: None, webhook: None, what };
    world.tick(vec![Event::Mail(Mail::Operation { operation: Box::new(operation), from: ShardId(1), ticket: Ticket(77) })]);
    world.mail.clear();
    world.done(JobOutcome::Reply(part(4, 0)));
    assert!(matches!(world.mail.as_slice(), [(ShardId(1), Mail::Reply { ticket: Ticket(77), .. })]), "{:?}", world.mail);
}

#[test]
fn while_the_journal_can_not_be_written_nothing_is_let_go_of() {
    let mut world = world();
    world.message("ada", "a");
    let broken = Refusal::new(crate::contract::Code::JournalUnavailable, "the disk is full");
    world.tick(vec![Event::JournalState { broken: Some(broken) }]);
    for target in ["/api/sessions/delete?session=a", "/api/me/delete"] {
        assert_eq!(world.wanted(&token("ada"), "POST", target, ""), Err("journal_unavailable".into()), "{target}");
    }
    assert_eq!((world.shard.sizes().open_sessions, world.shard.sizes().calls), (1, 1));
}

#[test]
fn what_is_in_memory_and_in_the_journal_is_shown_once() {
    let mut world = world();
    world.message("ada", "a");
    let socket = world.begin(&token("ada"), "GET", "/api/me", "");
    let row = |session: &str| crate::contract::journal::SessionRow {
        session: session.into(),
        title: "T".into(),
        turns: 30,
        ..Default::default()
    };
    world.done(answers::kept_of(&[row("b"), row("a")], 200));
    let me = json_of(&world.take(socket));
    let shown: Vec<(Value, Value, Value)> = me["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| (session["id"].clone(), session["turns"].clone(), session["busy"].clone()))
        .collect();
    assert_eq!(shown, [(json!("a"), json!(30), json!(true)), (json!("b"), json!(30), Value::Null)]);
    assert_eq!(me["next"], Value::Null);
}

#[test]
fn a_turn_that_left_memory_is_looked_up_in_the_journal() {
    let mut limits = settings().limits;
    limits.traces_max = 1;
    let mut world = World::new(Settings { keeping: KEEPING, graph: "v1-direct".into(), limits, ..settings() });
    for turn in 1..=3 {
        let socket = world.begin("", "POST", "/api/send?session=a", &json!({ "text": format!("question {turn}") }).to_string());
        world.load();
        world.durable();
        world.take(socket);
        world.answer("answer");
        world.complete("{}");
        world.durable();
    }
    let wanted = world.wanted("", "GET", "/api/turn?session=a&id=msg_1", "");
    let is_in_memory = |wanted: &Result<JournalJob, String>, of: u64| match wanted {
        Ok(JournalJob::Turn { name, turn, shown }) if name.session == "a" && *turn == TurnId(of) => shown.in_memory.is_some(),
        other => panic!("{other:?}"),
    };
    assert!(!is_in_memory(&wanted, 1));
    assert_eq!(world.wanted("", "GET", "/api/turn?session=a&id=msg_9", ""), Err("unknown_turn".into()));
    let wanted = world.wanted("", "GET", "/api/turn?session=a&id=msg_3", "");
    assert!(is_in_memory(&wanted, 3), "of one that is in memory only the rating is");
    // While something waits to be durable, nothing is shown of it.
    let socket = world.begin("", "POST", "/api/send?session=a", r#"{"text":"question 4"}"#);
    let asks = world.begin("", "GET", "/api/turn?session=a&id=msg_3", "");
    assert!(world.jobs.is_empty());
    world.durable();
    assert_eq!((world.jobs.len(), world.take(socket).contains("queued")), (1, true));
    let Some((_, Job::Journal(job))) = world.jobs.last().cloned() else { panic!("{:?}", world.jobs) };
    let JournalJob::Turn { shown, .. } = *job else { panic!("{job:?}") };
    world.done(answers::turn(Some(None), *shown));
    let shown = json_of(&world.take(asks));
    assert_eq!((&shown["id"], &shown["rating"]), (&json!("msg_3"), &Value::Null), "{shown}");
}

#[test]
fn an_export_is_a_file_to_be_saved() {
    let mut world = world();
    for method in ["GET", "HEAD"] {
        let socket = world.begin(&token("ada"), method, "/api/sessions/export?session=a", "");
        world.done(JobOutcome::Document { kind: "text/markdown; charset=utf-8", name: "a.md".into(), body: b"# T\n".to_vec() });
        let answer = world.take(socket);
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("content-disposition: attachment; filename=\"a.md\"\r\n"),
            "{answer}"
        );
        assert!(answer.contains("content-type: text/markdown; charset=utf-8\r\n") && answer.contains("content-length: 4\r\n"), "{answer}");
        assert_eq!(answer.ends_with("# T\n"), method == "GET", "{answer}");
    }
    let socket = world.begin(&token("ada"), "GET", "/api/sessions/export?session=none", "");
    world.done(answers::unknown_session());
    assert!(world.take(socket).starts_with("HTTP/1.1 404"));
}
