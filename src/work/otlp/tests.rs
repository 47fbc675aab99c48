//! A collector of our own decodes what is exported, and refuses it as collectors do.

use super::*;
use crate::contract::{
    AskedOf, CallId, CallKind, CallRecord, CallStatus, Code, Content, Finish, FinishedCall, FinishedWhat, FrameRecord, Time, Trace,
    TraceContext, TraceParent, TurnId, Usage,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Sender;

const PATIENCE: Duration = Duration::from_secs(60);
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a collector got: the head, and the message.
type Got = (String, ExportTraceServiceRequest);

/// A collector that answers with these, one after the other, and then with the last of them. Each is the rest of an answer behind
/// `HTTP/1.1 `.
struct Collector {
    url: Uri,
    got: Receiver<Got>,
}

impl Collector {
    fn start(answers: &'static [&'static [u8]]) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap()).parse().unwrap();
        let (tell, got) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut answers = answers.iter().chain(std::iter::repeat(&answers[answers.len() - 1]));
            for stream in listener.incoming().map_while(Result::ok) {
                serve(&stream, &mut answers, &tell);
            }
        });
        Collector { url, got }
    }

    fn next(&self) -> Got {
        self.got.recv_timeout(PATIENCE).expect("the exporter sends something")
    }
}

/// Answers what comes on a connection until it ends.
fn serve<'a>(stream: &TcpStream, answers: &mut impl Iterator<Item = &'a &'a [u8]>, tell: &Sender<Got>) {
    let (mut reader, mut out) = (BufReader::new(stream), stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let from = head.len();
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = head[from..].to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        tell.send((head, ExportTraceServiceRequest::decode(&*body).unwrap())).unwrap();
        out.write_all(&[&b"HTTP/1.1 "[..], answers.next().unwrap()].concat()).unwrap();
    }
}

const TAKEN: &[u8] = b"200 OK\r\ncontent-length: 0\r\n\r\n";
const BUSY: &[u8] = b"503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
const WRONG: &[u8] = b"400 Bad Request\r\ncontent-length: 0\r\n\r\n";

fn settings(url: Uri) -> Settings {
    Settings {
        url,
        headers: vec![("authorization".to_owned(), Key("Basic YTpi".to_owned()))],
        timeout: PATIENCE,
        resource: vec![("service.name".to_owned(), "chat".to_owned())],
        content: false,
    }
}

fn record(pid: u64, kind: CallKind, started_us: u64, duration_us: u64) -> CallRecord {
    CallRecord {
        pid: CallId(pid),
        kind,
        label: "pelican".into(),
        started_us,
        duration_us,
        waited_us: 7,
        status: CallStatus::Done,
        code: None,
        usage: (kind == CallKind::Llm).then(|| Usage { prompt_tokens: 40, completion_tokens: 5, cached_tokens: 30, ..Usage::default() }),
        retries: vec!["pelican".to_owned()],
        decided: None,
    }
}

fn frame(frame: u32, nodes: &[&str], started_us: u64, ended_us: u64, calls: Vec<CallRecord>) -> FrameRecord {
    let nodes: Vec<Arc<str>> = nodes.iter().map(|node| (*node).into()).collect();
    FrameRecord { frame, nodes: nodes.into(), started_us, ended_us, route: "open".into(), summary: "pelican".into(), calls }
}

fn asked(pid: u64, node: &str, asked: AskedOf) -> FinishedCall {
    let content = Content { asked: vec![("user".into(), "a pelican?".to_owned())], answered: "a pelican!".to_owned() };
    FinishedCall { pid: CallId(pid), node: node.into(), asked, content: Some(content) }
}

fn model(name: &str) -> AskedOf {
    let finish = Some(Finish::Length);
    let (provider, answered_by) = ("openai".into(), format!("{name}-2026"));
    AskedOf::Model { provider, model: name.into(), tokens_max: 500, is_structured: true, answered_by, finish }
}

/// A turn of two frames: one with a call, one of two nodes with a call of the second, and a query.
fn turn() -> Finished {
    let parent: TraceParent = PARENT.parse().unwrap();
    let mut failed = record(3, CallKind::Db, 2_500, 100);
    (failed.status, failed.code) = (CallStatus::Error, Some(Code::DatabaseFailed));
    let trace = Trace {
        id: TurnId(7),
        client_id: None,
        message: "a pelican?".into(),
        graph: "v3-framed".into(),
        path: "director".to_owned(),
        started_at: Time(1_700_000_000_000_000),
        total_us: 9_000,
        status: CallStatus::Error,
        degraded: Some("pelican".to_owned()),
        usage: Usage { prompt_tokens: 80, completion_tokens: 10, ..Usage::default() },
        frames: vec![
            frame(1, &["input"], 0, 2_000, vec![record(1, CallKind::Llm, 10, 1_500)]),
            frame(2, &["output", "ui"], 2_000, 9_000, vec![record(2, CallKind::Llm, 2_100, 6_000), failed]),
        ],
        background: Vec::new(),
        context: None,
        reloaded: None,
    };
    let calls = vec![
        asked(1, "input", model("small")),
        asked(2, "ui", model("large")),
        asked(3, "output", AskedOf::Database { database: "shop".into(), tool: "query".into() }),
    ];
    let context = TraceContext::begin(Some(TraceContext::called(parent)), 1, true);
    Finished { context, conversation: "4b2a1940bfc9".into(), turn: TurnId(7), what: FinishedWhat::Turn(Arc::new(trace)), calls }
}

