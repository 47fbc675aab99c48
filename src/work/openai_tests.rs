//! The line to a provider, against a server that answers each request with bytes and then waits or hangs up.

use super::*;
use crate::contract::{ChatMessage, Finish, Role, Schema, StreamedField, Text};
use crate::work::Cancel;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// After each answer the server waits for the next request on the connection; `hangs_up` closes it instead.
fn serve(answers: Vec<String>, hangs_up: bool) -> (Uri, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap()).parse().unwrap();
    let (to, log) = channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        while answers.len() > 0 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = to.send("connected".to_owned());
            while let Some((head, body)) = request(&mut stream) {
                let _ = to.send(head.lines().next().unwrap_or_default().to_owned());
                let _ = to.send(body);
                // Whoever was told to stop may have gone.
                let _ = stream.write_all(answers.next().unwrap_or_default().as_bytes());
                if hangs_up {
                    break;
                }
            }
            let _ = to.send("closed".to_owned());
        }
    });
    (url, log)
}

/// Reads one request's head and body; `None` when the client has gone.
fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    }
}

/// Nothing is tried again, unless a test says so.
fn provider(url: Uri, word: Duration) -> Provider {
    Provider {
        url,
        key: Some(Key("secret".to_owned())),
        fast: "small".to_owned(),
        strong: "big".to_owned(),
        fallback: None,
        deadlines: Deadlines { connection: word, first_word: 2 * word, next_word: word },
        retries: Retries { retries_max: 0, pause: Duration::from_millis(2) },
        prices: Prices::default(),
    }
}

fn line(url: Uri, word: Duration) -> Box<dyn Model> {
    OpenAi::new(provider(url, word)).line()
}

/// What the model said, and how it ended.
fn ask(model: &mut dyn Model, cancel: &Cancel, time: Duration) -> (String, Result<Answer, CallError>) {
    let (said, ended) = ask_for(&question(), model, cancel, time);
    (said, ended.outcome)
}

fn question() -> ModelRequest {
    ModelRequest {
        role: "output".into(),
        stage: None,
        background: false,
        model: "fast".into(),
        messages: vec![ChatMessage::new(Role::User, Text::slot("message", "hi"))],
        schema: None,
        tools: Arc::default(),
        stream: true,
        streamed_field: None,
        tokens_max: 10,
    }
}

fn ask_for(asked: &ModelRequest, model: &mut dyn Model, cancel: &Cancel, time: Duration) -> (String, Ended) {
    let mut said = String::new();
    let mut say = |piece: &str| said.push_str(piece);
    let ended = model.answer(asked, &mut Call { cancel, due: Instant::now() + time, trace: None, say: &mut say });
    (said, ended)
}

fn chunked(head: &str, pieces: &[&str]) -> String {
    let pieces: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    format!("{head}\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n{pieces}")
}

const OK: &str = "HTTP/1.1 200 OK";
const HI: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(40);

#[test]
fn two_answers_come_over_one_connection() {
    let answer = chunked(OK, &[HI, STOP, ""]);
    let (url, log) = serve(vec![answer.clone(), answer], false);
    let mut model = line(url, LONG);
    for _ in 0..2 {
        let (said, outcome) = ask(&mut *model, &Cancel::default(), LONG);
        assert_eq!((said.as_str(), outcome.map(|answer| answer.finish)), ("Hi", Ok(Default::default())));
    }
    drop(model);
    let post = "POST /v1/chat/completions HTTP/1.1";
    assert_eq!(log.iter().filter(|line| !line.starts_with('{')).collect::<Vec<_>>(), ["connected", post, post, "closed"]);
}

#[test]
fn a_kept_connection_that_the_server_has_closed_is_no_failed_try() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url: Uri = format!("http://{}/v1", listener.local_addr().unwrap()).parse().unwrap();
    let server = thread::spawn(move || {
        let answer = chunked(OK, &[HI, STOP]) + "0\r\n\r\n";
        // The first connection takes a second request and hangs up; a new one that does so is a failure.
        for answers in [1, 1, 0] {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..answers {
                request(&mut stream).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
            request(&mut stream).unwrap();
        }
    });
    let (mut model, cancel) = (line(url, LONG), Cancel::default());
    for _ in 0..2 {
        let (said, outcome) = ask(&mut *model, &cancel, LONG);
        assert_eq!((said.as_str(), outcome.map(|answer| answer.retries)), ("Hi", Ok(Vec::new())));
    }
    let (_, outcome) = ask(&mut *model, &cancel, LONG);
    assert_eq!(outcome, Err(CallError::Unreachable));
    server.join().unwrap();
}

