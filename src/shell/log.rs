//! Writes the shard's log lines.

use crate::shard::event::Entry;
use tracing::{error, info, warn};

pub(super) fn write(entry: Entry) {
    match entry {
        Entry::Turn { id, session, graph, path, frames, total_us, first_token_us, usage, outcome, degraded, trace_id } => {
            let (ms, first_token_ms) = (total_us / 1000, first_token_us.map(|time_us| time_us / 1000));
            let (prompt_tokens, completion_tokens) = (usage.prompt_tokens, usage.completion_tokens);
            let trace_id = trace_id.map(tracing::field::display);
            info!(
                %id, %session, %graph, %path, frames, ms, first_token_ms, prompt_tokens, completion_tokens, outcome, degraded, trace_id,
                "turn"
            );
        }
        Entry::Panic { session } => error!(%session, "a session panicked and was dropped"),
        Entry::Differs { session, record } => warn!(
            %session,
            record,
            "a session was loaded, and differs from what was recorded: its journal may be damaged (see `framewright replay`)"
        ),
        Entry::Limit { code, detail } => warn!(code, %detail, "limit reached"),
        Entry::Refused { code, detail } => warn!(code, %detail, "refused"),
    }
}
