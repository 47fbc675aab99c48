//! SIGHUP and `framewright reload`: what counts from then on, that nobody is dropped, and that a wrong file changes nothing.

use crate::program::{Ended, run_on, run_with};
use crate::support::http::{Answer, Wire};
use crate::support::streams::Events;
use crate::support::{Folder, Provider, Server, Setting, answer_text, eventually, nobody};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const OUTPUT: &str = include_str!("../../graphs/prompts/output.md");

fn marked() -> String {
    OUTPUT.replace("=== user", "MARKED\n=== user")
}

fn reload(server: &Server, options: &[&str]) -> Ended {
    let address = server.address.to_string();
    let ended = run_with(server.folder.path(), &[], &[&["reload", "--listen", &address], options].concat());
    assert!(!ended.errors.contains("panicked"), "{ended:?}");
    ended
}

/// The lines of the log with this message.
fn logged(server: &Server, message: &str) -> Vec<Value> {
    let said = server.said();
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

const REFUSED: &str = "the reload was refused and nothing has changed";

#[test]
fn a_turn_a_socket_and_a_stream_go_on_and_each_turn_keeps_its_graph() {
    for is_signal in [true, false] {
        let (provider, folder) = (Provider::start(), Folder::new());
        folder.write("mine/prompts/output.md", OUTPUT);
        let graphs = folder.path().join("mine");
        let options = ["--llm-url", &provider.url(), "--model", "puppet", "--graphs", graphs.to_str().unwrap()];
        let server = Server::with(&Setting { options: &options, ..Setting::default() });
        let session = server.session("talks");
        let (mut chat, mut events) = (session.attached(), session.events());
        let mut idle = server.connect();
        assert_eq!(idle.ask("GET", "/health", None).status, 200);
        chat.say(&json!({ "text": json!({ "hold": "output", "after": 1, "say": "all of it" }).to_string() }));
        chat.until(|message| message["content"] == "all ");
        provider.holds(1);
        chat.say(&json!({ "text": json!({ "say": "the next" }).to_string() }));

        folder.write("mine/prompts/output.md", &marked());
        if is_signal {
            server.signal("HUP");
            let line = eventually("the reload", || logged(&server, "reloaded").pop());
            assert!(line["changed"].as_str().unwrap().contains("graph v3-framed"), "{line}");
            assert_eq!(line["by"], "SIGHUP");
        } else {
            let ended = reload(&server, &[]);
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(ended.output.starts_with("reloaded: graph v3-framed"), "{ended:?}");
        }
        provider.release(1);
        let messages = chat.until_done("msg_1");
        assert!(messages.last().unwrap()["error"].is_null() && answer_text(&messages, "msg_1") == "of it", "{messages:?}");
        assert!(answer_text(&chat.until_done("msg_2"), "msg_2").contains("the next"), "what waited behind it runs too");
        events.until_trace("msg_1");
        events.until_trace("msg_2");
        assert_eq!(idle.ask("GET", "/health", None).status, 200, "a connection that was idle is still there");
        let asked: Vec<bool> = provider.asked_of("output").iter().map(|body| body.to_string().contains("MARKED")).collect();
        assert_eq!(asked, [false, true], "the turn that ran kept its prompts, the one that waited took the new ones");
        assert_eq!(session.trace_of("msg_1")["reloaded"], Value::Null);
        assert_eq!(session.trace_of("msg_2")["reloaded"].as_str().map(str::len), Some(12), "its trace says so");
    }
}

#[test]
fn a_wrong_file_changes_nothing_and_is_named_with_its_line() {
    let folder = Folder::new();
    let good = "graph = 'v3-framed'\ngraphs = 'mine'\nlog = 'info'\n[auth]\napi_keys = 'keys.toml'\n[llm]\nkey_file = 'key'\n\
                url = 'http://127.0.0.1:9/v1'\nmodel = 'm'\n[limits]\nmessage_bytes = 2048\n";
    let config = folder.write("f.toml", good);
    folder.write("mine/prompts/output.md", OUTPUT);
    folder.write("keys.toml", "");
    folder.write("key", "sk-one");
    let config = config.to_str().unwrap();
    let server = Server::with(&Setting { options: &["--config", config], ..Setting::default() });
    let (mut refused, unchanged) = (0, server.connect().ask("GET", "/health", None).json());
    for (file, text, says) in [
        ("f.toml", "\nlissten = 'x'\n".to_owned(), "f.toml:2: there is no setting `lissten`: did you mean `listen`?"),
        ("f.toml", good.replace("2048", "7"), "f.toml:11: `limits.message_bytes` can't be `7`"),
        ("f.toml", "graph = [".to_owned(), "f.toml:1: "),
        ("f.toml", good.replace("v3-framed", "v9"), "there is no graph `v9`: choose one of"),
        ("f.toml", good.replace("log = 'info'", "log = 'loud'"), "f.toml:3: `log` can't be `loud`"),
        ("f.toml", good.replace("graphs = 'mine'", "graphs = 'nowhere'"), "can't be read as a folder of graphs"),
        ("f.toml", good.replace("[auth]", "[auth]\noidc_issuer = 'https://id.example'"), "--oidc-issuer needs --oidc-client-id"),
        ("mine/v3-framed.json", "{\n\"name\": 1".to_owned(), "v3-framed.json:2: "),
        ("mine/prompts/output.md", OUTPUT.replace("=== user", ""), "output.md:"),
        ("keys.toml", "[keys.a]\nscopes = []\n".to_owned(), "keys.toml: "),
        ("key", "two\nlines".to_owned(), "FRAMEWRIGHT_LLM_KEY holds"),
    ] {
        let before = std::fs::read_to_string(folder.path().join(file)).ok();
        folder.write(file, &text);
        // A good change beside it does not count either.
        folder.write("mine/prompts/input.md", include_str!("../../graphs/prompts/input.md"));
        let ended = reload(&server, &["--config", config]);
        assert_eq!(ended.code, Some(1), "{file}: {ended:?}");
        assert!(ended.errors.contains(says) && ended.errors.trim_end().ends_with(REFUSED), "{file}: {says}: {}", ended.errors);
        server.signal("HUP");
        refused += 2;
        let line = eventually("the refusal in the log", || {
            let lines = logged(&server, REFUSED);
            (lines.len() == refused).then(|| lines.last().unwrap().clone())
        });
        assert!(line["level"] == "ERROR" && line["why"].as_str().unwrap().contains(says), "{line}");
        assert_eq!(server.connect().ask("GET", "/health", None).json(), unchanged);
        match before {
            Some(text) => drop(folder.write(file, &text)),
            None => std::fs::remove_file(folder.path().join(file)).unwrap(),
        }
    }
    assert!(logged(&server, "reloaded").is_empty());
    assert!(!server.said().contains("sk-one"), "no key is logged");
    assert_eq!(reload(&server, &["--config", config]).code, Some(0), "with everything mended it works");
}

#[test]
fn settings_count_at_once_or_are_said_to_need_a_restart() {
    let folder = Folder::new();
    let config = folder.write("f.toml", "log = 'info'\n[limits]\nmessage_bytes = 4096\n");
    let config = config.to_str().unwrap();
    let server = Server::with(&Setting { options: &["--config", config], ..Setting::default() });
    let send = |text: &str| server.connect().ask("POST", "/api/send?session=limits", Some(&json!({ "text": text }))).status;
    let long = "x".repeat(3_000);
    assert_eq!(send(&long), 200);
    server.session("limits").result_of("msg_1");
    assert_eq!(reload(&server, &["--config", config]).output.trim_end(), "reloaded: nothing has changed");
    folder.write(
        "f.toml",
        "shards = 7\ntests = true\nlog = 'error'\nhost = 'chat.example'\ngraph = 'v1-direct'\n[limits]\nmessage_bytes = 2048\nworkers = 3\n",
    );
    let ended = reload(&server, &["--config", config]);
    assert_eq!(
        ended.output.replace(config, "f.toml"),
        "reloaded: host, log, graph, limits.workers, limits.message_bytes\nneeds a restart: tests (f.toml:2)\n",
        "a flag took precedence over `shards` and still does: {ended:?}"
    );
    assert_eq!(ended.code, Some(0));
    assert_eq!(send(&long), 413);
    assert_eq!(server.session("new").read("/api/graph/active")["name"], "v1-direct");
    assert_eq!(server.session("limits").read("/api/graph/active")["name"], "v3-framed", "who has begun stays");
    let mut wire = server.connect();
    wire.send("GET /api/state HTTP/1.1\r\nHost: chat.example\r\n\r\n");
    assert_eq!(wire.answer().status, 200);
    let turns = logged(&server, "turn").len();
    server.session("limits").ask("hello");
    assert_eq!(logged(&server, "turn").len(), turns, "the log shows errors alone");
}

/// A server of one shard, whose counts are exact, with a file of settings.
struct Configured {
    folder: Folder,
    server: Server,
    reloads: usize,
}

impl Configured {
    fn start(settings: &str) -> Configured {
        let folder = Folder::new();
        let config = folder.write("f.toml", settings);
        let server = Server::of(&["serve", "--shards", "1", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()], &[]);
        Configured { folder, server, reloads: 0 }
    }

    /// Writes other settings and reloads by signal; returns what has changed, and what needs a restart.
    fn change(&mut self, settings: &str) -> (String, String) {
        self.folder.write("f.toml", settings);
        self.server.signal("HUP");
        self.reloads += 1;
        let line = eventually("the reload", || {
            let lines = logged(&self.server, "reloaded");
            (lines.len() == self.reloads).then(|| lines.last().unwrap().clone())
        });
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        (text("changed"), text("needs_restart"))
    }

    fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let mut wire = Wire::open(self.server.address);
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()) };
        wire.send(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n{body}"));
        wire.answer()
    }
}

