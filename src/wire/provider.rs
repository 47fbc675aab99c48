//! The OpenAI chat-completions wire, as its many speakers really speak it: a request's body, and the reader of an answer.
//!
//! Pure: bytes go in, pieces of text and one answer come out. [`Reader`] takes what arrives in pieces of any size and
//! works out for itself whether it is an event stream or one JSON document, because servers answer either to either.
//!
//! Invariants: how the bytes were cut changes nothing; what is held and what is handed on is bounded by [`Bounds`];
//! an answer that broke off is an error, never a short answer; nothing that a provider writes gets into a [`CallError`].

mod chunk;
mod dialect;
mod lines;
mod loose;
mod reader;
mod request;
mod tags;
mod thinking;
mod tool_calls;

pub use dialect::{Complaint, Dialect, Format, Longest};
pub use reader::{Bounds, Reader, Streams};
pub use request::{body, named_tags, shaped};
pub use tags::Kinds;
pub use thinking::Manner;

use crate::contract::CallError;

/// What a refusal with this HTTP status, or this code inside a stream, means to us.
fn refused(status: u16) -> CallError {
    match status {
        401 | 403 => CallError::Unauthorized,
        402 => CallError::QuotaExhausted,
        404 | 410 => CallError::NotFound,
        429 => CallError::RateLimited,
        503 | 529 => CallError::Busy,
        300..=499 => CallError::Rejected { status },
        _ => CallError::Failed { status },
    }
}
