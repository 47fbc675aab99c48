//! What is told of a check that fails, and what goes on behind it.

use crate::player::{Played, play_text};
use serde_json::json;

const PLANTED: &str = "# Planted faults

- graph: v3-framed

## 1. Wrong on purpose
- send: hello
- expect path: director
- expect frames: == 2
- expect response: contains \"no such word\" or unheard

## 2. Can't be done
- action: nothing of the kind
- expect response: length > 0
- expect time: < 1 ms

## 3. Goes on
- send: give me two buttons, red and blue
- expect actions: has red and blue
- action: blue
- expect path: action
- expect response: length > 0
";

fn planted(arguments: &[&str]) -> Played {
    play_text("planted", PLANTED, arguments)
}

#[test]
fn a_failure_says_where_it_is_what_was_expected_what_came_and_how_to_see_it_again() {
    let played = planted(&["--graph", "v4-eras", "--jobs", "2", "--color", "never"]);
    assert_eq!(played.code, Some(1), "{played:?}");
    for part in [
        "FAIL  planted.md:7  1. Wrong on purpose\n",
        "      expected  path: director\n      got       \"reflex\"\n      path      reflex, 2 frames: input → output+ui\n      turn      msg_1 of session planted\n",
        "FAIL  planted.md:9  1. Wrong on purpose\n      expected  response: contains \"no such word\" or unheard\n      got       \"Hello!",
        "FAIL  planted.md:12  2. Can't be done\n      expected  action: nothing of the kind\n      got       no button is called that",
        "skip  planted.md:13  2. Can't be done\n      expect response: length > 0: skipped: `action: nothing of the kind` in line 12 could not be done\n",
        "planted.md  4 passed, 3 failed, 1 skipped in ",
        "4 passed, 3 failed, 1 skipped in ",
        "play again:\n  framewright test planted.md --graph v4-eras\n",
    ] {
        assert!(played.output.contains(part), "{part}\nis missing in\n{}", played.output);
    }
    assert!(!played.output.contains('\x1b'), "nothing is coloured: {}", played.output);
}

#[test]
fn results_say_the_same_as_the_screen() {
    let played = planted(&[]);
    let results = &played.results;
    let counts = ["passed", "failed", "skipped", "total_expected"].map(|key| results[key].as_u64().unwrap());
    assert_eq!(counts, [4, 3, 1, 7], "{results}");
    let failed = played.with("FAIL");
    let first = failed[0];
    for (key, value) in [
        ("suite", json!("planted")),
        ("step", json!("1. Wrong on purpose")),
        ("check", json!("expect path: director")),
        ("detail", json!("expected path: director, got \"reflex\"")),
        ("file", json!("planted.md")),
        ("line", json!(7)),
        ("expected", json!("path: director")),
        ("got", json!("\"reflex\"")),
        ("path", json!("reflex")),
        ("frames", json!(2)),
        ("session", json!("planted")),
        ("turn", json!("msg_1")),
    ] {
        assert_eq!(first[key], value, "{key}: {first}");
    }
    assert!(first["elapsed_ms"].as_f64().unwrap() > 0.0 && first.get("reported").is_none(), "{first}");
    assert_eq!((&failed[2]["check"], failed[2].get("path")), (&json!("action: nothing of the kind"), None), "it took no path");
    let skipped = played.with("SKIP");
    assert_eq!((skipped.len(), &skipped[1]["reported"]), (2, &json!(true)), "the time that could not be taken counts for nothing");
}

#[test]
fn what_can_not_be_done_before_the_first_step_skips_the_suite() {
    let played = play_text(
        "nograph",
        "# T\n- graph: nope\n## 1\n- send: hello\n- expect frames: == 2\n## 2\n- send: hello\n- expect path: reflex\n",
        &[],
    );
    assert_eq!(played.code, Some(1));
    assert!(played.with("FAIL")[0]["got"].as_str().unwrap().contains("there is no graph `nope`"), "{}", played.results);
    assert_eq!((played.with("FAIL").len(), played.with("SKIP").len(), played.with("PASS").len()), (1, 2, 0));
    assert!(played.output.contains("FAIL  nograph.md:2  before the first step"), "{}", played.output);
}

