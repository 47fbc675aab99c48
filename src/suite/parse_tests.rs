//! What a suite's file says, line by line, and what is refused of it.

use super::*;

const SUITE: &str = "# Smoke\nProse.\n\n- graph: v3-framed\n\n## 1. A greeting\nMore prose: with a colon.\n- clear\n- send: hello: you\n- a bullet\n- expect path: reflex\n- expect time: < 10 ms\n\n```\n- nothing: here\n```\n## 2. Buttons\n- action: red or rot\n- expect frames: == 2\n";

#[test]
fn a_suite_reads_as_steps_of_items_with_their_lines() {
    let suite = Suite::parse(SUITE).unwrap();
    let steps: Vec<(&str, usize, Vec<usize>)> =
        suite.steps.iter().map(|step| (step.title.as_str(), step.line, step.items.iter().map(|item| item.line).collect())).collect();
    assert_eq!(steps, [("1. A greeting", 6, vec![8, 9, 11, 12]), ("2. Buttons", 17, vec![18, 19])]);
    assert_eq!((suite.title.as_str(), suite.before.len(), suite.count(|check| !check.is_reported())), ("Smoke", 1, 2));
    assert!(matches!(&suite.steps[0].items[1].does, Does::Send(text) if text == "hello: you"));
}

#[test]
fn how_an_editor_writes_lines_changes_nothing() {
    for text in [SUITE.replace('\n', "\r\n"), SUITE.replace('\n', "\r"), SUITE.trim_end().to_owned()] {
        let suite = Suite::parse(&text).unwrap();
        assert_eq!((suite.title.as_str(), suite.steps.len(), suite.count(|check| !check.is_reported())), ("Smoke", 2, 2), "{text:?}");
        assert!(matches!(&suite.steps[0].items[1].does, Does::Send(text) if text == "hello: you"), "{text:?}");
    }
}

#[test]
fn what_can_not_be_read_is_named_with_its_line() {
    for (text, says) in [
        ("## 1\n- send: x\n", "line 2: a suite begins with a title: `# <title>`"),
        ("# Title\n", "line 1: a suite has steps: `## <step>`"),
        ("# T\n## 1\n- sned: x\n", "line 3: there is no item `sned`; use graph, clear, send, action or expect <what>"),
        ("# T\n## 1\n- send:\n", "line 3: `send:` needs a value"),
        ("# T\n## 1\n- expect path: pa\n", "line 3: a check speaks of the last `send` or `action`, and nothing was sent before it"),
        ("# T\n## 1\n- action: red or\n", "line 3: `action:` needs words on both sides of each `or` and `and`"),
        (
            "# T\n## 1\n- send: x\n- expect response contains x\n",
            "line 4: this would be skipped as prose; an item stands at the start of its line as `- key: value`",
        ),
        ("# T\n## 1\n```\n- send: x\n", "line 3: a block of code begins here and is never closed, so what follows would be skipped"),
    ] {
        assert_eq!(Suite::parse(text).unwrap_err().to_string(), says, "{text:?}");
    }
}

