//! Every call of the contract's table: its fields, and what it says of a session at each point of a conversation.

use crate::support::{Provider, Server, eventually};
use serde_json::{Value, json};

/// The names of an object's fields, in order of the alphabet.
fn fields(object: &Value) -> Vec<&str> {
    let mut fields: Vec<&str> = object.as_object().unwrap_or_else(|| panic!("an object: {object}")).keys().map(String::as_str).collect();
    fields.sort_unstable();
    fields
}

fn has_fields(object: &Value, names: &[&str]) {
    let there = fields(object);
    names.iter().for_each(|name| assert!(there.contains(name), "`{name}` is missing in {object}"));
}

fn initial_memory() -> Value {
    json!({
        "user_name": "anonymous", "user_mood": "neutral", "topic": null, "topic_history": [], "situation": "", "language": "en",
        "style_hint": "casual, technical", "facts": [],
    })
}

#[test]
fn health_and_the_way_to_log_in_are_told_to_everyone() {
    let server = Server::start();
    let mut wire = server.connect();
    let health = wire.ask("GET", "/health", None).json();
    assert!(["io_uring", "epoll"].contains(&health["io"].as_str().unwrap()), "{health}");
    assert_eq!(health["status"], "ok");
    assert_eq!((&health["model"]["name"], &health["model"]["demo"]), (&json!("demo"), &json!(true)), "the page says which model answers");
    let config = wire.ask("GET", "/auth/config", None).json();
    assert_eq!(config["enabled"], false);
    has_fields(&config, &["enabled", "issuer", "clientId", "projectId"]);
}

#[test]
fn a_session_that_nobody_used_shows_its_initial_state() {
    let server = Server::start();
    let session = server.session("fresh");
    for (path, shown) in [
        ("/api/result", json!({ "status": "idle" })),
        ("/api/poll?since=no_session", json!({ "changed": false, "hash": "no_session" })),
        ("/api/poll", json!({ "changed": true, "hash": "no_session", "state": initial_memory(), "history_len": 0, "last_messages": [] })),
        ("/api/frames", json!({ "graph": "v3-framed", "engine": "frames", "traces": [], "last_trace": null })),
        ("/api/history", json!({ "status": "active", "messages": [], "seq": 0 })),
        ("/api/trace", json!({ "lines": [] })),
        ("/api/tests", json!({})),
        (
            "/api/state",
            json!({
                "status": "active", "memorizer": initial_memory(), "history_len": 0, "ws_connected": false, "memorizing": false,
                "controls": [], "machines": [], "ui_state": {}, "processes": [], "schema_cache": {},
            }),
        ),
    ] {
        let read = session.read(path);
        for (name, value) in shown.as_object().unwrap() {
            assert_eq!(&read[name], value, "`{name}` of {path}: {read}");
        }
    }
    let ready = session.call("POST", "/api/send/check", None).json();
    assert_eq!(ready, json!({ "ready": true, "graph": "v3-framed", "identity": "anonymous", "history_len": 0, "ws_connected": false }));
    let status = session.read("/api/test/status");
    assert_eq!((&status["running"], &status["current"], &status["results"]), (&json!(false), &json!(""), &json!([])));
    has_fields(&status, &["running", "current", "results", "last_green", "last_red", "total_expected"]);
}

#[test]
fn reading_and_attaching_create_nothing() {
    let server = Server::start();
    let session = server.session("looked-at");
    for path in
        ["/api/result", "/api/frames", "/api/state", "/api/history", "/api/graph/active", "/api/graph/prompt?node=director", "/api/trace"]
    {
        session.read(path);
    }
    session.call("POST", "/api/send/check", None);
    let chat = session.attached();
    let events = session.events();
    assert_eq!(session.read("/api/poll")["hash"], "no_session");
    assert_eq!(session.read("/api/state")["ws_connected"], true);
    drop((chat, events));
    session.send("hello");
    assert_ne!(session.read("/api/poll")["hash"], "no_session");
}

