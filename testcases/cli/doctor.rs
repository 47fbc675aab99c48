//! `framewright doctor`: what it finds, what it says about it, and how it ends.

use crate::program::{Ended, run_with};
use crate::support::{Folder, PATIENCE, Server, Setting, eventually, nobody};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

const SECRET: &str = "sk-very-secret-1234";

fn doctor(folder: &Folder, variables: &[(&str, &str)], options: &[&str]) -> Ended {
    let ended = run_with(folder.path(), variables, &[&["doctor"], options].concat());
    assert!(!ended.errors.contains("panicked") && !ended.output.contains('\x1b'), "{ended:?}");
    ended
}

/// What is told about one thing, with its mending.
fn told(ended: &Ended, about: &str) -> String {
    let mut lines =
        ended.output.lines().skip_while(|line| !line.split_once(' ').is_some_and(|(_, rest)| rest.starts_with(&format!("{about} "))));
    let first = lines.next().unwrap_or_else(|| panic!("nothing about `{about}`: {}", ended.output));
    [first].into_iter().chain(lines.take_while(|line| line.starts_with(' '))).map(str::trim).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_sound_machine_has_a_line_for_everything() {
    let folder = Folder::new();
    let ended = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--data", "new/folder", "--connections", "100"]);
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
    for about in
        ["settings", "event loop", "descriptors", "clock", "host names", "address", "data", "journal", "graphs", "database", "model"]
    {
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
    assert!(taken.errors.contains("1 of 13 checks failed"), "{taken:?}");

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
fn a_journal_that_no_server_can_open_is_noticed_and_left_as_it_is() {
    let (folder, data) = (Folder::new(), Folder::new());
    let path = data.path().join("journal.db");
    let options = ["--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()];
    let all = || {
        let entries = std::fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().path());
        // SQLite's shared memory holds the locks of readers.
        let text = |path: &Path| if path.ends_with("journal.db-shm") { Vec::new() } else { std::fs::read(path).unwrap() };
        let mut all: Vec<_> = entries.map(|path| (path.clone(), text(&path))).collect();
        all.sort();
        all
    };
    let look = || {
        let before = all();
        let ended = doctor(&folder, &[], &options);
        assert!(all() == before, "it changes nothing: {ended:?}");
        (ended.code, told(&ended, "journal"), told(&ended, "data"))
    };
    let (code, journal, place) = look();
    assert!(code == Some(0) && journal.starts_with("✓ ") && journal.contains("the server begins it"), "{journal}");
    assert!(place.ends_with("is free"), "the folder exists: {place}");

    let mut server = Server::with(&Setting { data: Some(data.path()), ..Setting::default() });
    server.session("s").ask("hello");
    let report = server.session("s").read("/api/doctor");
    let own = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "journal").unwrap();
    assert_eq!(own["status"], "ok", "{report}");
    server.session("s").ask("hello");
    server.signal("TERM");
    server.ended();
    let (code, journal, _) = look();
    assert!(code == Some(0) && journal.starts_with("✓ ") && journal.ends_with("journal.db can be read"), "{journal}");

    let set = |sql: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    set("PRAGMA user_version = 1");
    let (code, journal, _) = look();
    assert!(code == Some(0) && journal.contains("has format 1: the server brings it to format 2"), "{journal}");
    set("PRAGMA user_version = 99");
    for (says, fix) in [
        ("has format 99, and this version reads formats up to 2", "→ use the framewright that wrote it, or a newer one"),
        ("file is not a database", "→ move it away, and restore a backup"),
    ] {
        let (code, journal, place) = look();
        assert!(code == Some(1) && journal.starts_with("✗ ") && journal.contains(says) && journal.ends_with(fix), "{journal}");
        assert!(place.starts_with("✓ "), "{place}");
        let refused = run_with(folder.path(), &[], &[&["serve", "--offline"], &options[..]].concat());
        assert_eq!(refused.code, Some(4), "{refused:?}");
        std::fs::write(&path, "this is a letter and no journal. ".repeat(200)).unwrap();
    }

    let url = ["--listen", "127.0.0.1:0", "--journal", "mysql://u:s3cret@127.0.0.1:1/x"];
    let ended = doctor(&folder, &[], &url);
    let journal = told(&ended, "journal");
    assert!(ended.code == Some(1) && journal.starts_with("✗ ") && journal.contains("127.0.0.1:1/x: "), "{journal}");
    assert!(journal.ends_with("→ check that the server runs and can be reached") && !ended.output.contains("s3cret"), "{journal}");
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

/// What is told, on one line.
fn on_one_line(ended: &Ended) -> String {
    ended.output.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A collector that answers every request with this status, and keeps what was sent.
fn collector(status: &'static str) -> (SocketAddr, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (sends, sent)) = (listener.local_addr().unwrap(), channel());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let head = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            let _ = sends.send((head, body));
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes());
        }
    });
    (address, sent)
}

