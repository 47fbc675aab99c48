//! Fixtures in each provider's dialect: what it sends, and what we hear. Each is cut in two at every byte, and comes byte by byte.

use super::*;
use crate::contract::StreamedField;
use CallError::{Busy, Failed, NotFound, QuotaExhausted, RateLimited, Rejected, TooLarge, Truncated, Unauthorized, Unreadable};
use Finish::{Length, Stop};
use serde_json::json;

/// What was said, how it ended, the tools called and the tokens used.
#[derive(Debug, PartialEq)]
struct Heard {
    text: String,
    end: Result<Finish, CallError>,
    tools: Vec<(String, Value)>,
    tokens: u64,
}

fn hear(bytes: &[u8], cut: usize, bounds: Bounds) -> Heard {
    hear_in([&bytes[..cut], &bytes[cut..]], bounds)
}

fn hear_in<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bounds: Bounds) -> Heard {
    let mut text = String::new();
    let mut say = |piece: &str| text.push_str(piece);
    let mut reader = Reader::new(bounds, Manner::default(), Streams::Text);
    let fed = pieces.into_iter().try_for_each(|piece| reader.feed(piece, &mut say));
    let answer = fed.and_then(|()| reader.end(&mut say));
    let tools = answer.iter().flat_map(|answer| &answer.tool_calls).map(|call| (call.tool.clone(), call.args.clone())).collect();
    Heard { text, end: answer.map(|answer| answer.finish), tools, tokens: reader.usage().total_tokens }
}

fn check(fixture: &str, expected: Heard) {
    assert_eq!(hear_in(fixture.as_bytes().chunks(1), Bounds::default()), expected, "byte by byte: {fixture}");
    for cut in 0..=fixture.len() {
        assert_eq!(hear(fixture.as_bytes(), cut, Bounds::default()), expected, "cut at {cut}: {fixture}");
    }
}

fn said(text: &str, tokens: u64) -> Heard {
    Heard { text: text.to_owned(), end: Ok(Stop), tools: Vec::new(), tokens }
}

fn failed(text: &str, error: CallError) -> Heard {
    Heard { text: text.to_owned(), end: Err(error), tools: Vec::new(), tokens: 0 }
}

fn called(tools: &[(&str, Value)], tokens: u64) -> Heard {
    let tools = tools.iter().map(|(tool, args)| ((*tool).to_owned(), args.clone())).collect();
    Heard { text: String::new(), end: Ok(Finish::ToolCalls), tools, tokens }
}

/// A stream of these objects, without `[DONE]`.
fn stream(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("data: {object}\n\n")).collect()
}

