//! `framewright serve`: its first line, its settings in force, and how it ends when something is wrong.

use crate::program::{end_of, framewright, run_with};
use crate::support::{Folder, Server, Setting, eventually, in_parallel, nobody, run};
use std::fs::File;

#[test]
fn the_first_line_says_where_how_and_with_which_model() {
    let server = Server::start();
    let said = server.said();
    let line = said.lines().next().unwrap();
    for part in [&format!("http://{}", server.address), "2 shards", "model: demo", "auth: off"] {
        assert!(line.contains(part), "`{part}` is missing in {line}");
    }
    assert!(line.contains("io_uring") || line.contains("epoll"), "{line}");
    let server = Server::with(&Setting { options: &["--llm-url", "http://127.0.0.1:9/v1", "--model", "little"], ..Setting::default() });
    let said = server.said();
    assert!(said.contains("model: little") && !said.contains("demo"), "{said}");
    let model = server.connect().ask("GET", "/health", None).json()["model"].clone();
    assert_eq!((&model["name"], &model["demo"]), (&serde_json::json!("little"), &serde_json::json!(false)));
    assert!(!model.to_string().contains("127.0.0.1"), "nobody needs to know where it is: {model}");
}

#[test]
fn where_nothing_can_be_said_it_serves_all_the_same() {
    let folder = Folder::new();
    let address = nobody().to_string();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut server = framewright(folder.path()).args(["--listen", &address]).stderr(full).spawn().unwrap();
    let process = rustix::process::Pid::from_child(&server);
    eventually("it serves", || (run_with(folder.path(), &[], &["health", "--listen", &address]).code == Some(0)).then_some(()));
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    assert_eq!(end_of(&mut server), Some(0));
}

#[test]
fn what_can_not_be_is_refused_at_the_start_with_what_to_do() {
    let folder = Folder::new();
    let file = folder.write("file", "not a folder");
    for (arguments, code, says) in [
        (&["--listen", "0.0.0.0:0"][..], 3, "127.0.0.1"),
        (&["--listen", "[::]:0"], 3, "127.0.0.1"),
        (&["--listen", "192.0.2.1:0"], 3, "127.0.0.1"),
        (&["--listen", "nowhere"], 2, "--listen"),
        (&["--shards", "0"], 2, "--shards"),
        (&["--shards", "many"], 2, "--shards"),
        (&["--workers", "0"], 2, "--workers"),
        (&["--lissten", "127.0.0.1:0"], 2, "--listen"),
        (&["sevre"], 2, "serve"),
        (&["--model", "big"], 3, "--llm-url"),
        (&["--llm-url", "http://127.0.0.1:9/v1"], 3, "--model"),
        (&["--llm-url", "nowhere", "--model", "m"], 3, "--llm-url"),
        (&["--listen", "127.0.0.1:0", "--data", file.to_str().unwrap()], 4, "--data"),
    ] {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.errors.contains(says), "{arguments:?}: it says `{says}`: {}", ended.errors);
        assert!(!ended.errors.contains("panicked"), "{arguments:?}: {}", ended.errors);
    }
}

#[test]
fn it_listens_beyond_loopback_only_when_told_twice() {
    let server = Server::with(&Setting { options: &["--insecure-no-auth"], ..Setting::default() });
    assert_eq!(server.connect().ask("GET", "/health", None).status, 200);
}

#[test]
fn one_shard_serves_as_well_as_many() {
    for shards in ["1", "5"] {
        let folder = Folder::new();
        let data = folder.path().to_str().unwrap();
        let server = Server::of(&["serve", "--shards", shards, "--listen", "127.0.0.1:0", "--data", data], &[]);
        in_parallel(0..8, |number| {
            let session = server.session(&format!("s-{number}"));
            assert_eq!(session.ask("hello")["total_frames"], 2);
            let mut chat = session.attached();
            chat.say(&serde_json::json!({ "text": "why is the sky blue?" }));
            chat.until_done("msg_2");
        });
    }
}

#[test]
fn a_flag_stands_above_its_environment_variable() {
    let folder = Folder::new();
    let environment = [("FRAMEWRIGHT_GRAPH", "v1-direct"), ("FRAMEWRIGHT_SHARDS", "2")];
    for (options, graph) in [(&[][..], "v1-direct"), (&["--graph", "v3-framed"], "v3-framed")] {
        let arguments = [&["--listen", "127.0.0.1:0", "--data", folder.path().to_str().unwrap()], options].concat();
        let server = Server::of(&arguments, &environment);
        assert!(server.said().contains("2 shards"), "{}", server.said());
        assert_eq!(server.session("any").read("/api/graph/active")["name"], graph);
    }
}

#[test]
fn limits_that_a_file_sets_hold() {
    let folder = Folder::new();
    let text = "listen = '127.0.0.1:0'\nshards = 1\n[llm]\nmodel = 'demo'\ndemo_delay_ms = 50\n[limits]\nsessions = 2\nwaiting = 1\nhistory = 2\ntraces = 1\n";
    let file = folder.write("framewright.toml", text);
    let server = Server::of(&["--config", file.to_str().unwrap()], &[("FRAMEWRIGHT_DEMO_DELAY_MS", "50")]);
    let session = server.session("one");
    (0..2).for_each(|_| drop(session.ask("hello")));
    assert_eq!(session.read("/api/history?last=10")["messages"].as_array().unwrap().len(), 2);
    assert_eq!(session.read("/api/frames?last=10")["traces"].as_array().unwrap().len(), 1);

    let mut chat = session.attached();
    (0..3).for_each(|_| chat.say(&serde_json::json!({ "text": "why is the sky blue?" })));
    let refused = chat.until(|message| message["refused"] == true).pop().unwrap();
    assert_eq!(refused["code"], "queue_full");

    let two = server.session("two");
    two.ask("hello");
    let _watched = two.attached();
    let third = server.connect().ask("POST", "/api/send?session=three", Some(&serde_json::json!({ "text": "hello" })));
    assert!(third.status == 503 && third.detail().contains("--sessions"), "{}", third.text());
    let mut newcomer = server.session("three").attached();
    newcomer.say(&serde_json::json!({ "text": "hello" }));
    assert_eq!(newcomer.next()["error"], third.detail(), "on a socket too");
    // A session that is watched makes no room for a newcomer.
    two.ask("hello again");
    assert_eq!(two.read("/api/state")["history_len"], 2);
}
