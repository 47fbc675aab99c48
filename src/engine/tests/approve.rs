//! Approvals: what is marked waits for a person, goes on exactly where it was, and makes nothing up where it may not.

use super::world::{World, ada, picture};
use crate::contract::{
    APPROVE, Accepted, CallId, CallKind, CallStatus, Code, Control, DatabaseAsk, Input, Limits, Outcome, Request, Source, TurnId,
    TurnResult, Verdict, What,
};
use crate::graph::{Library, shipped_with};
use expect_test::expect;
use serde_json::{Value, json};
use std::sync::Arc;

const PERCEIVED: &str = r#"{"intent":"question","language":"de"}"#;
const TO_ERAS: &str = r#"{"expert":"eras","job":"Zähle die Kunden.","thinking_message":"Ich zähle.","language":"de"}"#;
const SQL: &str = "SELECT COUNT(*) AS anzahl FROM kunden";
const COLUMNS: &str = r#"{"Rows":{"columns":["column","type"],"rows":[["id","int"],["name","text"]],"is_cut":false}}"#;
const THREE: &str = r#"{"Rows":{"columns":["anzahl"],"rows":[[3]],"is_cut":false}}"#;
const NONE: &str = r#"{"Rows":{"columns":["anzahl"],"rows":[[0]],"is_cut":false}}"#;
const HOUR_US: u64 = 3_600_000_000;

fn plan(sql: &[&str]) -> String {
    let calls: Vec<Value> = sql.iter().map(|sql| json!({"tool": "query", "args": {"sql": sql}})).collect();
    json!({"tool_sequence": calls, "response_hint": "", "interpret": false}).to_string()
}

