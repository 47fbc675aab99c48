//! What operators see of a running server: probes, metrics and traces, read by the tools that they use.

use crate::support::http::Wire;
use crate::support::{Folder, PATIENCE, Provider, Server, Setting, eventually};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector that takes everything.
struct Collector {
    address: SocketAddr,
    got: Receiver<Vec<u8>>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, (tell, got)) = (listener.local_addr().unwrap(), channel());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let tell = tell.clone();
                thread::spawn(move || {
                    let mut reader = BufReader::new(&stream);
                    loop {
                        let (mut length, mut line) = (0, String::new());
                        while line != "\r\n" {
                            line.clear();
                            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                                return;
                            }
                            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                                length = value.trim().parse().unwrap();
                            }
                        }
                        let mut body = vec![0; length];
                        reader.read_exact(&mut body).unwrap();
                        // The test may have seen what it wanted.
                        let _ = tell.send(body);
                        (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                    }
                });
            }
        });
        Collector { address, got }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has come until a span of this name has, as bytes and as spans.
    fn until(&self, name: &str) -> (Vec<u8>, Vec<Span>) {
        let (mut bytes, mut spans) = (Vec::new(), Vec::<Span>::new());
        while !spans.iter().any(|span| span.name == name) {
            let body = self.got.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no span `{name}` in {spans:?}"));
            let request = ExportTraceServiceRequest::decode(&*body).unwrap();
            spans.extend(request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans));
            bytes.extend(body);
        }
        (bytes, spans)
    }
}