fn without_content(mut finished: Finished) -> Finished {
    finished.calls.iter_mut().for_each(|call| call.content = None);
    finished
}

/// The spans by name, with their attributes as text.
fn by_name(request: &ExportTraceServiceRequest) -> BTreeMap<String, (Span, BTreeMap<String, String>)> {
    let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
    let shown = |value: &KeyValue| match value.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    spans
        .map(|span| {
            let attributes = span.attributes.iter().map(|pair| (pair.key.clone(), shown(pair))).collect();
            (span.name.clone(), (span.clone(), attributes))
        })
        .collect()
}

#[test]
fn a_turn_is_a_tree_of_spans_with_their_times_and_attributes() {
    let collector = Collector::start(&[TAKEN]);
    let exporter = Exporter::start(settings(collector.url.clone())).unwrap();
    exporter.export(Box::new(without_content(turn())));
    exporter.flush(PATIENCE);
    let (head, request) = collector.next();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/x-protobuf\r\n") && head.contains("authorization: basic ytpi\r\n"), "{head}");
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(resource.attributes, [spans::text("service.name", "chat")]);
    let spans = by_name(&request);
    let of = |name: &str| &spans[name].0;
    let parent: TraceParent = PARENT.parse().unwrap();
    for (name, above, from_us, to_us, kind) in [
        ("invoke_workflow v3-framed", None, 0, 9_000, SpanKind::Internal),
        ("invoke_agent input", Some("invoke_workflow v3-framed"), 0, 2_000, SpanKind::Internal),
        ("chat small", Some("invoke_agent input"), 10, 1_510, SpanKind::Client),
        ("invoke_agent output", Some("invoke_workflow v3-framed"), 2_000, 9_000, SpanKind::Internal),
        ("invoke_agent ui", Some("invoke_workflow v3-framed"), 2_000, 9_000, SpanKind::Internal),
        ("chat large", Some("invoke_agent ui"), 2_100, 8_100, SpanKind::Client),
        ("execute_tool query", Some("invoke_agent output"), 2_500, 2_600, SpanKind::Client),
    ] {
        let span = of(name);
        let above = above.map_or(parent.span_id.0.to_vec(), |above| of(above).span_id.clone());
        assert_eq!((&span.trace_id, &span.parent_span_id), (&parent.trace_id.0.to_vec(), &above), "{name}");
        let at = |us: u64| (1_700_000_000_000_000 + us) * 1000;
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano, span.kind()), (at(from_us), at(to_us), kind), "{name}");
        assert_eq!(span.span_id.len(), 8);
        assert_eq!(spans[name].1["gen_ai.conversation.id"], "4b2a1940bfc9");
    }
    assert_eq!(spans.len(), 7, "{:?}", spans.keys());
    assert_eq!(of("invoke_workflow v3-framed").flags, 0x301, "its parent is elsewhere");
    assert_eq!(of("chat small").flags, 0x101);
    // What a call said of itself when it left is its span.
    let left = turn().context.of_call(CallId(2));
    assert_eq!(of("chat large").span_id, left.span_id.0);
    for (name, key, value) in [
        ("invoke_workflow v3-framed", "gen_ai.operation.name", "invoke_workflow"),
        ("invoke_workflow v3-framed", "gen_ai.workflow.name", "v3-framed"),
        ("invoke_workflow v3-framed", "framewright.path", "director"),
        ("invoke_workflow v3-framed", "framewright.turn", "msg_7"),
        ("invoke_workflow v3-framed", "gen_ai.usage.input_tokens", "80"),
        ("invoke_workflow v3-framed", "error.type", "database_failed"),
        ("invoke_agent ui", "gen_ai.agent.name", "ui"),
        ("invoke_agent ui", "framewright.frame", "2"),
        ("chat small", "gen_ai.operation.name", "chat"),
        ("chat small", "gen_ai.provider.name", "openai"),
        ("chat small", "gen_ai.request.model", "small"),
        ("chat small", "gen_ai.response.model", "small-2026"),
        ("chat small", "gen_ai.output.type", "json"),
        ("chat small", "gen_ai.request.max_tokens", "500"),
        ("chat small", "gen_ai.usage.output_tokens", "5"),
        ("chat small", "gen_ai.usage.cache_read.input_tokens", "30"),
        ("chat small", "framewright.retries", "1"),
        ("execute_tool query", "gen_ai.tool.name", "query"),
        ("execute_tool query", "db.namespace", "shop"),
        ("execute_tool query", "error.type", "database_failed"),
    ] {
        assert_eq!(spans[name].1.get(key).map(String::as_str), Some(value), "{name} {key}");
    }
    assert!(spans["chat small"].1["gen_ai.response.finish_reasons"].contains("length"));
    let failed = |name: &str| of(name).status.as_ref().map(|status| (status.code(), status.message.clone()));
    assert_eq!(failed("execute_tool query"), Some((StatusCode::Error, String::new())));
    assert_eq!(failed("chat large"), None);
    assert!(!format!("{request:?}").contains("pelican"), "no text of a message, summary or reason leaves");
    assert_eq!(exporter.counts(), (7, 0));
}