#[test]
fn every_fault_is_an_error_in_its_time() {
    let late = |waited: &str| CallError::Deadline { waited: waited.to_owned() };
    let drip = ": still here\n\n".repeat(3);
    // Only what a case waits for is short: all else has time on a machine that is busy.
    let whole = Deadlines { connection: LONG, first_word: LONG, next_word: LONG };
    // What the connection did not need, the first word may take.
    let first_word = Deadlines { connection: Duration::from_secs(2), first_word: SHORT, ..whole };
    let next_word = Deadlines { next_word: SHORT, ..whole };
    for (answer, hangs_up, deadlines, time, error) in [
        (String::new(), false, first_word, LONG, late("the first word")),
        (chunked(OK, &[&drip]), false, first_word, LONG, late("the first word")),
        (chunked(OK, &[HI]), false, next_word, LONG, late("the next word")),
        (String::new(), false, whole, SHORT, late("the end of the answer")),
        (String::new(), true, whole, LONG, CallError::Unreachable),
        (chunked(OK, &[HI]), true, whole, LONG, CallError::Truncated),
        (chunked(OK, &[HI, ""]), true, whole, LONG, CallError::Truncated),
        ("SSH-2.0\r\n\r\n".to_owned(), true, whole, LONG, CallError::Unreadable),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
            true,
            whole,
            LONG,
            CallError::Rejected { status: 302 },
        ),
        ("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n".to_owned(), true, whole, LONG, CallError::Unauthorized),
        ("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n".to_owned(), true, whole, LONG, CallError::NotFound),
        ("HTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n".to_owned(), true, whole, LONG, CallError::RateLimited),
        ("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n".to_owned(), true, whole, LONG, CallError::Busy),
    ] {
        let begun = Instant::now();
        let (url, _log) = serve(vec![answer.clone()], hangs_up);
        let provider = Provider { deadlines, ..provider(url, LONG) };
        assert_eq!(ask(&mut *OpenAi::new(provider).line(), &Cancel::default(), time).1, Err(error), "{answer}");
        assert!(begun.elapsed() < LONG);
    }
    let (url, _log) = serve(vec![String::new()], true);
    let no_tls = url.to_string().replace("http:", "https:").parse().unwrap();
    assert_eq!(ask(&mut *line(no_tls, SHORT), &Cancel::default(), LONG).1, Err(late("a connection")), "a server that never shakes hands");
    // Bound, so that nobody else takes it, and not listened on.
    let nobody = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    nobody.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let url = format!("http://{}/v1", nobody.local_addr().unwrap().as_socket().unwrap()).parse().unwrap();
    assert_eq!(ask(&mut *line(url, LONG), &Cancel::default(), LONG).1, Err(CallError::Unreachable));
}

#[test]
fn an_answer_that_is_finished_counts_whatever_becomes_of_the_connection() {
    let finish = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    for (last, hangs_up) in
        [(&[HI, finish][..], false), (&[HI, finish], true), (&[HI, finish, ": ping\n\n"], false), (&[HI, finish, ""], true)]
    {
        let (url, _log) = serve(vec![chunked(OK, last)], hangs_up);
        let mut provider = provider(url, LONG);
        provider.deadlines.next_word = 25 * SHORT;
        let (said, outcome) = ask(&mut *OpenAi::new(provider).line(), &Cancel::default(), LONG);
        assert_eq!((said.as_str(), outcome.map(|answer| answer.finish)), ("Hi", Ok(Finish::Stop)), "{last:?} {hangs_up}");
    }
}