fn scrape(address: SocketAddr, headers: &str) -> String {
    let mut wire = Wire::open(address);
    wire.send(format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
    let answer = wire.answer();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// A server that has done some of everything, and what it counts.
fn busy() -> (Server, String) {
    let collector = Collector::start();
    let options = ["--graph", "v4-eras", "--otlp-endpoint", &collector.url()];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    for (session, text) in [("a", "hello"), ("b", "wie viele Kunden haben wir?"), ("c", "why is the sky blue?")] {
        server.session(session).ask(text);
    }
    server.connect().ask("GET", "/nowhere", None);
    let mut wire = server.connect();
    wire.send("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    wire.answer();
    let (_chat, _events) = (server.session("a").attached(), server.session("a").events());
    let text = eventually("all spans to be exported", || {
        let text = scrape(server.address, "");
        text.contains("framewright_spans_exported_total ").then_some(text)
    });
    (server, text)
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let (server, text) = busy();
    for sample in [
        r#"framewright_turns_total{path="reflex",outcome="done"} 1"#,
        r#"framewright_http_requests_total{route="other",code="404"} 1"#,
        r#"framewright_database_request_duration_seconds_count{database="eras2_production",outcome="done"}"#,
        r#"framewright_llm_request_duration_seconds_count{provider="demo",model="demo",outcome="done"}"#,
        "framewright_ws_clients 1",
        "framewright_sse_clients 1",
        "framewright_shards 2",
    ] {
        assert!(text.contains(sample), "no `{sample}` in {text}");
    }
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("promtool is there: apt-get install prometheus");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ended = promtool.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ended.status.success() && said.is_empty(), "{said}");
    assert!(scrape(server.address, "Accept: application/openmetrics-text\r\n").ends_with("\n# EOF\n"));
}

#[test]
fn the_dashboard_shows_only_metrics_that_there_are() {
    let (_server, text) = busy();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let known: BTreeSet<String> = kinds
        .flat_map(|(name, kind)| {
            let parts: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            parts.iter().map(move |part| format!("{name}{part}"))
        })
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut shown = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty() && panel["title"].is_string() && panel["description"].is_string(), "{panel}");
        for expression in targets.iter().map(|target| target["expr"].as_str().unwrap()) {
            let is_name = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
            let names: Vec<&str> = expression.split(|sign| !is_name(sign)).filter(|word| word.starts_with("framewright_")).collect();
            assert!(!names.is_empty(), "{expression}");
            for name in names {
                assert!(known.contains(name), "there is no metric `{name}`, which `{}` shows", panel["title"]);
                shown.insert(name.trim_end_matches("_bucket").trim_end_matches("_count").to_owned());
            }
        }
    }
    let families: BTreeSet<_> = text.lines().filter_map(|line| Some(line.strip_prefix("# TYPE ")?.split_once(' ')?.0.to_owned())).collect();
    let missing: Vec<_> = families.difference(&shown).filter(|name| *name != "framewright_shards").collect();
    assert!(missing.is_empty(), "the dashboard does not show {missing:?}");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "no two panels share an id");
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let folder = Folder::new();
    let keys = folder.path().join("keys.toml").display().to_string();
    let made = crate::support::run(folder.path(), &["key", "create", "prometheus", "--scopes", "metrics", "--api-keys", &keys]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = made.output.split_whitespace().find(|word| word.starts_with("fw_")).unwrap().to_owned();
    let options = ["--metrics-listen", "127.0.0.1:0", "--api-keys", &keys, "--host", "chat.example.org"];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    let said = server.said();
    let address: SocketAddr = said.split("metrics: http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    for (path, status) in [("/metrics", 200), ("/livez", 200), ("/readyz", 200), ("/api/state", 404), ("/", 404)] {
        let mut wire = Wire::open(address);
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: any.example\r\n\r\n"));
        assert_eq!(wire.answer().status, status, "{path}");
    }
    for (headers, status) in [(String::new(), 401), (format!("Authorization: Bearer {key}\r\n"), 200)] {
        let mut wire = server.connect();
        wire.send(format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
        assert_eq!(wire.answer().status, status, "{headers}");
    }
}

#[test]
fn probes_tell_living_from_ready() {
    let provider = Provider::start();
    let mut server = provider.server();
    let ask = |path: &str| {
        let answer = server.connect().ask("GET", path, None);
        (answer.status, answer.json())
    };
    assert_eq!(ask("/livez"), (200, json!({"status": "ok", "shards": 2})));
    let (status, ready) = ask("/readyz");
    assert_eq!((status, &ready["checks"]["model"]), (200, &json!({"ok": true, "name": "puppet", "demo": false})), "{ready}");
    assert_eq!(ask("/version").1["version"], env!("CARGO_PKG_VERSION"));
    let session = server.session("holding");
    session.send(&json!({"say": "one two", "hold": "output"}).to_string());
    provider.holds(1);
    server.signal("TERM");
    let (status, body) = eventually("the server to drain", || Some(ask("/readyz")).filter(|(status, _)| *status == 503));
    assert_eq!((status, &body["code"], &body["checks"]["serving"]["ok"]), (503, &json!("draining"), &json!(false)), "{body}");
    assert_eq!(ask("/livez").0, 200, "it lives until its last turn has ended");
    provider.release(1);
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_turn_is_one_trace_from_its_caller_to_the_model() {
    let (provider, collector) = (Provider::start(), Collector::start());
    let options = ["--llm-url", &provider.url(), "--model", "puppet", "--otlp-endpoint", &collector.url()];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    let session = server.session("my-session");
    let text = json!({"say": "pelicans float", "intent": "request"}).to_string();
    let body = json!({ "text": text }).to_string();
    let mut wire = server.connect();
    let head = format!("POST /api/send?session=my-session HTTP/1.1\r\nHost: localhost\r\ntraceparent: {PARENT}\r\n");
    wire.send(format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(wire.answer().status, 200);
    session.result_of("msg_1");
    session.memorized();
    let trace = session.trace_of("msg_1");
    assert_eq!((&trace["trace_id"], &trace["parent_span_id"]), (&json!(&PARENT[3..35]), &json!(&PARENT[36..52])), "{trace}");
    let logged = eventually("the log line of the turn", || server.said().lines().find(|line| line.contains("\"turn\"")).map(str::to_owned));
    assert!(logged.contains(&PARENT[3..35]), "{logged}");
    let (bytes, spans) = collector.until("invoke_agent memorizer");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let root = spans.iter().find(|span| span.name == "invoke_workflow v3-framed").unwrap();
    assert_eq!((hex(&root.span_id), hex(&root.parent_span_id)), (trace["span_id"].as_str().unwrap().to_owned(), PARENT[36..52].to_owned()));
    assert!(spans.iter().all(|span| hex(&span.trace_id) == PARENT[3..35]), "{spans:?}");
    for span in spans.iter().filter(|span| span.span_id != root.span_id) {
        let above = spans.iter().find(|above| above.span_id == span.parent_span_id).unwrap_or_else(|| panic!("{span:?} has no parent"));
        let is_within = above.start_time_unix_nano <= span.start_time_unix_nano && span.end_time_unix_nano <= above.end_time_unix_nano;
        let is_behind = span.name == "invoke_agent memorizer";
        assert!(is_within || is_behind, "{span:?} is not within {above:?}");
    }
    let chats: BTreeSet<String> = spans
        .iter()
        .filter(|span| span.name == "chat puppet")
        .map(|span| format!("00-{}-{}-01", &PARENT[3..35], hex(&span.span_id)))
        .collect();
    let sent: BTreeSet<String> = provider
        .heads()
        .iter()
        .filter_map(|head| head.lines().find_map(|line| line.strip_prefix("traceparent: ").map(str::to_owned)))
        .collect();
    assert!(sent.len() >= 3 && sent == chats, "what the model's server was told of each call is its span: {sent:?} {chats:?}");
    for secret in ["pelicans", "my-session", "intent"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "`{secret}` was exported");
    }
}

#[test]
fn the_end_of_the_server_exports_what_waits_and_content_only_where_it_was_asked_for() {
    let (provider, collector) = (Provider::start(), Collector::start());
    let endpoint = collector.url();
    let options = ["--llm-url", &provider.url(), "--model", "puppet", "--otlp-endpoint", &endpoint, "--otlp-content"];
    let mut server = Server::with(&Setting { options: &options, ..Setting::default() });
    let session = server.session("s");
    session.ask(&json!({"say": "pelicans float"}).to_string());
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
    let (bytes, _) = collector.until("invoke_workflow v3-framed");
    assert!(bytes.windows(8).any(|window| window == b"pelicans"), "content was asked for");
}