#[test]
fn the_collector_is_sent_an_empty_export_with_the_headers_that_are_set() {
    let folder = Folder::new();
    folder.write("headers", "authorization=s3cret-key\n");
    for (status, code, says) in [
        ("200 OK", 0, "✓ traces http://ADDRESS/v1/traces takes them"),
        ("204 No Content", 0, "✓ traces"),
        ("401 Unauthorized", 1, "refuses the headers (401) → give it the right key with --otlp-headers-file"),
        ("404 Not Found", 1, "is no place for traces (404) → correct --otlp-endpoint: it ends where /v1/traces begins"),
        ("415 Unsupported Media Type", 1, "doesn't take protobuf over HTTP (415)"),
        ("503 Service Unavailable", 1, "takes none for now (503)"),
        ("500 Oh", 1, "answers with 500"),
    ] {
        let (address, sent) = collector(status);
        let endpoint = format!("http://{address}");
        let ended = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--otlp-endpoint", &endpoint, "--otlp-headers-file", "headers"]);
        let said = on_one_line(&ended).replace(&address.to_string(), "ADDRESS");
        assert!(ended.code == Some(code) && said.contains(says), "{status}: {ended:?}");
        assert!(!said.contains("s3cret"), "{said}");
        let (head, body) = sent.recv_timeout(PATIENCE).unwrap();
        let head = head.to_lowercase();
        assert!(head.starts_with("post /v1/traces http/1.1") && head.contains("content-type: application/x-protobuf"), "{head}");
        assert!(head.contains("authorization: s3cret-key"), "{head}");
        assert!(!body.is_empty() && !body.windows(4).any(|bytes| bytes == b"turn"), "it names the server and has no span");
    }
    let gone = nobody();
    for (endpoint, says) in [
        (format!("http://{gone}"), "traces are lost → start the collector, or say where it is with --otlp-endpoint"),
        ("http://127.0.0.1:4317".to_owned(), "→ use the collector's port for HTTP, 4318 as a rule"),
    ] {
        let ended = doctor(&folder, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)], &["--listen", "127.0.0.1:0"]);
        let said = on_one_line(&ended);
        assert!(ended.code == Some(1) && said.contains("can't be reached") && said.contains(says), "{endpoint}: {ended:?}");
    }
    let none = doctor(&folder, &[], &["--listen", "127.0.0.1:0"]);
    assert!(!none.output.contains("traces"), "{}", none.output);
}

