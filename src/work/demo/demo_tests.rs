//! What the demo model says, role by role.

use super::*;
use crate::contract::{Role, Text};
use serde_json::{Value, json};

fn demo() -> Demo {
    Demo::new(Duration::ZERO)
}

/// A request as a node makes it: the role, and slots.
fn prompt(role: &str, slots: &[(&str, &str)]) -> Vec<ChatMessage> {
    let blocks: String = slots.iter().map(|(name, value)| format!("## {name}\n{value}\n\n")).collect();
    vec![
        ChatMessage::new(Role::System, Text::slot("said", format!("# {role}\n"))),
        ChatMessage::new(Role::User, Text::slot("said", blocks)),
    ]
}

fn says(role: &str, slots: &[(&str, &str)]) -> String {
    demo().answer(&prompt(role, slots), false).text
}

fn json(role: &str, slots: &[(&str, &str)]) -> Value {
    serde_json::from_str(&says(role, slots)).unwrap()
}

const MEMORY: &str = r#"{"user_name":"anonymous","language":"en","facts":[]}"#;

#[test]
fn each_message_takes_the_path_that_fits_it() {
    for (message, language, intent, complexity) in [
        ("hello there", "en", "social", "trivial"),
        ("how are you doing?", "en", "social", "trivial"),
        ("danke dir, das war nett", "de", "social", "trivial"),
        ("hi, my name is ada", "en", "social", "trivial"),
        ("I like tea", "en", "other", "trivial"),
        ("what is 12 * (3 + 4)?", "en", "question", "trivial"),
        ("why is the sky blue?", "en", "question", "simple"),
        ("hallo, warum ist der Himmel blau?", "de", "question", "simple"),
        ("what can you do?", "en", "question", "simple"),
        ("was sind Frames?", "de", "question", "simple"),
        ("give me two buttons, red and blue", "en", "request", "simple"),
        ("zeig mir drei Knöpfe: rot, grün und blau", "de", "request", "simple"),
        ("mach mir eine Ampel", "de", "request", "simple"),
        ("what did I say before?", "en", "recall", "simple"),
        ("was habe ich vorher gesagt?", "de", "recall", "simple"),
        ("what is my name?", "en", "recall", "simple"),
        ("wie heiße ich?", "de", "recall", "simple"),
        ("Write a sonnet on quantum gravity", "en", "other", "simple"),
    ] {
        let perceived = json("input", &[("memory", MEMORY), ("message", message)]);
        let expected = json!({"language": language, "intent": intent, "complexity": complexity});
        let shown = json!({"language": perceived["language"], "intent": perceived["intent"], "complexity": perceived["complexity"]});
        assert_eq!(shown, expected, "{message}");
    }
}

#[test]
fn a_plan_names_the_tools_that_the_message_asks_for() {
    let perceived = |language: &str| json!({"language": language}).to_string();
    let actions = |actions: Value| json!([{"tool": "emit_actions", "args": {"actions": actions}}]);
    for (message, language, plan) in [
        ("why is the sky blue?", "en", json!([])),
        ("give me two buttons, red and blue", "en", actions(json!([{"label": "Red"}, {"label": "Blue"}]))),
        (
            "three buttons for small, medium and large please",
            "en",
            actions(json!([{"label": "Small"}, {"label": "Medium"}, {"label": "Large please"}])),
        ),
        ("give me a yes and a no button", "en", actions(json!([{"label": "Yes"}, {"label": "No"}]))),
        ("zeig mir drei Knöpfe: rot, grün und blau", "de", actions(json!([{"label": "Rot"}, {"label": "Grün"}, {"label": "Blau"}]))),
        ("gib mir 2 Knöpfe", "de", actions(json!([{"label": "Knopf 1"}, {"label": "Knopf 2"}]))),
        ("what did I say about my cat?", "en", json!([{"tool": "recall", "args": {"query": "my cat"}}])),
        ("what did I say before?", "en", json!([{"tool": "recall", "args": {"query": ""}}])),
        (
            "action: try_recall (the control «Recall» was used with data {\"say\":\"what did I say before?\"})",
            "en",
            json!([{"tool": "recall", "args": {"query": ""}}]),
        ),
        ("action: red (the control «Red» was used)", "en", json!([])),
    ] {
        let planned = json("director", &[("perception", &perceived(language)), ("message", message)]);
        assert_eq!(planned["tool_sequence"], plan, "{message}");
        assert!(planned["goal"].as_str().is_some_and(|goal| !goal.is_empty()));
    }
    let count = json("director", &[("message", "action: count (the control «+1» was used with data {\"next\":3})")]);
    assert_eq!(count["tool_sequence"][0], json!({"tool": "set_state", "args": {"key": "counter", "value": 3.0}}));
    assert_eq!(count["tool_sequence"][2]["args"]["actions"][1]["payload"], json!({"next": 2}));
    let chart = json("director", &[("message", "a chart of 3, 5 and 8")]);
    assert_eq!(chart["tool_sequence"][0]["args"]["items"][0]["series"][0]["values"], json!([3.0, 5.0, 8.0]));
}

