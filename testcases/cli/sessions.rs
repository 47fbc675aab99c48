//! `framewright sessions` and `backup`: what they show, export, import and delete, beside a running server and after it has ended.

use crate::kept::{Kept, TURNS, run_on_folder};
use crate::program::{framewright, run_on, run_with};
use crate::support::{Folder, Server, Setting, eventually};
use mysql::prelude::Queryable;
use serde_json::Value;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Checks a refusal: its exit code, a part of its sentence, and nothing on standard output.
#[track_caller]
fn refused(kept: &Kept, arguments: &[&str], code: i32, says: &str) {
    let ended = kept.run(arguments);
    assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{arguments:?}: {ended:?}");
}

fn exists(kept: &Kept, commands: &[&[&str]]) -> Vec<String> {
    commands.iter().map(|command| kept.done(command)).collect()
}

#[test]
fn lists_shows_and_exports_the_same_beside_a_server_and_after_it() {
    let mut kept = Kept::new();
    let commands: [&[&str]; 6] = [
        &["sessions", "list"],
        &["sessions", "list", "--json", "--user", "anonymous", "--limit", "1"],
        &["sessions", "list", "--search", "CUSTOM buttons"],
        &["sessions", "list", "--search", "custom many"],
        &["sessions", "show", "talk"],
        &["sessions", "export", "--all"],
    ];
    let beside = exists(&kept, &commands);
    let [list, json, no_words, words, show, export] = beside.as_slice() else { panic!("{beside:?}") };
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("SESSION"), "{list}");
    assert!(lines[1].starts_with("talk ") && lines[1].contains(" anonymous ") && lines[1].ends_with(" hello"), "the latest first: {list}");
    let first = json_lines(json).pop().unwrap();
    assert_eq!((&first["session"], &first["turns"], &first["graph"]), (&"talk".into(), &TURNS.into(), &"v4-eras".into()));
    assert!(kept.run(commands[1]).errors.contains("there are more"), "it says that the list was cut");
    assert_eq!(no_words, "no sessions\n", "no turn has both words");
    assert!(words.contains("talk ") && !words.contains("other"), "{words}");
    for piece in [
        "anonymous/talk  hello\n8 turns, ",
        "  > how many customers are there?\n",
        "  > red\n",
        "  machine  ",
        "\nmsg_7  ",
        "  error\n  > why is the sky blue?\n",
    ] {
        assert!(show.to_lowercase().contains(&piece.to_lowercase()), "`{piece}` is missing: {show}");
    }
    let lines = json_lines(export);
    assert_eq!(lines[0]["export"]["format"], 1);
    let of = |kind: &str| lines.iter().filter(|line| line[kind].is_object()).count();
    assert_eq!((of("session"), of("end"), of("library"), of("turn")), (2, 2, 1, TURNS as usize + 1), "a library once");
    assert_eq!(kept.done(&["sessions", "export", "talk"]).lines().filter(|line| line.starts_with("{\"session\"")).count(), 1);

    kept.end_server();
    let after = exists(&kept, &commands);
    let without_end = |export: &str| export.lines().filter(|line| !line.starts_with("{\"end\"") && !line.contains("{\"Drain\"")).count();
    assert_eq!(
        after[..5].iter().map(|text| text.lines().count()).collect::<Vec<_>>(),
        beside[..5].iter().map(|text| text.lines().count()).collect::<Vec<_>>()
    );
    // A server that ends tells its sessions: that is the last record.
    let without_times =
        |show: &str| show.lines().enumerate().filter(|(place, _)| *place != 1).map(|(_, line)| format!("{line}\n")).collect::<String>();
    assert_eq!(without_times(&after[4]), without_times(show));
    assert_eq!(without_end(&after[5]), without_end(export));
    // A pipe that ends early is no failure.
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &format!("set -o pipefail; {} sessions export --all | head -c 100", env!("CARGO_BIN_EXE_framewright"))]);
    let ended = command.env("FRAMEWRIGHT_DATA", kept.folder.path()).current_dir(kept.folder.path()).output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn the_journal_is_found_by_flag_variable_and_file() {
    let mut kept = Kept::new();
    kept.end_server();
    let data = kept.folder.path().to_str().unwrap().to_owned();
    let elsewhere = Folder::new();
    let list = |arguments: &[&str], variables: &[(&str, &str)]| run_with(elsewhere.path(), variables, arguments);
    for (arguments, variables) in [
        (&["sessions", "list", "--data", &data][..], &[][..]),
        (&["--data", &data, "sessions", "list"], &[]),
        (&["sessions", "list"], &[("FRAMEWRIGHT_DATA", data.as_str())]),
        (&["sessions", "--data", &data, "list"], &[("FRAMEWRIGHT_DATA", "/nope")]),
    ] {
        let ended = list(arguments, variables);
        assert!(ended.code == Some(0) && ended.output.contains("talk "), "{arguments:?}: {ended:?}");
    }
    elsewhere.write("framewright.toml", &format!("data = '{data}'\n"));
    assert!(list(&["sessions", "list"], &[]).output.contains("talk "));
    assert!(list(&["replay", "talk"], &[]).output.ends_with("byte for byte\n"));
    for (arguments, code, says) in [
        (&["sessions", "list", "--data", "/nope"][..], 4, "there is no journal /nope/journal.db"),
        (&["sessions", "list", "--config", "nope.toml"], 3, "nope.toml"),
        (&["sessions", "list", "--limit", "0"], 2, "--limit"),
        (&["sessions", "show"], 2, "<SESSION>"),
        (&["sessions", "export"], 2, "nothing to export: name a session, or pass --all"),
        (&["sessions", "export", "a", "--all"], 2, "cannot be used with"),
        (&["sessions", "delete"], 2, "nothing to delete: name a session, or a user with --all-of-user"),
        (&["sessions", "delete", "a", "--all-of-user", "b"], 2, "cannot be used with"),
        (&["sessions"], 2, "Usage"),
        (&["sessions", "list", "--journal", "mysql://u:secret@127.0.0.1:1/x"], 4, "127.0.0.1:1"),
        (&["sessions", "list", "--journal", "postgres://u:secret@h/x"], 4, "mysql://"),
        (&["backup", "copy.db", "--journal", "mysql://u:secret@127.0.0.1:1/x"], 3, "mariadb-dump"),
        (&["sessions", "show", "nope"], 4, "user `anonymous` has no session `nope`"),
    ] {
        let ended = list(arguments, &[]);
        assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{arguments:?}: {ended:?}");
        assert!(!ended.errors.contains("secret"), "{ended:?}");
    }
    elsewhere.write("damaged/journal.db", "this is no database at all, but it is long enough to be looked at as one");
    let ended = list(&["sessions", "list", "--data", "damaged"], &[]);
    assert!(ended.code == Some(4) && ended.errors.contains("damaged/journal.db"), "{ended:?}");
}

