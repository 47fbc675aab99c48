//! Lists of sessions and turns: filters, searches, orders and pages, each a fixed piece of a statement with values bound to it.

use super::append::{CLEARED, REPLACED};
use super::outbox;
use super::sql::{Dialect, Row, Sql, Value};
use super::{Name, Place, SessionQuery, SessionRow, StoreError, Turn, TurnOrder, TurnQuery, TurnRow, packed, words};
use crate::contract::Time;

/// A statement that grows, and its values.
struct Query<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Query<'a> {
    fn add(&mut self, text: &str, values: impl IntoIterator<Item = Value<'a>>) {
        self.text.push_str(text);
        self.values.extend(values);
    }

    /// Adds a condition where it is wanted.
    fn filter(&mut self, text: &'static str, value: Option<impl Into<Value<'a>>>) {
        if let Some(value) = value {
            self.add(text, [value.into()]);
        }
    }

    fn run(self, sql: &mut dyn Sql) -> Result<Vec<Row>, StoreError> {
        sql.rows(&self.text, &self.values)
    }
}

const SESSIONS: &str = "SELECT s.user, s.session, s.title, s.created_at, s.used_at, s.turns, s.graph, s.tokens, s.cost_micros, s.bytes \
                        FROM sessions s WHERE 1 = 1";

pub(super) fn sessions(sql: &mut dyn Sql, query: &SessionQuery) -> Result<Vec<SessionRow>, StoreError> {
    let mut all = Query { text: SESSIONS.to_owned(), values: Vec::new() };
    all.filter(" AND s.user = ?", query.user.as_deref());
    if !query.names.is_empty() {
        let places = vec!["?"; query.names.len()].join(", ");
        all.add(&format!(" AND s.session IN ({places})"), query.names.iter().map(|name| name.as_str().into()));
    }
    if let Some((time, Name { user, session })) = &query.before {
        let (time, user, session) = (Value::from(time.0), Value::from(user.as_str()), Value::from(session.as_str()));
        all.add(
            " AND s.used_at <= ? AND (s.used_at < ? OR s.user > ? OR (s.user = ? AND s.session > ?))",
            [time.clone(), time, user.clone(), user, session],
        );
    }
    if let Some(words) = words::wanted(query.search.as_deref()) {
        search_sessions(&mut all, sql.dialect(), &words);
    }
    all.add(" ORDER BY s.used_at DESC, s.user, s.session LIMIT ?", [(query.limit as u64).into()]);
    all.run(sql)?.into_iter().map(session_row).collect()
}

fn session_row(mut row: Row) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        user: row.text()?,
        session: row.text()?,
        title: row.text()?,
        created_at: row.number()?,
        used_at: row.number()?,
        turns: row.number()?,
        graph: row.text()?,
        tokens: row.number()?,
        cost_micros: row.number()?,
        bytes: row.number()?,
    })
}

fn search_sessions(all: &mut Query<'_>, dialect: Dialect, words: &[String]) {
    if words.is_empty() {
        return all.add(" AND 1 = 0", []);
    }
    match dialect {
        Dialect::Sqlite => {
            let wanted = matching(words);
            all.add(
                " AND (s.id IN (SELECT rowid FROM title_words WHERE title_words MATCH ?) OR s.id IN (SELECT t.session_id FROM turns t \
                 WHERE t.is_hidden = 0 AND t.id IN (SELECT rowid FROM turn_words WHERE turn_words MATCH ?)))",
                [wanted.clone().into(), wanted.into()],
            );
        }
        Dialect::Mysql => {
            all.add(" AND ((1 = 1", []);
            words.iter().for_each(|word| all.add(" AND s.words LIKE ?", [like(word)]));
            all.add(") OR EXISTS (SELECT 1 FROM turns t WHERE t.session_id = s.id AND t.is_hidden = 0", []);
            words.iter().for_each(|word| all.add(" AND t.words LIKE ?", [like(word)]));
            all.add("))", []);
        }
    }
}

fn search_turns(all: &mut Query<'_>, dialect: Dialect, words: &[String]) {
    if words.is_empty() {
        return all.add(" AND 1 = 0", []);
    }
    match dialect {
        Dialect::Sqlite => all.add(" AND t.id IN (SELECT rowid FROM turn_words WHERE turn_words MATCH ?)", [matching(words).into()]),
        Dialect::Mysql => words.iter().for_each(|word| all.add(" AND t.words LIKE ?", [like(word)])),
    }
}

/// All of the words, each as the beginning of one. They have letters and digits only, so quoting them is safe.
fn matching(words: &[String]) -> String {
    words.iter().map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" ")
}

/// A word's beginning in a text of [`words::spaced`]; a word has no `%`, `_` or `\`.
fn like(word: &str) -> Value<'static> {
    format!("% {word}%").into()
}

