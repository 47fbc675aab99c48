//! What clients send, read into inputs. What they may not send is refused with a code and a sentence that says what to do.

use super::complexity::{DEPTH_MAX, VALUES_MAX, is_too_complex};
use crate::contract::{
    APPROVE, CallId, Caller, ClientId, Code, DECLINE, INVALID_CLIENT_ID, Input, Refusal, Source, TraceContext, TurnId, WhileBusy, exact,
};
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// Parses a JSON object, to the digit.
pub fn object(bytes: &[u8]) -> Result<Object, Refusal> {
    const NOT_JSON: Refusal = Refusal::new(Code::InvalidJson, "this is not JSON: send one object in `{…}`");
    let text = std::str::from_utf8(bytes).map_err(|_| NOT_JSON)?;
    if is_too_complex(text) {
        let detail = format!("this JSON is nested deeper than {DEPTH_MAX} levels or has more than {VALUES_MAX} values: send less");
        return Err(Refusal::with(Code::JsonTooComplex, detail));
    }
    match serde_json::from_str(&exact(text)) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Refusal::new(Code::InvalidJson, "this is JSON but not an object: send one in `{…}`")),
        Err(_) => Err(NOT_JSON),
    }
}

/// Parses a message of the chat socket.
pub fn said(text: &str, from: Caller) -> Result<Input, Refusal> {
    let object = object(text.as_bytes())?;
    match object.get("type") {
        None => message(object, from),
        Some(Value::String(kind)) => match kind.as_str() {
            "message" => message(object, from),
            "action" => action(object, from),
            "cancel_process" => cancel(&object),
            "stop" => stop(&object),
            _ => Err(Refusal::new(Code::UnknownType, "unknown `type`: send `message`, `action`, `cancel_process` or `stop`")),
        },
        Some(_) => Err(Refusal::new(Code::UnknownType, "`type` must be a string: `message`, `action`, `cancel_process` or `stop`")),
    }
}

/// Whether a message brings a newer token, `{"type":"auth","token"}`.
pub fn is_auth(text: &str) -> bool {
    text.contains("\"auth\"") && object(text.as_bytes()).is_ok_and(|object| object.get("type").and_then(Value::as_str) == Some("auth"))
}

/// The token of such a message.
pub fn token(text: &str) -> Result<String, Refusal> {
    match object(text.as_bytes())?.remove("token") {
        Some(Value::String(token)) if !token.is_empty() => Ok(token),
        _ => Err(Refusal::new(Code::InvalidParameter, "`token` is missing: send the new token")),
    }
}

/// The client id of what [`said`] refused, if it has a valid one.
pub fn client_id_of(text: &str) -> Option<ClientId> {
    object(text.as_bytes()).ok().and_then(|mut object| client_id(&mut object).ok()).flatten()
}

/// A client id, from a body or from the header `Idempotency-Key`.
pub fn parse_client_id(text: &str) -> Result<ClientId, Refusal> {
    text.parse().map_err(|_| Refusal::new(Code::InvalidClientId, INVALID_CLIENT_ID))
}

fn client_id(object: &mut Object) -> Result<Option<ClientId>, Refusal> {
    match object.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => parse_client_id(&id).map(Some),
        Some(_) => Err(Refusal::new(Code::InvalidClientId, "`id` must be a string: a message's id is a name that the client chooses")),
    }
}

/// The caller, placed in the trace that the message itself names. One that can't be read is as if it were not there.
fn placed(object: &mut Object, from: Caller) -> Caller {
    let stated = object.remove("traceparent");
    let stated = stated.as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok()).map(TraceContext::called);
    Caller { trace: stated.or(from.trace), ..from }
}

/// What is to become of a message while a turn runs, where it says so.
fn while_busy(object: &mut Object) -> Result<Option<WhileBusy>, Refusal> {
    let wrong = Refusal::new(Code::InvalidParameter, "`while_busy` must be `enqueue`, `reject`, `interrupt` or `rollback`");
    match object.remove("while_busy") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => WhileBusy::ALL.into_iter().find(|mode| mode.name() == name).map(Some).ok_or(wrong),
        Some(_) => Err(wrong),
    }
}

/// Parses a stop: of the running turn alone, or also of those that wait.
pub fn stop(object: &Object) -> Result<Input, Refusal> {
    match object.get("waiting") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Input::StopRunning),
        Some(Value::Bool(true)) => Ok(Input::Stop),
        Some(_) => Err(Refusal::new(Code::InvalidParameter, "`waiting` must be true or false")),
    }
}

