//! What rows say: their sum, their highest and lowest, their first, and numbers as people write them.
//!
//! In each row the first cell is what it is about, the second is its number.

use serde_json::Value;

/// How many rows are named in a sentence.
const NAMED: usize = 3;

/// What a filter makes of a number, or of rows that stand as JSON.
pub(super) fn told(filter: &str, value: &Value, language: &str) -> Option<String> {
    if filter == "amount" {
        return Some(amount(value, language));
    }
    let rows: Vec<Vec<Value>> = match value {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => serde_json::from_value(other.clone()).ok()?,
    };
    let measured = || rows.iter().filter_map(|row| Some((row, number(row.get(1)?)?)));
    let named = |row: &[Value]| format!("{} ({})", plain(row.first().unwrap_or(&Value::Null)), amount(&row[1], language));
    match filter {
        "rows" => Some(rows.len().to_string()),
        "firsts" => Some(rows.iter().filter_map(|row| row.first()).map(plain).collect::<Vec<_>>().join(", ")),
        "top" => {
            let first: Vec<String> = measured().take(NAMED).map(|(row, _)| named(row)).collect();
            (!first.is_empty()).then(|| first.join(", "))
        }
        "sum" => Some(amount(&Value::from(measured().map(|(_, number)| number).sum::<f64>()), language)),
        "highest" => measured().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(row, _)| named(row)),
        "lowest" => measured().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(row, _)| named(row)),
        "change" => {
            let (first, last) = (measured().next()?.1, measured().next_back()?.1);
            let percent = (last - first) / first * 100.0;
            percent.is_finite().then(|| {
                let sign = if percent < 0.0 { "−" } else { "+" };
                format!("{sign}{} %", amount(&Value::from((percent.abs() * 10.0).round() / 10.0), language))
            })
        }
        _ => None,
    }
}

/// A number, also where a database writes it as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// With the separators of the language and at most two decimals; what is no number stays as it is.
fn amount(value: &Value, language: &str) -> String {
    let Some(number) = number(value) else { return plain(value) };
    let (thousands, point) = if language == "de" { ('.', ',') } else { (',', '.') };
    let fixed = format!("{:.2}", number.abs());
    let (whole, decimals) = fixed.split_once('.').unwrap_or((&fixed, ""));
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(thousands);
        }
        text.push(digit);
    }
    if decimals != "00" && !decimals.is_empty() {
        text.push(point);
        text.push_str(decimals);
    }
    if number < 0.0 { format!("−{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_written_as_the_language_writes_them() {
        for (value, en, de) in [
            (json!(7), "7", "7"),
            (json!(1234567), "1,234,567", "1.234.567"),
            (json!("12345.50"), "12,345.50", "12.345,50"),
            (json!(-1000), "−1,000", "−1.000"),
            (json!("Graz"), "Graz", "Graz"),
        ] {
            assert_eq!(told("amount", &value, "en").unwrap(), en, "{value}");
            assert_eq!(told("amount", &value, "de").unwrap(), de, "{value}");
        }
    }

    #[test]
    fn rows_are_told_by_their_second_cell() {
        let rows = json!([["2023", "1000.00"], ["2024", 1250], ["2025", 900.5], ["2026", null]]);
        for (filter, text) in [
            ("rows", Some("4")),
            ("firsts", Some("2023, 2024, 2025, 2026")),
            ("top", Some("2023 (1,000), 2024 (1,250), 2025 (900.50)")),
            ("sum", Some("3,150.50")),
            ("highest", Some("2024 (1,250)")),
            ("lowest", Some("2025 (900.50)")),
            ("change", Some("−10 %")),
            ("nothing", None),
        ] {
            assert_eq!(told(filter, &rows, "en").as_deref(), text, "{filter}");
            assert_eq!(told(filter, &Value::from(rows.to_string()), "en").as_deref(), text, "{filter} of text");
        }
        assert_eq!(told("highest", &json!([]), "en"), None);
    }
}