/// An export without what an import changes: the generation of each record.
fn comparable(export: &str) -> Vec<Value> {
    let mut lines = json_lines(export);
    lines.iter_mut().filter(|line| line["record"].is_object()).for_each(|line| line["record"]["generation"] = Value::Null);
    lines
}

#[test]
fn an_import_brings_whole_sessions_and_a_server_goes_on_with_them() {
    let mut kept = Kept::new();
    kept.folder.write("live.jsonl", &kept.done(&["sessions", "export", "talk"]));
    refused(&kept, &["sessions", "import", "live.jsonl"], 4, "is in use by process");
    kept.end_server();
    {
        let journal = rusqlite::Connection::open(kept.journal()).unwrap();
        journal.execute("UPDATE turns SET rating = -1, comment = 'wrong' WHERE turn = 2", []).unwrap();
        journal.execute("UPDATE sessions SET title = 'A talk', is_renamed = 1 WHERE session = 'talk'", []).unwrap();
    }
    let export = kept.done(&["sessions", "export", "--all"]);
    let file = kept.folder.write("all.jsonl", &export);
    let file = file.to_str().unwrap();
    let fresh = Folder::new();
    let data = fresh.path().join("new/data");
    let data = data.to_str().unwrap();
    let on_new = |arguments: &[&str]| run_on_folder(&fresh, data, arguments);
    let imported = on_new(&["sessions", "import", file]);
    assert_eq!((imported.code, imported.output.as_str()), (Some(0), "imported 2 sessions with 9 turns\n"), "{imported:?}");
    assert_eq!(comparable(&on_new(&["sessions", "export", "--all"]).output), comparable(&export));
    assert_eq!(on_new(&["sessions", "list"]).output, kept.done(&["sessions", "list"]));
    assert_eq!(on_new(&["sessions", "show", "talk"]).output, kept.done(&["sessions", "show", "talk"]));
    assert!(on_new(&["sessions", "show", "talk"]).output.contains("rated -1  comment: wrong"));
    assert_eq!(on_new(&["replay", "talk"]).output, kept.done(&["replay", "talk"]));

    // A server goes on where the other one ended, and numbers no event twice.
    let mut server =
        Server::with(&Setting { options: &["--graph", "v4-eras", "--model", "demo"], data: Some(data.as_ref()), ..Setting::default() });
    let session = server.session("talk");
    assert_eq!(session.messages()[0]["content"], "hello");
    let mut chat = session.attached();
    chat.say(&serde_json::json!({ "text": "hello again" }));
    let messages = chat.until_done("msg_9");
    let last_seen = kept.seen.iter().flat_map(|(_, messages)| messages).filter_map(|message| message["seq"].as_u64()).max().unwrap();
    assert!(messages.iter().filter_map(|message| message["seq"].as_u64()).all(|seq| seq > last_seen));
    server.signal("TERM");
    server.ended();
    assert!(on_new(&["replay", "talk"]).output.starts_with("9 turns, "));

    // What exists is left alone, unless it comes under another name.
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let ended = on_new(arguments);
        assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{arguments:?}: {ended:?}");
    };
    let before = on_new(&["sessions", "list"]).output;
    let one = kept.folder.write("one.jsonl", &kept.done(&["sessions", "export", "talk"]));
    let one = one.to_str().unwrap();
    refused(&["sessions", "import", file], 2, "nothing was imported");
    refused(&["sessions", "import", one], 2, "user `anonymous` has a session `talk` already: import it under another name with --as");
    refused(&["sessions", "import", file, "--as", "copy"], 2, "--as names one session");
    refused(&["sessions", "import", one, "--as", "no name"], 2, "can't be a session's name");
    refused(&["sessions", "import", "nope.jsonl"], 4, "nope.jsonl: can't be opened");
    let text = fs::read_to_string(one).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let record = lines.iter().position(|line| line.starts_with("{\"record\"")).unwrap();
    for (name, changed, says) in [
        ("cut", lines[..lines.len() / 2].join("\n"), "the file ends within a session"),
        ("half", text[..text.len() / 2].to_owned(), "is no line of an export"),
        ("missing", text.replacen(lines[record + 3], "", 1).replacen("\n\n", "\n", 1), "record 4 is missing"),
        ("newer", text.replacen("\"format\":1", "\"format\":2", 1), "wrote format 2, and this version reads format 1"),
        ("inputs", text.replacen("\"version\":6", "\"version\":5", 1), "inputs have format 5"),
        ("graphs", text.replacen("# input", "# other", 1), "can't be used by this version, or were changed"),
        ("twice", format!("{text}{}\n", lines[1..].join("\n")), "the file holds it twice"),
        ("empty", lines[0].to_owned(), "there are no sessions in it"),
        ("other", "{}".to_owned(), "is no line of an export"),
    ] {
        let file = kept.folder.write(&format!("{name}.jsonl"), &changed);
        refused(&["sessions", "import", file.to_str().unwrap(), "--as", "copy"], 2, says);
    }
    assert_eq!(on_new(&["sessions", "list"]).output, before, "nothing of it was imported");
    assert_eq!(on_new(&["sessions", "import", one, "--as", "copy"]).code, Some(0));
    assert!(on_new(&["replay", "copy"]).output.starts_with(&format!("{TURNS} turns, ")));
}