#[test]
fn a_site_of_nginx_that_passes_on_too_little_is_named_with_what_it_lacks() {
    let folder = Folder::new();
    let listen = nobody().to_string();
    let whole = run_with(folder.path(), &[], &["config", "nginx", "--name", "chat.example", "--listen", &listen]).output;
    let hosts = ["--host", "chat.example", "--trusted-proxy", "127.0.0.1"];
    let check = |site: &str, options: &[&str]| {
        folder.write("conf.d/site.conf", site);
        folder.write("nginx.conf", "events {}\nhttp {\n    include conf.d/*.conf;\n}\n");
        let path = folder.path().join("nginx.conf").display().to_string();
        let ended = doctor(&folder, &[], &[&["--listen", &listen, "--nginx", &path], options].concat());
        (
            ended.code,
            told(&ended, "nginx").split_whitespace().collect::<Vec<_>>().join(" ").replace(&folder.path().display().to_string(), "…"),
        )
    };
    let (code, said) = check(&whole, &hosts);
    assert!(
        code == Some(0) && said.starts_with("✓ nginx …/conf.d/site.conf:") && said.contains("the site for chat.example passes on"),
        "{said}"
    );
    for (from, to, lack) in [
        ("proxy_set_header Host $http_host;", "", "`proxy_set_header Host $http_host`"),
        ("proxy_set_header Host $http_host;", "proxy_set_header Host framewright;", "`proxy_set_header Host $http_host`"),
        ("proxy_set_header Upgrade $http_upgrade;", "", "`proxy_set_header Upgrade $http_upgrade` for /ws"),
        ("proxy_set_header Connection $framewright_connection;", "", "`proxy_set_header Connection upgrade` for /ws"),
        ("proxy_http_version 1.1;", "", "`proxy_http_version 1.1` for /ws"),
        ("proxy_set_header X-Forwarded-For $remote_addr;", "", "`proxy_set_header X-Forwarded-For $remote_addr`"),
        (
            "proxy_set_header X-Forwarded-For $remote_addr;",
            "proxy_set_header X-Forwarded-For $http_x_forwarded_for;",
            "`proxy_set_header X-Forwarded-For $remote_addr`",
        ),
        ("client_max_body_size 1048576;", "client_max_body_size 64k;", "`client_max_body_size 1048576`"),
        ("proxy_read_timeout 120s;", "proxy_read_timeout 10s;", "`proxy_read_timeout 120s`"),
        ("location = /ws {", "location = /socket {\n        proxy_set_header X-A b;", ""),
        ("location = /ws {", "location = /ws {\n        proxy_set_header X-A b;", "`proxy_set_header Upgrade $http_upgrade` for /ws"),
        (
            "location = /ws {\n        proxy_buffering off;\n        proxy_pass http://framewright;",
            "location = /ws {\n        return 404;",
            "a location that passes on /ws",
        ),
        ("location / {", "location /chat/ {", "a location that passes on /api/send"),
        (
            "location = /api/events {\n        proxy_buffering off;",
            "location = /api/events {\n        proxy_ignore_headers X-Accel-Buffering;",
            "`proxy_buffering off` for /api/events",
        ),
        ("location = /api/events {\n        proxy_buffering off;", "location = /api/events {\n", ""),
    ] {
        assert!(whole.contains(from), "{from}");
        let (code, said) = check(&whole.replace(from, to), &hosts);
        match lack {
            "" => assert!(code == Some(0) && said.starts_with("✓"), "{from} {to}: {said}"),
            lack => {
                let fix = "→ add it; `framewright config nginx --name chat.example` prints a complete site";
                assert!(code == Some(1) && said.starts_with("✗") && said.contains(lack) && said.contains(fix), "{from} {to}: {said}");
            }
        }
    }
    for (site, options, code, says) in [
        (
            &*whole,
            &["--trusted-proxy", "127.0.0.1"][..],
            1,
            "passes on requests for chat.example, which the server refuses: it doesn't know the name → start the server with --host chat.example",
        ),
        (
            &whole,
            &["--host", "chat.example"],
            0,
            "its X-Forwarded-For doesn't count, so all of its clients count as one local client → start the server with --trusted-proxy 127.0.0.1",
        ),
        ("server { listen 80; location / { proxy_pass http://127.0.0.1:1; } }", &hosts, 0, "passes requests to"),
        ("server { location / {", &hosts, 1, "site.conf:1: the file ends within a directive or block → name another file with --nginx"),
    ] {
        let (ended, said) = check(site, options);
        assert!(ended == Some(code) && said.contains(says), "{said}");
    }
    let socket = format!("unix:{}", folder.path().join("a.sock").display());
    let site = run_with(folder.path(), &[], &["config", "nginx", "--name", "chat.example", "--listen", &socket]).output;
    let path = folder.write("unix.conf", &site);
    let options = ["--listen", &socket, "--nginx", path.to_str().unwrap(), "--host", "chat.example", "--trusted-proxy", "unix"];
    let ended = doctor(&folder, &[], &options);
    assert!(ended.code == Some(0) && told(&ended, "nginx").starts_with("✓"), "{ended:?}");
    let ended = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--nginx", "nowhere"]);
    assert!(ended.code == Some(1) && told(&ended, "nginx").contains("nowhere can't be read"), "{ended:?}");
}

