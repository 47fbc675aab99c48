//! Says what changed, turn by turn, and sums it up in a table.

use super::changes::{Changes, Kind, words};
use crate::cli::readable::{number, plain};
use crate::contract::journal::Name;
use crate::contract::{CallKind, TurnId, clip};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What is shown of a message and of a list's items.
const MESSAGE_BYTES: usize = 80;
const ITEM_BYTES: usize = 400;

/// A turn, and what became of it.
#[derive(Serialize)]
pub(super) struct Compared {
    pub(super) user: String,
    pub(super) session: String,
    pub(super) turn: String,
    pub(super) message: String,
    /// Why it was not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub(super) changes: Option<Changes>,
}

/// Counts of turns, and what they used.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Totals {
    turns: u64,
    same: u64,
    path: u64,
    tools: u64,
    sql: u64,
    text: u64,
    errors: u64,
    calls: u64,
    not_compared: u64,
    calls_made: u64,
    before: Used,
    after: Used,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Used {
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
}

/// All that was compared.
#[derive(Default, Serialize)]
pub(super) struct Report {
    turns: Vec<Compared>,
    #[serde(rename = "summary")]
    totals: Totals,
    /// Turns that changed in a way that is to fail.
    failed: Vec<String>,
}

impl Report {
    /// Adds a turn, and returns what is to be said of it. `is_kept`: the report is wanted whole in the end.
    pub(super) fn add(&mut self, compared: Compared, fail_on: &BTreeSet<Kind>, is_kept: bool) -> String {
        self.totals.add(&compared);
        if compared.changes.as_ref().is_some_and(|changes| changes.kinds.iter().any(|kind| fail_on.contains(kind))) {
            self.failed.push(format!("{} {}", name(&compared), compared.turn));
        }
        let says = told(&compared);
        if is_kept {
            self.turns.push(compared);
        }
        says
    }

    pub(super) fn compared(&self) -> u64 {
        self.totals.turns
    }

    pub(super) fn failed(&self) -> &[String] {
        &self.failed
    }

    pub(super) fn table(&self) -> String {
        let Totals { turns, same, path, tools, sql, text, errors, calls, not_compared, calls_made, before, after } = &self.totals;
        let mut table = String::new();
        let counts = [
            ("turns", turns),
            ("same", same),
            ("path changed", path),
            ("tools changed", tools),
            ("SQL changed", sql),
            ("text changed", text),
            ("errors", errors),
            ("needs a call", calls),
            ("not compared", not_compared),
        ];
        for (what, count) in counts {
            put(&mut table, format_args!("{what:<14} {:>9}", number(*count)));
            if what == "needs a call" && *calls_made > 0 {
                put(&mut table, format_args!("  ({} made)", number(*calls_made)));
            }
            table.push('\n');
        }
        let tokens = [("tokens in", before.tokens_in, after.tokens_in), ("tokens out", before.tokens_out, after.tokens_out)];
        for (what, was, is) in tokens {
            put(&mut table, format_args!("{what:<14} {:>9} -> {}\n", number(was), number(is)));
        }
        let (was, is) = (cost(before.cost_micros), cost(after.cost_micros));
        put(&mut table, format_args!("{:<14} {was:>9} -> {is}\n", "cost"));
        table
    }
}

impl Totals {
    fn add(&mut self, compared: &Compared) {
        self.turns += 1;
        let Some(changes) = &compared.changes else {
            self.not_compared += 1;
            return;
        };
        self.same += u64::from(changes.is_same());
        let counts = [
            (Kind::Path, &mut self.path),
            (Kind::Tools, &mut self.tools),
            (Kind::Sql, &mut self.sql),
            (Kind::Text, &mut self.text),
            (Kind::Error, &mut self.errors),
            (Kind::Call, &mut self.calls),
        ];
        for (kind, count) in counts {
            *count += u64::from(changes.kinds.contains(&kind));
        }
        self.calls_made += changes.calls.iter().filter(|call| call.was_made).count() as u64;
        if !changes.is_short {
            for (used, seen) in [(&mut self.before, &changes.was), (&mut self.after, &changes.is)] {
                used.tokens_in += seen.tokens_in;
                used.tokens_out += seen.tokens_out;
                used.cost_micros += seen.cost_micros;
            }
        }
    }
}

