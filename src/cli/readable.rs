//! Times, counts and users' texts as a terminal shows them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io;

use super::Failure;

/// µs since the epoch, in local time.
pub(super) fn time(time_us: u64) -> String {
    let time = i64::try_from(time_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    time.map(|time| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

/// A duration in µs.
pub(super) fn duration(time_us: u64) -> String {
    match time_us {
        0..1_000 => format!("{time_us} µs"),
        1_000..1_000_000 => format!("{:.0} ms", time_us as f64 / 1e3),
        _ => format!("{:.1} s", time_us as f64 / 1e6),
    }
}

/// A whole number with a comma between thousands.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number and what there are so many of: `1 turn`, `1,234 turns`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A text that can't control the terminal.
pub(super) fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "\u{fffd}")
}

/// Standard output was closed early, as `head` does: that is no failure.
pub(super) fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::unavailable(format!("can't write to standard output ({error})")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_durations_a_unit() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(number(count), text);
        }
        for (time_us, text) in [(0, "0 µs"), (1_499, "1 ms"), (999_000, "999 ms"), (2_100_000, "2.1 s"), (61_000_000, "61.0 s")] {
            assert_eq!(duration(time_us), text);
        }
        assert_eq!([counted(1, "turn", "turns"), counted(2_000, "turn", "turns")], ["1 turn", "2,000 turns"]);
        assert_eq!(plain("a\u{1b}[31m\n\tb"), "a\u{fffd}[31m\n\tb");
    }
}
