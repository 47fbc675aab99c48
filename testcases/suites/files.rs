//! The command line, the files that are read and written, and the exit codes.

use crate::player::{play, play_text};
use crate::support::{Folder, nobody, run};
use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};
use std::fs;

const GREEN: &str = "# T\n## 1\n- send: hello\n- expect path: reflex\n- expect time: < 0 ms\n";
const RED: &str = "# T & more\n## 1 < 2\n- send: hello\n- expect path: \"a <b> & c\"\n- action: none\n- expect frames: == 1\n";

#[test]
fn what_can_not_be_read_is_told_at_once_and_nothing_is_played() {
    let folder = Folder::new();
    folder.write("good.md", GREEN);
    folder.write("key.md", "# T\n## 1\n- sned: x\n");
    folder.write("check.md", "# T\n## 1\n- send: x\n- expect frames: many\n");
    folder.write("two.md", "# T\n## 1\n- send: x\n- expect actions: not has red and not has yellow\n");
    for (name, step) in [
        ("number", "1. expect path: reflex"),
        ("dash", "– expect path: reflex"),
        ("quote", "> - expect path: reflex"),
        ("lazy", "- send: one\ntwo"),
        ("fence", "```\n- expect path: reflex"),
    ] {
        folder.write(&format!("{name}.md"), &format!("{GREEN}\n{step}\n"));
    }
    let skipped = run(folder.path(), &["test", "number.md", "dash.md", "quote.md", "lazy.md", "fence.md"]);
    assert_eq!((skipped.code, skipped.output.as_str()), (Some(2), ""), "{skipped:?}");
    for says in [
        "number.md:7: this would be skipped as prose; an item stands at the start of its line as `- key: value`\n",
        "dash.md:7: this would be skipped as prose; an item stands at the start of its line as `- key: value`\n",
        "quote.md:7: this would be skipped as prose; an item stands at the start of its line as `- key: value`\n",
        "lazy.md:8: this would be skipped; indent the line to continue the item above, or leave an empty line before prose\n",
        "fence.md:7: a block of code begins here and is never closed, so what follows would be skipped\n",
    ] {
        assert!(skipped.errors.contains(says), "{says}: {}", skipped.errors);
    }
    let ended = run(folder.path(), &["test", "good.md", "key.md", "check.md", "two.md", "nowhere.md", ".", "--results", "r.json"]);
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""), "{ended:?}");
    for says in [
        "key.md:3: there is no item `sned`; use graph, clear, send, action or expect <what>\n",
        "check.md:4: `expect frames:` needs a comparison such as `== 4`\n",
        "two.md:4: `expect actions:` needs words, and `not has yellow` reads like a check of its own: write a second line for it, or put it in quotes\n",
        "nowhere.md: can't be read (",
        ".: this is a folder: name its suites, such as ./*.md\n",
    ] {
        assert!(ended.errors.contains(says), "{says}: {}", ended.errors);
    }
    assert!(!folder.path().join("r.json").exists());
}