fn name(compared: &Compared) -> String {
    format!("{}/{}", compared.user, compared.session)
}

/// What changed in a turn; empty of one that is the same and needed no call.
fn told(compared: &Compared) -> String {
    let (name, turn, message) = (name(compared), &compared.turn, clip(&compared.message, MESSAGE_BYTES));
    let head = format!("{name} {turn} {message:?}");
    let Some(changes) = &compared.changes else {
        return format!("{head}: not compared: {}\n", compared.skipped.unwrap_or_default());
    };
    if changes.kinds.is_empty() {
        return String::new();
    }
    let named: Vec<&str> = changes.kinds.iter().filter(|kind| **kind != Kind::Call).map(|kind| kind_name(*kind)).collect();
    let what = match (changes.is.has_ended, named.is_empty(), changes.is_short) {
        (false, ..) => "a call is needed, and the rest of the turn is not known".to_owned(),
        (true, false, _) => format!("{} changed", named.join(", ")),
        (true, true, false) => "the same answer, with other requests".to_owned(),
        (true, true, true) => "the same answer; a call behind it is needed".to_owned(),
    };
    let mut says = format!("{head}: {what}\n");
    let (was, is) = (&changes.was, &changes.is);
    if changes.kinds.contains(&Kind::Path) {
        let path = |seen: &super::seen::Seen| format!("{} ({})", seen.path, seen.frames.join(" → "));
        put(&mut says, format_args!("  path    {} -> {}\n", path(was), path(is)));
    }
    if changes.kinds.contains(&Kind::Tools) {
        lines(&mut says, "tools", &was.tools, &is.tools);
    }
    if changes.kinds.contains(&Kind::Sql) {
        lines(&mut says, "sql", &was.sql, &is.sql);
    }
    if changes.kinds.contains(&Kind::Text) {
        let text = words(&was.text, &is.text);
        put(&mut says, format_args!("  text    {}\n", plain(&text).replace('\n', "\n          ")));
    }
    if is.has_ended && was.error != is.error {
        let error = |error: &Option<String>| error.as_ref().map_or("none".to_owned(), |why| plain(&clip(why, ITEM_BYTES)));
        put(&mut says, format_args!("  error   {} -> {}\n", error(&was.error), error(&is.error)));
    }
    if !changes.is_short {
        let tokens = |seen: &super::seen::Seen| format!("{} in, {} out", number(seen.tokens_in), number(seen.tokens_out));
        if (was.tokens_in, was.tokens_out) != (is.tokens_in, is.tokens_out) {
            put(&mut says, format_args!("  tokens  {} -> {}\n", tokens(was), tokens(is)));
        }
        if was.cost_micros != is.cost_micros {
            put(&mut says, format_args!("  cost    {} -> {}\n", cost(was.cost_micros), cost(is.cost_micros)));
        }
    }
    for call in &changes.calls {
        let kind = match call.kind {
            CallKind::Llm => "model",
            CallKind::Db => "database",
            CallKind::Approval => "approval",
        };
        let verb = if call.was_made { "called" } else { "needs a call" };
        let (node, label, why) = (&call.node, &call.label, plain(&call.why));
        put(&mut says, format_args!("  {verb}: {node}, {kind} ({label}): {why}\n"));
    }
    says
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Path => "path",
        Kind::Tools => "tools",
        Kind::Sql => "SQL",
        Kind::Text => "text",
        Kind::Error => "error",
        Kind::Call => "call",
    }
}

/// Items that one of two lists has and the other has not, line by line.
fn lines(says: &mut String, what: &str, was: &[String], is: &[String]) {
    let diff = similar::TextDiff::from_slices(
        &was.iter().map(String::as_str).collect::<Vec<_>>(),
        &is.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let mut label = what;
    for change in diff.iter_all_changes() {
        let item = plain(&clip(change.value(), ITEM_BYTES)).replace('\n', " ");
        put(says, format_args!("  {label:<7} {} {item}\n", change.tag()));
        label = "";
    }
}

/// In the unit of the configured prices.
fn cost(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn put(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("a text takes whatever is written to it");
}

impl Compared {
    pub(super) fn new(name: &Name, turn: TurnId, message: &str) -> Compared {
        let Name { user, session } = name.clone();
        Compared { user, session, turn: turn.to_string(), message: message.to_owned(), skipped: None, changes: None }
    }
}