/// The shipped graphs, with `query` marked.
fn marked() -> Arc<Library> {
    shipped_with(|file| {
        file.replace(r#""tools": ["describe", "query"]"#, r#""tools": ["describe", {"name": "query", "approve": {"expires": "1h"}}]"#)
    })
}

/// A world whose turn waits until its query is approved. Saves and loads before each input.
fn waiting() -> World {
    let mut world = World::on(marked(), "v4-eras", Limits::default());
    world.is_reloading = true;
    world.say("wie viele Kunden?");
    for answer in [PERCEIVED, TO_ERAS, &plan(&[SQL]), COLUMNS] {
        world.answer(answer);
    }
    assert_eq!(&*world.asking(), "nobody", "no worker is asked while a person is");
    world
}

fn approvals(world: &World) -> Vec<Value> {
    let of = |control: Control| match control {
        Control::Approval(approval) => Some(serde_json::to_value(*approval).unwrap()),
        Control::Button(_) | Control::Display(_) => None,
    };
    world.session.controls().into_iter().filter_map(of).collect()
}

/// The pid of the only approval.
fn pid(world: &World) -> CallId {
    let source: Source = serde_json::from_value(approvals(world)[0]["source"].clone()).unwrap();
    let Source::Approval(call) = source else { panic!("{source:?}") };
    call
}

fn answer_to(call: CallId, approved: bool) -> Input {
    Input::Approve { call, approved, client_id: None, from: ada() }
}

fn decide(world: &mut World, approved: bool) {
    let call = pid(world);
    world.put(answer_to(call, approved));
}

fn verdicts(world: &World) -> Vec<(Verdict, Option<String>)> {
    let calls = world.trace().frames.iter().flat_map(|frame| &frame.calls);
    calls.filter_map(|call| call.decided.clone()).map(|decided| (decided.verdict, decided.by)).collect()
}

fn refused(world: &World, input: &Input) -> Code {
    world.session.accepts(input).unwrap_err().code
}

#[test]
fn a_marked_query_waits_for_a_person_and_is_made_as_it_was_shown() {
    let mut world = waiting();
    assert!(world.session.is_paused() && world.session.busy());
    let pid = pid(&world);
    let expires_at = world.now.wall.0 as f64 / 1000.0 + 3_600_000.0;
    let source = format!("approval:{}", pid.0);
    assert_eq!(
        approvals(&world),
        [json!({
            "type": "approval", "source": source, "node": "eras", "tool": "query", "database": "eras2_production", "format": "sql",
            "text": SQL, "expires_at": expires_at,
            "buttons": [
                {"type": "button", "label": "Approve", "action": "approve", "source": source},
                {"type": "button", "label": "Decline", "action": "decline", "source": source},
            ],
        })]
    );
    assert!(matches!(world.session.result(), TurnResult::Running { event, .. } if event == "approval"));
    assert_eq!(world.session.processes()[0].kind, CallKind::Approval);
    assert_eq!(world.session.accepts(&answer_to(pid, true)), Ok(Accepted::Resumes(TurnId(1))));
    world.pass(1_000);
    decide(&mut world, true);
    assert!(approvals(&world).is_empty() && !world.session.is_paused());
    match &*world.out[0].1 {
        Request::Database(request) => assert_eq!(request.ask, DatabaseAsk::Query { sql: SQL.to_owned() }),
        other => panic!("{other:?}"),
    }
    for answer in [THREE, "Drei.", "{}"] {
        world.answer(answer);
    }
    expect![[r#"
        turn 1: "wie viele Kunden?"  expert Done 4 frames
          1 input         100 us  -> direct  [question · de]
              call 1 input Done 100 us
          2 pa            100 us  -> eras  [eras · Zähle die Kunden.]
              call 2 pa Done 100 us
          3 eras         1400 us  -> output  [query ok]
              call 3 expert plan Done 100 us
              call 4 describe kunden Done 100 us
              call 5 approve query Done 1000 us
              call 6 query Done 100 us
              call 7 expert compose Done 100 us
          4 output+ui       0 us  [said by the expert]
          behind: call 8 memorizer Done 100 us
    "#]]
    .assert_eq(&picture(world.trace()));
    assert_eq!(verdicts(&world), [(Verdict::Approved, Some("ada".to_owned()))]);
    assert_eq!(refused(&world, &answer_to(pid, true)), Code::StaleControl, "it was answered");
    world.replay();
}

#[test]
fn nothing_but_what_was_approved_is_run() {
    let mut world = World::on(marked(), "v4-eras", Limits::default());
    world.say("wie viele Kunden?");
    for answer in [PERCEIVED, TO_ERAS, &plan(&["SELECT COUNT(*) AS anzahl FROM kunden WHERE name = 'Ada'"]), COLUMNS] {
        world.answer(answer);
    }
    decide(&mut world, true);
    world.answer(NONE);
    assert_eq!(&*world.asking(), "expert compose", "no look at the range of its columns, which nobody was shown");
}

#[test]
fn what_is_declined_is_not_made_and_the_answer_says_so_without_a_model() {
    let mut world = waiting();
    decide(&mut world, false);
    assert_eq!(&*world.asking(), "memorizer", "the turn is over");
    assert_eq!(world.ends(), [(1, Outcome::Answered)]);
    assert_eq!(world.trace().degraded.as_deref(), Some("eras may not call query: approval_declined"));
    assert!(world.session.history()[1].content.starts_with("Dafür braucht es eine Freigabe, und sie wurde abgelehnt."));
    assert_eq!(verdicts(&world), [(Verdict::Declined, Some("ada".to_owned()))]);
    let record = world.trace().frames[2].calls.last().unwrap().clone();
    assert_eq!((record.status, record.code), (CallStatus::Error, Some(Code::ApprovalDeclined)));
    let failed = world
        .events
        .iter()
        .any(|event| matches!(&event.what, What::ToolResult { ok: false, summary, .. } if summary.starts_with("declined")));
    assert!(failed);
    world.answer("{}");
    world.replay();
}

#[test]
fn what_was_found_before_a_declined_call_is_still_told() {
    let mut world = World::on(marked(), "v4-eras", Limits::default());
    world.say("wie viele Kunden?");
    for answer in [PERCEIVED, TO_ERAS, &plan(&[SQL, "SELECT name FROM kunden"]), COLUMNS] {
        world.answer(answer);
    }
    decide(&mut world, true);
    world.answer(THREE);
    decide(&mut world, false);
    assert_eq!(&*world.asking(), "expert compose", "no plan is made again");
    assert!(world.asked().contains("declined: a person did not approve this call"), "{}", world.asked());
    world.answer("Drei; die Namen durfte ich nicht lesen.");
    world.answer("{}");
    assert_eq!(verdicts(&world).iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(), [Verdict::Approved, Verdict::Declined]);
    assert!(world.trace().degraded.is_some());
    world.replay();
}

#[test]
fn what_expires_is_not_made_and_can_be_answered_no_more() {
    let mut world = waiting();
    let pid = pid(&world);
    assert_eq!(world.session.due().unwrap().0, world.now.wall.0 + HOUR_US);
    world.pass(HOUR_US - 1);
    world.put(Input::Due);
    assert_eq!(approvals(&world).len(), 1, "not yet");
    world.pass(1);
    world.put(Input::Due);
    assert_eq!(world.session.due(), None);
    assert_eq!(verdicts(&world), [(Verdict::Expired, None)]);
    assert_eq!(world.trace().degraded.as_deref(), Some("eras may not call query: approval_expired"));
    assert!(world.session.history()[1].content.contains("niemand hat sie rechtzeitig erteilt"));
    assert_eq!(refused(&world, &answer_to(pid, true)), Code::ApprovalExpired);
    world.answer("{}");
    world.replay();
}

#[test]
fn an_answer_that_comes_too_late_approves_nothing() {
    let mut world = waiting();
    world.pass(HOUR_US);
    decide(&mut world, true);
    assert_eq!(verdicts(&world), [(Verdict::Expired, None)]);
    assert_eq!(&*world.asking(), "memorizer");
}

#[test]
fn a_restart_leaves_it_waiting_and_repeats_no_call() {
    let mut world = waiting();
    world.say("und jetzt?");
    let calls = world.trace_calls(CallKind::Llm) + world.trace_calls(CallKind::Db);
    for (generation, rerun) in [(2, false), (3, true)] {
        world.pass(1_000_000);
        world.put(Input::Resumed { generation, rerun });
        assert!(world.session.is_paused() && world.out.is_empty());
        assert_eq!(approvals(&world).len(), 1);
    }
    assert!(world.ends().is_empty(), "what waits behind it goes on waiting");
    decide(&mut world, true);
    assert_eq!(&*world.asking(), "query");
    assert_eq!(world.trace_calls(CallKind::Llm) + world.trace_calls(CallKind::Db), calls + 1);
    for answer in [THREE, "Drei."] {
        world.answer(answer);
    }
    assert_eq!(world.ends(), [(1, Outcome::Answered)]);
    assert!(world.session.busy(), "the second message has begun");
    let decided = world.trace().frames[2].calls.iter().find_map(|call| call.decided.clone()).unwrap();
    assert_eq!(decided.decided_at.since(decided.asked_at), 2_000_000, "the time that the server was away counts");
    world.replay();
}

#[test]
fn what_has_expired_meanwhile_ends_when_the_session_is_loaded() {
    let mut world = waiting();
    world.now.wall.0 += 2 * HOUR_US;
    world.put(Input::Resumed { generation: 2, rerun: false });
    assert_eq!(verdicts(&world), [(Verdict::Expired, None)]);
    assert_eq!(world.ends(), [(1, Outcome::Answered)]);
}

#[test]
fn stop_clear_switch_and_the_drain_end_it_as_any_turn() {
    let switch = Input::Switch { graph: "v3-framed".into(), keep: true, from: ada() };
    for input in [Input::Stop, Input::Drain { cut: true, keeps: false }, Input::Clear { from: ada() }, switch] {
        let mut world = waiting();
        let pid = pid(&world);
        world.put(input.clone());
        let shown = world.events.iter().rev().find_map(|event| match &event.what {
            What::Controls { controls } => Some(controls.clone()),
            _ => None,
        });
        assert!(approvals(&world).is_empty() && shown.unwrap().is_empty(), "{input:?}");
        assert_eq!(world.ends().len(), 1);
        assert_eq!(refused(&world, &answer_to(pid, true)), Code::StaleControl);
        let cancelled = |what: &What| matches!(what, What::ProcessEnd { kind: CallKind::Approval, status: CallStatus::Cancelled, .. });
        let ended = world.events.iter().any(|event| cancelled(&event.what));
        assert!(ended && world.out.is_empty(), "{input:?}");
        world.replay();
    }
}

#[test]
fn an_answer_that_is_sent_again_is_known() {
    let mut world = waiting();
    let call = pid(&world);
    let input = Input::Approve { call, approved: true, client_id: Some("a-1".parse().unwrap()), from: ada() };
    world.put(input.clone());
    assert_eq!(world.session.accepts(&input), Ok(Accepted::Known { turn: TurnId(1), done: None }));
    for answer in [THREE, "Drei.", "{}"] {
        world.answer(answer);
    }
    assert_eq!(world.session.accepts(&input), Ok(Accepted::Known { turn: TurnId(1), done: Some(Outcome::Answered) }));
    world.replay();
}

#[test]
fn a_model_makes_no_button_that_answers_an_approval() {
    let mut world = waiting();
    for source in [None, Some(Source::Thinker)] {
        let press = Input::Action { action: APPROVE.into(), data: Value::Null, source, client_id: None, while_busy: None, from: ada() };
        assert_eq!(refused(&world, &press), Code::StaleControl);
    }
    decide(&mut world, true);
}

/// A tool that needs no database.
#[test]
fn a_marked_tool_runs_when_it_is_approved_and_nobody_is_asked_about_one_that_would_fail() {
    let library = shipped_with(|file| {
        let place = r#""kind": "thinker", "model": "strong", "prompt": "prompts/thinker.md", "schema": "schemas/calls.json",
      "tools": ["emit_actions","#;
        file.replace(place, &place.replace(r#""emit_actions""#, r#"{"name": "emit_actions", "approve": true}"#))
    });
    let decided = |args: Value| {
        json!({"goal": "g", "tool_sequence": [{"tool": "emit_actions", "args": args}], "present_as": "buttons", "reason": ""}).to_string()
    };
    for approved in [true, false] {
        let mut world = World::on(library.clone(), "v3-framed", Limits::default());
        world.is_reloading = true;
        world.say("a button");
        world.answer(r#"{"intent":"request","language":"en"}"#);
        world.answer(&decided(json!({"actions": ["Red"]})));
        assert_eq!(approvals(&world)[0]["text"], "{\n  \"actions\": [\n    \"Red\"\n  ]\n}");
        assert_eq!(world.session.due().unwrap().0, world.now.wall.0 + 24 * HOUR_US, "the default");
        decide(&mut world, approved);
        if approved {
            assert_eq!(&*world.asking(), "output");
            world.answer("Here.");
            assert_eq!(world.labels(), ["Red"]);
        } else {
            assert!(world.labels().is_empty());
            assert_eq!(
                world.session.history()[1].content,
                "That needs an approval, and it was declined, so I did not do it. I have nothing else to answer from."
            );
        }
        world.answer("{}");
        world.replay();
    }
    let mut world = World::on(library, "v3-framed", Limits::default());
    world.say("buttons");
    world.answer(r#"{"intent":"request","language":"en"}"#);
    world.answer(&decided(json!({"actions": (0..60).map(|number| format!("b{number}")).collect::<Vec<_>>()})));
    assert_eq!((&*world.asking(), approvals(&world).len()), ("output", 0));
}

/// Two nodes of one frame, each marked.
fn beside() -> Arc<Library> {
    shipped_with(|file| {
        if !file.contains(r#""name": "v3-framed""#) {
            return file.to_owned();
        }
        let output = r#""prompt": "prompts/output.md", "with": ["ui"]"#;
        let both = r#""prompt": "prompts/output.md", "approve": {"expires": "2h"}, "with": ["ui", "critic"]"#;
        let ui = r#"{ "name": "ui", "kind": "ui" }"#;
        let critic = r#"{ "name": "critic", "kind": "agent", "model": "fast", "prompt": "prompts/agent.md", "approve": true }"#;
        file.replace(output, both).replace(ui, &format!("{ui},\n{critic}")).replace("\"calls\": ", "\"calls\": 1")
    })
}

fn at_output() -> World {
    let mut world = World::on(beside(), "v3-framed", Limits::default());
    world.is_reloading = true;
    world.say("why?");
    world.answer(PERCEIVED);
    world.answer(r#"{"goal":"tell why","tool_sequence":[],"present_as":"text","reason":""}"#);
    world
}

#[test]
fn marked_nodes_of_one_frame_wait_each_for_an_approval_of_their_own() {
    let mut world = at_output();
    let shown = approvals(&world);
    let nodes: Vec<_> =
        shown.iter().map(|approval| (approval["node"].clone(), approval["tool"].clone(), approval["format"].clone())).collect();
    assert_eq!(nodes, [(json!("output"), Value::Null, json!("text")), (json!("critic"), Value::Null, json!("text"))]);
    assert!(shown[0]["text"].as_str().unwrap().contains("## message\nwhy?"), "{}", shown[0]["text"]);
    let calls: Vec<CallId> = world.session.processes().iter().map(|process| process.pid).collect();
    // The second first, and nothing of the first is done by it.
    world.put(answer_to(calls[1], true));
    assert_eq!((&*world.asking(), approvals(&world).len()), ("agent", 1));
    assert!(!world.session.is_paused(), "a call is out");
    world.answer("B.");
    assert!(world.session.is_paused(), "the frame waits for the other");
    world.put(Input::Resumed { generation: 2, rerun: false });
    decide(&mut world, true);
    let request = world.out[0].1.clone();
    let Request::Model(request) = &*request else { panic!("{request:?}") };
    assert_eq!(request.messages.last().unwrap().text.to_string(), shown[0]["text"].as_str().unwrap(), "as it was shown");
    world.answer("A.");
    assert_eq!(world.ends(), [(1, Outcome::Answered)]);
    world.answer("{}");
    world.replay();
}

/// Its prompt tells the date, and another one by the time that somebody answers.
#[test]
fn a_node_that_may_begin_asks_what_was_shown_and_nothing_newer() {
    let library = shipped_with(|file| {
        file.replace(r#""name": "eras", "kind": "expert","#, r#""name": "eras", "kind": "expert", "approve": {"expires": "3d"},"#)
    });
    let mut world = World::on(library, "v4-eras", Limits::default());
    world.is_reloading = true;
    world.say("wie viele Kunden?");
    world.answer(PERCEIVED);
    world.answer(TO_ERAS);
    let shown = approvals(&world)[0]["text"].clone();
    world.pass(50 * HOUR_US);
    decide(&mut world, true);
    assert_eq!(&*world.asking(), "expert plan");
    assert!(world.asked().ends_with(shown.as_str().unwrap()), "{shown}\n{}", world.asked());
    for answer in [&plan(&[SQL]), COLUMNS, THREE, "Drei.", "{}"] {
        world.answer(answer);
    }
    assert_eq!(world.ends(), [(1, Outcome::Answered)], "its later calls need no approval");
    world.replay();
}

#[test]
fn a_node_that_may_not_begin_fails_its_turn_with_a_code() {
    for (approved, expected) in [(Some(false), Code::ApprovalDeclined), (None, Code::ApprovalExpired)] {
        let mut world = at_output();
        match approved {
            Some(approved) => {
                let call = world.session.processes()[0].pid;
                world.put(answer_to(call, approved));
            }
            None => {
                world.pass(24 * HOUR_US);
                world.put(Input::Due);
            }
        }
        assert!(matches!(&world.ends()[..], [(1, Outcome::Failed { code: Some(code), .. })] if *code == expected), "{:?}", world.ends());
        assert!(approvals(&world).is_empty() && world.out.is_empty(), "the other one ends with the turn");
        world.replay();
    }
}
