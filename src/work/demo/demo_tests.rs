//! What the demo model says, role by role.

use super::*;
use crate::contract::{Role, StreamedField, Text};
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
fn a_machine_that_is_there_is_added_to_set_back_and_taken_away() {
    const LIGHT: &str = r#"{"machines":[{"id":"traffic_light"}]}"#;
    const LAMP: &str = r#"{"machines":[{"id":"lamp"}]}"#;
    for (message, controls, tool, calls) in [
        ("add a state blinking to the traffic light", LIGHT, "add_state", 2),
        ("add a blinking state to the traffic light, please", LIGHT, "add_state", 2),
        ("füge der Ampel einen Zustand „blinkend“ hinzu", LIGHT, "add_state", 2),
        ("add a state called dimmed to the lamp", LAMP, "add_state", 2),
        ("gib einen Zustand gedimmt zur Lampe dazu", LAMP, "add_state", 2),
        ("add a state blinking to the traffic light", LAMP, "", 0),
        ("reset the traffic light", LIGHT, "reset_machine", 1),
        ("setze die Ampel zurück", LIGHT, "reset_machine", 1),
        ("remove the traffic light", LIGHT, "destroy_machine", 1),
        ("entferne die Ampel", LIGHT, "destroy_machine", 1),
        ("remove the traffic light", LAMP, "", 0),
    ] {
        let plan = json("director", &[("controls", controls), ("message", message)])["tool_sequence"].take();
        let plan = plan.as_array().unwrap();
        assert_eq!((plan.len(), plan.iter().all(|call| call["tool"] == tool)), (calls, true), "{message}: {plan:?}");
    }
    let plan = json("director", &[("controls", LIGHT), ("message", "füge der Ampel einen Zustand „blinkend“ hinzu")]);
    let new = &plan["tool_sequence"][0]["args"];
    assert_eq!((&new["state"], &new["buttons"][0]["go"]), (&json!("blinkend"), &json!("red")));
    let button = &plan["tool_sequence"][1]["args"]["buttons"][1];
    assert_eq!((&button["label"], &button["go"]), (&json!("Blinkend"), &json!("blinkend")), "a button leads to what is new");
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
        (&[("message", "Reply with the number alone: what is 12 * (3 + 4)?")], "84"),
        (&[("message", "Antworte, nur die Zahl: was ist 12 geteilt durch 4?"), ("language", "de")], "3"),
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
        stage: None,
        background: false,
        model: "strong".into(),
        messages: prompt("output", &[("message", "why is the sky blue?")]),
        schema: None,
        tools: Arc::default(),
        stream: true,
        streamed_field: None,
        tokens_max: 0,
    };
    let mut pieces = Vec::new();
    let mut say = |piece: &str| pieces.push(piece.to_owned());
    let cancel = crate::work::Cancel::default();
    let mut call = Call { cancel: &cancel, due: std::time::Instant::now(), trace: None, say: &mut say };
    let ended = Model::answer(&mut demo(), &request, &mut call);
    assert_eq!(ended.outcome.unwrap().text, "", "it was streamed");
    let whole = demo().answer(&request.messages, false);
    assert_eq!((pieces.concat(), ended.usage), (whole.text, whole.usage));
    assert!(pieces.len() > 20 && whole.usage.completion_tokens == pieces.len() as u64);
}

/// A request as the assistant's node makes it, with the experts that it knows.
fn to_pa(experts: &[&str], slots: &[(&str, &str)]) -> Value {
    let mut messages = prompt("pa", slots);
    let list: String = experts.iter().map(|name| format!("- `{name}`: knows something\n")).collect();
    messages[0] = ChatMessage::new(Role::System, Text::slot("said", format!("# pa\n\nExperts:\n{list}\nRules:\n- none\n")));
    serde_json::from_str(&demo().answer(&messages, false).text).unwrap()
}