#[test]
fn a_deletion_is_complete_and_says_what_it_can_not_reach() {
    let mut kept = Kept::new();
    refused(
        &kept,
        &["sessions", "delete", "talk"],
        4,
        "while a server runs on the journal, users delete their data with `POST /api/me/delete`",
    );
    refused(&kept, &["sessions", "delete", "--all-of-user", "anonymous"], 4, "is in use by process");
    refused(&kept, &["sessions", "compact"], 4, "is in use by process");
    refused(&kept, &["sessions", "fork", "talk", "--turn", "2", "--to", "x"], 4, "fork with its `POST /api/sessions/fork`");
    kept.folder.write("talk.jsonl", &kept.done(&["sessions", "export", "talk"]));
    refused(&kept, &["sessions", "import", "talk.jsonl", "--as", "x"], 4, "stop it, import, and start it again");
    kept.end_server();
    let of_ann = kept.done(&["sessions", "export", "--all"]).replace("\"user\":\"anonymous\"", "\"user\":\"ann\"");
    kept.folder.write("ann.jsonl", &of_ann);
    kept.done(&["sessions", "import", "ann.jsonl"]);
    refused(&kept, &["sessions", "delete", "talk", "--user", "bob"], 4, "user `bob` has no session `talk`");
    refused(&kept, &["sessions", "delete", "--all-of-user", "bob"], 4, "nothing to delete");
    let audit = kept.folder.path().join("audit.jsonl");
    let output = kept.done(&["sessions", "delete", "talk", "--audit", audit.to_str().unwrap()]);
    assert!(output.starts_with("deleted session `talk` of user `anonymous`: 1 session, 8 turns, "), "{output}");
    assert!(output.contains("not deleted, if there are any: backups, exports, logs"), "{output}");
    let noted = json_lines(&fs::read_to_string(&audit).unwrap()).pop().unwrap();
    assert!(noted["what"] == "sessions_delete" && noted["user"] == "anonymous" && noted["session"].is_string(), "{noted}");
    let left = kept.done(&["sessions", "list", "--json"]);
    let names: Vec<(String, String)> = json_lines(&left).iter().map(|row| (row["user"].to_string(), row["session"].to_string())).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(!names.contains(&("\"anonymous\"".to_owned(), "\"talk\"".to_owned())), "{names:?}");

    let size = || fs::metadata(kept.journal()).unwrap().len();
    let before = size();
    let output = kept.done(&["sessions", "delete", "--all-of-user", "ann"]);
    assert!(output.starts_with("deleted all sessions of user `ann`: 2 sessions, 9 turns, "), "{output}");
    let after = size();
    assert!(after < before, "{before} bytes, then {after}");
    let output = kept.done(&["sessions", "compact"]);
    assert!(output.starts_with("the journal's file has ") && size() <= after, "{output}");
    assert_eq!(json_lines(&kept.done(&["sessions", "list", "--json"])).len(), 1);
    // No page of the file has any of it.
    let bytes = fs::read(kept.journal()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for (words, is_there) in [("hello", true), ("lamp with one button", false), ("two buttons, red", false)] {
        assert_eq!(text.contains(words), is_there, "{words:?}");
    }
}

#[test]
fn a_backup_is_made_beside_a_running_server_and_opens() {
    let mut kept = Kept::new();
    let output = kept.done(&["backup", "copy.db"]);
    assert!(output.starts_with("copy.db: 2 sessions, ") && output.ends_with(" bytes\n"), "{output}");
    refused(&kept, &["backup", "copy.db"], 2, "copy.db exists already");
    refused(&kept, &["backup", "nope/copy.db"], 4, "nope/copy.db");
    refused(&kept, &["backup"], 2, "<FILE>");
    let shown = kept.done(&["sessions", "show", "talk"]);
    kept.server.as_ref().unwrap().session("talk").ask("hello once more");
    kept.end_server();
    let other = Folder::new();
    fs::copy(kept.folder.path().join("copy.db"), other.path().join("journal.db")).unwrap();
    let on_copy = |arguments: &[&str]| run_on_folder(&other, other.path().to_str().unwrap(), arguments);
    assert_eq!(on_copy(&["sessions", "show", "talk"]).output, shown, "what it was then");
    assert!(on_copy(&["replay", "talk"]).output.starts_with(&format!("{TURNS} turns, ")));
    assert_eq!(kept.done(&["backup", "later.db"]).split(": ").nth(1).map(|rest| rest.starts_with("2 sessions")), Some(true));
    let nothing = run_on(framewright(other.path()).args(["backup", "x.db", "--data", "nope"]), "");
    assert!(nothing.code == Some(4) && nothing.errors.contains("there is no journal nope/journal.db"), "{nothing:?}");
    let server = Server::with(&Setting { options: &["--graph", "v4-eras"], data: Some(other.path()), ..Setting::default() });
    assert_eq!(server.session("talk").messages()[0]["content"], "hello");
}

#[test]
fn exports_and_replays_beside_a_busy_server_are_whole() {
    const QUESTIONS_MAX: usize = 80;
    let server = Server::start();
    let (folder, data) = (&server.folder, server.folder.path().to_str().unwrap());
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let session = server.session("busy");
            (0..QUESTIONS_MAX).take_while(|_| !is_done.load(Ordering::Relaxed)).for_each(|_| drop(session.ask("why is the sky blue?")));
        });
        let export = || run_on_folder(folder, data, &["sessions", "export", "busy"]);
        eventually("a turn", || export().output.contains("{\"turn\"").then_some(()));
        for round in 0..5 {
            let name = format!("{round}.jsonl");
            folder.write(&name, &export().output);
            for what in [&name, "busy"] {
                let ended = run_on_folder(folder, data, &["replay", what]);
                assert!(ended.code == Some(0) && ended.output.ends_with("byte for byte\n"), "{what}: {ended:?}");
            }
            let imported = run_on_folder(folder, &format!("{data}/copy-{round}"), &["sessions", "import", &name]);
            assert_eq!(imported.code, Some(0), "{imported:?}");
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

#[test]
#[ignore = "needs a MariaDB server: `./testcases/mariadb cargo test --test cli -- --ignored`, as `./testcases/all` does"]
fn a_journal_on_a_database_server_is_worked_on_as_a_file_is() {
    let admin = std::env::var("MARIADB_ADMIN_URL").expect("run ./testcases/mariadb cargo test --test cli -- --ignored");
    let name = format!("journal_of_commands_{}", std::process::id());
    mysql::Conn::new(mysql::Opts::from_url(&admin).unwrap()).unwrap().query_drop(format!("CREATE DATABASE {name}")).unwrap();
    let url = format!("{}/{name}", admin.rsplit_once('/').unwrap().0);
    let folder = Folder::new();
    let options = ["--journal", &url, "--model", "demo"];
    let look = || run_with(folder.path(), &[("FRAMEWRIGHT_JOURNAL", &url)], &["doctor", "--listen", "127.0.0.1:0"]);
    let tables = || {
        let mut connection = mysql::Conn::new(mysql::Opts::from_url(&admin).unwrap()).unwrap();
        connection.query_first::<u64, _>(format!("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{name}'")).unwrap()
    };
    let ended = look();
    assert!(ended.code == Some(0) && ended.output.contains("has nothing in it yet: the server begins it"), "{ended:?}");
    let ended = run_with(folder.path(), &[("FRAMEWRIGHT_JOURNAL", &url)], &["sessions", "list"]);
    assert!(ended.code == Some(4) && ended.errors.contains("no server has written to it yet"), "{ended:?}");
    assert_eq!(tables(), Some(0), "what only reads creates nothing");
    let mut server = Server::with(&Setting { options: &options, data: Some(folder.path()), ..Setting::default() });
    let listen = server.address.to_string();
    server.session("talk").ask("hello");
    server.session("talk").memorized();
    let on_server =
        |arguments: &[&str]| run_with(folder.path(), &[("FRAMEWRIGHT_JOURNAL", &url), ("FRAMEWRIGHT_LISTEN", &listen)], arguments);
    let done = |arguments: &[&str]| {
        let ended = on_server(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.output
    };
    assert!(done(&["sessions", "list"]).contains("talk "));
    assert!(done(&["sessions", "show", "talk"]).contains("  > hello\n"));
    let same = done(&["replay", "talk"]);
    assert!(same.starts_with("1 turn, ") && same.ends_with("byte for byte\n"), "{same}");
    let refused = on_server(&["sessions", "delete", "talk"]);
    assert!(
        refused.code == Some(4) && refused.errors.contains("a server runs at ") && refused.errors.contains("/api/me/delete"),
        "{refused:?}"
    );
    for command in [&["backup", "copy.db"][..], &["sessions", "compact"]] {
        let refused = on_server(command);
        assert!(refused.code == Some(3) && refused.errors.contains("use that server's own tools"), "{command:?}: {refused:?}");
    }
    let export = done(&["sessions", "export", "talk"]);
    server.signal("TERM");
    server.ended();
    let file = folder.write("talk.jsonl", &export);
    done(&["sessions", "import", file.to_str().unwrap(), "--as", "copy"]);
    assert_eq!(done(&["replay", "copy"]), same);
    let output = done(&["sessions", "delete", "--all-of-user", "anonymous"]);
    assert!(output.starts_with("deleted all sessions of user `anonymous`: 2 sessions, 2 turns, "), "{output}");
    assert!(output.contains("the database server's own logs and backups"), "{output}");
    assert_eq!(done(&["sessions", "list"]), "no sessions\n");
    let ended = look();
    assert!(ended.code == Some(0) && ended.output.contains(" can be read\n"), "{ended:?}");
}
