//! A conversation as Markdown, for people to keep.

use crate::contract::Time;
use crate::contract::journal::{SessionRow, TurnRow};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Write as _;

/// The turns are the oldest first. `is_whole`: none is missing.
pub fn export<'a>(session: &SessionRow, turns: impl Iterator<Item = &'a TurnRow>, is_whole: bool) -> Vec<u8> {
    let title = if session.title.is_empty() { &session.session } else { &session.title };
    let mut out = format!("# {title}\n");
    if !is_whole {
        out.push_str("\n*Older turns are left out: this conversation is too long for one export.*\n");
    }
    for row in turns {
        let turn = &row.turn;
        let at = minute(turn.started_at);
        let _ = write!(out, "\n---\n\n**User** ({at})\n\n{}\n", turn.question.trim_end());
        if !turn.answer.is_empty() {
            let _ = write!(out, "\n**Assistant**\n\n{}\n", turn.answer.trim_end());
        }
        match turn.status.as_str() {
            "done" => {}
            "cancelled" => out.push_str("\n*This turn was stopped.*\n"),
            _ => out.push_str("\n*This turn failed.*\n"),
        }
    }
    out.into_bytes()
}

/// As `2026-11-30 11:45 UTC`.
fn minute(at: Time) -> String {
    let time = i64::try_from(at.0).ok().and_then(|at| Timestamp::from_microsecond(at).ok()).unwrap_or_default();
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::journal::Turn;

    #[test]
    fn a_conversation_is_readable_and_says_what_is_missing() {
        let turn = |question: &str, answer: &str, status: &str| TurnRow {
            turn: Turn {
                started_at: Time(1_763_668_166_000_000),
                question: question.into(),
                answer: answer.into(),
                status: status.into(),
                ..Turn::default()
            },
            ..TurnRow::default()
        };
        let session = SessionRow { title: "Pelicans".into(), session: "a".into(), ..SessionRow::default() };
        let turns = [turn("Why?\n", "Because.", "done"), turn("And?", "Well", "cancelled"), turn("So?", "", "error")];
        let text = String::from_utf8(export(&session, turns.iter(), false)).unwrap();
        assert_eq!(
            text,
            "# Pelicans\n\n*Older turns are left out: this conversation is too long for one export.*\n\
             \n---\n\n**User** (2025-11-20 19:49 UTC)\n\nWhy?\n\n**Assistant**\n\nBecause.\n\
             \n---\n\n**User** (2025-11-20 19:49 UTC)\n\nAnd?\n\n**Assistant**\n\nWell\n\n*This turn was stopped.*\n\
             \n---\n\n**User** (2025-11-20 19:49 UTC)\n\nSo?\n\n*This turn failed.*\n"
        );
        let untitled = SessionRow { session: "a".into(), ..SessionRow::default() };
        assert_eq!(export(&untitled, [].iter(), true), b"# a\n");
    }
}
