//! What the journal found, as answers. The threads that read and change it call this, so that no event loop writes long answers.

use super::bounds::HISTORY_BYTES_MAX;
use super::event::{Forked, JobOutcome};
use super::fork::NotForked;
use super::journal_job::{ExportFormat, KeepFork, Shown};
use super::operation::Reply;
use super::rerun::Wanted;
use crate::contract::journal::{Deleted, SessionRow, TurnRow};
use crate::contract::{Code, Message, Refusal, Role, TurnDetail, TurnId};
use crate::wire::{json, markdown};

const UNKNOWN_SESSION: Refusal = Refusal::new(Code::UnknownSession, "there is no such session; `GET /api/sessions` lists yours");
const UNKNOWN_TURN: Refusal =
    Refusal::new(Code::UnknownTurn, "this session has no such turn that has ended: `/api/turns` lists those that it has");
const NOT_KEPT: Refusal = Refusal::new(Code::TurnNotKept, "this turn is no longer kept: `/api/turns` lists those that are");

const TOO_LARGE_TO_TEST: Refusal = Refusal::new(
    Code::TurnNotTestable,
    "this session is too large to be played here: operators write the test with `framewright test --from-turn`",
);

pub fn too_large_to_test() -> JobOutcome {
    JobOutcome::Reply(TOO_LARGE_TO_TEST.into())
}

/// Body of `/api/turn/test`: the texts of both files, and the name that they have but for their endings.
pub fn turn_test(name: &str, suite: &str, cassette: &str) -> JobOutcome {
    JobOutcome::Reply(Reply::ok(&serde_json::json!({ "name": name, "suite": suite, "cassette": cassette })))
}

pub fn not_testable(why: String) -> JobOutcome {
    JobOutcome::Reply(Refusal::with(Code::TurnNotTestable, why).into())
}

const TOO_LARGE: Refusal =
    Refusal::new(Code::ForkTooLarge, "this session is too large to be forked here: operators fork it with `framewright sessions fork`");

/// Why a session was not forked.
pub fn not_forked(why: &NotForked) -> JobOutcome {
    JobOutcome::Reply(match why {
        NotForked::NoTurn(_) => UNKNOWN_TURN.into(),
        NotForked::Incomplete { .. } => NOT_KEPT.into(),
        other => Refusal::with(Code::JournalUnavailable, format!("this session can't be forked there: {other}")).into(),
    })
}

pub fn too_large_to_fork() -> JobOutcome {
    JobOutcome::Reply(TOO_LARGE.into())
}

/// A turn that was cleared, or is gone.
pub fn turn_not_kept() -> JobOutcome {
    JobOutcome::Reply(NOT_KEPT.into())
}

pub fn forked(fork: KeepFork) -> JobOutcome {
    let KeepFork { to, turn, message, .. } = fork;
    JobOutcome::Forked(Box::new(Forked { to, turn, message }))
}

pub fn unknown_session() -> JobOutcome {
    JobOutcome::Reply(UNKNOWN_SESSION.into())
}

/// Body of `/api/sessions`. `rows` has one row beyond `limit` where there are more.
pub fn sessions(rows: &[SessionRow], limit: usize) -> JobOutcome {
    JobOutcome::Reply(Reply::of(json::sessions(page(rows, limit), cursor_of(rows, limit).as_deref())))
}

/// The part of `/api/me` that the journal has.
pub fn kept_of(rows: &[SessionRow], limit: usize) -> JobOutcome {
    sessions(rows, limit)
}

/// Body of `/api/turns`, in the same way.
pub fn turns(rows: &[TurnRow], limit: usize, of_all: bool) -> JobOutcome {
    let next = next(rows, limit).map(|row| row.place.to_string());
    JobOutcome::Reply(Reply::of(json::turns(page(rows, limit), of_all, next.as_deref())))
}

/// Where the next page of sessions begins, as [`super::journal_job`]'s query reads it.
fn cursor_of(rows: &[SessionRow], limit: usize) -> Option<String> {
    next(rows, limit).map(|row| format!("{}-{}", row.used_at, row.session))
}

fn page<T>(rows: &[T], limit: usize) -> &[T] {
    &rows[..rows.len().min(limit)]
}

