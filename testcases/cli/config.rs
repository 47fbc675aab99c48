//! Settings: which layer stands over which, what is refused with which words, and that no secret is ever shown.

use crate::program::run_with;
use crate::support::{Folder, Server, run};
use std::collections::BTreeSet;
use std::fs;

const SECRET: &str = "sk-very-secret-1234";

/// The line that tells a setting, without the spaces that line it up.
fn told(printed: &str, key: &str) -> String {
    let line = printed.lines().find(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")));
    let line = line.unwrap_or_else(|| panic!("`{key}` is not told: {printed}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn one_layer_stands_over_the_other_and_each_value_tells_where_it_comes_from() {
    let folder = Folder::new();
    folder.write("other.toml", "graph = 'v1-direct'\n");
    let file = "framewright.toml";
    let none: &[(&str, &str)] = &[];
    for (text, variables, arguments, expected) in [
        ("", none, &[][..], "graph = \"v3-framed\" # default"),
        ("\ngraph = 'a'", none, &[], "graph = \"a\" # framewright.toml:2"),
        ("graph = 'a'", &[("FRAMEWRIGHT_GRAPH", "b")], &[], "graph = \"b\" # FRAMEWRIGHT_GRAPH"),
        ("graph = 'a'", &[("FRAMEWRIGHT_GRAPH", "b")], &["--graph", "c"], "graph = \"c\" # --graph"),
        ("graph = 'a'", none, &["--config", "other.toml"], "graph = \"v1-direct\" # other.toml:1"),
        ("graph = 'a'", &[("FRAMEWRIGHT_CONFIG", "other.toml")], &[], "graph = \"v1-direct\" # other.toml:1"),
        ("[limits]\nworkers = 9", none, &[], "workers = 9 # framewright.toml:2"),
        ("[limits]\nworkers = 9", none, &["--workers=7"], "workers = 7 # --workers"),
        ("development = true", none, &[], "development = true # framewright.toml:1"),
        ("development = true", none, &["--development=false"], "development = false # --development"),
        ("development = true", &[("FRAMEWRIGHT_DEVELOPMENT", "0")], &[], "development = false # FRAMEWRIGHT_DEVELOPMENT"),
        ("", none, &["--development"], "development = true # --development"),
        ("[llm]\nurl = 'http://127.0.0.1:9/v1'", none, &[], "url = \"http://127.0.0.1:9/v1\" # framewright.toml:2"),
        ("", none, &[], "# journal = # default"),
        ("host = ['a.example', 'b.example']", none, &[], "host = \"a.example b.example\" # framewright.toml:1"),
        ("", none, &["--host", "a.example", "--host", "b.example"], "host = \"a.example b.example\" # --host"),
        (
            "",
            &[("FRAMEWRIGHT_ALLOW_ORIGIN", "https://a.example *")],
            &[],
            "allow_origin = \"https://a.example *\" # FRAMEWRIGHT_ALLOW_ORIGIN",
        ),
    ] {
        folder.write(file, text);
        let ended = run_with(folder.path(), variables, &[&["config", "print", "--origin"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{text} {arguments:?}: {ended:?}");
        let key = expected.trim_start_matches("# ").split(' ').next().unwrap();
        assert_eq!(told(&ended.output, key), expected, "{text:?} {variables:?} {arguments:?}");
    }
}

#[test]
fn a_server_is_what_its_file_says_and_flags_say_it_over() {
    let folder = Folder::new();
    let text = "graph = 'v1-direct'\nlisten = '127.0.0.1:0'\nshards = 1\ndata = 'kept'\n[llm]\nmodel = 'demo'\ndemo_delay_ms = 0\n";
    let file = folder.write("mine/framewright.toml", text);
    for (options, graph) in [(&[][..], "v1-direct"), (&["--graph", "v3-framed"], "v3-framed")] {
        let server = Server::of(&[&["--config", file.to_str().unwrap()], options].concat(), &[]);
        assert!(server.said().contains("1 shard,") && server.said().contains("demo (as told)"), "{}", server.said());
        assert_eq!(server.session("any").read("/api/graph/active")["name"], graph);
        assert!(folder.path().join("mine/kept/lock").exists(), "a path is meant from the file's folder");
    }
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line_and_a_suggestion() {
    let folder = Folder::new();
    for (text, says) in [
        ("\nlissten = 'x'\n", "framewright.toml:2: there is no setting `lissten`: did you mean `listen`?"),
        ("[llm]\nmodle = 'x'\n", "framewright.toml:2: there is no setting `llm.modle`: did you mean `llm.model`?"),
        ("[limits]\n\nworkers = 0\n", "framewright.toml:3: `limits.workers` can't be `0`: 0 is not in 1..=4096"),
        ("listen = \n", "framewright.toml:1: "),
        ("[llm]\nkey = 'sk-very-secret-1234'\n", "framewright.toml:2: a secret does not belong into this file: write the name of a file"),
        ("[llm]\nkey_file = 'nowhere'\n", "the key can't be read from nowhere"),
        ("graph = 'nope'\n", "there is no graph `nope`: choose one of"),
        ("listen = '0.0.0.0:80'\n", "0.0.0.0:80 can be reached from other machines, and nobody has to sign in"),
    ] {
        folder.write("framewright.toml", text);
        for arguments in [&["config", "check"][..], &["serve"], &[]] {
            let ended = run(folder.path(), arguments);
            assert_eq!(ended.code, Some(3), "{text:?} {arguments:?}: {ended:?}");
            assert!(ended.errors.starts_with(says), "{text:?} {arguments:?}: {}", ended.errors);
            assert!(!ended.errors.contains(SECRET) && !ended.errors.contains("panicked"), "{}", ended.errors);
        }
    }
    let missing = run(folder.path(), &["config", "check", "--config", "none.toml"]);
    assert!(missing.code == Some(3) && missing.errors.contains("none.toml: there is no such file"), "{missing:?}");
    folder.write("framewright.toml", "");
    let variable = run_with(folder.path(), &[("FRAMEWRIGHT_LISSTEN", "x")], &["config", "check"]);
    assert!(variable.code == Some(3) && variable.errors.contains("did you mean FRAMEWRIGHT_LISTEN?"), "{variable:?}");
    let switch = run_with(folder.path(), &[("FRAMEWRIGHT_INSECURE_NO_AUTH", "flase")], &["config", "check"]);
    assert!(switch.code == Some(2) && switch.errors.contains("'flase'"), "what is neither yes nor no is no yes: {switch:?}");
    let number = run_with(folder.path(), &[("FRAMEWRIGHT_WORKERS", "0")], &["config", "check"]);
    assert!(number.code == Some(2) && number.errors.contains("0 is not in 1..=4096"), "{number:?}");
}

#[test]
fn a_file_can_be_begun_with_checked_and_printed_again() {
    let folder = Folder::new();
    let made = run(folder.path(), &["config", "init"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let path = folder.path().join("framewright.toml");
    let text = fs::read_to_string(&path).unwrap();
    let checked = run(folder.path(), &["config", "check", "--model", "demo"]);
    assert!(checked.code == Some(0) && checked.output.starts_with("ok  framewright.toml  graph: v3-framed  model: demo"), "{checked:?}");
    let again = run(folder.path(), &["config", "init"]);
    assert!(again.code == Some(3) && again.errors.contains("exists already"), "{again:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    // What is printed is a file that says the same.
    let printed = run(folder.path(), &["config", "print", "--workers", "3", "--graph", "v1-direct"]).output;
    fs::write(&path, &printed).unwrap();
    assert_eq!(run(folder.path(), &["config", "print"]).output, printed);

    // Every line of the first file is one that may be opened.
    let open: String =
        text.lines().map(|line| if line.contains(" = ") { line.trim_start_matches("# ") } else { line }).collect::<Vec<_>>().join("\n");
    fs::write(&path, open).unwrap();
    let opened = run(folder.path(), &["config", "check", "--model", "demo"]);
    assert_eq!(opened.code, Some(0), "{opened:?}");
}

#[test]
fn a_secret_is_never_shown() {
    let folder = Folder::new();
    folder.write("key", &format!("{SECRET}\n"));
    folder.write("framewright.toml", "[llm]\nurl = 'http://127.0.0.1:9/v1'\nmodel = 'm'\n");
    for (variables, options) in [
        (&[("FRAMEWRIGHT_LLM_KEY", SECRET)][..], &[][..]),
        (&[("OPENAI_API_KEY", SECRET)], &[]),
        (&[], &["--llm-key-file", "key"]),
        (&[("FRAMEWRIGHT_LLM_KEY_FILE", "key")], &[]),
    ] {
        for arguments in [&["config", "print", "--origin"][..], &["config", "print"], &["config", "check"]] {
            let ended = run_with(folder.path(), variables, &[arguments, options].concat());
            assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
            assert!(!ended.output.contains(SECRET) && !ended.errors.contains(SECRET), "{ended:?}");
            let is_shown = arguments.contains(&"print") && !variables.is_empty() && !variables[0].0.ends_with("FILE");
            assert_eq!(ended.output.contains("# key = •••"), is_shown, "{variables:?}: {ended:?}");
        }
    }
    // A password in an address.
    let url = format!("http://user:{SECRET}@127.0.0.1:9/v1");
    for arguments in [&["config", "print", "--llm-url", &url][..], &["config", "check", "--llm-url", &url], &["--llm-url", &url]] {
        let ended = run_with(folder.path(), &[], arguments);
        assert!(!ended.output.contains(SECRET) && !ended.errors.contains(SECRET), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn graphs_are_looked_at_where_the_settings_say_they_are() {
    let folder = Folder::new();
    folder.write("framewright.toml", "graphs = 'mine'\n");
    folder.write("mine/broken.json", "{");
    for (arguments, code, says) in [
        (&["graph", "check"][..], 3, "broken.json:1"),
        (&["graph", "show"], 3, "broken.json:1"),
        (&["config", "check"], 3, "broken.json:1"),
        (&["graph", "check", "."], 0, ""),
    ] {
        let ended = run_with(folder.path(), &[], arguments);
        assert!(ended.code == Some(code) && ended.errors.contains(says), "{arguments:?}: {ended:?}");
    }
    // Whoever names the folder need not have settings that can be read.
    folder.write("framewright.toml", "what?");
    assert_eq!(run(folder.path(), &["graph", "check", "."]).code, Some(0));
}

#[test]
fn settings_may_stand_before_a_commands_name() {
    let folder = Folder::new();
    folder.write("other.toml", "graph = 'v1-direct'\ngraphs = 'mine'\n");
    folder.write("mine/prompts/input.md", "# input\nmine\n=== user\n{{message}}\n");
    for (arguments, says) in [
        (&["--config", "other.toml", "config", "check"][..], "ok  other.toml  graph: v1-direct"),
        (&["config", "--config", "other.toml", "check"], "ok  other.toml  graph: v1-direct"),
        (&["--config", "other.toml", "config", "print"], "graph = \"v1-direct\""),
        (&["--graph", "v4-eras", "--workers=7", "config", "--shards=3", "print"], "graph = \"v4-eras\""),
        (&["--config", "other.toml", "graph", "show"], "v1-direct: "),
        (&["--graphs", "mine", "graph", "show", "v3-framed", "--node", "input"], "=== system\n# input\nmine\n"),
        (&["--config", "other.toml", "--listen", "127.0.0.1:0", "doctor"], "other.toml"),
    ] {
        let ended = run(folder.path(), arguments);
        assert!(ended.code == Some(0) && ended.output.contains(says), "{arguments:?}: {ended:?}");
    }
    let server = Server::of(&["--graph", "v1-direct", "--listen", "127.0.0.1:0", "serve"], &[]);
    assert_eq!(server.session("any").read("/api/graph/active")["name"], "v1-direct");
    // What a command does not take is refused, and so is what is said twice.
    for (arguments, says) in [
        (&["--graph", "v1-direct", "version"][..], "unexpected argument '--graph'"),
        (&["--graph", "v1-direct", "chat"], "unexpected argument '--graph'"),
        (&["--shards", "1", "config", "check", "--shards", "2"], "cannot be used multiple times"),
        (&["--shards", "0", "config", "check"], "0 is not in 1..=256"),
    ] {
        let ended = run(folder.path(), arguments);
        assert!(ended.code == Some(2) && ended.errors.contains(says), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn a_file_names_databases_and_every_layer_above_stands_over_it() {
    let folder = Folder::new();
    let sample = run(folder.path(), &["sample-data", "--dialect", "sqlite"]).output;
    let file = folder.write("mine/framewright.toml", "[databases]\neras2_production = 'sqlite:few.db'\n");
    let few = rusqlite::Connection::open(folder.path().join("mine/few.db")).unwrap();
    few.execute_batch(&format!("{sample}\nPRAGMA foreign_keys = off; DELETE FROM kunden WHERE id > 3;")).unwrap();
    let file = file.to_str().unwrap();
    let sample = [("FRAMEWRIGHT_DATABASE", "eras2_production=sample")];
    let address = [("FRAMEWRIGHT_DATABASE_ERAS2_PRODUCTION", "sample")];
    for (variables, options, customers) in
        [(&[][..], &[][..], "3"), (&sample, &[], "16"), (&address, &[], "16"), (&[], &["--database", "eras2_production=sample"], "16")]
    {
        let checked = run_with(folder.path(), variables, &[&["config", "check", "--config", file], options].concat());
        assert_eq!(checked.code, Some(0), "{variables:?} {options:?}: {checked:?}");
        let arguments = ["--config", file, "--graph", "v4-eras", "--listen", "127.0.0.1:0"];
        let server = Server::of(&[&arguments, options].concat(), variables);
        let session = server.session("any");
        session.ask("how many customers are there?");
        let answer = session.result()["response"].as_str().unwrap().to_owned();
        assert!(answer.split(|sign: char| !sign.is_ascii_digit()).any(|word| word == customers), "{variables:?} {options:?}: {answer}");
    }
    let printed = run(folder.path(), &["config", "print", "--origin", "--config", file]).output;
    assert!(told(&printed, "database").ends_with("mine/framewright.toml:1"), "{printed}");
    let unknown = run_with(folder.path(), &[("FRAMEWRIGHT_DATABASE_ERAS_PRODUCTION", "sample")], &["config", "check", "--config", file]);
    assert!(unknown.errors.contains("did you mean FRAMEWRIGHT_DATABASE_ERAS2_PRODUCTION?"), "{unknown:?}");
    for (text, says) in [
        (
            "[databases]\n\nshop = 'postgres://u:sk-very-secret-1234@h/x'",
            "framewright.toml:3: `databases.shop` is wrong: a database's address",
        ),
        ("database = 'a=sample'\n[databases]\nb = 'sample'", "framewright.toml:2: `database` is said in two ways"),
    ] {
        folder.write("mine/framewright.toml", text);
        let ended = run(folder.path(), &["config", "check", "--config", file]);
        assert!(ended.code == Some(3) && ended.errors.contains(says) && !ended.errors.contains(SECRET), "{ended:?}");
    }
}

#[test]
fn a_blank_variable_is_as_unset_for_every_setting_and_flag() {
    let folder = Folder::new();
    folder.write("framewright.toml", "development = true\ntests = true\n[limits]\nworkers = 9\n[databases]\nshop = 'sample'\n");
    let help: String = [&["--help"][..], &["chat", "--help"], &["test", "--help"], &["graph", "show", "--help"], &["doctor", "--help"]]
        .map(|arguments| run(folder.path(), arguments).output)
        .concat();
    let names = help.split("FRAMEWRIGHT_").skip(1).map(|rest| {
        let name: String = rest.chars().take_while(|sign| sign.is_ascii_uppercase() || *sign == '_').collect();
        format!("FRAMEWRIGHT_{name}")
    });
    let more = ["FRAMEWRIGHT_LLM_KEY", "FRAMEWRIGHT_DATABASE_SHOP", "FRAMEWRIGHT_NO_SUCH_SETTING", "OPENAI_API_KEY", "OPENAI_BASE_URL"];
    // Tests are always offline.
    let names = names.filter(|name| !name.ends_with('_') && name != "FRAMEWRIGHT_OFFLINE");
    let names: BTreeSet<String> = names.chain(more.map(str::to_owned)).collect();
    assert!(names.len() > 40 && names.contains("FRAMEWRIGHT_WORKERS") && names.contains("FRAMEWRIGHT_URL"), "{names:?}");
    for blank in ["", " "] {
        let variables: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), blank)).collect();
        for arguments in [
            &["config", "print", "--origin"][..],
            &["config", "check"],
            &["--graph", "v1-direct", "config", "print"],
            &["graph", "check"],
            &["graph", "show"],
            &["chat", "--url", "ftp://host"],
            &["test", "nowhere.md"],
            &["test", "nowhere.md", "--from-turn", "msg_1"],
        ] {
            let (plain, with) = (run(folder.path(), arguments), run_with(folder.path(), &variables, arguments));
            assert_eq!((with.code, with.output, with.errors), (plain.code, plain.output, plain.errors), "{arguments:?} {blank:?}");
        }
    }
}