/// Parses a message: its text, what the user sees while they send it, and the client's id for it.
pub fn message(mut object: Object, from: Caller) -> Result<Input, Refusal> {
    let client_id = client_id(&mut object)?;
    let from = placed(&mut object, from);
    let while_busy = while_busy(&mut object)?;
    let text = match object.remove("text") {
        Some(Value::String(text)) if !text.trim().is_empty() => text,
        Some(Value::String(_)) => return Err(Refusal::new(Code::MessageBlank, "the message is empty: send some text")),
        Some(_) => return Err(Refusal::new(Code::MessageMissing, "`text` must be a string")),
        None => return Err(Refusal::new(Code::MessageMissing, "`text` is missing: send the message's text")),
    };
    let dashboard = dashboard(&mut object)?;
    Ok(Input::Message { text, dashboard, client_id, while_busy, from })
}

/// Parses the use of a control.
pub fn action(mut object: Object, from: Caller) -> Result<Input, Refusal> {
    let client_id = client_id(&mut object)?;
    let from = placed(&mut object, from);
    let while_busy = while_busy(&mut object)?;
    let action = match object.remove("action") {
        Some(Value::String(action)) if !action.is_empty() => action,
        _ => return Err(Refusal::new(Code::InvalidParameter, "`action` is missing: name the control's action")),
    };
    let invalid_source = |detail| Refusal::new(Code::InvalidParameter, detail);
    let source = match object.remove("source") {
        None | Some(Value::Null) => None,
        Some(Value::String(source)) => Some(Source::try_from(source).map_err(invalid_source)?),
        Some(_) => return Err(invalid_source("`source` must be a string: `thinker`, `machine:<id>` or `approval:<pid>`")),
    };
    if let Some(Source::Approval(call)) = source {
        let approved = match action.as_str() {
            APPROVE => true,
            DECLINE => false,
            _ => return Err(Refusal::new(Code::InvalidParameter, "`action` must be `approve` or `decline` where `source` is an approval")),
        };
        return Ok(Input::Approve { call, approved, client_id, from });
    }
    let data = object.remove("data").unwrap_or(Value::Null);
    Ok(Input::Action { action, data, source, client_id, while_busy, from })
}

/// The client's id of a retry or an edit, whose `id` is a turn.
fn named(object: &mut Object) -> Result<Option<ClientId>, Refusal> {
    match object.remove("client_id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => parse_client_id(&id).map(Some),
        Some(_) => Err(Refusal::new(Code::InvalidClientId, "`client_id` must be a string: a name that the client chooses")),
    }
}

fn turn(object: &mut Object) -> Result<Option<TurnId>, Refusal> {
    let wrong = || Refusal::new(Code::InvalidParameter, "`id` must name a turn as `msg_<n>`");
    match object.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => id.parse().map(Some).map_err(|()| wrong()),
        Some(_) => Err(wrong()),
    }
}

/// Parses a retry: the last turn is answered again.
pub fn retry(mut object: Object, from: Caller) -> Result<Input, Refusal> {
    let client_id = named(&mut object)?;
    let from = placed(&mut object, from);
    Ok(Input::Retry { turn: turn(&mut object)?, client_id, from })
}

/// Parses an edit: the turn that it names, and the text that comes in the place of its message.
pub fn edit(mut object: Object, from: Caller) -> Result<Input, Refusal> {
    let client_id = named(&mut object)?;
    let from = placed(&mut object, from);
    let missing = Refusal::new(Code::InvalidParameter, "`id` is missing: name the turn whose message is edited, as `msg_<n>`");
    let turn = turn(&mut object)?.ok_or(missing)?;
    let text = match object.remove("message") {
        Some(Value::String(text)) if !text.trim().is_empty() => text,
        Some(Value::String(_)) => return Err(Refusal::new(Code::MessageBlank, "the message is empty: send some text")),
        Some(_) => return Err(Refusal::new(Code::MessageMissing, "`message` must be a string")),
        None => return Err(Refusal::new(Code::MessageMissing, "`message` is missing: send the new text")),
    };
    let dashboard = dashboard(&mut object)?;
    Ok(Input::Edit { turn, text, dashboard, client_id, from })
}

/// What the user sees.
fn dashboard(object: &mut Object) -> Result<Vec<Value>, Refusal> {
    match object.remove("dashboard") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(controls)) => Ok(controls),
        Some(_) => Err(Refusal::new(Code::InvalidParameter, "`dashboard` must be a list of controls")),
    }
}