#[test]
fn a_unit_of_systemd_is_checked_with_its_sockets() {
    let folder = Folder::new();
    let binary = env!("CARGO_BIN_EXE_framewright");
    let unit = include_str!("../../deploy/framewright.service").replace("/usr/bin/framewright", binary);
    let unit = unit.replace("LoadCredential=framewright:/etc/framewright/credentials", "");
    let check = |unit: &str, options: &[&str]| {
        let path = folder.write("units/framewright.service", unit);
        let path = path.to_str().unwrap().to_owned();
        let ended = doctor(&folder, &[], &[&["--unit", &path, "--connections", "100"], options].concat());
        (ended.code, on_one_line(&ended).replace(&folder.path().display().to_string(), "…"))
    };
    let any = ["--listen", "127.0.0.1:0"];
    let (code, said) = check(&unit, &any);
    assert!(code == Some(0) && said.contains("✓ unit …/units/framewright.service: started again when it ends or hangs"), "{said}");
    for (from, to, code, says) in [
        (
            "Type=notify",
            "Type=simple",
            0,
            "! unit …/units/framewright.service: Type=simple, so systemd doesn't learn when the server is ready → add Type=notify",
        ),
        ("WatchdogSec=20", "", 0, "without WatchdogSec=, nothing ends a server that hangs → add WatchdogSec=20"),
        ("Restart=always", "Restart=no", 0, "without Restart=, nothing starts a server that has ended"),
        ("ExecReload=/bin/kill -HUP $MAINPID", "", 0, "without ExecReload=, `systemctl reload` does nothing"),
        ("User=framewright", "", 0, "the server runs as root → add User=framewright"),
        ("LimitNOFILE=262144", "LimitNOFILE=64", 0, "LimitNOFILE=64, but --connections lets in"),
        (binary, "/nowhere/framewright", 1, "✗ unit …/units/framewright.service: starts /nowhere/framewright, which isn't there"),
        (
            "EnvironmentFile=-/etc/default/framewright",
            "EnvironmentFile=/nowhere/e",
            1,
            "EnvironmentFile=/nowhere/e isn't there, so systemd doesn't start the server",
        ),
        ("UMask=0077", "LoadCredential=a:/nowhere/c", 1, "LoadCredential= names /nowhere/c, which isn't there"),
    ] {
        assert!(unit.contains(from), "{from}");
        let (ended, said) = check(&unit.replace(from, to), &any);
        assert!(ended == Some(code) && said.contains(says), "{from} {to}: {said}");
    }
    folder.write("units/framewright.service.d/a.conf", "[Service]\nType=exec\n");
    assert!(check(&unit, &any).1.contains("Type=exec, so systemd"), "a drop-in counts too");
    folder.write("units/framewright.service.d/b.conf", "[Service]\nType=notify\n");
    let sockets = include_str!("../../deploy/framewright.socket");
    folder.write("units/framewright.socket", sockets);
    let (code, said) = check(&unit, &any);
    assert!(code == Some(0) && said.contains("framewright.socket passes its sockets, so `listen` (--listen) has no effect"), "{said}");
    folder.write("units/framewright.socket", &sockets.replace("ListenStream=127.0.0.1:7878", "ListenStream=127.0.0.1:1"));
    let (_, said) = check(&unit, &["--listen", "127.0.0.1:1"]);
    assert!(said.contains("on unix:/run/framewright.sock and 127.0.0.1:1 of framewright.socket"), "{said}");
    // nginx may pass requests to what systemd holds.
    let site = include_str!("../../deploy/nginx.conf");
    let path = folder.write("nginx.conf", site);
    let (_, said) = check(
        &unit,
        &["--listen", "127.0.0.1:1", "--nginx", path.to_str().unwrap(), "--host", "chat.example.org", "--trusted-proxy", "unix"],
    );
    assert!(said.contains("the site for chat.example.org passes on what the server needs"), "{said}");
    let (code, said) = {
        let ended = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--unit", "none.service"]);
        (ended.code, on_one_line(&ended))
    };
    assert!(code == Some(1) && said.contains("none.service isn't there, or is masked → name another unit with --unit"), "{said}");
}

