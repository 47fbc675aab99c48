//! What a webhook is sent when its turn has ended.

use super::json;
use crate::contract::{ClientId, Outcome, Time, Trace, TurnId, Usage, clip};
use jiff::Timestamp;
use serde::Serialize;

/// Of an answer; what is longer is cut and marked.
pub const ANSWER_BYTES_MAX: usize = 256 << 10;

/// How a turn has ended.
pub struct Ended<'a> {
    pub session: &'a str,
    pub turn: TurnId,
    pub outcome: &'a Outcome,
    pub client_id: Option<&'a ClientId>,
    /// What was said, also where that broke off.
    pub answer: &'a str,
    /// None where a clear has taken it away.
    pub trace: Option<&'a Trace>,
    pub at: Time,
}

/// The body that is delivered, as Standard Webhooks has it: a type, a time, and data.
pub fn turn_ended(ended: &Ended<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        r#type: &'static str,
        timestamp: String,
        data: Data<'a>,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        session: &'a str,
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientId>,
        status: &'static str,
        answer: String,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        answer_truncated: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Failure<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        degraded: Option<&'a str>,
        usage: Usage,
        started_at: Option<f64>,
        ended_at: f64,
    }
    #[derive(Serialize)]
    struct Failure<'a> {
        detail: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<crate::contract::Code>,
    }
    let Ended { session, turn, outcome, client_id, answer, trace, at } = ended;
    let (status, error) = match outcome {
        Outcome::Answered => ("done", None),
        Outcome::Cancelled | Outcome::Withdrawn => ("cancelled", None),
        Outcome::Failed { why, code } => ("error", Some(Failure { detail: why, code: *code })),
    };
    let milliseconds = |at: Time| at.0 as f64 / 1_000.0;
    json::write(&Body {
        r#type: "turn.ended",
        timestamp: iso(*at),
        data: Data {
            session,
            id: turn.to_string(),
            client_id: *client_id,
            status,
            answer: clip(answer, ANSWER_BYTES_MAX),
            answer_truncated: answer.len() > ANSWER_BYTES_MAX,
            error,
            degraded: trace.and_then(|trace| trace.degraded.as_deref()),
            usage: trace.map_or(Usage::NONE, |trace| trace.usage),
            started_at: trace.map(|trace| milliseconds(trace.started_at)),
            ended_at: milliseconds(*at),
        },
    })
}

fn iso(at: Time) -> String {
    let at = i64::try_from(at.0).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    at.map_or_else(String::new, |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Code;
    use serde_json::{Value, json};

    fn body(ended: &Ended<'_>) -> Value {
        serde_json::from_slice(&turn_ended(ended)).unwrap()
    }

    fn ended<'a>(outcome: &'a Outcome, answer: &'a str) -> Ended<'a> {
        Ended { session: "s", turn: TurnId(7), outcome, client_id: None, answer, trace: None, at: Time(1_750_000_000_123_456) }
    }

    #[test]
    fn each_outcome_has_a_status_and_a_failure_its_code() {
        let failed = Outcome::Failed { why: "it broke".to_owned(), code: Some(Code::CutOff) };
        let name: ClientId = "m1".parse().unwrap();
        let body = body(&Ended { client_id: Some(&name), ..ended(&failed, "half") });
        let data = json!({
            "session": "s", "id": "msg_7", "client_id": "m1", "status": "error", "answer": "half",
            "error": { "detail": "it broke", "code": "cut_off" }, "usage": Usage::NONE,
            "started_at": null, "ended_at": 1_750_000_000_123.456,
        });
        assert_eq!(body, json!({ "type": "turn.ended", "timestamp": "2025-06-15T15:06:40.123456Z", "data": data }));
        assert_eq!(self::body(&ended(&Outcome::Answered, "all"))["data"]["status"], "done");
        assert_eq!(self::body(&ended(&Outcome::Cancelled, ""))["data"]["status"], "cancelled");
    }

    #[test]
    fn a_long_answer_is_cut_and_says_so() {
        let long = "ä".repeat(ANSWER_BYTES_MAX);
        let body = body(&ended(&Outcome::Answered, &long));
        assert!(body["data"]["answer"].as_str().unwrap().len() <= ANSWER_BYTES_MAX + 8);
        assert_eq!(body["data"]["answer_truncated"], true);
    }
}
