//! How much a JSON text would make of itself, found out before anything is made of it.
//!
//! A value takes many times the bytes that it was written with: an object with one key, written in 8 bytes, takes some 700. So
//! the number of values has a bound of its own, beside the bytes of the text, and so has their depth.

/// Arrays and objects within one another.
pub(super) const DEPTH_MAX: usize = 64;
/// Values of all kinds, with those inside of others.
pub(super) const VALUES_MAX: usize = 10_000;

/// Whether a text goes beyond either. Of one that is no JSON this may say anything: its reader refuses it.
pub(super) fn is_too_complex(json: &str) -> bool {
    let (mut depth, mut values, mut is_text, mut is_escaped) = (0_usize, 1_usize, false, false);
    for byte in json.bytes() {
        if is_text {
            (is_text, is_escaped) = (is_escaped || byte != b'"', !is_escaped && byte == b'\\');
            continue;
        }
        match byte {
            b'"' => is_text = true,
            b'[' | b'{' => (depth, values) = (depth + 1, values + 1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > DEPTH_MAX || values > VALUES_MAX {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_values_and_their_depth_and_nothing_inside_of_texts() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let listed = |values: usize| format!("[{}]", vec!["0"; values].join(","));
        for (json, expected) in [
            ("{}".to_owned(), false),
            (nested(DEPTH_MAX), false),
            (nested(DEPTH_MAX + 1), true),
            ("{\"a\":".repeat(DEPTH_MAX) + "0" + &"}".repeat(DEPTH_MAX), false),
            ("{\"a\":".repeat(DEPTH_MAX + 1), true),
            (format!("[{}]", vec![nested(DEPTH_MAX - 1); 3].join(",")), false),
            // The list itself is a value, and the text around it.
            (listed(VALUES_MAX - 1), false),
            (listed(VALUES_MAX), true),
            (format!("[{}0]", "{\"\":0},".repeat(VALUES_MAX / 2)), true),
            (format!("{{\"text\":\"{}\"}}", "[{,".repeat(VALUES_MAX)), false),
            (format!("{{\"text\":\"\\\"{}\"}}", "[{,".repeat(VALUES_MAX)), false),
            (format!("{{\"text\":\"\\\\\",\"a\":{}}}", listed(VALUES_MAX)), true),
            ("[".repeat(1 << 20), true),
        ] {
            assert_eq!(is_too_complex(&json), expected, "{} bytes: {:?}", json.len(), &json[..json.len().min(60)]);
        }
    }
}
