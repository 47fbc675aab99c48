//! The rules of the engine, one by one: each of these fails when its rule is broken.

use super::world::{World, ada};
use crate::contract::{
    Answer, CallError, CallId, CallStatus, Code, Effect, Input, Limits, Outcome, Role, ToolCall, TurnId, TurnResult, Usage, What,
};
use serde_json::{Value, json};

const PERCEIVED: &str = r#"{"intent":"question","language":"en"}"#;

fn decide(tools: Value) -> String {
    json!({"goal": "do it", "tool_sequence": tools}).to_string()
}

/// A turn of four frames with these tools.
fn turn(world: &mut World, tools: Value, answer: &str) {
    world.say("please");
    world.answer(PERCEIVED);
    world.answer(&decide(tools));
    world.answer(answer);
    world.answer("{}");
}

/// A turn of two frames whose memorizer is still at work.
fn chat(world: &mut World) {
    world.say("how is it going?");
    world.answer(r#"{"intent":"social","language":"en"}"#);
    world.answer("Fine.");
}

fn machine(id: &str) -> Value {
    json!({"tool": "create_machine", "args": {"id": id, "initial": "a", "states": {"a": {"buttons": [{"label": "Go", "action": "go", "go": "b"}]}, "b": {"buttons": [{"label": "Back", "action": "back", "go": "a"}]}}}})
}

#[test]
fn a_turn_ends_once_and_turns_begin_in_order() {
    let mut world = World::new("v3-framed");
    for text in ["why one?", "hello", "why two?"] {
        world.say(text);
    }
    assert_eq!(world.ends(), [], "the first turn waits for its model, the others for it");
    world.answer(PERCEIVED);
    world.answer(&decide(json!([])));
    world.answer("One.");
    assert_eq!(world.ends(), [(1, Outcome::Answered), (2, Outcome::Answered)], "a plain greeting needs no model");
    assert_eq!(
        world.session.result(),
        TurnResult::Running {
            id: TurnId(3),
            stage: "input".into(),
            event: "".into(),
            text: "why two?".into(),
            partial: "".into(),
            client_id: None
        }
    );
    world.replay();
}

#[test]
fn at_most_eight_inputs_wait() {
    let mut world = World::new("v3-framed");
    for _ in 0..9 {
        world.say("why?");
    }
    let ninth = Input::Message { text: "why?".into(), dashboard: Vec::new(), client_id: None, while_busy: None, from: ada() };
    assert_eq!(world.session.accepts(&ninth).unwrap_err().code, Code::QueueFull);
    world.put(Input::Stop);
    assert_eq!(world.ends().len(), 9);
    assert!(world.ends().iter().all(|(_, outcome)| *outcome == Outcome::Cancelled));
    assert!(!world.session.busy() && world.out.is_empty(), "stop ends the call too");
    world.replay();
}

#[test]
fn a_session_that_is_drained_lets_its_turn_end_and_begins_none_of_those_that_wait() {
    for cut in [false, true] {
        let mut world = World::new("v1-direct");
        ["tell me", "why?", "how?"].into_iter().for_each(|text| world.say(text));
        world.put(Input::Chunk { call: CallId(1), text: "Once upon".into() });
        world.put(Input::Drain { cut, keeps: false });
        if !cut {
            assert_eq!(world.ends(), [], "what runs goes on, and what waits does so until then");
            world.answer(" a time.");
        }
        let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed { why, .. } if why.starts_with("The server "));
        let ends = world.ends();
        assert_eq!(ends.iter().map(|(turn, _)| *turn).collect::<Vec<_>>(), [1, 2, 3], "in order");
        assert!(failed(&ends[1].1) && failed(&ends[2].1) && failed(&ends[0].1) == cut, "{ends:?}");
        let history: Vec<_> = world.session.history().iter().map(|m| (m.id.0, m.role, m.partial)).collect();
        assert_eq!(history, [(1, Role::User, false), (1, Role::Assistant, cut), (2, Role::User, true), (3, Role::User, true)]);
        assert!(!world.session.busy() && (!cut || world.out.is_empty()), "nothing is left out");
        world.say("and now?");
        assert!(world.session.busy(), "a session that is played again after a restart goes on");
        world.replay();
    }
}