fn text(content: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn tools(calls: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": null, "tool_calls": calls}, "finish_reason": null}]})
}

const DONE: &str = "data: [DONE]\n\n";

#[test]
fn text_and_its_usage_in_every_dialect() {
    let openai = [
        json!({"id": "chatcmpl-A", "object": "chat.completion.chunk", "model": "gpt-x", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "", "refusal": null}, "logprobs": null, "finish_reason": null}], "usage": null, "obfuscation": "k3"}),
        text("Sure"),
        finish("stop"),
        json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 1, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 0}}}),
    ];
    check(&(stream(&openai) + DONE), said("Sure", 12));

    let openrouter = [
        json!({"id": "gen-17", "provider": "SomeHost", "choices": [{"delta": {"content": "", "reasoning": "Look at tables", "reasoning_details": [{"type": "reasoning.text", "text": "Look"}]}, "finish_reason": null, "native_finish_reason": null}]}),
        text("Ok"),
        json!({"choices": [{"delta": {"content": ""}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "cost": 0.000031}}),
    ];
    check(&format!(": OPENROUTER PROCESSING\n\n{}{DONE}", stream(&openrouter)), said("Ok", 14));

    let vllm = [
        json!({"choices": [{"index": 0, "delta": {"reasoning": "hm"}, "finish_reason": null, "token_ids": null}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}),
        json!({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop", "stop_reason": null}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}),
        json!({"choices": null, "usage": null}),
    ];
    check(&(stream(&vllm) + DONE), said("Hi", 5));

    let llama = [
        json!({"choices": [{"finish_reason": null, "index": 0, "delta": {"role": "assistant", "content": null}}]}),
        json!({"choices": [{"finish_reason": null, "index": 0, "delta": {"reasoning_content": "…"}}]}),
        text("Grüße"),
        json!({"choices": [{"finish_reason": "stop", "index": 0, "delta": {}}], "usage": {"completion_tokens": 8, "prompt_tokens": 20, "total_tokens": 28}, "timings": {"prompt_n": 20}}),
    ];
    check(&format!(":\n\n{}data: [DONE]", stream(&llama)), said("Grüße", 28));

    let refused = [json!({"choices": [{"delta": {"content": "", "refusal": "I can't."}, "finish_reason": "stop"}]})];
    check(&stream(&refused), said("I can't.", 0));

    let raw_reasoning = [text("<thi"), text("nk>hm</thi"), text("nk>\n\nYes"), finish("stop")];
    check(&stream(&raw_reasoning), said("Yes", 0));
}

#[test]
fn lines_end_as_they_like_in_every_dialect() {
    let usage = json!({"choices": [], "usage": {"total_tokens": 4}});
    let whole = format!(": ping\n\nid: 1\nevent: message\nretry: 5\n{}{DONE}", stream(&[text("Hi"), finish("stop"), usage.clone()]));
    for end in ["\n", "\r\n", "\r"] {
        check(&whole.replace('\n', end), said("Hi", 4));
        check(&format!("\u{FEFF}{}", whole.replace('\n', end)), said("Hi", 4));
        check(whole.trim_end(), said("Hi", 4));
    }
    let over_two_lines = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\ndata: \"finish_reason\":\"stop\"}]}\n\n";
    check(over_two_lines, said("Hi", 0));
}

#[test]
fn what_is_missing_or_null_says_nothing() {
    let nothing = [
        json!({}),
        json!({"choices": null}),
        json!({"choices": []}),
        json!({"choices": [{}]}),
        json!({"choices": [{"delta": null, "finish_reason": null}]}),
        json!({"choices": [{"delta": {"content": null, "tool_calls": null, "role": null}}], "usage": null, "error": null}),
        json!({"id": "m", "object": "moderation", "choices": [], "moderation": {"flagged": false}}),
    ];
    let mut objects = nothing.to_vec();
    objects.push(text("Hi"));
    objects.extend(nothing.to_vec());
    objects.push(finish("stop"));
    objects.extend(nothing);
    check(&(stream(&objects) + DONE), said("Hi", 0));
}

#[test]
fn anthropic_lm_studio_ollama_and_gateways_each_in_their_own_way() {
    let anthropic = [
        json!({"id": "msg_1", "object": "chat.completion.chunk", "model": "claude", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]}),
        text("lo"),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"input_tokens": 5, "output_tokens": 2}}),
    ];
    check(&(stream(&anthropic) + DONE), said("Hello", 7));
    let forced = [
        tools(json!([{"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "perception", "arguments": ""}}])),
        tools(json!([{"index": 0, "function": {"arguments": "{\"tone\":"}}])),
        tools(json!([{"index": 0, "function": {"arguments": "\"kind\"}"}}])),
        finish("tool_calls"),
    ];
    check(&(stream(&forced) + DONE), called(&[("perception", json!({"tone": "kind"}))], 0));

    let ollama = |content: &str| json!({"model": "qwen", "system_fingerprint": "fp_ollama", "choices": [{"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": null}]});
    let thought =
        json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "", "reasoning": "hm"}, "finish_reason": null}]});
    check(&(stream(&[thought, ollama("He"), ollama("llo"), finish("stop")]) + DONE), said("Hello", 0));

    let lm_studio = [json!({"choices": [{"delta": {"role": "assistant", "reasoning_content": "hm"}}]}), text("Hi"), finish("stop")];
    check(&(stream(&lm_studio) + DONE), said("Hi", 0));
    let template = "event: error\ndata: {\"error\":{\"message\":\"Error rendering prompt with jinja template\"}}\n\n";
    check(template, failed("", Failed { status: 500 }));

    let died = stream(&[text("Hi"), finish("stop"), json!({"error": {"message": "EngineCore died", "code": 500}})]) + DONE;
    check(&died, failed("Hi", Failed { status: 500 }));
    let loading = json!({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}});
    check(&loading.to_string(), failed("", Busy));
    check(&format!("\n{loading}\n"), failed("", Busy));

    let whole_args = [
        tools(json!([{"function": {"name": "describe", "arguments": {"table": "users"}}}])),
        tools(json!([{"index": null, "function": {"name": "list", "arguments": ""}}])),
        finish("stop"),
    ];
    check(&stream(&whole_args), called(&[("describe", json!({"table": "users"})), ("list", json!({}))], 0));
    let thought_and_called = [
        json!({"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.text", "text": "which?"}], "content": null}}]}),
        tools(json!([{"index": 0, "id": "a", "function": {"arguments": "{\"n\":"}}])),
        tools(json!([{"index": 0, "id": "a", "function": {"name": "count", "arguments": "1}"}}])),
        finish("stop"),
    ];
    check(&(stream(&thought_and_called) + DONE), called(&[("count", json!({"n": 1}))], 0));
}