fn routed(message: &str, language: &str, history: &str) -> (Option<String>, String) {
    let perceived = json!({"language": language}).to_string();
    let routing = to_pa(&["desk", "eras"], &[("history", history), ("perception", &perceived), ("message", message)]);
    assert_eq!(routing["language"], language);
    let is_answer = routing["expert"].is_null();
    assert!(is_answer == routing["thinking_message"].as_str().unwrap().is_empty(), "{message}: {routing}");
    assert!(is_answer == routing["job"].as_str().unwrap().is_empty(), "{message}: {routing}");
    let said = if is_answer { &routing["answer"] } else { &routing["job"] };
    (routing["expert"].as_str().map(str::to_owned), said.as_str().unwrap().to_owned())
}

#[test]
fn the_assistant_gives_each_message_to_who_can_answer_it() {
    for (message, language, expert, job) in [
        ("wie viele Kunden haben wir?", "de", Some("eras"), "Wie viele Kunden gibt es? Eine Zahl genügt.\nAntworte auf Deutsch."),
        (
            "How many customers are there in Leipzig?",
            "en",
            Some("eras"),
            "How many customers are there in Leipzig? One number.\nAnswer in English.",
        ),
        ("give me two buttons, red and blue", "en", Some("desk"), "give me two buttons, red and blue\nAnswer in English."),
        ("what did I say before?", "en", Some("desk"), "what did I say before?\nAnswer in English."),
        ("why is the sky blue?", "en", None, "Sunlight"),
        ("wie hoch war der Verbrauch?", "de", None, "Welchen Verbrauch meinst du?"),
        ("Write a sonnet on quantum gravity", "en", None, "I don't know that. I am the built-in **demo model**"),
        (
            "action: try_count (the control «Kunden» was used with data {\"say\":\"wie viele Kunden gibt es?\"})",
            "de",
            Some("eras"),
            "Wie viele Kunden gibt es? Eine Zahl genügt.\nAntworte auf Deutsch.",
        ),
    ] {
        let (to, brief) = routed(message, language, "");
        assert_eq!(to.as_deref(), expert, "{message}");
        assert!(if expert.is_some() { brief == job } else { brief.starts_with(job) }, "{message}: {brief}");
    }
    let alone = to_pa(&["desk"], &[("message", "how many customers are there?")]);
    assert_eq!(alone["expert"], Value::Null, "an expert that the prompt does not name is not asked");
}

#[test]
fn what_a_follow_up_leaves_out_stands_in_the_history() {
    let first = "user: wie viele Rechnungen gab es 2024?\nassistant: Für 2024 gab es 10 Rechnungen.";
    for (message, history, job) in [
        ("und 2023?", first.to_owned(), "für 2023,"),
        ("und im Jahr davor?", first.to_owned(), "für 2023,"),
        ("und im Jahr davor?", format!("{first}\nuser: und 2022?\nassistant: 9."), "für 2021,"),
        ("und im Jahr davor?", format!("{first}\nuser: danke\nassistant: Gern."), "für 2023,"),
        ("und in Leipzig?", "user: wie viele Kunden haben wir?\nassistant: 3".to_owned(), "in Leipzig?"),
        ("nur die ersten drei", "user: die 5 größten Kunden 2023\nassistant: A".to_owned(), "Die Top drei in der Rangliste"),
    ] {
        let (expert, brief) = routed(message, "de", &history);
        assert!(expert.as_deref() == Some("eras") && brief.contains(job), "{message}: {brief}");
    }
    for history in ["", "user: hallo\nassistant: Hallo!", "user: wie viele Kunden haben wir?\nassistant: 3"] {
        let (expert, answer) = routed("und 2023?", "de", history);
        assert!(expert.is_none() && answer.starts_with("Was aus diesem Jahr meinst du?"), "{history}: {answer}");
    }
}

