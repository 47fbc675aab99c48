//! Judgement: a model scores an answer by a criterion that no comparison of words could hold.
//!
//! It is asked through the same pool as every other model call, under the role `judge`.

use crate::contract::{ChatMessage, ModelRequest, Part, Request, Role, Schema, Text};
use crate::reading;
use crate::work::{Pool, Reply, tape};
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// A model that scores answers.
pub struct Judge {
    pool: Pool,
    name: String,
}

/// What a judge says of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// 0 to 10.
    pub points: u8,
    pub reason: String,
}

/// A criterion holds from here.
const HOLDS_FROM: u8 = 7;
const POINTS_MAX: f64 = 10.0;
const PROMPT: &str = include_str!("judge.md");
const SCHEMA: &str = r#"{"type":"object","properties":{"points":{"type":"integer"},"reason":{"type":"string"}},"required":["points","reason"],"additionalProperties":false}"#;
const TOKENS_MAX: u32 = 400;
/// What is shown of a reason.
const REASON_MAX: usize = 400;

/// Why a judgement is skipped where nobody can judge.
pub(super) const NOBODY: &str =
    "nobody can judge it, because the demo model has no opinion: set OPENAI_API_KEY, or name a model with --judge-model and --llm-url";

impl Score {
    pub fn holds(&self) -> bool {
        self.points >= HOLDS_FROM
    }

    fn read(text: &str) -> Result<Score, String> {
        #[derive(Deserialize)]
        struct Said {
            points: f64,
            #[serde(default)]
            reason: String,
        }
        let said: Said = reading::read(text).map_err(|wrong| format!("its answer is no score: {wrong}"))?;
        let reason = said.reason.chars().take(REASON_MAX).collect();
        match (0.0..=POINTS_MAX).contains(&said.points) {
            true => Ok(Score { points: said.points.floor() as u8, reason }),
            false => Err(format!("its answer is no score: {} points, where 0 to {POINTS_MAX} can be given", said.points)),
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of 10: {}", self.points, self.reason)
    }
}

impl Judge {
    /// What its calls are known by.
    pub const LABEL: &str = tape::ONLOOKER;

    /// `name`: what people see the model called.
    pub fn new(pool: Pool, name: &str) -> Judge {
        Judge { pool, name: name.to_owned() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Scores an answer to what was said in a session. An answer of the model that is no score is an error.
    pub fn score(&self, session: &str, criterion: &str, said: &str, answer: &str) -> Result<Score, String> {
        let session: Arc<str> = session.into();
        let request = Arc::new(Request::Model(request(criterion, said, answer)));
        let timeout = self.pool.deadline(&request) + Duration::from_secs(5);
        let (reply, replies) = channel();
        let replying = Box::new(move |said| drop(reply.send(said)));
        let call = self.pool.start(&session, request, replying).map_err(|error| error.to_string())?;
        let mut text = String::new();
        loop {
            match replies.recv_timeout(timeout) {
                Ok(Reply::Chunk(chunk)) => text.push_str(&chunk),
                Ok(Reply::Done { outcome, .. }) => {
                    text.push_str(&outcome.map_err(|error| error.to_string())?.text);
                    return Score::read(&text);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    call.cancel();
                    return Err("it did not answer in time".to_owned());
                }
            }
        }
    }
}

fn request(criterion: &str, said: &str, answer: &str) -> ModelRequest {
    let asked = [
        Part::Fixed("## message\n".into()),
        Part::Slot("message".into(), said.to_owned()),
        Part::Fixed("\n\n## answer\n".into()),
        Part::Slot("answer".into(), answer.to_owned()),
        Part::Fixed("\n\n## criterion\n".into()),
        Part::Slot("criterion".into(), criterion.to_owned()),
    ];
    ModelRequest {
        role: Judge::LABEL.into(),
        stage: None,
        background: false,
        model: "strong".into(),
        messages: vec![
            ChatMessage::new(Role::System, Text(vec![Part::Fixed(PROMPT.into())])),
            ChatMessage::new(Role::User, Text(asked.to_vec())),
        ],
        schema: Some(Arc::new(Schema { name: "score".to_owned(), json: SCHEMA.into() })),
        tools: Arc::new([]),
        stream: false,
        streamed_field: None,
        tokens_max: TOKENS_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_score_is_read_and_anything_else_is_none() {
        for (text, points) in [
            (r#"{"points":7,"reason":"Good."}"#, Some(7)),
            ("```json\n{\"points\": 10.0}\n```", Some(10)),
            (r#"{"points":6.9,"reason":""}"#, Some(6)),
            (r#"{"points":11,"reason":""}"#, None),
            (r#"{"points":-1,"reason":""}"#, None),
            (r#"{"reason":"fine"}"#, None),
            ("ten points", None),
            (r#"On a scale {0..10}: {"points":"8","reason":null} {"points":3}"#, Some(8)),
            (r#""{\"points\":8}""#, Some(8)),
        ] {
            assert_eq!(Score::read(text).map(|score| score.points).ok(), points, "{text}");
        }
        let score = |points| Score { points, reason: "So.".to_owned() };
        assert_eq!([6, 7].map(|points| score(points).holds()), [false, true]);
        assert_eq!(score(7).to_string(), "7 of 10: So.");
    }

    #[test]
    fn the_schema_is_one_and_the_prompt_names_its_role() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        assert_eq!(schema["required"], serde_json::json!(["points", "reason"]));
        assert!(PROMPT.starts_with("# judge\n"));
    }
}
