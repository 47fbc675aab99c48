//! `framewright graph show --node`: what a node would be asked, of a session that begins and of one that is there.

use crate::program::run_with;
use crate::support::{Folder, Server, run};

#[test]
fn a_prompt_is_shown_as_a_node_would_be_asked_at_the_beginning_of_a_session() {
    let folder = Folder::new();
    for (arguments, has) in [
        (
            &["--node", "director", "--text", "why & how?"][..],
            &["=== system\n# director\n", "## message\nwhy & how?\n", "local time: ", "## perception\n(not known yet", "=== schema\n{"][..],
        ),
        (&["v1-direct", "--node", "agent"], &["=== tools\nemit_actions: "]),
        (
            &["v4-eras", "--node", "eras", "--text", "count"],
            &["## job\ncount\n", "=== system (plan)\n# expert\n", "=== user (compose)\n", "## dialect\nSQLite\n"],
        ),
        (&["--node", "output"], &["=== user\n## memory\n{\"language\":\"en\"}\n"]),
    ] {
        let ended = run(folder.path(), &[&["graph", "show"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(has.iter().all(|part| ended.output.contains(part)), "{arguments:?}: {}", ended.output);
        assert_eq!(
            ended.output.contains("=== schema"),
            !arguments.iter().any(|node| ["output", "agent"].contains(node)),
            "text has no schema"
        );
        assert_eq!(ended.output.contains("=== tools"), arguments.contains(&"agent"), "others read of their tools in the prompt");
    }
    for (arguments, code, says) in [
        (&["--node", "nobody"][..], 3, "the graph `v3-framed` has no node `nobody`: choose one of input, director"),
        (&["--node", "ui"], 3, "calls no model"),
        (&["v9", "--node", "director"], 3, "there is no graph `v9`"),
        (&["--text", "x"], 2, "--node"),
        (&["--url", "http://127.0.0.1:1", "--node", "director"], 4, "can't be reached"),
        (&["--url", "nowhere at all", "--node", "director"], 3, "--url is"),
        (&["v3-framed", "--url", "http://127.0.0.1:1", "--node", "director"], 2, "leave out --url, or the graph's name"),
        (&["--graphs", ".", "--url", "http://127.0.0.1:1", "--node", "director"], 2, "leave out --url, or --graphs"),
        (&["--config", "f", "--url", "http://127.0.0.1:1", "--node", "director"], 2, "leave out --url, or --config"),
        (&["--token", "t", "--node", "director"], 2, "no server is asked: name one with --url, or leave out --token"),
        (&["--ca", "c", "--node", "director"], 2, "leave out --ca"),
    ] {
        let ended = run(folder.path(), &[&["graph", "show"], arguments].concat());
        assert!(ended.code == Some(code) && ended.errors.contains(says), "{arguments:?}: {ended:?}");
    }
    // A variable may be meant for other commands.
    let set = [("FRAMEWRIGHT_GRAPHS", "nowhere"), ("FRAMEWRIGHT_CONFIG", "nowhere"), ("FRAMEWRIGHT_TOKEN", "t")];
    let ended = run_with(folder.path(), &set, &["graph", "show", "--url", "http://127.0.0.1:1", "--node", "director"]);
    assert!(ended.code == Some(4), "{ended:?}");
}

#[test]
fn a_prompt_is_shown_as_a_session_of_a_server_would_be_asked_now() {
    let (server, folder) = (Server::start(), Folder::new());
    server.session("shown").ask("my cat Miro only eats fish, why?");
    let url = format!("http://{}", server.address);
    let show = |more: &[&str]| {
        let ended = run(folder.path(), &[&["graph", "show", "--url", &url, "--session", "shown", "--node"], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.output
    };
    assert!(show(&["director"]).contains("## message\nmy cat Miro only eats fish, why?\n"));
    let next = show(&["director", "--text", "Größe & Gewicht?"]);
    assert!(next.contains("## message\nGröße & Gewicht?\n") && next.contains("user: my cat Miro only eats fish, why?"), "{next}");
    let ended = run(folder.path(), &["graph", "show", "--url", &url, "--node", "eras"]);
    assert!(ended.code == Some(3) && ended.errors.contains("the graph `v3-framed` has no node `eras`"), "{ended:?}");
}
