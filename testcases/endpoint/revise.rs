//! Answers that are made again and messages that are edited, over HTTP, and what of it survives a crash.

use crate::support::http::Wire;
use crate::support::{Conversation, Folder, Provider, Server, Setting, run};
use serde_json::{Value, json};

fn says(text: &str) -> String {
    json!({ "say": text }).to_string()
}

/// Each message as its turn and its text.
fn texts(messages: &[Value]) -> Vec<(&str, &str)> {
    messages.iter().map(|message| (message["id"].as_str().unwrap(), message["content"].as_str().unwrap())).collect()
}

fn code(session: &Conversation, path: &str, body: &Value) -> (u16, Value) {
    let answer = session.call("POST", path, Some(body));
    (answer.status, answer.json()["code"].clone())
}

/// Begins a turn, and waits for its end.
fn begin(session: &Conversation, path: &str, body: &Value) -> String {
    let queued = session.post(path, body);
    assert_eq!(queued["status"], "queued", "{queued}");
    let id = queued["id"].as_str().unwrap();
    session.result_of(id);
    id.to_owned()
}

#[test]
fn the_last_answer_is_made_again_and_the_old_one_stays_as_a_variant() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("again");
    let mut events = session.events();
    session.ask(&says("One."));
    session.ask(&says("Two."));
    assert_eq!(begin(&session, "/api/turn/retry", &json!({})), "msg_3");
    let messages = session.messages();
    assert_eq!(
        texts(&messages),
        [("msg_1", &*says("One.")), ("msg_1", "One."), ("msg_3", &*says("Two.")), ("msg_3", "Two.")],
        "{messages:?}"
    );
    let variant = json!({ "id": "msg_2", "messages": [
        { "role": "user", "content": says("Two."), "id": "msg_2" },
        { "role": "assistant", "content": "Two.", "id": "msg_2" },
    ] });
    assert_eq!(messages[2]["variants"], json!([variant]));
    assert!(messages.iter().enumerate().all(|(at, message)| at == 2 || message["variants"].is_null()), "{messages:?}");
    let replaced = events.until(|event| event["event"] == "replaced");
    let replaced = &replaced.last().unwrap().event;
    assert_eq!((&replaced["turn"], &replaced["turns"], &replaced["variants"]), (&json!("msg_3"), &json!(["msg_2"]), &json!([variant])));
    // What the model of the new turn was asked.
    let asked = provider.asked_of("output").pop().unwrap().to_string();
    assert!(asked.contains("One.") && !asked.contains("assistant: Two."), "{asked}");
}

#[test]
fn an_edit_takes_the_conversation_back_to_its_message() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("edited");
    for say in ["One.", "Two.", "Three."] {
        session.ask(&says(say));
    }
    assert_eq!(begin(&session, "/api/turn/edit", &json!({ "id": "msg_2", "message": says("Zwei.") })), "msg_4");
    let messages = session.messages();
    assert_eq!(texts(&messages)[2..], [("msg_4", &*says("Zwei.")), ("msg_4", "Zwei.")]);
    let variant: Vec<Value> = messages[2]["variants"][0]["messages"].as_array().unwrap().clone();
    assert_eq!(texts(&variant), [("msg_2", &*says("Two.")), ("msg_2", "Two."), ("msg_3", &*says("Three.")), ("msg_3", "Three.")]);
    // The trace of what was replaced can still be opened.
    assert_eq!(session.read("/api/turn?id=msg_3")["id"], "msg_3");
}

#[test]
fn what_is_refused_says_why_with_a_code() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("refused");
    let (retry, edit) = ("/api/turn/retry", "/api/turn/edit");
    assert_eq!(code(&session, retry, &json!({})), (409, json!("nothing_to_retry")));
    assert_eq!(session.read("/api/poll")["hash"], "no_session", "a refused retry begins no session");
    session.ask(&says("One."));
    session.ask(&says("Two."));
    for (path, body, status, expected) in [
        (retry, json!({ "id": "msg_1" }), 409, "not_last_turn"),
        (retry, json!({ "id": "msg_9" }), 404, "unknown_turn"),
        (retry, json!({ "id": "1" }), 400, "invalid_parameter"),
        (retry, json!({ "session": "no good" }), 200, "queued"),
        (edit, json!({ "id": "msg_9", "message": "x" }), 404, "unknown_turn"),
        (edit, json!({ "id": "msg_1", "message": " " }), 400, "message_blank"),
        (edit, json!({ "id": "msg_1" }), 400, "message_missing"),
        (edit, json!({ "message": "x" }), 400, "invalid_parameter"),
        (edit, json!({ "id": "msg_1", "message": "x", "client_id": "no good" }), 400, "invalid_client_id"),
        (edit, json!({ "id": "msg_1", "message": "x".repeat(300 << 10) }), 413, "message_too_large"),
    ] {
        if expected == "queued" {
            // The address takes precedence over the body.
            begin(&session, path, &body);
            continue;
        }
        assert_eq!(code(&session, path, &body), (status, json!(expected)), "{path} {body:.80}");
    }
    session.send(&json!({ "hold": "output" }).to_string());
    provider.holds(1);
    for (path, body) in [(retry, json!({})), (edit, json!({ "id": "msg_1", "message": "x" }))] {
        assert_eq!(code(&session, path, &body), (409, json!("turn_in_progress")), "{path}");
    }
    session.post("/api/stop", &json!({}));
}