#[test]
fn a_message_is_queued_at_once_and_its_turn_can_be_followed_to_its_end() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("followed");
    let text = json!({"say": "one two three", "hold": "output", "after": 2}).to_string();
    let queued = session.post("/api/send", &json!({ "text": text }));
    assert_eq!(queued, json!({ "status": "queued", "id": "msg_1" }));
    let running = session.result();
    assert_eq!((&running["status"], &running["id"]), (&json!("running"), &json!("msg_1")), "from then on the result shows this id");
    has_fields(&running, &["status", "id", "stage", "event", "text", "partial"]);
    let running = eventually("the first words", || Some(session.result()).filter(|result| result["partial"] == "one two "));
    assert_eq!(
        running,
        json!({ "status": "running", "id": "msg_1", "stage": "output", "event": "streaming", "text": text, "partial": "one two " })
    );
    let history = session.read("/api/history");
    assert_eq!(history["messages"], json!([{ "role": "user", "content": text, "id": "msg_1" }]), "the running turn's message is shown");
    provider.release(1);
    let done = session.result_of("msg_1");
    has_fields(&done, &["status", "id", "stage", "response", "memorizer"]);
    assert_eq!((&done["status"], &done["stage"], &done["response"]), (&json!("done"), &json!("done"), &json!("one two three")));
    has_fields(&done["memorizer"], &fields(&initial_memory()));
    assert_eq!(session.send("{}"), "msg_2", "ids count up");
}

#[test]
fn every_stage_of_a_turn_is_named_while_it_runs() {
    let provider = Provider::start();
    let server = provider.server();
    for (stage, tools) in [
        ("input", json!([])),
        ("director", json!([])),
        ("thinker", json!([{ "tool": "recall" }])),
        ("interpreter", json!([{ "tool": "recall", "args": { "query": "tea" } }])),
        ("output", json!([])),
    ] {
        let session = server.session(stage);
        let fill = json!([{ "tool": "recall", "args": { "query": "tea" } }]);
        let id = session.send(&json!({ "hold": stage, "tools": tools, "fill": fill }).to_string());
        provider.holds(1);
        let running = session.result();
        assert_eq!((&running["status"], &running["stage"]), (&json!("running"), &json!(stage)), "{running}");
        let processes = session.read("/api/state")["processes"].clone();
        assert_eq!(processes.as_array().unwrap().len(), 1, "{processes}");
        assert_eq!((&processes[0]["kind"], &processes[0]["label"]), (&json!("llm"), &json!(stage)), "{processes}");
        assert_eq!((processes[0]["pid"].is_u64(), &processes[0]["turn"]), (true, &json!(id)), "{processes}");
        assert!(processes[0]["started_at"].as_f64().unwrap() > 1.7e12, "milliseconds since 1970: {processes}");
        provider.release(1);
        let result = session.result_of(&id);
        assert_eq!(result["status"], "done", "{stage}: {result}");
    }
}

#[test]
fn a_turn_in_the_way_is_a_conflict_however_it_was_started() {
    let provider = Provider::start();
    let server = provider.server();
    let held = json!({ "hold": "output" });
    for by_socket in [false, true] {
        let session = server.session(if by_socket { "by-socket" } else { "by-http" });
        let mut chat = session.attached();
        if by_socket {
            chat.say(&json!({ "text": held.to_string() }));
        } else {
            session.send(&held.to_string());
        }
        provider.holds(1);
        let busy = session.call("POST", "/api/send/check", None).json();
        assert_eq!((&busy["ready"], &busy["reason"]), (&json!(false), &json!("busy")), "{busy}");
        assert!(busy["detail"].as_str().unwrap().contains(' '), "{busy}");
        let refused = session.call("POST", "/api/send", Some(&json!({ "text": "hello" })));
        assert_eq!(refused.status, 409, "{}", refused.text());
        refused.detail();
        provider.release(1);
        chat.until_done("msg_1");
        assert_eq!(session.call("POST", "/api/send/check", None).json()["ready"], true);
        assert_eq!(session.messages().len(), 2, "the refused message left nothing behind");
    }
}

