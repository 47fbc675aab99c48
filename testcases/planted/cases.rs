//! The faults, and who catches each.

use crate::model::Fault;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) struct Case {
    /// What is wrong, in words.
    pub(crate) fault: &'static str,
    /// The graph that it is played on.
    pub(crate) graph: &'static str,
    pub(crate) breaks: Breaks,
    /// Items, one a line: `!` stands in place of `-` where one must fail, `~` where one must be skipped.
    pub(crate) suite: &'static str,
}

pub(crate) enum Breaks {
    Model(Fault),
    /// A pause before each answer.
    Pace(Duration),
    /// The server's trace is told without this event.
    Trace(&'static str),
    /// A file of the graphs, and what stands in it otherwise.
    File(&'static str, &'static [(&'static str, &'static str)]),
}

/// What a role says, with a change; other roles say what they should.
fn of(role: &str, asked: &str, said: String, change: impl FnOnce(&mut Value)) -> String {
    if role != asked {
        return said;
    }
    let mut value = serde_json::from_str(&said).unwrap();
    change(&mut value);
    value.to_string()
}

/// The arguments of the first call of a tool in a plan.
fn args<'a>(plan: &'a mut Value, tool: &str) -> Option<&'a mut Value> {
    let calls = plan["tool_sequence"].as_array_mut().unwrap();
    calls.iter_mut().find(|call| call["tool"] == tool).map(|call| &mut call["args"])
}

/// The display that a plan shows.
fn display(plan: &mut Value, change: impl FnOnce(&mut Value)) {
    if let Some(args) = args(plan, "emit_display") {
        change(&mut args["items"][0]);
    }
}

fn cut(list: &mut Value, length: usize) {
    list.as_array_mut().unwrap().truncate(length);
}

