//! The numbers of JSON, to the digit.
//!
//! Readers of JSON round a number that their types don't hold, or refuse it. Here such a number becomes a text with the digits
//! that were written, as the large integers and decimals of databases are.

use serde::de::IgnoredAny;
use std::borrow::Cow;

/// JSON in which each number that an `i64`, a `u64` or an `f64` would change is a text.
pub fn exact(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let (mut changed, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_text(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
                let number = &json[at..at + length];
                if !is_held(number) && serde_json::from_str::<IgnoredAny>(number).is_ok() {
                    changed.extend([&json[copied..at], "\"", number, "\""]);
                    copied = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if copied == 0 { Cow::Borrowed(json) } else { Cow::Owned(changed + &json[copied..]) }
}

/// Behind the quote that ends a text.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

/// Whether one of the types holds a number as it is.
fn is_held(number: &str) -> bool {
    /// Every `i64` and every `f64` keeps so many digits, unless an exponent goes beyond it.
    const DIGITS_SAFE: usize = 15;
    if number.len() <= DIGITS_SAFE && !number.contains(['e', 'E']) {
        return true;
    }
    if number.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9')) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    number.parse::<f64>().is_ok_and(|held| held.is_finite() && Decimal::of(number) == Decimal::of(&format!("{held:e}")))
}

/// What a number says, however it is written: its digits without zeros around them, and its power of ten.
#[derive(PartialEq, Eq)]
struct Decimal {
    digits: String,
    /// Nothing where no number can have it.
    power: Option<i64>,
}

impl Decimal {
    /// Without its sign, which no type loses.
    fn of(number: &str) -> Decimal {
        let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole.trim_start_matches('-').to_owned() + fraction;
        let kept = digits.trim_end_matches('0');
        let dropped = digits.len() as i64 - kept.len() as i64 - fraction.len() as i64;
        let digits = kept.trim_start_matches('0').to_owned();
        let power = if digits.is_empty() { Some(0) } else { power.parse::<i64>().ok().and_then(|power| power.checked_add(dropped)) };
        Decimal { digits, power }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_would_be_rounded_is_a_text_and_no_other() {
        for kept in [
            "0",
            "-0",
            "-0.0",
            "1.50",
            "0.1",
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
            "0.30000000000000004",
            "12345.678901234567",
            "0.10000000000000000000",
            "1e300",
            "1E+2",
            "5e-324",
            "100000.0e-5",
            "0e999999999999999999999",
        ] {
            assert_eq!(exact(&format!(r#"{{"a":[{kept},1]}}"#)), format!(r#"{{"a":[{kept},1]}}"#));
            assert!(serde_json::from_str::<serde_json::Value>(kept).is_ok(), "{kept}");
        }
        for text in [
            "123456789012345678901234567890",
            "100000000000000000000",
            "18446744073709551616",
            "-9223372036854775809",
            "0.1234567890123456789",
            "9007199254740993.5",
            "1.00000000000000000001",
            "1e400",
            "-1e400",
            "1e-400",
            "2e-324",
            "1e99999999999999999999",
        ] {
            assert_eq!(exact(&format!("[{text}, {text}]")), format!("[\"{text}\", \"{text}\"]"));
        }
    }

    #[test]
    fn what_is_no_number_stays_as_it_is() {
        for json in [
            r#"{"12345678901234567890123":"12345678901234567890123 \" 12345678901234567890123"}"#,
            "[00000000000000000000001]",
            "[1234567890.1234567890.1234567890]",
            "[12345678901234567890123e]",
            "\"12345678901234567890123",
            "\"\\",
            "",
        ] {
            assert!(matches!(exact(json), Cow::Borrowed(same) if same == json), "{json}");
        }
    }
}
