//! `framewright sessions list`: a line for each session.

use super::journal::Place;
use super::readable::{self, number, plain};
use super::{Failure, tell};
use crate::config::Arguments;
use crate::store::{SessionQuery, SessionRow};
use std::io::{self, Write};

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// Only sessions of this user [default: of all users]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only sessions with words that begin like this, in the title or in one turn
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Sessions to list at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// As JSON, an object a line; times are in µs since the epoch
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let limit = options.limit as usize;
    let query = SessionQuery { user: options.user.clone(), search: options.search.clone(), limit: limit + 1, ..SessionQuery::default() };
    let mut rows = place.reader()?.sessions(&query).map_err(Failure::unavailable)?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    readable::written(if options.json { write_json(&rows) } else { io::stdout().write_all(table(&rows).as_bytes()) })?;
    if has_more {
        tell(format_args!("there are more: list them with --limit, or narrow the list with --user or --search"));
    }
    Ok(())
}

fn write_json(rows: &[SessionRow]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for row in rows {
        serde_json::to_writer(&mut out, row)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Columns as wide as their longest cell; the title comes last.
fn table(rows: &[SessionRow]) -> String {
    if rows.is_empty() {
        return "no sessions\n".to_owned();
    }
    let heading = ["SESSION", "USER", "LAST USED", "TURNS", "TOKENS", "GRAPH", "TITLE"].map(str::to_owned);
    let cells = |row: &SessionRow| {
        let SessionRow { user, session, title, used_at, turns, graph, tokens, .. } = row;
        [plain(session), plain(user), readable::time(*used_at), number(*turns), number(*tokens), plain(graph), plain(title)]
    };
    let lines: Vec<[String; 7]> = std::iter::once(heading).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut drawn = String::new();
    for [session, user, used, turns, tokens, graph, title] in &lines {
        let [w0, w1, w2, w3, w4, w5, _] = widths;
        let line = format!("{session:w0$}  {user:w1$}  {used:w2$}  {turns:>w3$}  {tokens:>w4$}  {graph:w5$}  {title}");
        drawn.push_str(line.trim_end());
        drawn.push('\n');
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let row = |session: &str, title: &str, tokens: u64| SessionRow {
            user: "ann".to_owned(),
            session: session.to_owned(),
            title: title.to_owned(),
            turns: 2,
            tokens,
            ..SessionRow::default()
        };
        let drawn = table(&[row("a", "hello", 1_234), row("ünïcode", "", 7)]);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines.len(), 3);
        let title = lines[0].find("TITLE").unwrap();
        assert_eq!(lines[1].find("hello"), Some(title), "{drawn}");
        assert!(lines[1].contains(" 1,234 ") && lines[2].ends_with('7'), "{drawn}");
        assert_eq!(table(&[]), "no sessions\n");
    }
}
