//! Reading text files: bounded, UTF-8, and without the byte-order mark that some editors put first.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it has more than {0} bytes")]
    TooLong(u64),
}

/// The text of a file of at most `bytes_max` bytes.
pub fn read(path: &Path, bytes_max: u64) -> Result<String, ReadError> {
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file").into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(ReadError::TooLong(bytes_max));
    }
    let text = std::str::from_utf8(without_mark(&bytes)).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(text.to_owned())
}

/// A text without its byte-order mark.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_text_and_a_long_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        for (bytes, read_as) in [
            (&b"plain"[..], "plain"),
            ("\u{feff}marked".as_bytes(), "marked"),
            ("in\u{feff}side".as_bytes(), "in\u{feff}side"),
            (b"", ""),
            (b"123456789012", "123456789012"),
            (b"1234567890123", "it has more than 12 bytes"),
            (&[0xff, 0xfe], "invalid utf-8"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let text = read(&path, 12).unwrap_or_else(|error| error.to_string());
            assert!(text.starts_with(read_as) && (!read_as.is_empty() || text.is_empty()), "{bytes:?}: {text}");
        }
        assert!(read(folder.path(), 12).unwrap_err().to_string().contains("not a file"));
        assert!(matches!(read(&path.join("x"), 12), Err(ReadError::Io(_))));
    }
}