/// What a list is sorted by. None is negative.
fn key(query: &TurnQuery) -> &'static str {
    match query.order {
        TurnOrder::Latest if query.user.is_some() && query.session.is_some() => "t.turn",
        TurnOrder::Latest => "t.started_at",
        TurnOrder::Slowest => "t.total_us",
        TurnOrder::SlowestFirstToken => "COALESCE(t.first_token_us, 0)",
        TurnOrder::MostTokens => "(t.tokens_in + t.tokens_out)",
        TurnOrder::MostCost => "t.cost_micros",
    }
}

pub(super) fn turns(sql: &mut dyn Sql, query: &TurnQuery) -> Result<Vec<TurnRow>, StoreError> {
    let key = key(query);
    let mut all = Query { text: select(key, "''"), values: Vec::new() };
    all.filter(" AND s.user = ?", query.user.as_deref());
    all.filter(" AND s.session = ?", query.session.as_deref());
    all.filter(" AND t.turn < ?", query.before_turn);
    all.filter(" AND t.status = ?", query.status.as_deref());
    all.filter(" AND (t.degraded IS NOT NULL) = ?", query.is_degraded);
    all.filter(" AND t.path = ?", query.path.as_deref());
    all.filter(" AND t.graph = ?", query.graph.as_deref());
    all.filter(" AND t.rating = ?", query.rating.map(|rating| Value::Int(rating.into())));
    all.filter(" AND t.total_us >= ?", query.min_total_us);
    all.filter(" AND t.first_token_us >= ?", query.min_first_token_us);
    all.filter(" AND (t.tokens_in + t.tokens_out) >= ?", query.min_tokens);
    all.filter(" AND t.cost_micros >= ?", query.min_cost_micros);
    match (query.with_hidden, query.with_replaced) {
        (true, _) => {}
        (false, true) => all.add(" AND t.is_hidden <> 1", []),
        (false, false) => all.add(" AND t.is_hidden = 0", []),
    }
    if let Some(Place { key: at, session, turn }) = query.before {
        all.add(
            &format!(" AND {key} <= ? AND ({key} < ? OR t.session_id < ? OR (t.session_id = ? AND t.turn < ?))"),
            [at, at, session, session, turn].map(Value::from),
        );
    }
    if let Some(words) = words::wanted(query.search.as_deref()) {
        search_turns(&mut all, sql.dialect(), &words);
    }
    all.add(&format!(" ORDER BY {key} DESC, t.session_id DESC, t.turn DESC LIMIT ?"), [(query.limit as u64).into()]);
    all.run(sql)?.into_iter().map(turn_row).collect()
}

pub(super) fn turn(sql: &mut dyn Sql, name: &Name, turn: u64) -> Result<Option<TurnRow>, StoreError> {
    let mut one = Query { text: select("t.turn", "t.detail"), values: Vec::new() };
    let values = [name.user.as_str().into(), name.session.as_str().into(), turn.into()];
    one.add(" AND s.user = ? AND s.session = ? AND t.turn = ?", values);
    one.run(sql)?.into_iter().next().map(turn_row).transpose()
}

fn select(key: &str, detail: &str) -> String {
    format!(
        "SELECT s.user, s.session, {key}, t.session_id, t.turn, t.number, t.started_at, t.question, t.client_id, t.answer, t.progress, t.status, t.degraded, \
         t.graph, t.path, t.total_us, t.first_token_us, t.tokens_in, t.tokens_out, t.cost_micros, {detail}, t.is_hidden, t.rating, \
         t.comment, {} FROM turns t JOIN sessions s ON s.id = t.session_id \
         LEFT JOIN deliveries d ON d.session_id = t.session_id AND d.turn = t.turn WHERE 1 = 1",
        outbox::STATUS
    )
}

fn turn_row(mut row: Row) -> Result<TurnRow, StoreError> {
    let (user, session) = (row.text()?, row.text()?);
    let place = Place { key: row.number()?, session: row.number()?, turn: row.number()? };
    let turn = Turn {
        turn: place.turn,
        number: row.number()?,
        started_at: Time(row.number()?),
        question: row.text()?,
        client_id: row.maybe_text()?,
        answer: row.text()?,
        progress: row.text()?,
        status: row.text()?,
        degraded: row.maybe_text()?,
        graph: row.text()?,
        path: row.text()?,
        total_us: row.number()?,
        first_token_us: row.maybe_number()?,
        tokens_in: row.number()?,
        tokens_out: row.number()?,
        cost_micros: row.number()?,
        detail: packed::unpack(row.bytes()?)?,
    };
    let hidden = row.number()?;
    Ok(TurnRow {
        user,
        session,
        turn,
        is_hidden: hidden == CLEARED,
        is_replaced: hidden == REPLACED,
        rating: row.maybe_signed()?.map(|rating| if rating < 0 { -1 } else { 1 }),
        comment: row.maybe_text()?,
        webhook: outbox::status(&mut row)?,
        place,
    })
}
