//! Graphs from a folder: laid over the built-in ones, and refused with file, line and what to do when they are wrong.

use crate::support::{Folder, Provider, Server, Setting, run};
use serde_json::json;
use std::fs;
use std::path::Path;

fn built_in(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs").join(name)).unwrap()
}

/// The number of the line that holds this.
fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).map(|line| line + 1).unwrap()
}

/// The built-in default with one thing changed, under its own name.
fn changed(from: &str, to: &str) -> String {
    let graph = built_in("v3-framed.json");
    assert!(graph.contains(from), "{from} is not in the graph");
    graph.replacen(from, to, 1)
}

#[test]
fn a_folder_adds_graphs_and_takes_the_place_of_built_in_files() {
    let folder = Folder::new();
    folder.write("mine.json", &changed("\"name\": \"v3-framed\"", "\"name\": \"mine\""));
    folder.write("prompts/output.md", &built_in("prompts/output.md").replacen("# output\n", "# output\nSpeak like a pirate.\n", 1));
    let provider = Provider::start();
    let url = provider.url();
    let options = ["--graphs", folder.path().to_str().unwrap(), "--graph", "mine", "--llm-url", &url, "--model", "puppet"];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    let session = server.session("overlay");
    let names: Vec<_> = session.read("/api/graph/list")["graphs"].as_array().unwrap().iter().map(|graph| graph["name"].clone()).collect();
    assert_eq!(names, ["mine", "v1-direct", "v3-framed", "v4-eras"]);
    assert_eq!(session.read("/api/graph/active")["name"], "mine");
    assert_eq!(session.ask("{}")["graph"], "mine");
    assert!(provider.asked_of("output")[0].to_string().contains("Speak like a pirate."));
    session.post("/api/graph/switch", &json!({ "name": "v3-framed" }));
    assert_eq!(session.ask("{}")["graph"], "v3-framed");
}

#[test]
fn a_wrong_graph_is_refused_with_its_file_its_line_and_what_to_do() {
    let director = "\"edges\": { \"think\": \"thinker\" }";
    for (name, graph, at, says) in [
        ("not JSON", "{\n  \"name\": \"broken\",\n  nonsense\n}".to_owned(), "nonsense", ""),
        ("an unknown field", changed("\"description\":", "\"descriptoin\":"), "\"descriptoin\":", "descriptoin"),
        ("an edge into nothing", changed(director, "\"edges\": { \"think\": \"thinkr\" }"), "\"name\": \"director\"", "`thinkr`"),
        ("a missing edge", changed(director, "\"edges\": {}"), "\"name\": \"director\"", "`think`"),
        (
            "an unknown route",
            changed(director, "\"edges\": { \"think\": \"thinker\", \"dream\": \"output\" }"),
            "\"name\": \"director\"",
            "`dream`",
        ),
        ("an unknown kind", changed("\"kind\": \"director\"", "\"kind\": \"dictator\""), "\"name\": \"director\"", "`dictator`"),
        (
            "an unknown tool",
            changed("\"tools\": [\"emit_actions\"", "\"tools\": [\"emit_magic\""),
            "\"name\": \"director\"",
            "`emit_magic`",
        ),
        ("a missing prompt", changed("prompts/director.md", "prompts/missing.md"), "\"name\": \"director\"", "prompts/missing.md"),
        ("a wrong number of frames", changed("\"frames\": 4", "\"frames\": 3"), "\"frames\": 3", "4"),
        ("an unknown class of models", changed("\"model\": \"strong\"", "\"model\": \"gpt-4\""), "gpt-4", "write one of fast, strong"),
        (
            "an edge that is there twice",
            changed(director, "\"edges\": { \"think\": \"thinker\", \"think\": \"output\" }"),
            "\"think\": \"output\"",
            "`think` is there twice",
        ),
    ] {
        let folder = Folder::new();
        folder.write("v3-framed.json", &graph);
        let path = folder.path().to_str().unwrap();
        let line = format!("v3-framed.json:{}", line_of(&graph, at));
        for arguments in
            [&["graph", "check", path][..], &["serve", "--listen", "127.0.0.1:0", "--graphs", path], &["graph", "show", "--graphs", path]]
        {
            let ended = run(folder.path(), arguments);
            assert_eq!(ended.code, Some(3), "{name} {arguments:?}: {ended:?}");
            assert!(ended.errors.contains(&line), "{name} {arguments:?}: file and line, {line}: {}", ended.errors);
            assert!(ended.errors.contains(says) && ended.errors.trim().len() > line.len() + 10, "{name} {arguments:?}: {}", ended.errors);
        }
    }
}

