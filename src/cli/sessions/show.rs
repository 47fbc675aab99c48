//! `framewright sessions show`: a session's turns, to read.

use super::Failure;
use super::journal::{self, Place};
use super::readable::{self, counted, number, plain};
use crate::auth::ANONYMOUS;
use crate::config::Arguments;
use crate::contract::TurnId;
use crate::contract::journal::Name;
use crate::store::{SessionRow, TurnRow};
use std::io::{self, Write};

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// Session to show
    session: String,
    /// User whose session it is
    #[arg(long, value_name = "NAME", default_value = ANONYMOUS)]
    user: String,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let name = Name { user: options.user.clone(), session: options.session.clone() };
    let mut reader = place.reader()?;
    let row = journal::session(&mut *reader, &name)?;
    let turns = journal::turns(&mut *reader, &name)?;
    readable::written(write(&row, &turns))
}

fn write(row: &SessionRow, turns: &[TurnRow]) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    out.write_all(heading(row, turns.len()).as_bytes())?;
    for turn in turns {
        write!(out, "\n{}", shown(turn))?;
    }
    out.flush()
}

fn heading(row: &SessionRow, turns: usize) -> String {
    let SessionRow { user, session, title, created_at, used_at, tokens, .. } = row;
    let (turns, tokens) = (counted(turns as u64, "turn", "turns"), counted(*tokens, "token", "tokens"));
    let (from, to) = (readable::time(*created_at), readable::time(*used_at));
    let title = if title.is_empty() { String::new() } else { format!("  {}", plain(title)) };
    format!("{}/{}{title}\n{turns}, {tokens}, {from} to {to}\n", plain(user), plain(session))
}

/// A turn: a line about it, the question, the answer.
fn shown(row: &TurnRow) -> String {
    let TurnRow { turn, is_hidden, is_replaced, rating, comment, .. } = row;
    let mut about = vec![TurnId(turn.turn).to_string(), readable::time(turn.started_at.0), plain(&turn.graph)];
    about.push(if turn.path.is_empty() { "no path".to_owned() } else { plain(&turn.path) });
    about.push(readable::duration(turn.total_us));
    about.push(format!("{} in, {} out", counted(turn.tokens_in, "token", "tokens"), number(turn.tokens_out)));
    about.extend((turn.status != "done").then(|| turn.status.clone()));
    about.extend(turn.degraded.as_ref().map(|why| format!("degraded: {}", plain(why))));
    about.extend(is_hidden.then(|| "cleared".to_owned()));
    about.extend(is_replaced.then(|| "replaced".to_owned()));
    about.extend(rating.map(|rating| format!("rated {rating:+}")));
    about.extend(comment.as_ref().map(|comment| format!("comment: {}", plain(comment))));
    let mut shown = format!("{}\n", about.join("  "));
    for (text, mark) in [(&turn.question, "  > "), (&turn.answer, "  ")] {
        plain(text).lines().for_each(|line| shown.push_str(&format!("{}\n", format!("{mark}{line}").trim_end())));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Time;
    use crate::contract::journal::Turn;

    #[test]
    fn a_turn_is_a_line_about_it_its_question_and_its_answer() {
        let turn = Turn {
            turn: 3,
            started_at: Time(1_763_668_166_000_000),
            question: "what\nnow?".to_owned(),
            answer: "This:\n\nthat.".to_owned(),
            status: "error".to_owned(),
            graph: "v3-framed".to_owned(),
            path: "director".to_owned(),
            total_us: 2_100_000,
            tokens_in: 1_200,
            tokens_out: 30,
            ..Turn::default()
        };
        let row = TurnRow { turn, is_hidden: true, rating: Some(1), comment: Some("good".to_owned()), ..TurnRow::default() };
        let text = shown(&row);
        let (line, rest) = text.split_once('\n').unwrap();
        assert!(line.starts_with("msg_3  20"), "{line}");
        assert!(line.ends_with("v3-framed  director  2.1 s  1,200 tokens in, 30 out  error  cleared  rated +1  comment: good"), "{line}");
        assert_eq!(rest, "  > what\n  > now?\n  This:\n\n  that.\n");
    }
}
