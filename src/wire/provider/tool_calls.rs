//! Tool calls, put together from the fragments in which they arrive.
//!
//! An id that was seen belongs to its call; a new id begins a new one, even where the index says otherwise, because some
//! servers give every call the index 0. Without an id the index decides if it is unambiguous, else the call at hand.

use super::chunk::Fragment;
use crate::contract::ToolCall;
use crate::reading;
use serde_json::Value;

/// An answer that calls more tools than this at once is out of order.
const CALLS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    calls: Vec<Building>,
    at_hand: usize,
}

#[derive(Debug, Default)]
struct Building {
    id: String,
    index: Option<u64>,
    name: String,
    args: String,
    whole: Whole,
}

/// Whether arguments that come in pieces are a whole JSON object, without reading all of them again for each piece.
#[derive(Debug, Default)]
struct Whole {
    depth: usize,
    in_text: bool,
    after_backslash: bool,
    is_whole: bool,
}

impl Whole {
    fn take(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.after_backslash => self.after_backslash = false,
                b'\\' => self.after_backslash = self.in_text,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.is_whole = self.depth == 0;
                }
                _ => {}
            }
        }
    }
}

impl ToolCalls {
    /// Takes one fragment. `false` when there are too many calls.
    pub(super) fn take(&mut self, fragment: Fragment) -> bool {
        let Fragment { id, index, function } = fragment;
        let id = id.0.unwrap_or_default();
        let index = index.as_ref().and_then(Value::as_u64);
        let function = function.0.unwrap_or_default();
        let name = function.name.0.unwrap_or_default();
        if id.is_empty() && name.is_empty() && function.arguments.is_none() {
            return true;
        }
        let begins = function.arguments.as_ref().and_then(Value::as_str).unwrap_or_default();
        self.at_hand = match self.place(&id, index, &name, begins) {
            Some(place) => place,
            None if self.calls.len() == CALLS_MAX => return false,
            None => {
                self.calls.push(Building { index, ..Building::default() });
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[self.at_hand];
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name.is_empty() {
            call.name = name;
        }
        match function.arguments {
            Some(Value::String(piece)) => {
                call.whole.take(&piece);
                call.args += &piece;
            }
            Some(Value::Null) | None => {}
            Some(whole) => {
                call.whole = Whole { is_whole: true, ..Whole::default() };
                call.args = whole.to_string();
            }
        }
        true
    }

    /// The call that a fragment belongs to; `None` begins a new one.
    fn place(&self, id: &str, index: Option<u64>, name: &str, piece: &str) -> Option<usize> {
        if !id.is_empty() {
            // Two calls may have got one id: then the index tells them apart, or other arguments behind whole ones.
            let is_other = |call: &Building| match (call.index, index) {
                (Some(place), Some(index)) if place != index => true,
                _ => call.whole.is_whole && !["{}", piece.trim()].contains(&call.args.trim()) && piece.trim_start().starts_with('{'),
            };
            let seen = self.calls.iter().rposition(|call| call.id == id && !is_other(call));
            if seen.is_none() && self.calls.iter().any(|call| call.id == id) {
                return None;
            }
            let id_late = || self.calls.iter().position(|call| call.id.is_empty() && index.is_some() && call.index == index);
            return seen.or_else(id_late);
        }
        let mut same_index = (0..self.calls.len()).filter(|&place| index.is_some() && self.calls[place].index == index);
        let place = match (same_index.next(), same_index.next()) {
            (Some(only), None) => only,
            (None, _) if index.is_some() => return None,
            _ if self.calls.is_empty() => return None,
            _ => self.at_hand,
        };
        // A name where one stands already, behind arguments that are whole: the next call of a server that counts nothing.
        let call = &self.calls[place];
        let is_next = !name.is_empty() && !call.name.is_empty() && call.whole.is_whole;
        (!is_next).then_some(place)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.calls.iter().map(|call| call.id.len() + call.name.len() + call.args.len()).sum()
    }

    /// The finished calls, each with an id of its own; `None` when one has no name.
    pub(super) fn end(self) -> Option<Vec<ToolCall>> {
        let mut ids: Vec<String> = self.calls.iter().map(|call| call.id.clone()).filter(|id| !id.is_empty()).collect();
        let mut finished: Vec<ToolCall> = Vec::new();
        for call in self.calls {
            let is_own = !call.id.is_empty() && finished.iter().all(|other| other.id != call.id);
            let id = if is_own { call.id } else { (1..).map(|n| format!("call_{n}")).find(|id| !ids.contains(id))? };
            ids.push(id.clone());
            if call.name.is_empty() {
                return None;
            }
            let args = reading::certain(&call.args).filter(Value::is_object).unwrap_or(Value::String(call.args));
            finished.push(ToolCall { id, tool: call.name, args });
        }
        Some(finished)
    }
}

#[cfg(test)]
mod tests {
    use super::super::loose::Word;
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_are_whole_when_their_braces_are() {
        for (pieces, is_whole) in [
            (&["{\"a\":", "1}"][..], true),
            (&["{\"a\":\"}", "{\\\""], false),
            (&["{\"a\":\"}\\", "\"\"", "}"], true),
            (&["{\"a\":[{", "}]"], false),
            (&["", "  "], false),
        ] {
            let mut whole = Whole::default();
            pieces.iter().for_each(|piece| whole.take(piece));
            assert_eq!(whole.is_whole, is_whole, "{pieces:?}");
            assert_eq!(serde_json::from_str::<Value>(&pieces.concat()).is_ok(), is_whole, "{pieces:?}");
        }
    }

    fn assembled(fragments: Value) -> Option<Vec<(String, String, Value)>> {
        let mut calls = ToolCalls::default();
        for fragment in fragments.as_array().unwrap() {
            assert!(calls.take(serde_json::from_value(fragment.clone()).unwrap()));
        }
        Some(calls.end()?.into_iter().map(|call| (call.id, call.tool, call.args)).collect())
    }

    #[test]
    fn fragments_find_their_call() {
        let (a, b) = (("a".to_owned(), "f".to_owned(), json!({"n": 1})), ("b".to_owned(), "g".to_owned(), json!({"n": 2})));
        let begin =
            |id: &str, index: u64, name: &str, args: &str| json!({"id": id, "index": index, "function": {"name": name, "arguments": args}});
        let more = |index: u64, args: &str| json!({"index": index, "function": {"arguments": args}});
        for (fragments, calls) in [
            (json!([begin("a", 0, "f", ""), more(0, "{\"n\""), more(0, ":1}")]), vec![&a]),
            (json!([begin("a", 0, "f", "{\"n\":"), begin("b", 1, "g", "{\"n\":2"), more(0, "1}"), more(1, "}")]), vec![&a, &b]),
            (json!([begin("a", 0, "f", "{\"n\":1}"), begin("b", 0, "g", "{\"n\""), more(0, ":2}")]), vec![&a, &b]),
            (json!([begin("a", 0, "f", "{\"n\""), begin("a", 0, "f", ":1}")]), vec![&a]),
            (json!([{"id": "a", "function": {"name": "f", "arguments": {"n": 1}}}]), vec![&a]),
            (json!([{"id": "a", "index": -1, "function": {"name": "f", "arguments": {"n": 1}}}]), vec![&a]),
            (json!([{"id": "a", "function": {"arguments": "{\"n\":1}"}}, {"id": "", "function": {"name": "f"}}]), vec![&a]),
            (json!([{"index": 0, "function": {"name": "f", "arguments": "{\"n\":1}"}}, {"id": "a", "index": 0}]), vec![&a]),
        ] {
            assert_eq!(assembled(fragments.clone()), Some(calls.into_iter().cloned().collect()), "{fragments}");
        }
    }

    #[test]
    fn what_is_missing_is_filled_in_or_refused() {
        let named = |name: &str, args: Value| json!({"function": {"name": name, "arguments": args}});
        let call = |id: &str, tool: &str, args: Value| (id.to_owned(), tool.to_owned(), args);
        for (fragments, calls) in [
            (json!([named("f", json!(""))]), Some(vec![call("call_1", "f", json!({}))])),
            (json!([named("f", json!(null))]), Some(vec![call("call_1", "f", json!({}))])),
            (json!([named("f", json!("{\"n\":"))]), Some(vec![call("call_1", "f", json!("{\"n\":"))])),
            (json!([named("f", json!("[1]"))]), Some(vec![call("call_1", "f", json!("[1]"))])),
            (json!([named("f", json!("{}{\"n\":1}"))]), Some(vec![call("call_1", "f", json!({"n": 1}))])),
            (json!([named("f", json!("\"{\\\"n\\\":1}\""))]), Some(vec![call("call_1", "f", json!({"n": 1}))])),
            (json!([named("f", json!("{\"n\":1}{\"n\":2}"))]), Some(vec![call("call_1", "f", json!("{\"n\":1}{\"n\":2}"))])),
            (
                json!([named("f", json!("{}")), named("g", json!("{}"))]),
                Some(vec![call("call_1", "f", json!({})), call("call_2", "g", json!({}))]),
            ),
            (json!([{"id": "a"}]), None),
            (
                json!([
                    {"id": "a", "index": 0, "function": {"name": "f", "arguments": "{\"n\":1}"}},
                    {"id": "a", "index": 1, "function": {"name": "g", "arguments": "{}"}},
                ]),
                Some(vec![call("a", "f", json!({"n": 1})), call("call_1", "g", json!({}))]),
            ),
            (
                json!([
                    {"id": "call_1", "function": {"name": "f", "arguments": "{\"n\":1}"}},
                    {"id": "call_1", "function": {"name": "f", "arguments": "{\"n\":2}"}},
                ]),
                Some(vec![call("call_1", "f", json!({"n": 1})), call("call_2", "f", json!({"n": 2}))]),
            ),
            // The same call told once more, and its end without anything new.
            (
                json!([
                    {"id": "a", "function": {"name": "f", "arguments": "{\"n\":1}"}},
                    {"id": "a", "function": {"name": "f", "arguments": "{\"n\":1}"}},
                    {"id": "a", "function": {"name": "f", "arguments": ""}},
                ]),
                Some(vec![call("a", "f", json!({"n": 1}))]),
            ),
            // Arguments that begin with none.
            (
                json!([
                    {"id": "a", "index": 0, "function": {"name": "f", "arguments": "{}"}},
                    {"id": "a", "index": 0, "function": {"name": "f", "arguments": "{\"n\":1}"}},
                ]),
                Some(vec![call("a", "f", json!({"n": 1}))]),
            ),
        ] {
            assert_eq!(assembled(fragments.clone()), calls, "{fragments}");
        }
    }

    #[test]
    fn the_number_of_calls_is_bounded() {
        let mut calls = ToolCalls::default();
        let call = |n: usize| Fragment { id: Word(Some(n.to_string())), ..Fragment::default() };
        assert!((0..CALLS_MAX).all(|n| calls.take(call(n))));
        assert!(!calls.take(call(CALLS_MAX)));
    }
}
