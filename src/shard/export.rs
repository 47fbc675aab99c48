//! What is exported of a turn: its trace, and of each call what may be told. Messages only where content was asked for.

use super::Settings;
use crate::contract::{
    AskedOf, CallDetail, CallId, Came, Content, DatabaseAsk, Finished, FinishedCall, FinishedWhat, Name, Request, Role, Trace, TurnDetail,
    TurnId, clip,
};
use crate::engine::Session;
use std::sync::Arc;

/// Messages of one call whose content is exported, the last ones, and bytes of each.
const MESSAGES_MAX: usize = 50;
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// A turn that has just ended; none where its trace is not recorded.
pub(super) fn turn(settings: &Settings, conversation: &Arc<str>, session: &Session, trace: &Arc<Trace>) -> Option<Box<Finished>> {
    let context = trace.context.filter(|context| settings.export.is_some() && context.is_sampled)?;
    // One that was cleared away has kept no calls.
    let calls = session.kept_turn(trace.id).map_or(&[] as &[_], |kept| &kept.calls);
    let calls = calls.iter().map(|call| told(settings, call)).collect();
    Some(Box::new(Finished { context, conversation: conversation.clone(), turn: trace.id, what: FinishedWhat::Turn(trace.clone()), calls }))
}

/// A call that has just ended behind a turn; none where it is none, or not recorded.
pub(super) fn background(
    settings: &Settings,
    conversation: &Arc<str>,
    session: &Session,
    turn: TurnId,
    pid: CallId,
) -> Option<Box<Finished>> {
    let TurnDetail { trace, calls, .. } = session.kept_turn(turn).filter(|_| settings.export.is_some())?;
    let context = trace.context.filter(|context| context.is_sampled)?;
    let record = trace.background.iter().find(|record| record.pid == pid)?.clone();
    let calls = calls.iter().filter(|call| call.pid == pid).map(|call| told(settings, call)).collect();
    let what = FinishedWhat::Background { started_us: trace.started_at.0, record };
    Some(Box::new(Finished { context, conversation: conversation.clone(), turn, what, calls }))
}

fn told(settings: &Settings, call: &CallDetail) -> FinishedCall {
    let asked = match &*call.request {
        Request::Model(asked) => {
            let answer = call.came.whole();
            AskedOf::Model {
                provider: settings.models.provider.clone(),
                model: settings.models.of(&asked.model).clone(),
                tokens_max: asked.tokens_max,
                is_structured: asked.schema.is_some(),
                answered_by: answer.map(|answer| answer.model.clone()).unwrap_or_default(),
                finish: answer.map(|answer| answer.finish),
            }
        }
        Request::Database(asked) => AskedOf::Database { database: asked.database.clone(), tool: tool(&asked.ask) },
        Request::Approval(asked) => AskedOf::Approval { tool: asked.tool.clone() },
    };
    let content = settings.export.is_some_and(|export| export.content).then(|| content(&call.request, &call.came));
    FinishedCall { pid: call.pid, node: call.node.clone(), asked, content }
}

/// What is asked of a database, without names of tables.
fn tool(ask: &DatabaseAsk) -> Name {
    Name::Borrowed(match ask {
        DatabaseAsk::Tables => "tables",
        DatabaseAsk::Describe { .. } => "describe",
        DatabaseAsk::Query { .. } => "query",
        DatabaseAsk::Columns => "columns",
        DatabaseAsk::Range { .. } => "range",
    })
}

fn content(request: &Request, came: &Came) -> Content {
    let clipped = |text: &str| clip(text, MESSAGE_BYTES_MAX);
    let asked = match request {
        Request::Model(asked) => {
            let role = |role| match role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
                Role::Tool => "tool",
            };
            let last = &asked.messages[asked.messages.len().saturating_sub(MESSAGES_MAX)..];
            last.iter().map(|message| (role(message.role).into(), clipped(&message.text.to_string()))).collect()
        }
        Request::Database(asked) => match &asked.ask {
            DatabaseAsk::Query { sql } => vec![("arguments".into(), clipped(sql))],
            DatabaseAsk::Describe { table } => vec![("arguments".into(), clipped(table))],
            DatabaseAsk::Tables | DatabaseAsk::Columns | DatabaseAsk::Range { .. } => Vec::new(),
        },
        Request::Approval(asked) => vec![("arguments".into(), clipped(&asked.text))],
    };
    Content { asked, answered: clipped(&came.said()) }
}
