//! What an operator reads of a failure: status, cause and retries, but nothing that a user wrote and no key.

use crate::support::{Server, eventually};
use crate::world::{Model, QUESTION, server_before};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

const KEPT_SECRET: &str = "my diary says xylophone";

/// A provider that refuses everything, and repeats the request and a key while it does.
fn provider() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let header = |line: &String| Some(line.to_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().unwrap());
            let mut body = vec![0; head.iter().find_map(header).unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let message = body["messages"].as_array().and_then(|all| all.last()).map(|last| last["content"].to_string());
            let says = format!("overloaded by {} with sk-inside-1234 of Bearer abc.inside", message.unwrap_or_default());
            let body = json!({ "error": { "message": says } }).to_string();
            let head = format!("HTTP/1.1 503 Busy\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

/// The log's lines, each a JSON object; the start-up line is plain text.
fn logged(server: &Server) -> Vec<Value> {
    let said = server.said();
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().skip(1).filter(|line| !line.starts_with("warning: "));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_failing_provider_is_logged_with_its_status_and_without_what_a_user_wrote() {
    let address = provider();
    let more = ["--retries", "1", "--fallback-model", "spare", "--first-token-ms", "30000", "--call-ms", "60000"];
    let server = server_before(&format!("http://{address}/v1"), &more);
    let session = server.session("any");
    session.result_of(&session.send(KEPT_SECRET));
    let has = |lines: &[Value], message: &str| lines.iter().any(|line| line["message"] == message);
    let lines = eventually("the fallback's failure", || {
        let lines = logged(&server);
        let of_spare = |line: &&Value| line["message"] == "model call failed" && line["model"] == "spare";
        (lines.iter().filter(of_spare).count() >= 2).then_some(lines)
    });
    let failed = lines.iter().find(|line| line["message"] == "model call failed").unwrap();
    assert_eq!((&failed["level"], &failed["status"], &failed["model"]), (&json!("WARN"), &json!(503), &json!("faulty")));
    assert_eq!((&failed["role"], &failed["code"]), (&json!("input"), &json!("model_overloaded")));
    assert!(failed["timestamp"].is_string() && failed["target"].as_str().unwrap().starts_with("framewright::work"), "{failed}");
    assert!(failed["cause"].as_str().unwrap().contains("overloaded by"), "{failed}");
    assert!(has(&lines, "retrying") && has(&lines, "calling the fallback model"), "{lines:?}");
    let said = server.said();
    for secret in ["xylophone", "diary", "sk-inside", "abc.inside"] {
        assert!(!said.contains(secret), "`{secret}` is in the log: {said}");
    }
}

#[test]
fn a_key_a_model_a_quota_and_an_overload_each_have_their_own_sentence_code_and_line() {
    let model = Model::start(0);
    let server = model.patient_server(&["--retries", "1"]);
    for (fault, tries, code, sentence, advice) in [
        ("401", 1, "model_unauthorized", "refuses this server's key", "check it"),
        ("404", 1, "model_not_found", "does not know this server's model", "--llm-url"),
        ("429-quota", 1, "model_quota_exhausted", "is used up", "add credit"),
        ("429", 2, "model_rate_limited", "try again in a minute", "--workers"),
        ("503", 2, "model_overloaded", "is overloaded right now", "overloaded or starting"),
    ] {
        let session = server.session(fault);
        let mut chat = session.attached();
        chat.say(&json!({ "text": format!("fault:{fault}@input.head {QUESTION}") }));
        let done = chat.until_done("msg_1").pop().unwrap();
        let result = session.result();
        assert_eq!((&done["code"], &result["code"], &done["error"]), (&json!(code), &json!(code), &result["detail"]));
        assert!(result["detail"].as_str().unwrap().contains(sentence), "{result}");
        let lines = eventually("a line for each try", || {
            let failed = |line: &Value| line["message"] == "model call failed" && line["code"] == code;
            let lines: Vec<Value> = logged(&server).into_iter().filter(failed).collect();
            (lines.len() == tries).then_some(lines)
        });
        assert!(lines.iter().all(|line| line["advice"].as_str().unwrap().contains(advice)), "{lines:?}");
    }
}

#[test]
fn the_log_shows_what_its_filter_lets_through() {
    let server = server_before(&format!("http://{}/v1", provider()), &["--log", "off", "--retries", "0"]);
    let session = server.session("any");
    session.result_of(&session.send(KEPT_SECRET));
    assert_eq!(logged(&server), Vec::<Value>::new());
}