#[test]
fn what_a_check_needs_is_told() {
    let of_text = "one of `contains A`, `not contains A`, `matches /re/`, `is A`, `length > N`, `exists`, `not exists`";
    let of_state = &*format!("a key first and what is said of it, such as `user_name is Ada`: {of_text}");
    let own = |part: &str| format!("words, and `{part}` reads like a check of its own: write a second line for it, or put it in quotes");
    let of_name = "a name alone, such as `reflex` or `reflex or director`";
    for (check, needs) in [
        ("weather: fine", "one of response, actions, state, trace, frames, path, calls, progress, table, chart, time, judge"),
        ("response: hello", of_text),
        ("response: contains", "words behind `contains`"),
        ("response: not contains \"a b", "a closing `\"`"),
        ("response: not contains Here and not contains zebra", &own("not contains zebra")),
        ("response: is hello and length > 100", &own("length > 100")),
        (
            "response: length > 3 and contains x",
            "comparisons such as `length > 0` on both sides of each `or` and `and`: write a second line for anything else",
        ),
        ("actions: not has red and not has yellow", &own("not has yellow")),
        ("actions: red", "one of `has A`, `not has A`, `count >= N`"),
        ("trace: not has perceived and not has decided", &own("not has decided")),
        ("trace: not has \"a\" or \"b", "a closing `\"`"),
        ("state: is x", of_state),
        ("state: not exists", of_state),
        ("state: user_name", of_state),
        ("state: user_name Ada", of_state),
        ("state: user_name is", "words behind `is`"),
        ("path: pa or", "words on both sides of each `or` and `and`"),
        ("path: is reflex", of_name),
        ("path: not pa", of_name),
        ("path: == pa", of_name),
        ("frames: many", "a comparison such as `== 4`"),
        ("calls: == 0", "a kind first and then a comparison, such as `db <= 1`"),
        ("calls: db", "a kind first and then a comparison, such as `db <= 1`"),
        ("time: < 5 s", "a comparison such as `< 500 ms`"),
        ("table: 3 rows", "one of `rows OP N`, `columns has A`, `kind is A`"),
    ] {
        let error = Suite::parse(&format!("# T\n## 1\n- send: x\n- expect {check}\n")).unwrap_err();
        let about = check.split(':').next().unwrap();
        assert_eq!(error.to_string(), format!("line 4: `expect {about}:` needs {needs}"), "{check}");
    }
}

/// The items of a step, and the line of each.
fn items(step: &str) -> Vec<(usize, String)> {
    let suite = Suite::parse(&format!("# T\n## 1\n{step}")).unwrap_or_else(|error| panic!("{error} of\n{step}"));
    suite.steps[0].items.iter().map(|item| (item.line, item.text.clone())).collect()
}

#[test]
fn what_commonmark_calls_code_or_a_comment_is_not_run() {
    for step in [
        "~~~\n- send: x\n~~~",
        "````\n```\n- send: x\n```\n````",
        "~~~~ markdown\n~~~\n- send: x\n~~~~",
        "> ```\n> - send: x\n> ```",
        "1. Like this:\n   ```\n   - send: x\n   ```",
        "<!-- - send: x -->",
        "<!--\n- send: x\n\n* expect path: pa\n-->",
        "<div>\n<!--\n- send: x\n-->\n</div>",
        "Say `- send: x` to send it.\n`send: x` is an item.",
    ] {
        assert_eq!(items(&format!("{step}\n\n- send: y\n")).len(), 1, "{step}");
    }
    for (step, line, what) in [
        ("~~~\n- send: x\n```\n", 3, Wrong::OpenCode),
        ("````\n- send: x\n```\n", 3, Wrong::OpenCode),
        ("- send: x\n\n```\n- expect path: pa\n", 5, Wrong::OpenCode),
        ("<!--\n- send: x\n", 3, Wrong::OpenComment),
        ("This <!--\n- send: x\n-->\n", 3, Wrong::OpenComment),
    ] {
        assert_eq!(Suite::parse(&format!("# T\n## 1\n{step}")).unwrap_err(), SuiteError { line, what }, "{step}");
    }
}

#[test]
fn a_wrapped_item_is_joined_and_nothing_behind_it_is_lost() {
    let wrapped = "- send: one *two*\n  three <b> \\d\n\n- expect response: contains a\n    or b\n";
    let joined = [(3, "send: one *two* three <b> \\d".to_owned()), (6, "expect response: contains a or b".to_owned())];
    assert_eq!(items(wrapped), joined);
    for (step, line, what) in [
        ("- send: one\ntwo\n", 4, Wrong::Lazy),
        ("- send: one\n\n  two\n", 5, Wrong::Behind),
        ("- send: one\n  > two\n", 4, Wrong::Behind),
        ("- send: one\n  ```\n  two\n  ```\n", 4, Wrong::Behind),
        ("- send: one\n  - a bullet\n", 4, Wrong::Behind),
        ("- send: one\n  - expect path: pa\n", 4, Wrong::Behind),
        ("##2\n- send: one\n", 3, Wrong::NotAHeading),
        ("# Another\n- send: one\n", 3, Wrong::TwoTitles),
    ] {
        assert_eq!(Suite::parse(&format!("# T\n## 1\n{step}")).unwrap_err(), SuiteError { line, what }, "{step}");
    }
}

