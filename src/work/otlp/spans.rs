//! A finished turn as spans: `invoke_workflow` for the turn, `invoke_agent` for each node of a frame, `chat` for a model call and
//! `execute_tool` for a query.
//!
//! The names follow OpenTelemetry's conventions for generative AI, which are still in development, as of version 1.41.0
//! ([`SCHEMA`]). What messages say is in no span unless content was asked for.

use crate::contract::{
    AskedOf, Below, CallKind, CallRecord, CallStatus, Content, Finish, Finished, FinishedCall, FinishedWhat, SpanId, Trace, Usage,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::json;

pub(super) const SCHEMA: &str = "https://opentelemetry.io/schemas/1.41.0";

/// The flag of a recorded trace, that of a parent whose place is known, and that of one outside of this server.
const SAMPLED: u32 = 0x01;
const PLACE_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// Adds the spans of what has finished.
pub(super) fn add(spans: &mut Vec<Span>, finished: &Finished) {
    let writer = Writer { finished };
    match &finished.what {
        FinishedWhat::Turn(trace) => writer.turn(spans, trace),
        FinishedWhat::Background { started_us, record } => writer.background(spans, *started_us, record),
    }
}

/// How many spans those would be.
pub(super) fn count(finished: &Finished) -> u64 {
    match &finished.what {
        FinishedWhat::Turn(trace) => 1 + trace.frames.iter().map(|frame| (frame.nodes.len() + frame.calls.len()) as u64).sum::<u64>(),
        FinishedWhat::Background { .. } => 2,
    }
}

struct Writer<'a> {
    finished: &'a Finished,
}

/// When something was, in µs since the epoch.
#[derive(Clone, Copy)]
struct Period {
    from_us: u64,
    to_us: u64,
}

impl Period {
    /// Of what began so long after `start_us`, and took so long.
    fn after(start_us: u64, began_us: u64, took_us: u64) -> Period {
        let from_us = start_us.saturating_add(began_us);
        Period { from_us, to_us: from_us.saturating_add(took_us) }
    }
}

