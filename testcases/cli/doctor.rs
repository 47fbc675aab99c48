//! `framewright doctor`: what it finds, what it says about it, and how it ends.

use crate::program::{Ended, run_with};
use crate::support::{Folder, Server, Setting, eventually};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

const SECRET: &str = "sk-very-secret-1234";

fn doctor(folder: &Folder, variables: &[(&str, &str)], options: &[&str]) -> Ended {
    let ended = run_with(folder.path(), variables, &[&["doctor"], options].concat());
    assert!(!ended.errors.contains("panicked") && !ended.output.contains('\x1b'), "{ended:?}");
    ended
}

/// What is told about one thing, with its mending.
fn told(ended: &Ended, about: &str) -> String {
    let mut lines = ended.output.lines().skip_while(|line| !line.get(4..).is_some_and(|rest| rest.starts_with(&format!("{about} "))));
    let first = lines.next().unwrap_or_else(|| panic!("nothing about `{about}`: {}", ended.output));
    [first].into_iter().chain(lines.take_while(|line| line.starts_with(' '))).map(str::trim).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_sound_machine_has_a_line_for_everything() {
    let folder = Folder::new();
    let ended = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--data", "new/folder", "--connections", "100"]);
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
    for about in ["settings", "event loop", "descriptors", "clock", "host names", "address", "data", "graphs", "database", "model"] {
        assert!(told(&ended, about).starts_with("✓ "), "{}", ended.output);
    }
    // A container may allow no io_uring.
    let event_loop = told(&ended, "event loop");
    assert!(["io_uring, on", "epoll, on"].iter().any(|which| event_loop.contains(which)), "{event_loop}");
    assert!(told(&ended, "model").contains("demo"), "{}", ended.output);
    assert!(told(&ended, "data").ends_with("new/folder can be made"), "{}", ended.output);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "it leaves nothing behind");
}

#[test]
fn a_database_that_the_graph_asks_and_nobody_has_set_up_is_told() {
    let folder = Folder::new();
    let elsewhere = ["--graph", "v4-eras", "--database", "other=sample"];
    let ended = doctor(&folder, &[], &[&["--listen", "127.0.0.1:0"], &elsewhere[..]].concat());
    let says = "the node `eras` of `v4-eras` asks the database `eras2_production`, which is not set up";
    let told = told(&ended, "database");
    assert!(told.starts_with("✗ ") && told.contains(says) && told.contains("→ add --database eras2_production=URL"), "{}", ended.output);
    let server = Server::with(&Setting { options: &elsewhere, ..Setting::default() });
    let warning = format!("warning: {says}: add --database eras2_production=URL");
    eventually("the warning of the server", || server.said().contains(&warning).then_some(()));
    let ended = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--graph", "v4-eras"]);
    assert!(ended.code == Some(0) && !ended.output.contains("not set up"), "{}", ended.output);
}

#[test]
fn an_address_is_free_ours_or_taken() {
    let folder = Folder::new();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = doctor(&folder, &[], &["--listen", &stranger.local_addr().unwrap().to_string()]);
    assert_eq!(taken.code, Some(1), "{taken:?}");
    let said = told(&taken, "address");
    assert!(
        said.starts_with("✗ ") && said.contains("another program listens on") && said.contains("→ end it, or choose another"),
        "{said}"
    );
    assert!(taken.errors.contains("1 of 11 checks failed"), "{taken:?}");

    let server = Server::start();
    let data = server.folder.path().to_str().unwrap();
    let ours = doctor(&folder, &[], &["--listen", &server.address.to_string(), "--data", data]);
    assert_eq!(ours.code, Some(0), "{ours:?}");
    assert!(told(&ours, "address").contains(&format!("framewright {} runs at", env!("CARGO_PKG_VERSION"))), "{}", ours.output);
    assert!(told(&ours, "data").contains("is used by the server that runs"), "{}", ours.output);
    let other = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--data", data]);
    assert!(other.code == Some(1) && told(&other, "data").contains("another server uses"), "{}", other.output);
}

#[test]
fn names_the_hosts_that_the_server_accepts_and_warns_of_open_ones() {
    let folder = Folder::new();
    for (options, about, says) in [
        (
            &["--listen", "127.0.0.1:0"][..],
            "host names",
            "✓ host names localhost and loopback addresses; behind nginx add the public name: --host",
        ),
        (&["--listen", "127.0.0.1:0", "--host", "a.example"], "host names", "✓ host names localhost and loopback addresses, a.example"),
        (&["--listen", "0.0.0.0:0", "--insecure-no-auth"], "host names", "✓ host names localhost and all IP addresses; behind nginx"),
        (
            &["--listen", "127.0.0.1:0", "--allow-origin", "*"],
            "origins",
            "✗ origins every web page may use the server (`*`) → list the origins",
        ),
    ] {
        let ended = doctor(&folder, &[], options);
        let said = told(&ended, about).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.starts_with(says), "{options:?}: {said}");
    }
}

