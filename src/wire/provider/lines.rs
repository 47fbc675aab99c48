//! Event streams: bytes into events.
//!
//! Lines end with LF, CRLF or CR; an empty line sends the event off, and so does the end of the stream, because servers
//! forget the last empty line. Comments, ids and unknown fields mean nothing to us.

/// What a stream says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The `data` of one event, its lines joined.
    Data(Vec<u8>),
    /// An event that is named `error`, or the `error:` line of old llama.cpp builds.
    Error(Vec<u8>),
    /// A line that is a JSON object, without any field before it: a gateway's own error in the middle of a stream.
    Bare(Vec<u8>),
}

/// A line, or all data of an event, is longer than may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

#[derive(Debug)]
pub(super) struct Lines {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    is_error: bool,
    /// The last byte was CR: a LF that follows belongs to it.
    after_cr: bool,
    bytes_max: usize,
}

impl Lines {
    pub(super) fn new(bytes_max: usize) -> Self {
        Lines { line: Vec::new(), data: None, is_error: false, after_cr: false, bytes_max }
    }

    /// Takes bytes up to the end of one line; returns what is left and what the line said, if anything.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<(&'a [u8], Option<Said>), TooLong> {
        let bytes = match bytes {
            [] => return Ok((bytes, None)),
            [b'\n', rest @ ..] if self.after_cr => rest,
            _ => bytes,
        };
        self.after_cr = false;
        let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if self.line.len() + part.len() + self.data.as_ref().map_or(0, Vec::len) > self.bytes_max {
            return Err(TooLong);
        }
        self.line.extend_from_slice(part);
        let Some(end) = end else { return Ok((&[], None)) };
        self.after_cr = bytes[end] == b'\r';
        Ok((&bytes[end + 1..], self.line_ended()))
    }

    /// The stream has ended: what was begun counts as said.
    pub(super) fn end(&mut self) -> [Option<Said>; 2] {
        let last = if self.line.is_empty() { None } else { self.line_ended() };
        [last, self.event_ended()]
    }

    fn line_ended(&mut self) -> Option<Said> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.event_ended();
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..])),
            None => (&line[..], &[][..]),
        };
        match field {
            b"data" => match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            },
            b"event" => self.is_error = value == b"error",
            b"error" => return Some(Said::Error(value.to_vec())),
            _ if line.starts_with(b"{") => return Some(Said::Bare(line)),
            _ => {}
        }
        None
    }

    fn event_ended(&mut self) -> Option<Said> {
        let is_error = std::mem::take(&mut self.is_error);
        let data = self.data.take()?;
        Some(if is_error { Said::Error(data) } else { Said::Data(data) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that `text` says when it arrives in three parts, `cut` bytes first and then a single one.
    fn said(text: &str, cut: usize) -> Result<Vec<Said>, TooLong> {
        let mut lines = Lines::new(40);
        let mut all = Vec::new();
        let (first, rest) = text.as_bytes().split_at(cut);
        let (byte, rest) = rest.split_at(rest.len().min(1));
        for mut part in [first, byte, rest] {
            while !part.is_empty() {
                let (rest, said) = lines.take(part)?;
                all.extend(said);
                part = rest;
            }
        }
        all.extend(lines.end().into_iter().flatten());
        Ok(all)
    }

    fn data(text: &str) -> Said {
        Said::Data(text.as_bytes().to_vec())
    }

    #[test]
    fn an_event_is_the_same_however_its_lines_end_and_wherever_it_is_cut() {
        let error = || Said::Error(b"{}".to_vec());
        for (text, all) in [
            ("data: a\n\ndata: b\n\n", vec![data("a"), data("b")]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", vec![data("a"), data("b")]),
            ("data: a\r\rdata:b\r\r", vec![data("a"), data("b")]),
            ("data: a\r\n\ndata: b\n\r\n", vec![data("a"), data("b")]),
            ("data: a\ndata:  b\ndata\n\n", vec![data("a\n b\n")]),
            (": ping\nid: 7\nretry: 1\nnonsense\n\ndata: a", vec![data("a")]),
            ("\n\n\n", vec![]),
            ("event: error\ndata: {}\n\ndata: a\n\n", vec![error(), data("a")]),
            ("event: message\ndata: {}\n\n", vec![data("{}")]),
            ("error: {}\n", vec![error()]),
            ("data: a\n\n{\"error\":1}\n", vec![data("a"), Said::Bare(b"{\"error\":1}".to_vec())]),
        ] {
            for cut in 0..=text.len() {
                assert_eq!(said(text, cut).as_ref(), Ok(&all), "{text:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_line_and_an_event_have_an_end() {
        for text in ["data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "data: aaaaaaaaaaaaaaaa\ndata: aaaaaaaaaaaaaaaaaaaaaaaa\n"] {
            for cut in 0..=text.len() {
                assert_eq!(said(text, cut), Err(TooLong), "{text:?} cut at {cut}");
            }
        }
    }
}
