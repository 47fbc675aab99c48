//! Rows as they are taken, up to where they are cut, and values as every dialect writes them.

use crate::contract::{DatabaseLimits, Rows};
use serde_json::{Number, Value};

/// Whole numbers beyond this are text: who reads JSON may keep no more digits.
const EXACT_MAX: u64 = 1 << 53;

pub(super) struct Taking {
    rows: Rows,
    bytes: usize,
    limits: DatabaseLimits,
}

impl Taking {
    pub(super) fn new(columns: Vec<String>, limits: DatabaseLimits) -> Self {
        Taking { rows: Rows { columns, ..Rows::default() }, bytes: 2, limits }
    }

    /// Marks the columns whose text is a number with decimals.
    pub(super) fn with_decimals(mut self, is_decimal: impl Iterator<Item = bool>) -> Self {
        self.rows.decimals = is_decimal.enumerate().filter_map(|(place, is_so)| is_so.then_some(place)).collect();
        self
    }

    /// Takes a row; `false` if there is no room for it, and no more are wanted.
    pub(super) fn take(&mut self, row: Vec<Value>) -> bool {
        let bytes = serde_json::to_string(&row).map_or(usize::MAX, |text| text.len() + 1);
        self.rows.is_cut = self.rows.rows.len() >= self.limits.rows_max || bytes > self.limits.bytes_max.saturating_sub(self.bytes);
        if !self.rows.is_cut {
            self.bytes += bytes;
            self.rows.rows.push(row);
        }
        !self.rows.is_cut
    }

    pub(super) fn done(self) -> Rows {
        self.rows
    }
}

pub(super) fn whole(number: i64) -> Value {
    if number.unsigned_abs() <= EXACT_MAX { Value::from(number) } else { Value::from(number.to_string()) }
}

pub(super) fn whole_unsigned(number: u64) -> Value {
    if number <= EXACT_MAX { Value::from(number) } else { Value::from(number.to_string()) }
}

/// Infinity and what is not a number are nothing.
pub(super) fn real(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

pub(super) fn hex(bytes: &[u8]) -> Value {
    Value::String(data_encoding::HEXLOWER.encode(bytes))
}

/// `int(11)` says no more than `int`.
pub(super) fn plain_type(name: &str) -> String {
    let lower = name.to_lowercase();
    match lower.split_once('(') {
        Some((base, rest)) if base.ends_with("int") => format!("{base}{}", rest.split_once(')').map_or("", |(_, behind)| behind)),
        _ => lower,
    }
}