#[test]
fn quotas_budgets_and_prices_count_at_once_and_what_was_used_stays_used() {
    let provider = Provider::start();
    let llm = format!("log = 'info'\n[llm]\nurl = '{}'\nmodel = 'puppet'\n", provider.url());
    let mut running = Configured::start(&format!("{llm}[limits]\nday_turns = 9\n"));
    let session = running.server.session("budget");
    let budget = || session.read("/api/state")["budget"].clone();
    session.ask(&json!({ "say": "one" }).to_string());
    session.memorized();
    assert_eq!(budget()["turns"], json!({ "limit": 9, "left": 8 }));

    let prices = "[prices]\npuppet = { input = 1000, output = 2000 }\n";
    let changed = running.change(&format!("{llm}[limits]\nday_turns = 3\nday_cost = 5.0\n{prices}"));
    assert_eq!(changed, ("limits.day_turns, limits.day_cost, limits.price".to_owned(), String::new()));
    assert_eq!(budget()["turns"], json!({ "limit": 3, "left": 2 }), "what was used stays used");
    assert_eq!(budget()["cost"], json!({ "limit": 5.0, "left": 5.0 }), "what cost nothing then costs nothing now");
    let trace = session.ask(&json!({ "say": "two" }).to_string());
    let calls = trace["frames"].as_array().unwrap().iter().flat_map(|frame| frame["calls"].as_array().unwrap()).count() as u64;
    assert_eq!(trace["usage"]["cost_micros"], 20_000 * calls, "{trace}");
    session.memorized();
    assert_eq!(budget()["turns"]["left"], 1);

    running.change(&format!("{llm}[limits]\nday_turns = 2\nday_cost = 5.0\n{prices}"));
    let send = || session.call("POST", "/api/send", Some(&json!({ "text": json!({ "say": "three" }).to_string() })));
    assert_eq!((send().code(), budget()["turns"]["left"].clone()), ("budget_used_up".to_owned(), json!(0)));

    let changed = running.change(&format!("{llm}[limits]\naddress_requests = 20\n"));
    assert_eq!(changed.0, "limits.address_requests, limits.day_turns, limits.day_cost, limits.price");
    let answers: Vec<u16> = (0..30).map(|_| running.ask("GET", "/auth/config", "", "").status).collect();
    let taken = answers.iter().filter(|status| **status == 200).count();
    assert!((15..=21).contains(&taken), "{answers:?}");
    running.change(&llm);
    assert!((0..30).all(|_| running.ask("GET", "/auth/config", "", "").status == 200), "and without a bound again");
    assert_eq!(send().status, 200);
}

