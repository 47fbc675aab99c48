//! Rows as they are taken, up to where they are cut, and values as every dialect writes them.
//!
//! What is too much for an answer is cut in this order: first the long values, each to the same length, then whole rows. Each
//! value that was cut says so itself, and [`Rows::notes`] say what was cut.

use crate::contract::{DatabaseLimits, Rows, shorten};
use serde_json::{Number, Value};
use std::collections::BTreeSet;

/// Integers beyond this travel as text: a JSON number is a double to many readers, which holds no larger ones exactly.
const EXACT_MAX: u64 = (1 << 53) - 1;
/// Values are never cut shorter than this; then rows are.
const CELL_BYTES_MIN: usize = 200;

pub(super) struct Taking {
    rows: Rows,
    bytes: usize,
    limits: DatabaseLimits,
    /// Bytes of JSON that a value may have, once some had to be cut.
    cell_bytes_max: Option<usize>,
    /// Row and column of each value that was cut.
    cut: BTreeSet<(usize, usize)>,
    lacks_room: bool,
}

impl Taking {
    pub(super) fn new(columns: Vec<String>, limits: DatabaseLimits) -> Self {
        let rows = Rows { columns, ..Rows::default() };
        Taking { rows, bytes: 2, limits, cell_bytes_max: None, cut: BTreeSet::new(), lacks_room: false }
    }

    /// Marks the columns whose text is a number with decimals.
    pub(super) fn with_decimals(mut self, is_decimal: impl Iterator<Item = bool>) -> Self {
        self.rows.decimals = is_decimal.enumerate().filter_map(|(place, is_so)| is_so.then_some(place)).collect();
        self
    }

    /// Takes a row; `false` if there is no room for it, and no more are wanted.
    pub(super) fn take(&mut self, row: Vec<Value>) -> bool {
        let place = self.rows.rows.len();
        if place >= self.limits.rows_max {
            self.rows.is_cut = true;
            return false;
        }
        self.rows.rows.push(row);
        self.shorten_from(place);
        self.bytes += size(&self.rows.rows[place]);
        while self.bytes > self.limits.bytes_max && self.tighten() {
            self.shorten_from(0);
            self.bytes = 2 + self.rows.rows.iter().map(|row| size(row)).sum::<usize>();
        }
        if self.bytes > self.limits.bytes_max {
            self.rows.rows.pop();
            self.cut.retain(|(row, _)| *row < place);
            self.rows.is_cut = true;
            self.lacks_room = true;
        }
        !self.rows.is_cut
    }

    /// Halves the length of values; `false` if they may not get any shorter.
    fn tighten(&mut self) -> bool {
        let now = self.cell_bytes_max.unwrap_or(self.limits.bytes_max);
        self.cell_bytes_max = Some((now / 2).max(CELL_BYTES_MIN));
        now > CELL_BYTES_MIN
    }

    fn shorten_from(&mut self, begin: usize) {
        let Some(bytes_max) = self.cell_bytes_max else { return };
        for (place, row) in self.rows.rows.iter_mut().enumerate().skip(begin) {
            for (column, cell) in row.iter_mut().enumerate() {
                if let Value::String(text) = cell
                    && shorten(text, bytes_max)
                {
                    self.cut.insert((place, column));
                }
            }
        }
    }

    pub(super) fn note(&mut self, note: String) {
        self.rows.notes.push(note);
    }

    pub(super) fn done(mut self) -> Rows {
        if !self.cut.is_empty() {
            let columns: BTreeSet<usize> = self.cut.iter().map(|(_, column)| *column).collect();
            let columns: Vec<String> = columns.into_iter().map(|column| format!("`{}`", self.rows.columns[column])).collect();
            let (count, columns) = (self.cut.len(), columns.join(", "));
            let values = if count == 1 { "1 long value is cut short".to_owned() } else { format!("{count} long values are cut short") };
            self.rows.notes.push(format!("{values} ({columns}), each marked with [cut: …]"));
        }
        if self.rows.is_cut {
            let count = self.rows.rows.len();
            let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
            let why = if self.lacks_room { ", where the answer became too large" } else { "" };
            self.rows.notes.push(format!("cut at {rows}{why}: there are more"));
        }
        self.rows
    }
}

/// The bytes of a row in JSON, with the comma behind it.
fn size(row: &[Value]) -> usize {
    serde_json::to_string(row).map_or(usize::MAX / 2, |text| text.len() + 1)
}

pub(super) fn whole(number: i64) -> Value {
    if number.unsigned_abs() <= EXACT_MAX { Value::from(number) } else { Value::from(number.to_string()) }
}

pub(super) fn whole_unsigned(number: u64) -> Value {
    if number <= EXACT_MAX { Value::from(number) } else { Value::from(number.to_string()) }
}

/// JSON has no infinity: it is text, since `null` would be no value.
pub(super) fn real(number: f64) -> Value {
    let text = if number > 0.0 { "Infinity" } else { "-Infinity" };
    Number::from_f64(number).map_or_else(|| Value::from(if number.is_nan() { "NaN" } else { text }), Value::Number)
}