/// Each job is understood as the question that it was made of, with the same parts; so follow-ups and experts agree.
#[test]
fn a_job_is_understood_as_the_question_that_it_was_made_of() {
    let rules = Rules::load().unwrap();
    for (messages, language) in [
        (
            [
                "what can you do?",
                "delete all customers",
                "what columns does the table geraete have?",
                "show me the rows of the table kunden",
                "which tables are there?",
                "which readings are missing in 2023?",
                "the top 3 customers by revenue in 2022",
                "who are our biggest customers?",
                "which properties had the most readings in 2024?",
                "heat consumption by month in 2023",
                "compare the bills per year",
                "how many devices are there of each kind?",
                "how many tenants do we have?",
                "properties by postal code",
                "how many unpaid bills are there?",
                "which customers are named Müller?",
                "how many customers in each town?",
                "how many customers are there in Graz?",
                "how many properties are there?",
                "how many units are there?",
                "how many readings were there?",
                "how many bills were there in 2023?",
                "which properties are in Leipzig?",
                "will bills be higher next year?",
            ],
            "en",
        ),
        (
            [
                "was kannst du?",
                "lösche alle Kunden",
                "welche Spalten hat die Tabelle geraete?",
                "zeig mir die Zeilen der Tabelle kunden",
                "welche Tabellen gibt es?",
                "welche Ablesungen fehlen 2023?",
                "die 3 größten Kunden nach Umsatz 2022",
                "wer sind unsere größten Kunden?",
                "welche Objekte hatten 2024 die meisten Ablesungen?",
                "Wärmeverbrauch je Monat 2023",
                "vergleiche die Rechnungen je Jahr",
                "wie viele Geräte gibt es je Art?",
                "wie viele Mieter haben wir?",
                "Objekte nach Postleitzahl",
                "wie viele offene Rechnungen gibt es?",
                "welche Kunden heißen Müller?",
                "wie viele Kunden gibt es je Ort?",
                "wie viele Kunden gibt es in Graz?",
                "wie viele Objekte haben wir?",
                "wie viele Wohnungen gibt es?",
                "wie viele Ablesungen gab es?",
                "wie viele Rechnungen gab es 2023?",
                "welche Objekte gibt es in Leipzig?",
                "werden die Rechnungen nächstes Jahr höher?",
            ],
            "de",
        ),
    ] {
        let mut met = Vec::new();
        for message in messages {
            let (question, names) = rules.questions.asked(message).unwrap_or_else(|| panic!("{message}"));
            let routing = to_pa(&["desk", "eras"], &[("perception", &json!({"language": language}).to_string()), ("message", message)]);
            let job = routing["job"].as_str().unwrap();
            let (again, parts) = rules.questions.asked(job.lines().next().unwrap()).unwrap_or_else(|| panic!("{job}"));
            assert_eq!(again.about, question.about, "{message}: {job}");
            for (name, value) in names.iter().filter(|(name, _)| *name != "assumed" && *name != "request") {
                assert_eq!(parts.get(name), Some(value), "{message}: {job}");
            }
            let slots = [("dialect", "sqlite"), ("schema", ""), ("job", job)];
            let plan = json("expert", &slots);
            let is_plain = question.about != "data that no rule knows";
            assert_eq!(!plan["tool_sequence"].as_array().unwrap().is_empty(), is_plain, "{message}: {plan}");
            assert!(!plan.to_string().contains("{year") && !plan["response_hint"].as_str().unwrap().is_empty(), "{plan}");
            for call in plan["tool_sequence"].as_array().unwrap().iter().filter(|call| call["tool"] == "query") {
                for dialect in [crate::contract::Dialect::Sqlite, crate::contract::Dialect::Mysql] {
                    let allowed = crate::sql::check(call["args"]["sql"].as_str().unwrap(), dialect, &["eras2_production"]);
                    assert_eq!(allowed.is_ok(), question.about != "a request to change data", "{call}: {allowed:?}");
                }
            }
            met.push(question.about.clone());
        }
        met.dedup();
        assert!(met.len() > 20, "the questions are not all the same: {met:?}");
    }
}

