//! JSON that is broken in a way that leaves no doubt of what it says.

/// JSON text with what is certain put right: control characters inside a text, half of a surrogate pair, a comma before a
/// closing bracket, and the numbers that JSON doesn't have. Nothing where there is nothing to repair.
pub fn repaired(json: &str) -> Option<String> {
    let mut repaired = String::with_capacity(json.len());
    let (mut in_text, mut has_changed, mut rest) = (false, false, json);
    while let Some(next) = rest.chars().next() {
        let (length, instead) = match next {
            '"' => {
                in_text = !in_text;
                (1, None)
            }
            '\\' if in_text => escape(rest),
            '\n' if in_text => (1, Some("\\n")),
            '\r' if in_text => (1, Some("\\r")),
            '\t' if in_text => (1, Some("\\t")),
            next if in_text && next < ' ' => (1, Some(REPLACEMENT)),
            ',' if !in_text && rest[1..].trim_start().starts_with(['}', ']']) => (1, Some("")),
            'N' if !in_text && rest.starts_with("NaN") => (3, Some("null")),
            'I' if !in_text && rest.starts_with("Infinity") => (8, Some("null")),
            '-' if !in_text && rest.starts_with("-Infinity") => (9, Some("null")),
            next => (next.len_utf8(), None),
        };
        let (part, after) = rest.split_at(length);
        has_changed |= instead.is_some();
        repaired.push_str(instead.unwrap_or(part));
        rest = after;
    }
    has_changed.then_some(repaired)
}

const REPLACEMENT: &str = "\\uFFFD";

/// The length of the escape that `text` begins with, and what stands for half a pair.
fn escape(text: &str) -> (usize, Option<&'static str>) {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    match unit(text) {
        Some(0xD800..=0xDBFF) if matches!(unit(&text[6..]), Some(0xDC00..=0xDFFF)) => (12, None),
        Some(0xD800..=0xDFFF) => (6, Some(REPLACEMENT)),
        Some(_) => (6, None),
        None => (1 + text[1..].chars().next().map_or(0, char::len_utf8), None),
    }
}