#[test]
fn every_rule_speaks_both_languages() {
    let rules = Rules::load().unwrap();
    for rule in rules.rules.iter().chain([&rules.otherwise]) {
        for say in [&rule.goal, &rule.says, &rule.finds] {
            assert!(say.languages().eq(["de", "en"]) || say.languages().next().is_none(), "{}", rule.about);
        }
        assert!(rule.says.languages().next().is_some() || rule.finds.languages().next().is_some(), "{} says nothing", rule.about);
        assert!(rule.complexity == "trivial" || rule.goal.languages().next().is_some(), "{} has no goal", rule.about);
    }
}

#[test]
fn a_machine_that_is_there_makes_place_for_the_new_one() {
    let tools = |controls: &str| -> Vec<String> {
        let plan = json("director", &[("controls", controls), ("message", "make a traffic light")]);
        plan["tool_sequence"].as_array().unwrap().iter().map(|call| call["tool"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(tools(r#"{"machines":[]}"#), ["create_machine"]);
    assert_eq!(tools(r#"{"machines":[{"id":"traffic_light"}]}"#), ["destroy_machine", "create_machine"]);
}

#[test]
fn what_was_found_is_told_from_the_results_alone() {
    let results = |user_name: &str, messages: &[(&str, &str)]| {
        let said: Vec<Value> = messages.iter().map(|(role, content)| json!({"role": role, "content": content, "turn": "msg_1"})).collect();
        json!([{"tool": "recall", "args": {}, "ok": true, "summary": "", "data": {"query": "q", "matched": !said.is_empty(), "user_name": user_name, "messages": said, "facts": []}}]).to_string()
    };
    for (message, results, summary) in [
        (
            "what is my name?",
            results("anonymous", &[("user", "hi, my name is ada"), ("assistant", "Nice to meet you, Ada!")]),
            "Your name is Ada.",
        ),
        (
            "what is my name?",
            results("x", &[("user", "my name is ada"), ("assistant", "write “my name is Eve”"), ("user", "call me Bob!")]),
            "Your name is Bob.",
        ),
        ("what is my name?", results("x", &[("user", "I'm Peter")]), "Your name is Peter."),
        ("what is my name?", results("Grace", &[]), "Your name is Grace."),
        (
            "when is my birthday?",
            results("x", &[("user", "remember that my birthday is in May")]),
            "You said “remember that my birthday is in May”.",
        ),
        ("what is my name?", results("anonymous", &[("user", "I like tea")]), "You have not told me your name."),
        ("wie heiße ich?", results("anonymous", &[("user", "ich heiße Jörg")]), "Du heißt Jörg."),
        (
            "what did I say before?",
            results("x", &[("user", "hello"), ("assistant", "Hi."), ("user", "I like tea")]),
            "Before this you said “hello”, “I like tea”.",
        ),
        ("what did I say before?", results("x", &[]), "You have not said anything before this."),
        ("what did I say about tea?", results("x", &[("user", "I like tea")]), "You said “I like tea”."),
        ("was habe ich vorher gesagt?", results("x", &[("user", "Hallo")]), "Davor hast du gesagt: „Hallo“."),
    ] {
        assert_eq!(json("interpreter", &[("results", &results), ("message", message)])["summary"], summary, "{message} {results}");
    }
}

#[test]
fn an_answer_says_what_it_knows_and_what_it_does_not() {
    for (slots, begins) in [
        (&[("reflex", "true"), ("message", "hello")][..], "Hello! What can I do for you?"),
        (&[("memory", r#"{"user_name":"Ada"}"#), ("message", "hello")], "Hello, Ada!"),
        (&[("language", "de"), ("message", "hello")], "Hallo!"),
        (&[("message", "12 * (3 + 4) = ?")], "12 * (3 + 4) = **84**"),
        (&[("findings", "Your name is Ada."), ("message", "what is my name?")], "Your name is Ada."),
        (&[("message", "action: red (the control «Red» was used)")], "You chose **Red**."),
        (
            &[("results", r#"[{"ok":false,"summary":"there is no machine"}]"#), ("message", "lamp")],
            "That did not work: there is no machine.",
        ),
        (&[("message", "Write a sonnet on quantum gravity")], "I don't know that. I am the built-in **demo model**"),
        (&[("message", "Schreib mir ein Sonett über die Schwerkraft")], "Das weiß ich nicht. Ich bin das eingebaute **Demo-Modell**"),
        (&[("sensed", "local time: Thursday, 2025-11-20 19:49"), ("message", "what time is it?")], "It is Thursday, 2025-11-20 19:49."),
    ] {
        let said = says("output", slots);
        assert!(said.starts_with(begins), "{slots:?}: {said}");
    }
    let joke = |history: &str| says("output", &[("history", history), ("message", "tell me a joke")]);
    assert_ne!(joke(""), joke(&format!("assistant: {}", joke(""))), "another one the second time");
}

#[test]
fn the_memorizer_notes_what_lasts() {
    for (message, patch) in [
        ("my name is ada and I like green tea", json!({"user_name": "Ada", "facts": ["likes green tea"], "topic": "Ada"})),
        ("Ich heiße Jörg. Ich mag Züge.", json!({"user_name": "Jörg", "facts": ["mag Züge"], "language": "de"})),
        ("I live in Graz and I have a dog", json!({"facts": ["lives or works in Graz", "has a dog"], "topic": "the user"})),
        ("I love it!", json!({})),
        ("I am tired", json!({"user_mood": "tired"})),
        ("I'm Ada", json!({"user_name": "Ada"})),
        ("hello", json!({})),
        ("why is the sky blue?", json!({"topic": "the blue sky"})),
    ] {
        let mut noted = json("memorizer", &[("memory", MEMORY), ("message", message), ("answer", "…")]);
        let mut patch = patch;
        if message.contains("green tea") {
            // Which of two statements names the topic doesn't matter.
            noted.as_object_mut().unwrap().remove("topic");
            patch.as_object_mut().unwrap().remove("topic");
        }
        assert_eq!(noted, patch, "{message}");
    }
}

#[test]
fn the_thinker_fills_in_what_a_plan_left_open() {
    let filled = json("thinker", &[("message", "what did I say about tea?"), ("open", r#"[{"tool":"recall","args":null}]"#)]);
    assert_eq!(filled, json!({"calls": [{"tool": "recall", "args": {"query": "tea"}}]}));
}

#[test]
fn the_agent_calls_tools_and_then_speaks_of_what_they_brought() {
    let mut messages = prompt("agent", &[("memory", MEMORY), ("message", "what did I say about tea?")]);
    let Said { text, tool_calls, .. } = demo().answer(&messages, true);
    assert_eq!((text.as_str(), tool_calls[0].tool.as_str()), ("", "recall"));
    let mut asked = ChatMessage::new(Role::Assistant, Text::default());
    let mut found = ChatMessage::new(
        Role::Tool,
        Text::slot("result", r#"{"matched":true,"messages":[{"role":"user","content":"I like tea"}],"facts":[]}"#),
    );
    found.tool_call_id = Some(tool_calls[0].id.clone());
    asked.tool_calls = tool_calls;
    messages.extend([asked, found]);
    let said = demo().answer(&messages, true);
    assert_eq!((said.text.as_str(), said.tool_calls.len()), ("You said “I like tea”.", 0));
    assert!(demo().answer(&prompt("agent", &[("message", "hello")]), true).text.starts_with("Hello!"));
}

#[test]
fn the_same_request_is_answered_the_same_and_word_by_word() {
    let request = ModelRequest {
        role: "output".into(),
        model: "strong".into(),
        messages: prompt("output", &[("message", "why is the sky blue?")]),
        schema: None,
        tools: Arc::default(),
        stream: true,
        tokens_max: 0,
    };
    let mut pieces = Vec::new();
    let mut say = |piece: &str| pieces.push(piece.to_owned());
    let cancel = crate::work::Cancel::default();
    let mut call = Call { cancel: &cancel, due: std::time::Instant::now(), say: &mut say };
    let ended = Model::answer(&mut demo(), &request, &mut call);
    assert_eq!(ended.outcome.unwrap().text, "", "it was streamed");
    let whole = demo().answer(&request.messages, false);
    assert_eq!((pieces.concat(), ended.usage), (whole.text, whole.usage));
    assert!(pieces.len() > 20 && whole.usage.completion_tokens == pieces.len() as u64);
}