#[test]
fn messages_are_exported_where_that_was_asked_for() {
    let mut exported = Vec::new();
    spans::add(&mut exported, &turn());
    assert_eq!(spans::count(&turn()), exported.len() as u64);
    let of = |name: &str, key: &str| {
        let span = exported.iter().find(|span| span.name == name).unwrap();
        let pair = span.attributes.iter().find(|pair| pair.key == key).unwrap_or_else(|| panic!("{name} has no {key}"));
        let Some(Value::StringValue(text)) = pair.value.clone().and_then(|value| value.value) else { panic!("{pair:?}") };
        text
    };
    let messages: serde_json::Value = serde_json::from_str(&of("chat small", "gen_ai.input.messages")).unwrap();
    assert_eq!(messages, serde_json::json!([{"role": "user", "parts": [{"type": "text", "content": "a pelican?"}]}]));
    assert!(of("chat small", "gen_ai.output.messages").contains("a pelican!"));
    assert_eq!(of("execute_tool query", "gen_ai.tool.call.arguments"), "a pelican?");
    assert_eq!(of("execute_tool query", "gen_ai.tool.call.result"), "a pelican!");
}

#[test]
fn a_call_behind_a_turn_has_a_node_of_its_own_below_the_turn() {
    let record = record(9, CallKind::Llm, 10_000, 4_000);
    let what = FinishedWhat::Background { started_us: 1_700_000_000_000_000, record };
    let finished = Finished { what, calls: vec![asked(9, "memorizer", model("small"))], ..turn() };
    let mut exported = Vec::new();
    spans::add(&mut exported, &finished);
    assert_eq!(spans::count(&finished), exported.len() as u64);
    let [agent, chat] = &exported[..] else { panic!("{exported:?}") };
    assert_eq!((agent.name.as_str(), chat.name.as_str()), ("invoke_agent memorizer", "chat small"));
    assert_eq!((&agent.parent_span_id, &chat.parent_span_id), (&finished.context.span_id.0.to_vec(), &agent.span_id));
    assert_eq!(agent.start_time_unix_nano, 1_700_000_000_010_000_000);
}

#[test]
fn a_turn_whose_calls_are_no_longer_known_keeps_their_times() {
    let mut exported = Vec::new();
    spans::add(&mut exported, &Finished { calls: Vec::new(), ..turn() });
    let names: Vec<&str> = exported.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "chat").count(), 2, "{names:?}");
    assert_eq!(exported.len(), 7);
}

#[test]
fn what_a_collector_does_not_take_is_tried_once_more_and_then_lost_and_counted() {
    let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "too old".to_owned() };
    let partial = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let mut partly = format!("200 OK\r\ncontent-length: {}\r\n\r\n", partial.len()).into_bytes();
    partly.extend(partial);
    let partly: &'static [&'static [u8]] = Box::leak(Box::new([&*partly.leak()]));
    for (answers, tries, counts) in
        [(&[BUSY, TAKEN] as &'static [&'static [u8]], 2, (7, 0)), (&[BUSY, BUSY], 2, (0, 7)), (&[WRONG], 1, (0, 7)), (partly, 1, (4, 3))]
    {
        let collector = Collector::start(answers);
        let exporter = Exporter::start(settings(collector.url.clone())).unwrap();
        exporter.export(Box::new(without_content(turn())));
        exporter.flush(PATIENCE);
        assert_eq!(exporter.counts(), counts, "{answers:?}");
        assert_eq!(std::iter::from_fn(|| collector.got.try_recv().ok()).count(), tries, "{answers:?}");
    }
}

#[test]
fn a_collector_that_hangs_or_is_not_there_holds_nobody_up() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", hangs.local_addr().unwrap()).parse().unwrap();
    let exporter = Exporter::start(settings(url)).unwrap();
    let begun = Instant::now();
    // Enough for a full batch that hangs, a full queue behind it, and more.
    let turns = BATCH_SPANS / 7 + 1 + QUEUE_MAX + 200;
    (0..turns).for_each(|_| exporter.export(Box::new(without_content(turn()))));
    assert!(begun.elapsed() < PATIENCE, "nobody waited for the collector");
    let (exported, dropped) = exporter.counts();
    assert!(exported == 0 && dropped >= 7 * 100, "{dropped} spans were dropped and counted");
    exporter.flush(Duration::from_millis(50));
}

#[test]
fn a_batch_goes_out_by_itself() {
    let collector = Collector::start(&[TAKEN]);
    let exporter = Exporter::start(settings(collector.url.clone())).unwrap();
    (0..3).for_each(|_| exporter.export(Box::new(without_content(turn()))));
    let (_, request) = collector.next();
    assert!(!by_name(&request).is_empty());
}