#[test]
fn the_exit_code_tells_whose_fault_it_is() {
    let folder = Folder::new();
    folder.write("green.md", GREEN);
    folder.write("red.md", RED);
    folder.write("empty.md", "# T\n## 1\n- send: hello\n");
    let closed = format!("http://{}", nobody());
    for (arguments, code, says) in [
        (&["green.md"][..], 0, ""),
        (&["green.md", "red.md"], 1, ""),
        (&[], 2, "name the suites to play, such as `framewright test testcases/*.md`"),
        (&["green.md", "--jobs", "0"], 2, "--jobs"),
        (
            &["green.md", "--url", &closed, "--graph", "v4-eras", "--model", "m"],
            2,
            "--graph, --model can't be set of a server that runs already",
        ),
        (&["green.md", "--graph", "nope"], 3, "there is no graph `nope`"),
        (&["green.md", "--model", "big"], 3, "--llm-url"),
        (&["green.md", "--url", "ftp://host"], 3, "--url is `ftp://host`"),
        (&["green.md", "--url", "https://host", "--ca", "red.md"], 3, "--ca red.md: it holds no certificate"),
        (&["green.md", "--url", &closed], 4, "no server answers at 127."),
        (&["green.md", "--junit", "no/such/folder.xml"], 4, "no/such/folder.xml can't be written"),
        (&["red.md", "--junit", "no/such/folder.xml"], 1, "no/such/folder.xml can't be written"),
        (&["empty.md"], 2, "empty.md: it checks nothing: say what is expected, such as `- expect path: reflex`"),
    ] {
        let ended = run(folder.path(), &[&["test"], arguments].concat());
        assert!(ended.code == Some(code) && ended.errors.contains(says), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn results_stand_where_the_server_looks_for_them_or_where_told() {
    let folder = Folder::new();
    folder.write("green.md", GREEN);
    let ended = run(folder.path(), &["test", "green.md"]);
    assert!(ended.code == Some(0) && ended.output.contains("there is no folder `testcases`, so no results are written"), "{ended:?}");
    assert!(!folder.path().join("testcases").exists());
    folder.write("testcases/results.json", "old");
    let ended = run(folder.path(), &["test", "green.md"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let results: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("testcases/results.json")).unwrap()).unwrap();
    assert_eq!((&results["passed"], &results["total_expected"]), (&1.into(), &1.into()), "{results}");
    let left: Vec<_> = fs::read_dir(folder.path().join("testcases")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing half-written is left: {left:?}");
}

#[test]
fn settings_of_the_folder_hold_but_not_where_it_listens() {
    let folder = Folder::new();
    folder.write("green.md", "# T\n## 1\n- send: hello\n- expect frames: == 1\n- expect path: direct\n");
    folder.write("framewright.toml", "graph = 'v1-direct'\nlisten = '0.0.0.0:1'\ndata = '/proc/nowhere'\n");
    let ended = run(folder.path(), &["test", "green.md"]);
    assert!(ended.code == Some(0) && ended.output.contains("model: demo (no key found)  graph: v1-direct\n"), "{ended:?}");
    assert!(!ended.output.contains("http://") && !ended.errors.contains("http://"), "no start-up line: {ended:?}");
}

#[test]
fn junit_holds_a_case_for_each_check_and_why_it_failed() {
    let folder = Folder::new();
    let (green, red) = (folder.write("green.md", GREEN), folder.write("red.md", RED));
    let file = folder.path().join("junit.xml");
    let played = play(&[green.to_str().unwrap(), red.to_str().unwrap(), "--junit", file.to_str().unwrap()]);
    assert_eq!(played.code, Some(1), "{played:?}");
    let text = fs::read_to_string(&file).unwrap();
    let mut reader = Reader::from_str(&text);
    let mut seen: Vec<(String, Vec<(String, String)>)> = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) | Event::Empty(element) => {
                let attribute = |attribute: quick_xml::events::attributes::Attribute<'_>| {
                    (attribute.key.as_ref().to_owned(), attribute.normalized_value(XmlVersion::Implicit1_0).unwrap().into_owned())
                };
                let attributes = element.attributes().map(|found| attribute(found.unwrap())).collect();
                seen.push((element.name().as_ref().to_owned(), attributes));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let all = |name: &str| seen.iter().filter(|(element, _)| element == name).map(|(_, attributes)| attributes).collect::<Vec<_>>();
    let has = |attributes: &Vec<(String, String)>, key: &str, value: &str| attributes.contains(&(key.to_owned(), value.to_owned()));
    assert_eq!((all("testsuites").len(), all("testsuite").len(), all("testcase").len()), (1, 2, 5), "{text}");
    for (key, value) in [("tests", "5"), ("failures", "2"), ("skipped", "1"), ("errors", "0")] {
        assert!(has(all("testsuites")[0], key, value), "{key}: {text}");
    }
    let failures = all("failure");
    assert!(has(failures[0], "message", "expected path: \"a <b> & c\", got \"reflex\""), "{text}");
    assert!(all("testcase").iter().any(|case| has(case, "name", "1 < 2: action: none") && has(case, "line", "5")), "{text}");
    assert_eq!((failures.len(), all("skipped").len()), (2, 1));
}

#[test]
fn the_help_says_what_it_does_without_more() {
    let folder = Folder::new();
    let help = run(folder.path(), &["test", "--help"]);
    let help = help.output.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "--jobs <N>",
        "[default: 1]",
        "[default: testcases/results.json, where that folder exists]",
        "[env: FRAMEWRIGHT_TOKEN]",
        "--strict-judge",
        "--llm-url",
    ] {
        assert!(help.contains(told), "{told}: {help}");
    }
}

#[test]
fn a_model_s_words_can_not_steer_the_terminal() {
    let played = play_text(
        "steer",
        "# T\n## 1\n- send: say \u{1b}[2J\n- expect frames: == 77\n- expect response: is \u{1b}[31mred\n",
        &["--color", "never"],
    );
    assert!(played.code == Some(1) && !played.output.contains('\u{1b}'), "{played:?}");
}

#[test]
fn what_is_code_or_a_comment_is_not_run_and_a_wrapped_message_is_sent_whole() {
    let folder = Folder::new();
    let never = "- send: hello\n- expect frames: == 99\n";
    let suite = format!(
        "# T\n## 1\n~~~\n{never}~~~\n\n````\n```\n{never}```\n````\n\n<!--\n{never}-->\n\n\
         - send: Reply with the number alone: what is\n  12 * (3 + 4)?\n- expect response: contains 84\n"
    );
    folder.write("t.md", &suite);
    let ended = run(folder.path(), &["test", "t.md"]);
    assert!(ended.code == Some(0) && ended.output.contains("1 passed"), "{ended:?}");
}

/// Of the sample data: one customer has this name, several are families.
#[test]
fn one_thing_is_told_as_one_and_several_as_several() {
    let folder = Folder::new();
    folder.write(
        "one.md",
        "# T\n- graph: v4-eras\n## 1\n\
         - send: find customer Baugenossenschaft Morgenröte eG\n\
         - expect response: contains \"I found 1 customer whose name contains\"\n\
         - send: finde den Kunden Baugenossenschaft Morgenröte eG\n\
         - expect response: contains \"Ich habe 1 Kunden gefunden, dessen Name\"\n\
         - send: find customer Wohn\n\
         - expect response: matches /I found \\d+ customers whose name contains/\n",
    );
    let ended = run(folder.path(), &["test", "one.md"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
