//! Chunked bodies of requests, put together as they come.
//!
//! Strict: a size that two readers could read differently ends the connection, and so does a chunk that is longer than it
//! says. The tests stand with the rest of HTTP: a body means nothing without its head.

use super::http::{BODY_TOO_LARGE, Limits, refused};
use crate::contract::{Code, Refusal};

/// A chunk's size line, with whatever extension nobody reads.
const CHUNK_LINE_BYTES_MAX: usize = 256;

/// Bytes of all extensions of one body (RFC 9112, 7.1.1): a few bytes in many chunks must not cost more than they say.
const EXTENSION_BYTES_MAX: usize = 16 << 10;

/// Reads one chunked body.
#[derive(Default)]
pub(super) struct Chunks {
    place: Place,
    /// Of all chunks so far.
    extension_bytes: usize,
}

/// Where in a chunked body the next byte stands.
#[derive(Default)]
enum Place {
    #[default]
    Size,
    Data {
        left: usize,
    },
    DataEnd,
    Trailer {
        bytes: usize,
    },
}

impl Chunks {
    /// Moves the chunks of `buffer` into `body`; true at the end of the body.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, body: &mut Vec<u8>, limits: &Limits) -> Result<bool, Refusal> {
        let mut at = 0;
        let ended = loop {
            let rest = &buffer[at..];
            match &mut self.place {
                Place::Size => {
                    let Some(line) = line(rest, CHUNK_LINE_BYTES_MAX)? else { break false };
                    at += line.len() + 2;
                    let (size, extension) = chunk_size(line)?;
                    self.extension_bytes += extension.len();
                    if self.extension_bytes > EXTENSION_BYTES_MAX {
                        return refused(Code::BadRequest, "the body's chunks have too many extensions");
                    }
                    if size > limits.body_bytes_max - body.len() {
                        return refused(Code::BodyTooLarge, BODY_TOO_LARGE);
                    }
                    self.place = if size == 0 { Place::Trailer { bytes: 0 } } else { Place::Data { left: size } };
                }
                Place::Data { left } => {
                    let taken = rest.len().min(*left);
                    body.extend_from_slice(&rest[..taken]);
                    at += taken;
                    *left -= taken;
                    if *left > 0 {
                        break false;
                    }
                    self.place = Place::DataEnd;
                }
                Place::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        at += 2;
                        self.place = Place::Size;
                    }
                    [] | [b'\r'] => break false,
                    _ => return refused(Code::BadRequest, "a chunk of the body is longer than it says"),
                },
                Place::Trailer { bytes } => {
                    let Some(line) = line(rest, limits.head_bytes_max - *bytes)? else { break false };
                    at += line.len() + 2;
                    *bytes += line.len() + 2;
                    if line.is_empty() {
                        break true;
                    }
                    if *bytes >= limits.head_bytes_max {
                        return refused(Code::HeadTooLarge, "the body's trailer is too large");
                    }
                    check_trailer(line)?;
                }
            }
        };
        buffer.drain(..at);
        Ok(ended)
    }
}

/// The bytes before the next CRLF, if it is there.
fn line(bytes: &[u8], bytes_max: usize) -> Result<Option<&[u8]>, Refusal> {
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(0) => refused(Code::BadRequest, "a line of the body's framing ends without a carriage return"),
        Some(end) if bytes[end - 1] != b'\r' => refused(Code::BadRequest, "a line of the body's framing ends without a carriage return"),
        Some(end) if end > bytes_max => refused(Code::BadRequest, "a line of the body's framing is too long"),
        Some(end) => Ok(Some(&bytes[..end - 1])),
        None if bytes.len() > bytes_max => refused(Code::BadRequest, "a line of the body's framing is too long"),
        None => Ok(None),
    }
}

/// `1f`, or `1f;extension`: the size, and the extension that nobody reads. Only space before a `;` is no mistake.
fn chunk_size(line: &[u8]) -> Result<(usize, &[u8]), Refusal> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (size, extension) = line.split_at(digits);
    let is_short = (1..=16).contains(&size.len());
    let is_extension = extension.is_empty() || extension.trim_ascii_start().starts_with(b";");
    let is_quiet = extension.iter().all(|&byte| byte == b'\t' || (b' '..0x7f).contains(&byte) || byte >= 0x80);
    let size = std::str::from_utf8(size).ok().filter(|_| is_short && is_extension && is_quiet);
    match size.and_then(|size| usize::from_str_radix(size, 16).ok()) {
        Some(size) => Ok((size, extension)),
        None => refused(Code::BadRequest, "a chunk's size can't be read"),
    }
}

/// Trailers are read only to know that they are some.
fn check_trailer(line: &[u8]) -> Result<(), Refusal> {
    let whole = [line, b"\r\n\r\n"].concat();
    let mut slot = [httparse::EMPTY_HEADER; 1];
    match httparse::parse_headers(&whole, &mut slot) {
        Ok(httparse::Status::Complete(_)) => Ok(()),
        _ => refused(Code::BadRequest, "the body's trailer can't be read"),
    }
}