/// The last row of a page behind which there is more.
fn next<T>(rows: &[T], limit: usize) -> Option<&T> {
    if rows.len() > limit { rows.get(limit.checked_sub(1)?) } else { None }
}

/// Body of `/api/history?before=`. The rows are the latest first; there is one beyond `turns` where there are more.
pub fn history(rows: &[TurnRow], turns: usize) -> JobOutcome {
    let turns = fitting(rows, turns);
    let messages: Vec<Message> = page(rows, turns).iter().rev().flat_map(messages).collect();
    let next = next(rows, turns).map(|row| TurnId(row.turn.turn));
    JobOutcome::Reply(Reply::of(json::history_before(messages.iter(), next)))
}

/// How many of these turns one answer holds; at least one.
fn fitting(rows: &[TurnRow], turns: usize) -> usize {
    let mut bytes = 0;
    let fits = |row: &&TurnRow| {
        bytes += row.turn.question.len() + row.turn.answer.len();
        bytes <= HISTORY_BYTES_MAX
    };
    rows.iter().take(turns).take_while(fits).count().max(1)
}

/// A turn's question and what was answered. Where the turn failed, the last of them is marked.
fn messages(row: &TurnRow) -> Vec<Message> {
    let turn = &row.turn;
    let is_partial = turn.status != "done";
    let client_id = turn.client_id.as_ref().and_then(|id| id.parse().ok());
    let mut messages = vec![Message { client_id, ..Message::new(Role::User, turn.question.as_str(), TurnId(turn.turn)) }];
    if !turn.answer.is_empty() {
        messages.push(Message::new(Role::Assistant, turn.answer.as_str(), TurnId(turn.turn)));
    }
    let last = messages.last_mut().expect("the question is there");
    (last.partial, last.progress) = (is_partial, turn.progress.clone());
    messages
}

/// Body of `/api/turn`. A turn of a conversation that was cleared is shown no more. `row`: what the journal has of it; the outer
/// option is none where the journal can't be read, so that its rating isn't known.
pub fn turn(row: Option<Option<TurnRow>>, shown: Shown) -> JobOutcome {
    let Shown { databases, detail_bytes_max, in_memory } = shown;
    let feedback = row.as_ref().map(|row| match row {
        Some(row) => json::Feedback { rating: row.rating, comment: row.comment.clone() },
        None => json::Feedback::default(),
    });
    let row = row.flatten();
    let webhook = row.as_ref().and_then(|row| row.webhook);
    let (detail, webhook) = match in_memory {
        Some((detail, known)) => (Some(detail), known.or(webhook)),
        None => (detail(row), webhook),
    };
    JobOutcome::Reply(match detail {
        Some(detail) => Reply::of(json::turn(&detail, &databases, detail_bytes_max, webhook.as_ref(), feedback.as_ref())),
        None => NOT_KEPT.into(),
    })
}

/// The turn of a call that is to be made again.
pub fn recorded(row: Option<TurnRow>, wanted: Box<Wanted>) -> JobOutcome {
    JobOutcome::Recorded { wanted, kept: detail(row).map(Box::new).ok_or(NOT_KEPT) }
}

fn detail(row: Option<TurnRow>) -> Option<TurnDetail> {
    row.filter(|row| !row.is_hidden).and_then(|row| serde_json::from_slice(&row.turn.detail).ok())
}

/// An exported session as a file. `rows` are the latest first; `is_whole`: none is missing.
pub fn export(session: &SessionRow, rows: &[TurnRow], is_whole: bool, format: ExportFormat) -> JobOutcome {
    let (kind, ending, body) = match format {
        ExportFormat::Json => ("application/json", "json", json::export(session, rows.iter().rev(), is_whole)),
        ExportFormat::Markdown => ("text/markdown; charset=utf-8", "md", markdown::export(session, rows.iter().rev(), is_whole)),
    };
    JobOutcome::Document { kind, name: format!("{}.{ending}", session.session), body }
}