#[test]
fn proxies_that_count_for_too_much_or_for_nothing_are_noticed() {
    let folder = Folder::new();
    for (options, code, says) in [
        (
            &["--host", "a.example"][..],
            0,
            "! proxy the server is reached as a.example, and trusts no proxy: all of its clients count as one local client → name the proxy with --trusted-proxy 127.0.0.1",
        ),
        (&["--trusted-proxy", "127.0.0.1"], 0, "✓ proxy X-Forwarded-For counts from 1 trusted address or network"),
        (
            &["--trusted-proxy", "10.0.0.1"],
            1,
            "✗ proxy only this machine reaches 127.0.0.1:0, and no trusted proxy is on it: nothing that a proxy states counts → add --trusted-proxy 127.0.0.1",
        ),
        (&["--trusted-proxy", "10.0.0.1", "--trusted-proxy", "unix"], 0, "✓ proxy"),
        (
            &["--trusted-proxy", "127.0.0.1", "--auth-header", "X-User"],
            0,
            "✓ proxy the header `x-user` names users, from 1 trusted address",
        ),
        (&["--trusted-proxy", "0.0.0.0/0", "--auth-header", "X-User"], 1, "✗ proxy `x-user` counts from any address"),
        (
            &["--listen", "0.0.0.0:0", "--insecure-no-auth", "--trusted-proxy", "0.0.0.0/0"],
            1,
            "✗ proxy X-Forwarded-For counts from any address: any client can choose the address that is counted",
        ),
        (&["--listen", "0.0.0.0:0", "--insecure-no-auth", "--trusted-proxy", "10.0.0.1"], 0, "✓ proxy X-Forwarded-For counts"),
    ] {
        let listen = if options.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] };
        let ended = doctor(&folder, &[], &[listen, options].concat());
        assert!(ended.code == Some(code) && on_one_line(&ended).contains(says), "{options:?}: {ended:?}");
    }
}

#[test]
fn budgets_are_shown_and_a_price_for_no_model_is_noticed() {
    let folder = Folder::new();
    let model = model_server("200 OK", r#"{"data":[{"id":"big"}]}"#, "").to_string();
    let url = format!("http://{model}/v1");
    let of = ["--listen", "127.0.0.1:0", "--llm-url", &url, "--model", "big"];
    for (options, code, says) in [
        (
            &["--day-turns", "200", "--day-cost", "2.50", "--price", "big=1,2"][..],
            0,
            "✓ budget a day, for each address: 200 turns, a cost of 2.5",
        ),
        (&["--day-cost", "2.50"], 1, "✗ settings --day-cost needs a price for the model `big`: set it with --price big=INPUT,OUTPUT"),
        (
            &["--price", "bigg=1,2"],
            0,
            "! budget there is a price for the model `bigg`, which is never called → correct its name: the models are big",
        ),
    ] {
        let ended = doctor(&folder, &[("FRAMEWRIGHT_LLM_KEY", SECRET)], &[&of[..], options].concat());
        assert!(ended.code == Some(code) && on_one_line(&ended).contains(says), "{options:?}: {ended:?}");
    }
}

#[test]
fn the_address_for_metrics_is_free_ours_or_taken() {
    let folder = Folder::new();
    let free = nobody().to_string();
    let check = |listen: &str, metrics: &str| {
        let ended = doctor(&folder, &[], &["--listen", listen, "--metrics-listen", metrics]);
        (ended.code, told(&ended, "metrics").split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(check("127.0.0.1:0", &free), (Some(0), format!("✓ metrics {free} is free")));
    let (code, said) = check("127.0.0.1:0", "0.0.0.0:0");
    assert!(code == Some(0) && said.starts_with("! metrics 0.0.0.0:0 is free, and other machines may reach it"), "{said}");
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = stranger.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in stranger.incoming().map_while(Result::ok) {
            let _ = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).count();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nhi\n");
        }
    });
    let (code, said) = check("127.0.0.1:0", &taken.to_string());
    assert!(code == Some(1) && said.starts_with(&format!("✗ metrics another program listens on {taken} → choose another")), "{said}");
    let server = Server::with(&Setting { options: &["--metrics-listen", &free], ..Setting::default() });
    let listen = server.address.to_string();
    assert_eq!(check(&listen, &free), (Some(0), format!("✓ metrics framewright serves them at {free} already")));
    let (code, said) = check(&listen, &nobody().to_string());
    assert!(code == Some(0) && said.contains("the server that runs doesn't serve metrics at") && said.contains("→ restart it"), "{said}");
}