#[test]
fn a_poll_tells_what_changed_since_its_hash() {
    let server = Server::start();
    let session = server.session("polled");
    session.ask("hello");
    session.memorized();
    let first = session.read("/api/poll?since=no_session");
    has_fields(&first, &["changed", "hash", "state", "history_len", "last_messages"]);
    assert_eq!((&first["changed"], &first["history_len"]), (&json!(true), &json!(2)));
    let hash = first["hash"].as_str().unwrap();
    assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "12 hex digits: {hash}");
    assert_eq!(session.read(&format!("/api/poll?since={hash}")), json!({ "changed": false, "hash": hash }));
    session.ask("hello");
    let second = session.read(&format!("/api/poll?since={hash}"));
    assert_eq!((&second["changed"], &second["history_len"]), (&json!(true), &json!(4)));
    let last: Vec<_> = second["last_messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(last, ["assistant", "user", "assistant"], "the last 3 messages, oldest first");
    assert_ne!(second["hash"], hash);
}

#[test]
fn the_last_twenty_turns_are_kept_and_shown_oldest_first() {
    let server = Server::start();
    let session = server.session("long");
    for _ in 0..23 {
        session.ask("hello");
    }
    let ids = |path: &str| -> Vec<String> {
        let frames = session.read(path);
        let traces = frames["traces"].as_array().unwrap();
        assert_eq!(frames["last_trace"], traces[traces.len() - 1]);
        traces.iter().map(|trace| trace["id"].as_str().unwrap().to_owned()).collect()
    };
    let names = |range: std::ops::RangeInclusive<u32>| -> Vec<String> { range.map(|number| format!("msg_{number}")).collect() };
    for (path, shown) in [
        ("/api/frames", names(19..=23)),
        ("/api/frames?last=1", names(23..=23)),
        ("/api/frames?last=7", names(17..=23)),
        ("/api/frames?last=0", names(23..=23)),
        ("/api/frames?last=-3", names(23..=23)),
        ("/api/frames?last=1000000", names(4..=23)),
        ("/api/frames?last=99999999999999999999", names(4..=23)),
    ] {
        assert_eq!(ids(path), shown, "{path}");
    }
    let messages = |path: &str| session.read(path)["messages"].as_array().unwrap().len();
    for (path, count) in [("/api/history", 10), ("/api/history?last=3", 3), ("/api/history?last=0", 1), ("/api/history?last=9999", 46)] {
        assert_eq!(messages(path), count, "{path}");
    }
    let lines = |path: &str| session.read(path)["lines"].as_array().unwrap().len();
    for (path, count) in [("/api/trace", 30), ("/api/trace?last=4", 4), ("/api/trace?last=0", 1)] {
        assert_eq!(lines(path), count, "{path}");
    }
    assert_eq!(session.read("/api/turn?id=msg_3")["trace"]["id"], "msg_3", "the journal has those that left memory");
    assert_eq!(session.call("GET", "/api/turn?id=msg_24", None).code(), "unknown_turn");
    assert_eq!(session.read("/api/turn?id=msg_4")["trace"]["id"], "msg_4");
}