impl Writer<'_> {
    fn turn(&self, spans: &mut Vec<Span>, trace: &Trace) {
        let context = self.finished.context;
        let (start_us, failed) = (trace.started_at.0, trace.status == CallStatus::Error);
        let period = Period::after(start_us, 0, trace.total_us);
        let mut root = self.span(context.span_id, context.parent, format!("invoke_workflow {}", trace.graph), period);
        root.flags |= if context.parent.is_some() { REMOTE } else { 0 };
        root.attributes.extend([
            text("gen_ai.operation.name", "invoke_workflow"),
            text("gen_ai.workflow.name", &trace.graph),
            text("framewright.path", &trace.path),
            number("framewright.frames", trace.frames.len() as u64),
            text("framewright.outcome", status_name(trace.status)),
        ]);
        root.attributes.extend(usage(&trace.usage));
        if failed {
            let calls = trace.frames.iter().flat_map(|frame| &frame.calls);
            let code = calls.filter_map(|call| call.code).next_back().map_or("_OTHER", |code| code.name());
            fail(&mut root, code);
        }
        spans.push(root);
        for frame in &trace.frames {
            let period = Period::after(start_us, frame.started_us, frame.ended_us.saturating_sub(frame.started_us));
            for (place, node) in frame.nodes.iter().enumerate() {
                let id = context.span_of(Below::Node { frame: frame.frame, place });
                let mut span = self.agent(id, node, period);
                span.attributes.push(number("framewright.frame", u64::from(frame.frame)));
                if place == 0 && !frame.route.is_empty() {
                    span.attributes.push(text("framewright.route", &frame.route));
                }
                spans.push(span);
            }
            for record in &frame.calls {
                let told = self.told(record);
                let place = told.and_then(|told| frame.nodes.iter().position(|node| *node == told.node)).unwrap_or(0);
                let parent = context.span_of(Below::Node { frame: frame.frame, place });
                spans.push(self.call(record, told, parent, start_us));
            }
        }
    }

    fn background(&self, spans: &mut Vec<Span>, start_us: u64, record: &CallRecord) {
        let told = self.told(record);
        let period = Period::after(start_us, record.started_us, record.duration_us);
        let id = self.finished.context.span_of(Below::Background(record.pid));
        spans.push(self.agent(id, told.map_or("background", |told| &told.node), period));
        spans.push(self.call(record, told, id, start_us));
    }

    fn told(&self, record: &CallRecord) -> Option<&FinishedCall> {
        self.finished.calls.iter().find(|told| told.pid == record.pid)
    }

    fn span(&self, id: SpanId, parent: Option<SpanId>, name: String, period: Period) -> Span {
        Span {
            trace_id: self.finished.context.trace_id.0.to_vec(),
            span_id: id.0.to_vec(),
            parent_span_id: parent.map(|parent| parent.0.to_vec()).unwrap_or_default(),
            flags: SAMPLED | PLACE_KNOWN,
            name,
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: period.from_us.saturating_mul(1000),
            end_time_unix_nano: period.to_us.saturating_mul(1000),
            attributes: vec![
                text("gen_ai.conversation.id", &self.finished.conversation),
                text("framewright.turn", &self.finished.turn.to_string()),
            ],
            ..Span::default()
        }
    }

    fn agent(&self, id: SpanId, node: &str, period: Period) -> Span {
        let mut span = self.span(id, Some(self.finished.context.span_id), format!("invoke_agent {node}"), period);
        span.attributes.extend([text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.agent.name", node)]);
        span
    }

    fn call(&self, record: &CallRecord, told: Option<&FinishedCall>, parent: SpanId, start_us: u64) -> Span {
        let period = Period::after(start_us, record.started_us, record.duration_us);
        let id = self.finished.context.span_of(Below::Call(record.pid));
        let mut span = match told.map(|told| &told.asked) {
            Some(AskedOf::Model { provider, model, tokens_max, is_structured, answered_by, finish }) => {
                let mut span = self.span(id, Some(parent), format!("chat {model}"), period);
                span.kind = SpanKind::Client.into();
                span.attributes.extend([
                    text("gen_ai.operation.name", "chat"),
                    text("gen_ai.provider.name", provider),
                    text("gen_ai.request.model", model),
                    number("gen_ai.request.max_tokens", u64::from(*tokens_max)),
                    text("gen_ai.output.type", if *is_structured { "json" } else { "text" }),
                ]);
                if !answered_by.is_empty() {
                    span.attributes.push(text("gen_ai.response.model", answered_by));
                }
                let reasons = finish.map(|finish| texts("gen_ai.response.finish_reasons", &[reason(finish)]));
                span.attributes.extend(reasons);
                span
            }
            Some(AskedOf::Database { database, tool }) => {
                let mut span = self.span(id, Some(parent), format!("execute_tool {tool}"), period);
                span.kind = SpanKind::Client.into();
                span.attributes.extend([
                    text("gen_ai.operation.name", "execute_tool"),
                    text("gen_ai.tool.name", tool),
                    text("gen_ai.tool.type", "datastore"),
                    text("db.namespace", database),
                ]);
                span
            }
            Some(AskedOf::Approval { tool }) => {
                let of = tool.as_deref().or(told.map(|told| &*told.node)).unwrap_or_default();
                self.span(id, Some(parent), format!("approve {of}"), period)
            }
            // The turn was cleared away; its times and counts are still known.
            None if record.kind == CallKind::Approval => self.span(id, Some(parent), record.label.to_string(), period),
            None => {
                let kind = if record.kind == CallKind::Llm { "chat" } else { "execute_tool" };
                let mut span = self.span(id, Some(parent), kind.to_owned(), period);
                span.kind = SpanKind::Client.into();
                span.attributes.push(text("gen_ai.operation.name", kind));
                span
            }
        };
        span.attributes.push(number("framewright.waited_us", record.waited_us));
        if !record.retries.is_empty() {
            span.attributes.push(number("framewright.retries", record.retries.len() as u64));
        }
        span.attributes.extend(record.decided.iter().map(|decided| text("framewright.approval", decided.verdict.name())));
        span.attributes.extend(record.usage.iter().flat_map(usage));
        span.attributes.extend(told.and_then(|told| told.content.as_ref()).into_iter().flat_map(|said| content(record.kind, said)));
        if record.status == CallStatus::Error {
            fail(&mut span, record.code.map_or("_OTHER", |code| code.name()));
        }
        span
    }
}

/// Messages as the conventions want them, in JSON.
fn content(kind: CallKind, said: &Content) -> Vec<KeyValue> {
    if kind != CallKind::Llm {
        let asked = said.asked.iter().map(|(_, asked)| text("gen_ai.tool.call.arguments", asked));
        return asked.chain([text("gen_ai.tool.call.result", &said.answered)]).collect();
    }
    let message = |role: &str, said: &str| json!({ "role": role, "parts": [{ "type": "text", "content": said }] });
    let asked: Vec<_> = said.asked.iter().map(|(role, asked)| message(role, asked)).collect();
    let answered = [message("assistant", &said.answered)];
    vec![text("gen_ai.input.messages", &json!(asked).to_string()), text("gen_ai.output.messages", &json!(answered).to_string())]
}

fn usage(usage: &Usage) -> Vec<KeyValue> {
    if *usage == Usage::NONE {
        return Vec::new();
    }
    let counts = [
        ("gen_ai.usage.input_tokens", usage.prompt_tokens),
        ("gen_ai.usage.output_tokens", usage.completion_tokens),
        ("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens),
    ];
    counts.map(|(name, count)| number(name, count)).to_vec()
}

/// Marks a span as failed; the sentence that users saw is not in it.
fn fail(span: &mut Span, code: &str) {
    span.attributes.push(text("error.type", code));
    span.status = Some(Status { code: StatusCode::Error.into(), message: String::new() });
}

fn status_name(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Done => "done",
        CallStatus::Error => "error",
        CallStatus::Cancelled => "cancelled",
    }
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn texts(key: &str, values: &[&str]) -> KeyValue {
    let values = values.iter().map(|value| AnyValue { value: Some(Value::StringValue((*value).to_owned())) }).collect();
    attribute(key, Value::ArrayValue(ArrayValue { values }))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