#[test]
fn a_wrong_prompt_is_refused_with_its_own_file_and_line() {
    for (file, from, to, at, says) in [
        ("director", "{{message}}", "{{mesage}}", "{{mesage}}", "there is no slot `mesage`"),
        ("director", "=== user", "=== User", "=== User", "a prompt is divided once, by the line `=== user`"),
        ("output", "=== user\n", "", "# output", "the line `=== user` is missing"),
        ("interpreter", "{{results}}", "", "# interpreter", "needs the slot `results`"),
        ("input", "{{message}}", "", "# input", "needs the slot `message`"),
        ("pa", "{{experts}}", "", "# pa", "needs the slot `experts`"),
    ] {
        let folder = Folder::new();
        let file = format!("prompts/{file}.md");
        let prompt = built_in(&file).replace(from, to);
        folder.write(&file, &prompt);
        let path = folder.path().to_str().unwrap();
        let place = format!("{file}:{}: ", line_of(&prompt, at));
        for arguments in [&["graph", "check", path][..], &["serve", "--listen", "127.0.0.1:0", "--graphs", path]] {
            let ended = run(folder.path(), arguments);
            assert_eq!(ended.code, Some(3), "{ended:?}");
            assert!(ended.errors.contains(&place) && ended.errors.contains(says), "{place}{says}: {}", ended.errors);
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_graph_a_prompt_or_a_schema() {
    let folder = Folder::new();
    for file in ["v3-framed.json", "prompts/input.md", "prompts/output.md", "prompts/plain.json", "schemas/perception.json"] {
        folder.write(file, &format!("\u{feff}{}", built_in(file)));
    }
    folder.write("framewright.toml", &format!("\u{feff}graphs = '{}'\n", folder.path().display()));
    let provider = Provider::start();
    let settings = folder.path().join("framewright.toml");
    let options =
        ["serve", "--listen", "127.0.0.1:0", "--config", settings.to_str().unwrap(), "--model", "puppet", "--llm-url", &provider.url()];
    let server = Server::of(&options, &[]);
    assert_eq!(server.session("marked").ask("{}")["path"], "director");
    for asked in ["input", "output"].iter().flat_map(|role| provider.asked_of(role)) {
        assert!(!asked.to_string().contains('\u{feff}'), "{asked}");
    }
    let input = &provider.asked_of("input")[0];
    assert!(input["messages"][0]["content"].as_str().unwrap().starts_with("# input\n"), "{input}");
}

#[test]
fn the_built_in_graphs_are_sound_and_say_their_frames() {
    let folder = Folder::new();
    let ended = run(folder.path(), &["graph", "check"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in [
        "v3-framed",
        "reflex 2",
        "director 4",
        "director+interpreter 5",
        "machine 1",
        "action 3",
        "action+interpreter 4",
        "v1-direct",
        "direct 1",
    ] {
        assert!(ended.output.contains(part), "`{part}` is missing in {}", ended.output);
    }
}

#[test]
fn a_graph_is_drawn_as_text_and_an_unknown_one_is_told_the_others() {
    let folder = Folder::new();
    let ended = run(folder.path(), &["graph", "show"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["v3-framed", "input", "director", "thinker", "interpreter", "output", "memorizer", "5 frames", "1 frame"] {
        assert!(ended.output.contains(part), "`{part}` is missing in {}", ended.output);
    }
    assert!(run(folder.path(), &["graph", "show", "v1-direct"]).output.contains("agent"));
    for arguments in [&["graph", "show", "v9-dreams"][..], &["serve", "--listen", "127.0.0.1:0", "--graph", "v9-dreams"]] {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, Some(3), "{arguments:?}: {ended:?}");
        assert!(ended.errors.contains("v9-dreams") && ended.errors.contains("v3-framed"), "{arguments:?}: {}", ended.errors);
    }
}

#[test]
fn a_folder_that_is_none_is_refused() {
    let folder = Folder::new();
    let ended = run(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--graphs", "/no/such/folder"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.errors.contains("/no/such/folder"), "{}", ended.errors);
}