pub fn renamed(session: Option<&SessionRow>) -> JobOutcome {
    JobOutcome::Reply(match session {
        Some(session) => Reply::ok(&serde_json::json!({ "status": "ok", "id": session.session, "title": session.title })),
        None => UNKNOWN_SESSION.into(),
    })
}

pub fn rated(is_there: bool, turn: TurnId, rating: Option<i8>, comment: Option<&str>) -> JobOutcome {
    JobOutcome::Reply(if is_there {
        Reply::ok(&serde_json::json!({ "status": "ok", "turn": turn.to_string(), "rating": rating, "comment": comment }))
    } else {
        UNKNOWN_TURN.into()
    })
}

/// Body of `/api/sessions/delete`.
pub fn deleted(session: &str, deleted: &Deleted, was_open: bool) -> JobOutcome {
    if deleted.sessions == 0 && !was_open {
        return unknown_session();
    }
    let body = serde_json::json!({ "status": "deleted", "id": session, "turns": deleted.turns, "bytes": deleted.bytes });
    JobOutcome::Reply(Reply::ok(&body))
}

/// A shard's part of the answer to `/api/me/delete`.
pub fn forgotten(deleted: &Deleted, open: usize) -> JobOutcome {
    let kept = serde_json::json!({ "sessions": deleted.sessions, "turns": deleted.turns, "bytes": deleted.bytes });
    JobOutcome::Reply(Reply::ok(&serde_json::json!({ "sessions": open, "journal": kept })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::journal::{Place, Turn};
    use serde_json::{Value, json};

    fn row(turn: u64, status: &str, answer: &str) -> TurnRow {
        let place = Place { key: turn, session: 7, turn };
        let question = format!("question {turn}");
        let turn = Turn { turn, status: status.into(), answer: answer.into(), question, ..Turn::default() };
        TurnRow { user: "ada".into(), session: "a".into(), turn, place, ..TurnRow::default() }
    }

    fn body(outcome: JobOutcome) -> Value {
        match outcome {
            JobOutcome::Reply(reply) => serde_json::from_slice(&reply.body).unwrap(),
            JobOutcome::Document { body, .. } => serde_json::from_slice(&body).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_page_says_where_the_next_begins_only_if_there_is_more() {
        let session = |at: u64| SessionRow { session: format!("s{at}"), used_at: at, ..SessionRow::default() };
        let rows = [session(9), session(8), session(7)];
        for (limit, count, next) in [(2, 2, json!("8-s8")), (3, 3, Value::Null), (9, 3, Value::Null)] {
            let body = body(sessions(&rows, limit));
            assert_eq!((body["sessions"].as_array().unwrap().len(), &body["next"]), (count, &next), "limit {limit}");
        }
        let rows = [row(3, "done", "x"), row(2, "done", "x")];
        assert_eq!(body(turns(&rows, 1, false))["next"], "3-7-3");
        assert_eq!(body(turns(&rows, 2, false))["next"], Value::Null);
        assert!(body(turns(&rows, 2, false))["turns"][0]["user"].is_null());
        assert_eq!(body(turns(&rows, 2, true))["turns"][0]["user"], "ada");
    }

    #[test]
    fn a_page_of_history_is_oldest_first_and_marks_what_failed() {
        let rows = [row(4, "error", ""), row(3, "cancelled", "half"), row(2, "done", "two"), row(1, "done", "one")];
        let body = body(history(&rows, 3));
        let shown: Vec<String> = body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| {
                let partial = if message["partial"] == true { " partial" } else { "" };
                format!(
                    "{} {} {}{partial}",
                    message["id"].as_str().unwrap(),
                    message["role"].as_str().unwrap(),
                    message["content"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "msg_2 user question 2",
                "msg_2 assistant two",
                "msg_3 user question 3",
                "msg_3 assistant half partial",
                "msg_4 user question 4 partial"
            ]
        );
        assert_eq!(body["next"], "msg_2");
    }

    #[test]
    fn a_message_keeps_the_name_that_its_client_gave_it_and_what_was_told_beside_the_answer() {
        let mut turn = row(1, "done", "one");
        (turn.turn.client_id, turn.turn.progress) = (Some("mine".into()), "looking it up".into());
        let shown = body(history(&[turn.clone()], 1))["messages"].clone();
        assert_eq!((&shown[0]["client_id"], &shown[0]["progress"]), (&json!("mine"), &Value::Null), "{shown}");
        assert_eq!((&shown[1]["client_id"], &shown[1]["progress"]), (&Value::Null, &json!("looking it up")));
        turn.turn.answer.clear();
        assert_eq!(body(history(&[turn], 1))["messages"][0]["progress"], "looking it up");
    }

    #[test]
    fn a_page_of_history_has_a_bound_in_bytes_but_always_a_turn() {
        let long = "x".repeat(HISTORY_BYTES_MAX / 2);
        let rows = [row(4, "done", &long), row(3, "done", &long), row(2, "done", &"x".repeat(HISTORY_BYTES_MAX + 1)), row(1, "done", "")];
        let shown =
            |rows: &[TurnRow]| (body(history(rows, 9))["messages"].as_array().unwrap().len(), body(history(rows, 9))["next"].clone());
        assert_eq!(shown(&rows), (2, json!("msg_4")));
        assert_eq!(shown(&rows[2..]), (2, json!("msg_2")));
        assert_eq!(shown(&[]), (0, Value::Null));
    }

    #[test]
    fn a_turn_of_a_cleared_conversation_is_not_shown() {
        let hidden = TurnRow { is_hidden: true, ..row(1, "done", "secret") };
        for missing in [None, Some(hidden), Some(row(1, "done", "unreadable"))] {
            let shown = Shown { databases: Vec::new(), detail_bytes_max: 1_000, in_memory: None };
            assert_eq!(body(turn(Some(missing), shown))["code"], "turn_not_kept");
        }
    }

    fn trace() -> crate::contract::Trace {
        let shown = json!({
            "id": "msg_1", "message": "question 1", "graph": "v1-direct", "path": "agent", "started_at": 1.0, "total_ms": 2.0,
            "status": "done", "usage": crate::contract::Usage::NONE, "frames": [], "background": [],
        });
        serde_json::from_value(shown).unwrap()
    }

    #[test]
    fn a_turn_is_shown_with_its_rating_wherever_it_is_and_without_where_the_journal_is_silent() {
        let detail = TurnDetail { trace: std::sync::Arc::new(trace()), action: None, calls: Vec::new() };
        let rated = |rating, comment: Option<&str>| {
            let mut row = row(1, "done", "x");
            (row.rating, row.comment) = (rating, comment.map(str::to_owned));
            row.turn.detail = serde_json::to_vec(&detail).unwrap();
            row
        };
        let show = |row: Option<Option<TurnRow>>, is_in_memory: bool| {
            let in_memory = is_in_memory.then(|| (detail.clone(), None));
            let body = body(turn(row, Shown { databases: Vec::new(), detail_bytes_max: 1_000, in_memory }));
            assert!(body["trace"].is_object(), "{body}");
            (body.get("rating").cloned(), body.get("comment").cloned())
        };
        for is_in_memory in [true, false] {
            let shown = show(Some(Some(rated(Some(-1), Some("too long")))), is_in_memory);
            assert_eq!(shown, (Some(json!(-1)), Some(json!("too long"))));
            assert_eq!(show(Some(Some(rated(None, None))), is_in_memory), (Some(Value::Null), Some(Value::Null)));
        }
        assert_eq!(show(Some(None), true), (Some(Value::Null), Some(Value::Null)), "it has not ended there yet");
        assert_eq!(show(None, true), (None, None), "nobody knows");
    }

    #[test]
    fn what_is_nowhere_can_not_be_deleted_renamed_or_rated() {
        let none = Deleted::default();
        assert_eq!(body(deleted("a", &none, false))["code"], "unknown_session");
        assert_eq!(body(deleted("a", &none, true))["status"], "deleted");
        assert_eq!(body(renamed(None))["code"], "unknown_session");
        assert_eq!(body(rated(false, TurnId(3), Some(1), None))["code"], "unknown_turn");
        assert_eq!(
            body(rated(true, TurnId(3), Some(-1), Some("wrong"))),
            json!({ "status": "ok", "turn": "msg_3", "rating": -1, "comment": "wrong" })
        );
    }
}