#[test]
fn both_are_named_and_acknowledged_as_messages_are() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("named");
    session.ask(&says("One."));
    let mut chat = session.attached();
    let post = |path: &str, headers: &str, body: &Value| {
        let body = body.to_string();
        let length = body.len();
        let mut wire = Wire::open(session.address);
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        wire.answer().json()
    };
    // The session may be named in the body, and the request in the header.
    let queued = json!({ "status": "queued", "id": "msg_2", "client_id": "again" });
    for _ in 0..2 {
        assert_eq!(post("/api/turn/retry", "Idempotency-Key: again\r\n", &json!({ "session": "named" })), queued);
        session.result_of("msg_2");
    }
    let edited = json!({ "id": "msg_2", "message": says("Other."), "client_id": "edit" });
    for _ in 0..2 {
        assert_eq!(session.post("/api/turn/edit", &edited), json!({ "status": "queued", "id": "msg_3", "client_id": "edit" }));
        session.result_of("msg_3");
    }
    let seen = chat.until_done("msg_3");
    let of =
        |kind: &str, client_id: &str| seen.iter().filter(|message| message["type"] == kind && message["client_id"] == client_id).count();
    assert_eq!((of("delta", "again"), of("done", "again"), of("delta", "edit"), of("done", "edit")), (1, 1, 1, 1), "{seen:?}");
    assert_eq!(session.trace_of("msg_3")["client_id"], "edit");
    assert_eq!(post("/api/turn/retry", "", &json!({ "session": "no good" }))["code"], "invalid_session");
}

fn ids(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap()).collect()
}

/// A server on this folder, which calls this provider.
fn server_on(folder: &Folder, provider: &Provider) -> Server {
    let url = provider.url();
    let options = ["--llm-url", &url, "--model", "puppet", "--fast-model", "puppet"];
    Server::with(&Setting { options: &options, data: Some(folder.path()), ..Setting::default() })
}

#[test]
fn what_was_replaced_or_rolled_back_stays_so_after_a_crash_and_replays() {
    let (folder, provider) = (Folder::new(), Provider::start());
    let mut server = server_on(&folder, &provider);
    let session = server.session("kept");
    for say in ["One.", "Two.", "Three.", "Four."] {
        session.ask(&says(say));
    }
    begin(&session, "/api/turn/edit", &json!({ "id": "msg_2", "message": says("Zwei.") }));
    begin(&session, "/api/turn/retry", &json!({ "client_id": "again" }));
    let before = session.read("/api/history?last=200")["messages"].clone();
    assert_eq!(ids(&before), ["msg_1", "msg_1", "msg_6", "msg_6"]);
    assert_eq!(ids(&before[2]["variants"]), ["msg_2", "msg_5"]);
    server.signal("KILL");
    server.ended();

    let server = server_on(&folder, &provider);
    let session = server.session("kept");
    assert_eq!(session.read("/api/history?last=200")["messages"], before);
    assert_eq!(session.post("/api/turn/retry", &json!({ "client_id": "again" }))["id"], "msg_6", "the name is still known");
    let page = "/api/history?before=msg_99&last=50";
    assert_eq!(ids(&session.read(page)["messages"]), ["msg_1", "msg_1", "msg_6", "msg_6"]);
    let export = session.call("GET", "/api/sessions/export?format=md", None).text();
    assert!(export.contains("Zwei.") && !export.contains("Two.") && !export.contains("Four."), "{export}");
    let turns = session.read("/api/turns?limit=50")["turns"].clone();
    let listed: Vec<(&str, bool)> =
        ids(&turns).into_iter().zip(turns.as_array().unwrap().iter().map(|turn| turn["replaced"] == true)).collect();
    assert_eq!(
        listed,
        [("msg_6", false), ("msg_5", true), ("msg_4", true), ("msg_3", true), ("msg_2", true), ("msg_1", false)],
        "operators see them, marked"
    );
    // An edit that is rolled back leaves everything as it was.
    session.post("/api/turn/edit", &json!({ "id": "msg_1", "message": json!({ "hold": "output" }).to_string() }));
    provider.holds(1);
    let mut chat = session.attached();
    chat.say(&json!({ "text": says("Last."), "while_busy": "rollback" }));
    let ended = chat.until_done("msg_8");
    assert!(ended.iter().any(|message| message["id"] == "msg_7" && message["withdrawn"] == true), "{ended:?}");
    let after = ["msg_1", "msg_1", "msg_6", "msg_6", "msg_8", "msg_8"];
    let now = session.read("/api/history?last=200")["messages"].clone();
    assert_eq!(ids(&now), after);
    assert_eq!(now.as_array().unwrap()[..4], before.as_array().unwrap()[..], "to the letter");
    assert_eq!(ids(&session.read(page)["messages"]), after);
    session.memorized();
    assert_eq!(ids(&session.read(page)["messages"]), after, "also when what ran behind the turns has ended");
    let data = folder.path().to_str().unwrap();
    let replayed = run(folder.path(), &["replay", "kept", "--data", data]);
    assert!(replayed.code == Some(0) && replayed.output.contains("the same, byte for byte"), "{replayed:?}");
    // Into another journal, and out of it again.
    let exported = run(folder.path(), &["sessions", "export", "kept", "--data", data]);
    folder.write("kept.jsonl", &exported.output);
    let other = Folder::new();
    let file = folder.path().join("kept.jsonl");
    let imported = run(folder.path(), &["sessions", "import", file.to_str().unwrap(), "--data", other.path().to_str().unwrap()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let again = server_on(&other, &provider);
    assert_eq!(ids(&again.session("kept").read(page)["messages"]), after);
}
