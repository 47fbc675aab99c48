//! Looking at prompts: what a node would be asked is what it is asked, and looking changes nothing.

use super::world::World;
use crate::contract::{Code, Input, Question, Request};
use serde_json::json;

const PERCEIVED: &str = r#"{"intent":"question","language":"en"}"#;

/// All messages of one stage as one text.
fn told(question: &Question, stage: Option<&str>) -> String {
    let of_stage = question.messages.iter().filter(|(of, _)| of.is_none() || of.as_deref() == stage);
    of_stage.map(|(_, message)| message.text.to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_node_would_be_asked_is_what_it_is_asked_during_the_turn_and_after_it() {
    let count = |interpret| {
        let query = json!({"tool": "query", "args": {"sql": "SELECT COUNT(*) AS anzahl FROM kunden"}});
        json!({"tool_sequence": [query], "response_hint": "The number.", "interpret": interpret}).to_string()
    };
    let (composed, interpreted) = (count(false), count(true));
    let columns = r#"{"Rows":{"columns":["column","type"],"rows":[["id","INTEGER"]],"is_cut":false}}"#;
    let three = r#"{"Rows":{"columns":["anzahl"],"rows":[[3]],"is_cut":false}}"#;
    let routed = r#"{"expert":"eras","job":"Count the customers.","thinking_message":"Counting.","language":"de"}"#;
    let recalling = r#"{"goal":"tell what was said","tool_sequence":[{"tool":"recall"}]}"#;
    for (graph, script) in [
        (
            "v3-framed",
            &[
                ("input", PERCEIVED),
                ("director", recalling),
                ("thinker", r#"{"calls":[{"tool":"recall","args":{"query":"tea"}}]}"#),
                ("interpreter", r#"{"findings":["none"],"summary":"Nothing was said."}"#),
                ("memorizer", "{}"),
            ][..],
        ),
        (
            "v3-framed",
            &[("input", PERCEIVED), ("director", r#"{"goal":"tell it","tool_sequence":[]}"#), ("output", "Tea."), ("memorizer", "{}")],
        ),
        (
            "v4-eras",
            &[
                ("input", PERCEIVED),
                ("pa", routed),
                ("eras", &interpreted),
                ("", columns),
                ("", three),
                ("interpreter", r#"{"summary":"There are three."}"#),
                ("memorizer", "{}"),
            ],
        ),
        (
            "v4-eras",
            &[
                ("input", PERCEIVED),
                ("pa", routed),
                ("eras", &composed),
                ("", columns),
                ("", three),
                ("eras", "There are three."),
                ("memorizer", "{}"),
            ],
        ),
        ("v1-direct", &[("agent", "I can't know."), ("memorizer", "{}")]),
    ] {
        let mut world = World::new(graph);
        world.say("hello, I like tea");
        while !world.out.is_empty() {
            world.answer(r#"{"intent":"social","language":"en"}"#);
        }
        world.pass(60_000_000);
        world.say("what did I say?");
        let mut all_asked = Vec::new();
        for (node, answer) in script {
            if !node.is_empty() {
                let asked = world.asked();
                let question = world.session.question(world.now, node, None).unwrap();
                let stages = question.messages.iter().map(|(stage, _)| stage.as_deref()).collect::<std::collections::BTreeSet<_>>();
                let is_composing = asked.starts_with("# compose");
                if !is_composing {
                    let stage = stages.contains(&Some("plan")).then_some("plan");
                    assert_eq!(told(&question, stage), asked, "{graph}: {node} now");
                }
                let Request::Model(request) = &*world.out[0].1 else { panic!("{graph}: {node} asks a model") };
                assert_eq!(question.tools, request.tools, "{graph}: {node} has the tools that it is sent with");
                all_asked.push((*node, stages.contains(&Some("plan")).then_some(if is_composing { "compose" } else { "plan" }), asked));
            }
            world.answer(answer);
        }
        assert!(world.out.is_empty(), "{graph}: the script answers every call");
        for (node, stage, asked) in all_asked {
            let question = world.session.question(world.now, node, None).unwrap();
            match stage {
                // What has been described since stands in the plan's prompt now.
                Some("plan") => assert!(told(&question, stage).contains("INTEGER") && !asked.contains("INTEGER"), "{graph}: {node}"),
                Some(_) | None => {
                    // What the answer shows stands on the screen now.
                    let but_the_screen = |text: &str| {
                        let is_kept = |line: &&str| !line.starts_with("{\"controls\":") && *line != "## controls" && !line.is_empty();
                        text.lines().filter(is_kept).collect::<String>()
                    };
                    let (told, asked) = (but_the_screen(&told(&question, stage)), but_the_screen(&asked));
                    assert_eq!(told, asked, "{graph}: {node} {stage:?} after the turn");
                }
            }
        }
        world.replay();
    }
}

#[test]
fn a_message_that_is_not_there_yet_finds_nothing_but_the_conversation() {
    let mut world = World::new("v3-framed");
    let fresh = world.session.question(world.now, "director", None).unwrap();
    assert!(told(&fresh, None).contains("## perception\n(not known yet: an earlier node finds it)\n"), "{fresh:?}");
    assert!(told(&fresh, None).contains(r#""user_name":"ada""#) && told(&fresh, None).ends_with("## message\n\n"), "{fresh:?}");
    world.say("why?");
    for answer in [PERCEIVED, r#"{"goal":"explain why"}"#, "Because.", "{}"] {
        world.answer(answer);
    }
    for (node, text, has, has_not) in [
        (
            "director",
            Some("and now?"),
            &["## message\nand now?", "user: why?", "assistant: Because.", "local time: ", "## perception\n(not known yet"][..],
            "\"intent\":",
        ),
        ("director", None, &["## message\nwhy?", r#""intent":"question""#], "user: why?"),
        (
            "output",
            Some("and now?"),
            &["## message\nand now?", "assistant: Because.", "## goal\n(not known yet", "## reflex\n(not known yet"],
            "explain why",
        ),
        ("output", None, &["## goal\nexplain why"], "assistant: Because."),
        ("memorizer", None, &["## answer\nBecause."], "and now?"),
    ] {
        let question = world.session.question(world.now, node, text).unwrap();
        let told = told(&question, None);
        assert!(has.iter().all(|part| told.contains(part)) && !told.contains(has_not), "{node} {text:?}: {told}");
    }
    world.put(Input::Switch { graph: "v1-direct".into(), keep: true, from: super::world::ada() });
    let kept = told(&world.session.question(world.now, "agent", None).unwrap(), None);
    assert!(kept.contains("## message\nwhy?") && !kept.contains("explain why"), "{kept}");
    world.put(Input::Clear { from: super::world::ada() });
    assert!(told(&world.session.question(world.now, "agent", None).unwrap(), None).ends_with("## message\n\n"));
    world.replay();
}

#[test]
fn a_question_carries_schema_and_tools_and_a_node_without_one_says_so() {
    let world = World::new("v4-eras");
    let question = world.session.question(world.now, "eras", Some("how many?")).unwrap();
    assert_eq!((&*question.role, &*question.model), ("expert", "strong"));
    assert!(told(&question, Some("plan")).contains("## job\nhow many?"), "{question:?}");
    assert!(told(&question, Some("compose")).contains("## results\n(not known yet"), "{question:?}");
    assert_eq!(question.schema.as_ref().map(|schema| schema.name.as_str()), Some("plan"));
    for (node, says) in
        [("ui", "the node `ui` calls no model"), ("director", "the graph `v4-eras` has no node `director`: choose one of input, pa, eras")]
    {
        let wrong = world.session.question(world.now, node, None).unwrap_err();
        assert!(wrong.to_string().starts_with(says), "{wrong}");
    }
    let code = |node| world.session.question(world.now, node, None).unwrap_err().code;
    assert_eq!((code("sensor"), code("director")), (Code::NodeWithoutPrompt, Code::UnknownNode));
}

#[test]
fn what_the_user_sees_is_told_to_whoever_decides_what_is_shown() {
    let routed = r#"{"expert":"desk","job":"Show it again.","thinking_message":"","language":"en"}"#;
    for (graph, script) in [
        ("v3-framed", &[("input", PERCEIVED, false), ("director", r#"{"goal":"do"}"#, true), ("output", "Done.", false)][..]),
        (
            "v4-eras",
            &[
                ("input", PERCEIVED, false),
                ("pa", routed, true),
                ("expert plan", r#"{"tool_sequence":[]}"#, true),
                ("expert compose", "Done.", false),
            ],
        ),
        ("v1-direct", &[("agent", "Done.", true)]),
    ] {
        let mut world = World::new(graph);
        let dashboard = vec![json!({"type": "value", "label": "Altitude", "value": 4711})];
        world.put(Input::Message {
            text: "show that again".into(),
            dashboard,
            client_id: None,
            while_busy: None,
            from: super::world::ada(),
        });
        for (kind, answer, sees) in script {
            assert_eq!((&*world.asking(), world.asked().contains("4711")), (*kind, *sees), "{graph}");
            world.answer(answer);
        }
        assert_eq!(&*world.asking(), "memorizer", "{graph}: the script answers every call");
    }
}