#[test]
fn a_cancelled_call_closes_its_connection_and_the_next_one_works() {
    let (url, log) = serve(vec![chunked(OK, &[HI]), chunked(OK, &[HI, STOP, ""])], false);
    let mut model = line(url, LONG);
    let cancel = Arc::new(Cancel::default());
    let canceller = cancel.clone();
    let provider = thread::spawn(move || {
        let heard: Vec<String> = log.iter().take(3).collect();
        canceller.cancel();
        assert_eq!(log.recv_timeout(LONG).as_deref(), Ok("closed"));
        heard
    });
    let outcome = ask(&mut *model, &cancel, LONG).1;
    assert!(outcome.is_err(), "the pool calls it cancelled: {outcome:?}");
    provider.join().unwrap();
    assert_eq!(ask(&mut *model, &cancel, LONG).1, Err(CallError::Cancelled), "cancelled before it began");
    assert_eq!(ask(&mut *model, &Cancel::default(), LONG).0, "Hi");
}

#[test]
fn a_key_is_never_shown() {
    assert_eq!(format!("{:?}", Key("sk-1".to_owned())), "•••");
}

fn whole(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// The bodies that a server got.
fn bodies(log: &Receiver<String>) -> Vec<serde_json::Value> {
    log.try_iter().filter_map(|line| serde_json::from_str(&line).ok()).collect()
}

#[test]
fn what_passes_is_tried_again_until_there_is_an_answer_or_enough_was_tried() {
    let answer = chunked(OK, &[HI, STOP, ""]);
    let busy = whole("429 Busy", "retry-after-ms: 5\r\n", "{}");
    let down = whole("503 Down", "", "<html>");
    let inside = chunked(OK, &["data: {\"error\":{\"code\":503}}\n\n", ""]);
    let begun = chunked(OK, &[HI, "data: {\"error\":{\"code\":503}}\n\n", ""]);
    let late = whole("429 Busy", "retry-after: 3600\r\n", "{}");
    let poor = whole("429 Busy", "", r#"{"error":{"code":"insufficient_quota"}}"#);
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_owned();
    for (answers, outcome, tries) in [
        (vec![&busy, &down, &answer], Ok("Hi"), 3),
        (vec![&inside, &cut, &answer], Ok("Hi"), 3),
        (vec![&down, &down, &busy, &answer], Err(CallError::RateLimited), 3),
        (vec![&begun, &answer], Err(CallError::Busy), 1),
        (vec![&late, &answer], Err(CallError::RateLimited), 1),
        (vec![&poor, &answer], Err(CallError::QuotaExhausted), 1),
    ] {
        let (url, log) = serve(answers.into_iter().cloned().collect(), true);
        let mut provider = provider(url, LONG);
        provider.retries.retries_max = 2;
        let (said, ended) = ask(&mut *OpenAi::new(provider).line(), &Cancel::default(), LONG);
        assert_eq!((ended.map(|_| said.as_str()), bodies(&log).len()), (outcome, tries));
    }
}

#[test]
fn a_pause_between_two_tries_ends_when_the_call_is_cancelled_or_would_be_late() {
    let busy = whole("429 Busy", "retry-after: 15\r\n", "{}");
    let (url, log) = serve(vec![busy.clone(), busy], true);
    let mut provider = provider(url, LONG);
    provider.retries.retries_max = 2;
    let mut model = OpenAi::new(provider).line();
    let begun = Instant::now();
    assert_eq!(ask(&mut *model, &Cancel::default(), Duration::from_secs(10)).1, Err(CallError::RateLimited), "it would end too late");
    let cancel = Arc::new(Cancel::default());
    let canceller = cancel.clone();
    let provider = thread::spawn(move || {
        assert!(log.iter().filter(|line| line == "closed").nth(1).is_some());
        canceller.cancel();
    });
    assert!(ask(&mut *model, &cancel, LONG).1.is_err());
    provider.join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn a_shape_is_asked_for_in_simpler_ways_and_the_one_that_worked_is_kept() {
    let no = |param: &str| whole("400 No", "", &format!(r#"{{"error":{{"message":"no","param":"{param}"}}}}"#));
    let called = "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"shape\",\"arguments\":\"{\\\"n\\\":1}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n";
    let answer = chunked(OK, &[called, "data: [DONE]\n\n", ""]);
    let answers = vec![no("response_format"), no("max_tokens"), no("response_format.type"), answer.clone(), answer];
    let (url, log) = serve(answers, false);
    let mut model = OpenAi::new(provider(url, LONG)).line();
    let schema = Schema { name: "shape".into(), json: r#"{"type":"object"}"#.into() };
    let asked = ModelRequest { schema: Some(Arc::new(schema)), stream: false, ..question() };
    for tries in [4, 1] {
        let ended = ask_for(&asked, &mut *model, &Cancel::default(), LONG).1;
        let answer = ended.outcome.unwrap();
        assert_eq!((answer.text.as_str(), answer.finish, answer.tool_calls.len()), (r#"{"n":1}"#, Finish::Stop, 0));
        let asked: Vec<_> = bodies(&log);
        assert_eq!(asked.len(), tries, "{asked:?}");
        let last = asked.last().unwrap();
        assert_eq!(last["tool_choice"]["function"]["name"], "shape");
        assert_eq!((&last["max_tokens"], &last["max_completion_tokens"]), (&serde_json::Value::Null, &serde_json::json!(10)));
    }
}

#[test]
fn where_no_way_of_asking_works_nothing_is_learned() {
    let no = whole("400 No", "", r#"{"error":{"message":"bad request"}}"#);
    let (url, log) = serve(vec![no.clone(), no.clone(), no.clone(), chunked(OK, &[HI, STOP, ""])], true);
    let mut model = OpenAi::new(provider(url, LONG)).line();
    let schema = Schema { name: "shape".into(), json: "{}".into() };
    let asked = ModelRequest { schema: Some(Arc::new(schema)), stream: false, ..question() };
    assert_eq!(ask_for(&asked, &mut *model, &Cancel::default(), LONG).1.outcome, Err(CallError::Rejected { status: 400 }));
    assert_eq!(bodies(&log).len(), 3, "each rung once");
    assert!(ask_for(&asked, &mut *model, &Cancel::default(), LONG).1.outcome.is_ok());
    assert_eq!(bodies(&log)[0]["response_format"]["type"], "json_schema", "the next call begins with the best way again");
}

#[test]
fn a_second_model_is_asked_where_the_first_fails_for_good_before_its_first_token() {
    let answer = chunked(OK, &[HI, STOP, ""]);
    let (gone, busy) = (whole("404 No", "", "{}"), whole("429 Busy", "retry-after: 3600\r\n", "{}"));
    let begun = chunked(OK, &[HI]);
    for (answers, outcome, models) in [
        (vec![&gone, &answer], Ok("Hi"), &["small", "other"][..]),
        (vec![&busy, &answer], Ok("Hi"), &["small", "other"]),
        (vec![&busy, &gone], Err(CallError::RateLimited), &["small", "other"]),
        (vec![&begun, &answer], Err(CallError::Truncated), &["small"]),
    ] {
        let (url, log) = serve(answers.into_iter().cloned().collect(), true);
        let provider = Provider { fallback: Some("other".to_owned()), ..provider(url, LONG) };
        let (said, ended) = ask(&mut *OpenAi::new(provider).line(), &Cancel::default(), LONG);
        let asked: Vec<String> = bodies(&log).iter().map(|body| body["model"].as_str().unwrap().to_owned()).collect();
        assert_eq!(
            (ended.map(|_| said.as_str()), &asked[..]),
            (outcome, &models.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..])
        );
    }
}

#[test]
fn tokens_are_counted_of_calls_that_are_cut_and_of_every_try() {
    let counted = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
    let empty = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":0}}\n\n";
    let failed = "data: {\"error\":{\"code\":503}}\n\n";
    let (url, _log) = serve(vec![chunked(OK, &[empty, failed, ""]), chunked(OK, &[counted])], true);
    let mut provider = provider(url, LONG);
    provider.retries.retries_max = 2;
    let ended = ask_for(&question(), &mut *OpenAi::new(provider).line(), &Cancel::default(), LONG).1;
    assert_eq!((ended.outcome, ended.usage.total_tokens), (Err(CallError::Truncated), 7));
}

#[test]
fn a_name_server_that_hangs_costs_each_call_its_connection_time_and_no_more() {
    // A name that no proxy is asked for.
    let url: Uri = "http://localhost:9/v1".parse().unwrap();
    let provider = OpenAi::new(provider(url, Duration::from_millis(60)));
    provider.0.names.hang();
    let begun = Instant::now();
    let late = CallError::Deadline { waited: "a connection".to_owned() };
    for _ in 0..2 {
        assert_eq!(ask(&mut *provider.line(), &Cancel::default(), LONG).1, Err(late.clone()));
    }
    assert!(begun.elapsed() < LONG);
}

/// An answer that thinks and says, and how many tokens it took for each.
fn thought(said: &str, finish: &str, usage: &str) -> String {
    let thinking = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
    let said = serde_json::json!({"choices": [{"delta": {"content": said}}]});
    let end = format!("data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"{finish}\"}}],\"usage\":{usage}}}\n\ndata: [DONE]\n\n");
    chunked(OK, &[thinking, &format!("data: {said}\n\n"), &end, ""])
}

/// The longest answers that a server was asked for.
fn limits(log: &Receiver<String>) -> Vec<Option<u64>> {
    bodies(log).iter().map(|body| body["max_tokens"].as_u64()).collect()
}

#[test]
fn an_answer_that_was_cut_before_it_could_be_read_is_asked_for_with_more_room_and_that_is_kept() {
    let usage = r#"{"prompt_tokens":3,"completion_tokens":2}"#;
    let (cut, whole, half) = (thought("", "length", usage), thought("{\"n\":1}", "stop", usage), thought("{\"n\":", "length", usage));
    // Only blanks, or something else, came behind the object.
    let runs_on = thought("{\"n\":1}\n\n\n", "length", usage);
    let schema = Schema { name: "shape".into(), json: r#"{"type":"object"}"#.into() };
    let shape = || ModelRequest { schema: Some(Arc::new(schema.clone())), stream: false, ..question() };
    let notes = || ModelRequest { stream: false, ..question() };
    for (asked, answers, text, finish, tried, then) in [
        (shape(), vec![&cut, &whole, &whole], "{\"n\":1}", Finish::Stop, &[Some(10), Some(4_106)][..], Some(4_106)),
        (shape(), vec![&half, &half, &whole, &whole], "{\"n\":1}", Finish::Stop, &[Some(10), Some(4_106), None], None),
        (shape(), vec![&runs_on, &whole], "{\"n\":1}\n\n\n", Finish::Length, &[Some(10)], Some(10)),
        (shape(), vec![&half, &cut, &half, &whole], "{\"n\":", Finish::Length, &[Some(10), Some(4_106), None], Some(10)),
        (notes(), vec![&half, &whole, &whole], "{\"n\":1}", Finish::Stop, &[Some(10), Some(4_106)], Some(4_106)),
        (question(), vec![&cut, &whole, &whole], "{\"n\":1}", Finish::Stop, &[Some(10), Some(4_106)], Some(4_106)),
        // Some of it was shown: it can't be unsaid.
        (question(), vec![&half, &whole], "{\"n\":", Finish::Length, &[Some(10)], Some(10)),
    ] {
        let (url, log) = serve(answers.into_iter().cloned().collect(), false);
        let mut model = OpenAi::new(provider(url, LONG)).line();
        let (said, ended) = ask_for(&asked, &mut *model, &Cancel::default(), LONG);
        let answer = ended.outcome.unwrap();
        assert_eq!((said + &answer.text, answer.finish), (text.to_owned(), finish));
        assert_eq!(limits(&log), tried);
        assert_eq!(ended.usage.completion_tokens, 2 * tried.len() as u64, "every try is counted");
        let reasons = ["cut at 10 tokens before it could be read: 4106 tokens", "cut at 4106 tokens before it could be read: no limit"];
        assert_eq!(answer.retries, reasons[..tried.len() - 1]);
        ask_for(&asked, &mut *model, &Cancel::default(), LONG).1.outcome.unwrap();
        assert_eq!(limits(&log), [then], "the next call asks right at once");
    }
}

#[test]
fn a_field_is_streamed_and_after_a_cut_what_is_new_of_it() {
    let answer = |words: &str, finish| {
        let text = format!(r#"{{"expert":null,"answer":"{words}"#) + if finish == "stop" { "\"}" } else { "" };
        (thought(&text, finish, r#"{"completion_tokens":2}"#), text)
    };
    let (cut, whole, other) = (answer("Hello, wor", "length"), answer("Hello, world.", "stop"), answer("Hi!", "stop"));
    let schema = Schema { name: "routing".into(), json: r#"{"type":"object"}"#.into() };
    let says = StreamedField { field: "answer".into(), unless: Some("expert".into()) };
    let asked = ModelRequest { schema: Some(Arc::new(schema)), stream: false, streamed_field: Some(says), ..question() };
    for (answers, pieces, text) in [
        (vec![&whole], &["Hello, world."][..], &whole),
        (vec![&cut, &whole], &["Hello, wor", "ld."], &whole),
        (vec![&cut, &cut, &whole], &["Hello, wor", "ld."], &whole),
        // What differs is shown when it is whole.
        (vec![&cut, &other], &["Hello, wor"], &other),
        (vec![&cut, &cut, &cut], &["Hello, wor"], &cut),
    ] {
        let (url, log) = serve(answers.iter().map(|(bytes, _)| bytes.clone()).collect(), false);
        let mut said = Vec::new();
        let mut say = |piece: &str| said.push(piece.to_owned());
        let mut call = Call { cancel: &Cancel::default(), due: Instant::now() + LONG, trace: None, say: &mut say };
        let ended = OpenAi::new(provider(url, LONG)).line().answer(&asked, &mut call);
        assert_eq!(
            (ended.outcome.unwrap().text.as_str(), said.as_slice()),
            (text.1.as_str(), &pieces.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..])
        );
        assert_eq!(limits(&log).len(), answers.len());
    }
}

#[test]
fn thoughts_that_the_provider_counts_are_no_part_of_the_limit() {
    let usage = r#"{"prompt_tokens":3,"completion_tokens":9000,"completion_tokens_details":{"reasoning_tokens":8990}}"#;
    for (said, finish) in [("Hi", "stop"), ("Hi", "length")] {
        let (url, log) = serve(vec![thought(said, finish, usage), thought(said, "stop", usage)], false);
        let mut model = OpenAi::new(provider(url, LONG)).line();
        let ended = ask_for(&question(), &mut *model, &Cancel::default(), LONG).1;
        assert_eq!((ended.usage.reasoning_tokens, ended.outcome.unwrap().retries), (8_990, Vec::<String>::new()));
        assert_eq!(ask(&mut *model, &Cancel::default(), LONG).0, "Hi");
        assert_eq!(limits(&log), [Some(10), Some(17_990)]);
    }
}

#[test]
fn a_limit_that_the_provider_does_not_take_is_left_out() {
    let usage = r#"{"completion_tokens":2}"#;
    let refused = whole("400 No", "", r#"{"error":{"message":"max_tokens is too large: 4106"}}"#);
    let answers = vec![thought("", "length", usage), refused, thought("Hi", "stop", usage)];
    let (url, log) = serve(answers, false);
    let (said, ended) = ask_for(&question(), &mut *OpenAi::new(provider(url, LONG)).line(), &Cancel::default(), LONG);
    assert_eq!((said.as_str(), ended.outcome.unwrap().retries.len()), ("Hi", 2));
    assert_eq!(limits(&log), [Some(10), Some(4_106), None]);
}

#[test]
fn each_refusal_has_a_code_and_a_sentence_of_its_own() {
    let used_up = r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","code":"insufficient_quota"}}"#;
    let mut seen = std::collections::BTreeSet::new();
    for (status, body, code) in [
        ("401 No", "{}", "model_unauthorized"),
        ("404 No", r#"{"error":{"code":"model_not_found"}}"#, "model_not_found"),
        ("429 No", used_up, "model_quota_exhausted"),
        ("429 No", "{}", "model_rate_limited"),
        ("503 No", "{}", "model_overloaded"),
        ("529 No", "{}", "model_overloaded"),
        ("500 No", "{}", "model_failed"),
        ("400 No", "{}", "model_rejected"),
    ] {
        let (url, _log) = serve(vec![whole(status, "", body)], true);
        let error = ask(&mut *line(url, LONG), &Cancel::default(), LONG).1.unwrap_err();
        assert_eq!(error.code().name(), code);
        seen.insert((error.code(), error.to_string()));
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
    let of_quota = seen.iter().find(|(code, _)| *code == crate::contract::Code::ModelQuotaExhausted).unwrap();
    assert!(!of_quota.1.contains("try again"), "waiting doesn't help");
}