/// Parses the cancellation of one running call.
pub fn cancel(object: &Object) -> Result<Input, Refusal> {
    match object.get("pid").and_then(Value::as_u64) {
        Some(pid) => Ok(Input::Cancel { call: CallId(pid) }),
        None => Err(Refusal::new(Code::InvalidParameter, "`pid` is missing: give the number of a running call")),
    }
}

/// Parses a switch to another graph.
pub fn switch(mut object: Object, from: Caller) -> Result<Input, Refusal> {
    let invalid = |detail| Err(Refusal::new(Code::InvalidParameter, detail));
    let graph = match object.remove("name") {
        Some(Value::String(graph)) => graph,
        _ => return invalid("`name` is missing: name the graph to switch to"),
    };
    let keep = match object.remove("keep") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(keep)) => keep,
        Some(_) => return invalid("`keep` must be true or false"),
    };
    Ok(Input::Switch { graph, keep, from })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parses_what_clients_send_and_refuses_the_rest_with_a_code() {
        let from = Caller::default;
        let id = |id: &str| Some(id.parse::<ClientId>().unwrap());
        let message = |text: &str, dashboard, client_id| {
            Ok(Input::Message { text: text.to_owned(), dashboard, client_id, while_busy: None, from: from() })
        };
        let action =
            |data, source, client_id| Ok(Input::Action { action: "a".to_owned(), data, source, client_id, while_busy: None, from: from() });
        let machine = || Some(Source::Machine("m".into()));
        for (text, parsed) in [
            (r#"{"text":"hi"}"#, message("hi", vec![], None)),
            (r#"{"text":"hi","id":"tab.1:2"}"#, message("hi", vec![], id("tab.1:2"))),
            (r#"{"text":"hi","id":null}"#, message("hi", vec![], None)),
            (r#"{"type":"message","text":" hi ","dashboard":[1]}"#, message(" hi ", vec![json!(1)], None)),
            (r#"{"type":"action","action":"a"}"#, action(Value::Null, None, None)),
            (r#"{"type":"action","action":"a","data":{"b":1},"source":"machine:m","id":"x"}"#, action(json!({"b":1}), machine(), id("x"))),
            (r#"{"type":"action","action":"a","data":123456789012345678901}"#, action(json!("123456789012345678901"), None, None)),
            (r#"{"type":"cancel_process","pid":3}"#, Ok(Input::Cancel { call: CallId(3) })),
            (r#"{"type":"stop"}"#, Ok(Input::StopRunning)),
            (r#"{"type":"stop","waiting":false}"#, Ok(Input::StopRunning)),
            (r#"{"type":"stop","waiting":true}"#, Ok(Input::Stop)),
            (r#"{"type":"stop","waiting":1}"#, Err(Code::InvalidParameter)),
            (r#"{"text":"hi","while_busy":null}"#, message("hi", vec![], None)),
            (r#"{"text":"hi","while_busy":"queue"}"#, Err(Code::InvalidParameter)),
            (r#"{"type":"action","action":"a","while_busy":true}"#, Err(Code::InvalidParameter)),
            ("hello", Err(Code::InvalidJson)),
            ("[]", Err(Code::InvalidJson)),
            (r#"{"text":" \n"}"#, Err(Code::MessageBlank)),
            (r#"{"text":1}"#, Err(Code::MessageMissing)),
            ("{}", Err(Code::MessageMissing)),
            (r#"{"text":"a","dashboard":{}}"#, Err(Code::InvalidParameter)),
            (r#"{"text":"a","id":7}"#, Err(Code::InvalidClientId)),
            (r#"{"text":"a","id":""}"#, Err(Code::InvalidClientId)),
            (r#"{"type":"action","action":"a","id":"a b"}"#, Err(Code::InvalidClientId)),
            (r#"{"type":"dance"}"#, Err(Code::UnknownType)),
            (r#"{"type":1}"#, Err(Code::UnknownType)),
            (r#"{"type":"action"}"#, Err(Code::InvalidParameter)),
            (r#"{"type":"action","action":"a","source":"machines:m"}"#, Err(Code::InvalidParameter)),
            (r#"{"type":"action","action":"a","source":1}"#, Err(Code::InvalidParameter)),
            (r#"{"type":"cancel_process","pid":-1}"#, Err(Code::InvalidParameter)),
        ] {
            assert_eq!(said(text, from()).map_err(|refusal| refusal.code), parsed, "{text}");
        }
    }

    #[test]
    fn parses_retries_and_edits_whose_id_is_a_turn() {
        let (from, id) = (Caller::default, |id: &str| Some(id.parse::<ClientId>().unwrap()));
        let again = |turn, client_id| Ok(Input::Retry { turn, client_id, from: from() });
        for (body, parsed) in [
            ("{}", again(None, None)),
            (r#"{"id":"msg_3","client_id":"a"}"#, again(Some(TurnId(3)), id("a"))),
            (r#"{"id":null,"client_id":null}"#, again(None, None)),
            (r#"{"id":"3"}"#, Err(Code::InvalidParameter)),
            (r#"{"id":3}"#, Err(Code::InvalidParameter)),
            (r#"{"client_id":"a b"}"#, Err(Code::InvalidClientId)),
            (r#"{"client_id":7}"#, Err(Code::InvalidClientId)),
        ] {
            assert_eq!(retry(object(body.as_bytes()).unwrap(), from()).map_err(|refusal| refusal.code), parsed, "{body}");
        }
        let edited = |dashboard, client_id| Ok(Input::Edit { turn: TurnId(3), text: "hi".into(), dashboard, client_id, from: from() });
        for (body, parsed) in [
            (r#"{"id":"msg_3","message":"hi"}"#, edited(vec![], None)),
            (r#"{"id":"msg_3","message":"hi","dashboard":[1],"client_id":"a"}"#, edited(vec![json!(1)], id("a"))),
            (r#"{"message":"hi"}"#, Err(Code::InvalidParameter)),
            (r#"{"id":"msg_3"}"#, Err(Code::MessageMissing)),
            (r#"{"id":"msg_3","message":7}"#, Err(Code::MessageMissing)),
            (r#"{"id":"msg_3","message":" "}"#, Err(Code::MessageBlank)),
            (r#"{"id":"msg_3","message":"hi","dashboard":{}}"#, Err(Code::InvalidParameter)),
        ] {
            assert_eq!(edit(object(body.as_bytes()).unwrap(), from()).map_err(|refusal| refusal.code), parsed, "{body}");
        }
    }

    #[test]
    fn a_message_may_state_what_becomes_of_it_while_a_turn_runs() {
        for mode in WhileBusy::ALL {
            for mut said in [json!({"text": "hi"}), json!({"type": "action", "action": "a"})] {
                said["while_busy"] = json!(mode.name());
                let (Input::Message { while_busy, .. } | Input::Action { while_busy, .. }) =
                    super::said(&said.to_string(), Caller::default()).unwrap()
                else {
                    panic!("{said}");
                };
                assert_eq!(while_busy, Some(mode), "{said}");
            }
        }
    }

    #[test]
    fn a_message_may_name_the_trace_that_it_belongs_to() {
        let (one, other) =
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-11111111111111111111111111111111-00f067aa0ba902b7-01");
        let context = |text: &str| text.parse().ok().map(TraceContext::called);
        for (stated, expected) in [(json!(other), other), (json!("nonsense"), one), (json!(7), one), (Value::Null, one)] {
            for mut said in [json!({"text": "hi"}), json!({"type": "action", "action": "a"})] {
                said["traceparent"] = stated.clone();
                let from = Caller { trace: context(one), ..Caller::default() };
                let mut input = super::said(&said.to_string(), from).unwrap();
                assert_eq!(input.caller_mut().unwrap().trace, context(expected), "{said}");
            }
        }
    }

    #[test]
    fn a_refusal_names_the_message_when_its_id_is_valid() {
        for (text, found) in [(r#"{"text":" ","id":"a"}"#, Some("a")), (r#"{"text":" ","id":"a b"}"#, None), ("hello", None), ("{}", None)]
        {
            assert_eq!(client_id_of(text).as_ref().map(ClientId::as_str), found, "{text}");
        }
    }

    #[test]
    fn a_newer_token_is_told_from_a_message_that_speaks_of_one() {
        for (text, is_auth, token) in [
            (r#"{"type":"auth","token":"a.b.c"}"#, true, Some("a.b.c")),
            (r#"{"token":"a.b.c","type":"auth","x":1}"#, true, Some("a.b.c")),
            (r#"{"type":"auth"}"#, true, None),
            (r#"{"type":"auth","token":""}"#, true, None),
            (r#"{"type":"auth","token":["a"]}"#, true, None),
            (r#"{"type":"message","text":"send {\"type\":\"auth\"}"}"#, false, None),
            (r#"{"text":"\"auth\"","token":"x"}"#, false, Some("x")),
            (r#"["auth"]"#, false, None),
            (r#"{"type":"auth""#, false, None),
        ] {
            assert_eq!((super::is_auth(text), super::token(text).ok().as_deref()), (is_auth, token), "{text}");
        }
    }
}