/// Bytes as both dialects' shells write them.
pub(super) fn hex(bytes: &[u8]) -> Value {
    Value::String(format!("0x{}", data_encoding::HEXUPPER.encode(bytes)))
}

/// Text; bytes that are none are shown as bytes rather than with some replaced.
pub(super) fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| hex(bytes), Value::from)
}

/// A type without what says nothing: `int(11)` is `int`. What stands in quotes, such as a value of an enum, stays as it is.
pub(super) fn plain_type(name: &str) -> String {
    let mut is_quoted = false;
    let lower = |letter: char| {
        is_quoted ^= letter == '\'';
        if is_quoted { letter } else { letter.to_ascii_lowercase() }
    };
    let lower: String = name.chars().map(lower).collect();
    match lower.split_once('(') {
        Some((base, rest)) if base.ends_with("int") => format!("{base}{}", rest.split_once(')').map_or("", |(_, behind)| behind)),
        _ => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn taken(rows_max: usize, bytes_max: usize, rows: &[Vec<Value>]) -> Rows {
        let columns = (0..rows[0].len()).map(|column| format!("c{column}")).collect();
        let mut taking = Taking::new(columns, DatabaseLimits { rows_max, bytes_max, ..DatabaseLimits::default() });
        let _all = rows.iter().all(|row| taking.take(row.clone()));
        let rows = taking.done();
        assert!(serde_json::to_string(&rows.rows).unwrap().len() <= bytes_max);
        rows
    }

    #[test]
    fn cuts_long_values_before_rows_and_says_what_was_cut() {
        let long = |letter: &str, count: usize| json!(letter.repeat(count));
        let one = taken(200, 64 << 10, &[vec![json!(1), long("ü", 150_000)]]);
        assert_eq!((one.rows.len(), one.is_cut), (1, false));
        let cell = one.rows[0][1].as_str().unwrap();
        assert!(cell.starts_with("üüü") && cell.ends_with("… [cut: 16384 of 150000 characters]"), "{}", &cell[cell.len() - 60..]);
        assert_eq!(one.notes, ["1 long value is cut short (`c1`), each marked with [cut: …]"]);

        let many: Vec<Vec<Value>> = (0..100).map(|n| vec![json!(n), long("x", 10_000), long("\u{1}", 3_000), json!("short")]).collect();
        let many = taken(200, 64 << 10, &many);
        assert_eq!((many.rows.len(), many.is_cut), (100, false), "rows stay as long as values can be shorter");
        assert!(many.rows.iter().all(|row| row[1].as_str().unwrap().ends_with(" of 10000 characters]") && row[3] == "short"));
        assert!(many.rows.iter().all(|row| row[2].as_str().unwrap().ends_with(" of 3000 characters]")));
        assert_eq!(many.notes, ["200 long values are cut short (`c1`, `c2`), each marked with [cut: …]"]);

        let rows: Vec<Vec<Value>> = (0..500).map(|n| vec![json!(n), long("x", 1_000)]).collect();
        let rows = taken(1_000, 20_000, &rows);
        assert!(rows.is_cut && rows.rows.len() > 50, "{}", rows.rows.len());
        assert!(
            rows.notes.len() == 2 && rows.notes[1].ends_with(" rows, where the answer became too large: there are more"),
            "{:?}",
            rows.notes
        );

        let few = taken(2, 64 << 10, &[vec![json!(1)], vec![json!(2)], vec![json!(3)]]);
        assert_eq!((few.rows.len(), few.is_cut, few.notes), (2, true, vec!["cut at 2 rows: there are more".to_owned()]));
    }

    #[test]
    fn numbers_are_exact_and_what_is_no_number_is_not_missing() {
        assert_eq!(
            [whole(9_007_199_254_740_991), whole(-9_007_199_254_740_992)],
            [json!(9_007_199_254_740_991_i64), json!("-9007199254740992")]
        );
        assert_eq!([whole_unsigned(u64::MAX), whole_unsigned(7)], [json!("18446744073709551615"), json!(7)]);
        assert_eq!([real(0.1), real(f64::INFINITY), real(f64::NEG_INFINITY)], [json!(0.1), json!("Infinity"), json!("-Infinity")]);
    }

    #[test]
    fn bytes_are_marked_as_bytes_and_text_is_never_mended() {
        assert_eq!([hex(b"MySQL\0"), hex(b"")], [json!("0x4D7953514C00"), json!("0x")]);
        assert_eq!([text("ä".as_bytes()), text(b"a\xff")], [json!("ä"), json!("0x61FF")]);
    }

    #[test]
    fn a_type_keeps_the_values_of_an_enum() {
        for (declared, plain) in [
            ("INT(11) UNSIGNED", "int unsigned"),
            ("DECIMAL(10,2)", "decimal(10,2)"),
            ("ENUM('Open','It''s Closed')", "enum('Open','It''s Closed')"),
            ("tinyint(1)", "tinyint"),
        ] {
            assert_eq!(plain_type(declared), plain);
        }
    }
}