#[test]
fn what_waits_is_left_to_the_next_server_where_a_journal_keeps_it() {
    for cut in [false, true] {
        let mut world = World::new("v1-direct");
        ["tell me", "why?", "how?"].into_iter().for_each(|text| world.say(text));
        world.put(Input::Chunk { call: CallId(1), text: "Once upon".into() });
        world.put(Input::Drain { cut, keeps: true });
        assert_eq!(world.session.goes_on(), !cut);
        if !cut {
            world.answer(" a time.");
        }
        let ends = world.ends();
        assert!(matches!(ends[..], [(1, _)]), "nothing that waits begins or ends: {ends:?}");
        let is_cut_off = matches!(ends[0].1, Outcome::Failed { code: Some(Code::CutOff), .. });
        assert_eq!((is_cut_off, world.session.busy(), world.session.goes_on()), (cut, true, false));
        world.out.clear();
        world.put(Input::Resumed { generation: 2, rerun: false });
        while !world.out.is_empty() {
            world.answer("Because.");
        }
        let ends = world.ends();
        assert!(matches!(ends[1..], [(2, Outcome::Answered), (3, Outcome::Answered)]), "{ends:?}");
        world.replay();
    }
}

#[test]
fn a_session_that_is_cut_off_does_not_wait_for_what_goes_on_behind() {
    let mut world = World::new("v3-framed");
    world.say("please");
    for answer in [PERCEIVED, &decide(json!([])), "There."] {
        world.answer(answer);
    }
    assert!(world.session.memorizing() && !world.session.busy());
    world.put(Input::Drain { cut: false, keeps: false });
    assert!(world.session.memorizing());
    world.put(Input::Drain { cut: true, keeps: false });
    assert!(!world.session.memorizing() && world.out.is_empty());
    assert_eq!(world.ends().len(), 1);
    world.replay();
}

#[test]
fn blank_text_unknown_graphs_and_stale_controls_are_refused() {
    let world = World::new("v3-framed");
    for (input, says) in [
        (
            Input::Message { text: " \n".into(), dashboard: Vec::new(), client_id: None, while_busy: None, from: ada() },
            "the message is empty",
        ),
        (Input::Switch { graph: "v9".into(), keep: false, from: ada() }, "there is no graph `v9`: choose one of v1-direct, v3-framed"),
        (
            Input::Action { action: "x".into(), data: Value::Null, source: None, client_id: None, while_busy: None, from: ada() },
            "control `x` is no longer offered",
        ),
    ] {
        let refusal = world.session.accepts(&input).unwrap_err().to_string();
        assert!(refusal.starts_with(says), "{refusal}");
    }
}

#[test]
fn a_late_chunk_or_completion_is_dropped_and_its_usage_counted() {
    let mut world = World::new("v3-framed");
    world.say("how are you today?");
    world.put(Input::Stop);
    let before = (world.events.len(), world.session.usage());
    world.put(Input::Chunk { call: CallId(1), text: "late".into() });
    world.complete(CallId(1), Ok(Answer::default()));
    assert_eq!(world.events.len(), before.0);
    assert_eq!(world.session.usage().total_tokens, before.1.total_tokens + 110);
    world.replay();
}

#[test]
fn what_was_shown_of_a_stopped_or_failed_turn_stays_in_the_history_marked() {
    for stop in [true, false] {
        let mut world = World::new("v1-direct");
        world.say("tell me");
        world.put(Input::Chunk { call: CallId(1), text: "Once upon".into() });
        match stop {
            true => world.put(Input::Stop),
            false => world.fail(CallError::Truncated),
        }
        let history: Vec<_> = world.session.history().iter().map(|m| (m.role, m.content.as_str(), m.partial)).collect();
        assert_eq!(history, [(Role::User, "tell me", false), (Role::Assistant, "Once upon", true)]);
        world.say("again");
        world.fail(CallError::Overloaded);
        assert!(world.session.history().back().unwrap().partial, "nothing was shown: the question is marked");
        assert_eq!(world.trace().status, CallStatus::Error);
        assert!(matches!(world.session.result(), TurnResult::Error { detail, .. } if detail.starts_with("Too many answers")));
        world.replay();
    }
}

