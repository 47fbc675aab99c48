//! Where a turn stands in a distributed trace: W3C Trace Context, level 1.
//!
//! A caller may send the `traceparent` of its own span; the turn is then a part of that trace, else of a new one. The ids of
//! everything below the turn's span follow from it, so that whoever knows the turn knows them, and a replay has the same.

use super::CallId;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceId(pub [u8; 16]);

/// Only zeros: that of a turn which has not begun.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpanId(pub [u8; 8]);

impl SpanId {
    fn is_none(&self) -> bool {
        *self == SpanId::default()
    }
}

/// What a `traceparent` says: the trace, the span that calls, and whether it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub is_sampled: bool,
}

/// The place of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    pub trace_id: TraceId,
    /// The turn's own span.
    #[serde(default, skip_serializing_if = "SpanId::is_none")]
    pub span_id: SpanId,
    /// The span of whoever sent the message, if they named one.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "parent_span_id")]
    pub parent: Option<SpanId>,
    /// Whether the trace is recorded.
    #[serde(rename = "sampled")]
    pub is_sampled: bool,
}

/// What is below a turn's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    /// A node of a frame, by the frame's number and the node's place in it.
    Node {
        frame: u32,
        place: usize,
    },
    Call(CallId),
    /// The node that made a call in the background.
    Background(CallId),
}

impl TraceContext {
    /// A turn that has not begun, as its caller places it.
    pub fn called(parent: TraceParent) -> TraceContext {
        let TraceParent { trace_id, span_id, is_sampled } = parent;
        TraceContext { trace_id, span_id: SpanId::default(), parent: Some(span_id), is_sampled }
    }

    /// The place of a turn that begins: in its caller's trace, or in one of its own. `seed` is another one for every turn.
    pub fn begin(called: Option<TraceContext>, seed: u64, is_sampled: bool) -> TraceContext {
        let mut draw = Draw(seed);
        let own = TraceContext { trace_id: TraceId(draw.bytes()), span_id: SpanId::default(), parent: None, is_sampled };
        TraceContext { span_id: SpanId(draw.bytes()), ..called.unwrap_or(own) }
    }

    pub fn span_of(&self, below: Below) -> SpanId {
        let (kind, number) = match below {
            Below::Node { frame, place } => (1, (u64::from(frame) << 32) | place as u64),
            Below::Call(call) => (2, call.0),
            Below::Background(call) => (3, call.0),
        };
        SpanId(Draw(u64::from_be_bytes(self.span_id.0) ^ Draw((number << 2) | kind).next()).bytes())
    }

    /// What a call that leaves this server says of its own span.
    pub fn of_call(&self, call: CallId) -> TraceParent {
        TraceParent { trace_id: self.trace_id, span_id: self.span_of(Below::Call(call)), is_sampled: self.is_sampled }
    }
}

/// Numbers that follow from a seed (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// An id; never only zeros, which no id may be.
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        while bytes == [0; N] {
            bytes.chunks_mut(8).for_each(|eight| eight.copy_from_slice(&self.next().to_be_bytes()[..eight.len()]));
        }
        bytes
    }
}

/// Lower-case hex digits of an id.
fn id<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let bytes: [u8; N] = HEXLOWER.decode(text).ok()?.try_into().ok()?;
    (bytes != [0; N]).then_some(bytes)
}

impl FromStr for TraceParent {
    type Err = ();

    /// Reads the value of a `traceparent`. Of a version to come its first four fields are read, as the standard has it.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (known, rest) = text.as_bytes().split_at_checked(55).ok_or(())?;
        let [version, trace, span, flags] = [&known[..2], &known[3..35], &known[36..52], &known[53..]];
        let is_split = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let version = HEXLOWER.decode(version).map_err(|_| ())?[0];
        let ends_well = if version == 0 { rest.is_empty() } else { version != 0xff && (rest.is_empty() || rest[0] == b'-') };
        let flags = HEXLOWER.decode(flags).map_err(|_| ())?[0];
        match (id(trace), id(span)) {
            (Some(trace), Some(span)) if is_split && ends_well => {
                Ok(TraceParent { trace_id: TraceId(trace), span_id: SpanId(span), is_sampled: flags & 1 == 1 })
            }
            _ => Err(()),
        }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

macro_rules! hex_id {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                id(text.as_bytes()).map($name).ok_or("an id is lower-case hex digits, not all of them 0")
            }
        }
    )*};
}

hex_id!(TraceId SpanId);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn reads_a_traceparent_and_nothing_that_is_none() {
        let future = GOOD.replacen("00", "cc", 1);
        for (text, sampled) in [
            (GOOD.to_owned(), Some(true)),
            (GOOD.replace("-01", "-00"), Some(false)),
            (GOOD.replace("-01", "-ff"), Some(true)),
            (GOOD.replace("-01", "-02"), Some(false)),
            (future.clone(), Some(true)),
            (format!("{future}-what-comes"), Some(true)),
            (format!("{future}."), None),
            (format!("{GOOD}-more"), None),
            (format!("{GOOD} "), None),
            (GOOD.replacen("00", "ff", 1), None),
            (GOOD.replacen("00", "0", 1), None),
            (GOOD.replacen("00", "0G", 1), None),
            (GOOD.to_uppercase(), None),
            (GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), None),
            (GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)), None),
            (GOOD.replace('-', "_"), None),
            (GOOD.replace("-01", "-0g"), None),
            (GOOD.replace("00f067aa0ba902b7", "00f067aa0ba902é"), None),
            (String::new(), None),
        ] {
            assert_eq!(text.parse::<TraceParent>().ok().map(|read| read.is_sampled), sampled, "{text}");
        }
        assert_eq!(GOOD.parse::<TraceParent>().unwrap().to_string(), GOOD);
    }

    #[test]
    fn a_turn_belongs_to_its_callers_trace_or_to_a_new_one() {
        let parent: TraceParent = GOOD.parse().unwrap();
        let called = TraceContext::begin(Some(TraceContext::called(parent)), 7, false);
        assert_eq!((called.trace_id, called.parent, called.is_sampled), (parent.trace_id, Some(parent.span_id), true));
        assert_ne!(called.span_id, parent.span_id);
        let (one, other) = (TraceContext::begin(None, 7, true), TraceContext::begin(None, 8, true));
        assert_eq!(one, TraceContext::begin(None, 7, true), "the same seed gives the same ids");
        assert!(one.trace_id != other.trace_id && one.span_id != other.span_id && one.parent.is_none());
        for context in [called, one, TraceContext::called(parent)] {
            let json = serde_json::to_string(&context).unwrap();
            assert_eq!(serde_json::from_str::<TraceContext>(&json).unwrap(), context, "{json}");
        }
    }

    #[test]
    fn no_two_spans_of_turns_share_an_id() {
        let mut ids = BTreeSet::new();
        for seed in 0..50 {
            let turn = TraceContext::begin(None, seed, true);
            ids.insert(turn.span_id.0);
            for number in 0..20 {
                let (frame, call) = (number as u32, CallId(number));
                for below in [Below::Node { frame, place: 0 }, Below::Node { frame, place: 1 }, Below::Call(call), Below::Background(call)]
                {
                    ids.insert(turn.span_of(below).0);
                }
            }
        }
        assert_eq!(ids.len(), 50 * 81);
    }
}
