//! `--coverage`: which ways through its graphs a suite takes.

use crate::player::play_text;

#[test]
fn each_graph_that_is_used_is_told_with_what_was_taken_and_what_not() {
    let text = "# T\n- graph: v3-framed\n## 1\n- send: how are you doing?\n- expect frames: == 2\n## 2\n- graph: v1-direct\n- send: hello\n- expect frames: == 1\n";
    let played = play_text("two", text, &["--coverage", "--graph", "v4-eras"]);
    assert_eq!(played.code, Some(0), "{played:?}");
    let parts: Vec<&str> = played.output.split("coverage of ").skip(1).collect();
    assert_eq!(parts.iter().map(|part| part.lines().next().unwrap()).collect::<Vec<_>>(), ["v1-direct", "v3-framed", "v4-eras"]);
    let framed = parts[1];
    for told in [
        "routes: 1 of ",
        " taken: input -reflex-> output\n",
        "paths: 1 of ",
        " taken: reflex (input → output)\n",
        "director (input → director → thinker → output)",
        "memorizer",
    ] {
        assert!(framed.contains(told), "{told}: {framed}");
    }
    let (taken, not) = framed.split_once("not taken: ").unwrap();
    assert!(taken.contains("memorizer") && taken.contains("ui") && not.starts_with("director"), "{framed}");
    assert!(parts[2].contains("paths: 0 of 12 taken\n"), "the graph that the session began on was not used: {}", parts[2]);
    assert!(!play_text("two", text, &[]).output.contains("coverage"));
}