#[test]
fn what_is_wrong_with_the_settings_is_told_with_how_to_mend_it() {
    let folder = Folder::new();
    let file = folder.write("a-file", "");
    let file = file.to_str().unwrap();
    folder.write("wrong.toml", "\nlissten = 'x'\n");
    for (variables, options, about, says) in [
        (&[][..], &["--config", "wrong.toml"][..], "settings", "wrong.toml:2: there is no setting `lissten`: did you mean `listen`?"),
        (&[], &["--config", "none.toml"], "settings", "there is no such file"),
        (&[("FRAMEWRIGHT_LISSTEN", "x")], &[], "environment", "did you mean FRAMEWRIGHT_LISTEN?"),
        (&[], &["--data", file], "data", "→ choose another folder with --data"),
        (&[], &["--graph", "nope"], "graphs", "there is no graph `nope` → choose one of"),
        (&[], &["--graphs", "nowhere"], "graphs", "can't be read as a folder of graphs"),
        (&[], &["--llm-url", "nowhere", "--model", "m"], "settings", "--llm-url is `nowhere`"),
        (&[], &["--listen", "192.0.2.1:7", "--insecure-no-auth"], "address", "192.0.2.1:7 can't be listened on"),
    ] {
        let listen = if options.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] };
        let ended = doctor(&folder, variables, &[listen, options].concat());
        assert_eq!(ended.code, Some(1), "{options:?}: {ended:?}");
        let wrong: Vec<&str> = ended.output.lines().filter(|line| line.starts_with('✗')).collect();
        assert!(wrong.len() == 1 && wrong[0].contains(about), "{options:?}: {}", ended.output);
        let all = ended.output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(all.contains(says), "{options:?}: {}", ended.output);
    }
    let open = doctor(&folder, &[], &["--listen", "0.0.0.0:0"]);
    assert!(open.code == Some(1) && open.output.contains("nobody has to sign in"), "{open:?}");
}

/// Answers a question for its models alike, refuses an empty request for a chat, and has nothing else; for who has the key.
fn model_server(status: &'static str, body: &'static str, date: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let head = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            let mut sent = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut sent).unwrap();
            let (status, body) = match head.split_once(" HTTP").unwrap().0 {
                _ if !head.contains(&format!("Bearer {SECRET}")) => ("401 Unauthorized", ""),
                "GET /v1/models" => (status, body),
                "POST /v1/chat/completions" => ("400 Bad Request", "{}"),
                _ => ("404 Not Found", ""),
            };
            let answer = format!("HTTP/1.1 {status}\r\n{date}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn an_address_of_the_model_server_that_leads_nowhere_is_noticed() {
    let folder = Folder::new();
    let list = r#"{"data":[{"id":"big"}]}"#;
    for (path, code, says) in [
        ("/v1/", 0, "✓ model server 127.0.0.1:"),
        (
            "/v1/chat/completions",
            1,
            "--llm-url is a whole endpoint: http://ADDRESS/v1/chat/completions → leave out /chat/completions: http://ADDRESS/v1",
        ),
        ("/v1/models/", 1, "→ leave out /models: http://ADDRESS/v1"),
        ("", 1, "there is nothing at http://ADDRESS/chat/completions (404 Not Found) → correct --llm-url: it ends where"),
        ("/v2", 1, "there is nothing at http://ADDRESS/v2/chat/completions (404 Not Found)"),
    ] {
        let address = model_server("200 OK", list, "").to_string();
        let url = format!("http://{address}{path}");
        let ended = doctor(&folder, &[("FRAMEWRIGHT_LLM_KEY", SECRET)], &["--listen", "127.0.0.1:0", "--model", "big", "--llm-url", &url]);
        let said = ended.output.split_whitespace().collect::<Vec<_>>().join(" ").replace(&address, "ADDRESS");
        assert!(
            ended.code == Some(code) && said.contains(says.replace("127.0.0.1:", "ADDRESS").trim_end_matches(':')),
            "{path}: {ended:?}"
        );
    }
}

