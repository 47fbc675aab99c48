//! Answers as models write them, and what is read of them.

use super::*;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Deserialize)]
struct Plan {
    goal: String,
    #[serde(default)]
    steps: Vec<String>,
    #[serde(default)]
    show: Show,
    #[serde(default)]
    calls: Vec<Call>,
    #[serde(default)]
    note: String,
    rows_max: Option<u32>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Show {
    r#as: As,
    y: Vec<String>,
    is_wide: bool,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum As {
    #[default]
    Table,
    Bar,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Call {
    tool: String,
    #[serde(default)]
    args: Value,
}

fn goal(text: &str) -> String {
    match read::<Plan>(text) {
        Ok(plan) => plan.goal,
        Err(wrong) => wrong.to_string(),
    }
}

#[test]
fn the_object_is_found_whatever_stands_around_it() {
    for text in [
        r#"{"goal":"x"}"#,
        "```json\n{\"goal\":\"x\"}\n```",
        r#"Sure! {"goal":"x"} Hope that helps :-} {"#,
        r#"Use {x} and {"y"} and {} as placeholders: {"goal":"x"}. Then {done}."#,
        r#"First {"other":1}, then {"goal":"x"}"#,
        r#"{"plan":{"goal":"x"}}"#,
        r#"[{"goal":"x"}]"#,
        r#""{\"goal\":\"x\"}""#,
        r#"{"goal":"x"}{"goal":"y"}"#,
        r#"{"goal":"x","note":"a } in a text, and a { too, \" and \\"}"#,
        "{\"goal\":\"x\",\"note\":\"a line\nand a tab\t\"}",
        r#"{"goal":"x","steps":["a",],}"#,
        r#"{"goal":"x","note":"\ud83d"}"#,
        r#"{"goal":"x","rows_max":NaN}"#,
        r#"For example {"rows_max":5}. My answer: {"goal":"x"}"#,
        r#"Use {"x and then answer {"goal":"x"}"#,
        r#"Use {"x and then answer {"a":[1,{"goal":"x"}]}"#,
    ] {
        assert_eq!(goal(text), "x", "{text}");
    }
}

#[test]
fn what_is_meant_is_taken() {
    let call = || Call { tool: "query".into(), args: json!({"sql": "SELECT 1"}) };
    let y = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (value, plan) in [
        (json!({"goal": "x", "steps": null, "show": null, "calls": null, "note": null, "rows_max": null}), plan()),
        (json!({"goal": "x", "steps": "one"}), Plan { steps: y(&["one"]), ..plan() }),
        (json!({"goal": "x", "steps": ["one", null]}), Plan { steps: y(&["one"]), ..plan() }),
        (json!({"goal": "x", "steps": "[\"one\", \"two\"]"}), Plan { steps: y(&["one", "two"]), ..plan() }),
        (json!({"goal": "x", "steps": ""}), plan()),
        (json!({"goal": "x", "show": {"y": "n"}}), Plan { show: Show { y: y(&["n"]), ..Show::default() }, ..plan() }),
        (json!({"goal": "x", "show": "{\"as\":\"BAR\"}"}), Plan { show: Show { r#as: As::Bar, ..Show::default() }, ..plan() }),
        (json!({"goal": "x", "show": {"is_wide": "True"}}), Plan { show: Show { is_wide: true, ..Show::default() }, ..plan() }),
        (json!({"goal": "x", "calls": call_json()}), Plan { calls: vec![call()], ..plan() }),
        (json!({"goal": "x", "calls": call_json().to_string()}), Plan { calls: vec![call()], ..plan() }),
        (json!({"goal": "x", "calls": [call_json().to_string()]}), Plan { calls: vec![call()], ..plan() }),
        (json!({"goal": "x", "rows_max": "5"}), Plan { rows_max: Some(5), ..plan() }),
        (json!({"goal": "x", "rows_max": 5.0}), Plan { rows_max: Some(5), ..plan() }),
        (json!({"goal": "x", "note": 2024}), Plan { note: "2024".into(), ..plan() }),
    ] {
        assert_eq!(fit::<Plan>(value.clone()), Ok(plan), "{value}");
        assert_eq!(read::<Plan>(&value.to_string()), fit(value.clone()), "{value}");
    }
}

fn plan() -> Plan {
    Plan { goal: "x".into(), steps: vec![], show: Show::default(), calls: vec![], note: String::new(), rows_max: None }
}

fn call_json() -> Value {
    json!({"tool": "query", "args": {"sql": "SELECT 1"}})
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, why) in [
        ("hello", "there is no JSON object in it"),
        ("Use {x}.", "there is no JSON object in it"),
        ("{}", "`goal` is missing"),
        (r#"{"goal":null}"#, "`goal` is missing"),
        (r#"{"goal":{"a":1}}"#, "`goal` is an object, but a text is wanted"),
        (r#"{"goal":"x","steps":[{"a":1}]}"#, "`steps[0]` is an object, but a text is wanted"),
        (r#"{"goal":"x","calls":[{"tool":"a"},{"args":{}}]}"#, "`calls[1].tool` is missing"),
        (r#"{"goal":"x","show":"wide"}"#, r#"`show` is the text "wide", but an object is wanted"#),
        (r#"{"goal":"x","show":{"as":"pie"}}"#, r#"`show.as` is the text "pie", but one of `table`, `bar` is wanted"#),
        (r#"{"goal":"x","rows_max":-1}"#, "`rows_max` is the number -1, but u32 is wanted"),
        (r#"{"goal":"x","rows_max":"many"}"#, r#"`rows_max` is the text "many", but a whole number is wanted"#),
        (r#"Use {x}: {"goal":"x","calls":[{"tool":"q","args":{"goal":"y"}}"#, "its JSON object doesn't end: the last `}` is missing"),
        (r#"{"goal":"x" "steps":[]}"#, "it is not JSON: expected `,` or `}` at line 1 column 13"),
        (r#"First {"goal":5.5,"steps":3,"calls":1}"#, "`calls[0]` is the number 1, but an object is wanted"),
    ] {
        assert_eq!(goal(text), why, "{text}");
    }
    assert_eq!(fit::<Plan>(json!("no")).unwrap_err().to_string(), r#"it is the text "no", but an object is wanted"#);
}

/// Where nothing is required, only an object that says so by being empty stands for nothing.
#[test]
fn an_object_without_a_field_that_is_wanted_is_never_taken() {
    let show = |y: &[&str]| Show { y: y.iter().map(|name| (*name).to_owned()).collect(), ..Show::default() };
    for (text, read_as) in [
        ("{}", Ok(show(&[]))),
        ("Nothing: {}", Ok(show(&[]))),
        (r#"{"y":null}"#, Ok(show(&[]))),
        (r#"{"show":{"y":"n"}}"#, Ok(show(&["n"]))),
        (r#"Use {} here: {"y":"n"}"#, Ok(show(&["n"]))),
        (r#"{"error":"I can't"}"#, Err("none of its fields is wanted; those that are: as, y, is_wide".to_owned())),
        (r#"[{"tool":"query","args":{"sql":"SELECT 1"}}]"#, Err("none of its fields is wanted; those that are: as, y, is_wide".to_owned())),
    ] {
        assert_eq!(read::<Show>(text).map_err(|wrong| wrong.to_string()), read_as, "{text}");
    }
    assert!(read::<serde::de::IgnoredAny>(r#"{"a":1}"#).is_ok(), "a type without fields takes any object");
}

/// Each byte is parsed once, however deep the object stands that is wanted.
#[test]
fn wrapped_objects_are_looked_into_and_not_read_again() {
    let wrapped = |depth: usize| format!("{}{{\"goal\":\"x\"}}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert_eq!((goal(&wrapped(1)), goal(&wrapped(60))), ("x".to_owned(), "x".to_owned()));
    assert_eq!(goal(&wrapped(TRIES_MAX)), "`goal` is missing", "so many are tried");
    let braces = json!({"text": "{} ".repeat(200), "list": [[{"goal": "x"}]]});
    assert_eq!(goal(&braces.to_string()), "x", "what stands in a text is none");
}

#[test]
fn an_outline_has_the_place_and_nothing_of_what_was_said() {
    for (text, outline) in [
        ("Anna", "there is no JSON object in it"),
        ("{}", "`goal` is missing"),
        (r#"{"goal":["Anna"]}"#, "`goal` is a list, but a text is wanted"),
        (r#"{"goal":"x","show":"Anna"}"#, "`show` is a text, but an object is wanted"),
        (r#"{"goal":"x","show":{"as":"Anna"}}"#, "`show.as` is a text, but one of `table`, `bar` is wanted"),
        (r#"{"goal":"x","rows_max":-4711}"#, "`rows_max` is a number, but u32 is wanted"),
        (r#"{"goal":"x","show":{"is_wide":4711}}"#, "`show.is_wide` is a number, but true or false is wanted"),
        (r#"{"goal":"x","steps":["a",{"Anna":1}]}"#, "`steps[1]` is an object, but a text is wanted"),
        (r#"{"Anna":1,"Anna":2}"#, "it is not JSON"),
        (r#"{"goal":"x" "Anna"}"#, "it is not JSON"),
    ] {
        assert_eq!(read::<Plan>(text).unwrap_err().outline(), outline, "{text}");
    }
    assert_eq!(<Wrong as serde::de::Error>::custom("Anna").outline(), "it is not what is wanted");
}

#[test]
fn a_part_of_an_object_is_never_taken_for_the_whole() {
    let whole = r#"{"goal":"outer","calls":[{"tool":"q","args":{"goal":"inner","note":"}"}}],"note":"{\"goal\":\"text\"}"}"#;
    for end in 0..whole.len() {
        for text in [whole[..end].to_owned(), format!("Well: {}", &whole[..end])] {
            assert!(read::<Plan>(&text).is_err(), "{text}");
        }
    }
}

#[test]
fn arguments_are_taken_where_their_meaning_is_certain() {
    let red = || Some(json!({"actions": ["Red"]}));
    for (text, value) in [
        (r#"{"actions":["Red"]}"#, red()),
        (r#"{}{"actions":["Red"]}"#, red()),
        (r#"{"actions":["Red"]} {}"#, red()),
        (r#"{"actions":["Red"]}{"actions":["Red"]}"#, red()),
        (r#""{\"actions\":[\"Red\"]}""#, red()),
        (r#""\"{\\\"actions\\\":[\\\"Red\\\"]}\"""#, red()),
        (r#"[{"actions":["Red"]}]"#, red()),
        ("```json\n{\"actions\":[\"Red\"]}\n```", red()),
        ("{\"actions\":[\"Red\",],}", red()),
        ("", Some(json!({}))),
        ("{}{}", Some(json!({}))),
        (r#"["Red"]"#, Some(json!(["Red"]))),
        (r#"{"actions":["Red"]}{"actions":["Blue"]}"#, None),
        (r#"{"actions":["Red""#, None),
        ("red", None),
        // A number that no type holds is a text, and never JSON that was written as text.
        ("123456789012345678901234567890", Some(json!("123456789012345678901234567890"))),
        (r#""123456789012345678901234567890""#, Some(json!("123456789012345678901234567890"))),
        (r#"["123456789012345678901234567890"]"#, Some(json!(["123456789012345678901234567890"]))),
    ] {
        assert_eq!(certain(text), value, "{text}");
    }
    let again = |json: &String| Some(Value::String(json.clone()).to_string());
    let wrapped: Vec<String> = std::iter::successors(Some("{}".to_owned()), again).take(14).collect();
    let is_read: Vec<bool> = wrapped.iter().map(|json| certain(json).is_some()).collect();
    assert!(
        is_read[..=LAYERS_MAX].iter().all(|is_read| *is_read) && is_read[LAYERS_MAX + 1..].iter().all(|is_read| !is_read),
        "{is_read:?}"
    );
}

#[test]
fn the_object_that_a_text_ends_with_is_the_whole_of_it() {
    for (text, object) in [
        (r#"Hm. {"goal":"draft"} No: {"goal":"x","show":{"y":"}"}}"#, Some(r#"{"goal":"x","show":{"y":"}"}}"#)),
        ("Use {x}.\n```json\n{\"goal\":\"x\"}\n```", Some("{\"goal\":\"x\"}")),
        (r#"{"goal":"x"} or not"#, None),
        (r#"{"goal":"x","show":{"y":"n"}"#, None),
        ("{x}", None),
        ("", None),
    ] {
        assert_eq!(last(text), object, "{text}");
    }
}

#[test]
fn a_text_may_stand_for_an_object() {
    type Either = BTreeMap<String, Vec<OrText<Call>>>;
    let call = |tool: &str| OrText::Whole(Call { tool: tool.to_owned(), args: Value::Null });
    let either = fit::<Either>(json!({"a": ["x", {"tool": "y"}, "{\"tool\":\"z\"}"]})).unwrap();
    assert_eq!(either["a"], [OrText::Text("x".into()), call("y"), call("z")]);
    for (value, why) in [
        (json!({"a": [1]}), "`a[0]` is the number 1, but a text or an object is wanted"),
        (json!({"a": ["x", {"args": 1}]}), "`a[1].tool` is missing"),
        (json!({"a": {"tool": {}}}), "`a[0].tool` is an object, but a text is wanted"),
    ] {
        assert_eq!(fit::<Either>(value.clone()).unwrap_err().to_string(), why, "{value}");
    }
}

/// Cuts, doubles and swaps pieces of a good answer: whatever comes of it is read or refused, and quickly.
#[test]
fn no_answer_stalls_or_breaks_the_reader() {
    let good = r#"Use {x}. {"goal":"x","steps":["a","b"],"show":{"y":"n"},"calls":"[{\"tool\":\"q\"}]"} ```"#;
    let pieces: Vec<char> = good.chars().collect();
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..2_000 {
        let mut text = pieces.clone();
        for _ in 0..rng.usize(1..6) {
            let (from, to) = (rng.usize(..text.len()), rng.usize(..text.len()));
            match rng.u8(..3) {
                0 => text.swap(from, to),
                1 => text.insert(from, pieces[rng.usize(..pieces.len())]),
                _ => text.truncate(from.max(1)),
            }
        }
        let text: String = text.into_iter().collect();
        let _ = (read::<Plan>(&text), certain(&text), repaired(&text));
    }
    for text in ["{".repeat(100_000), "{\"a\":".repeat(10_000), format!("{{\"a\":\"{}", "x{".repeat(50_000)), "\"".repeat(10_001)] {
        assert!(read::<Plan>(&text).is_err());
    }
}