#[test]
fn a_new_answer_replaces_its_own_controls_only() {
    let mut world = World::new("v3-framed");
    turn(&mut world, json!([machine("m"), {"tool": "emit_actions", "args": {"actions": ["Red"]}}]), "There.");
    assert_eq!(world.labels(), ["Red", "Go"]);
    world.press("go");
    assert_eq!(world.labels(), ["Red", "Back"], "a machine's step is no answer");
    world.say("how do you do");
    world.answer(PERCEIVED);
    world.put(Input::Stop);
    assert_eq!(world.labels(), ["Red", "Back"], "a turn that does not end well changes no control");
    world.say("hello");
    assert_eq!(world.labels(), ["Back"]);
    world.replay();
}

#[test]
fn a_failing_turn_changes_nothing_that_the_user_sees() {
    let mut world = World::new("v3-framed");
    world.say("please");
    world.answer(PERCEIVED);
    world.answer(&decide(json!([machine("m"), {"tool": "set_state", "args": {"key": "k", "value": 1}}])));
    world.fail(CallError::Unreachable);
    assert_eq!(world.labels(), Vec::<String>::new());
    assert!(world.session.ui().state.is_empty() && !world.names().contains(&"controls"));
    world.replay();
}

#[test]
fn a_machine_step_makes_no_call_and_the_next_model_hears_of_it() {
    let mut world = World::new("v3-framed");
    turn(&mut world, json!([machine("m")]), "There.");
    world.press("go");
    assert_eq!((world.trace().path.as_str(), world.trace().frames.len(), &*world.asking()), ("machine", 1, "nobody"));
    assert_eq!(world.session.history().len(), 2, "a machine's step is not said");
    world.say("why?");
    assert!(world.asked().contains("machine `m` is now in state `b`"), "{}", world.asked());
    world.replay();
}

#[test]
fn an_action_whose_control_went_away_while_it_waited_ends_with_a_sentence() {
    let mut world = World::new("v3-framed");
    turn(&mut world, json!([{"tool": "emit_actions", "args": {"actions": ["Red"]}}]), "There.");
    world.say("why?");
    world.press("red");
    world.answer(PERCEIVED);
    world.answer(&decide(json!([])));
    world.answer("Because.");
    assert!(matches!(&world.ends()[2], (3, Outcome::Failed { why, .. }) if why.starts_with("That control went away")));
    world.replay();
}

#[test]
fn cancelling_the_call_ends_the_turn_and_an_unknown_one_does_nothing() {
    let mut world = World::new("v3-framed");
    world.say("why?");
    world.put(Input::Cancel { call: CallId(77) });
    assert!(world.session.busy());
    world.put(Input::Cancel { call: CallId(1) });
    assert_eq!(world.ends(), [(1, Outcome::Cancelled)]);
    assert!(world.out.is_empty(), "the worker is told");
    world.replay();
}

