//! Finds text that is not UTF-8 in a WebSocket's bytes as soon as it arrives.
//!
//! tungstenite checks a frame once it is whole, so a client could send a megabyte behind a wrong byte before it learned of it.
//! [`Follower`] sees the same bytes and says only this one thing. Frames that break the protocol are the codec's to refuse: it
//! stops at the first.

/// Follows the frames of one client.
#[derive(Debug, Default)]
pub(super) struct Follower {
    place: Place,
    /// The message that has begun, in however many frames, is text.
    is_text: bool,
    /// The beginning of a character whose rest is yet to come.
    carried: [u8; 3],
    carried_bytes: usize,
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Follows,
    /// Something is wrong that the codec sees too.
    Lost,
    /// Text that is not UTF-8.
    Bad,
}

#[derive(Debug)]
enum Place {
    /// In a frame's head, of which so many bytes have come.
    Head {
        seen: [u8; HEAD_BYTES_MAX],
        count: usize,
    },
    Payload {
        left: u64,
        mask: [u8; 4],
        is_text: bool,
    },
}

impl Default for Place {
    fn default() -> Place {
        Place::Head { seen: [0; HEAD_BYTES_MAX], count: 0 }
    }
}

/// Two bytes, eight of a length, four of a mask.
const HEAD_BYTES_MAX: usize = 14;
const BLOCK_BYTES: usize = 256;

impl Follower {
    /// Whether bad text has come. What stands before it is still worth reading.
    pub(super) fn has_seen_bad_text(&self) -> bool {
        self.state == State::Bad
    }

    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while self.state == State::Follows && !bytes.is_empty() {
            match &mut self.place {
                Place::Head { seen, count } => {
                    seen[*count] = bytes[0];
                    *count += 1;
                    bytes = &bytes[1..];
                    let head = (*seen, *count);
                    self.head(&head.0[..head.1]);
                }
                Place::Payload { left, mask, is_text } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let (part, rest) = bytes.split_at(taken);
                    let (part_mask, is_checked) = (*mask, *is_text);
                    *left -= taken as u64;
                    mask.rotate_left(taken % 4);
                    if *left == 0 {
                        self.place = Place::default();
                    }
                    if is_checked {
                        self.check(part, part_mask);
                    }
                    bytes = rest;
                }
            }
        }
    }

    /// Goes on to the payload once a head is whole.
    fn head(&mut self, head: &[u8]) {
        let [first, second, rest @ ..] = head else { return };
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        // Extensions are never agreed on, and a client's frames have a mask.
        if first & 0x70 != 0 || second & 0x80 == 0 {
            self.state = State::Lost;
        }
        let Some((length, Ok(mask))) = rest.split_at_checked(length_bytes).map(|(length, mask)| (length, mask.try_into())) else { return };
        let left = match length_bytes {
            0 => u64::from(second & 0x7f),
            _ => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        match first & 0x0f {
            // Goes on with the message, or stands between its frames.
            0 | 8.. => {}
            kind => (self.is_text, self.carried_bytes) = (kind == 1, 0),
        }
        let is_text = self.is_text && first & 0x08 == 0;
        self.place = if left == 0 { Place::default() } else { Place::Payload { left, mask, is_text } };
    }

    fn check(&mut self, masked: &[u8], mask: [u8; 4]) {
        for part in masked.chunks(BLOCK_BYTES) {
            let mut block = [0; 3 + BLOCK_BYTES];
            let end = self.carried_bytes + part.len();
            block[..self.carried_bytes].copy_from_slice(&self.carried[..self.carried_bytes]);
            // A block is a multiple of the mask.
            let plain = part.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            block[self.carried_bytes..end].iter_mut().zip(plain).for_each(|(to, byte)| *to = byte);
            let left = match std::str::from_utf8(&block[..end]) {
                Ok(_) => &[],
                Err(error) if error.error_len().is_none() => &block[error.valid_up_to()..end],
                Err(_) => {
                    self.state = State::Bad;
                    return;
                }
            };
            self.carried[..left.len()].copy_from_slice(left);
            self.carried_bytes = left.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::websocket::client_frame as frame;

    /// How many bytes come before bad text is noticed; none if it never is.
    fn noticed(bytes: &[u8], piece: usize) -> Option<usize> {
        let mut follower = Follower::default();
        for (number, piece) in bytes.chunks(piece).enumerate() {
            follower.follow(piece);
            if follower.has_seen_bad_text() {
                return Some(number);
            }
        }
        None
    }

    #[test]
    fn bad_text_is_noticed_at_its_first_wrong_byte() {
        let long = "é漢🙂x".repeat(20_000);
        for (bytes, expected) in [
            (frame(0x81, long.as_bytes()), None),
            (frame(0x81, b"ab\xf4\x90cdefg"), Some(9)),
            (frame(0x81, b"\xff and more"), Some(6)),
            (frame(0x82, b"\xff\xff"), None),
            (frame(0x89, b"\xff\xff"), None),
            (frame(0x88, b"\x03\xe8\xff"), None),
            ([frame(0x01, b"a\xc3"), frame(0x89, b"\xff"), frame(0x80, b"\xa9b")].concat(), None),
            ([frame(0x01, b"a\xc3"), frame(0x00, b""), frame(0x80, b"b")].concat(), Some(20)),
            ([frame(0x02, b"\xff"), frame(0x80, b"\xff")].concat(), None),
            ([frame(0x81, b"ok"), frame(0x81, b"\xc0")].concat(), Some(14)),
            // The codec refuses these as such.
            ([frame(0xc1, b"\xff"), frame(0x81, b"\xff")].concat(), None),
            (vec![0x81, 1, 0xff], None),
        ] {
            assert_eq!(noticed(&bytes, 1), expected, "{:?}", &bytes[..bytes.len().min(30)]);
            for piece in [3, 7, 250, 4096] {
                assert_eq!(noticed(&bytes, piece), expected.map(|at| at / piece), "pieces of {piece}: {:?}", &bytes[..bytes.len().min(30)]);
            }
        }
    }
}