#[test]
fn more_workers_take_what_waits_and_a_shorter_queue_refuses_at_once() {
    let provider = Provider::start();
    let llm = format!("log = 'info'\n[llm]\nurl = '{}'\nmodel = 'puppet'\n[limits]\n", provider.url());
    let mut running = Configured::start(&format!("{llm}workers = 1\n"));
    let holds = json!({ "text": json!({ "hold": "input", "after": 0, "say": "so" }).to_string() });
    for session in ["a", "b", "c"] {
        running.server.session(session).post("/api/send", &holds);
    }
    provider.holds(1);
    assert_eq!(running.change(&format!("{llm}workers = 3\n")).0, "limits.workers");
    provider.holds(3);
    assert_eq!(running.change(&format!("{llm}workers = 3\nqueue = 1\n")).0, "limits.queue");
    ["d", "e"].into_iter().for_each(|session| drop(running.server.session(session).post("/api/send", &holds)));
    let refused = eventually("a refused call", || {
        let results = ["d", "e"].map(|session| running.server.session(session).result());
        results.into_iter().find(|result| result["status"] == "error")
    });
    assert_eq!(refused["code"], "calls_full", "{refused}");
    provider.release(4);
    ["a", "b", "c"].into_iter().for_each(|session| drop(running.server.session(session).result_of("msg_1")));
}