#[test]
fn the_first_token_is_told_from_the_first_chunk() {
    let role = json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "", "refusal": null}}]});
    for (object, has_begun) in [
        (role, false),
        (json!({"choices": [], "usage": {"total_tokens": 3}}), false),
        (json!({"error": {"code": 503}, "choices": [{"delta": {"content": "x"}}]}), false),
        (json!({"choices": [{"delta": {"reasoning": "", "reasoning_details": []}}]}), false),
        (json!({"choices": [{"delta": {"reasoning_content": "hm"}}]}), true),
        (json!({"choices": [{"delta": {"content": "", "refusal": "no"}}]}), true),
        (tools(json!([{"id": "a"}])), true),
        (text("<think>"), true),
    ] {
        let mut reader = Reader::new(Bounds::default(), Manner::default(), Streams::Text);
        let _ = reader.feed(stream(std::slice::from_ref(&object)).as_bytes(), &mut |_| {});
        assert_eq!(reader.has_begun(), has_begun, "{object}");
    }
}

#[test]
fn an_answer_may_come_as_one_document() {
    let document = json!({"model": "m", "choices": [{"message": {"role": "assistant", "content": "Hi", "reasoning_content": "hm"}, "finish_reason": "stop"}], "usage": {"total_tokens": 3}});
    check(&document.to_string(), said("Hi", 3));
    check(&format!("\u{FEFF}\n{document:#}"), said("Hi", 3));
    let parts = json!({"choices": [{"message": {"content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}, "finish_reason": "stop"}]});
    check(&parts.to_string(), said("Hi", 0));
    let calls = json!({"choices": [{"message": {"content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": "stop"}]});
    check(&calls.to_string(), called(&[("f", json!({}))], 0));
    check(&format!("\u{FEFF}{}", stream(&[text("Hi"), finish("stop")])), said("Hi", 0));
}

#[test]
fn tool_calls_are_put_together_in_every_dialect() {
    let openai = [
        tools(json!([{"index": 0, "id": "call_a", "type": "function", "function": {"name": "describe", "arguments": ""}}])),
        tools(json!([{"index": 0, "function": {"arguments": "{\"table\":\"us"}}])),
        tools(json!([{"index": 0, "function": {"arguments": "ers\"}"}}])),
        tools(
            json!([{"index": 1, "id": "call_b", "type": "function", "function": {"name": "describe", "arguments": "{\"table\":\"orders\"}"}}]),
        ),
        finish("tool_calls"),
    ];
    check(&(stream(&openai) + DONE), called(&[("describe", json!({"table": "users"})), ("describe", json!({"table": "orders"}))], 0));

    let ollama = [
        tools(
            json!([{"id": "call_x", "index": 0, "type": "function", "function": {"name": "describe", "arguments": "{\"table\":\"a\"}"}}]),
        ),
        tools(
            json!([{"id": "call_y", "index": 0, "type": "function", "function": {"name": "describe", "arguments": "{\"table\":\"b\"}"}}]),
        ),
        finish("tool_calls"),
        json!({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}}),
    ];
    check(&(stream(&ollama) + DONE), called(&[("describe", json!({"table": "a"})), ("describe", json!({"table": "b"}))], 42));

    let gemini = [
        tools(json!([{"id": "c1", "type": "function", "function": {"name": "describe", "arguments": "{\"table\":\"users\"}"}}])),
        finish("stop"),
    ];
    check(&stream(&gemini), called(&[("describe", json!({"table": "users"}))], 0));

    check(&stream(&[tools(json!([{"id": "c1"}])), finish("stop")]), failed("", Unreadable));
}

#[test]
fn an_error_inside_a_stream_is_an_error_in_every_dialect() {
    let hi = stream(&[text("Hi")]);
    for (fixture, error) in [
        (
            stream(&[json!({"error": {"message": "The server had a problem.", "type": "server_error", "param": null, "code": null}})]),
            Failed { status: 500 },
        ),
        (
            stream(&[
                json!({"id": "gen-18", "error": {"code": 502, "message": "Upstream disconnected"}, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}),
            ]),
            Failed { status: 502 },
        ),
        (stream(&[finish("error")]), Failed { status: 502 }),
        (
            stream(&[json!({"error": {"message": "EngineCore died", "type": "InternalServerError", "code": 500}})]) + DONE,
            Failed { status: 500 },
        ),
        ("error: {\"code\":400,\"message\":\"the request exceeds the available context size\"}\n\n".to_owned(), Rejected { status: 400 }),
        ("event: error\ndata: {\"error\":{\"code\":\"429\"}}\n\n".to_owned(), RateLimited),
        ("event: error\ndata: it broke\n\n".to_owned(), Failed { status: 500 }),
        ("{\"error\":{\"code\":400,\"message\":\"context too small\"}}\n".to_owned(), Rejected { status: 400 }),
        (stream(&[json!({"error": "model not loaded", "choices": 7})]), Failed { status: 500 }),
        (stream(&[json!({"error": {"type": "invalid_request_error", "code": "context_length_exceeded"}})]), Rejected { status: 400 }),
        (stream(&[json!({"error": {"code": "invalid_api_key"}})]), Unauthorized),
        (stream(&[json!({"error": {"code": "insufficient_quota"}})]), QuotaExhausted),
        (stream(&[json!({"error": {"type": "overloaded_error"}})]), Busy),
        (stream(&[json!({"error": {"code": "model_not_found"}})]), NotFound),
        (stream(&[json!({"choices": 7})]), Unreadable),
        ("data: {\"choices\":[{\n\n".to_owned(), Unreadable),
    ] {
        check(&(hi.clone() + &fixture), failed("Hi", error));
    }
    check("{\n  \"error\": {\"code\": 400}\n}\n", failed("", Rejected { status: 400 }));
    check("<html><body>502 Bad Gateway</body></html>", failed("", Unreadable));
}

#[test]
fn what_breaks_off_is_never_a_short_answer() {
    let cut_in_a_character = b"data: {\"choices\":[{\"delta\":{\"content\":\"\xC3\"}}]}\n\n";
    assert_eq!(hear(cut_in_a_character, 0, Bounds::default()), failed("", Unreadable));
    for (fixture, heard) in [
        (stream(&[text("Hi")]), failed("Hi", Truncated)),
        (String::new(), failed("", Truncated)),
        (": ping\n\n".to_owned(), failed("", Truncated)),
        (DONE.to_owned(), failed("", Unreadable)),
        (stream(&[text("Hi")]) + DONE, said("Hi", 0)),
        (stream(&[text("Hi"), finish("length")]), Heard { end: Ok(Length), ..said("Hi", 0) }),
        (stream(&[text("Hi"), finish("content_filter")]), Heard { end: Ok(Finish::ContentFilter), ..said("Hi", 0) }),
        (stream(&[text("Hi"), finish("stop")]) + DONE + "data: nonsense\n\n", said("Hi", 0)),
    ] {
        check(&fixture, heard);
    }
}

#[test]
fn everything_that_can_grow_has_an_end() {
    let bounds = Bounds { text_bytes_max: 10, piece_bytes_max: 200, all_bytes_max: 1_000 };
    let argument = tools(json!([{"id": "a", "function": {"name": "f", "arguments": "\"aaaaaaaaaa\""}}]));
    for (fixture, heard) in [
        (stream(&[text("12345"), text("123456")]), "12345"),
        (stream(&[argument]), ""),
        (format!("data: {}", "a".repeat(200)), ""),
        (format!("{{\"a\":\"{}", "a".repeat(200)), ""),
        (": ping\n".repeat(200), ""),
    ] {
        assert_eq!(hear(fixture.as_bytes(), 0, bounds), failed(heard, TooLarge), "{fixture}");
    }
}

#[test]
fn of_an_answer_in_a_shape_only_the_field_for_the_user_goes_out_and_its_text_stays_whole() {
    let json = r#"{"expert":null,"job":"\"answer\":\"no\"","answer":"Grüße, \ud83c\udfb2!\n"}"#;
    let (head, tail) = json.split_at(json.find("udfb2").unwrap());
    let example = r#"{"expert":null,"answer":"Hm."}"#;
    for (objects, said) in [
        (vec![text(&format!("Sure:\n```json\n{head}")), text(&format!("{tail}\n```"))], "Grüße, 🎲!\n"),
        (vec![text(&format!("<think>maybe {example}</think>{head}")), text(tail)], "Grüße, 🎲!\n"),
        (vec![json!({"choices": [{"delta": {"reasoning_content": example}}]}), text(head), text(tail)], "Grüße, 🎲!\n"),
        (vec![text(r#"{"x":[1,"#), text("</think>"), text(head), text(tail)], "Grüße, 🎲!\n"),
        // What was taken for the answer was a thought: what follows differs from it, and the whole corrects it.
        (vec![text(example), text("</think>"), text(head), text(tail)], "Hm."),
    ] {
        let fixture = stream(&objects) + &stream(&[finish("stop")]) + DONE;
        for cut in 0..=fixture.len() {
            let mut field_stream = FieldStream::new(&StreamedField { field: "answer".into(), unless: Some("expert".into()) });
            let mut heard = String::new();
            let mut say = |piece: &str| heard.push_str(piece);
            let mut reader =
                Reader::new(Bounds::default(), Manner { wants_json: true, ..Manner::default() }, Streams::Field(&mut field_stream));
            let bytes = fixture.as_bytes();
            let fed = [&bytes[..cut], &bytes[cut..]].into_iter().try_for_each(|piece| reader.feed(piece, &mut say));
            let answer = fed.and_then(|()| reader.end(&mut say)).unwrap();
            assert!(answer.text.contains(json) && !answer.is_retold, "{}", answer.text);
            assert_eq!(heard, said, "cut at {cut}: {fixture}");
        }
    }
    // The object ends a thought that nothing closed, behind blanks that have gone out.
    let mut field_stream = FieldStream::new(&StreamedField { field: "ä".into(), unless: None });
    let mut heard = String::new();
    let mut reader = Reader::new(Bounds::default(), Manner { wants_json: true, ..Manner::default() }, Streams::Field(&mut field_stream));
    let objects = [text("\n\n\n"), json!({"choices": [{"delta": {"reasoning_content": r#"So: {"ä":"Hi"}"#}}]}), finish("stop")];
    let fed = reader.feed(stream(&objects).as_bytes(), &mut |piece| heard.push_str(piece));
    let answer = fed.and_then(|()| reader.end(&mut |piece| heard.push_str(piece))).unwrap();
    assert_eq!((answer.text.as_str(), heard.as_str()), (r#"{"ä":"Hi"}"#, "Hi"));
}

/// What was said, whole, and what was thought.
fn whole(fixture: &str, is_streamed: bool) -> (String, String) {
    let mut reader = Reader::new(Bounds::default(), Manner::default(), if is_streamed { Streams::Text } else { Streams::Nothing });
    let mut text = String::new();
    let mut say = |piece: &str| text.push_str(piece);
    let answer =
        reader.feed(fixture.as_bytes(), &mut say).and_then(|()| reader.end(&mut say)).unwrap_or_else(|e| panic!("{e:?}: {fixture}"));
    assert_eq!(reader.opens_itself(), fixture.contains("hm</") && !fixture.contains("THINK"), "{fixture}");
    (if is_streamed && !answer.is_retold { text } else { answer.text }, answer.thoughts)
}

#[test]
fn thoughts_are_kept_apart_wherever_a_provider_puts_them() {
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    for objects in [
        vec![delta(json!({"reasoning_content": "h"})), delta(json!({"reasoning_content": "m"})), text("Yes")],
        vec![delta(json!({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]})), text("Yes")],
        vec![delta(json!({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]})), text("Yes")],
        vec![delta(
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Yes"}]}),
        )],
        vec![delta(json!({"content": [{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "Yes"}]}))],
        vec![delta(json!({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, "Yes"]}))],
        vec![delta(json!({"content": [{"text": "hm", "thought": true}, {"text": "Yes"}]}))],
        vec![delta(json!({"content": {"type": "reasoning", "text": "hm"}})), text("Yes")],
        vec![text("<think>h"), text("m</thi"), text("nk>\n\nYes")],
        vec![text("hm</think>\nYes")],
        vec![text("[THINK]hm[/THINK]"), text("Yes")],
    ] {
        let fixture = stream(&objects) + &stream(&[finish("stop")]) + DONE;
        for is_streamed in [true, false] {
            assert_eq!(whole(&fixture, is_streamed), ("Yes".to_owned(), "hm".to_owned()), "{fixture}");
        }
    }
    let call = tools(json!([{"index": 0, "id": "a", "function": {"name": "t", "arguments": "{}"}}]));
    let thought = text("Well. <think>secret");
    check(&stream(&[thought.clone(), call, finish("stop")]), Heard { text: "Well. ".to_owned(), ..called(&[("t", json!({}))], 0) });
    check(&stream(&[thought]), failed("Well. ", Truncated));
    let document = json!({"choices": [{"message": {"content": "hm</think>{\"a\":1}"}, "finish_reason": "stop"}]}).to_string();
    assert_eq!(whole(&document, false), (r#"{"a":1}"#.to_owned(), "hm".to_owned()));
}

#[test]
fn what_is_odd_beside_an_answer_loses_nothing_of_it() {
    let choice = |choice: Value| json!({"choices": [choice]});
    for object in [
        choice(
            json!({"delta": {"content": "Yes", "refusal": [], "tool_calls": {}, "role": 7, "reasoning": false}, "finish_reason": "stop"}),
        ),
        choice(json!({"delta": {"content": "Yes", "refusal": {}, "tool_calls": "none"}, "finish_reason": ["stop"]})),
        choice(json!({"delta": {"content": "Yes"}, "finish_reason": {"type": "stop"}})),
        choice(json!({"delta": {"content": "Yes"}, "finish_reason": 1})),
        choice(json!({"delta": {"content": "Yes"}, "finish_reason": "STOP"})),
        choice(json!({"delta": {"content": {"type": "text", "text": "Yes"}}, "finish_reason": "stop"})),
        choice(json!({"delta": {"content": {"text": "Yes"}}, "finish_reason": "stop"})),
        choice(json!({"delta": {"content": ["Y", {"type": "text", "text": "es"}, null]}, "finish_reason": "stop"})),
        choice(json!({"delta": {}, "message": {"content": "Yes"}, "finish_reason": "stop"})),
        choice(json!({"delta": [], "message": {"content": "Yes"}, "finish_reason": "stop"})),
        json!({"error": "", "model": 5, "usage": "none", "choices": [{"delta": {"content": "Yes"}, "finish_reason": "stop"}]}),
        json!({"error": {}, "choices": [null, {"delta": {"content": "Yes"}, "finish_reason": "stop"}]}),
        json!({"error": {"message": "", "code": 0}, "choices": [{"delta": {"content": "Yes"}, "finish_reason": "stop"}]}),
    ] {
        check(&stream(&[object]), said("Yes", 0));
    }
    let structured = choice(json!({"message": {"content": {"goal": "x", "text": "y"}}, "finish_reason": "stop"}));
    check(&structured.to_string(), said(r#"{"goal":"x","text":"y"}"#, 0));
    for (data, text) in [
        (r#"{"choices":[{"delta":{"content":"Yes \ud83d!"},"finish_reason":"stop"}]}"#, "Yes \u{FFFD}!"),
        (r#"{"choices":[{"delta":{"content":"Yes"},"logprobs":{"logprob":-Infinity},"finish_reason":"stop"}]}"#, "Yes"),
        (r#"{"choices":[{"delta":{"content":"Yes","content":"Yes"},"finish_reason":"stop"}]}"#, "Yes"),
        ("{\"choices\":[{\"delta\":{\"content\":\"a\tb\"},\"finish_reason\":\"stop\"}]}", "a\tb"),
    ] {
        check(&format!("data: {data}\n\n"), said(text, 0));
    }
    for (reason, end) in [("MAX_TOKENS", Length), ("SAFETY", Finish::ContentFilter), ("content_filter", Finish::ContentFilter)] {
        check(&stream(&[text("Yes"), finish(reason)]), Heard { end: Ok(end), ..said("Yes", 0) });
    }
}