#[test]
fn a_line_that_was_meant_as_an_item_is_not_passed_over() {
    for line in [
        "* send: x",
        "  - send: x",
        "      - send: x",
        "-send: x",
        "-\u{a0}send: x",
        "+ expect path: pa",
        "- expect path pa",
        "- Clear",
        "- clear it",
        "1. expect path: reflex",
        "2) send: x",
        "– expect path: reflex",
        "— send: x",
        "• send: x",
        "> - expect path: reflex",
        "> expect path: reflex",
        ">- send: x",
        "- [ ] send: x",
        "- [x] expect path: reflex",
        "- - send: x",
        "**send**: x",
        "| send: x |",
        "expect path: reflex",
        "send: x",
        "\u{feff}- send: x",
        "<details>\n- send: x",
        "Prose.\n1. expect path: reflex",
        "### expect path: reflex",
        "### 2. expect path: reflex",
        "#### - expect path: reflex",
        "### send: x",
        "- # expect path: reflex",
        "<!-- a --> - expect path: reflex",
        "<!-- a --> <!-- b --> send: x <!-- c -->",
        "- <!-- a --> expect path: reflex",
        "<div>\n- expect path: reflex <!-- a -->",
        "<!-- a\n--> - expect path: reflex",
        "- `expect path: reflex`",
        "- `expect path: reflex`.",
        "- `expect path:` reflex",
        "`send: x`",
        "- “expect path: reflex”",
        "- \"expect path: reflex\"",
        "- ✅ expect path: reflex",
        "- ~~expect path: reflex~~",
        "→ expect path: reflex",
        "Expect path: reflex",
        "EXPECT Path: reflex",
        "Send: hello",
        "a) expect path: reflex",
        "  B. send: x",
        "(c) expect path: reflex",
        "iv) expect path reflex",
        "é) expect path: reflex",
        "TODO: expect path: reflex",
        "**TODO** expect path: reflex",
        "FIXME - send: x",
        "Check: expect path: reflex",
        "Step 2: - send: x",
        "> Note: expect response: contains x",
    ] {
        let place = 2 + line.lines().count();
        let error = Suite::parse(&format!("# T\n## 1\n{line}\n")).unwrap_err();
        assert_eq!(error, SuiteError { line: place, what: Wrong::NotAnItem }, "{line}");
    }
    for line in [
        "a clear day",
        "- a bullet",
        "* sending is fine",
        "--- ",
        "- expected",
        "1. Send a message",
        "> clear enough",
        "### Send: what it does",
        "### 3. Clear",
        "- `send: x` sends x",
        "<!-- - send: x --> a comment",
        "Prose\n---",
        "We expect: nothing",
        "expect nothing: it is prose",
        "i.e. expect path: reflex",
        "a) a heading",
        "A. Sending: how it works",
        "TODO: think of more",
        "NOTE expect a short delay",
        "Note: nobody sends: it is quiet",
        "For example: `send: x` sends x",
        "TODO: `expect path: x` checks the path",
        "Whoever has read this much longer sentence: expect path: reflex is an item",
    ] {
        assert!(Suite::parse(&format!("# T\n## 1\n{line}\n")).is_ok(), "{line}");
    }
}

/// Whatever stands behind one another, it is read or refused.
#[test]
fn no_markdown_breaks_the_reader() {
    let parts = [
        "",
        "# T",
        "## 1",
        "##",
        "#",
        "- send: x",
        "  - send: x",
        "- ",
        "-",
        "   ```",
        "```",
        "~~~~",
        "> ```",
        "> ",
        "- ```",
        "1. ```",
        "    code",
        "<!--",
        "-->",
        "<div>",
        "text",
        "===",
        "---",
        "\t- clear",
        "- expect path: pa",
        "  wrapped",
        "é– expect",
        "\u{feff}",
        "[a]: b",
        "* * *",
    ];
    for one in parts {
        for two in parts {
            for three in parts {
                let text = format!("{one}\n{two}\n{three}");
                if let Err(error) = Suite::parse(&text) {
                    assert!((1..=3).contains(&error.line), "{error} of {text:?}");
                }
            }
        }
    }
}
