//! What stands in columns: the smallest and the largest value, or all values of one that has few.

use super::Backend;
use crate::contract::{DatabaseAnswer, DatabaseAsk, DatabaseLimits, Holds, clip};
use crate::work::call::Cancel;
use serde_json::Value;
use std::time::Instant;

/// A column with more values than these, or with longer ones, has values that say little.
const VALUES_MAX: usize = 12;
const VALUE_SIGNS_MAX: usize = 40;
/// Numbers that lie closer together may be codes: their values are looked at.
const CODES_SPAN_MAX: i64 = 20;
const LIMITS: DatabaseLimits = DatabaseLimits { rows_max: VALUES_MAX + 1, bytes_max: 64 << 10, time_ms_max: 2_000 };

/// What may be said of a column by what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Number,
    Time,
    Text,
}

impl Class {
    /// The class of a type, as `plain_type` writes it.
    pub(super) fn of(kind: &str) -> Option<Class> {
        let base = kind.split(['(', ' ']).next().unwrap_or_default();
        let length = kind.split_once('(').and_then(|(_, rest)| rest.split([')', ',']).next()?.parse::<u32>().ok());
        match base {
            "int" | "integer" | "tinyint" | "smallint" | "mediumint" | "bigint" | "year" | "bool" | "boolean" => Some(Class::Number),
            "decimal" | "numeric" | "real" | "float" | "double" => Some(Class::Number),
            "date" | "datetime" | "timestamp" => Some(Class::Time),
            "char" | "varchar" | "nchar" | "nvarchar" | "character" => length.is_none_or(|length| length <= 255).then_some(Class::Text),
            // So SQLite calls any text; MySQL calls a long one so, whose values are few or too long all the same.
            "text" => Some(Class::Text),
            _ => None,
        }
    }
}

/// Looks into one database, for a while.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) backend: &'a Backend,
    pub(super) due: Instant,
    pub(super) cancel: &'a Cancel,
}

impl Look<'_> {
    /// What a statement says first; nothing if it fails or takes too long.
    pub(super) fn one(&self, sql: &str) -> Option<Value> {
        self.rows(sql)?.into_iter().next()?.into_iter().next()
    }

    /// The smallest and the largest value of each column. Reading all of the table is best for many columns; otherwise those that
    /// have an index are read from its ends.
    pub(super) fn ends(&self, table: &str, columns: &[String], reads_all: bool) -> Vec<Option<(Value, Value)>> {
        let both = |column: &String| match reads_all {
            true => format!("MIN({column}), MAX({column})"),
            false => format!("(SELECT MIN({column}) FROM {table}), (SELECT MAX({column}) FROM {table})"),
        };
        let both = columns.iter().map(both).collect::<Vec<_>>().join(", ");
        let from = if reads_all { format!(" FROM {table}") } else { String::new() };
        let row = self.rows(&format!("SELECT {both}{from}")).and_then(|rows| rows.into_iter().next()).unwrap_or_default();
        let mut values = row.into_iter();
        columns.iter().map(|_| Some((values.next()?, values.next()?))).collect()
    }

    /// All values of a column as a statement would write them, if they are few and short.
    pub(super) fn values(&self, table: &str, column: &str, class: Class) -> Option<Vec<String>> {
        let sql = format!("SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL LIMIT {}", VALUES_MAX + 1);
        let mut values: Vec<Value> = self.rows(&sql)?.into_iter().flatten().collect();
        let is_short = |value: &Value| value.as_str().is_none_or(|text| text.chars().count() <= VALUE_SIGNS_MAX);
        if values.is_empty() || values.len() > VALUES_MAX || !values.iter().all(is_short) {
            return None;
        }
        values.sort_by(|one, other| match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one.to_string().cmp(&other.to_string()),
        });
        Some(values.iter().map(|value| literal(value, class)).collect())
    }

    fn rows(&self, sql: &str) -> Option<Vec<Vec<Value>>> {
        match self.backend.ask(&DatabaseAsk::Query { sql: sql.to_owned() }, LIMITS, self.due, self.cancel) {
            Ok(DatabaseAnswer::Rows(rows)) => Some(rows.rows),
            Ok(DatabaseAnswer::Refused { .. }) | Err(_) => None,
        }
    }
}