#[test]
fn the_memorizer_runs_behind_the_turn_and_once_at_a_time() {
    let mut world = World::new("v3-framed");
    chat(&mut world);
    assert_eq!((world.ends().len(), &*world.asking()), (1, "memorizer"));
    let memorizer = world.out.pop_front().unwrap();
    chat(&mut world);
    chat(&mut world);
    assert_eq!((world.ends().len(), world.out.len()), (3, 0));
    world.out.push_front(memorizer);
    world.answer(r#"{"user_name":"Ada","facts":["likes tea"]}"#);
    assert_eq!(&*world.asking(), "memorizer", "it runs again, for the last turn");
    assert_eq!(world.session.memory().facts, ["likes tea"]);
    assert_eq!(world.session.traces().next().unwrap().background.len(), 1);
    world.put(Input::Clear { from: ada() });
    assert!(!world.session.memorizing() && world.out.is_empty(), "clear ends it");
    world.replay();
}

#[test]
fn clear_begins_anew_erases_what_was_said_and_keeps_ids_and_the_situation() {
    let mut world = World::new("v3-framed");
    turn(&mut world, json!([machine("m")]), "There.");
    chat(&mut world);
    world.answer(r#"{"situation":"at work","topic":"tea"}"#);
    let (seq, events) = (world.session.seq(), world.events.len());
    world.say("why?");
    world.put(Input::Clear { from: ada() });
    let names = world.names()[events..].to_vec();
    assert_eq!(names[names.len() - 5..], ["done", "cleared", "controls", "machines", "memory"]);
    let memory = world.session.memory();
    assert_eq!((memory.situation.as_str(), memory.topic.as_deref(), memory.user_name.as_str()), ("at work", None, "ada"));
    assert!(world.session.history().is_empty() && world.labels().is_empty());
    assert_eq!((world.session.result(), world.session.traces().count()), (TurnResult::Cleared, 0));
    assert!(world.session.turn(TurnId(1)).is_none());
    assert!(world.session.seq() > seq);
    world.say("hello");
    assert_eq!(world.ends().last(), Some(&(4, Outcome::Answered)));
    world.replay();
}

#[test]
fn a_switch_that_keeps_carries_history_and_memory_over() {
    for keep in [false, true] {
        let mut world = World::new("v3-framed");
        chat(&mut world);
        world.answer(r#"{"facts":["likes tea"]}"#);
        let events = world.events.len();
        world.put(Input::Switch { graph: "v1-direct".into(), keep, from: ada() });
        let kept = (world.session.history().len(), world.session.memory().facts.len());
        assert_eq!(kept, if keep { (2, 1) } else { (0, 0) });
        assert_eq!(world.names()[events..].to_vec(), if keep { vec!["controls"] } else { vec!["cleared", "controls", "memory"] });
        world.say("go on");
        assert_eq!(&*world.asking(), "agent");
        world.replay();
    }
}

#[test]
fn a_path_asks_no_more_than_its_budget() {
    let mut world = World::new("v1-direct");
    world.say("look it up");
    let mut asked = 0;
    while &*world.asking() == "agent" {
        let (call, _) = world.out.pop_front().unwrap();
        asked += 1;
        let tool_calls = vec![ToolCall { id: format!("t{asked}"), tool: "recall".into(), args: json!({"query": "tea"}) }];
        world.complete(call, Ok(Answer { tool_calls, ..Answer::default() }));
    }
    assert_eq!(asked, 5, "four rounds and one repair are what `direct` states");
    assert!(matches!(&world.ends()[0], (1, Outcome::Failed { why, .. }) if why.starts_with("The model gave no answer")));
    world.replay();
}

#[test]
fn a_budget_holds_for_questions_and_for_repairs() {
    let tight = || {
        let library = crate::graph::shipped_with(|file| file.replace("\"frames\": 2, \"calls\": 4", "\"frames\": 2, \"calls\": 2"));
        let mut world = World::on(library, "v3-framed", Limits::default());
        world.say("how is it going?");
        world
    };
    let no_answer =
        |world: &World| matches!(&world.ends()[0], (1, Outcome::Failed { why, .. }) if why.starts_with("The model gave no answer"));
    let social = r#"{"intent":"social","language":"en"}"#;

    let mut world = tight();
    world.answer("not json");
    world.answer(social);
    assert!(no_answer(&world) && &*world.asking() == "nobody", "two calls are used up: the answer can't be asked for");

    let mut world = tight();
    world.answer(social);
    world.answer("");
    assert!(no_answer(&world) && &*world.asking() == "nobody", "two calls are used up: the answer can't be repaired");
    world.replay();
}

#[test]
fn a_name_that_nobody_chose_follows_the_identity() {
    let mut world = World::new("v3-framed");
    let renamed = crate::contract::Caller { identity: "Ada L.".into(), ..ada() };
    world.put(Input::Attached { from: renamed });
    assert_eq!(world.session.memory().user_name, "Ada L.");
    chat(&mut world);
    assert_eq!(world.session.memory().user_name, "ada");
    world.answer(r#"{"user_name":"Countess"}"#);
    world.put(Input::Attached { from: ada() });
    assert_eq!(world.session.memory().user_name, "Countess", "a chosen name stays");
}

#[test]
fn native_tools_run_and_their_results_are_asked_about() {
    let mut world = World::new("v1-direct");
    world.say("two buttons");
    let (call, _) = world.out.pop_front().unwrap();
    let tool_calls = vec![ToolCall { id: "t".into(), tool: "emit_actions".into(), args: json!({"actions": ["Yes", "No"]}) }];
    world.complete(call, Ok(Answer { tool_calls, ..Answer::default() }));
    assert!(world.asked().ends_with("buttons: Yes, No"), "{}", world.asked());
    world.answer("Here they are.");
    assert_eq!((world.labels(), world.trace().frames.len()), (vec!["Yes".to_owned(), "No".to_owned()], 1));
    world.replay();
}

#[test]
fn what_an_agent_says_before_its_tools_is_no_answer_to_what_they_find() {
    let calls = |tool: &str, args: Value| vec![ToolCall { id: "t".into(), tool: tool.into(), args }];
    let (recall, buttons) = (calls("recall", json!({"query": "tea"})), calls("emit_actions", json!({"actions": ["Red"]})));
    for (tool_calls, answers, degraded) in [
        (&recall, &["", "You like tea."][..], None),
        (&recall, &["", ""], Some("agent could not be understood: it was empty")),
        (&buttons, &[""], None),
    ] {
        let mut world = World::new("v1-direct");
        world.say("what do I like?");
        let (call, _) = world.out.pop_front().unwrap();
        world.put(Input::Chunk { call, text: "One moment.".to_owned() });
        world.complete(call, Ok(Answer { tool_calls: tool_calls.clone(), ..Answer::default() }));
        answers.iter().for_each(|answer| world.answer(answer));
        assert_eq!(world.ends(), [(1, Outcome::Answered)]);
        assert_eq!(world.trace().degraded.as_deref(), degraded, "{answers:?}");
        world.replay();
    }
}

#[test]
fn everything_that_grows_has_a_bound() {
    let limits = Limits { history_max: 6, traces_max: 2, answer_bytes_max: 10, ..Limits::default() };
    let mut world = World::with("v1-direct", limits);
    for number in 0..9 {
        world.say(&format!("message {number}"));
        world.put(Input::Chunk { call: world.out[0].0, text: "0123".into() });
        world.answer("456789abcdefghijkl");
        world.answer("{}");
    }
    assert_eq!((world.session.history().len(), world.session.traces().count()), (6, 2));
    assert_eq!(world.session.history().back().unwrap().content, "0123456789…", "the cut is marked");
    world.replay();
}

#[test]
fn numbers_go_up_and_effects_are_in_order() {
    let mut world = World::new("v3-framed");
    turn(&mut world, json!([machine("m")]), "There.");
    let numbers: Vec<u64> = world.events.iter().map(|event| event.seq.0).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert!(numbers[0] > 1_763_668_166_000_000, "above those of a session that was before a restart");
    let names = world.names();
    let done = names.iter().position(|name| *name == "done").unwrap();
    assert_eq!(names[done - 1], "frame_trace");
    assert_eq!(names[done + 1..], ["process_start", "process_end"], "the memorizer comes behind");
}

/// A turn that has said something, used a tool and is about to say more.
fn behind_a_tool() -> World {
    let mut world = World::new("v1-direct");
    world.say("two buttons");
    let (call, _) = world.out.pop_front().unwrap();
    world.put(Input::Chunk { call, text: "Let me see.".into() });
    let tool_calls = vec![ToolCall { id: "t".into(), tool: "emit_actions".into(), args: json!({"actions": ["Yes"]}) }];
    world.complete(call, Ok(Answer { tool_calls, ..Answer::default() }));
    world
}

#[test]
fn what_turns_out_to_be_a_thought_is_taken_back_and_the_rest_of_the_turn_stays() {
    let mut world = behind_a_tool();
    let (call, _) = world.out.pop_front().unwrap();
    world.put(Input::Chunk { call, text: "Hm, zebra</think>Here".into() });
    let told = Answer { text: "Here it is.".into(), is_retold: true, thoughts: "Hm, zebra".into(), ..Answer::default() };
    world.complete(call, Ok(told));
    let retold = world.events.iter().find_map(|event| match &event.what {
        What::Retold { text } => Some(text.to_string()),
        _ => None,
    });
    assert_eq!(retold.as_deref(), Some("Let me see.\n\nHere it is."));
    assert_eq!(world.session.history().back().unwrap().content, "Let me see.\n\nHere it is.");
    assert!(!world.asked().contains("zebra"), "the memorizer doesn't learn it: {}", world.asked());
    world.replay();
}

#[test]
fn what_a_later_call_of_a_turn_says_stands_in_a_paragraph_of_its_own() {
    let mut world = behind_a_tool();
    world.answer("Here it is.");
    assert_eq!(world.session.history().back().unwrap().content, "Let me see.\n\nHere it is.");
    world.replay();
}

#[test]
fn a_provider_that_counts_beyond_all_bounds_costs_nothing() {
    let mut world = World::new("v3-framed");
    let usage = Usage {
        prompt_tokens: u64::MAX,
        completion_tokens: u64::MAX,
        total_tokens: u64::MAX,
        cached_tokens: u64::MAX,
        reasoning_tokens: u64::MAX,
        cost_micros: u64::MAX,
    };
    for number in 1..=2 {
        world.put(Input::Completion { call: CallId(number), usage, waited_us: 0, outcome: Err(CallError::Truncated) });
    }
    assert_eq!(world.session.usage(), usage);
}

#[test]
fn time_never_runs_backwards() {
    let mut world = World::new("v3-framed");
    world.say("why?");
    world.now.moment.0 -= 5_000_000;
    world.answer(PERCEIVED);
    world.now.moment.0 += 10_000_000;
    world.answer(&decide(json!([])));
    world.answer("Because.");
    let frames = &world.trace().frames;
    let times: Vec<u64> = frames.iter().flat_map(|frame| [frame.started_us, frame.ended_us]).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(frames[1].ended_us - frames[1].started_us, 10_000_000 + 100 - 5_000_000 + 100, "{times:?}");
}

#[test]
fn usage_is_counted_for_a_turn_and_each_call() {
    let mut world = World::new("v3-framed");
    turn(&mut world, json!([]), "There.");
    assert_eq!(world.trace().usage.total_tokens, 330);
    assert_eq!(
        world.trace().background[0].usage,
        Some(Usage { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110, ..Usage::NONE })
    );
    let detail = world.session.turn(TurnId(1)).unwrap();
    let nodes: Vec<&str> = detail.calls.iter().map(|call| &*call.node).collect();
    assert_eq!(nodes, ["input", "director", "output", "memorizer"]);
    assert_eq!(detail.calls[2].came.said(), "There.");
    assert_eq!(detail.calls[2].came.whole().unwrap().model, "test", "an answer that fits is kept whole");
}

#[test]
fn a_prompt_is_parts_that_share_their_fixed_text() {
    let mut world = World::new("v3-framed");
    let mut effects = Vec::new();
    world.session.handle(
        world.now,
        Input::Message { text: "why?".into(), dashboard: Vec::new(), client_id: None, while_busy: None, from: ada() },
        &mut effects,
    );
    let Some(Effect::Call { request, .. }) = effects.iter().find(|effect| matches!(effect, Effect::Call { .. })) else {
        panic!("{effects:?}")
    };
    let crate::contract::Request::Model(request) = &**request else { panic!("a database was asked") };
    assert_eq!(request.messages.len(), 2);
    assert!(request.messages[0].text.to_string().starts_with("# input\n"));
    assert!(request.messages[1].text.to_string().ends_with("## message\nwhy?\n"));
}
