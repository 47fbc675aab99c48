//! The shape of each body and event.

use super::*;
use crate::contract::{Button, Role, Time};

fn event(what: What) -> Event {
    Event { seq: Seq(7), at: Time(1_500), turn: TurnId(2), frame: 3, node: "output".into(), what }
}

fn parsed(bytes: Option<Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn each_event_has_its_shape_on_the_chat_socket_and_in_the_trace() {
    let controls: Arc<[Control]> = [Control::Button(Button::new("A", "a"))].into();
    let buttons = json!([{"type":"button","label":"A","action":"a","source":"thinker"}]);
    let line = |event: &str, further: Value| {
        let mut line = json!({"node":"output","event":event,"at":1.5,"turn":"msg_2","frame":3,"seq":7});
        line.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        line
    };
    let variant = Variant { id: TurnId(1), messages: vec![Message::new(Role::User, "hi", TurnId(1))], cut: false };
    let output = json!({"intent":"x"});
    let done = |outcome| What::Done { outcome, client_id: None };
    let delta = json!({"type":"delta","id":"msg_2","content":"hi","seq":7});
    let client_id = || Some("tab:1".parse::<ClientId>().unwrap());
    let named = What::Done { outcome: Outcome::Answered, client_id: client_id() };
    let memory = Memory::initial("ada");
    let machine = Machine { id: "m".into(), initial: "a".into(), current: "a".into(), states: Arc::default() };
    let started = |client_id| What::TurnStarted { message: "hi".into(), client_id, entry: Entry::Message };
    let start = |reason| What::ProcessStart { pid: CallId(4), kind: CallKind::Llm, label: "input".into(), reason };
    let mut progress = delta.clone();
    progress["kind"] = json!("progress");
    for (what, chat_shows, trace_shows) in [
        (What::Streaming { text: "hi".into() }, delta, line("streaming", json!({"text":"hi"}))),
        (What::Progress { text: "hi".into() }, progress, line("thinking", json!({"detail":"hi","kind":"progress"}))),
        (What::Controls { controls }, json!({"type":"controls","controls":buttons,"seq":7}), line("controls", json!({"controls":buttons}))),
        (done(Outcome::Answered), json!({"type":"done","id":"msg_2","seq":7}), Value::Null),
        (done(Outcome::Cancelled), json!({"type":"done","id":"msg_2","cancelled":true,"seq":7}), Value::Null),
        (done(Outcome::Withdrawn), json!({"type":"done","id":"msg_2","cancelled":true,"withdrawn":true,"seq":7}), Value::Null),
        (What::Withdrawn { restored: vec![] }, Value::Null, line("withdrawn", json!({}))),
        (What::Withdrawn { restored: vec![TurnId(1)] }, Value::Null, line("withdrawn", json!({"restored":["msg_1"]}))),
        (
            What::Replaced { turns: vec![TurnId(1)], variants: vec![variant].into() },
            Value::Null,
            line(
                "replaced",
                json!({"turns":["msg_1"],"variants":[{"id":"msg_1","messages":[{"role":"user","content":"hi","id":"msg_1"}]}]}),
            ),
        ),
        (
            done(Outcome::Failed { why: "x".into(), code: Some(Code::ModelNotFound) }),
            json!({"type":"done","id":"msg_2","error":"x","code":"model_not_found","seq":7}),
            Value::Null,
        ),
        (
            What::Accepted { client_id: client_id().unwrap() },
            json!({"type":"delta","id":"msg_2","content":"","client_id":"tab:1","seq":7}),
            Value::Null,
        ),
        (named, json!({"type":"done","id":"msg_2","client_id":"tab:1","seq":7}), Value::Null),
        (started(None), Value::Null, line("turn_started", json!({"message":"hi","entry":"message"}))),
        (started(client_id()), Value::Null, line("turn_started", json!({"message":"hi","entry":"message","client_id":"tab:1"}))),
        (What::Memory { memory: Arc::new(memory.clone()) }, Value::Null, line("memory", json!({"memory":memory}))),
        (What::Machines { machines: [machine.clone()].into() }, Value::Null, line("machines", json!({"machines":[machine]}))),
        (What::State { state: Arc::new([("k".to_owned(), json!(1))].into()) }, Value::Null, line("state", json!({"ui_state":{"k":1}}))),
        (
            What::ToolCall { id: ToolId(3), tool: "t".into(), args: json!({}) },
            Value::Null,
            line("tool_call", json!({"call_id":3,"tool":"t","args":{}})),
        ),
        (start(None), Value::Null, line("process_start", json!({"pid":4,"kind":"llm","label":"input"}))),
        (
            start(Some("no JSON".into())),
            Value::Null,
            line("process_start", json!({"pid":4,"kind":"llm","label":"input","reason":"no JSON"})),
        ),
        (What::Cleared, json!({"type":"cleared","seq":7}), line("cleared", json!({}))),
        (What::Perceived { output: output.clone() }, Value::Null, line("perceived", json!({"output":output}))),
        (What::Error { detail: "x".into() }, Value::Null, line("error", json!({"detail":"x"}))),
        (
            What::ToolResult { id: ToolId(3), tool: "t".into(), ok: true, summary: "s".into(), rows: None },
            Value::Null,
            line("tool_result", json!({"call_id":3,"tool":"t","ok":true,"summary":"s"})),
        ),
        (
            What::ProcessEnd {
                pid: CallId(4),
                kind: CallKind::Llm,
                label: "input".into(),
                status: CallStatus::Done,
                duration_us: 2_500,
                waited_us: 500,
                usage: None,
                retries: vec!["cut".into()],
            },
            Value::Null,
            line(
                "process_end",
                json!({"pid":4,"kind":"llm","label":"input","status":"done","duration_ms":2.5,"waited_ms":0.5,"retries":["cut"]}),
            ),
        ),
    ] {
        let event = event(what);
        assert_eq!(parsed(chat(&event)), chat_shows, "{event:?}");
        assert_eq!(parsed(trace(&event)), trace_shows, "{event:?}");
    }
}

#[test]
fn an_answers_line_has_all_of_its_text() {
    let (first, other) = (event(What::Streaming { text: "a".into() }), event(What::Updated { detail: "d".into() }));
    let lines = parsed(Some(trace_lines([(&first, "ab"), (&other, "")].into_iter())));
    let texts: Vec<_> = lines["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str()).collect();
    assert_eq!(texts, [Some("ab"), None]);
}

#[test]
fn answers_to_one_client_have_no_seq() {
    assert_eq!(
        parsed(Some(attached(&[], Seq(5), Seq(2), true))),
        json!({"type":"controls","controls":[],"seq":5,"kept_from":2,"gap":true})
    );
    assert_eq!(parsed(Some(attached(&[], Seq(0), Seq(1), false))), json!({"type":"controls","controls":[],"seq":0,"kept_from":1}));
    assert_eq!(parsed(Some(resumed(Seq(5), Seq(2), true))), json!({"type":"attached","seq":5,"kept_from":2,"gap":true}));
    assert_eq!(parsed(Some(resumed(Seq(0), Seq(1), false))), json!({"type":"attached","seq":0,"kept_from":1}));
    let client_id: ClientId = "a".parse().unwrap();
    let full = Refusal::new(Code::QueueFull, "no");
    assert_eq!(parsed(Some(refusal(&full, None))), json!({"type":"done","refused":true,"error":"no","code":"queue_full"}));
    assert_eq!(
        parsed(Some(refusal(&full, Some(&client_id)))),
        json!({"type":"done","refused":true,"error":"no","code":"queue_full","client_id":"a"})
    );
    assert_eq!(parsed(Some(acknowledged(TurnId(7), &client_id))), json!({"type":"delta","id":"msg_7","content":"","client_id":"a"}));
    assert_eq!(
        parsed(Some(done(TurnId(7), &Outcome::Failed { why: "x".into(), code: None }, &client_id))),
        json!({"type":"done","id":"msg_7","error":"x","client_id":"a"})
    );
    assert_eq!(parsed(Some(queued(TurnId(7), Some(&client_id)))), json!({"status":"queued","id":"msg_7","client_id":"a"}));
    assert_eq!(parsed(Some(queued(TurnId(7), None))), json!({"status":"queued","id":"msg_7"}));
}

#[test]
fn results_and_lists_have_the_shape_of_the_wire_contract() {
    let memory = Memory::initial("ada");
    for (given, shown) in [
        (TurnResult::Idle, json!({"status":"idle"})),
        (TurnResult::Cleared, json!({"status":"idle","id":"","stage":"cleared"})),
        (
            TurnResult::Running {
                id: TurnId(1),
                stage: "input".into(),
                event: "".into(),
                text: "t".into(),
                partial: "p".into(),
                client_id: None,
            },
            json!({"status":"running","id":"msg_1","stage":"input","event":"","text":"t","partial":"p"}),
        ),
        (
            TurnResult::Done { id: TurnId(1), response: "r".into(), degraded: Some("d".into()), client_id: Some("a".parse().unwrap()) },
            json!({"status":"done","id":"msg_1","stage":"done","response":"r","degraded":"d","memorizer":memory,"client_id":"a"}),
        ),
        (
            TurnResult::Error { id: TurnId(1), detail: "d".into(), code: Some(Code::ModelTimeout), client_id: None },
            json!({"status":"error","id":"msg_1","stage":"error","detail":"d","code":"model_timeout"}),
        ),
    ] {
        assert_eq!(parsed(Some(result(&given, &memory))), shown);
    }
    let messages: Vec<_> = (1..5)
        .map(|n| Message {
            partial: n == 4,
            progress: if n == 4 { "p".into() } else { String::new() },
            ..Message::new(Role::User, n.to_string(), TurnId(n))
        })
        .collect();
    assert_eq!(
        parsed(Some(history(messages.iter(), 2, Seq(9)))),
        json!({"status":"active","seq":9,"messages":[
            {"role":"user","content":"3","id":"msg_3"},{"role":"user","content":"4","id":"msg_4","partial":true,"progress":"p"}]})
    );
    assert_eq!(parsed(Some(frames("g", [].iter(), 5))), json!({"graph":"g","engine":"frames","traces":[],"last_trace":null}));
}