#[test]
fn a_turn_that_fails_is_read_by_its_words() {
    let text = "# T\n## 1\n- send: why is the sky blue?\n- expect response: contains \"can't be reached\"\n- expect trace: has error\n";
    let played = play_text("away", text, &["--llm-url", "http://127.0.0.1:9/v1", "--model", "m", "--retries", "0"]);
    assert_eq!(played.code, Some(0), "{played:?}");
}

#[test]
fn a_turn_that_takes_too_long_fails_its_step_and_the_next_one_goes_on() {
    let text =
        "# T\n## 1. Slow\n- send: why is the sky blue?\n- expect response: length > 0\n## 2. Quick\n- send: hello\n- expect path: reflex\n";
    let played = play_text("slow", text, &["--timeout-ms", "3000", "--demo-delay-ms", "2000"]);
    assert_eq!(played.code, Some(1), "{played:?}");
    let failed = played.with("FAIL");
    assert!(failed[0]["got"].as_str().unwrap().contains("did not end within 3000 ms: allow more with --timeout-ms"), "{failed:?}");
    let last = played.with("SKIP")[0];
    assert_eq!((failed[0]["line"].as_u64(), last["line"].as_u64()), (Some(3), Some(4)), "{}", played.results);
}

#[test]
fn time_fails_only_where_somebody_is_strict() {
    let text = "# T\n## 1\n- send: hello\n- expect frames: == 2\n- expect time: < 0 ms\n- expect time: > 0 ms\n";
    for (arguments, code, expected) in [(&[][..], 0, 1), (&["--strict-time"], 1, 3)] {
        let played = play_text("time", text, arguments);
        assert_eq!(played.code, Some(code), "{arguments:?}: {}", played.output);
        assert_eq!(played.results["total_expected"], expected, "{arguments:?}");
        assert_eq!(played.with("FAIL")[0].get("reported").is_some(), code == 0, "{}", played.results);
        let says = ["note  time.md:5", "FAIL  time.md:5"][usize::try_from(code).unwrap()];
        assert!(played.output.contains(says), "{says}: {}", played.output);
        assert_eq!(
            played.output.contains("time     1 held, 1 did not, 0 skipped (reported only; --strict-time"),
            code == 0,
            "{}",
            played.output
        );
    }
}

/// A name that nobody knows would be missing from everything, and such a check could not fail.
#[test]
fn a_name_that_no_trace_can_hold_fails_and_is_told_with_those_that_are_near() {
    let text = "# T\n- graph: v4-eras\n## 1\n- send: how many customers are there?\n- expect calls: databse == 0\n- expect calls: exprt == 0\n\
        - expect trace: not has percieved\n- expect state: user_nmae not exists\n- expect calls: query == 3\n\
        - graph: v3-framed\n- send: why is the sky blue?\n- expect trace: not has perceived or eras\n- expect trace: has decided or eras\n\
        - expect calls: query == 0\n";
    let played = play_text("names", text, &[]);
    let got: Vec<&str> = played.with("FAIL").iter().map(|result| result["got"].as_str().unwrap()).collect();
    for (got, begins) in got.iter().zip([
        "no trace of the graph `v4-eras` can count `databse`; there are db, describe, expert, input, ",
        "no trace of the graph `v4-eras` can count `exprt`: did you mean `expert`?",
        "no trace of the graph `v4-eras` can tell of `percieved`: did you mean `perceived`",
        "the memory has no `user_nmae`, only facts, language, ",
        "1; there were llm 4, db 2: input, pa, expert plan, describe kunden, query, expert compose",
        "no trace of the graph `v3-framed` can tell of `eras`",
    ]) {
        assert!(got.starts_with(begins), "{got}");
    }
    assert_eq!((got.len(), played.with("PASS").len()), (6, 2), "{}", played.output);
}
