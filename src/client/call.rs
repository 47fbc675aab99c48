//! A call of the interface over HTTP: JSON there, JSON back, or the sentence that refuses it.

use super::{Address, secure};
use serde_json::Value;
use std::fmt;

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallTrouble {
    /// Nobody answers, or not in time.
    Unreachable { why: String },
    /// The server's own sentence.
    Refused { status: u16, detail: String },
    /// What answers is no server of ours.
    Unreadable,
}

impl CallTrouble {
    /// What to do about it, where it is known: it begins with a colon.
    pub fn advice(&self) -> &'static str {
        if let CallTrouble::Unreachable { why } = self { secure::advice(why) } else { "" }
    }
}

impl fmt::Display for CallTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallTrouble::Unreachable { why } => write!(f, "the server can't be asked ({why}){}", self.advice()),
            CallTrouble::Refused { detail, .. } => f.write_str(detail),
            CallTrouble::Unreadable => f.write_str("the server's answer is not JSON"),
        }
    }
}

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 32 << 20;

impl Address {
    /// Reads a path, or posts a body to it.
    pub fn call(&self, path: &str, body: Option<&Value>) -> Result<Value, CallTrouble> {
        let (url, bearer) = (self.page(path), self.bearer());
        let answer = match body {
            None => {
                let request = self.agent.get(&url);
                bearer.iter().fold(request, |request, bearer| request.header("authorization", bearer)).call()
            }
            Some(body) => {
                let request = self.agent.post(&url).header("content-type", "application/json");
                bearer.iter().fold(request, |request, bearer| request.header("authorization", bearer)).send(body.to_string())
            }
        };
        let unreachable = |error: ureq::Error| CallTrouble::Unreachable { why: error.to_string() };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(unreachable)?;
        let body: Option<Value> = serde_json::from_str(&text).ok();
        match (status.is_success(), body) {
            (true, Some(body)) => Ok(body),
            (true, None) => Err(CallTrouble::Unreadable),
            (false, body) => {
                let detail = body.as_ref().and_then(|body| body["detail"].as_str()).unwrap_or("the server refuses it").to_owned();
                Err(CallTrouble::Refused { status: status.as_u16(), detail })
            }
        }
    }
}