#[test]
fn trusted_proxies_and_their_header_count_at_once() {
    let mut running = Configured::start("log = 'info'\n");
    let ada = "X-Remote-User: ada\r\n";
    let who = |running: &Configured, headers: &str| {
        let answer = running.ask("GET", "/api/me", headers, "");
        answer.json()["sub"].as_str().map_or_else(|| answer.status.to_string(), str::to_owned)
    };
    let mut nobody = Events::open(running.server.address, "/api/events", "");
    assert_eq!(who(&running, ada), "anonymous");

    let auth = "log = 'info'\n[auth]\nheader = 'X-Remote-User'\ntrusted_proxy = '127.0.0.1'\n";
    assert_eq!(running.change(auth), ("auth.header, auth.trusted_proxy".to_owned(), String::new()));
    assert_eq!([who(&running, ada), who(&running, "")], ["proxy:ada", "401"]);
    assert!(nobody.is_ended(), "who never signed in has to");
    let mut events = Events::open(running.server.address, "/api/events", ada);
    running.change(&auth.replace("127.0.0.1", "127.0.0.0/8"));
    assert_eq!(running.ask("POST", "/api/send", ada, r#"{"text":"hello"}"#).status, 200);
    events.until_trace("msg_1");

    running.change(&auth.replace("127.0.0.1", "10.0.0.1"));
    assert_eq!(who(&running, ada), "401", "the header counts from there no more");
    assert!(events.is_ended());
}

#[test]
fn sign_in_is_not_switched_off_where_others_reach_the_server() {
    let auth = "log = 'info'\nlisten = '0.0.0.0:0'\n[auth]\nheader = 'X-User'\ntrusted_proxy = '127.0.0.1'\n";
    let folder = Folder::new();
    let config = folder.write("f.toml", auth);
    let server = Server::of(&["serve", "--shards", "1", "--config", config.to_str().unwrap()], &[]);
    for (settings, says) in [
        ("log = 'info'\nlisten = '0.0.0.0:0'\n", "nobody has to sign in"),
        // A restart on these would be right, and today's address is still open to others.
        ("log = 'info'\n", "nobody has to sign in: "),
    ] {
        let refused = logged(&server, REFUSED).len();
        folder.write("f.toml", settings);
        server.signal("HUP");
        let line = eventually("the refusal", || {
            let lines = logged(&server, REFUSED);
            (lines.len() > refused).then(|| lines.last().unwrap().clone())
        });
        assert!(line["why"].as_str().unwrap().contains(says), "{line}");
    }
    let mut wire = Wire::open(format!("127.0.0.1:{}", server.address.port()).parse().unwrap());
    wire.send("GET /api/me HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(wire.answer().status, 401);
}

#[test]
fn other_headers_for_the_collector_wait_for_a_restart_and_are_said_to_at_every_reload() {
    let settings = |log: &str| format!("log = '{log}'\n[otlp]\nendpoint = 'http://127.0.0.1:9'\nheaders_file = 'headers'\n");
    let folder = Folder::new();
    let config = folder.write("f.toml", &settings("info"));
    folder.write("headers", "authorization=one\n");
    let config = config.to_str().unwrap();
    let server = Server::with(&Setting { options: &["--config", config], working_folder: Some(folder.path()), ..Setting::default() });
    let address = server.address.to_string();
    let reload = || run_with(folder.path(), &[], &["reload", "--listen", &address, "--config", config]);
    folder.write("headers", "authorization=two\n");
    for (log, changed) in [("info", "nothing has changed"), ("warn", "log"), ("warn", "nothing has changed")] {
        folder.write("f.toml", &settings(log));
        let ended = reload();
        assert_eq!(ended.output, format!("reloaded: {changed}\nneeds a restart: the collector's headers\n"), "{ended:?}");
    }
    folder.write("headers", "authorization=one\n");
    assert_eq!(reload().output, "reloaded: nothing has changed\n");
}

#[test]
fn another_model_is_called_from_then_on_and_calls_that_are_out_end_as_they_began() {
    let (one, two, folder) = (Provider::start(), Provider::start(), Folder::new());
    let write = |provider: &Provider| folder.write("f.toml", &format!("[llm]\nurl = '{}'\nmodel = 'puppet'\n", provider.url()));
    let config = write(&one);
    let config = config.to_str().unwrap();
    let server = Server::with(&Setting { options: &["--config", config], ..Setting::default() });
    let session = server.session("models");
    let mut chat = session.attached();
    chat.say(&json!({ "text": json!({ "hold": "output", "after": 1, "say": "from one" }).to_string() }));
    one.holds(1);
    write(&two);
    let ended = reload(&server, &["--config", config]);
    assert!(ended.code == Some(0) && ended.output.contains("llm.url"), "{ended:?}");
    one.release(1);
    assert!(chat.until_done("msg_1").last().unwrap()["error"].is_null());
    let asked = one.asked().len();
    chat.say(&json!({ "text": json!({ "say": "from two" }).to_string() }));
    assert!(answer_text(&chat.until_done("msg_2"), "msg_2").contains("from two"));
    // Of the first turn's memorizer one call more at most.
    assert!(one.asked_of("output").len() == 1 && two.asked_of("output").len() == 1, "{} {:?}", asked, two.asked());
}

#[test]
fn many_reloads_at_once_and_turns_in_between_do_not_disturb_one_another() {
    let folder = Folder::new();
    folder.write("mine/prompts/output.md", OUTPUT);
    let graphs = folder.path().join("mine");
    let server = Server::with(&Setting { options: &["--graphs", graphs.to_str().unwrap()], ..Setting::default() });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..6 {
                folder.write("mine/prompts/output.md", &if round % 2 == 0 { marked() } else { OUTPUT.to_owned() });
                server.signal("HUP");
                let ended = reload(&server, &[]);
                assert_eq!(ended.code, Some(0), "{ended:?}");
            }
        });
        for name in ["a", "b", "c"] {
            let session = server.session(name);
            scope.spawn(move || {
                let mut chat = session.attached();
                for turn in 1..=12 {
                    chat.say(&json!({ "text": "why is the sky blue?" }));
                    let messages = chat.until_done(&format!("msg_{turn}"));
                    assert!(messages.last().unwrap()["error"].is_null(), "{messages:?}");
                }
            });
        }
    });
}