#[test]
fn a_unix_socket_that_everyone_may_use_is_noticed() {
    let folder = Folder::new();
    let path = folder.path().join("a.sock");
    let listen = format!("unix:{}", path.display());
    let check =
        |options: &[&str]| on_one_line(&doctor(&folder, &[], &[&["--listen", &listen], options].concat())).replace(&listen[5..], "PATH");
    assert!(check(&[]).contains("✓ socket PATH: mode 660, who may write to it may connect"), "{}", check(&[]));
    let open = check(&["--socket-mode", "666"]);
    assert!(
        open.contains("! socket PATH: every user of this machine may connect (mode 666), and nobody has to sign in → --socket-mode 660"),
        "{open}"
    );
    folder.write("keys.toml", "");
    assert!(check(&["--socket-mode", "666", "--api-keys", "keys.toml"]).contains("✓ socket PATH: mode 666"));
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(check(&[]).contains("! socket PATH has mode 600, and the setting is 660 → restart the server"), "{}", check(&[]));
}

#[test]
fn a_full_disk_is_noticed() {
    let folder = Folder::new();
    let mount = "mount -t tmpfs -o size=8m tmpfs small && exec \"$0\" doctor --listen 127.0.0.1:0 --data small/data";
    std::fs::create_dir(folder.path().join("small")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", mount, env!("CARGO_BIN_EXE_framewright")]).current_dir(folder.path());
    command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default()).env("FRAMEWRIGHT_OFFLINE", "1");
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    if said.is_empty() {
        let _ = writeln!(std::io::stderr(), "skipped: this machine lets nobody mount: {}", String::from_utf8_lossy(&ended.stderr));
        return;
    }
    assert!(said.contains("✗ disk 8 MiB free where small/data is → free some, or choose another place"), "{said}");
    let sound = doctor(&folder, &[], &["--listen", "127.0.0.1:0", "--data", "data", "--audit", "audit.jsonl"]);
    assert_eq!(sound.output.matches(" MiB free where ").count(), 1, "both are on one file system: {}", sound.output);
}

#[test]
fn a_key_that_a_server_repeats_is_not_shown() {
    let folder = Folder::new();
    let url = format!("http://{}/v1", model_server("200 OK", r#"{"data":[{"id":"sk-very-secret-1234"}]}"#, ""));
    let options = ["--listen", "127.0.0.1:0", "--llm-url", &url, "--model", "big"];
    for json in [&[][..], &["--json"]] {
        let ended = doctor(&folder, &[("FRAMEWRIGHT_LLM_KEY", SECRET)], &[&options[..], json].concat());
        assert!(ended.code == Some(1) && ended.output.contains("choose one of •••"), "{ended:?}");
        assert!(!ended.output.contains(SECRET), "{ended:?}");
        // A key that was written in the place of a name.
        let ended = doctor(&folder, &[("FRAMEWRIGHT_LLM_KEY", SECRET)], &[&options[..4], &["--model", SECRET], json].concat());
        assert!(ended.output.contains("•••") && !ended.output.contains(SECRET), "{ended:?}");
    }
}

#[test]
fn the_receivers_of_webhooks_are_reached_without_a_call_and_the_secret_is_checked() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (open, gone) = (listener.local_addr().unwrap(), nobody());
    let secret = [("FRAMEWRIGHT_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
    let look = |url: &str, secret: &[(&str, &str)], more: &[&str]| {
        doctor(&folder, secret, &[&["--listen", "127.0.0.1:0", "--webhook-allow", url], more].concat())
    };
    let reached = look(&format!("http://{open}/hooks"), &secret, &[]);
    assert!(told(&reached, "webhooks").starts_with(&format!("✓ webhooks      http://{open} can be reached")), "{}", reached.output);
    let (mut came, _) = listener.accept().unwrap();
    assert_eq!(came.read(&mut [0; 16]).unwrap(), 0, "nothing is posted");
    let unreached = look(&format!("http://{gone}"), &secret, &[]);
    assert!(
        told(&unreached, "webhooks").contains("can't be reached → start the receiver, or correct --webhook-allow"),
        "{}",
        unreached.output
    );
    let in_memory = look(&format!("http://{open}"), &secret, &["--durability", "none"]);
    assert!(in_memory.output.contains("deliveries that wait are lost when the server ends"), "{}", in_memory.output);
    let unsigned = look(&format!("http://{open}"), &[], &[]);
    assert!(unsigned.output.contains("--webhook-allow needs a secret"), "{}", unsigned.output);
    let wrong = look(&format!("http://{open}"), &[("FRAMEWRIGHT_WEBHOOK_SECRET", "s3cret-words")], &[]);
    assert!(wrong.output.contains("a secret begins with `whsec_`") && !wrong.output.contains("s3cret-words"), "{}", wrong.output);
}