pub(crate) const CASES: &[Case] = &[
    // What is said.
    Case {
        fault: "the answer holds another word",
        graph: "v1-direct",
        breaks: Breaks::Model(|_, _, said| said.replace("light", "ether")),
        suite: "- send: why is the sky blue?\n! expect response: contains light\n! expect response: matches /\\blight\\b/\n- expect response: length > 0\n- expect path: direct",
    },
    Case {
        fault: "the answer begs pardon",
        graph: "v1-direct",
        breaks: Breaks::Model(|role, _, said| if role == "agent" { format!("Sorry! {said}") } else { said }),
        suite: "- send: why is the sky blue?\n- expect response: contains light\n! expect response: not contains sorry or pardon",
    },
    Case {
        fault: "the result is wrong by one",
        graph: "v1-direct",
        breaks: Breaks::Model(|_, _, said| said.replace("84", "85")),
        suite: "- send: Reply with the number alone: what is 12 * (3 + 4)?\n! expect response: is 84\n- expect response: matches /^\\d+$/",
    },
    Case {
        fault: "the answer has no end",
        graph: "v1-direct",
        breaks: Breaks::Model(|role, _, said| if role == "agent" { said.repeat(40) } else { said }),
        suite: "- send: why is the sky blue?\n! expect response: length < 2000\n- expect response: contains light",
    },
    Case {
        fault: "a listed greeting is answered with something else",
        graph: "v3-framed",
        breaks: Breaks::File("prompts/plain.json", &[("\"Hello{name}!", "\"This{name}!")]),
        suite: "- send: hello\n! expect response: matches /\\b(hello|hi)\\b/\n- expect path: reflex\n- expect frames: == 2",
    },
    Case {
        fault: "what can't be done is said to be done",
        graph: "v3-framed",
        breaks: Breaks::Model(|_, _, said| said.replace("There is no such machine here.", "Now it is where it began.")),
        suite: "- send: reset the traffic light\n! expect response: matches /\\b(no|not|none|nothing)\\b/\n- expect path: director",
    },
    Case {
        fault: "what failed is told as if it had gone well",
        graph: "v4-eras",
        breaks: Breaks::Model(|_, _, said| {
            said.replace("There is no table `archive` in the database, so there is nothing to show.", "Here is all that it holds.")
        }),
        suite: "- send: try to show me the rows of the table archive\n- expect progress: contains \"✗\"\n- expect table: rows == 0\n! expect response: matches /\\b(no|not|cannot|nothing)\\b/",
    },
    Case {
        fault: "a question about what is not there is not asked",
        graph: "v4-eras",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "expert", said, |plan| {
                if let Some(calls) = plan["tool_sequence"].as_array_mut() {
                    calls.clear();
                }
            })
        }),
        suite: "- send: try to show me the rows of the table archive\n! expect progress: contains \"✗\"\n! expect trace: has tool_result",
    },
    Case {
        fault: "a machine's button forgets where it goes",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "director", said, |plan| {
                if let Some(args) = args(plan, "create_machine") {
                    args["states"]["off"]["buttons"][0].as_object_mut().unwrap().remove("go");
                }
            })
        }),
        suite: "- send: make a lamp\n- expect actions: has \"switch on\"\n- action: \"switch on\"\n! expect response: not exists\n! expect path: machine\n! expect frames: == 1\n! expect calls: llm == 0\n! expect actions: has \"switch off\"",
    },
    Case {
        fault: "a button that should ask moves its machine",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "director", said, |plan| {
                if let Some(args) = args(plan, "create_machine") {
                    args["states"]["page_2"]["buttons"][1]["go"] = json!("page_1");
                }
            })
        }),
        suite: "- send: make a wizard of two pages\n- action: next\n- expect path: machine\n- action: done\n! expect response: exists\n! expect path: action\n! expect trace: has decided",
    },
    // What is said meanwhile.
    Case {
        fault: "nobody says what is being done",
        graph: "v4-eras",
        breaks: Breaks::Model(|role, _, said| of(role, "pa", said, |routed| routed["thinking_message"] = json!("Hm."))),
        suite: "- send: how many customers are there?\n! expect progress: contains count\n! expect progress: matches /^I /\n- expect progress: contains describe\n- expect path: expert",
    },
    Case {
        fault: "what is known is said to be described again",
        graph: "v4-eras",
        breaks: Breaks::Model(|role, _, said| of(role, "pa", said, |routed| routed["thinking_message"] = json!("I describe all of it."))),
        suite: "- send: how many customers are there?\n- send: how many customers are there in Leipzig?\n! expect progress: not contains describe\n- expect progress: exists\n- expect calls: describe == 0",
    },
    Case {
        fault: "what needs no expert is announced",
        graph: "v4-eras",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "pa", said, |routed| (routed["thinking_message"], routed["job"]) = (json!("Let me think."), routed["answer"].take()))
        }),
        suite: "- send: why is the sea salty?\n! expect progress: not exists\n! expect progress: length == 0\n- expect path: pa",
    },
    Case {
        fault: "the assistant answers a question about the data by itself",
        graph: "v4-eras",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "pa", said, |routed| (routed["expert"], routed["thinking_message"]) = (Value::Null, json!("")))
        }),
        suite: "- send: how many customers are there?\n! expect progress: exists\n! expect progress: length > 10\n! expect path: expert or expert+interpreter\n! expect frames: >= 4\n! expect trace: has planned\n! expect calls: query == 1\n- expect trace: has routed",
    },
    Case {
        fault: "a tool says something else of what it did",
        graph: "v4-eras",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "expert", said, |plan| {
                if let Some(args) = args(plan, "emit_actions") {
                    args["actions"][0] = json!("Green");
                }
            })
        }),
        suite: "- send: give me two buttons, red and blue\n! expect progress: is \"I put it on your screen. ✓ emit_actions: buttons: Red, Blue\"\n! expect actions: has red\n- expect progress: contains blue",
    },
    // What is shown.
    Case {
        fault: "a button is forgotten",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "director", said, |plan| {
                if let Some(args) = args(plan, "emit_actions") {
                    cut(&mut args["actions"], 1);
                }
            })
        }),
        suite: "- send: give me two buttons, red and blue\n- expect actions: has red\n! expect actions: has red and blue\n! expect actions: count == 2\n! action: blue\n~ expect path: action",
    },
    Case {
        fault: "an answer keeps the buttons of the one before",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, told, said| {
            of(role, "director", said, |plan| {
                if told.contains("moon") {
                    plan["tool_sequence"] = json!([{"tool": "emit_actions", "args": {"actions": ["Red", "Blue"]}}]);
                }
            })
        }),
        suite: "- send: give me two buttons, red and blue\n- expect actions: has blue\n- send: how far is the moon?\n! expect actions: not has blue or green\n! expect actions: count == 0\n- expect response: length > 0",
    },
    Case {
        fault: "a table has too few rows",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| of(role, "director", said, |plan| display(plan, |table| cut(&mut table["rows"], 3)))),
        suite: "- send: show me a table\n! expect table: rows >= 4\n- expect table: columns has diameter",
    },
    Case {
        fault: "a table lacks a column",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "director", said, |plan| {
                display(plan, |table| {
                    table["columns"].as_array_mut().unwrap().remove(1);
                    table["rows"].as_array_mut().unwrap().iter_mut().for_each(|row| drop(row.as_array_mut().unwrap().remove(1)));
                });
            })
        }),
        suite: "- send: show me a table\n- expect table: rows == 4\n! expect table: columns has planet and diameter\n- expect table: columns has planet",
    },
    Case {
        fault: "a chart is of another kind",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| of(role, "director", said, |plan| display(plan, |chart| chart["kind"] = json!("line")))),
        suite: "- send: draw a bar chart of 3, 5 and 8\n! expect chart: kind is bar\n- expect chart: rows == 3",
    },
    Case {
        fault: "a chart forgets a number, and another is called otherwise",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "director", said, |plan| {
                display(plan, |chart| {
                    cut(&mut chart["x"], 2);
                    cut(&mut chart["series"][0]["values"], 2);
                    chart["series"][0]["name"] = json!("Thing");
                });
            })
        }),
        suite: "- send: draw a bar chart of 3, 5 and 8\n! expect chart: rows == 3\n! expect chart: columns has value\n- expect chart: kind is bar",
    },
    Case {
        fault: "a query asks for less than was wanted",
        graph: "v4-eras",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "expert", said, |plan| {
                if let Some(sql) = args(plan, "query").map(|args| &mut args["sql"]) {
                    *sql = json!(sql.as_str().unwrap().replace("LIMIT 3", "LIMIT 1"));
                }
            })
        }),
        suite: "- send: the top 3 customers by billed amount in 2023\n! expect chart: rows == 3\n- expect calls: query == 1",
    },
    // What is remembered.
    Case {
        fault: "another name is remembered",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| of(role, "memorizer", said, |patch| patch["user_name"] = json!("Eve"))),
        suite: "- send: my name is Ada and I like green tea\n! expect state: user_name is Ada\n! expect state: user_name contains ad\n! expect state: user_name matches /^a/\n- expect state: user_name exists\n- expect state: facts contains tea",
    },
    Case {
        fault: "what was told is not remembered",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| of(role, "memorizer", said, |patch| patch["facts"] = json!([]))),
        suite: "- send: my name is Ada and I like green tea\n! expect state: facts exists\n! expect state: facts contains tea\n! expect state: facts length > 3\n- expect state: user_name is Ada",
    },
    Case {
        fault: "what nobody told is remembered",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| of(role, "memorizer", said, |patch| patch["facts"] = json!(["is in debt"]))),
        suite: "- send: why is the sky blue?\n! expect state: facts not exists\n! expect state: facts not contains debt\n- expect state: user_name exists",
    },
    // The way that a turn takes.
    Case {
        fault: "a question is taken for small talk",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "input", said, |seen| (seen["intent"], seen["complexity"]) = (json!("social"), json!("trivial")))
        }),
        suite: "- send: why is the sky blue?\n! expect path: director\n! expect frames: == 4\n! expect trace: has perceived and decided\n! expect calls: director == 1\n- expect trace: has perceived",
    },
    Case {
        fault: "small talk is taken for a question",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "input", said, |seen| (seen["intent"], seen["complexity"]) = (json!("question"), json!("simple")))
        }),
        suite: "- send: hi, my name is Ada\n! expect path: reflex\n! expect frames: < 3\n! expect trace: not has decided or routed\n! expect calls: llm <= 2\n- expect response: contains Ada",
    },
    Case {
        fault: "a graph calls its path otherwise",
        graph: "v3-framed",
        breaks: Breaks::File("v3-framed.json", &[("\"name\": \"reflex\"", "\"name\": \"short\"")]),
        suite: "- send: hello\n! expect path: reflex\n- expect frames: == 2\n- expect trace: not has decided",
    },
    Case {
        fault: "an edge of a graph makes a detour",
        graph: "v3-framed",
        breaks: Breaks::File(
            "v3-framed.json",
            &[
                (
                    "\"edges\": { \"output\": \"output\", \"interpret\": \"interpreter\" }",
                    "\"edges\": { \"output\": \"interpreter\", \"interpret\": \"interpreter\" }",
                ),
                (
                    "    { \"name\": \"director\", \"entry\": \"message\", \"nodes\": [\"input\", \"director\", \"thinker\", \"output\"], \"frames\": 4, \"calls\": 8 },\n",
                    "",
                ),
                (
                    "    { \"name\": \"action\", \"entry\": \"action\", \"nodes\": [\"director\", \"thinker\", \"output\"], \"frames\": 3, \"calls\": 6 },\n",
                    "",
                ),
                ("\"director+interpreter\"", "\"director\""),
            ],
        ),
        suite: "- send: why is the sky blue?\n- expect path: director\n! expect frames: == 4\n! expect trace: not has interpreter\n- expect trace: has decided",
    },
    Case {
        fault: "a plan asks the database twice",
        graph: "v4-eras",
        breaks: Breaks::Model(|role, _, said| {
            of(role, "expert", said, |plan| {
                if let Some(calls) = plan["tool_sequence"].as_array_mut() {
                    calls.extend(calls.clone());
                }
            })
        }),
        suite: "- send: how many customers are there?\n! expect calls: query == 1\n! expect calls: db <= 2\n- expect calls: describe == 1\n- expect response: contains 16",
    },
    Case {
        fault: "a decision can't be read and is asked for again",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| if role == "director" { "I would rather not say.".to_owned() } else { said }),
        suite: "- send: why is the sky blue?\n! expect calls: director == 1\n- expect frames: == 4\n! expect response: contains light\n! expect trace: not has degraded",
    },
    Case {
        fault: "a plan forgets its tool",
        graph: "v3-framed",
        breaks: Breaks::Model(|role, _, said| of(role, "director", said, |plan| plan["tool_sequence"] = json!([]))),
        suite: "- send: give me two buttons, red and blue\n! expect trace: has tool_call\n! expect trace: has emit_actions\n! expect actions: has red or blue\n- expect trace: has decided\n- expect path: director",
    },
    // What is reported, where somebody is strict.
    Case {
        fault: "the model is slow",
        graph: "v1-direct",
        breaks: Breaks::Pace(Duration::from_millis(20_100)),
        suite: "- send: why is the sky blue?\n! expect time: < 20000 ms\n- expect response: contains light",
    },
    Case {
        fault: "the answer is impolite",
        graph: "v1-direct",
        breaks: Breaks::Model(|role, _, said| if role == "agent" { format!("You idiot. {said}") } else { said }),
        suite: "- send: why is the sky blue?\n! expect judge: It is polite.\n- expect response: contains light",
    },
    // What a server tells of a turn.
    Case {
        fault: "the trace leaves out that something was decided",
        graph: "v3-framed",
        breaks: Breaks::Trace("decided"),
        suite: "- send: why is the sky blue?\n- expect trace: has perceived\n! expect trace: has decided\n! expect trace: has perceived and decided\n- expect trace: has director\n- expect path: director\n- expect frames: == 4",
    },
];