#[test]
fn a_database_file_is_opened_and_what_is_wrong_with_it_is_said() {
    let folder = Folder::new();
    folder.write("no.db", "these are no pages of a database");
    let database = rusqlite::Connection::open(folder.path().join("one.db")).unwrap();
    database.execute_batch("CREATE TABLE a (id)").unwrap();
    for (url, code, says) in [
        ("sample", 0, "✓ database shop: sample data, 6 tables"),
        ("sqlite:one.db", 0, "✓ database shop: SQLite, 1 table"),
        ("sqlite:none.db", 1, "✗ database shop names a file that isn't there (none.db: unable to open database"),
        ("sqlite:no.db", 1, "✗ database shop can't be read as a SQLite database (no.db: file is not a database"),
    ] {
        let ended = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--graph", "v1-direct", "--database", &format!("shop={url}")]);
        let said = ended.output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ended.code == Some(code) && said.contains(says), "{url}: {ended:?}");
    }
}

#[test]
fn the_model_server_is_asked_for_its_models() {
    let folder = Folder::new();
    let list = r#"{"data":[{"id":"big"},{"id":"small:latest"}]}"#;
    let past = "date: Thu, 01 Jan 2015 00:00:00 GMT\r\n";
    for (status, body, date, key, options, code, says) in [
        ("200 OK", list, "", SECRET, &["--model", "big"][..], 0, "✓ model server 127.0.0.1:"),
        ("200 OK", list, "", SECRET, &["--model", "small"], 0, "✓ model server"),
        (
            "200 OK",
            list,
            "",
            SECRET,
            &["--model", "big", "--fast-model", "tiny"],
            1,
            "it has no model `tiny` → choose one of big, small:latest",
        ),
        ("200 OK", "{}", "", SECRET, &["--model", "any"], 0, "✓ model server"),
        ("200 OK", list, "", "sk-wrong", &["--model", "big"], 1, "refuses the key (401 Unauthorized) → give it another key"),
        ("404 Not Found", "", "", SECRET, &["--model", "big"], 0, "answers, but lists no models"),
        ("500 Oh", "", "", SECRET, &["--model", "big"], 1, "answers with 500"),
        ("200 OK", list, past, SECRET, &["--model", "big"], 1, "seconds ahead of the model server's"),
    ] {
        let url = format!("http://{}/v1", model_server(status, body, date));
        let ended = doctor(&folder, &[("FRAMEWRIGHT_LLM_KEY", key)], &[&["--listen", "127.0.0.1:0", "--llm-url", &url], options].concat());
        let said = ended.output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ended.code == Some(code) && said.contains(says), "{status} {options:?}: {ended:?}");
        assert!(!said.contains(SECRET) && !ended.errors.contains(SECRET), "{ended:?}");
    }
    let gone = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--llm-url", "http://127.0.0.1:9/v1", "--model", "m"]);
    let said = gone.output.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(gone.code == Some(1) && said.contains("can't be reached") && said.contains("→ start it, or say where it is"), "{gone:?}");
}

#[test]
fn a_server_without_a_journal_is_looked_at_too() {
    let server = Server::with(&Setting { options: &["--graph", "v1-direct"], ..Setting::default() });
    let variables = [("FRAMEWRIGHT_LISTEN", &*server.address.to_string()), ("FRAMEWRIGHT_DURABILITY", "none")];
    let ended = doctor(&server.folder, &variables, &[]);
    assert!(ended.code == Some(0) && told(&ended, "data").contains("nothing is stored"), "{ended:?}");
}

#[test]
fn a_key_is_taken_from_wherever_it_may_be() {
    let folder = Folder::new();
    folder.write("key", &format!("  {SECRET}\n"));
    folder.write("credentials/llm_key", SECRET);
    folder.write("wrong", "sk-wrong");
    let list = r#"{"data":[{"id":"big"}]}"#;
    let credentials = folder.path().join("credentials");
    let credentials = ("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap());
    for (variables, options) in [
        (&[("FRAMEWRIGHT_LLM_KEY", SECRET)][..], &[][..]),
        (&[("FRAMEWRIGHT_LLM_KEY", SECRET), ("OPENAI_API_KEY", "sk-wrong")], &["--llm-key-file", "wrong"]),
        (&[("OPENAI_API_KEY", SECRET)], &[]),
        (&[], &["--llm-key-file", "key"]),
        (&[("FRAMEWRIGHT_LLM_KEY_FILE", "key"), ("OPENAI_API_KEY", "sk-wrong")], &[]),
        (&[credentials, ("OPENAI_API_KEY", "sk-wrong")], &[]),
        (&[credentials, ("FRAMEWRIGHT_LLM_KEY", " ")], &[]),
    ] {
        let url = format!("http://{}/v1", model_server("200 OK", list, ""));
        let ended = doctor(&folder, variables, &[&["--listen", "127.0.0.1:0", "--llm-url", &url, "--model", "big"], options].concat());
        assert_eq!(ended.code, Some(0), "{variables:?} {options:?}: {ended:?}");
        assert!(!ended.output.contains("sk-"), "{ended:?}");
    }
}