/// A column's range, where it says something: the ends of an alphabet do not.
pub(super) fn range(class: Class, (from, to): (Value, Value)) -> Option<Holds> {
    let is_date = |value: &Value| {
        let digits =
            |text: &str, places: std::ops::Range<usize>| text.get(places).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
        value.as_str().is_some_and(|text| digits(text, 0..4) && digits(text, 5..7) && digits(text, 8..10) && text.as_bytes()[4] == b'-')
    };
    let says_something = match class {
        Class::Number | Class::Time => !from.is_null() && !to.is_null(),
        Class::Text => is_date(&from) && is_date(&to),
    };
    says_something.then(|| Holds::Range(literal(&from, class), literal(&to, class)))
}

/// Whether the values of a column may be few enough to be named.
pub(super) fn may_be_few(class: Class, range: Option<&Holds>) -> bool {
    let number = |text: &str| text.parse::<i64>().ok();
    match (class, range) {
        (Class::Time, _) | (Class::Text, Some(_)) => false,
        (Class::Text, None) => true,
        (Class::Number, Some(Holds::Range(from, to))) => {
            number(from).zip(number(to)).is_some_and(|(from, to)| to.saturating_sub(from) <= CODES_SPAN_MAX)
        }
        (Class::Number, _) => false,
    }
}

/// A value as a statement would write it, in one line.
fn literal(value: &Value, class: Class) -> String {
    match value {
        Value::String(text) if class == Class::Number && text.parse::<f64>().is_ok() => text.clone(),
        Value::String(text) => format!("'{}'", clip(&one_line(text), VALUE_SIGNS_MAX * 4).replace('\'', "''")),
        other => other.to_string(),
    }
}

/// Text from a database in one line of a prompt.
pub(super) fn one_line(text: &str) -> String {
    text.split(|sign: char| sign.is_control() || sign.is_whitespace()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_type_has_the_class_of_what_it_holds() {
        for (kind, class) in [
            ("int", Some(Class::Number)),
            ("bigint unsigned", Some(Class::Number)),
            ("decimal(10,2)", Some(Class::Number)),
            ("year", Some(Class::Number)),
            ("date", Some(Class::Time)),
            ("datetime(6)", Some(Class::Time)),
            ("varchar(255)", Some(Class::Text)),
            ("varchar(2000)", None),
            ("text", Some(Class::Text)),
            ("enum('a','b')", None),
            ("point", None),
            ("blob", None),
            ("json", None),
        ] {
            assert_eq!(Class::of(kind), class, "{kind}");
        }
    }

    #[test]
    fn a_range_is_of_numbers_and_dates_and_values_are_in_one_line() {
        let range = |class, from, to| range(class, (from, to)).map(|holds| holds.to_string());
        assert_eq!(range(Class::Number, json!("12.50"), json!(900)), Some("12.50 to 900".to_owned()));
        assert_eq!(range(Class::Time, json!("2022-01-01"), json!("2022-01-01")), Some("'2022-01-01'".to_owned()));
        assert_eq!(
            range(Class::Text, json!("2022-01-01"), json!("2024-02-03 04:05")),
            Some("'2022-01-01' to '2024-02-03 04:05'".to_owned())
        );
        assert_eq!(range(Class::Text, json!("Aachen"), json!("Zwickau")), None);
        assert_eq!(range(Class::Number, json!(null), json!(null)), None);
        assert_eq!(literal(&json!("it's\n## job\nall"), Class::Text), "'it''s ## job all'");
        let numbers = |from: i64, to: i64| may_be_few(Class::Number, Some(&Holds::Range(from.to_string(), to.to_string())));
        assert!(numbers(2022, 2024) && numbers(-3, 17) && !numbers(0, 21) && !numbers(i64::MIN, i64::MAX));
    }
}
