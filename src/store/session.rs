//! A session's row: its counters, and what fences it.

use super::sql::{Dialect, Sql, Value};
use super::{Name, StoreError, Turn, words};
use crate::contract::Time;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) generation: u32,
    /// Of its latest record.
    pub(super) number: u64,
    pub(super) used_at: Time,
    pub(super) title: String,
    pub(super) is_renamed: bool,
    pub(super) turns: u64,
    pub(super) graph: String,
    pub(super) tokens: u64,
    pub(super) cost_micros: u64,
    pub(super) bytes: u64,
}

/// Finds a session and locks it until the end of the transaction.
pub(super) fn locked(sql: &mut dyn Sql, name: &Name) -> Result<Option<Session>, StoreError> {
    const FIND: &str = "SELECT id, generation, number, used_at, title, is_renamed, turns, graph, tokens, cost_micros, bytes FROM sessions \
                        WHERE user = ? AND session = ?";
    let find = format!("{FIND}{}", sql.dialect().for_update());
    let Some(mut row) = sql.first(&find, &[name.user.as_str().into(), name.session.as_str().into()])? else { return Ok(None) };
    Ok(Some(Session {
        id: row.number()?,
        generation: row.generation()?,
        number: row.number()?,
        used_at: Time(row.number()?),
        title: row.text()?,
        is_renamed: row.flag()?,
        turns: row.number()?,
        graph: row.text()?,
        tokens: row.number()?,
        cost_micros: row.number()?,
        bytes: row.number()?,
    }))
}

/// A session's id, for reading.
pub(super) fn id(sql: &mut dyn Sql, name: &Name) -> Result<Option<u64>, StoreError> {
    let found =
        sql.first("SELECT id FROM sessions WHERE user = ? AND session = ?", &[name.user.as_str().into(), name.session.as_str().into()])?;
    found.map(|mut row| row.number()).transpose()
}

impl Session {
    /// Takes over from its latest turn how it is shown.
    pub(super) fn called(&mut self, turn: &Turn) {
        self.graph.clone_from(&turn.graph);
        if self.title.is_empty() && !self.is_renamed {
            self.title = words::title(&turn.question);
        }
    }

    pub(super) fn create(sql: &mut dyn Sql, name: &Name, generation: u32, at: Time) -> Result<Session, StoreError> {
        let id = sql.insert(
            "INSERT INTO sessions (user, session, created_at, used_at, generation) VALUES (?, ?, ?, ?, ?)",
            &[name.user.as_str().into(), name.session.as_str().into(), at.0.into(), at.0.into(), u64::from(generation).into()],
        )?;
        Ok(Session {
            id,
            generation,
            number: 0,
            used_at: at,
            title: String::new(),
            is_renamed: false,
            turns: 0,
            graph: String::new(),
            tokens: 0,
            cost_micros: 0,
            bytes: 0,
        })
    }

    /// Writes everything but the generation.
    pub(super) fn save(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let spaced;
        let mut values: Vec<Value<'_>> = vec![
            self.number.into(),
            self.used_at.0.into(),
            self.title.as_str().into(),
            self.is_renamed.into(),
            self.turns.into(),
            self.graph.as_str().into(),
            self.tokens.into(),
            self.cost_micros.into(),
            self.bytes.into(),
        ];
        let update = match sql.dialect() {
            Dialect::Sqlite => {
                "UPDATE sessions SET number = ?, used_at = ?, title = ?, is_renamed = ?, turns = ?, graph = ?, tokens = ?, \
                 cost_micros = ?, bytes = ? WHERE id = ?"
            }
            Dialect::Mysql => {
                spaced = words::spaced(&[&self.title]);
                values.push(spaced.as_str().into());
                "UPDATE sessions SET number = ?, used_at = ?, title = ?, is_renamed = ?, turns = ?, graph = ?, tokens = ?, \
                 cost_micros = ?, bytes = ?, words = ? WHERE id = ?"
            }
        };
        values.push(self.id.into());
        sql.run(update, &values)?;
        Ok(())
    }

    /// The first question since the session was last cleared.
    pub(super) fn first_question(&self, sql: &mut dyn Sql) -> Result<String, StoreError> {
        let first = sql.first(
            "SELECT question FROM turns WHERE session_id = ? AND is_hidden = 0 AND question <> '' ORDER BY turn LIMIT 1",
            &[self.id.into()],
        )?;
        Ok(first.map(|mut row| row.text()).transpose()?.map_or_else(String::new, |question| words::title(&question)))
    }
}