#[test]
fn one_kept_turn_can_be_looked_at_closely() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("close");
    let text = json!({"say": "Here you are.", "tools": [{ "tool": "recall", "args": { "query": "tea" } }]}).to_string();
    let trace = session.ask(&text);
    session.memorized();
    let turn = session.read("/api/turn?id=msg_1");
    assert_eq!(turn["trace"]["frames"], trace["frames"]);
    let calls = turn["calls"].as_array().unwrap();
    let nodes: Vec<_> = calls.iter().map(|call| call["node"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["input", "director", "interpreter", "memorizer"]);
    for call in calls {
        has_fields(call, &["pid", "node", "frame", "request", "answer"]);
        assert!(call["request"].to_string().contains("You "), "the request is there in full: {call}");
    }
    let said = json!(r#"{"findings":[],"summary":"Here you are."}"#);
    assert_eq!(calls[2]["answer"], said);
    assert_eq!((&calls[2]["reply"]["text"], &calls[2]["reply"]["finish"]), (&said, &json!("stop")), "{}", calls[2]);
    let long = json!({"say": "word ".repeat(4_000), "tools": [{ "tool": "recall", "args": { "query": "tea" } }]}).to_string();
    session.ask(&long);
    let said =
        session.read("/api/turn?id=msg_2")["calls"].as_array().unwrap().iter().find(|call| call["node"] == "interpreter").unwrap().clone();
    assert!(said["reply"].is_null() && said["answer"].as_str().unwrap().ends_with('…'), "an answer that is too long is not kept whole");
    for (path, statuses) in [("/api/turn?id=msg_3", [404, 404]), ("/api/turn?id=nonsense", [400, 404]), ("/api/turn", [400, 404])] {
        let answer = session.call("GET", path, None);
        assert!(statuses.contains(&answer.status), "{path}: {answer:?}");
        answer.detail();
    }
}

#[test]
fn the_state_shows_everything_that_a_session_holds() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("full");
    let tools = json!([
        { "tool": "set_state", "args": { "key": "score", "value": 7 } },
        { "tool": "emit_actions", "args": { "actions": [{ "label": "Red", "action": "red" }] } },
        { "tool": "create_machine", "args": { "id": "lamp", "initial": "off", "states": {
            "off": { "buttons": [{ "label": "Switch on", "go": "on" }] }, "on": { "buttons": [{ "label": "Switch off", "go": "off" }] } } } },
    ]);
    let memory = json!({ "user_name": "Ada", "facts": ["likes tea"], "topic": "lamps" });
    session.ask(&json!({ "tools": tools, "memory": memory }).to_string());
    let state = session.memorized();
    has_fields(
        &state,
        &[
            "status",
            "memorizer",
            "history_len",
            "ws_connected",
            "memorizing",
            "controls",
            "machines",
            "ui_state",
            "processes",
            "schema_cache",
        ],
    );
    assert_eq!(state["ui_state"], json!({ "score": 7 }));
    assert_eq!(state["memorizer"]["user_name"], "Ada");
    assert_eq!((&state["memorizer"]["facts"], &state["memorizer"]["topic"]), (&json!(["likes tea"]), &json!("lamps")));
    assert_eq!(state["machines"][0]["id"], "lamp");
    let controls: Vec<_> = state["controls"].as_array().unwrap().iter().map(|control| (&control["label"], &control["source"])).collect();
    assert_eq!(controls, [(&json!("Red"), &json!("thinker")), (&json!("Switch on"), &json!("machine:lamp"))]);
}