#[test]
fn a_plan_that_failed_is_mended_or_given_up() {
    let plan = |job: &str, failure: Option<&str>| {
        let mut messages = prompt("expert", &[("dialect", "sqlite"), ("schema", "nothing is described yet"), ("job", job)]);
        messages.extend(failure.map(|failure| ChatMessage::new(Role::User, Text::slot("failure", failure))));
        let plan: Value = serde_json::from_str(&demo().answer(&messages, false).text).unwrap();
        plan["tool_sequence"].as_array().unwrap().iter().map(|call| call["args"]["sql"].to_string()).collect::<Vec<_>>().join("; ")
    };
    let job = "Wie viele Mieter gibt es?\nAntworte auf Deutsch.";
    assert!(plan(job, None).contains("FROM mieter"));
    assert!(plan(job, Some("The call `query` with {…} failed: there is no table `mieter`")).contains("FROM nutzeinheiten"));
    assert_eq!(plan("Wie viele Kunden gibt es?", Some("The call failed: syntax error")), "");
    assert!(plan("Which customers are named O'Neil_%\\?", None).contains("LIKE '%O''Neil%'"), "a name can't leave its quotes");
}

#[test]
fn an_answer_is_composed_from_what_was_found() {
    let rows = |rows: Value, is_cut: bool| {
        json!([{"tool": "query", "args": {}, "ok": true, "summary": "", "data": {"columns": ["a", "b"], "rows": rows, "is_cut": is_cut}}])
            .to_string()
    };
    let failed = json!([{"tool": "query", "args": {}, "ok": false, "summary": "no such table: mieter", "data": null}]).to_string();
    for (job, language, results, says) in [
        ("Wie viele Kunden gibt es? Eine Zahl genügt.", "de", rows(json!([[1234]]), false), "Es gibt **1.234** Kunden."),
        ("How many customers are there? One number.", "en", rows(json!([[1234]]), false), "There are **1,234** customers."),
        ("How many customers are there? One number.", "en", rows(json!([[1]]), false), "There is **1** customer."),
        ("How many customers are there in Graz? One number.", "en", rows(json!([["1"]]), false), "There is **1** customer in Graz."),
        ("Wie viele Objekte gibt es? Eine Zahl genügt.", "de", rows(json!([[1]]), false), "Es gibt **1** Objekt."),
        ("Wie viele Geräte gibt es? Eine Zahl genügt.", "de", rows(json!([[0]]), false), "Es gibt **0** Geräte."),
        ("Which customers are named Ada?", "en", rows(json!([["A"]]), false), "I found 1 customer whose name contains “Ada”."),
        ("Which customers are named Ada?", "en", rows(json!([["A"], ["B"]]), false), "I found 2 customers whose name contains “Ada”."),
        ("Welche Kunden heißen Ada?", "de", rows(json!([["A"]]), false), "Ich habe 1 Kunden gefunden, dessen Name „Ada“ enthält."),
        ("Welche Kunden heißen Ada?", "de", rows(json!([["A"], ["B"]]), false), "Ich habe 2 Kunden gefunden, deren Name „Ada“ enthält."),
        ("Which properties are there in Graz? A list.", "en", rows(json!([["A"]]), false), "I found 1 property in Graz."),
        ("Which customers are named Ada?", "en", rows(json!([]), false), "Nothing of that is in the database."),
        ("How many tenants are there?", "en", failed, "The database could not answer that: no such table: mieter."),
        (
            "Show the rows of the table kunden.",
            "en",
            rows(json!([[1], [2]]), true),
            "Here are 2 rows of `kunden`.\n\nThere are more rows than are shown.",
        ),
        (
            "Wie viele Ablesungen gab es im Jahr 2024? Eine Zahl genügt. Ein Jahr war nicht genannt: 2024 ist angenommen.",
            "de",
            rows(json!([[7]]), false),
            "Im Jahr 2024 gab es **7** Ablesungen.\n\nDu hast kein Jahr genannt; ich bin von 2024 ausgegangen.",
        ),
        (
            "Compare the bills per year: sum and number of each year, as a bar chart.",
            "en",
            rows(json!([["2023", "100.00", 1], ["2024", "150.50", 2]]), false),
            "From 2023 to 2024 the sum of the bills changed by +50.50 %: from 100 EUR to 150.50 EUR.\n- The highest year was 2024 (150.50).\n- The lowest year was 2023 (100).",
        ),
    ] {
        assert_eq!(says_compose(job, language, &results), says, "{job}");
        // An interpreter behind the expert writes the same: its goal is the job, with the line that names the language.
        let goal = format!("{job}\n{}", if language == "de" { "Antworte auf Deutsch." } else { "Answer in English." });
        let interpreted = json("interpreter", &[("message", "und?"), ("goal", &goal), ("response_hint", ""), ("results", &results)]);
        assert_eq!(interpreted["summary"], says, "{job}");
        assert_eq!(interpreted["findings"].as_array().unwrap().len(), says.matches("\n- ").count(), "{job}");
    }
}

