//! A call of the interface over HTTP: JSON there, JSON back, or a refusal.

use super::{Address, secure};
use crate::contract::Code;
use serde::Deserialize;
use serde_json::Value;

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallTrouble {
    /// No answer, or not in time.
    #[error("the server can't be reached ({why}){}", self.advice())]
    Unreachable { why: String },
    /// `code`: none where what answered is a proxy, or a later version.
    #[error("{detail}")]
    Refused { status: u16, code: Option<Code>, detail: String },
    #[error("the server's answer is not JSON")]
    Unreadable,
}

impl CallTrouble {
    /// What to do about it, where it is known; begins with a colon.
    pub fn advice(&self) -> &'static str {
        if let CallTrouble::Unreachable { why } = self { secure::advice(why) } else { "" }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            CallTrouble::Unreachable { .. } | CallTrouble::Unreadable => true,
            CallTrouble::Refused { code: Some(code), .. } => is_transient(*code),
            CallTrouble::Refused { code: None, status, .. } => matches!(status, 429 | 502 | 503 | 504),
        }
    }
}

/// Whether what is refused with this code may be accepted later.
pub fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::SessionBusy
            | Code::QueueFull
            | Code::RateLimited
            | Code::TooManyStreams
            | Code::TooManyTurns
            | Code::TestsRunning
            | Code::Draining
            | Code::ConnectionsFull
            | Code::SessionsFull
            | Code::MemoryFull
            | Code::ShardTimeout
            | Code::RequestTimeout
            | Code::Unavailable
    )
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
        if status.is_success() {
            return serde_json::from_str(&text).map_err(|_| CallTrouble::Unreadable);
        }
        Err(refused(status.as_u16(), &text))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    detail: Option<String>,
    code: Value,
}

fn refused(status: u16, body: &str) -> CallTrouble {
    let Body { detail, code } = serde_json::from_str(body).unwrap_or_default();
    let detail = detail.unwrap_or_else(|| format!("the server refuses it with status {status}"));
    CallTrouble::Refused { status, code: serde_json::from_value(code).ok(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_transient_by_its_code_and_by_its_status_only_where_there_is_none() {
        for (status, body, code, transient) in [
            (409, r#"{"detail":"busy","code":"session_busy"}"#, Some(Code::SessionBusy), true),
            (409, r#"{"detail":"stale","code":"stale_control"}"#, Some(Code::StaleControl), false),
            (503, r#"{"detail":"full","code":"results_full"}"#, Some(Code::ResultsFull), false),
            (503, r#"{"detail":"new","code":"of_a_later_version"}"#, None, true),
            (502, "<html>bad gateway</html>", None, true),
            (403, "<html>forbidden</html>", None, false),
        ] {
            let trouble = refused(status, body);
            assert!(matches!(&trouble, CallTrouble::Refused { code: read, .. } if *read == code), "{body}: {trouble:?}");
            assert_eq!(trouble.is_transient(), transient, "{body}");
        }
    }
}