#[test]
fn the_graphs_are_listed_and_the_active_one_is_ready_to_draw() {
    let server = Server::start();
    let session = server.session("drawn");
    let list = session.read("/api/graph/list");
    let names: Vec<_> = list["graphs"].as_array().unwrap().iter().map(|graph| graph["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"v1-direct") && names.contains(&"v3-framed"), "{names:?}");
    list["graphs"].as_array().unwrap().iter().for_each(|graph| has_fields(graph, &["name", "description", "paths"]));
    let active = session.read("/api/graph/active");
    has_fields(&active, &["name", "description", "nodes", "edges", "cytoscape"]);
    assert_eq!(active["name"], "v3-framed");
    let nodes: Vec<_> = active["cytoscape"]["nodes"].as_array().unwrap().iter().map(|node| node["data"]["id"].as_str().unwrap()).collect();
    assert!(
        ["input", "director", "thinker", "interpreter", "output", "ui", "memorizer"].iter().all(|name| nodes.contains(name)),
        "{nodes:?}"
    );
    for edge in active["cytoscape"]["edges"].as_array().unwrap() {
        for end in ["source", "target"] {
            assert!(nodes.contains(&edge["data"][end].as_str().unwrap()), "an edge of unknown nodes: {edge}");
        }
    }
}

#[test]
fn a_nodes_prompt_is_told_as_it_would_be_asked() {
    let server = Server::start();
    let session = server.session("prompted");
    let prompt = |query: &str| session.read(&format!("/api/graph/prompt?{query}"));
    let content = |prompt: &Value| {
        let messages = prompt["messages"].as_array().unwrap().iter();
        messages.map(|message| message["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
    };
    let fresh = prompt("node=director&text=why%20is%20the%20sky%20blue%3F");
    has_fields(&fresh, &["node", "kind", "model", "messages", "schema", "tools"]);
    assert_eq!((&fresh["node"], &fresh["kind"], &fresh["model"]), (&json!("director"), &json!("director"), &json!("strong")));
    let roles: Vec<_> = fresh["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user"]);
    assert!(content(&fresh).contains("## message\nwhy is the sky blue?") && content(&fresh).contains("local time: "), "{fresh}");
    assert_eq!((&fresh["schema"]["type"], &fresh["tools"]), (&json!("object"), &json!([])));
    let id = session.ask("what did I say before?")["id"].as_str().unwrap().to_owned();
    session.memorized();
    let turn = session.read(&format!("/api/turn?id={id}"));
    for call in turn["calls"].as_array().unwrap().iter().filter(|call| call["node"] != "memorizer") {
        let told = prompt(&format!("node={}", call["node"].as_str().unwrap()));
        let asked = content(&call["request"]);
        // The memorizer has been at work since, and time has passed.
        let is_the_same =
            |before: &str, line: &str| before != "## memory" && !["local time: ", "idle: "].iter().any(|start| line.starts_with(start));
        let but_those = |text: &str| {
            let pairs = std::iter::once("").chain(text.lines()).zip(text.lines());
            pairs.filter(|(before, line)| is_the_same(before, line)).map(|(_, line)| line.to_owned()).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(but_those(&content(&told)), but_those(&asked), "{}", call["node"]);
    }
    assert!(content(&prompt("node=output&text=and%20now%3F")).contains("what did I say before?"), "it is history for the next message");
    assert_eq!(prompt("node=output")["schema"], Value::Null);
    session.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
    assert_eq!(prompt("node=agent")["tools"][0]["parameters"]["type"], "object", "its model calls tools by itself");
    session.post("/api/graph/switch", &json!({ "name": "v4-eras" }));
    let expert = prompt("node=eras&text=x");
    let stages: Vec<_> = expert["messages"].as_array().unwrap().iter().map(|message| message["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["plan", "plan", "compose", "compose"]);
    assert!(content(&expert).contains("## dialect\nSQLite"), "{expert}");
    for (query, status, code) in [
        ("", 400, "invalid_parameter"),
        ("?node=", 400, "invalid_parameter"),
        ("?node=director", 404, "unknown_node"),
        ("?node=ui", 400, "node_without_prompt"),
        ("?node=sensor", 400, "node_without_prompt"),
    ] {
        let answer = session.call("GET", &format!("/api/graph/prompt{query}"), None);
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.code(), code, "{query}: {}", answer.detail());
    }
}

#[test]
fn a_session_is_named_by_the_query_or_a_header_and_by_nothing_odd() {
    let server = Server::start();
    server.session("named").ask("hello");
    server.session("default").ask("hello");
    let longest = "a".repeat(64);
    for (target, header, status, history) in [
        ("/api/state?session=named", "", 200, 2),
        ("/api/state", "X-Session-Id: named\r\n", 200, 2),
        ("/api/state", "x-session-id: named\r\n", 200, 2),
        ("/api/state?session=named", "X-Session-Id: other\r\n", 200, 2),
        ("/api/state", "", 200, 2),
        ("/api/state?session=default", "", 200, 2),
        ("/api/state?session=Named", "", 200, 0),
        (&*format!("/api/state?session={longest}"), "", 200, 0),
        (&*format!("/api/state?session={longest}a"), "", 400, 0),
        ("/api/state?session=", "", 400, 0),
        ("/api/state?session=a%20b", "", 400, 0),
        ("/api/state?session=a.b", "", 400, 0),
        ("/api/state?session=../etc", "", 400, 0),
        ("/api/state?session=%C3%A4", "", 400, 0),
        ("/api/state", "X-Session-Id: a/b\r\n", 400, 0),
        ("/ws?session=a.b", "", 400, 0),
        ("/api/events?session=a.b", "", 400, 0),
    ] {
        let mut wire = server.connect();
        let upgrade =
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let upgrade = if target.starts_with("/ws") { upgrade } else { "" };
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{header}{upgrade}\r\n"));
        let answer = wire.answer();
        assert_eq!(answer.status, status, "{target} {header}: {}", answer.text());
        if status == 200 {
            assert_eq!(answer.json()["history_len"], history, "{target} {header}");
        } else {
            answer.detail();
        }
    }
}