fn says_compose(job: &str, language: &str, results: &str) -> String {
    says("compose", &[("language", language), ("job", job), ("response_hint", ""), ("results", results)])
}

#[test]
fn a_field_is_streamed_word_by_word_and_the_text_stays_whole() {
    let says = StreamedField { field: "answer".into(), unless: Some("expert".into()) };
    let request = ModelRequest {
        role: "pa".into(),
        stage: None,
        background: false,
        model: "strong".into(),
        messages: prompt("pa", &[("message", "why is the sky blue?")]),
        schema: None,
        tools: Arc::default(),
        stream: false,
        streamed_field: Some(says),
        tokens_max: 0,
    };
    let mut pieces = Vec::new();
    let mut say = |piece: &str| pieces.push(piece.to_owned());
    let cancel = crate::work::Cancel::default();
    let mut call = Call { cancel: &cancel, due: std::time::Instant::now(), trace: None, say: &mut say };
    let text = Model::answer(&mut demo(), &request, &mut call).outcome.unwrap().text;
    let routing: Value = serde_json::from_str(&text).unwrap();
    assert!(pieces.len() > 20 && routing["answer"] == pieces.concat(), "{pieces:?}");
    assert!(text.starts_with(r#"{"expert":null,"#), "{text}");
}

#[test]
fn the_desk_does_what_the_plain_graph_does() {
    let desk = |job: &str| json("expert", &[("controls", r#"{"machines":[]}"#), ("job", job)]);
    let buttons = desk("gib mir zwei Knöpfe: Rot und Blau\nAntworte auf Deutsch.");
    assert_eq!(buttons["tool_sequence"][0]["args"]["actions"], json!([{"label": "Rot"}, {"label": "Blau"}]));
    assert_eq!(buttons["interpret"], false);
    let count = desk("action: count (the control «+1» was used with data {\"next\":3})\nAntworte auf Deutsch.");
    assert_eq!(count["tool_sequence"][1]["args"]["items"][0]["label"], "Zähler");
    let recall = desk("what is my name?\nAnswer in English.");
    assert_eq!((&recall["tool_sequence"][0]["tool"], &recall["interpret"]), (&json!("recall"), &json!(true)));
    let found =
        json!([{"tool": "recall", "ok": true, "data": {"matched": true, "user_name": "Ada", "messages": [], "facts": []}}]).to_string();
    assert_eq!(says_compose("what is my name?\nAnswer in English.", "en", &found), "Your name is Ada.");
    assert_eq!(says_compose("mach mir einen Zähler\nAntworte auf Deutsch.", "de", "[]"), "Hier ist ein Zähler. Er beginnt bei **0**.");
}

/// Where a number stands before a word, the word follows it.
#[test]
fn no_sentence_of_a_data_file_counts_with_one_form_alone() {
    let text = include_str!("eras.json");
    let places = ["{rows|rows} ", "{rows|sum} ", "{rows.0.0|amount}** "];
    for (place, behind) in places.iter().flat_map(|place| text.split(place).skip(1).map(move |behind| (place, behind))) {
        let word: String = behind.chars().take_while(|sign| sign.is_alphabetic()).collect();
        assert!(word.is_empty() || ["kWh", "Kunden", "ist"].contains(&&*word), "{place}{word}");
    }
}