#[test]
fn where_no_server_is_the_command_says_so() {
    let folder = Folder::new();
    let address = nobody().to_string();
    let ended = run_with(folder.path(), &[], &["reload", "--listen", &address]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.errors.contains(&format!("no server listens on {address}")) && ended.errors.contains("--listen"), "{ended:?}");
    folder.write("framewright.toml", "\nlissten = 1\n");
    let ended = run_with(folder.path(), &[], &["reload", "--listen", &address]);
    assert!(ended.code == Some(1) && ended.errors.contains("framewright.toml:2: "), "{ended:?}");
}

#[test]
fn only_the_servers_user_and_root_may_reload_it() {
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: only root can become another user");
        return;
    }
    let server = Server::start();
    // The binary may stand where only root can read.
    let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let binary = folder.path().join("framewright");
    std::fs::copy(env!("CARGO_BIN_EXE_framewright"), &binary).unwrap();
    let mut command = Command::new(binary);
    command.current_dir(folder.path()).env_clear().args(["reload", "--listen", &server.address.to_string()]);
    let ended = command.uid(65_534).gid(65_534).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("only the server's own user and root may reload it"), "{said}");
    assert!(logged(&server, "reloaded").is_empty());
}

#[test]
fn a_server_that_was_started_on_a_terminal_ends_when_that_is_closed() {
    const SCRIPT: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while b"http://" not in said:
    said += os.read(terminal, 4096)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    let folder = Folder::new();
    let mut command = Command::new("python3");
    command.args(["-c", SCRIPT, env!("CARGO_BIN_EXE_framewright"), "--listen", "127.0.0.1:0", "--shards", "1", "--model", "demo"]);
    command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = run_on(&mut command, "");
    assert_eq!(ended.output.trim(), "0", "{ended:?}");
}
