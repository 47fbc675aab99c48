//! A little arithmetic: `12 * (3 + 4)`.

use regex_lite::{Captures, Regex};
use rusqlite::Connection;
use std::sync::LazyLock;

/// How people say and write signs; what is longer stands before what it holds.
const SIGNS: [(&str, &str); 15] = [
    ("plus", "+"),
    ("minus", "-"),
    ("−", "-"),
    ("–", "-"),
    ("multiplied by", "*"),
    ("times", "*"),
    ("mal", "*"),
    ("×", "*"),
    ("·", "*"),
    ("x", "*"),
    ("divided by", "/"),
    ("geteilt durch", "/"),
    ("÷", "/"),
    (":", "/"),
    (",", "."),
];

/// The result of a sum, written as people write numbers; `None` for anything else, and for what has no result. SQLite, which
/// is there anyway, calculates.
pub(super) fn result(text: &str) -> Option<String> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+(?:\.\d+)?").expect("a pattern of our own"));
    static POWER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\d+)\^(\d+)").expect("a pattern of our own"));
    let plain = SIGNS.iter().fold(text.to_lowercase(), |text, (spoken, sign)| text.replace(spoken, sign));
    let plain: String = plain.chars().filter(|sign| !sign.is_whitespace()).collect();
    let number = |digits: &str| digits.parse::<f64>().unwrap_or(f64::NAN);
    let plain = POWER.replace_all(&plain, |found: &Captures<'_>| number(&found[1]).powf(number(&found[2])).to_string());
    if plain.len() > 200 || !plain.chars().all(|sign| sign.is_ascii_digit() || "+-*/().".contains(sign)) || plain.contains("/*") {
        return None;
    }
    // Two signs in a row would begin a comment.
    let sum = format!("SELECT {}", NUMBER.replace_all(&plain, "CAST('$0' AS REAL)").replace('-', "- "));
    let value: f64 = Connection::open_in_memory().ok()?.query_row(&sum, [], |row| row.get(0)).ok()?;
    (value.is_finite() && value.abs() < 1e15).then(|| ((value * 1e6).round() / 1e6 + 0.0).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_results_and_nothing_else_does() {
        for (text, value) in [
            ("2+2", Some("4")),
            ("12 * (3 + 4)", Some("84")),
            ("7 x 6", Some("42")),
            ("7 times 6 minus 2", Some("40")),
            ("12 geteilt durch 4", Some("3")),
            ("1 / 4", Some("0.25")),
            ("0,1 + 0,2", Some("0.3")),
            ("-3 - -3", Some("0")),
            ("2^10", Some("1024")),
            ("7/2", Some("3.5")),
            ("2--2", Some("4")),
            ("1.2.3", None),
            ("2; DROP", None),
            ("1/0", None),
            ("2+", None),
            ("2+2 apples", None),
            ("", None),
        ] {
            assert_eq!(result(text).as_deref(), value, "{text}");
        }
        assert_eq!(result(&"(".repeat(100_000)), None);
    }
}
