//! A value that MySQL or MariaDB sent, as it stands in an answer: what it is, and marked where it is no text.

use super::geometry;
use super::rows::{hex, real, text, whole, whole_unsigned};
use mysql::consts::ColumnType;
use mysql::{Column, Value as Cell};
use serde_json::Value;

/// The id of the character set `binary`.
const BINARY: u16 = 63;

pub(super) fn json(cell: Cell, column: &Column) -> Value {
    match cell {
        Cell::NULL => Value::Null,
        Cell::Int(number) => whole(number),
        Cell::UInt(number) => whole_unsigned(number),
        // As it is written, not as its nearest neighbour with more digits.
        Cell::Float(number) => number.to_string().parse().map_or_else(|_| real(f64::from(number)), real),
        Cell::Double(number) => real(number),
        Cell::Bytes(bytes) => match column.column_type() {
            ColumnType::MYSQL_TYPE_BIT => bits(&bytes),
            ColumnType::MYSQL_TYPE_GEOMETRY => geometry::words(&bytes).map_or_else(|| hex(&bytes), Value::String),
            ColumnType::MYSQL_TYPE_NEWDECIMAL | ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_JSON => text(&bytes),
            _ if column.character_set() == BINARY => hex(&bytes),
            _ => text(&bytes),
        },
        Cell::Date(year, month, day, hour, minute, second, micro) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            let is_date = column.column_type() == ColumnType::MYSQL_TYPE_DATE;
            Value::String(if is_date { date } else { format!("{date} {}", clock(u32::from(hour), minute, second, micro)) })
        }
        Cell::Time(is_negative, days, hours, minute, second, micro) => {
            let sign = if is_negative { "-" } else { "" };
            Value::String(format!("{sign}{}", clock(days * 24 + u32::from(hours), minute, second, micro)))
        }
    }
}

/// A text of the server's own tables, which some servers send as bytes; nothing for what is no text.
pub(super) fn plain(cell: Cell) -> Option<String> {
    match cell {
        Cell::Bytes(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// BIT(1) to BIT(64): at most eight bytes, the highest first.
fn bits(bytes: &[u8]) -> Value {
    let mut all = [0; 8];
    match all.len().checked_sub(bytes.len()) {
        Some(begin) => {
            all[begin..].copy_from_slice(bytes);
            whole_unsigned(u64::from_be_bytes(all))
        }
        None => hex(bytes),
    }
}

fn clock(hour: u32, minute: u8, second: u8, micro: u32) -> String {
    let rest = if micro == 0 { String::new() } else { format!(".{micro:06}") };
    format!("{hour:02}:{minute:02}:{second:02}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_are_read_as_their_column_says() {
        let column = |kind, character_set| Column::new(kind).with_character_set(character_set);
        for (kind, character_set, bytes, meant) in [
            (ColumnType::MYSQL_TYPE_BIT, BINARY, &b"\x01"[..], json!(1)),
            (ColumnType::MYSQL_TYPE_BIT, BINARY, b"\x02\x01", json!(513)),
            (ColumnType::MYSQL_TYPE_BIT, BINARY, &[0xFF; 8], json!("18446744073709551615")),
            (ColumnType::MYSQL_TYPE_STRING, BINARY, b"MySQL\x00", json!("0x4D7953514C00")),
            (ColumnType::MYSQL_TYPE_BLOB, BINARY, b"plain words", json!("0x706C61696E20776F726473")),
            (ColumnType::MYSQL_TYPE_VAR_STRING, 45, "ä".as_bytes(), json!("ä")),
            (ColumnType::MYSQL_TYPE_BLOB, 45, b"words", json!("words")),
            (ColumnType::MYSQL_TYPE_NEWDECIMAL, BINARY, b"12345678901234567890.50", json!("12345678901234567890.50")),
            (ColumnType::MYSQL_TYPE_JSON, BINARY, b"{\"a\": 1}", json!("{\"a\": 1}")),
            (ColumnType::MYSQL_TYPE_GEOMETRY, BINARY, b"\x00", json!("0x00")),
        ] {
            assert_eq!(json(Cell::Bytes(bytes.to_vec()), &column(kind, character_set)), meant, "{kind:?} {bytes:?}");
        }
        assert_eq!(json(Cell::Float(0.1), &column(ColumnType::MYSQL_TYPE_FLOAT, BINARY)), json!(0.1));
    }
}
